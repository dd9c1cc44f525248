"""The figures about answers and comparisons: flips, lengths, changes, published against measured."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

from s1_contract.printing import show
from s1_report.compare import Comparison
from s1_report.plots.style import COLORS, FAINT, figure
from s1_report.record import ReportError, RunRecord
from s1_report.scaling import Step
from s1_report.stats import accuracy_interval


def draw_flips(steps: Sequence[Step], output: Path, title: str) -> None:
    """Wrong to right above the axis, right to wrong below, for every step from one number of waits to the next."""
    known = [step for step in steps if step.change.is_counted]
    if not known:
        raise ReportError("no flips to draw: they need two settings of the same questions with one repeat each")
    with figure(output) as axes:
        places = range(len(known))
        gained = [step.change.gained or 0 for step in known]
        axes.bar(places, gained, color=COLORS[2], width=0.6, label="wrong to right")
        axes.bar(
            places, [-(step.change.lost or 0) for step in known], color=COLORS[1], width=0.6, label="right to wrong"
        )
        axes.axhline(0, color=FAINT, linewidth=0.8)
        _label_flips(axes, known, gained)
        axes.margins(y=0.15)
        axes.yaxis.set_major_formatter(lambda value, _: f"{abs(value):,.0f}")
        axes.grid(axis="x", visible=False)
        axes.set_ylabel("questions")
        axes.set_title(title)
        axes.legend(loc="best", fontsize=9)


def _label_flips(axes: Any, steps: Sequence[Step], heights: Sequence[int]) -> None:
    over = {"xytext": (0, 4), "textcoords": "offset points", "ha": "center", "fontsize": 9}
    for place, step in enumerate(steps):
        axes.annotate(f"p = {step.change.p:.2g}", (place, heights[place]), **over)
    axes.set_xticks(range(len(steps)), [f"{step.before.num_waits} to {step.after.num_waits} waits" for step in steps])


def draw_lengths(records: Sequence[RunRecord], output: Path, title: str) -> None:
    """Histogram of thinking tokens per answer, right against wrong, all records together."""
    lengths = {right: _lengths(records, right) for right in (True, False)}
    everything = lengths[True] + lengths[False]
    if not everything:
        raise ReportError("no thinking tokens per answer in any of these runs: only s1 models report them")
    with figure(output) as axes:
        low, high = min(everything), max(everything)
        step = max(1.0, (high - low) / 30)
        edges = [low + step * index for index in range(int((high - low) / step) + 2)]
        for right, color, name in ((True, COLORS[0], "right"), (False, COLORS[1], "wrong")):
            values = lengths[right]
            mean = f", mean {sum(values) / len(values):,.0f}" if values else ""
            axes.hist(values, bins=edges, color=color, alpha=0.55, label=f"{name}: {len(values):,} answers{mean}")
        axes.set_xlabel("thinking tokens")
        axes.set_ylabel("answers")
        axes.set_title(title)
        axes.legend(loc="best", fontsize=9)


def _lengths(records: Sequence[RunRecord], right: bool) -> list[float]:
    """The thinking tokens of every right answer, or of every wrong one, where they are known per repeat."""
    questions = (question for record in records for question in record.questions)
    return [
        tokens
        for question in questions
        if len(question.thinking_tokens) == len(question.correct)
        for tokens, correct in zip(question.thinking_tokens, question.correct, strict=True)
        if (correct >= 0.5) == right
    ]


def draw_comparison(comparisons: Sequence[Comparison], output: Path, title: str, margin: float | None = None) -> None:
    """Forest plot: the change of every task with its interval; the margin (0 to 1) as a line when there is one."""
    with figure(output, height=1.6 + 0.5 * len(comparisons)) as axes:
        for place, comparison in enumerate(reversed(comparisons)):
            low, high = comparison.interval
            color = COLORS[1] if high < 0 else COLORS[2] if low > 0 else COLORS[5]
            axes.plot([100 * low, 100 * high], [place, place], color=color, linewidth=2, solid_capstyle="round")
            axes.plot(100 * comparison.change, place, "s", color=color, markersize=8, markeredgecolor="white")
        names = [show(f"{c.new.task} ({c.questions} x {c.repeats})") for c in reversed(comparisons)]
        axes.set_yticks(range(len(comparisons)), names)
        axes.set_ylim(-0.6, len(comparisons) - 0.4)
        axes.axvline(0, color=FAINT, linewidth=1)
        if margin is not None:
            axes.axvline(-100 * margin, color=COLORS[1], linewidth=1, linestyle="--")
        axes.grid(axis="y", visible=False)
        axes.set_xlabel("change of accuracy in points, 95 % interval")
        axes.set_title(title)


def draw_published(pairs: Sequence[tuple[RunRecord, RunRecord]], output: Path, title: str) -> None:
    """Published accuracy against measured, one point per (published, measured) pair; on the diagonal they agree."""
    if not pairs:
        raise ReportError("no measured run has a published counterpart (same model, task and number of waits)")
    with figure(output, width=5.2, height=5.0) as axes:
        axes.plot([0, 100], [0, 100], color=FAINT, linewidth=1, zorder=1)
        tasks = dict.fromkeys(published.task for published, _ in pairs)
        for task, color in zip(tasks, cycle(COLORS), strict=False):
            _draw_task(axes, [(known, run) for known, run in pairs if known.task == task], task, color)
        axes.set_xlim(0, 100)
        axes.set_ylim(0, 100)
        axes.set_xlabel("published accuracy (%)")
        axes.set_ylabel("measured accuracy (%), 95 % interval")
        axes.set_title(title)
        axes.legend(loc="upper left", fontsize=9)


def _draw_task(axes: Any, pairs: Sequence[tuple[RunRecord, RunRecord]], task: str, color: str) -> None:
    intervals = [accuracy_interval([question.correct for question in run.questions]) for _, run in pairs]
    xs, ys = [100 * known.accuracy for known, _ in pairs], [100 * run.accuracy for _, run in pairs]
    below = [y - 100 * interval.low for y, interval in zip(ys, intervals, strict=True)]
    above = [100 * interval.high - y for y, interval in zip(ys, intervals, strict=True)]
    axes.errorbar(xs, ys, yerr=(below, above), fmt="o", color=color, capsize=3, label=task)
