"""Whether lm_eval's files of a run were written: lm_eval only logs that one was not."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from s1_contract.response import Response
from s1_models.forcing import S1Error
from s1_models.trace import write_traces

_WHAT_TO_DO = "make room, and run the same command again (what was generated is remembered where there is a memo)"


class OutputError(S1Error, OSError):
    """Results that could not be written."""


def folder_of(tracker: Any) -> Path:
    """Where an EvaluationTracker of lm_eval writes."""
    path = Path(tracker.output_path)
    return path.parent if path.suffix == ".json" else path / str(tracker.general_config_tracker.model_name_sanitized)


def traces_of(tracker: Any, task: str, samples: Sequence[Any]) -> tuple[bool, Exception | None]:
    """Writes the traces of a task; says whether its responses are ours, and why the traces were not written."""
    ours = any(isinstance(one, Response) for sample in samples for repeats in sample["resps"] for one in repeats)
    if not (ours and tracker.output_path):
        return False, None
    try:
        write_traces(folder_of(tracker), task, tracker.date_id, samples)
    except Exception as error:  # told after the samples are written
        return True, error
    return True, None


def check_samples(tracker: Any, task: str, count: int, failure: Exception | None = None) -> Path:
    """The samples file of a task, which must have `count` lines. Raises OutputError, also for traces that failed."""
    file = folder_of(tracker) / f"samples_{task}_{tracker.date_id}.jsonl"
    if failure is not None:
        raise OutputError(f"the traces of {task} could not be written ({failure}): {_WHAT_TO_DO}")
    try:
        with file.open("rb") as lines:
            written = sum(line.endswith(b"\n") for line in lines)
    except OSError as error:
        raise OutputError(f"{file} could not be written ({error.strerror}): {_WHAT_TO_DO}") from error
    if written != count:
        raise OutputError(f"{file} could not be written whole ({written} of {count} samples): {_WHAT_TO_DO}")
    return file


def check_results(tracker: Any) -> Path:
    """The results file of a run. Raises OutputError where it is not there, or not whole."""
    stem = Path(tracker.output_path).stem if Path(tracker.output_path).suffix == ".json" else "results"
    file = folder_of(tracker) / f"{stem}_{getattr(tracker, 'date_id', '')}.json"
    try:
        json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise OutputError(f"{file} could not be written ({error}): {_WHAT_TO_DO}") from error
    return file
