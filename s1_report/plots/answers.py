"""The figures about answers and comparisons: flips, lengths, changes, published against measured."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from s1_report.compare import Comparison
from s1_report.plots.style import COLORS, FAINT, figure
from s1_report.record import ReportError, RunRecord
from s1_report.scaling import Step


def draw_flips(steps: Sequence[Step], output: Path, title: str) -> None:
    """Wrong to right above the axis, right to wrong below, for every step from one number of waits to the next."""
    counted = [(step, step.change.gained, step.change.lost) for step in steps]
    known = [(step, gained, lost) for step, gained, lost in counted if gained is not None and lost is not None]
    if not known:
        raise ReportError("no flips to draw: they need two settings of the same questions with one repeat each")
    with figure(output) as axes:
        places = range(len(known))
        axes.bar(places, [gained for _, gained, _ in known], color=COLORS[2], width=0.6, label="wrong to right")
        axes.bar(places, [-lost for _, _, lost in known], color=COLORS[1], width=0.6, label="right to wrong")
        axes.axhline(0, color=FAINT, linewidth=0.8)
        for place, (step, gained, _) in zip(places, known, strict=True):
            axes.annotate(
                f"p = {step.change.p:.2g}",
                (place, gained),
                xytext=(0, 4),
                textcoords="offset points",
                ha="center",
                fontsize=9,
            )
        axes.set_xticks(places, [f"{s.before.num_waits} to {s.after.num_waits} waits" for s, _, _ in known])
        axes.margins(y=0.15)
        axes.yaxis.set_major_formatter(lambda value, _: f"{abs(value):,.0f}")
        axes.grid(axis="x", visible=False)
        axes.set_ylabel("questions")
        axes.set_title(title)
        axes.legend(loc="best", fontsize=9)


def draw_lengths(records: Sequence[RunRecord], output: Path, title: str) -> None:
    """Histogram of thinking tokens per answer, right against wrong, all records together."""
    lengths: dict[bool, list[float]] = {True: [], False: []}
    for question in (question for record in records for question in record.questions):
        if len(question.thinking_tokens) == len(question.correct):
            for tokens, correct in zip(question.thinking_tokens, question.correct, strict=True):
                lengths[correct >= 0.5].append(tokens)
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


def draw_comparison(comparisons: Sequence[Comparison], output: Path, title: str, margin: float | None = None) -> None:
    """Forest plot: the change of every task with its interval; the margin (0 to 1) as a line when there is one."""
    with figure(output, height=1.6 + 0.5 * len(comparisons)) as axes:
        for place, comparison in enumerate(reversed(comparisons)):
            low, high = comparison.interval
            color = COLORS[1] if high < 0 else COLORS[2] if low > 0 else COLORS[5]
            axes.plot([100 * low, 100 * high], [place, place], color=color, linewidth=2, solid_capstyle="round")
            axes.plot(100 * comparison.change, place, "s", color=color, markersize=8, markeredgecolor="white")
        names = [f"{c.new.task} ({c.questions} x {c.repeats})" for c in reversed(comparisons)]
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
    from s1_report.stats import accuracy_interval

    if not pairs:
        raise ReportError("no measured run has a published counterpart (same model, task and number of waits)")
    with figure(output, width=5.2, height=5.0) as axes:
        axes.plot([0, 100], [0, 100], color=FAINT, linewidth=1, zorder=1)
        for index, task in enumerate(dict.fromkeys(published.task for published, _ in pairs)):
            color = COLORS[index % len(COLORS)]
            chosen = [(p, m) for p, m in pairs if p.task == task]
            intervals = [accuracy_interval([question.correct for question in m.questions]) for _, m in chosen]
            ys = [100 * m.accuracy for _, m in chosen]
            bounds = [
                [y - 100 * interval.low for y, interval in zip(ys, intervals, strict=True)],
                [100 * interval.high - y for y, interval in zip(ys, intervals, strict=True)],
            ]
            xs = [100 * p.accuracy for p, _ in chosen]
            axes.errorbar(xs, ys, yerr=bounds, fmt="o", color=color, capsize=3, label=task)
        axes.set_xlim(0, 100)
        axes.set_ylim(0, 100)
        axes.set_xlabel("published accuracy (%)")
        axes.set_ylabel("measured accuracy (%), 95 % interval")
        axes.set_title(title)
        axes.legend(loc="upper left", fontsize=9)
