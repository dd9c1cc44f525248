"""Two runs of the same questions: tests, intervals and planning of the difference in accuracy.

`differences` are per question, new minus base, each the difference of two means over the repeats (-1 to 1); a drop is
negative. One question is one observation, however often it was repeated.
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
FLOOR = 1.5
"""Over the repeats, added to the sum of squares of the differences: as if 1.5 more answers had changed."""
POWER = 0.8
"""What "detectable" and "needed" mean unless the caller says otherwise."""


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


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p values that keep the chance of any false alarm over all of them (Holm 1979), in the given order."""
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    adjusted, highest = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = highest
    return adjusted


def detectable(error: float, level: float = 0.95, power: float = POWER) -> float:
    """The true drop that a comparison with this standard error finds with such probability (Miller 2024, section 5)."""
    return _quantiles(level, power) * error


def _quantiles(level: float, power: float) -> float:
    from scipy.special import ndtri

    return float(ndtri(0.5 + level / 2) + ndtri(power))


class Spread(NamedTuple):
    """Variance of one question's difference = between + within * 2 / repeats.

    between: how differently the two models rank the questions. within: p(1-p) of one answer, averaged.
    """

    between: float
    within: float

    def error(self, questions: int, repeats: int) -> float:
        """Standard error of the mean difference with so many questions and repeats, FLOOR included."""
        variance = self.between + 2 * self.within / repeats
        return math.sqrt((variance + FLOOR / repeats / questions) / questions)


def spread(base: Sequence[Sequence[float]], new: Sequence[Sequence[float]]) -> Spread:
    """Splits the variance of the differences of two runs ([questions][repeats] each, same number of repeats).

    At one repeat nothing tells the parts apart: all of it is taken for within (the same model run again).
    """
    repeats = len(base[0])
    differences = [sum(b) / len(b) - sum(a) / len(a) for a, b in zip(base, new, strict=True)]
    variance = float(np.var(differences, ddof=1)) if len(differences) > 1 else 0.0
    if repeats == 1:
        return Spread(0.0, variance / 2)
    within = float(np.mean([np.var(answers, ddof=1) for answers in (*base, *new)]))
    return Spread(max(0.0, variance - 2 * within / repeats), within)


def repeats_needed(
    parts: Spread, questions: int, margin: float, level: float = 0.95, power: float = POWER
) -> int | None:
    """Smallest number of repeats at which a drop of `margin` is found, and none of it ruled out, with that power.

    None when the questions are too few for any number of repeats: their own spread is above the margin.
    """
    wanted = (margin / _quantiles(level, power)) ** 2 * questions - parts.between
    if wanted <= 0:
        return None
    repeats = max(1, math.ceil((2 * parts.within + FLOOR / questions) / wanted))
    return repeats if repeats <= 1_000_000 else None
