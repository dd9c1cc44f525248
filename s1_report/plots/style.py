"""One style for all figures, and writing them as SVG and PNG. matplotlib is imported in this folder only."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from s1_contract.printing import show_lines
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
    "text.parse_math": False,  # names of models and tasks are no formulas
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
        _show_names(canvas.figure)
        for path in paths(output):
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                # Without a date the same records give the same file.
                canvas.figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else {"Software": None})
            except OSError as error:
                raise ReportError(f"{path}: cannot be written ({error.strerror}): name another file") from None


def _show_names(figure: Any) -> None:
    """Every text of a figure in characters that print. Labels of ticks are made later, by their formatter."""
    from matplotlib.text import Text

    for text in figure.findobj(Text):
        text.set_text(show_lines(text.get_text()))


def paths(output: Path) -> tuple[Path, Path]:
    """Where a figure goes: the SVG and the PNG file for an output with or without ending."""
    stem = output.with_suffix("") if output.suffix in (".svg", ".png") else output
    return stem.with_name(stem.name + ".svg"), stem.with_name(stem.name + ".png")
