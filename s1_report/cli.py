"""`s1-report`: what the runs say. Every command reads files and imports what it needs itself, so --help is quick."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated

import typer

from s1_report.record import ReportError

BAD_INPUT = 2
"""Exit code for anything the user has to mend: a missing, damaged or incomparable file, or a wrong option."""

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
Metric = Annotated[str | None, typer.Option(help="Sample key that says how right an answer is, for foreign tasks.")]
Filter = Annotated[str | None, typer.Option("--filter", help="Which answer filter, when samples hold several.")]


def main() -> None:
    """Runs the command line; a `ReportError` becomes one sentence and exit code 2."""
    try:
        app()
    except ReportError as error:
        typer.echo(f"s1-report: {error}", err=True)
        sys.exit(BAD_INPUT)


@app.callback()
def _group() -> None:
    """Keeps `curve` a subcommand while it is the only one."""


@app.command()
def curve(
    folders: Folders,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Figure; written as SVG and PNG.")] = None,
    title: Annotated[str, typer.Option(help="Title of the figure.")] = "Accuracy against thinking",
    metric: Metric = None,
    filter_name: Filter = None,
) -> None:
    """Accuracy, thinking tokens and waits of every setting, with intervals and the change against the first."""
    from s1_report import curve as curves
    from s1_report.collect import collect

    found = collect(*folders, metric=metric, filter_name=filter_name)
    series = curves.curve(found.records)
    if series:
        table(curves.HEADERS, curves.rows(series), left=1)
        typer.echo(curves.FOOTNOTE)
    if series and output is not None:
        from s1_report import plots

        plots.draw_curve(series, output, title)
        typer.echo("wrote " + " and ".join(str(path) for path in plots.paths(output)))
    finish(found.problems, found.superseded)


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
        raise ReportError("\ns1-report: ".join(problems))


if __name__ == "__main__":
    main()
