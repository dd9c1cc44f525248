"""One run in one row: avg@k, pass@k, maj@k, and the two intervals that answer two different questions."""

from __future__ import annotations

from collections.abc import Sequence

from s1_contract.outcomes import Outcome
from s1_contract.usage import THINKING_TOKENS
from s1_report import stats, truncation
from s1_report.cells import cell, percent, percent_interval
from s1_report.record import RunRecord, plain, shown

_WITHOUT_VERDICT = (Outcome.NO_ANSWER, Outcome.UNREADABLE, Outcome.TIMED_OUT)
"""Not right, and not wrong either."""
HEADERS = (
    "task", "waits", "questions", "repeats", "avg@k", "such questions", "these questions", "standard error",
    "pass@k", "maj@k", *(outcome.value for outcome in _WITHOUT_VERDICT), "thinking tokens", *truncation.HEADERS,
)  # fmt: skip


def rows(records: Sequence[RunRecord], level: float = 0.95) -> list[tuple[str, ...]]:
    """One row a record. Rows of one task and number of waits say what sets them apart: model, budget, policy, ..."""
    told = []
    for record in records:
        alike = [other for other in records if (other.title, other.num_waits) == (record.title, record.num_waits)]
        settings = [{"model": other.model, **other.setting()} for other in alike]
        own = {"model": record.model, **record.setting()}
        apart = [name for name in own if len({plain({"": setting.get(name)}) for setting in settings}) > 1]
        title, *others = row(record, level)
        told.append((title + "".join(f", {name}={shown(own[name])}" for name in apart), *others))
    return told


def row(record: RunRecord, level: float = 0.95) -> tuple[str, ...]:
    """The columns of HEADERS in percent; "-" is what one repeat or the log cannot say."""
    correct = [question.correct for question in record.questions]
    return (
        record.title,
        cell(record.num_waits),
        questions(record),
        str(record.repeats),
        percent(record.accuracy),
        percent_interval(stats.accuracy_interval(correct, level)),
        percent_interval(stats.accuracy_interval_these(correct, level)),
        percent(stats.clustered_standard_error(correct)),
        *(percent(score) for score in _over_repeats(record)),
        *(percent(record.share_of(outcome)) for outcome in _WITHOUT_VERDICT),
        cell(record.mean_of(THINKING_TOKENS), "{:,.0f}"),
        *truncation.cells(record),
    )


def _over_repeats(record: RunRecord) -> tuple[float | None, float | None]:
    """pass@k and maj@k; None for one repeat, and for votes that are not known."""
    repeats, correct = record.repeats, [question.correct for question in record.questions]
    if repeats < 2:
        return None, None
    passed = stats.pass_at_k(correct, repeats)
    if not all(len(question.answers) == len(question.correct) for question in record.questions):
        return passed, None
    return passed, stats.maj_at_k(correct, [question.answers for question in record.questions], repeats)


def questions(record: RunRecord) -> str:
    """How many questions were asked, and of how many when not all were."""
    count = str(len(record.questions))
    return f"{count} of {record.available}" if record.is_part else count
