"""Runs one check in this process and prints its findings; the doctor starts one such process per check."""

from __future__ import annotations

import importlib
import json
import sys
import warnings

from s1_models.commands.doctor.findings import Asked

# Libraries print what they like to stdout; findings are told apart by this.
PREFIX = "\x1efinding "


def main(module: str) -> None:
    """Runs the check of a module of this package for the run described on stdin (JSON). Raises what it raises."""
    warnings.simplefilter("ignore")
    asked = Asked.from_json(json.load(sys.stdin))
    for finding in importlib.import_module(f"s1_models.commands.doctor.{module}").check(asked):
        sys.stdout.write(f"{PREFIX}{json.dumps(finding.as_json())}\n")
        sys.stdout.flush()
