"""Where lm_eval meets us: its requests become sessions, its registries learn our names, its files get our traces.

May import everything of s1_models but engines and commands, lm_eval, and s1_tasks for the place of its task files.
"""
