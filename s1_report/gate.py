"""PASS, REGRESSION or INCONCLUSIVE: a verdict on a new run whose error rates are known.

Per task, with a margin of accuracy that one is willing to lose:

| the interval of the change | the drop, tested against no change (sign-flip test, Holm over the tasks) | verdict |
| --- | --- | --- |
| lies above -margin | anything | PASS |
| reaches -margin or below | significant | REGRESSION |
| reaches -margin or below | not significant | INCONCLUSIVE |

At level 0.95 the same model run twice is called a REGRESSION in at most 2.5 % of the cases, over all tasks together,
and a model that lost the whole margin PASSes in about as many (up to 7 % when greedy answers are only ever lost):
benchmarks/bench_gate.py simulates both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from s1_report import paired
from s1_report.compare import Comparison


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

    repeats_needed: to tell a loss of the margin from none with power 0.8; None when the questions are too few.
    """

    comparison: Comparison
    margin: float
    p_drop: float
    verdict: Verdict
    repeats_needed: int | None
    reason: str


def gate(
    comparisons: Sequence[Comparison], margins: Mapping[str, float], default_margin: float, level: float = 0.95
) -> list[Check]:
    """Checks every comparison against the margin of its task (accuracy, 0 to 1; `default_margin` for the others)."""
    adjusted = paired.holm([comparison.p_drop for comparison in comparisons])
    return [
        _check(comparison, margins.get(comparison.base.task, default_margin), p_drop, level)
        for comparison, p_drop in zip(comparisons, adjusted, strict=True)
    ]


def overall(checks: Sequence[Check]) -> Verdict:
    """REGRESSION if any task has one, else INCONCLUSIVE if any is, else PASS."""
    verdicts = {check.verdict for check in checks}
    return next(v for v in (Verdict.REGRESSION, Verdict.INCONCLUSIVE, Verdict.PASS) if v in verdicts)


def decide(low: float, p_drop: float, margin: float, level: float) -> Verdict:
    """The table of this module; low: lower end of the interval of the change."""
    if low > -margin:
        return Verdict.PASS
    return Verdict.REGRESSION if p_drop <= (1 - level) / 2 else Verdict.INCONCLUSIVE


def _check(comparison: Comparison, margin: float, p_drop: float, level: float) -> Check:
    verdict = decide(comparison.interval.low, p_drop, margin, level)
    needed = paired.repeats_needed(comparison.spread, comparison.questions, margin, level)
    return Check(comparison, margin, p_drop, verdict, needed, _reason(comparison, margin, p_drop, verdict, needed))


def _reason(comparison: Comparison, margin: float, p_drop: float, verdict: Verdict, needed: int | None) -> str:
    low = f"the change may be as low as {100 * comparison.interval.low:+.1f} points"
    if verdict is Verdict.PASS:
        return f"{low}, above the margin of {-100 * margin:+.1f}"
    if verdict is Verdict.REGRESSION:
        return f"a drop of {-100 * comparison.change:.1f} points is not chance (p = {p_drop:.2g}), and {low}"
    more = (
        f"{needed} repeats per question would tell (now {comparison.repeats})"
        if needed is not None and needed > comparison.repeats
        else "more questions are needed, repeats alone would not tell"
        if needed is None
        else "the observed change lies too near the margin"
    )
    return f"{low}, and no drop is proven (p = {p_drop:.2g}); {more}"
