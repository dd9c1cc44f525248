"""Finds the answer in a response. May import read and tree."""
