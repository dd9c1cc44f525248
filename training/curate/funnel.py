"""The funnel of a run beside s1's own: as a table in the terminal, and drawn.

Source of s1's counts: the cell outputs of its `filter.ipynb`; the paper's text has 51,581 and 24,496 for two of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from s1_contract.printing import show
from training.curate.manifest import StageRecord

S1_COUNTS = {"decontaminate": 59_029, "complete": 54_116, "format": 51_607, "difficulty": 24_517, "select": 1_000}
"""Rows left in s1's run after each stage that it has."""
MEANING = {
    "collect": "collected",
    "decontaminate": "no eight words of a benchmark",
    "traces": "asked of the teacher",
    "complete": "has thinking, answer, solution",
    "format": "plain text",
    "domain": "has a domain",
    "difficulty": "too hard for the reference models",
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
            name,
            f"{record.rows_out:,}",
            _percent(record.rows_out / first),
            f"{theirs:,}" if theirs else "",
            _percent(theirs / S1_COUNTS["decontaminate"]) if theirs else "",
            Text(", ".join(f"{show(rule)}: {count:,}" for rule, count in most[:3]) + more),
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
    figure, axes = pyplot.subplots(figsize=(9.0, 0.55 * len(names) + 1.6), layout="constrained")
    axes.barh(range(len(names)), [min(stages[name].rows_out / first, 1.05) for name in names], height=0.6, color=_OURS)
    # Counts in two columns beside the bars, so that the smallest bars can be read as well.
    ours_at, theirs_at = 1.17, 1.34
    axes.text(ours_at, -0.75, "this run", ha="right", color=_OURS, fontweight="bold")
    axes.text(theirs_at, -0.75, "s1", ha="right", color=_THEIRS, fontweight="bold")
    for place, name in enumerate(names):
        axes.text(ours_at, place, f"{stages[name].rows_out:,}", va="center", ha="right", color=_OURS)
        theirs = S1_COUNTS.get(name)
        if theirs:
            axes.text(theirs_at, place, f"{theirs:,}", va="center", ha="right", color=_THEIRS)
            share = theirs / S1_COUNTS["decontaminate"]
            axes.scatter([share], [place], marker="D", s=42, color=_THEIRS, edgecolor="white", zorder=3)
        axes.text(-0.015, place - 0.02, name, ha="right", va="bottom", color=_TEXT, fontweight="bold")
        axes.text(-0.015, place + 0.04, MEANING[name], ha="right", va="top", color=_TEXT, fontsize=8.5)
    axes.set_yticks([])
    axes.set_ylim(len(names) - 0.4, -1.1)
    axes.set_xlim(0, theirs_at + 0.01)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1.0])
    axes.xaxis.set_major_formatter(FuncFormatter(lambda share, _: _percent(share)))
    axes.set_xlabel("questions left after the stage, of the decontaminated ones", loc="left")
    axes.spines[["top", "right", "left", "bottom"]].set_visible(False)
    axes.tick_params(length=0)
    axes.grid(axis="x", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
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
