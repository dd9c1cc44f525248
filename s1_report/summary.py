"""One run in one row: avg@k, pass@k, maj@k, and the two intervals that answer two different questions."""

from __future__ import annotations

from s1_report import stats
from s1_report.record import RunRecord

HEADERS = (
    "task", "waits", "questions", "repeats", "avg@k", "such questions", "these questions", "standard error",
    "pass@k", "maj@k", "no answer", "thinking tokens", "cut off",
)  # fmt: skip


def row(record: RunRecord, level: float = 0.95) -> tuple[str, ...]:
    """The columns of HEADERS in percent; "-" is what one repeat or the log cannot say."""
    correct = [question.correct for question in record.questions]
    repeats = record.repeats
    these = stats.accuracy_interval_these(correct, level)
    cut_off, tokens = record.mean_of("cut_off"), record.mean_of("thinking_tokens")
    answers = [question.answers for question in record.questions]
    votes = repeats > 1 and all(len(given) == len(right) for given, right in zip(answers, correct, strict=True))
    return (
        record.task,
        "-" if record.num_waits is None else str(record.num_waits),
        str(len(record.questions)),
        str(repeats),
        percent(record.accuracy),
        percent_interval(stats.accuracy_interval(correct, level)),
        "-" if these is None else percent_interval(these),
        percent(stats.clustered_standard_error(correct)),
        percent(stats.pass_at_k(correct, repeats)) if repeats > 1 else "-",
        percent(stats.maj_at_k(correct, answers, repeats)) if votes else "-",
        _no_answer(record),
        "-" if tokens is None else f"{tokens:,.0f}",
        "-" if cut_off is None else percent(cut_off),
    )


def _no_answer(record: RunRecord) -> str:
    outcomes = [outcome for question in record.questions for outcome in question.outcomes]
    return percent(outcomes.count("no_answer") / len(outcomes)) if outcomes else "-"


def percent(share: float) -> str:
    """0.5 -> "50.0"."""
    return f"{100 * share:.1f}"


def percent_interval(interval: stats.Interval) -> str:
    """(0.4, 0.6) -> "40.0 to 60.0"."""
    return f"{100 * interval.low:.1f} to {100 * interval.high:.1f}"
