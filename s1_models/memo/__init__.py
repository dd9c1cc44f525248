"""Nothing is generated twice: a file of tokens between driver and engine, and what tells one model from another."""
