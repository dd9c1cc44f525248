"""Where lm_eval meets us: its requests become sessions, its registries learn our names, its files get our traces."""
