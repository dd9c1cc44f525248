"""Accuracy against thinking: one point per setting of the same questions, each compared with the first."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from s1_report.record import RunRecord
from s1_report.stats import Interval, accuracy_interval, mcnemar


@dataclass(frozen=True, slots=True)
class Change:
    """Against the first setting of the same questions. difference: accuracy, -1 to 1. p: exact, two-sided.

    lost, gained: questions right before and wrong now, and the reverse; None when there are repeats."""

    difference: float
    lost: int | None
    gained: int | None
    p: float


@dataclass(frozen=True, slots=True)
class Point:
    """One setting. interval: 95 %, for such questions. change: None for the first setting of a series."""

    record: RunRecord
    interval: Interval
    change: Change | None


@dataclass(frozen=True, slots=True)
class Series:
    """The settings of one model on the same questions, fewest waits and shortest budgets first."""

    name: str
    points: tuple[Point, ...]


def curve(records: Iterable[RunRecord]) -> list[Series]:
    """Groups measured records by model, engine and questions."""
    groups: dict[tuple[str, str, str], list[RunRecord]] = {}
    for record in records:
        groups.setdefault((record.model, record.engine, record.dataset_hash), []).append(record)
    several_models = len({key[:2] for key in groups}) > 1
    return [_series(group, several_models) for group in groups.values()]


def _series(group: Sequence[RunRecord], with_model: bool) -> Series:
    ordered = sorted(group, key=_order)
    first = ordered[0]
    points = [
        Point(record, accuracy_interval([question.correct for question in record.questions]), _change(first, record))
        for record in ordered
    ]
    task = common_name([record.task for record in ordered])
    return Series(f"{first.model}, {task}" if with_model else task, tuple(points))


def _order(record: RunRecord) -> tuple[Any, ...]:
    limit = record.budget.get("max_thinking_tokens")
    # A limit that is no number ("auto") is the largest.
    numeric = float(limit) if isinstance(limit, int | float) else float("inf")
    return record.num_waits if record.num_waits is not None else -1, numeric, record.task


def _change(first: RunRecord, record: RunRecord) -> Change | None:
    if record is first:
        return None
    before = {question.key: question for question in first.questions}
    pairs = [(before[question.key], question) for question in record.questions]
    difference = record.accuracy - first.accuracy
    if all(values in ((0.0,), (1.0,)) for pair in pairs for values in (pair[0].correct, pair[1].correct)):
        lost, gained, p = mcnemar([old.mean for old, _ in pairs], [new.mean for _, new in pairs])
        return Change(difference, lost, gained, p)
    return Change(difference, None, None, float("nan"))


def common_name(tasks: Sequence[str]) -> str:
    """What the names of the tasks of one series have in common: s1_nano_wait0, s1_nano_wait4 -> s1_nano."""
    if len(set(tasks)) == 1:
        return tasks[0]
    shared = []
    for parts in zip(*(task.split("_") for task in tasks), strict=False):
        if len(set(parts)) > 1:
            break
        shared.append(parts[0])
    return "_".join(shared) or " / ".join(dict.fromkeys(tasks))


HEADERS = (
    "task", "waits asked", "thinking budget", "questions", "accuracy", "95 % interval", "thinking tokens",
    "waits used", "cut off", "change", "p",
)  # fmt: skip


FOOTNOTE = (
    "95 % interval: Wilson, for such questions. change, in points, and exact McNemar p: against the first row of the "
    "same questions; (+wrong to right -right to wrong)."
)


def rows(series: Sequence[Series]) -> list[tuple[str, ...]]:
    """The table of `s1-report curve`, columns as in HEADERS; "-" is what the log does not say."""
    return [_row(point) for one in series for point in one.points]


def _row(point: Point) -> tuple[str, ...]:
    record, change = point.record, point.change
    cut_off = record.mean_of("cut_off")
    repeats = f" x {record.repeats}" if record.repeats > 1 else ""
    return (
        record.task,
        "-" if record.num_waits is None else str(record.num_waits),
        _budget(record),
        f"{len(record.questions)}{repeats}",
        f"{100 * record.accuracy:.1f}",
        f"{100 * point.interval.low:.1f} to {100 * point.interval.high:.1f}",
        _number(record.mean_of("thinking_tokens")),
        _number(record.mean_of("waits_used"), 2),
        "-" if cut_off is None else f"{100 * cut_off:.1f} %",
        _change_text(change),
        "" if change is None else _p(change.p),
    )


def _budget(record: RunRecord) -> str:
    limit = record.budget.get("max_thinking_tokens")
    if limit is not None:
        return str(limit)
    return "-" if record.num_waits is None else "auto"


def _number(value: float | None, digits: int = 0) -> str:
    return "-" if value is None else f"{value:,.{digits if digits or value >= 100 else 1}f}"


def _change_text(change: Change | None) -> str:
    if change is None:
        return ""
    flips = "" if change.lost is None else f" (+{change.gained} -{change.lost})"
    return f"{100 * change.difference:+.1f}{flips}"


def _p(p: float) -> str:
    if math.isnan(p):
        return "-"
    return f"{p:.3f}" if p >= 0.001 else f"{p:.0e}"
