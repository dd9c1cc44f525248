"""`curve`, `collect` and `stats`: what is in the logs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from enum import StrEnum
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from s1_report.commands import Figure, Filter, Folders, Level, Metric, Runs, app, finish, say, table
from s1_report.record import ReportError

if TYPE_CHECKING:
    from s1_report.curve import Series
    from s1_report.record import RunRecord


class Axis(StrEnum):
    """What the figure of `curve` has on its horizontal axis."""

    tokens = "tokens"
    budget = "budget"


@app.command(short_help="Accuracy against thinking, by setting", epilog="Example: s1-report curve runs/aime24 -o curve")
def curve(
    runs: Runs,
    output: Figure = None,
    title: Annotated[str, typer.Option(help="Title of the figure.")] = "Accuracy against thinking",
    against: Annotated[Axis, typer.Option(help="Horizontal axis: tokens used, or the budget.")] = Axis.tokens,
    metric: Metric = None,
    filter_name: Filter = None,
) -> None:
    """Shows accuracy, thinking tokens and waits of every setting, with intervals and the change from the first."""
    from s1_report import curve as curves
    from s1_report.collect import Collected
    from s1_report.collect import collect as read
    from s1_report.runs import read_places

    known, logs = read_places(*runs)
    measured = [record for record in known if record.questions]
    if not measured and not logs:
        raise ReportError(f"{runs[0]}: published records hold no questions: name a measured run")
    found = read(*logs, metric=metric, filter_name=filter_name) if logs else Collected()
    series = curves.curve([*measured, *found.records])
    if series:
        _say_curve(series)
        if output is not None:
            _draw(series, output, title, against)
    finish(found.problems, found.superseded)


def _say_curve(series: list[Series]) -> None:
    from s1_report import curve as curves
    from s1_report import scaling

    table(curves.HEADERS, curves.rows(series))
    say(curves.FOOTNOTE)
    for line in filter(None, map(scaling.summary, series)):
        say(line)


def _draw(series: list[Series], output: Path, title: str, against: Axis) -> None:
    from s1_report.plots import curves as figures
    from s1_report.plots import style

    draw = figures.draw_curve if against is Axis.tokens else figures.draw_budgets
    draw(series, output, title)
    say("wrote " + " and ".join(str(path) for path in style.paths(output)))


@app.command(
    short_help="Turn logs into small records that can be committed",
    epilog="Example: s1-report collect runs/base -o baseline",
)
def collect(
    folders: Folders,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the records.")] = Path("results/measured"),
    model: Annotated[str | None, typer.Option(help="Name of the model, if the log has only a path.")] = None,
    metric: Metric = None,
    filter_name: Filter = None,
) -> None:
    """Turns logs into records: small JSON files with the outcome of every question, which you can commit."""
    from s1_report.collect import collect as read
    from s1_report.runs import git_state, store

    found = read(*folders, metric=metric, filter_name=filter_name)
    state = {**git_state(Path.cwd()), "collected_by": f"lm-eval-s1 {version('lm-eval-s1')}"}
    records = [
        replace(record, model=model or record.model, environment={**record.environment, **state})
        for record in found.records
    ]
    for path in store(records, output):
        say(f"wrote {path}")
    finish(found.problems, found.superseded)


@app.command(short_help="avg@k, pass@k, maj@k of a run, with intervals", epilog="Example: s1-report stats runs/base")
def stats(runs: Runs, level: Level = 0.95, metric: Metric = None, filter_name: Filter = None) -> None:
    """Shows avg@k, pass@k and maj@k with two intervals: for other questions of the kind, and for these questions."""
    from s1_report.runs import load_runs
    from s1_report.summary import HEADERS, rows

    table(HEADERS, rows(load_runs(*runs, metric=metric, filter_name=filter_name, measured=True), level))


@app.command(
    short_help="Is a wait worth its tokens? Changed answers", epilog="Example: s1-report flips runs/base -o flips"
)
def flips(runs: Runs, output: Figure = None, metric: Metric = None, filter_name: Filter = None) -> None:
    """Is a wait worth its tokens? Counts answers that change, from each number of waits to the next."""
    from s1_report import curve as curves
    from s1_report import scaling
    from s1_report.runs import load_runs

    series = curves.curve(load_runs(*runs, metric=metric, filter_name=filter_name, measured=True))
    if counted := scaling.rows(series):
        table(scaling.HEADERS, counted)
    else:
        say("no flips to count: no two of these runs differ in num_waits alone; run again with another num_waits")
    if output is not None:
        from s1_report.plots import answers, style

        answers.draw_flips([step for one in series for step in scaling.steps(one)], output, "Flips per step")
        say("wrote " + " and ".join(str(path) for path in style.paths(output)))


@app.command(
    short_help="Histogram of thinking, right and wrong answers",
    epilog="Example: s1-report lengths runs/base -o lengths",
)
def lengths(
    runs: Runs,
    output: Annotated[Path, typer.Option("--output", "-o", help="Figure; written as SVG and PNG.")],
    title: Annotated[str, typer.Option(help="Title of the figure.")] = "Thinking of right and wrong answers",
    metric: Metric = None,
    filter_name: Filter = None,
) -> None:
    """Draws a histogram of thinking tokens for right and for wrong answers."""
    from s1_report.plots import answers, style
    from s1_report.runs import load_runs

    answers.draw_lengths(load_runs(*runs, metric=metric, filter_name=filter_name, measured=True), output, title)
    say("wrote " + " and ".join(str(path) for path in style.paths(output)))


@app.command(
    short_help="Everything that is known of a run", epilog="Example: s1-report show runs/base, or show record.json"
)
def show(runs: Runs, metric: Metric = None, filter_name: Filter = None) -> None:
    """Shows everything that is known of a run: model, settings, texts, rows, versions and scores."""
    from s1_report import show as showing
    from s1_report.runs import logged_runs, read_places

    records, logs = read_places(*runs)
    known: list[tuple[RunRecord, Mapping[str, str]]] = [(record, {}) for record in records]
    if logs:
        found = logged_runs(*logs, metric=metric, filter_name=filter_name)
        known += [(run.record, run.around) for run in found]
    for record, around in known:
        say(f"\n{record.label()}")
        table(showing.HEADERS, showing.rows(record, around), left=2)
