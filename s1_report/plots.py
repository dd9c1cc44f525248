"""Figures, one style, written as SVG and PNG beside each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from s1_report.curve import Series
from s1_report.record import ReportError

COLORS = ("#1f4e9c", "#d1495b", "#2a9d6f", "#e0a030", "#6a4c93", "#4a5560")
INK, FAINT = "#22262b", "#8b939c"
STYLE = {
    "figure.dpi": 100,
    "savefig.dpi": 160,
    "font.family": "DejaVu Sans",
    "font.size": 10.5,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.titlesize": 12,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 12,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e7eaed",
    "grid.linewidth": 0.8,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "s1_report",
}


@contextmanager
def figure(output: Path, width: float = 6.6, height: float = 4.2) -> Iterator[Any]:
    """Axes to draw on; on leaving, output.svg and output.png are written. Raises ReportError without matplotlib."""
    try:
        import matplotlib
    except ImportError as error:
        raise ReportError("figures need matplotlib: pip install 'lm-eval-s1[plot]'") from error
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with matplotlib.rc_context(STYLE):
        canvas = FigureCanvasAgg(Figure(figsize=(width, height), layout="constrained"))
        yield canvas.figure.add_subplot()
        for path in paths(output):
            path.parent.mkdir(parents=True, exist_ok=True)
            # Without a date the same records give the same file.
            canvas.figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else {"Software": None})


def paths(output: Path) -> tuple[Path, Path]:
    """Where a figure goes: the SVG and the PNG file for an output with or without ending."""
    stem = output.with_suffix("") if output.suffix in (".svg", ".png") else output
    return stem.with_name(stem.name + ".svg"), stem.with_name(stem.name + ".png")


def draw_curve(series: Sequence[Series], output: Path, title: str) -> None:
    """The s1 figure (paper, figure 1): accuracy against mean thinking tokens, 95 % intervals, labelled with waits."""
    with figure(output) as axes:
        drawn = 0
        for one in series:
            color = COLORS[drawn % len(COLORS)]
            points = [(p.record.mean_of("thinking_tokens"), p) for p in one.points]
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
