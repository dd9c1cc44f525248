"""Which commit of this code made something, for records that have to say it."""

from __future__ import annotations

import subprocess
from pathlib import Path


def commit_of(*paths: str) -> str:
    """The commit of this checkout, with a note when what lies under `paths` (of the repository) differs from it."""
    root = Path(__file__).parents[1]

    def git(*arguments: str) -> str:
        return subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=True).stdout.strip()

    try:
        commit = git("rev-parse", "--short=12", "HEAD")
        changed = git("status", "--porcelain", "--", *paths)
    except (OSError, subprocess.CalledProcessError):
        return "unknown (not a git checkout)"
    return f"{commit} with uncommitted changes" if changed else commit
