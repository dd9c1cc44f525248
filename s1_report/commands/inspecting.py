"""`audit` and `rescore`: back to the texts behind the numbers."""

from __future__ import annotations

from itertools import chain
from pathlib import Path
from typing import Annotated

import typer

from s1_report.commands import Filter, Folders, Metric, app, finish, say, table


@app.command(
    short_help="Read every answer and round in one HTML file", epilog="Example: s1-report audit runs/new -o audit.html"
)
def audit(
    folders: Folders,
    output: Annotated[Path, typer.Option("--output", "-o", help="HTML file.")] = Path("audit.html"),
    title: Annotated[str, typer.Option(help="Title of the page.")] = "Audit",
    metric: Metric = None,
    filter_name: Filter = None,
) -> None:
    """Makes a page with every answer: filter by kind of failure, read every round, see why it was judged so.

    One HTML file; for a large run with a folder of texts beside it. It opens from a disk, without a server.
    """
    from s1_report.audit import write_audit
    from s1_report.collect import collect

    found = collect(*folders, metric=metric, filter_name=filter_name)
    if found.runs:
        page, *parts = write_audit(found.runs, title, output)
        beside = f", its texts in {parts[0]}: keep both together" if parts else ""
        say(f"wrote {page} ({page.stat().st_size / 1e6:.1f} MB){beside}")
    finish(found.problems, found.superseded)


@app.command(
    short_help="Judge stored answers again with any checker",
    epilog="Example: s1-report rescore runs/new --checker old='/old/bin/python judge.py'",
)
def rescore(
    folders: Folders,
    checker: Annotated[
        list[str] | None,
        typer.Option("--checker", help="NAME=COMMAND of another checker; s1_report/rescore.py says what it reads."),
    ] = None,
    changed: Annotated[int, typer.Option(help="Show at most this many changed verdicts.")] = 20,
    metric: Metric = None,
    filter_name: Filter = None,
) -> None:
    """Judges stored answers again without generating. Shows what each checker would score, and what changed."""
    from s1_report.collect import collect
    from s1_report.rescore import SCORE_HEADERS, changed_rows, checkers_of, rescore_run, score_rows

    found = collect(*folders, metric=metric, filter_name=filter_name)
    if not found.runs:
        finish(found.problems, found.superseded)
    checkers = checkers_of(checker or [])
    results = [rescore_run(run, checkers) for run in found.runs]
    table(SCORE_HEADERS, chain.from_iterable(map(score_rows, results)), left=2)
    _say_changed(list(chain.from_iterable(map(changed_rows, results))), changed)
    finish(found.problems, found.superseded)


def _say_changed(rows: list[tuple[str, ...]], most: int) -> None:
    from s1_report.rescore import CHANGED_HEADERS

    if not rows:
        say("no verdict differs from the logged ones")
        return
    say(f"{len(rows)} verdicts differ from the logged ones" + (f", the first {most}:" if len(rows) > most else ":"))
    table(CHANGED_HEADERS, rows[:most], left=8)
