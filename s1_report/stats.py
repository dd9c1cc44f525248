"""Error bars that hold for thirty questions, and the estimators of repeated sampling.

`correct` is always a sequence over questions of sequences over repeats, values 0 to 1. Questions are what is sampled:
k answers to one question are never counted as k independent ones. Coverage is simulated in benchmarks/bench_gate.py.
Importing this module loads neither numpy nor scipy, so that every room can take its intervals from here.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Sequence
from functools import lru_cache
from statistics import NormalDist
from typing import NamedTuple

Correct = Sequence[Sequence[float]]

SUCH_FLOOR = 0.5
"""Half a question's worth of disagreement, added to the spread of the questions; chosen by simulation."""
THESE_FLOOR = 0.1
"""A tenth of a disagreeing answer, added to the spread of the repeats; chosen by simulation."""


class Interval(NamedTuple):
    """Bounds in the unit of the estimate; 95 % unless the call said otherwise."""

    low: float
    high: float


def wilson(successes: float, trials: float, level: float = 0.95) -> Interval:
    """The score interval of a proportion (Wilson 1927; Brown, Cai and DasGupta 2001, equation 4).

    successes and trials need not be whole: see `accuracy_interval`. Never of width zero.
    """
    if not (trials > 0 and -1e-9 <= successes <= trials * (1 + 1e-9)):
        raise ValueError(f"{successes} successes in {trials} trials, expected more than 0 trials and no more successes")
    z = NormalDist().inv_cdf(0.5 + level / 2)
    share = successes / trials
    scale = 1 + z * z / trials
    middle = (share + z * z / (2 * trials)) / scale
    half = z / scale * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    # Rounding must not leave the share itself outside: 30/30 would end at 0.9999999999999999.
    return Interval(max(0.0, min(middle - half, share)), min(1.0, max(middle + half, share)))


def accuracy_interval(correct: Correct, level: float = 0.95) -> Interval:
    """Wilson's interval for the accuracy on *such* questions, clustered by question.

    The number of trials is the effective one, p(1-p) over the variance of the mean of the questions' means (Kish's
    design effect; with a score interval: Franco et al. 2019, J. Surv. Stat. Methodol. 7), with SUCH_FLOOR in both, so
    that few questions that happen to agree do not pass for certainty. At one repeat it is the number of questions and
    the interval is Wilson's own. [[0.5], [0.5], [0.5]], the means alone, give the same interval as all the repeats.
    """
    means = question_means(correct)
    count, share = len(means), sum(means) / len(means)
    floor = SUCH_FLOOR / count
    spread = sum((mean - share) ** 2 for mean in means) / count
    trials = count * (share * (1 - share) + floor) / (spread + floor)
    low, high = wilson(share * trials, trials, level)
    return Interval(min(low, share), max(high, share))


def accuracy_interval_these(correct: Correct, level: float = 0.95) -> Interval | None:
    """Wilson's interval for the accuracy on *these* questions: what more repeats of the same questions would give.

    From the spread of the repeats within each question (Miller 2024, arXiv 2411.00640, section 3.2, conditional
    variance). None when any question has one repeat: one answer says nothing about its own spread.
    """
    within = variance_within(correct)
    if within is None:
        return None
    means = question_means(correct)
    count, share = len(means), sum(means) / len(means)
    answers = count * min(map(len, correct))
    # When all answers agree, there are as many trials as answers.
    trials = (share * (1 - share) + THESE_FLOOR / count) / (within + THESE_FLOOR / count / answers)
    return wilson(share * trials, trials, level)


def question_means(correct: Correct) -> list[float]:
    """Share of right repeats, per question. Raises ValueError without questions, repeats or numbers from 0 to 1."""
    if not correct or not all(correct):
        raise ValueError("no answers: expected at least one question with at least one repeat each")
    means = [sum(repeats) / len(repeats) for repeats in correct]
    if not all(0 <= value <= 1 for repeats in correct for value in repeats):
        raise ValueError("an outcome is not from 0 to 1 (or not a number)")
    return means


def clustered_standard_error(correct: Correct) -> float:
    """Standard error of avg@k over such questions; SUCH_FLOOR keeps it above zero when all questions agree.

    The sample deviation of the questions' means over root n: Miller 2024, arXiv 2411.00640, section 2. Intervals made
    from it are too narrow below a few hundred questions, which is why `accuracy_interval` exists.
    """
    means = question_means(correct)
    share = sum(means) / len(means)
    squares = sum((mean - share) ** 2 for mean in means) + SUCH_FLOOR
    return math.sqrt(squares / max(len(means) - 1, 1) / len(means))


