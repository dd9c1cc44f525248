"""The commands of `s1-report`, one module per group. Each command imports what it needs, so that --help is quick."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated

import typer

from s1_contract import __version__
from s1_contract.printing import show, show_lines
from s1_report.record import ReportError

app = typer.Typer(
    name="s1-report",
    help="Statistics, comparisons and figures from lm_eval output (--output_path DIR --log_samples).",
    epilog="Exit codes: 0 done or PASS; 1 REGRESSION, or a stale README; 2 INCONCLUSIVE, or input that cannot be used "
    "(a sentence says which file and what to do). Each command has its own --help with an example.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"lm-eval-s1 {__version__}")
        raise typer.Exit


@app.callback()
def _of_all_commands(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Statistics, comparisons and figures from lm_eval output (--output_path DIR --log_samples)."""


Folders = Annotated[
    list[Path], typer.Argument(metavar="DIR...", help="Output folders of lm_eval, searched recursively.")
]
Runs = Annotated[list[Path], typer.Argument(metavar="RUN...", help="Records, folders of them, or lm_eval output.")]
Metric = Annotated[str | None, typer.Option(help="Sample key of the score, for tasks that are not ours.")]
Filter = Annotated[str | None, typer.Option("--filter", help="Answer filter to read, if the samples have several.")]
Figure = Annotated[Path | None, typer.Option("--output", "-o", help="Figure, written as SVG and PNG.")]
MaxCut = Annotated[
    float | None,
    typer.Option(min=0.0, max=100.0, help="Refuse runs with more than this percent of responses cut off."),
]
Level = Annotated[float, typer.Option(min=0.5, max=0.9999, help="Confidence level of intervals and verdicts.")]


def share_of(percent: float | None) -> float | None:
    """2 percent -> 0.02; None stays None."""
    return None if percent is None else percent / 100


def say(text: str) -> None:
    """Prints lines of ours to standard output; what somebody else named in them does nothing there."""
    typer.echo(show_lines(text))


def remark(sentence: str) -> None:
    """Prints a sentence to standard error."""
    typer.echo(f"s1-report: {show(sentence)}", err=True)


def table(headers: Sequence[str], rows: Iterable[Sequence[str]], left: int = 1) -> None:
    """Prints a table to standard output; the first `left` columns are text, the others numbers."""
    for line in table_lines(headers, rows, left):
        say(line)


def table_lines(headers: Sequence[str], rows: Iterable[Sequence[str]], left: int = 1) -> list[str]:
    """The table as lines. Headers are broken at spaces, cells never: a wide table is wider than a narrow terminal."""
    cells = [[show(cell) for cell in row] for row in rows]
    widths = [_width(header, [row[column] for row in cells]) for column, header in enumerate(headers)]
    wrapped = [textwrap.wrap(header, width) for header, width in zip(headers, widths, strict=True)]
    height = max(map(len, wrapped))
    # Short headers stand at the bottom, next to their numbers.
    head = zip(*([""] * (height - len(lines)) + lines for lines in wrapped), strict=True)
    rule = ["-" * width for width in widths]
    return [_line(line, widths, left) for line in [*head, rule, *cells]]


def _width(header: str, cells: Sequence[str]) -> int:
    """Of a column: its longest cell, or the longest word of its header."""
    return max(1, *map(len, (*header.split(), *cells)))


def _line(cells: Sequence[str], widths: Sequence[int], left: int) -> str:
    columns = zip(cells, widths, strict=True)
    padded = [cell.ljust(width) if index < left else cell.rjust(width) for index, (cell, width) in enumerate(columns)]
    return "  ".join(padded).rstrip()


def finish(problems: Sequence[str], remarks: Sequence[str] = ()) -> None:
    """Says what was left out; exits with code 2 when something could not be read."""
    for sentence in remarks:
        remark(sentence)
    if problems:
        raise ReportError("\n".join(problems))
