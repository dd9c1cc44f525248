"""Decides whether two single expressions are equal: numerically, exactly, by computer algebra. May import tree."""
