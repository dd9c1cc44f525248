"""`export` and `readme`: records for other readers. Nothing is written without --write."""

from __future__ import annotations

import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from s1_report.commands import Figure, Runs, app, say
from s1_report.record import ReportError

README_STALE = 1
"""Exit code of `readme --check` when the file is not what would be generated."""


class Format(StrEnum):
    """What `export` writes."""

    csv = "csv"
    markdown = "markdown"
    hub = "hub"
    model_index = "model-index"
    every_eval_ever = "every-eval-ever"


@app.command(
    short_help="Tables and leaderboard files; dry run by default",
    epilog="Example: s1-report export hub runs/gpqa --model-id me/model --write",
)
def export(
    form: Annotated[
        Format, typer.Argument(metavar="FORMAT", help="csv, markdown, hub, model-index or every-eval-ever.")
    ],
    runs: Runs,
    write: Annotated[bool, typer.Option("--write", help="Write the files; without it they are only shown.")] = False,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder to write into.")] = Path("export"),
    model_id: Annotated[str | None, typer.Option(help="developer/model on the Hub.")] = None,
    organization: Annotated[str | None, typer.Option(help="Who publishes (every-eval-ever).")] = None,
    relationship: Annotated[str, typer.Option(help="To the model: first_party, third_party, ... .")] = "third_party",
    source_url: Annotated[str | None, typer.Option(help="Where the logs can be seen (hub).")] = None,
) -> None:
    """Tables and leaderboard files. `hub` refuses what is no registered benchmark."""
    files = (
        _every_eval_ever(runs, model_id, organization, relationship)
        if form is Format.every_eval_ever
        else (_from_records(form, runs, model_id, source_url))
    )
    from s1_report.record import write_text

    for name, text in files.items():
        if write:
            write_text(output / name, text)
            say(f"wrote {output / name}")
        else:
            say(f"--- {output / name}")
            say(text if len(text) < 4000 else f"{text[:4000]}\n... {len(text):,} characters in all")
    if not write:
        say("nothing was written: add --write")


def _from_records(form: Format, runs: list[Path], model_id: str | None, source_url: str | None) -> dict[str, str]:
    from s1_report.export import hub, tables
    from s1_report.runs import load_runs

    records = load_runs(*runs)
    if form is Format.csv:
        return {"runs.csv": tables.as_csv(records)}
    if form is Format.markdown:
        return {"runs.md": tables.as_markdown(records)}
    if form is Format.model_index:
        name = model_id or records[0].model
        return {"model_index.yaml": hub.model_index(records, name.split("/")[-1])}
    files: dict[str, str] = {}
    for record in records:
        path, text = hub.eval_results(record, source_url)
        if path in files:
            raise ReportError(f"two runs of {record.task}: name the one to publish, a benchmark takes one value")
        files[path] = text
    return files


def _every_eval_ever(
    runs: list[Path], model_id: str | None, organization: str | None, relationship: str
) -> dict[str, str]:
    from s1_report.collect import collect
    from s1_report.export.every_eval import Publisher
    from s1_report.export.every_eval import export as publish

    if model_id is None or organization is None:
        raise ReportError("every-eval-ever needs --model-id developer/model and --organization NAME")
    publisher = Publisher(organization, relationship, model_id)
    found = collect(*runs)
    if found.problems:
        raise ReportError("\n".join(found.problems))
    retrieved = str(time.time())
    return {path: text for run in found.runs for path, text in publish(run, publisher, retrieved).items()}


@app.command(
    short_help="results/README.md from the records beside it", epilog="Example: s1-report readme results --check"
)
def readme(
    results: Annotated[Path, typer.Argument(help="Folder with published/ and measured/.")] = Path("results"),
    write: Annotated[bool, typer.Option("--write", help="Write README.md there.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Exit with 1 when README.md is not up to date.")] = False,
    output: Figure = None,
) -> None:
    """results/README.md from the records beside it; --output draws published against measured."""
    from s1_report.export.readme import generate, side_by_side
    from s1_report.record import read_text, write_text

    path = results / "README.md"
    text = generate(results)
    if output is not None:
        from s1_report.plots import answers, style
        from s1_report.runs import records_under

        pairs = side_by_side(*(records_under(results / name) for name in ("published", "measured")))
        answers.draw_published(pairs, output, "Published against measured")
        say("wrote " + " and ".join(str(made) for made in style.paths(output)))
    if check:
        if not path.exists() or read_text(path) != text:
            say(f"{path} is stale: run s1-report readme {results} --write")
            raise typer.Exit(README_STALE)
        say(f"{path} is up to date")
    elif write:
        write_text(path, text)
        say(f"wrote {path}")
    else:
        say(text)
