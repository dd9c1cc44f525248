"""The funnel of a run beside s1's own: as a table in the terminal, and drawn.

Source of s1's counts: the cell outputs of its `filter.ipynb`; the paper's text has 51,581 and 24,496 for two of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.table import Table

from training.curate.manifest import StageRecord

S1_COUNTS = {"decontaminate": 59_029, "complete": 54_116, "format": 51_607, "difficulty": 24_517, "select": 1_000}
"""Rows left in s1's run after each stage that it has."""
MEANING = {
    "collect": "collected",
    "decontaminate": "shares no words with a benchmark",
    "traces": "asked of the teacher",
    "complete": "has thinking, answer, solution",
    "format": "plain text",
    "domain": "has a domain",
    "difficulty": "too hard for both models",
    "select": "chosen",
    "render": "rendered",
}
_OURS, _THEIRS, _TEXT = "#2a6f97", "#d1495b", "#333333"


def table(stages: Mapping[str, StageRecord]) -> Table:
    """Rows left after each stage, their share, s1's rows, and the rules that rejected most."""
    shown = Table(title="From collected to chosen", title_justify="left", header_style="bold", box=None)
    for name, justify in (
        ("stage", "left"),
        ("rows", "right"),
        ("share", "right"),
        ("s1", "right"),
        ("share", "right"),
    ):
        shown.add_column(name, justify=justify)  # type: ignore[arg-type]
    shown.add_column("rejected by", overflow="fold")
    first = _first(stages)
    for name, record in stages.items():
        theirs = S1_COUNTS.get(name)
        most = list(record.rejected.items())
        more = f", {len(most) - 3} more rules" if len(most) > 3 else ""
        shown.add_row(
            f"{name} [dim]({MEANING[name]})[/dim]",
            f"{record.rows_out:,}",
            _percent(record.rows_out / first),
            f"{theirs:,}" if theirs else "",
            _percent(theirs / S1_COUNTS["decontaminate"]) if theirs else "",
            ", ".join(f"{rule}: {count:,}" for rule, count in most[:3]) + more,
        )
    return shown


def draw(stages: Mapping[str, StageRecord], path: Path) -> None:
    """The funnel as a figure (.png, .svg or .pdf): what share of the rows is left, ours as bars, s1's as marks."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot
    from matplotlib.ticker import FuncFormatter

    names = [name for name in stages if name != "render"]
    first = _first(stages)
    shares = [max(stages[name].rows_out / first, 1e-6) for name in names]
    lowest = min([*shares, S1_COUNTS["select"] / S1_COUNTS["decontaminate"]])
    figure, axes = pyplot.subplots(figsize=(9.0, 0.62 * len(names) + 1.5), layout="constrained")
    places = range(len(names))
    axes.barh(places, shares, height=0.58, color=_OURS, label="this run")
    theirs = [(place, S1_COUNTS[name]) for place, name in zip(places, names, strict=True) if name in S1_COUNTS]
    axes.scatter(
        [count / S1_COUNTS["decontaminate"] for _, count in theirs],
        [place for place, _ in theirs],
        marker="D", s=46, color=_THEIRS, edgecolor="white", zorder=3, label="s1 (59,029 collected)",
    )  # fmt: skip
    for place, name, share in zip(places, names, shares, strict=True):
        count = S1_COUNTS.get(name)
        right = max(share, count / S1_COUNTS["decontaminate"] if count else 0)
        axes.text(right * 1.09, place, f"{stages[name].rows_out:,}", va="center", color=_OURS, fontweight="bold")
        if count:
            axes.text(right * 1.95, place, f"{count:,}", va="center", color=_THEIRS)
    axes.set_yticks(places, [f"{name}\n{MEANING[name]}" for name in names], fontsize=9)
    for label in axes.get_yticklabels():
        label.set_color(_TEXT)
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.set_xlim(lowest / 1.6, 4.5)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda share, _: _percent(share) if share <= 1 else ""))
    axes.set_xlabel("share of the collected questions left after the stage (logarithmic)")
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.legend(loc="lower right", frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)
    pyplot.close(figure)


def summary(stages: Mapping[str, StageRecord]) -> dict[str, Any]:
    """{stage: {"rows", "s1"}} for reports."""
    return {name: {"rows": record.rows_out, "s1": S1_COUNTS.get(name)} for name, record in stages.items()}


def _first(stages: Mapping[str, StageRecord]) -> int:
    """What shares are shares of: the rows after decontamination, where s1's count begins."""
    return max(1, (stages.get("decontaminate") or next(iter(stages.values()))).rows_out)


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"
