"""How many repeats does a comparison need? Planned from a pilot run, or from an assumed accuracy."""

from __future__ import annotations

from dataclasses import dataclass

from s1_contract.usage import ANSWER_TOKENS, THINKING_TOKENS
from s1_report import paired, stats
from s1_report.record import ReportError, RunRecord

ASSUMED_CONCENTRATION = 0.8
"""Difficulties are taken as Beta(0.8 m, 0.8 (1 - m)) around the accuracy m: what AIME-like sets look like."""
HEADERS = (
    "task",
    "questions",
    "repeats",
    "finds a drop of",
    "answers, both runs",
    "tokens, both runs",
    "hours",
    "at 1 repeat",
)
FOOTNOTE = (
    "repeats: per question and run, so that a loss of {margin:g} points is found with power {power:g}; "
    "at 1 repeat: what a single run of each would find."
)


@dataclass(frozen=True, slots=True)
class Subject:
    """What is known before: within is p(1-p) averaged over the questions, tokens the mean of one answer, all of it."""

    task: str
    questions: int
    within: float
    tokens: float | None


@dataclass(frozen=True, slots=True)
class Plan:
    """repeats: None when no number of them is enough. finds, single: detectable drops, 0 to 1, with those repeats and
    with one. answers, tokens: of both runs together."""

    subject: Subject
    repeats: int | None
    finds: float | None
    single: float
    answers: int | None
    tokens: float | None


def from_record(record: RunRecord) -> Subject:
    """Spread and tokens of a pilot. With one repeat the spread is assumed for its accuracy: it cannot be observed."""
    correct = [question.correct for question in record.questions]
    count = len(correct)
    within = stats.variance_within(correct)
    # From the variance of the mean to that of one answer, averaged over the questions.
    observed = assumed_within(record.accuracy) if within is None else within * count * record.repeats
    thinking, answer = record.mean_of(THINKING_TOKENS), record.mean_of(ANSWER_TOKENS)
    tokens = None if thinking is None else thinking + (answer or 0.0)
    return Subject(record.task, count, max(observed, 1 / (4 * count)), tokens)


def from_text(text: str) -> Subject:
    """A subject from "aime24=30,0.5,8000": questions, accuracy (0 to 1) and mean tokens of an answer (optional)."""
    task, _, numbers = text.partition("=")
    try:
        count, accuracy, *tokens = (float(number) for number in numbers.split(","))
    except ValueError:
        raise ReportError(
            f"--task {text}: expected NAME=QUESTIONS,ACCURACY,TOKENS such as aime24=30,0.5,8000"
        ) from None
    if count < 2 or not 0 <= accuracy <= 1 or len(tokens) > 1 or any(value <= 0 for value in tokens):
        raise ReportError(f"--task {text}: expected at least 2 questions, an accuracy from 0 to 1 and positive tokens")
    return Subject(task, int(count), max(assumed_within(accuracy), 1 / (4 * count)), tokens[0] if tokens else None)


def assumed_within(accuracy: float) -> float:
    """Mean of p(1-p) when difficulties are Beta distributed around the accuracy."""
    return accuracy * (1 - accuracy) * ASSUMED_CONCENTRATION / (ASSUMED_CONCENTRATION + 1)


def plan(subject: Subject, margin: float, level: float = 0.95, power: float = paired.POWER) -> Plan:
    """The smallest number of repeats that finds a loss of `margin` (0 to 1) between two runs with that power.

    Both models are taken to rank the questions alike (between = 0), so real differences may need more.
    """
    parts = paired.Spread(0.0, subject.within)
    repeats = paired.repeats_needed(parts, subject.questions, margin, level, power)
    single = paired.detectable(parts.error(subject.questions, 1), level, power)
    if repeats is None:
        return Plan(subject, None, None, single, None, None)
    answers = 2 * repeats * subject.questions
    finds = paired.detectable(parts.error(subject.questions, repeats), level, power)
    return Plan(subject, repeats, finds, single, answers, None if subject.tokens is None else answers * subject.tokens)


def row(planned: Plan, tokens_per_second: float | None) -> tuple[str, ...]:
    """The columns of HEADERS; hours need tokens and a speed."""
    hours = None if planned.tokens is None or tokens_per_second is None else planned.tokens / tokens_per_second / 3600
    return (
        planned.subject.task,
        str(planned.subject.questions),
        "-" if planned.repeats is None else str(planned.repeats),
        "-" if planned.finds is None else f"{100 * planned.finds:.1f}",
        "-" if planned.answers is None else f"{planned.answers:,}",
        "-" if planned.tokens is None else f"{planned.tokens:,.0f}",
        "-" if hours is None else f"{hours:.2g}",
        f"{100 * planned.single:.1f}",
    )