def variance_within(correct: Correct) -> float | None:
    """The part of the variance of avg@k that more repeats would remove; None when a question has one repeat."""
    if any(len(repeats) < 2 for repeats in correct):
        return None
    total = 0.0
    for repeats in correct:
        mean = sum(repeats) / len(repeats)
        total += sum((value - mean) ** 2 for value in repeats) / (len(repeats) - 1) / len(repeats)
    return total / len(correct) ** 2


def bootstrap_interval(values: Sequence[float], level: float = 0.95, draws: int = 10_000, seed: int = 0) -> Interval:
    """Percentile interval of the mean, values (one per question) drawn with replacement (Efron 1979).

    Not used for verdicts: at thirty questions it is too narrow, and of width zero when all values agree.
    """
    import numpy as np

    array = np.asarray(values, dtype=float)
    if len(array) == 0 or not np.isfinite(array).all():
        raise ValueError("values must be finite numbers, one per question, of at least one question")
    generator = np.random.default_rng(seed)
    at_once = max(1, (1 << 22) // len(array))
    means = [
        array[generator.integers(0, len(array), size=(min(at_once, draws - start), len(array)))].mean(axis=1)
        for start in range(0, draws, at_once)
    ]
    low, high = np.quantile(np.concatenate(means), [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high))


def pass_at_k(correct: Correct, drawn: int) -> float:
    """Mean probability that `drawn` repeats, drawn without replacement, hold a right one.

    The unbiased estimator of Chen et al. 2021 (arXiv 2107.03374, equation 1). Raises ValueError with fewer repeats.
    """
    chances = []
    for repeats in correct:
        if not 1 <= drawn <= len(repeats):
            raise ValueError(f"pass@{drawn} needs {max(drawn, 1)} repeats of every question, one has {len(repeats)}")
        right = sum(value >= 0.5 for value in repeats)
        chances.append(1 - math.comb(len(repeats) - right, drawn) / math.comb(len(repeats), drawn))
    return sum(chances) / len(chances)


def maj_at_k(correct: Correct, answers: Sequence[Sequence[Hashable | None]], drawn: int) -> float:
    """Mean probability that the most frequent answer among `drawn` of the repeats is right, ties broken at random.

    The expectation over all subsets, not one draw (Wang et al. 2023, arXiv 2203.11171, define the vote). Right answers
    vote together; None has no vote. Raises ValueError with fewer repeats.
    """
    chances = []
    for repeats, given in zip(correct, answers, strict=True):
        if not 1 <= drawn <= len(repeats):
            raise ValueError(f"maj@{drawn} needs {max(drawn, 1)} repeats of every question, one has {len(repeats)}")
        right = sum(value >= 0.5 for value in repeats)
        wrong = Counter(
            answer for value, answer in zip(repeats, given, strict=True) if value < 0.5 and answer is not None
        )
        chances.append(_majority(right, tuple(sorted(wrong.values())), len(repeats), drawn))
    return sum(chances) / len(chances)


@lru_cache(maxsize=4096)
def _majority(right: int, wrong: tuple[int, ...], repeats: int, drawn: int) -> float:
    """Chance that `drawn` of the repeats elect the right answer; wrong: how often each wrong answer was given.

    For every number j of right votes: how many subsets give no wrong answer more than j votes, each weighted 1/(1+t)
    when t of them tie. As 1/(1+t) is the integral of y^t over 0..1, a subset that ties is weighted y and the
    polynomial in y integrated exactly by Gauss-Legendre nodes.
    """
    import numpy as np

    nodes, weights = np.polynomial.legendre.leggauss(max(1, drawn // 2 + 1))
    nodes, weights = (nodes + 1) / 2, weights / 2
    silent = repeats - right - sum(wrong)
    total = 0.0
    for votes in range(1, min(right, drawn) + 1):
        others = drawn - votes
        ways = np.zeros((others + 1, len(nodes)))  # ways[v]: weighted subsets of the others with v members
        ways[0] = 1.0
        for size in (*wrong, -silent):  # a negative size marks the silent ones, who may be drawn in any number
            most = min(abs(size), others if size <= 0 else min(votes, others))
            after = np.zeros_like(ways)
            for picked in range(most + 1):
                factor = math.comb(abs(size), picked) * (nodes if picked == votes and size > 0 else 1.0)
                after[picked:] += factor * ways[: others + 1 - picked]
            ways = after
        total += math.comb(right, votes) * float(ways[others] @ weights)
    return min(1.0, total / math.comb(repeats, drawn))
