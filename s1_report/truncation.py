"""Scores that are honest about responses that were cut off: their share, the score without them, and the bounds.

A response is cut when its thinking or its answer hit a limit. What it would have become is unknown: the true score
lies between the score and the score plus the share that was cut.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from statistics import fmean

from s1_contract.usage import ANSWER_CUT_OFF, CUT_OFF
from s1_report.cells import UNKNOWN, percent, percent_interval
from s1_report.record import Question, ReportError, RunRecord
from s1_report.stats import Interval

HEADERS = ("cut off", "finished", "bounds")
"""Share of the responses that were cut; accuracy of the others; lowest and highest true score. In percent."""


@dataclass(frozen=True, slots=True)
class Truncation:
    """All from 0 to 1, means over the questions. finished: accuracy of the responses that ended by themselves; None
    when all were cut, or when the log has only means over the repeats. high: score + share, at most 1.
    """

    score: float
    share: float
    finished: float | None
    high: float


def truncation(record: RunRecord) -> Truncation | None:
    """What was cut in a run; None for one whose log does not say (models that report no usage, published records)."""
    cut = [_cut(question) for question in record.questions]
    if not cut or not all(cut):
        return None
    share = sum(sum(flags) / len(flags) for flags in cut) / len(cut)
    kept = _finished(record.questions, cut)
    finished = sum(kept) / len(kept) if kept else None
    return Truncation(record.accuracy, share, finished, min(1.0, record.accuracy + share))


def _cut(question: Question) -> tuple[float, ...]:
    """Per repeat whether it was cut, or one mean for all; nothing when the log does not say.

    From means alone (a log without traces) the two kinds of cut are taken to fall on different responses.
    """
    columns = list(filter(None, (getattr(question, name) for name in (CUT_OFF, ANSWER_CUT_OFF))))
    if not columns:
        return ()
    repeats = len(question.correct)
    wide = [_per_repeat(values, repeats) for values in columns]
    if {len(values) for values in wide} == {repeats}:
        return tuple(map(float, map(any, zip(*wide, strict=True))))
    return (min(1.0, sum(map(fmean, columns))),)


def _per_repeat(values: tuple[float, ...], repeats: int) -> tuple[float, ...]:
    """One flag per repeat; a single 0 or 1 stands for all of them."""
    return values * repeats if len(values) == 1 and values[0] in (0, 1) else values


def _finished(questions: Sequence[Question], cut: Sequence[tuple[float, ...]]) -> list[float]:
    """The scores of the responses that were not cut; empty when they cannot be told apart."""
    if list(map(len, cut)) != [len(question.correct) for question in questions]:
        return []
    scores = chain.from_iterable(question.correct for question in questions)
    return [right for right, flag in zip(scores, chain.from_iterable(cut), strict=True) if not flag]


def cells(record: RunRecord) -> tuple[str, str, str]:
    """The columns of HEADERS; "-" is what the log cannot say."""
    found = truncation(record)
    if found is None:
        return UNKNOWN, UNKNOWN, UNKNOWN
    return percent(found.share), percent(found.finished), percent_interval(Interval(found.score, found.high))


def refuse_above(records: Sequence[RunRecord], most: float | None) -> None:
    """Raises ReportError for a run of which a larger share than `most` (0 to 1; None: any) was cut, or is unknown."""
    if most is None:
        return
    for record in filter(_has_questions, records):
        found = truncation(record)
        if found is None:
            raise ReportError(
                f"{record.label()}: its log does not say which responses were cut off, so --max-cut cannot be held: "
                "run it with an s1 model, or leave --max-cut out"
            )
        if found.share > most:
            raise ReportError(
                f"{record.label()}: {100 * found.share:.1f} % of the responses were cut off, more than --max-cut "
                f"{100 * most:g} allows: raise max_thinking_tokens or max_answer_tokens, or the limit"
            )


def _has_questions(record: RunRecord) -> bool:
    return bool(record.questions)


def sentence(record: RunRecord) -> str | None:
    """The facts in words, in percent; None when nothing was cut off or nothing is known."""
    found = truncation(record)
    if found is None or found.share == 0:
        return None
    share, finished, bounds = cells(record)
    others = "" if found.finished is None else f", {finished} of those that finished"
    return f"{share} % of the answers were cut off: accuracy {100 * found.score:.1f}{others}, bounds {bounds}"
