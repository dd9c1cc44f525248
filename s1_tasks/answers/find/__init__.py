"""Finds the answer in a model's text. May import `read` and `tree`."""
