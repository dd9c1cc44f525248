"""Reads the text of an answer into a tree. May import `tree`."""
