"""Processes that can be killed, for comparisons that may not end. May import all rooms of the answers but `find`."""
