"""Does more thinking buy accuracy? The paper's three numbers, and the flips from one setting to the next.

Control, Scaling and Performance: arXiv 2501.19393v3, section 3.2, equations 1 to 3. The published Scaling values (Table
3) come out of the published points (Tables 12 to 14) only with the binary logarithm of the thinking tokens and with
accuracy in percent, that is as points per doubling; the formula in the text has neither. Both units are given here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, combinations, pairwise

from s1_contract.options import MAX_THINKING_TOKENS, NUM_WAITS
from s1_contract.usage import THINKING_TOKENS
from s1_report.cells import cell
from s1_report.curve import Change, Series, change
from s1_report.record import RunRecord, plain


@dataclass(frozen=True, slots=True)
class Run:
    """One evaluation run: mean thinking tokens and accuracy, 0 to 1."""

    thinking_tokens: float
    accuracy: float


def control(runs: Sequence[Run], limits: Sequence[float]) -> float:
    """Share of the runs whose mean thinking tokens keep below their limit (equation 1, only the upper bound)."""
    kept = sum(run.thinking_tokens <= limit for run, limit in zip(runs, limits, strict=True))
    return kept / len(runs)


def scaling_per_doubling(runs: Sequence[Run]) -> float:
    """Mean slope over all pairs of runs, in accuracy points per doubling of the thinking tokens (as published)."""
    return _mean_slope([(math.log2(run.thinking_tokens), 100 * run.accuracy) for run in runs])


def scaling_per_token(runs: Sequence[Run]) -> float:
    """Mean slope over all pairs of runs, in accuracy (0 to 1) per thinking token (equation 2 as it is written)."""
    return _mean_slope([(run.thinking_tokens, run.accuracy) for run in runs])


def _mean_slope(points: Sequence[tuple[float, float]]) -> float:
    slopes = [(f_b - f_a) / (b - a) for (a, f_a), (b, f_b) in combinations(sorted(points), 2) if b > a]
    if not slopes:
        raise ValueError("Scaling needs at least two runs with different thinking tokens")
    return sum(slopes) / len(slopes)


def performance(runs: Sequence[Run]) -> float:
    """The best accuracy of any run, 0 to 1 (equation 3)."""
    return max(run.accuracy for run in runs)


@dataclass(frozen=True, slots=True)
class Step:
    """From one number of waits to the next. tokens: more thinking tokens per question, on average."""

    before: RunRecord
    after: RunRecord
    change: Change
    tokens: float | None

    @property
    def points_per_1000_tokens(self) -> float | None:
        """Accuracy points gained per thousand further thinking tokens a question; None when none were spent."""
        return None if not self.tokens or self.tokens <= 0 else 1e5 * self.change.difference / self.tokens


def steps(series: Series) -> list[Step]:
    """The flips of every further wait: each number of waits against the one before it, all else being equal."""
    groups: dict[str, list[RunRecord]] = {}
    for point in series.points:
        groups.setdefault(_beside_waits(point.record), []).append(point.record)
    found = []
    for old, new in chain.from_iterable(map(pairwise, groups.values())):
        spent = [record.mean_of(THINKING_TOKENS) for record in (old, new)]
        tokens = None if spent[0] is None or spent[1] is None else spent[1] - spent[0]
        found.append(Step(old, new, change(old, new), tokens))
    return found


def _beside_waits(record: RunRecord) -> str:
    """What was asked for beside the number of waits, as text."""
    limit = record.max_thinking_tokens
    return plain({**record.setting(), NUM_WAITS: 0, MAX_THINKING_TOKENS: "auto" if limit is None else limit})


def verdict(step: Step, level: float = 0.95) -> str:
    """Is it worth its tokens? One sentence; "helps" and "hurts" only when the exact test says so."""
    proven = step.change.p <= 1 - level
    effect = ("helps" if step.change.difference > 0 else "hurts") if proven else "shows no effect"
    price = step.points_per_1000_tokens
    cost = "" if price is None else f", {price:+,.{0 if abs(price) >= 100 else 2}f} points per 1,000 thinking tokens"
    return f"{effect} (p = {step.change.p:.2g}){cost}"


HEADERS = ("task", "waits", "right to wrong", "wrong to right", "change", "p", "more tokens", "worth it?")


def rows(series: Sequence[Series]) -> list[tuple[str, ...]]:
    """The table of `s1-report flips`."""
    return [_row(one.name, step) for one in series for step in steps(one)]


def _row(name: str, step: Step) -> tuple[str, ...]:
    waits = [cell(record.num_waits) for record in (step.before, step.after)]
    return (
        name,
        " to ".join(waits),
        cell(step.change.lost),
        cell(step.change.gained),
        f"{100 * step.change.difference:+.1f}",
        f"{step.change.p:.3g}",
        cell(step.tokens, "{:+,.0f}"),
        verdict(step),
    )


def _runs(series: Series) -> list[Run]:
    """The settings of which the thinking tokens are known."""
    told = [(point.record.mean_of(THINKING_TOKENS), point.record.accuracy) for point in series.points]
    return [Run(tokens, accuracy) for tokens, accuracy in told if tokens]


def _limits(series: Series) -> list[float]:
    """The thinking budgets that are numbers."""
    limits = (point.record.max_thinking_tokens for point in series.points)
    return [float(limit) for limit in limits if isinstance(limit, int | float)]


def summary(series: Series) -> str | None:
    """Control, Scaling and Performance of a measured series, in one line; None when it has no two token counts."""
    runs = _runs(series)
    if len({run.thinking_tokens for run in runs}) < 2:
        return None
    numeric = _limits(series)
    kept = f"Control {100 * control(runs, numeric):.0f} %, " if len(numeric) == len(runs) else ""
    return (
        f"{series.name}: {kept}Scaling {scaling_per_doubling(runs):+.1f} points per doubling of thinking tokens "
        f"({scaling_per_token(runs):+.2g} per token), Performance {100 * performance(runs):.1f} over {len(runs)} runs"
    )
