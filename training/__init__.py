"""The recipe: curation, fine-tuning, and the embedded model. Not in the wheel."""
