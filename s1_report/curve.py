"""Accuracy against thinking: one point per setting of the same questions, each compared with the first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np

from s1_contract.options import MAX_THINKING_TOKENS, NUM_WAITS
from s1_contract.usage import THINKING_TOKENS, WAITS_USED
from s1_report import truncation
from s1_report.cells import cell
from s1_report.paired import mcnemar, sign_flip_two_sided
from s1_report.record import Question, RunRecord, plain, shown
from s1_report.stats import Interval, accuracy_interval
from s1_report.summary import questions


@dataclass(frozen=True, slots=True)
class Change:
    """Against the first setting of the same questions. difference: accuracy, -1 to 1. p: exact, two-sided.

    lost, gained: questions right before and wrong now, and the reverse; None when there are repeats.
    """

    difference: float
    lost: int | None
    gained: int | None
    p: float

    @property
    def is_counted(self) -> bool:
        """Whether flips can be counted."""
        return self.lost is not None and self.gained is not None


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
    """Groups measured records by model, engine, what counts as right, and questions."""
    groups: dict[tuple[str, ...], list[RunRecord]] = {}
    for record in records:
        key = (record.model, record.engine, record.metric, record.filter, record.dataset_hash)
        groups.setdefault(key, []).append(record)
    several_models = len({key[:2] for key in groups}) > 1
    return [_series(group, several_models) for group in groups.values()]


def _series(group: Sequence[RunRecord], with_model: bool) -> Series:
    ordered = sorted(group, key=_order)
    first = ordered[0]
    points = [
        Point(
            record,
            accuracy_interval([question.correct for question in record.questions]),
            None if record is first else change(first, record),
        )
        for record in ordered
    ]
    task = common_name([record.title for record in ordered])
    return Series(f"{first.model}, {task}" if with_model else task, tuple(points))


def _order(record: RunRecord) -> tuple[Any, ...]:
    limit = record.max_thinking_tokens
    # A limit that is no number ("auto") is the largest.
    numeric = float(limit) if isinstance(limit, int | float) else float("inf")
    return record.num_waits if record.num_waits is not None else -1, numeric, record.task


def change(first: RunRecord, record: RunRecord) -> Change:
    """What the same questions (equal `dataset_hash`) got in `record`, against `first`."""
    before = {question.key: question for question in first.questions}
    pairs = [(before[question.key], question) for question in record.questions]
    difference = record.accuracy - first.accuracy
    if all(map(_is_one_answer, chain.from_iterable(pairs))):
        lost, gained, p = mcnemar([old.mean for old, _ in pairs], [new.mean for _, new in pairs])
        return Change(difference, lost, gained, p)
    repeats = min(first.repeats, record.repeats)
    differences = [sum(new.correct[:repeats]) - sum(old.correct[:repeats]) for old, new in pairs]
    return Change(difference, None, None, sign_flip_two_sided(np.divide(differences, repeats), repeats))


def _is_one_answer(question: Question) -> bool:
    """Whether a question was answered once, right or wrong."""
    return len(question.correct) == 1 and question.mean in (0, 1)


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
    "waits used", *truncation.HEADERS, "change", "p",
)  # fmt: skip


FOOTNOTE = """
95 % interval: Wilson, for other questions of the same kind. cut off: responses that reached a token limit, in percent.
finished: accuracy of the others. bounds: the true score lies between them. change: in points, against the first row of
the same questions (+wrong to right -right to wrong). p: exact, two-sided (McNemar; with repeats, sign-flip)."""


def rows(series: Sequence[Series]) -> list[tuple[str, ...]]:
    """The table of `s1-report curve`, columns as in HEADERS; "-" is what the log does not say."""
    return [_row(point, other) for one in series for point, other in zip(one.points, _others(one), strict=True)]


def _others(series: Series) -> list[str]:
    """Per point what sets it apart from the others of its series, beside waits and thinking budget."""
    settings = [point.record.setting() for point in series.points]
    names = sorted(set().union(*settings) - {NUM_WAITS, MAX_THINKING_TOKENS})
    apart = [name for name in names if _differs(name, settings)]
    return ["".join(f", {name}={shown(setting[name])}" for name in apart if name in setting) for setting in settings]


def _differs(name: str, settings: Sequence[Mapping[str, Any]]) -> bool:
    return len({plain({"": setting.get(name)}) for setting in settings}) > 1


def _row(point: Point, other: str) -> tuple[str, ...]:
    record, changed = point.record, point.change
    repeats = f" x {record.repeats}" if record.repeats > 1 else ""
    return (
        record.title + other,
        cell(record.num_waits),
        _budget(record),
        questions(record) + repeats,
        f"{100 * record.accuracy:.1f}",
        f"{100 * point.interval.low:.1f} to {100 * point.interval.high:.1f}",
        _number(record.mean_of(THINKING_TOKENS)),
        _number(record.mean_of(WAITS_USED), 2),
        *truncation.cells(record),
        _change_text(changed),
        "" if changed is None else _p(changed.p),
    )


def _budget(record: RunRecord) -> str:
    limit = record.max_thinking_tokens
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
    return f"{p:.3f}" if p >= 0.001 else f"{p:.0e}"
