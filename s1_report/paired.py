"""Two runs of the same questions: tests, intervals and bounds of the difference in accuracy.

`differences` are per question, new minus base, each the difference of two means over the repeats (-1 to 1); a drop is
negative. One question is one observation, however often it was repeated. benchmarks/bench_gate.py simulates all of it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

LARGEST_EXACT_SUM = 1 << 18
"""Sum of whole-numbered differences up to which the sign-flip distribution is computed instead of drawn."""
FLOOR = 0.75
"""Over the repeats, added to the sum of squares of the differences: as if 0.75 more answers had changed."""
MOST_VALUES = 2048
"""Distinct differences that `chance_of_loss` tells apart; more are rounded down to multiples of 1/1024."""


class McNemar(NamedTuple):
    """lost: right before, wrong now; gained: the reverse. p: two-sided."""

    lost: int
    gained: int
    p: float


def mcnemar(base: Sequence[float], new: Sequence[float]) -> McNemar:
    """The exact two-sided p of no change, for paired outcomes of 0 and 1.

    McNemar 1947 in its exact form: which way a discordant pair went is binomial with probability 1/2.
    """
    from scipy.stats import binomtest

    if not all(value in (0, 1) for value in (*base, *new)):
        raise ValueError("McNemar's test takes outcomes of 0 and 1; with repeats use sign_flip")
    lost = sum(before > after for before, after in zip(base, new, strict=True))
    gained = sum(before < after for before, after in zip(base, new, strict=True))
    return McNemar(lost, gained, float(binomtest(lost, lost + gained).pvalue) if lost + gained else 1.0)


def sign_flip(differences: ArrayLike, repeats: int = 1, seed: int = 0) -> NDArray[np.float64]:
    """One-sided p of a drop: how often a sum as low as this one comes from flipping every question's sign by chance.

    Fisher's randomisation test for pairs (The Design of Experiments, 1935, section 21): exact for the same model run
    twice, whatever the questions. Differences that are multiples of 1/repeats become whole numbers, and then all 2^n
    flips are counted, not drawn: the distribution's characteristic function is a product of cosines, inverted by one
    FFT. Anything else is drawn 100,000 times with `seed`. At one repeat this is McNemar's exact one-sided test.

    Args:
        differences: [questions] or [runs, questions].
        repeats: of both runs, so that `differences * repeats` are whole numbers.

    Returns: [runs], one p per row.
    """
    rows = _rows(differences)
    whole = np.rint(rows * repeats)
    largest = float(np.abs(whole).sum(axis=1).max(initial=0.0))
    if np.allclose(whole, rows * repeats, atol=1e-6) and largest <= LARGEST_EXACT_SUM:
        return _counted(whole.astype(np.int64))
    return np.array([_drawn(row, seed) for row in rows])


def _rows(differences: ArrayLike) -> NDArray[np.float64]:
    """[runs, questions]. Raises ValueError without questions, and for NaN, which would count as the lowest sum."""
    rows = np.atleast_2d(np.asarray(differences, dtype=float))
    if rows.shape[1] == 0 or not np.isfinite(rows).all():
        raise ValueError("differences must be finite numbers, one per question, of at least one question")
    return rows


def sign_flip_two_sided(differences: ArrayLike, repeats: int = 1, seed: int = 0) -> float:
    """Two-sided p of one row of differences: twice the smaller side (at one repeat: McNemar's exact test)."""
    row = np.asarray(differences, dtype=float)
    down, up = sign_flip(np.stack([row, -row]), repeats, seed)
    return min(1.0, 2 * float(min(down, up)))


def _counted(whole: NDArray[np.int64]) -> NDArray[np.float64]:
    sizes = np.abs(whole)
    observed, largest = whole.sum(axis=1), sizes.sum(axis=1)
    length = 1 << int(2 * largest.max(initial=0) + 1).bit_length()
    angles = 2 * np.pi * np.arange(length // 2 + 1) / length
    # Questions of equal size share one cosine: counts[run, size] times log |cos|; its sign from the odd counts.
    counts = np.stack([np.bincount(row, minlength=int(sizes.max(initial=0)) + 1) for row in sizes]).astype(float)
    cosines = np.cos(np.outer(np.arange(counts.shape[1]), angles))
    logs, negative = np.log(np.maximum(np.abs(cosines), 1e-300)), (cosines < 0).astype(float)
    p = np.empty(len(whole))
    at_once = max(1, (1 << 22) // length)
    for start in range(0, len(whole), at_once):
        part = counts[start : start + at_once]
        signs = 1.0 - 2.0 * (np.rint(part @ negative) % 2)
        chances = np.fft.irfft(signs * np.exp(part @ logs), n=length, axis=1)
        # Position s holds the chance of sum s, negative sums counted from the end: rolled, they come in order.
        cumulative = np.cumsum(np.roll(np.maximum(chances, 0.0), length // 2, axis=1), axis=1)
        rows = np.arange(len(part))
        p[start : start + at_once] = cumulative[rows, observed[start : start + at_once] + length // 2]
    # Rounding leaves about 1e-15; no p is below that of the one flip that was observed.
    return np.clip(p, 0.5 ** (sizes > 0).sum(axis=1), 1.0)


def _drawn(row: NDArray[np.float64], seed: int, draws: int = 100_000) -> float:
    generator = np.random.default_rng(seed)
    sizes, hits, at_once = np.abs(row), 0, max(1, (1 << 23) // max(1, len(row)))
    for start in range(0, draws, at_once):
        signs = generator.integers(0, 2, size=(min(at_once, draws - start), len(row)), dtype=np.int8) * 2 - 1
        hits += int((signs @ sizes <= row.sum() + 1e-12).sum())
    return (hits + 1) / (draws + 1)


def standard_error(differences: ArrayLike, repeats: int) -> NDArray[np.float64]:
    """Standard error of the mean difference, questions as the sample; never zero. [runs] for [runs, questions].

    The paired standard error (Miller 2024, arXiv 2411.00640, section 4.2) with a floor: FLOOR / repeats is added to the
    sum of squares, so that two runs without any difference still leave room for one. The thought is Agresti and Min's
    (2005, Statistics in Medicine 24), who add pairs that disagree; the size is chosen by simulation (docs/decisions).
    It does not allow for losses that are confined to a few questions and show in none: `lowest_change` does.
    """
    rows = _rows(differences)
    count = rows.shape[1]
    squares = ((rows - rows.mean(axis=1, keepdims=True)) ** 2).sum(axis=1)
    return np.asarray(np.sqrt((squares + FLOOR / repeats) / max(count - 1, 1) / count))


def margin_of_error(differences: ArrayLike, repeats: int, level: float = 0.95) -> NDArray[np.float64]:
    """Half the width of the interval of the mean difference: Student's t times `standard_error`. [runs]"""
    from scipy.special import stdtrit

    count = np.atleast_2d(differences).shape[1]
    return np.asarray(stdtrit(max(count - 1, 1), 0.5 + level / 2) * standard_error(differences, repeats))


def chance_of_loss(differences: ArrayLike, loss: float) -> NDArray[np.float64]:
    """One-sided p of a mean change of -`loss` or worse: small when so large a loss is ruled out. [runs]

    Gaffke's bound (2005, "Three test statistics for a nonparametric one-sided hypothesis on the mean of a nonnegative
    variable"; Learned-Miller and Thomas 2019, arXiv 1905.06208, recommend it). One more question that lost everything
    (-1) is added and the questions are weighted at random, uniformly over all weights that sum to 1; p is the chance
    that the weighted mean is -`loss` or lower. It assumes nothing about the questions but that they are a sample. When
    questions are only kept or lost it is the exact binomial test of Clopper and Pearson: 30 questions without any loss
    give (1 - loss)^30. That p is never too small is a conjecture; no simulation, ours included, has refuted it.

    Weighted means are compared through a sum of exponential variables, whose distribution comes from its
    characteristic function (Gil-Pelaez 1951), integrated over the logarithm of the frequency.
    """
    values, counts = _counts(_rows(differences))
    step = min(0.05, 0.5 / math.sqrt(counts[0].sum()))
    logs = np.arange(-18.0, 10.0, step)
    p = np.zeros(len(counts))
    for start in range(0, len(logs), 128):
        angles = np.outer(values + loss, np.exp(logs[start : start + 128]))
        sizes, turns = counts @ (-0.5 * np.log1p(angles * angles)), counts @ np.arctan(angles)
        p += (np.exp(sizes) * np.sin(turns)).sum(axis=1)
        if sizes[:, -1].max() < -30:  # higher frequencies add nothing
            break
    return np.clip(0.5 - p * step / math.pi, 0.0, 1.0)


def _counts(rows: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(values, [runs, values]): how often each row has each value, the question that lost everything included."""
    rows = np.asarray(np.round(np.pad(rows, ((0, 0), (0, 1)), constant_values=-1.0), 9), dtype=np.float64)
    values, places = np.unique(rows, return_inverse=True)
    if len(values) > MOST_VALUES:
        values, places = np.unique(np.floor(rows * 1024) / 1024, return_inverse=True)
    places = places.reshape(rows.shape) + len(values) * np.arange(len(rows))[:, None]
    counts = np.bincount(places.ravel(), minlength=len(values) * len(rows)).reshape(len(rows), len(values))
    return values, counts.astype(float)


def lowest_change(differences: ArrayLike, level: float = 0.95) -> float:
    """The lowest mean change (-1 to 1) that one row of differences does not rule out at one-sided confidence `level`.

    The inverse of `chance_of_loss`: every loss larger than this has a p below 1 - level.
    """
    from scipy.optimize import brentq

    row = _rows(differences)

    def excess(loss: float) -> float:
        return float(chance_of_loss(row, loss)[0]) - (1 - level)

    best = float(row.mean())
    if excess(1.0) >= 0:  # everything was lost
        return -1.0
    return -float(brentq(excess, -best, 1.0, xtol=1e-6)) if excess(-best) > 0 else best


def fewest_questions(loss: float, level: float = 0.95) -> int:
    """Questions below which no data rule out a loss (0 to 1): so many may all be spared by chance, (1 - loss)^n.

    Holds for every number of repeats, because a loss that is confined to a few questions may show in none of them.
    """
    return math.ceil(math.log(1 - level) / math.log1p(-loss) - 1e-9)


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p values that keep the chance of any false alarm over all of them (Holm 1979), in the given order."""
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    adjusted, highest = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = highest
    return adjusted


def detectable(error: float, questions: int, level: float = 0.95, power: float = 0.8) -> float:
    """The true drop that the sign-flip test finds with such probability; error: standard error of the mean difference.

    Student's t stands in for the sign-flip test, whose threshold on t is 1 / sqrt(1 / z^2 - 1 / n), up to (n - 1) / n.
    """
    from scipy.optimize import brentq

    def excess(drop: float) -> float:
        return chance_to_find(drop, error, questions, level) - power

    highest = 2 * error
    while excess(highest) < 0 and highest < 1e3 * error:
        highest *= 2
    return float(brentq(excess, 0.0, highest, xtol=1e-6)) if excess(highest) >= 0 else math.inf


def chance_to_find(drop: float, error: float, questions: int, level: float = 0.95) -> float:
    """Probability that the sign-flip test calls a true drop significant; error: standard error of the mean difference.

    The flipped sums are normal with variance sum d^2, so z = t / sqrt((n - 1 + t^2) / n), and t is noncentral.
    """
    from scipy.special import ndtri
    from scipy.stats import nct

    z = float(ndtri(0.5 + level / 2))
    if questions <= z * z + 1:
        return 0.0
    threshold = z * math.sqrt((questions - 1) / (questions - z * z))
    return float(nct.sf(threshold, questions - 1, drop / error))
