"""The traces beside a run, found by their place in the file: what is not being read is not in memory."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

from s1_contract.places import TRACES_FILE
from s1_report.record import ReportError


class TraceLines:
    """traces.jsonl of a folder: of every response only where its line begins (8 bytes) is kept.

    Raises ReportError for a line that is no trace.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / TRACES_FILE
        self._places: dict[tuple[str, str, Any], list[int]] = defaultdict(list)
        if not self._path.exists():
            return
        with self._path.open("rb") as lines:
            place = 0
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    trace = self._read(line, number)
                    self._places[str(trace.get("run")), str(trace.get("task")), trace.get("doc_id")].append(place)
                place += len(line)

    def of(self, run: str, task: str, doc_id: Any) -> list[dict[str, Any]]:
        """The traces of a question's repeats, in order; none where there is no file.

        run: the date in the name of the samples file.
        """
        places = self._places.get((run, task, doc_id))
        if not places:
            return []
        with self._path.open("rb") as lines:
            found = []
            for place in places:
                lines.seek(place)
                found.append(self._read(lines.readline(), 0))
            return found

    def _read(self, line: bytes, number: int) -> dict[str, Any]:
        try:
            trace = json.loads(line, parse_constant=str)
        except (ValueError, RecursionError):
            trace = None
        if not isinstance(trace, dict):
            raise ReportError(f"{self._path}, line {number}: not a trace: remove the line, or run the evaluation again")
        return trace
