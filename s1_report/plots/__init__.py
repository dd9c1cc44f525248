"""Figures, each a function of records; matplotlib is imported in this folder only, and only when a figure is drawn."""
