"""Error bars that hold for thirty questions, and the estimators of repeated sampling.

`correct` is always a sequence over questions of sequences over repeats, values 0 to 1. Questions are what is sampled:
k answers to one question are never counted as k independent ones.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

Correct = Sequence[Sequence[float]]


class Interval(NamedTuple):
    """A 95 % interval unless the call said otherwise; bounds are in the unit of the estimate."""

    low: float
    high: float


def wilson(successes: float, trials: float, level: float = 0.95) -> Interval:
    """The score interval of a proportion (Wilson 1927; Brown, Cai and DasGupta 2001, equation 4).

    successes and trials need not be whole: see `accuracy_interval`. Never of width zero.
    """
    from scipy.special import ndtri

    if trials <= 0:
        raise ValueError(f"trials is {trials}, expected more than 0")
    z = float(ndtri(0.5 + level / 2))
    share = successes / trials
    middle = (share + z * z / (2 * trials)) / (1 + z * z / trials)
    half = z / (1 + z * z / trials) * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    return Interval(max(0.0, middle - half), min(1.0, middle + half))


def accuracy_interval(correct: Correct, level: float = 0.95) -> Interval:
    """Wilson's interval for the accuracy on *such* questions, clustered by question.

    With repeats the number of trials is the effective one, p(1-p) / SE^2 with SE the standard error of the mean of the
    questions' means (Kish's design effect; with a score interval: Franco et al. 2019, J. Surv. Stat. Methodol. 7). It
    equals the number of questions at one repeat, and is never below.
    """
    means = [sum(repeats) / len(repeats) for repeats in correct]
    return wilson(sum(means) / len(means) * effective_trials(means), effective_trials(means), level)


def effective_trials(means: Sequence[float]) -> float:
    """How many independent yes/no questions would tell as much as these questions' means (at least their number)."""
    count = len(means)
    share = sum(means) / count
    spread = sum((mean - share) ** 2 for mean in means) / count
    # Without spread (every question the same) the questions themselves are all that is known.
    return count * share * (1 - share) / spread if spread > 1e-12 else float(count)


def mcnemar(base: Sequence[float], new: Sequence[float]) -> tuple[int, int, float]:
    """Right to wrong, wrong to right, and the exact two-sided p of no change, for paired yes/no outcomes.

    McNemar 1947 in its exact form: the discordant pairs are binomial with probability 1/2.
    """
    from scipy.stats import binomtest

    if not all(value in (0, 1) for value in (*base, *new)):
        raise ValueError("McNemar's test takes outcomes of 0 and 1; with repeats use the sign-flip test")
    lost = sum(before > after for before, after in zip(base, new, strict=True))
    gained = sum(before < after for before, after in zip(base, new, strict=True))
    p = float(binomtest(lost, lost + gained).pvalue) if lost + gained else 1.0
    return lost, gained, p
