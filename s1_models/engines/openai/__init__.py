"""s1_openai: budget forcing against a completions server."""
