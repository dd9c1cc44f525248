"""The figures about settings: accuracy against thinking tokens, and against the thinking budget.

A sweep has two branches: waits at the largest budget, and budgets at the fewest waits. Each is a line of its own with a
band for its intervals, named where it ends; points carry the number that was changed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path, PurePath
from typing import Any

from s1_contract.usage import THINKING_TOKENS
from s1_report.curve import Point, Series
from s1_report.plots.style import COLORS, figure
from s1_report.record import ReportError

WAITS, BUDGETS = "waits", "budgets"
AUTO = "auto"
_CLOSE = 12.0
"""Points (of 72 an inch) below which two labels would lie on one another."""


@dataclass(frozen=True, slots=True)
class Branch:
    """A line of a figure. kind: what was changed along it. points: by their place on the horizontal axis."""

    model: str
    kind: str
    points: tuple[tuple[float, Point], ...]

    @property
    def xs(self) -> list[float]:
        """Places on the horizontal axis."""
        return [x for x, _ in self.points]

    @property
    def ys(self) -> list[float]:
        """Accuracies in percent."""
        return [100 * point.record.accuracy for _, point in self.points]

    @property
    def band(self) -> tuple[list[float], list[float]]:
        """Lower and upper ends of the intervals, in percent."""
        intervals = [point.interval for _, point in self.points]
        return [100 * one.low for one in intervals], [100 * one.high for one in intervals]

    def label(self, point: Point) -> str:
        """What was changed at a point."""
        if self.kind == BUDGETS:
            return f"{point.record.max_thinking_tokens:,}" if _is_number(point.record.max_thinking_tokens) else AUTO
        waits = point.record.num_waits
        return "" if waits is None else "no wait" if waits == 0 else "1 wait" if waits == 1 else f"{waits} waits"


def draw_curve(series: Sequence[Series], output: Path, title: str) -> None:
    """The s1 figure (paper, figure 1): accuracy against mean thinking tokens, with 95 % intervals as bands."""
    branches = [branch for one in series for branch in _branches(one)]
    if not branches:
        raise ReportError("no thinking tokens in any of these runs: only s1 models report them, nothing to draw")
    with figure(output) as axes:
        for branch, color in zip(branches, _colors(branches), strict=True):
            _draw(axes, branch, color)
        _token_axis(axes, [x for branch in branches for x in branch.xs])
        axes.set_xlabel("mean thinking tokens per question (log scale)")
        _finish(axes, branches, title)


def draw_budgets(series: Sequence[Series], output: Path, title: str) -> None:
    """Accuracy against the thinking budget that was asked for; `auto`, what the context leaves, stands at the right."""
    branches = [branch for one in series if (branch := _asked(one)) is not None]
    if not branches:
        raise ReportError("none of these runs sets max_thinking_tokens: there is no budget curve to draw")
    ticks = sorted({x for branch in branches for x in branch.xs})
    names = {x: branch.label(point) for branch in branches for x, point in branch.points}
    with figure(output) as axes:
        for branch, color in zip(branches, _colors(branches), strict=True):
            _draw(axes, branch, color, labelled=False)
        axes.set_xscale("log", base=2)
        axes.set_xticks(ticks, [names[x] for x in ticks])
        axes.minorticks_off()
        _widen(axes, ticks)
        axes.set_xlabel("max_thinking_tokens (log scale)")
        _finish(axes, branches, title)


def _branches(series: Series) -> Iterator[Branch]:
    """The waits at the largest budget, and the budgets at the fewest waits; each with two points at least, or alone."""
    places = [(tokens, point) for point in series.points if (tokens := point.record.mean_of(THINKING_TOKENS))]
    if not places:
        return
    fewest = min((point.record.num_waits or 0 for _, point in places), default=0)
    longest = [pair for pair in places if not _is_number(pair[1].record.max_thinking_tokens)] or places
    budgets = [pair for pair in places if (pair[1].record.num_waits or 0) == fewest]
    short = _short(series.name)
    found = [Branch(short, WAITS, _in_order(longest))]
    if len(longest) < len(places) and len(budgets) > 1:
        found.append(Branch(short, BUDGETS, _in_order(budgets)))
    yield from (branch for branch in found if len(branch.points) > 1 or len(found) == 1)


def _asked(series: Series) -> Branch | None:
    """The settings of one series by the budget that they asked for; None where none asked."""
    limits = [limit for point in series.points if _is_number(limit := point.record.max_thinking_tokens) and limit > 0]
    if not limits:
        return None
    rightmost = 2.0 * max(limits)
    places = [
        (float(limit) if _is_number(limit := point.record.max_thinking_tokens) else rightmost, point)
        for point in series.points
    ]
    fewest = min(point.record.num_waits or 0 for point in series.points)
    kept = [pair for pair in places if pair[0] > 0 and (pair[1].record.num_waits or 0) == fewest]
    return Branch(_short(series.name), BUDGETS, _in_order(kept))


def _in_order(places: Sequence[tuple[float, Point]]) -> tuple[tuple[float, Point], ...]:
    return tuple(sorted(places, key=lambda pair: pair[0]))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float)


def _short(name: str) -> str:
    """A series' name with a model's path cut to its last part."""
    model, comma, task = name.partition(", ")
    return f"{PurePath(model).name}{comma}{task}"


def _colors(branches: Sequence[Branch]) -> list[str]:
    """One colour for each model; where there is one model, one for each of its branches."""
    several = len({branch.model for branch in branches}) > 1
    keys = [branch.model if several else branch.kind for branch in branches]
    of = dict(zip(dict.fromkeys(keys), cycle(COLORS), strict=False))
    return [of[key] for key in keys]


def _draw(axes: Any, branch: Branch, color: str, labelled: bool = True) -> None:
    axes.fill_between(branch.xs, *branch.band, color=color, alpha=0.13, linewidth=0, zorder=1)
    axes.plot(branch.xs, branch.ys, color=color, linewidth=1.8, zorder=2, linestyle=_line(branch))
    axes.plot(branch.xs, branch.ys, "o", color=color, markersize=7, markeredgecolor="white", zorder=3)
    if labelled:
        _label_points(axes, branch, color)


def _line(branch: Branch) -> Any:
    return "-" if branch.kind == WAITS else (0, (4, 2))


def _label_points(axes: Any, branch: Branch, color: str) -> None:
    """The numbers at the points, waits below right and budgets above left, so that the branches do not meet."""
    place = {"xytext": (7, -12)} if branch.kind == WAITS else {"xytext": (-4, 9), "ha": "right"}
    for x, y, (_, point) in zip(branch.xs, branch.ys, branch.points, strict=True):
        shared_with_the_other = branch.kind == BUDGETS and not _is_number(point.record.max_thinking_tokens)
        if not shared_with_the_other:
            axes.annotate(branch.label(point), (x, y), fontsize=9, color=color, textcoords="offset points", **place)


def _finish(axes: Any, branches: Sequence[Branch], title: str) -> None:
    axes.set_ylabel("accuracy (%)")
    axes.set_title(title)
    low, high = axes.get_ylim()
    axes.set_ylim(max(low, -2), min(high, 102))
    _name_ends(axes, branches)


def _name_ends(axes: Any, branches: Sequence[Branch]) -> None:
    """Names the lines at the right, apart from one another; one line needs no name."""
    if len(branches) < 2:
        return
    colors = _colors(branches)
    several = len({branch.model for branch in branches}) > 1
    low, high = axes.get_ylim()
    step = _CLOSE * (high - low) / (axes.figure.get_figheight() * 72 * 0.75)
    ends = sorted(range(len(branches)), key=lambda number: branches[number].ys[-1])
    height = low
    for number in ends:
        branch = branches[number]
        height = max(height + step, branch.ys[-1])
        name = f"{branch.model}, {branch.kind}" if several else branch.kind
        axes.annotate(
            name,
            (1.0, height),
            xycoords=("axes fraction", "data"),
            xytext=(6, 0),
            textcoords="offset points",
            color=colors[number],
            fontsize=9,
            fontweight="bold",
            va="center",
            annotation_clip=False,
        )


def _widen(axes: Any, xs: Sequence[float]) -> tuple[float, float]:
    low, high = min(xs), max(xs)
    margin = max((high / low) ** 0.08, 1.08)
    axes.set_xlim(low / margin, high * margin * margin)
    return low / margin, high * margin * margin


def _token_axis(axes: Any, xs: Sequence[float]) -> None:
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    axes.set_xscale("log", base=2)
    low, high = _widen(axes, xs)
    # Powers of two as in the paper; a narrow range gets round numbers between.
    ticks = [2.0**power for power in range(24) if low <= 2.0**power <= high]
    if len(ticks) < 3:
        ticks = _round_ticks(low, high)
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))


def _round_ticks(low: float, high: float) -> list[float]:
    from matplotlib.ticker import MaxNLocator

    return [value for value in MaxNLocator(nbins=6, integer=True).tick_values(low, high) if low <= value <= high]
