"""How many repeats, or questions, does a comparison need? Planned from a pilot run, or from an assumed accuracy.

Two rates are planned. *Power*: how often a model that lost the margin, every question in proportion to its chance, is
called a REGRESSION; Student's t stands in for the gate's test, and benchmarks/bench_gate.py holds it against the
gate itself. *Passing*: how often the same model, run again, gets a PASS; simulated with the gate's own bound.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from s1_contract.usage import ANSWER_TOKENS, THINKING_TOKENS
from s1_report import paired, stats
from s1_report.record import ReportError, RunRecord

POWER = 0.8
"""What is planned for unless the caller says otherwise."""
SLACK = 0.01
"""A plan may promise this much less power than was asked for: whole repeats seldom meet it exactly."""
ASSUMED_CONCENTRATION = 0.8
"""Difficulties are taken as Beta(0.8 m, 0.8 (1 - m)) around the accuracy m: what AIME-like sets look like."""
MOST = 100_000
"""Repeats or questions above which nobody plans."""
HEADERS = (
    "task",
    "questions",
    "repeats",
    "power",
    "same model passes",
    "answers, both runs",
    "tokens, both runs",
    "hours",
    "at 1 repeat",
)


@dataclass(frozen=True, slots=True)
class Subject:
    """What is known before: the accuracy (0 to 1), `within`, which is p(1-p) averaged over the questions, and tokens,
    the mean of one answer, all of it.
    """

    task: str
    questions: int
    accuracy: float
    within: float
    tokens: float | None

    @property
    def spread(self) -> float:
        """Variance of the questions' chances."""
        return max(0.0, self.accuracy * (1 - self.accuracy) - self.within)


@dataclass(frozen=True, slots=True)
class Plan:
    """repeats: None when no number of them is enough. power: what they give. passes: how often the same model passes.
    single: detectable drop, 0 to 1, at one repeat. answers, tokens: of both runs together.
    """

    subject: Subject
    repeats: int | None
    power: float | None
    passes: float | None
    single: float
    answers: int | None
    tokens: float | None


def from_record(record: RunRecord) -> Subject:
    """Spread and tokens of a pilot. With one repeat the spread is assumed for its accuracy: it cannot be observed."""
    correct = [question.correct for question in record.questions]
    within = stats.variance_within(correct)
    # From the variance of the mean to that of one answer, averaged over the questions.
    observed = None if within is None else within * len(correct) * record.repeats
    thinking, answer = record.mean_of(THINKING_TOKENS), record.mean_of(ANSWER_TOKENS)
    tokens = None if thinking is None else thinking + (answer or 0.0)
    return _subject(record.task, len(correct), record.accuracy, observed, tokens)


def from_text(text: str) -> Subject:
    """A subject from "aime24=30,0.5,8000": questions, accuracy (0 to 1) and mean tokens of an answer (optional)."""
    task, _, numbers = text.partition("=")
    try:
        count, accuracy, *tokens = (float(number) for number in numbers.split(","))
    except ValueError:
        raise ReportError(
            f"--task {text}: expected NAME=QUESTIONS,ACCURACY,TOKENS such as aime24=30,0.5,8000"
        ) from None
    if not (
        2 <= count < math.inf and 0 <= accuracy <= 1 and len(tokens) <= 1 and all(0 < t < math.inf for t in tokens)
    ):
        raise ReportError(f"--task {text}: expected at least 2 questions, an accuracy from 0 to 1 and positive tokens")
    return _subject(task, int(count), accuracy, None, tokens[0] if tokens else None)


def _subject(task: str, questions: int, accuracy: float, within: float | None, tokens: float | None) -> Subject:
    # Few questions that are all right (or all wrong) are no proof that every such question is: half a one may differ.
    chance = min(max(accuracy, 0.5 / (questions + 1)), 1 - 0.5 / (questions + 1))
    known = assumed_within(chance) if within is None else within
    return Subject(task, questions, chance, min(max(known, 1 / (4 * questions)), chance * (1 - chance)), tokens)


def assumed_within(accuracy: float) -> float:
    """Mean of p(1-p) when difficulties are Beta distributed around the accuracy."""
    return accuracy * (1 - accuracy) * ASSUMED_CONCENTRATION / (ASSUMED_CONCENTRATION + 1)


def power_of(subject: Subject, repeats: int, loss: float, level: float = 0.95) -> float:
    """Chance that a loss (0 to 1), every question in proportion to its chance, is called a REGRESSION."""
    kept = 1 - loss / subject.accuracy
    within_new = kept * subject.accuracy - kept**2 * (subject.spread + subject.accuracy**2)
    between = (1 - kept) ** 2 * subject.spread
    error = math.sqrt((between + (subject.within + within_new) / repeats) / subject.questions)
    # The flipped sums are a lattice, and what lies on the observed point counts in full: half a step is lost.
    return paired.chance_to_find(loss - 1 / subject.questions / repeats, error, subject.questions, level)


