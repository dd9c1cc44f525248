"""A tiny model trained from nothing on a CPU whose answers get better with thinking. See `python -m training.nano`."""
