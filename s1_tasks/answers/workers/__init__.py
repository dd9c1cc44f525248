"""Processes that can be killed, for comparisons that may not end."""
