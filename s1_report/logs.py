"""The files lm_eval writes into an output folder, and `traces.jsonl` beside them, read with care.

Whatever is damaged or missing becomes a `ReportError` that names the file, the line and what to do.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from s1_report.record import ReportError, read_text

Row = tuple[int, dict[str, Any]]
"""Line number and content of one line of a JSONL file."""
Traces = dict[tuple[str, str], dict[Any, list[dict[str, Any]]]]
"""(date of the run, task) -> doc_id -> one trace per repeat."""

DATE = re.compile(r"_(\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d(?:\.\d+)?)\.json$")


def results_files(place: Path) -> list[Path]:
    """The results files in a folder and below, or the one that is named. Raises ReportError when there is none."""
    if place.is_file():
        return [place]
    if not place.is_dir():
        raise ReportError(f"{place}: there is no such folder: name the folder given to lm_eval as --output_path")
    paths = sorted(place.rglob("results_*.json"))
    if not paths:
        raise ReportError(
            f"{place}: no results_*.json in it or below: name a folder that lm_eval wrote with "
            "--output_path DIR --log_samples"
        )
    return paths


def read_results(path: Path) -> dict[str, Any]:
    """The content of a results file."""
    try:
        # NaN and Infinity become text: a standard error that is NaN is usual, and no number here may be one.
        data = json.loads(read_text(path), parse_constant=str)
    except json.JSONDecodeError as error:
        raise ReportError(
            f"{path}: damaged JSON at line {error.lineno} ({error.msg}): remove the file or run the evaluation again"
        ) from None
    except (ValueError, RecursionError) as error:
        raise ReportError(f"{path}: damaged JSON ({error}): remove the file or run the evaluation again") from None
    if not isinstance(data, dict) or not isinstance(data.get("configs"), dict) or not data["configs"]:
        raise ReportError(
            f"{path}: no results of lm_eval (it has no task in `configs`): name a results file, or remove this one"
        )
    return data


def read_lines(path: Path) -> Iterator[Row]:
    """(line number, object) of a JSONL file. Raises ReportError for a line that is not a JSON object."""
    try:
        with path.open(encoding="utf-8", newline="\n") as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    yield number, _object(line, number, path)
    except UnicodeDecodeError as error:
        raise ReportError(f"{path}: byte {error.start} is not UTF-8, the file is damaged: run it again") from None
    except OSError as error:
        raise ReportError(f"{path}: cannot be read ({error.strerror}): check the path") from None


def _object(line: str, number: int, path: Path) -> dict[str, Any]:
    try:
        row = json.loads(line, parse_constant=str)
    except (ValueError, RecursionError) as error:
        what = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
        raise ReportError(
            f"{path}, line {number}: damaged JSON ({what}), the file was cut short or changed: run the evaluation again"
        ) from None
    if not isinstance(row, dict):
        raise ReportError(f"{path}, line {number}: a JSON {type(row).__name__}, expected an object: remove the line")
    return row


def read_traces(path: Path, spans: bool = False) -> Traces:
    """The traces of all runs in a folder, repeats in order; nothing without the file. Spans only when asked for."""
    found: Traces = {}
    if not path.exists():
        return found
    for number, row in read_lines(path):
        try:
            questions = found.setdefault((str(row["run"]), str(row["task"])), {})
            repeats = questions.setdefault(row["doc_id"], [])
            row["repeat"] = int(row["repeat"])
            if spans and not isinstance(row["spans"], list):
                raise TypeError("its spans are no list")
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise ReportError(f"{path}, line {number}: not a trace ({error!r}): remove the line") from None
        repeats.append({name: value for name, value in row.items() if spans or name != "spans"})
    for questions in found.values():
        for repeats in questions.values():
            repeats.sort(key=lambda row: row["repeat"])
    return found


def arguments(given: Any) -> dict[str, Any]:
    """model_args and gen_kwargs are a mapping in new harnesses and the text of the command line in old ones."""
    if isinstance(given, Mapping):
        return dict(given)
    pairs = (item.partition("=") for item in re.split(r"[,\s]+", str(given or "")) if "=" in item)
    return {name: _value(text) for name, _, text in pairs}


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def date_of(results_path: Path) -> str:
    """The date in a results file's name, which also names its samples and traces."""
    match = DATE.search(results_path.name)
    if match is None:
        raise ReportError(f"{results_path}: no date in its name, expected results_DATE.json: keep lm_eval's file names")
    return match.group(1)
