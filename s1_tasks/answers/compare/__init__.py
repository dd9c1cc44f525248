"""Says whether two answers of any kind are the same. May import `algebra` and `tree`."""
