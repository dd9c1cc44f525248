"""The files lm_eval writes into an output folder, and `traces.jsonl` beside them, read with care.

Whatever is damaged or missing becomes an error that names the file, the line and what to do.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from s1_contract.files import read_json_lines, read_text
from s1_contract.places import TRACES_FILE, results_file
from s1_contract.redaction import redact_results
from s1_contract.usage import with_todays_names
from s1_report.record import ReportError

Row = tuple[int, dict[str, Any]]
"""Line number and content of one line of a JSON Lines file."""
Traces = dict[tuple[str, str], dict[Any, list[dict[str, Any]]]]
"""(date of the run, task) -> doc_id -> one trace per repeat."""

DATE = re.compile(r"_(\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d(?:\.\d+)?)\.json$")


def results_files(place: Path) -> list[Path]:
    """The results files in a folder and below, or the one that is named. Raises ReportError when there is none."""
    if place.is_file():
        return [place]
    if not place.is_dir():
        raise ReportError(f"{place}: there is no such folder: name the folder given to lm_eval as --output_path")
    paths = sorted(place.rglob(results_file("*")))
    if not paths and (samples := sorted(place.rglob("samples_*.jsonl"))):
        raise ReportError(
            f"{samples[0]}: there is no results file beside it or anywhere in {place}, so it is not known what was "
            "run: put the results file back, or run the evaluation again"
        )
    if not paths:
        raise ReportError(
            f"{place}: no {results_file('*')} in it or below: name a folder that lm_eval wrote with "
            "--output_path DIR --log_samples"
        )
    return paths


def read_results(path: Path) -> dict[str, Any]:
    """The content of a results file. Raises DataError."""
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
    return redact_results(data)


def read_traces(path: Path, spans: bool = False) -> Traces:
    """The traces of all runs in a folder, repeats in order; nothing without the file. Spans only when asked for."""
    found: Traces = {}
    if not path.exists():
        return found
    for number, row in read_json_lines(path):
        try:
            _add_trace(found, row, spans)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise ReportError(f"{path}, line {number}: not a trace ({error!r}): remove the line") from None
    for repeats in (repeats for questions in found.values() for repeats in questions.values()):
        repeats.sort(key=lambda row: row["repeat"])
    return found


def _add_trace(found: Traces, row: dict[str, Any], spans: bool) -> None:
    """Raises KeyError, TypeError, ValueError or OverflowError for what is no trace."""
    trace = {**with_todays_names(row), "repeat": int(row["repeat"])}
    if spans and not isinstance(row["spans"], list):
        raise TypeError("its spans are no list")
    if not spans:
        trace.pop("spans", None)
    found.setdefault((str(row["run"]), str(row["task"])), {}).setdefault(row["doc_id"], []).append(trace)


def traces_beside(folder: Path, spans: bool = False) -> Traces:
    """The traces in a run's folder."""
    return read_traces(folder / TRACES_FILE, spans)


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
        raise ReportError(
            f"{results_path}: no date in its name, expected {results_file('DATE')}: keep lm_eval's file names"
        )
    return match.group(1)
