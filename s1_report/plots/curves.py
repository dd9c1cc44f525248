"""The figures about settings: accuracy against thinking tokens, and against the thinking budget."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

from s1_contract.usage import THINKING_TOKENS
from s1_report.curve import Point, Series
from s1_report.plots.style import COLORS, figure
from s1_report.record import ReportError


def draw_curve(series: Sequence[Series], output: Path, title: str) -> None:
    """The s1 figure (paper, figure 1): accuracy against mean thinking tokens, 95 % intervals, labelled with waits."""
    lines = [(one.name, _placed(one, lambda point: point.record.mean_of(THINKING_TOKENS))) for one in series]
    known = [(name, line) for name, line in lines if line]
    if not known:
        raise ReportError("no thinking tokens in any of these runs: only s1 models report them, nothing to draw")
    with figure(output) as axes:
        for (name, line), color in zip(known, cycle(COLORS), strict=False):
            _draw_line(axes, line, name, color)
            _label_waits(axes, line, color)
        _token_axis(axes)
        axes.set_xlabel("mean thinking tokens per question (log scale)")
        axes.set_ylabel("accuracy (%)")
        axes.set_title(title)
        if len(known) > 1:
            axes.legend(loc="best", fontsize=9)


Placed = list[tuple[float, Point]]
"""Points with their place on the horizontal axis, in its order."""


def _placed(series: Series, place: Callable[[Point], Any]) -> Placed:
    """Those points whose place is a number above 0."""
    places = ((place(point), point) for point in series.points)
    return sorted(((x, point) for x, point in places if isinstance(x, int | float) and x > 0), key=lambda pair: pair[0])


def _heights(line: Placed) -> list[float]:
    """Accuracies in percent."""
    return [100 * point.record.accuracy for _, point in line]


def _bars(line: Placed) -> tuple[list[float], list[float]]:
    """How far the intervals reach below and above the accuracies, in percent."""
    below = [y - 100 * point.interval.low for y, (_, point) in zip(_heights(line), line, strict=True)]
    above = [100 * point.interval.high - y for y, (_, point) in zip(_heights(line), line, strict=True)]
    return below, above


def _draw_line(axes: Any, line: Placed, name: str, color: str) -> None:
    xs, ys = [x for x, _ in line], _heights(line)
    axes.plot(xs, ys, color=color, linewidth=1.8, zorder=2)
    bars = {"ecolor": color, "elinewidth": 1.1, "capsize": 3, "alpha": 0.45}
    axes.errorbar(xs, ys, yerr=_bars(line), fmt="none", zorder=1, **bars)
    axes.plot(xs, ys, "o", color=color, markersize=7, markeredgecolor="white", zorder=3, label=name)


def _label_waits(axes: Any, line: Placed, color: str) -> None:
    for y, (x, point) in zip(_heights(line), line, strict=True):
        if point.record.num_waits is not None:
            text, place = _waits(point.record.num_waits), {"xytext": (7, -12), "textcoords": "offset points"}
            axes.annotate(text, (x, y), fontsize=9, color=color, **place)


def _waits(count: int) -> str:
    return "no wait" if count == 0 else "1 wait" if count == 1 else f"{count} waits"


def _token_axis(axes: Any) -> None:
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    axes.set_xscale("log", base=2)
    low, high = axes.dataLim.x0, axes.dataLim.x1
    margin = max((high / low) ** 0.08, 1.08)
    axes.set_xlim(low / margin, high * margin * margin)
    # Powers of two as in the paper; a narrow range gets round numbers between.
    ticks = [2.0**power for power in range(24) if low / margin <= 2.0**power <= high * margin**2]
    if len(ticks) < 3:
        ticks = _round_ticks(low / margin, high * margin**2)
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))


def _round_ticks(low: float, high: float) -> list[float]:
    from matplotlib.ticker import MaxNLocator

    return [value for value in MaxNLocator(nbins=6, integer=True).tick_values(low, high) if low <= value <= high]


def draw_budgets(series: Sequence[Series], output: Path, title: str) -> None:
    """Accuracy against the thinking budget that was asked for, with the tokens that were used as hollow points."""
    lines = [(one.name, _placed(one, lambda point: point.record.max_thinking_tokens)) for one in series]
    known = [(name, line) for name, line in lines if line]
    if not known:
        raise ReportError("none of these runs sets max_thinking_tokens: there is no budget curve to draw")
    with figure(output) as axes:
        for (name, line), color in zip(known, cycle(COLORS), strict=False):
            xs = [x for x, _ in line]
            axes.errorbar(xs, _heights(line), yerr=_bars(line), color=color, marker="o", capsize=3, label=name)
            _draw_used(axes, line, name, color)
        _token_axis(axes)
        axes.set_xlabel("max_thinking_tokens (log scale)")
        axes.set_ylabel("accuracy (%)")
        axes.set_title(title)
        axes.legend(loc="best", fontsize=9)


def _draw_used(axes: Any, line: Placed, name: str, color: str) -> None:
    used = [(tokens, point) for _, point in line if (tokens := point.record.mean_of(THINKING_TOKENS))]
    axes.plot([x for x, _ in used], _heights(used), "o", mfc="white", mec=color, label=f"{name}, used")
