"""Decides whether two answers of any kind are the same. May import algebra, read and tree."""
