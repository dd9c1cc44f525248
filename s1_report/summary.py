"""One run in one row: avg@k, pass@k, maj@k, and the two intervals that answer two different questions."""

from __future__ import annotations

from s1_contract.outcomes import Outcome
from s1_contract.usage import THINKING_TOKENS
from s1_report import stats, truncation
from s1_report.record import RunRecord

_WITHOUT_VERDICT = (Outcome.NO_ANSWER, Outcome.UNREADABLE, Outcome.TIMED_OUT)
"""Not right, and not wrong either."""
HEADERS = (
    "task", "waits", "questions", "repeats", "avg@k", "such questions", "these questions", "standard error",
    "pass@k", "maj@k", *(outcome.value for outcome in _WITHOUT_VERDICT), "thinking tokens", *truncation.HEADERS,
)  # fmt: skip


def row(record: RunRecord, level: float = 0.95) -> tuple[str, ...]:
    """The columns of HEADERS in percent; "-" is what one repeat or the log cannot say."""
    correct = [question.correct for question in record.questions]
    repeats = record.repeats
    these = stats.accuracy_interval_these(correct, level)
    tokens = record.mean_of(THINKING_TOKENS)
    answers = [question.answers for question in record.questions]
    votes = repeats > 1 and all(len(given) == len(right) for given, right in zip(answers, correct, strict=True))
    return (
        record.title,
        "-" if record.num_waits is None else str(record.num_waits),
        questions(record),
        str(repeats),
        percent(record.accuracy),
        percent_interval(stats.accuracy_interval(correct, level)),
        "-" if these is None else percent_interval(these),
        percent(stats.clustered_standard_error(correct)),
        percent(stats.pass_at_k(correct, repeats)) if repeats > 1 else "-",
        percent(stats.maj_at_k(correct, answers, repeats)) if votes else "-",
        *(_share(record, outcome) for outcome in _WITHOUT_VERDICT),
        "-" if tokens is None else f"{tokens:,.0f}",
        *truncation.cells(record),
    )


def questions(record: RunRecord) -> str:
    """How many questions were asked, and of how many when not all were."""
    count = str(len(record.questions))
    return f"{count} of {record.available}" if record.is_part else count


def _share(record: RunRecord, outcome: Outcome) -> str:
    share = record.share_of(outcome)
    return "-" if share is None else percent(share)


def percent(share: float) -> str:
    """0.5 -> "50.0"."""
    return f"{100 * share:.1f}"


def percent_interval(interval: stats.Interval) -> str:
    """(0.4, 0.6) -> "40.0 to 60.0"."""
    return f"{100 * interval.low:.1f} to {100 * interval.high:.1f}"
