"""What is asked, and what counts as right: the reasoning tasks of the s1 paper for lm-evaluation-harness.

Importing this package loads nothing else; the task files in `TASKS_DIR` name what they need.
"""

from pathlib import Path

TASKS_DIR = Path(__file__).resolve().parent
"""Folder of the task YAML files, to be given to lm_eval as `include_path`."""

__all__ = ["TASKS_DIR"]
