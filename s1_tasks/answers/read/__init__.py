"""Reads a text into a tree. May import tree."""
