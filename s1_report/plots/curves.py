"""The figures about settings: accuracy against thinking tokens, and against the thinking budget."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from s1_contract.usage import THINKING_TOKENS
from s1_report.curve import Series
from s1_report.plots.style import COLORS, figure
from s1_report.record import ReportError


def draw_curve(series: Sequence[Series], output: Path, title: str) -> None:
    """The s1 figure (paper, figure 1): accuracy against mean thinking tokens, 95 % intervals, labelled with waits."""
    with figure(output) as axes:
        drawn = 0
        for one in series:
            color = COLORS[drawn % len(COLORS)]
            points = [(p.record.mean_of(THINKING_TOKENS), p) for p in one.points]
            known = sorted(((x, p) for x, p in points if x is not None), key=lambda pair: pair[0])
            if not known:
                continue
            xs = [x for x, _ in known]
            ys = [100 * point.record.accuracy for _, point in known]
            down = [y - 100 * point.interval.low for y, (_, point) in zip(ys, known, strict=True)]
            up = [100 * point.interval.high - y for y, (_, point) in zip(ys, known, strict=True)]
            axes.plot(xs, ys, color=color, linewidth=1.8, zorder=2)
            axes.errorbar(
                xs, ys, yerr=[down, up], fmt="none", ecolor=color, elinewidth=1.1, capsize=3, alpha=0.45, zorder=1
            )
            axes.plot(xs, ys, "o", color=color, markersize=7, markeredgecolor="white", zorder=3, label=one.name)
            for x, y, (_, point) in zip(xs, ys, known, strict=True):
                if point.record.num_waits is not None:
                    axes.annotate(
                        _waits(point.record.num_waits),
                        (x, y),
                        xytext=(7, -12),
                        textcoords="offset points",
                        fontsize=9,
                        color=color,
                    )
            drawn += 1
        if not drawn:
            raise ReportError("no thinking tokens in any of these runs: only s1 models report them, nothing to draw")
        _token_axis(axes)
        axes.set_xlabel("mean thinking tokens per question (log scale)")
        axes.set_ylabel("accuracy (%)")
        axes.set_title(title)
        if drawn > 1:
            axes.legend(loc="best", fontsize=9)


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
    with figure(output) as axes:
        drawn = 0
        for one in series:
            limits = [(point.record.max_thinking_tokens, point) for point in one.points]
            known = sorted(
                ((x, p) for x, p in limits if isinstance(x, int | float) and x > 0), key=lambda pair: pair[0]
            )
            if not known:
                continue
            color = COLORS[drawn % len(COLORS)]
            drawn += 1
            ys = [100 * point.record.accuracy for _, point in known]
            bounds = [
                [y - 100 * p.interval.low for y, (_, p) in zip(ys, known, strict=True)],
                [100 * p.interval.high - y for y, (_, p) in zip(ys, known, strict=True)],
            ]
            axes.errorbar([x for x, _ in known], ys, yerr=bounds, color=color, marker="o", capsize=3, label=one.name)
            used = [
                (tokens, y)
                for y, (_, p) in zip(ys, known, strict=True)
                if (tokens := p.record.mean_of(THINKING_TOKENS))
            ]
            axes.plot(
                [x for x, _ in used], [y for _, y in used], "o", mfc="white", mec=color, label=f"{one.name}, used"
            )
        if not drawn:
            raise ReportError("none of these runs sets max_thinking_tokens: there is no budget curve to draw")
        _token_axis(axes)
        axes.set_xlabel("max_thinking_tokens (log scale)")
        axes.set_ylabel("accuracy (%)")
        axes.set_title(title)
        axes.legend(loc="best", fontsize=9)
