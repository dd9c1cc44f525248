"""Fine-tuning a checkpoint that the plugin evaluates. See `python -m training.sft --help`."""
