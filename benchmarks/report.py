"""What every report of a benchmark begins with: the command, when, and the machine that it was measured on."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

FOLDER = Path(__file__).parent / "reports"


def write_report(name: str, title: str, lines: Iterable[str]) -> None:
    """Writes benchmarks/reports/NAME.md."""
    head = [f"# {title}", "", f"{_command()}, {_circumstances()}.", ""]
    (FOLDER / f"{name}.md").write_text("\n".join([*head, *lines, ""]), encoding="utf-8")


def _command() -> str:
    """The command as typed; of a path only its name, which is all that means something elsewhere."""
    arguments = [Path(argument).name if os.sep in argument else argument for argument in sys.argv[1:]]
    return f"`{' '.join(['python -m benchmarks.' + Path(sys.argv[0]).stem, *arguments])}`"


def _circumstances() -> str:
    commit = subprocess.run(
        ["git", "rev-parse", "--short=12", "HEAD"], cwd=FOLDER, capture_output=True, text=True, check=False
    ).stdout.strip()
    return (
        f"{time.strftime('%Y-%m-%d', time.gmtime())}, commit {commit or 'unknown'}; {platform.machine()}, "
        f"{os.cpu_count()} cores (load at the end {os.getloadavg()[0]:.1f}), Python {platform.python_version()}"
    )
