"""The entry point `s1-report`."""

from __future__ import annotations

import sys
import traceback

import typer

from s1_report.commands import app, remark, reading, gating, inspecting, explaining, exporting  # isort: skip  (the order of --help)
from s1_contract.errors import S1Error

BAD_INPUT = 2
"""Exit code for anything the user has to mend: a missing, damaged or incomparable file, or a wrong option."""

__all__ = ["app", "explaining", "exporting", "gating", "inspecting", "main", "reading"]


def main() -> None:
    """Runs the command line; an `S1Error` becomes sentences on standard error and exit code 2."""
    try:
        app()
    except S1Error as error:
        for sentence in str(error).splitlines():
            remark(sentence)
        sys.exit(BAD_INPUT)
    except Exception:
        # A fault of ours must not leave with Python's 1, which means REGRESSION.
        traceback.print_exc()
        typer.echo("s1-report: this is a fault of s1-report, please report it with the lines above", err=True)
        sys.exit(BAD_INPUT)


if __name__ == "__main__":
    main()
