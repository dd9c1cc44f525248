"""s1_hf: budget forcing on transformers, with a decoding loop of our own."""
