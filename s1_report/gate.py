"""PASS, REGRESSION or INCONCLUSIVE: a verdict on a new run whose error rates are known.

Per task, with a margin of accuracy that one is willing to lose:

| a loss of the margin | the drop, tested against no change (sign-flip test, Holm over the tasks) | verdict |
| --- | --- | --- |
| is ruled out (`paired.lowest_change`) | anything | PASS |
| is not | significant | REGRESSION |
| is not | not significant | INCONCLUSIVE |

At level 0.95 a model that lost the whole margin PASSes in at most 5 % of the cases, however the loss is spread over
the questions and however many repeats there are; the same model run twice is called a REGRESSION in at most 2.5 %,
over all tasks together. benchmarks/bench_gate.py simulates both, for 15 to 500 questions and 1 to 64 repeats. This
ends where the questions are no sample: variants of one problem are one question, not many.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from s1_report import paired, plan
from s1_report.compare import Comparison
from s1_report.record import RunRecord


class Verdict(Enum):
    """What the gate says of a task; `exit_code` for the shell."""

    PASS = "PASS"
    REGRESSION = "REGRESSION"
    INCONCLUSIVE = "INCONCLUSIVE"

    @property
    def exit_code(self) -> int:
        """0, 1 and 2; 2 is also what bad input exits with: there is no verdict in either case."""
        return {Verdict.PASS: 0, Verdict.REGRESSION: 1, Verdict.INCONCLUSIVE: 2}[self]


@dataclass(frozen=True, slots=True)
class Check:
    """The verdict on one task. margin: accuracy one is willing to lose, 0 to 1. p_drop: adjusted by Holm's method.

    advice: what would bring a verdict, one clause each; empty when there is one. remarks: sentences that others add.
    """

    comparison: Comparison
    margin: float
    p_drop: float
    verdict: Verdict
    reason: str
    advice: tuple[str, ...]
    remarks: tuple[str, ...] = ()


def gate(
    comparisons: Sequence[Comparison], margins: Mapping[str, float], default_margin: float, level: float = 0.95
) -> list[Check]:
    """Checks every comparison against the margin of its task (accuracy, 0 to 1; `default_margin` for the others)."""
    adjusted = paired.holm([comparison.p_drop for comparison in comparisons])
    return [
        _check(comparison, margins.get(comparison.base.task, default_margin), p_drop, level)
        for comparison, p_drop in zip(comparisons, adjusted, strict=True)
    ]


def overall(checks: Sequence[Check], missing: Sequence[RunRecord] = ()) -> Verdict:
    """REGRESSION if any task has one, else INCONCLUSIVE if any is, or if a run of the base is missing, else PASS."""
    verdicts = {check.verdict for check in checks} | ({Verdict.INCONCLUSIVE} if missing else set())
    return next(v for v in (Verdict.REGRESSION, Verdict.INCONCLUSIVE, Verdict.PASS) if v in verdicts)


def decide(low: float, p_drop: float, margin: float, level: float) -> Verdict:
    """The table of this module; low: the lowest change that is not ruled out."""
    if low > -margin:
        return Verdict.PASS
    return Verdict.REGRESSION if p_drop <= (1 - level) / 2 else Verdict.INCONCLUSIVE


def _check(comparison: Comparison, margin: float, p_drop: float, level: float) -> Check:
    verdict = decide(comparison.lowest, p_drop, margin, level)
    advice = _advice(comparison, margin, level) if verdict is Verdict.INCONCLUSIVE else ()
    return Check(comparison, margin, p_drop, verdict, _reason(comparison, margin, p_drop, verdict, level), advice)


def points(share: float, margin: float) -> str:
    """A share in points, with one decimal; with more when it would otherwise read like the margin, which it is not."""
    texts = [f"{100 * share:.{digits}f}" for digits in range(1, 5)]
    return next((text for text in texts if float(text) != float(f"{100 * margin:.4f}")), texts[0])


def _reason(comparison: Comparison, margin: float, p_drop: float, verdict: Verdict, level: float) -> str:
    allowed, lost = f"{100 * margin:g}", -comparison.lowest
    chance = f"p = {p_drop:.2g}"
    if verdict is Verdict.PASS:
        what = f"a loss above {points(max(lost, 0.0), margin)} points is ruled out, the margin is {allowed}"
    elif verdict is Verdict.REGRESSION:
        what = (
            f"a drop of {points(-comparison.change, margin)} points is not chance ({chance}), and a loss of "
            f"{points(lost, margin)} points is not ruled out, the margin is {allowed}"
        )
    else:
        what = f"no drop is proven ({chance}), but a loss of {points(lost, margin)} points is not ruled out"
        what += f", the margin is {allowed}"
    if not comparison.identical or comparison.questions >= paired.fewest_questions(margin, level):
        return what
    spared = (1 - margin) ** comparison.questions
    return (
        f"nothing changed on these {comparison.questions} questions, but they are too few to speak for others: of "
        f"models that lose {allowed} % of such questions, {100 * spared:.0f} % lose none of {comparison.questions}"
    )


def is_greedy(record: RunRecord) -> bool:
    """Whether more repeats would only repeat the same answers: no temperature above 0, and no two answers differ."""
    used = {**record.sampling, **dict(record.resolved.get("sampling") or {})}  # as asked, and as it was made of it
    temperature = used.get("temperature", 0)
    if isinstance(temperature, int | float) and temperature > 0:
        return False
    return not any(len({*question.correct}) > 1 or len({*question.answers}) > 1 for question in record.questions)


def _advice(comparison: Comparison, margin: float, level: float) -> tuple[str, ...]:
    """What would tell, if the models are equally good: repeats where they can, questions, a margin."""
    count = comparison.questions
    variance = sum(difference**2 for difference in comparison.differences) / count
    questions = plan.questions_to_pass(variance, margin, level)
    more = questions is not None and questions > count
    smallest = math.floor(-1000 * comparison.lowest + 1) / 10
    return (
        *_repeats_advice(comparison, margin, level),
        *([f"about {_rounded(questions or 0)} such questions (now {count})"] if more else []),
        f"a margin of {smallest:g} points, if so much may be lost",
    )


def _repeats_advice(comparison: Comparison, margin: float, level: float) -> list[str]:
    within = sum(plan.from_record(record).within for record in (comparison.base, comparison.new)) / 2
    needed = plan.repeats_to_pass(within, comparison.questions, margin, level)
    if needed is None:
        return []
    if is_greedy(comparison.base):
        return [f"sampling (a temperature above 0) with about {max(needed, 2)} repeats per question in both runs"]
    if needed > comparison.repeats:
        return [f"about {needed} repeats per question in both runs (now {comparison.repeats})"]
    return []


def _rounded(number: int) -> str:
    """Two digits are meant, rounded up."""
    step = 10 ** max(0, math.floor(math.log10(number)) - 1)
    return f"{math.ceil(number / step) * step:,}"
