"""The commands of `s1-report`, one module per group. Each command imports what it needs, so that --help is quick."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated

import typer

from s1_report.record import ReportError

app = typer.Typer(
    name="s1-report",
    help="Reads lm_eval output (--output_path DIR --log_samples) and says what it means.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Folders = Annotated[
    list[Path], typer.Argument(metavar="DIR...", help="Output folders of lm_eval, searched recursively.")
]
Runs = Annotated[list[Path], typer.Argument(metavar="RUN...", help="Records, folders of them, or lm_eval output.")]
Metric = Annotated[str | None, typer.Option(help="Sample key that says how right an answer is, for foreign tasks.")]
Filter = Annotated[str | None, typer.Option("--filter", help="Which answer filter, when samples hold several.")]
Figure = Annotated[Path | None, typer.Option("--output", "-o", help="Figure; written as SVG and PNG.")]
Level = Annotated[float, typer.Option(min=0.5, max=0.9999, help="Confidence level of intervals and verdicts.")]


def say(text: str) -> None:
    """Prints a line to standard output."""
    typer.echo(text)


def table(headers: Sequence[str], rows: Iterable[Sequence[str]], left: int = 1) -> None:
    """Prints a table to standard output; the first `left` columns are text, the others numbers."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    grid = Table(box=box.SIMPLE, pad_edge=False)
    for index, header in enumerate(headers):
        grid.add_column(
            header, justify="left" if index < left else "right", no_wrap=index >= left and " " not in header
        )
    for row in rows:
        grid.add_row(*(Text(cell) for cell in row))
    console = Console()
    if not console.is_terminal:
        console = Console(width=200)  # a pipe has no width; 80 columns would fold the numbers
    console.print(grid)


def finish(problems: Sequence[str], remarks: Sequence[str] = ()) -> None:
    """Says what was left out; exits with code 2 when something could not be read."""
    for remark in remarks:
        typer.echo(f"s1-report: {remark}", err=True)
    if problems:
        raise ReportError("\n".join(problems))
