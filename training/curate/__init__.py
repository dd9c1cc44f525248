"""How 59K questions become 1K: one pure stage a file, from collecting to token ids with a loss mask."""