def passes(subject: Subject, repeats: int, margin: float, level: float = 0.95, runs: int = 1000) -> float:
    """Chance that the same model, run again, gets a PASS; simulated with difficulties Beta distributed."""
    if subject.questions < paired.fewest_questions(margin, level):
        return 0.0  # but for luck: a run that happens to be better
    generator = np.random.default_rng(0)
    concentration = subject.within / max(subject.spread, 1e-4)
    chances = generator.beta(
        concentration * subject.accuracy, concentration * (1 - subject.accuracy), (runs, subject.questions)
    )
    base, new = (generator.binomial(repeats, chances) for _ in range(2))
    return float((paired.chance_of_loss((new - base) / repeats, margin) <= 1 - level).mean())


def plan(subject: Subject, margin: float, level: float = 0.95, power: float = POWER) -> Plan:
    """The smallest number of repeats that finds a loss of `margin` (0 to 1) between two runs with that power.

    Raises ReportError when the model cannot lose so much.
    """
    if margin >= subject.accuracy:
        raise ReportError(
            f"{subject.task}: an accuracy of {100 * subject.accuracy:.1f} cannot fall by {100 * margin:g} points: plan "
            "with a smaller --margin"
        )
    repeats = smallest(lambda number: power_of(subject, number, margin, level) >= power - SLACK)
    single = _detectable(subject, level, power)
    if repeats is None:
        return Plan(subject, None, None, None, single, None, None)
    answers = 2 * repeats * subject.questions
    return Plan(
        subject,
        repeats,
        power_of(subject, repeats, margin, level),
        passes(subject, repeats, margin, level),
        single,
        answers,
        None if subject.tokens is None else answers * subject.tokens,
    )


def _detectable(subject: Subject, level: float, power: float) -> float:
    """The smallest loss (0 to 1) that one run of each finds with that power; all of the accuracy when none is."""
    thousandths = range(1, math.ceil(1000 * subject.accuracy))
    found = (step / 1000 for step in thousandths if power_of(subject, 1, step / 1000, level) >= power)
    return next(found, subject.accuracy)


def smallest(enough: Callable[[int], bool], least: int = 1, most: int = MOST) -> int | None:
    """The smallest number from `least` to `most` that is enough, where more always is; None when `most` is not."""
    low, high = least, least
    while not enough(high):
        if high >= most:
            return None
        low, high = high + 1, min(most, 2 * high)
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle + 1, high)
    return high


def questions_to_pass(variance: float, margin: float, level: float = 0.95, power: float = POWER) -> int | None:
    """About how many questions it takes that two runs that differ by chance alone pass with that power.

    variance: of one question's difference. None when nobody has so many.
    """
    fewest = paired.fewest_questions(margin, level)
    return smallest(lambda count: _expected_loss(variance, count, level, power) <= margin, fewest, most=1_000_000)


def repeats_to_pass(
    within: float, questions: int, margin: float, level: float = 0.95, power: float = POWER
) -> int | None:
    """About how many repeats it takes; within: p(1-p), averaged over the questions. None when none are enough."""
    if questions < paired.fewest_questions(margin, level):
        return None
    return smallest(lambda repeats: _expected_loss(2 * within / repeats, questions, level, power) <= margin)


def _expected_loss(variance: float, questions: int, level: float, power: float) -> float:
    """About the loss (0 to 1) that two equal models rule out with that power; variance: of one question's difference.

    The gate's bound is the quantile of a sum of two parts: the mean difference, which is about normal, and the question
    that lost everything, whose weight is about exponential with mean 1 / n.
    """
    normal = NormalDist()
    z, error, weight = normal.inv_cdf(level), math.sqrt(variance / questions), 1 / questions
    tail = (-math.log(1 - level) - 1) * weight
    return weight + math.hypot(z * error, tail) + normal.inv_cdf(power) * error


def footnote(margin: float, level: float = 0.95, power: float = POWER) -> str:
    """What the columns mean, for people."""
    return (
        f"repeats: per question and run, so that a loss of {100 * margin:g} points, every question in proportion to "
        f"its chance, is called a REGRESSION with power {power:g}. Losses spread evenly are found more often, "
        "losses of a few whole questions less often.\n"
        "same model passes: how often a model that did not change gets a PASS with these repeats; no PASS is possible "
        f"below {paired.fewest_questions(margin, level)} questions at this margin.\n"
        f"at 1 repeat: the loss, in points, that a single run of each finds with power {power:g}."
    )


def row(planned: Plan, tokens_per_second: float | None) -> tuple[str, ...]:
    """The columns of HEADERS; hours need tokens and a speed."""
    hours = None if planned.tokens is None or tokens_per_second is None else planned.tokens / tokens_per_second / 3600
    passing = None if planned.passes is None else 100 * planned.passes
    return (
        planned.subject.task,
        str(planned.subject.questions),
        _cell(planned.repeats, "d"),
        _cell(planned.power, ".2f"),
        _cell(passing, ".0f", " %"),
        _cell(planned.answers, ",d"),
        _cell(planned.tokens, ",.0f"),
        _cell(hours, ".2g"),
        _cell(100 * planned.single, ".1f"),
    )


def _cell(value: float | None, form: str, unit: str = "") -> str:
    return "-" if value is None else f"{value:{form}}{unit}"
