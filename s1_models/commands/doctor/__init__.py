"""`s1-eval doctor`: is everything there that a run needs? What is not comes with the command that mends it."""
