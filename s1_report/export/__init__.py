"""Records in the formats other people read: tables, Hugging Face leaderboards, Every Eval Ever, our own README."""
