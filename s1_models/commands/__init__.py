"""What users type: s1-eval and its subcommands. May import all of s1_models, and the statistics of s1_report."""
