"""Says whether two single expressions are equal: in floating point, exactly, by computer algebra. May import `tree`."""
