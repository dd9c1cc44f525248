"""Where runs come from on the command line: record files, folders of them, or output folders of lm_eval."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from s1_contract.files import read_text, write_whole
from s1_contract.printing import show
from s1_report.collect import Run, collect
from s1_report.record import ReportError, RunRecord, from_json, load, to_json

COLLECTOR = ("commit", "dirty", "collected_by")
"""What `collect` adds to the environment of a run: where and with what it was read, not how it was made."""


def load_runs(
    *places: Path, metric: str | None = None, filter_name: str | None = None, measured: bool = False
) -> list[RunRecord]:
    """All runs at the places, records or lm_eval output; only those with questions if `measured`.

    Raises ReportError when anything there cannot be read, or when nothing is left."""
    found = []
    for place in places:
        records = records_under(place) or [run.record for run in logged_runs(place, metric, filter_name)]
        chosen = [record for record in records if record.questions or not measured]
        if not chosen:
            raise ReportError(
                f"{place}: its {len(records)} published records hold no questions: "
                "name a measured run (published numbers: s1-report export csv or readme)"
            )
        found.extend(chosen)
    return found


def logged_runs(place: Path, metric: str | None = None, filter_name: str | None = None) -> list[Run]:
    """All runs of an lm_eval output folder, with their samples. Raises ReportError when one cannot be read."""
    collected = collect(place, metric=metric, filter_name=filter_name)
    if collected.problems:
        raise ReportError("\n".join(collected.problems))
    return collected.runs


def records_under(place: Path) -> list[RunRecord]:
    """The records in a file or anywhere in a folder; other JSON files are passed over."""
    paths = sorted(place.rglob("*.json")) if place.is_dir() else [place] if place.is_file() else []
    return [record for path in paths if _is_record(path) for record in records_in(path)]


def _is_record(path: Path) -> bool:
    # Records start with their schema; anything else in a folder (results, task files) is not ours to judge.
    try:
        with path.open("rb") as file:
            return re.match(rb'\s*\[?\s*\{\s*"schema"', file.read(64)) is not None
    except OSError as error:
        raise ReportError(f"{path}: cannot be read ({error.strerror}): check the path") from None


def records_in(path: Path) -> list[RunRecord]:
    """The records of one file, which holds one or a list of them."""
    text = read_text(path)
    if not text.lstrip().startswith("["):
        return [from_json(text, str(path))]
    try:
        items = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ReportError(f"{path}: damaged JSON ({error}): restore the file") from None
    return [from_json(json.dumps(item), f"{path}, record {number}") for number, item in enumerate(items, start=1)]


def store(records: Sequence[RunRecord], root: Path) -> list[Path]:
    """Writes each record to root/task/model/DATE_COMMIT_BUDGET.json, whole or not at all; records are never changed.

    Raises ReportError, before anything is written, when a file is there with other content.
    """
    chosen: dict[Path, RunRecord] = {}
    for record in records:
        path = root / _place(record)
        if path in chosen:
            raise ReportError(f"{path}: two runs would be written there: collect their folders into two places")
        chosen[path] = record
    texts = {path: to_json(record) for path, record in chosen.items()}
    kept = {path for path, record in chosen.items() if path.exists() and _same_run(path, record)}
    for path in texts:
        if path not in kept and path.exists():
            raise ReportError(
                f"{path}: is there with other content; records are never changed: remove it by hand first"
            )
    for path, text in texts.items():
        if path not in kept:
            write_whole(path, text)
    return list(texts)


def _same_run(path: Path, record: RunRecord) -> bool:
    """Whether the file holds this record, collected at whatever commit."""
    return _without_collector(load(path)) == _without_collector(from_json(to_json(record), str(path)))


def _without_collector(record: RunRecord) -> RunRecord:
    environment = {name: value for name, value in record.environment.items() if name not in COLLECTOR}
    return replace(record, environment=environment)


def _place(record: RunRecord) -> Path:
    date = str(record.environment.get("date", "undated"))
    # git_hash is what the harness saw when it ran, commit what `collect` saw later.
    commit = str(record.environment.get("git_hash") or record.environment.get("commit") or "nocommit")
    dirty = "-dirty" if record.environment.get("dirty") else ""
    waits = f"_wait{record.num_waits}" if record.num_waits is not None else ""
    limit = record.max_thinking_tokens
    budget = waits + (f"_think{limit}" if limit is not None else "")
    parts = (show(part, "path") for part in (record.task, record.model, f"{date}_{commit}{dirty}{budget}"))
    task, model, name = parts
    return Path(task, model, f"{name}.json")


def git_state(folder: Path) -> dict[str, str | bool]:
    """Commit (short) of the repository around a folder, and whether it has uncommitted changes; empty without git."""
    try:
        commit = _git(folder, "rev-parse", "--short=10", "HEAD")
        return {"commit": commit, "dirty": bool(_git(folder, "status", "--porcelain", "--untracked-files=no"))}
    except (OSError, subprocess.CalledProcessError):
        return {}


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()
