"""`export` and `readme`: records for other readers. Nothing is written without --write."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from s1_contract.printing import show
from s1_report.commands import Figure, MaxCut, Runs, app, remark, say, share_of
from s1_report.record import ReportError

if TYPE_CHECKING:
    from s1_report.collect import Run
    from s1_report.record import RunRecord

README_STALE = 1
"""Exit code of `readme --check` when the file is not what would be generated."""


class Format(StrEnum):
    """What `export` writes."""

    csv = "csv"
    markdown = "markdown"
    hub = "hub"
    model_index = "model-index"
    every_eval_ever = "every-eval-ever"
    inspect = "inspect"


@app.command(
    short_help="Tables and leaderboard files; dry run by default",
    epilog="Example: s1-report export hub runs/gpqa --model-id me/model --write",
)
def export(
    form: Annotated[
        Format, typer.Argument(metavar="FORMAT", help="csv, markdown, hub, model-index, every-eval-ever or inspect.")
    ],
    runs: Runs,
    write: Annotated[bool, typer.Option("--write", help="Write the files. Without it, they are only shown.")] = False,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder to write into.")] = Path("export"),
    model_id: Annotated[str | None, typer.Option(help="developer/model on the Hub.")] = None,
    organization: Annotated[str | None, typer.Option(help="Who publishes (every-eval-ever).")] = None,
    relationship: Annotated[
        str, typer.Option(help="Your relation to the model: first_party, third_party, ... .")
    ] = "third_party",
    source_url: Annotated[str | None, typer.Option(help="Where the logs can be seen (hub).")] = None,
    max_cut: MaxCut = None,
) -> None:
    """Writes tables and leaderboard files with all caveats. `hub` refuses runs whose numbers it may not claim."""
    whole = Whole(runs, model_id, share_of(max_cut))
    if form is Format.every_eval_ever:
        files: Mapping[str, str | bytes] = _every_eval_ever(whole, organization, relationship)
    elif form is Format.inspect:
        files = _inspect(whole)
    else:
        files = _from_records(form, whole, source_url)
    for name, content in files.items():
        if not (output / name).resolve().is_relative_to(output.resolve()):
            raise ReportError(f"{show(output / name)} is outside of {output}: nothing is written there")
        _put(output / name, content, write)
    if not write:
        say("nothing was written: add --write")


def _put(path: Path, content: str | bytes, write: bool) -> None:
    if write:
        from s1_contract.files import write_whole

        write_whole(path, content)
        say(f"wrote {path}")
        return
    say(f"--- {path}")
    if isinstance(content, bytes):
        say(f"{len(content):,} bytes")
    else:
        say(content if len(content) < 4000 else f"{content[:4000]}\n... {len(content):,} characters in all")


class Whole(NamedTuple):
    """What is exported: runs at these places, under this name, of which at most the share `max_cut` was cut off."""

    places: list[Path]
    model_id: str | None
    max_cut: float | None

    def records(self) -> list[RunRecord]:
        """The records, named by `--model-id` where it is given."""
        from s1_report.runs import load_runs
        from s1_report.truncation import refuse_above

        found = load_runs(*self.places)
        refuse_above(found, self.max_cut)
        return [replace(record, model=self.model_id or record.model) for record in found]

    def runs(self) -> list[Run]:
        """The runs with their logs. Raises ReportError for records, which hold no texts."""
        from s1_report.runs import logged_runs
        from s1_report.truncation import refuse_above

        found = logged_runs(*self.places)
        refuse_above([run.record for run in found], self.max_cut)
        return found


def _from_records(form: Format, whole: Whole, source_url: str | None) -> dict[str, str]:
    from s1_report.export import hub, tables

    records = whole.records()
    if form is Format.csv:
        return {"runs.csv": tables.as_csv(records)}
    if form is Format.markdown:
        return {"runs.md": tables.as_markdown(records)}
    if form is Format.model_index:
        return {"model_index.yaml": hub.model_index(records, records[0].model.split("/")[-1])}
    files: dict[str, str] = {}
    for record in records:
        path, text = hub.eval_results(record, source_url)
        if path in files:
            raise ReportError(f"two runs of {record.task}: name the one to publish, a benchmark takes one value")
        files[path] = text
        remark(hub.scale_warning(record))
    return files


def _every_eval_ever(whole: Whole, organization: str | None, relationship: str) -> dict[str, str]:
    from s1_report.export.every_eval import Publisher
    from s1_report.export.every_eval import export as publish

    if whole.model_id is None or organization is None:
        raise ReportError("every-eval-ever needs --model-id developer/model and --organization NAME")
    publisher = Publisher(organization, relationship, whole.model_id)
    retrieved = str(time.time())
    return {path: text for run in whole.runs() for path, text in publish(run, publisher, retrieved).items()}


def _inspect(whole: Whole) -> dict[str, bytes]:
    from s1_report.export.inspect_log import export as write_log

    return dict(write_log(run, whole.model_id) for run in whole.runs())


@app.command(short_help="Make results/README.md from its records", epilog="Example: s1-report readme results --check")
def readme(
    results: Annotated[Path, typer.Argument(help="Folder with published/ and measured/.")] = Path("results"),
    write: Annotated[bool, typer.Option("--write", help="Write README.md there.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Exit with 1 when README.md is not up to date.")] = False,
    output: Figure = None,
) -> None:
    """Makes results/README.md from the records beside it. --output draws published against measured."""
    from s1_contract.files import read_text, write_whole
    from s1_report.export.readme import generate

    path = results / "README.md"
    text = generate(results)
    if output is not None:
        _draw_published(results, output)
    if check:
        if not path.exists() or read_text(path) != text:
            say(f"{path} is stale: run s1-report readme {results} --write")
            raise typer.Exit(README_STALE)
        say(f"{path} is up to date")
    elif write:
        write_whole(path, text)
        say(f"wrote {path}")
    else:
        say(text)


def _draw_published(results: Path, output: Path) -> None:
    from s1_report.export.readme import side_by_side
    from s1_report.plots import answers, style
    from s1_report.runs import records_under

    pairs = side_by_side(*(records_under(results / name) for name in ("published", "measured")))
    answers.draw_published(pairs, output, "Published against measured")
    say("wrote " + " and ".join(map(str, style.paths(output))))
