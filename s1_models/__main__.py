"""`python -m s1_models` does what `s1-eval` does."""

from s1_models.commands.cli import main

if __name__ == "__main__":
    main()
