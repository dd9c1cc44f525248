"""The record of a run: for every stage what went in, what came out, what was rejected by which rule, and hashes.

A stage counts as finished when its record was made with the same settings from the same input, its output file is
still what was written, and nothing is missing from it; anything else is done again, and with it every stage after it
whose input becomes another.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from training.commit import commit_of
from training.curate.stage import CurationError
from training.curate.tables import file_hash, write_json

VERSION = 1


@dataclass(frozen=True)
class StageRecord:
    """One stage's record. settings and input are hashes; rejected counts rows by rule; seconds are wall-clock."""

    rows_in: int
    rows_out: int
    rejected: Mapping[str, int]
    seconds: float
    settings: str
    input: str
    output: str
    figures: Mapping[str, Any] = field(default_factory=dict)


class Manifest:
    """`manifest.json` of a run's directory."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.stages: dict[str, StageRecord] = {}
        self.about: dict[str, Any] = {}
        if path.exists():
            self._read()

    def _read(self) -> None:
        try:
            content = json.loads(self.path.read_text(encoding="utf-8"))
            version = content.pop("version")
            self.stages = {name: StageRecord(**record) for name, record in content.pop("stages").items()}
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise CurationError(f"{self.path} is no manifest of a run ({error}): remove it to start anew") from error
        if version != VERSION:
            raise CurationError(f"{self.path} has version {version}; expected {VERSION}: use another out directory")
        self.about = content

    def is_current(self, stage: str, settings: str, source: str, output: Path) -> bool:
        """Whether a stage's output is what these settings made of this input."""
        record = self.stages.get(stage)
        return (
            record is not None
            and (record.settings, record.input) == (settings, source)
            and output.exists()
            and file_hash(output) == record.output
        )

    def is_finished(self, stage: str, settings: str, source: str, output: Path) -> bool:
        """Whether a stage's output can be used as it is: current, and with nothing that is to be tried again."""
        current = self.is_current(stage, settings, source, output)
        return current and not self.stages[stage].figures.get("missing")

    def forget(self, *stages: str) -> None:
        for stage in stages:
            self.stages.pop(stage, None)

    def write(self) -> None:
        stages = {name: asdict(record) for name, record in self.stages.items()}
        write_json(self.path, {"version": VERSION, **self.about, "stages": stages})


def origin() -> dict[str, str]:
    """When, and by which commit of this code."""
    commit = commit_of("training/curate", "training/render.py")
    return {"made": datetime.now(UTC).isoformat(timespec="seconds"), "commit": commit}
