"""One logged sample of lm_eval -> what a record keeps of the question."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from s1_report.logs import Row
from s1_report.record import Question, ReportError, digest, is_number

METRICS = ("exact_match", "acc", "math_verify", "acc_norm", "em")
"""What counts as right when a sample has no verdicts: the first of these it has, else its first number."""
TEXTS = ("doc", "arguments", "resps", "filtered_resps")
"""Keys of a sample that hold text; what a record keeps is elsewhere."""


def without_texts(rows: Iterable[Row]) -> list[Row]:
    """The samples without their long texts, so that those of many repeats fit into memory together."""
    return [(number, _slim(row)) for number, row in rows]


def _slim(row: Mapping[str, Any]) -> dict[str, Any]:
    slim = {name: value for name, value in row.items() if name not in TEXTS}
    slim.setdefault("doc_hash", digest([json.dumps(row.get("doc"), sort_keys=True, default=str)]))
    return slim


def chosen_filter(rows: list[Row], wanted: str | None, path: Path) -> str:
    """The answer filter to read: the only one, else `wanted`, else "none", else the first. Raises ReportError."""
    if not rows:
        raise ReportError(f"{path}: holds no samples: run the evaluation again")
    names = list(dict.fromkeys(filter_of(row) for _, row in rows))
    if len(names) == 1:
        return names[0]
    chosen = wanted or ("none" if "none" in names else names[0])
    if chosen not in names:
        raise ReportError(f"{path}: no filter {chosen!r} in it, it has {', '.join(names)}: choose one with --filter")
    return chosen


def filter_of(sample: Mapping[str, Any]) -> str:
    """The answer filter a sample was made with; a task with several logs every document several times."""
    return str(sample.get("filter", "none"))


def metric_of(rows: list[Row], path: Path) -> str:
    """The key that says how right an answer is. Raises ReportError when no metric is a number."""
    row = rows[0][1]
    if "verdicts" in row:
        return "exact_match"
    listed = row.get("metrics")
    names = [name for name in listed if isinstance(name, str)] if isinstance(listed, list) else []
    named = [name for name in names if isinstance(row.get(name), int | float)]
    if not named:
        raise ReportError(f"{path}: its samples have no numeric metric (no `metrics`): name the key with --metric")
    return next((name for name in METRICS if name in named), named[0])


def prompt_of(sample: Mapping[str, Any]) -> str:
    """The text that was asked. Harnesses before 0.4.3 log a list of [prompt, options] instead of a mapping."""
    asked = sample["arguments"]
    return str(asked[0][0] if isinstance(asked, list) else asked["gen_args_0"]["arg_0"])


def question_of(row: Row, metric: str, traces: Mapping[Any, list[dict[str, Any]]], path: Path) -> Question:
    """What one sample says, per repeat. traces: by doc_id. Raises ReportError with the line when it is no sample."""
    number, sample = row
    try:
        return _question(sample, metric, traces.get(sample.get("doc_id"), []))
    except (KeyError, TypeError, ValueError) as error:
        what = f"{type(error).__name__} {error}" if isinstance(error, KeyError | TypeError) else str(error)
        raise ReportError(
            f"{path}, line {number}: not a sample as lm_eval writes it ({what}): choose another metric with --metric, "
            "or run the evaluation again"
        ) from None


def _question(sample: Mapping[str, Any], metric: str, traces: list[dict[str, Any]]) -> Question:
    verdicts = sample.get("verdicts") if metric == "exact_match" else None
    if verdicts:
        correct = tuple(float(verdict["outcome"] == "correct") for verdict in verdicts)
        outcomes = tuple(str(verdict["outcome"]) for verdict in verdicts)
        answers = tuple(_vote(verdict.get("answer")) for verdict in verdicts)
    else:
        correct, outcomes, answers = (_score(sample, metric),), (), ()
    repeats = len(correct)
    return Question(
        key=str(sample["doc_hash"])[:16],
        correct=correct,
        prompt=str(sample.get("prompt_hash") or "")[:16],
        outcomes=outcomes,
        answers=answers,
        thinking_tokens=_counts(sample, traces, repeats, "thinking_tokens", "thinking_tokens"),
        answer_tokens=_counts(sample, traces, repeats, "answer_tokens", "answer_tokens"),
        waits_used=_counts(sample, traces, repeats, "waits", "waits_used"),
        cut_off=_counts(sample, traces, repeats, "cut_off", "cut_off"),
    )


def _score(sample: Mapping[str, Any], metric: str) -> float:
    value = sample.get(metric)
    if not isinstance(value, int | float) or math.isnan(value):
        raise ValueError(f"its {metric} is {value!r}, expected a number")
    return float(value)


def _counts(
    sample: Mapping[str, Any], traces: list[dict[str, Any]], repeats: int, metric: str, usage: str
) -> tuple[float, ...]:
    if len(traces) == repeats and all(is_number(trace.get(usage)) for trace in traces):
        return tuple(trace[usage] for trace in traces)
    value = sample.get(metric)
    return (value,) if isinstance(value, int | float) and math.isfinite(value) else ()


def _vote(answer: str | None) -> str | None:
    # Long answers only have to be told apart, so that a record stays small.
    if answer is None or len(answer) <= 80:
        return answer
    return f"{answer[:40]}...{digest([answer])}"


def checker_of(rows: list[Row]) -> str:
    """The versions of the answer check that gave the verdicts; "" when the log does not say."""
    versions = {str(verdict.get("checker_version", "")) for _, row in rows for verdict in row.get("verdicts") or ()}
    return ", ".join(sorted(versions))
