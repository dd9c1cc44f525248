"""Where runs come from on the command line: record files, folders of them, or output folders of lm_eval."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from s1_contract.files import read_text, write_whole
from s1_contract.printing import show
from s1_report.collect import Run, collect
from s1_report.record import ReportError, RunRecord, from_json, load, plain, to_json

COLLECTOR = ("commit", "dirty", "collected_by")
"""What `collect` adds to the environment of a run: where and with what it was read, not how it was made."""


class Places(NamedTuple):
    """What the places hold: records, and the places that hold none, which are lm_eval's output."""

    records: list[RunRecord]
    logs: list[Path]


def read_places(*places: Path) -> Places:
    """Raises ReportError when a record cannot be read, or when one run is there twice."""
    logs = []
    found: dict[str, tuple[str, RunRecord]] = {}
    for place in places:
        records = _records_with_files(place)
        for file, record in records:
            key = _when_and_what(record) if record.questions else f"{file} {len(found)}"
            if key in found and found[key][0] != file:
                raise ReportError(f"{file}: is a second record of the run in {found[key][0]}: remove one of the two")
            found[key] = (file, record)
        if not records:
            logs.append(place)
    return Places([record for _, record in found.values()], logs)


def _when_and_what(record: RunRecord) -> str:
    """Equal for two records of the same run at the same time; those of a rerun have another date."""
    return plain({"run": record.run_hash, "date": record.environment.get("date"), "source": record.source})


def load_runs(
    *places: Path, metric: str | None = None, filter_name: str | None = None, measured: bool = False
) -> list[RunRecord]:
    """All runs at the places, records or lm_eval output; only those with questions if `measured`.

    Raises ReportError when anything there cannot be read, or when a place holds nothing of the kind.
    """
    read = read_places(*places)
    _check_choice(read.records, metric, filter_name)
    chosen = _with_questions(read.records, places[0]) if measured else read.records
    if read.logs:
        chosen += [run.record for run in logged_runs(*read.logs, metric=metric, filter_name=filter_name)]
    return chosen


def _with_questions(records: list[RunRecord], place: Path) -> list[RunRecord]:
    chosen = [record for record in records if record.questions]
    if records and not chosen:
        raise ReportError(
            f"{place}: its {len(records)} published records hold no questions: "
            "name a measured run (published numbers: s1-report export csv or readme)"
        )
    return chosen


def logged_runs(*places: Path, metric: str | None = None, filter_name: str | None = None) -> list[Run]:
    """All runs of lm_eval output folders, with their samples. Raises ReportError when one cannot be read."""
    collected = collect(*places, metric=metric, filter_name=filter_name)
    if collected.problems:
        raise ReportError("\n".join(collected.problems))
    return collected.runs


def _check_choice(records: Sequence[RunRecord], metric: str | None, filter_name: str | None) -> None:
    """Raises ReportError for a record that was made with another metric or filter than is asked for now."""
    for record in records:
        for option, wanted, has in (("--metric", metric, record.metric), ("--filter", filter_name, record.filter)):
            if wanted is not None and record.questions and has not in (wanted, ""):
                raise ReportError(
                    f"{record.label()}: its record holds {has}, not {wanted}: leave {option} out, or collect the logs "
                    f"again with {option} {wanted}"
                )


def records_under(place: Path) -> list[RunRecord]:
    """The records in a file or anywhere in a folder; other JSON files are passed over."""
    return [record for _, record in _records_with_files(place)]


def _records_with_files(place: Path) -> list[tuple[str, RunRecord]]:
    paths = sorted(place.rglob("*.json")) if place.is_dir() else [place] if place.is_file() else []
    return [(str(path), record) for path in paths if _is_record(path) for record in records_in(path)]


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
    new = {path: record for path, record in chosen.items() if not _is_stored(path, record)}
    for path, record in new.items():
        write_whole(path, to_json(record))
    return list(chosen)


def _is_stored(path: Path, record: RunRecord) -> bool:
    """Whether the file is there and holds the record. Raises ReportError when it holds something else."""
    if not path.exists():
        return False
    if not _same_run(path, record):
        raise ReportError(f"{path}: is there with other content; records are never changed: remove it by hand first")
    return True


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
    name = f"{date}_{commit}{dirty}{_told_apart(record)}"
    task, model, file = (show(part, "path") for part in (record.task, record.model, name))
    return Path(task, model, f"{file}.json")


def _told_apart(record: RunRecord) -> str:
    """What a file name says of the setting: waits, thinking budget, answer filter."""
    waits = "" if record.num_waits is None else f"_wait{record.num_waits}"
    limit = "" if record.max_thinking_tokens is None else f"_think{record.max_thinking_tokens}"
    return waits + limit + (f"_{record.filter}" if record.is_filtered else "")


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
