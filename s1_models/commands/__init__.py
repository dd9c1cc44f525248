"""What users type: s1-eval and its subcommands."""
