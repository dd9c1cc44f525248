"""`python -m training.curate`: from 59K questions to 1K training rows, and a look at what came out."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from s1_contract.printing import show, show_lines
from s1_models.forcing import S1Error
from training.curate.stage import CurationError

if TYPE_CHECKING:
    from training.curate.benchmark_questions import BenchmarkQuestion
    from training.curate.stage import Result, Row

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # local variables may hold keys
    rich_markup_mode="rich",
    help="Curate training data as s1 did: 16 sources, 59K questions, 1,000 rows.\n\n"
    "Start with a copy of training/curate/example.yaml. You can stop any stage; the same command continues it.",
)
console = Console()
Rows = Annotated[Path, typer.Argument(help="A file of rows: .jsonl, .parquet or .csv.")]


def _tell(text: str) -> None:
    """Prints lines of ours; what a data set wrote in them is text, no markup and no terminal commands."""
    console.print(show_lines(text), highlight=False, soft_wrap=True, markup=False)


@contextmanager
def _sentences() -> Iterator[None]:
    """What the user can mend is one sentence and exit code 2; Ctrl-C says that nothing is lost."""
    try:
        yield
    except (CurationError, S1Error) as error:
        sentence = Text.assemble(("error:", "bold red"), " ", show(error))
        Console(stderr=True, soft_wrap=True).print(sentence, highlight=False)
        raise typer.Exit(2) from error
    except KeyboardInterrupt as stopped:
        print("\nStopped. What is finished is kept; the same command goes on from there.", file=sys.stderr)
        raise typer.Exit(130) from stopped


@app.command()
def run(
    config: Annotated[Path, typer.Option(help="YAML file; training/curate/example.yaml shows every key.")],
    source: Annotated[str | None, typer.Option(help="Overrides collect.source: hub or local:DIR.")] = None,
    out: Annotated[Path | None, typer.Option(help="Overrides out.")] = None,
    until: Annotated[str, typer.Option(help="Stop after this stage.")] = "render",
    again: Annotated[list[str] | None, typer.Option(help="Do this stage even though it is finished.")] = None,
) -> None:
    """Run the stages. The same command continues a stopped run.

    [dim]python -m training.curate run --config my.yaml --source local:/data/s1[/]
    """
    from dataclasses import replace

    from training.curate import funnel
    from training.curate.config import load_config
    from training.curate.pipeline import Pipeline

    with _sentences():
        settings = load_config(config)
        if source is not None:
            settings = replace(settings, collect=replace(settings.collect, source=source, rows=None))
        if out is not None:
            settings = replace(settings, out=out)
        pipeline = Pipeline(settings, tell=_tell)
        pipeline.run(until, again or ())
        stages = pipeline.manifest.stages
        console.print()
        console.print(funnel.table(stages))
        figure = settings.out / "funnel.png"
        funnel.draw(stages, figure)
        _tell(f"\nwritten to {settings.out}: manifest.json, contamination.json, {figure.name}")
        if until == "render":
            _tell(f"training rows: {settings.out / 'train.parquet'} and train.jsonl")


@app.command()
def sources() -> None:
    """List the 16 sources: data set, configuration, columns and which rows are kept."""
    from training.curate.sources import SOURCES

    shown = Table(box=None, header_style="bold")
    for name in ("source", "dataset", "splits", "question", "kept", "rows in s1"):
        shown.add_column(name, justify="right" if name == "rows in s1" else "left", overflow="fold")
    for one in SOURCES:
        splits = " ".join(dict.fromkeys("/".join(filter(None, (part.config, part.split))) for part in one.parts))
        kept = [f"{keep.column} {keep.test}{'' if keep.value is None else f' {keep.value}'}" for keep in one.keep]
        kept += [f"{one.take.count:,} drawn"] if one.take else []
        kept += [f"not in {one.minus.config}"] if one.minus else []
        shown.add_row(one.name, one.hub, splits, " + ".join(one.question), ", ".join(kept), f"{one.paper_rows:,}")
    console.print(shown)
    console.print(f"\n{sum(one.paper_rows for one in SOURCES):,} rows in s1's set")


@app.command()
def view(
    rows: Rows,
    tokenizer: Annotated[str, typer.Option(help="The one that the rows were rendered with: Hub name or directory.")],
    row: Annotated[int, typer.Option(help="Which row, counted from 0.")] = 0,
) -> None:
    """Show a training row. Green text is in the loss, grey text is not. NO_COLOR=1 switches colours off.

    [dim]python -m training.curate view build/curate/train.parquet --tokenizer Qwen/Qwen2.5-32B-Instruct | less -R[/]
    """
    from training.curate.export import load_tokenizer
    from training.curate.tables import read_rows
    from training.curate.view import colour, title

    with _sentences():
        found = read_rows(rows)
        if not 0 <= row < len(found):
            raise CurationError(f"{rows} has {len(found)} rows; expected a row from 0 to {len(found) - 1}")
        if "input_ids" not in found[row]:
            raise CurationError(f"{rows} has no input_ids: it is not rendered; take train.parquet of a run")
        # Colours are what a row is viewed for, also through a pager.
        colours = console if os.environ.get("NO_COLOR") else Console(force_terminal=True)
        words = load_tokenizer(tokenizer)
        colours.print(Text(title(found[row], row), style="bold"), highlight=False)
        colours.print(colour(words, found[row]["input_ids"], found[row]["loss_mask"]))


@app.command()
def check(
    rows: Rows,
    questions: Annotated[str | None, typer.Option(help="Directory with their questions (default: Hub).")] = None,
    benchmark: Annotated[
        list[str] | None, typer.Option(help="Repeat it: math500, aime24 ... (default: every benchmark of s1_tasks).")
    ] = None,
    report: Annotated[Path | None, typer.Option(help="Where to write the whole report, as JSON.")] = None,
    rule: Annotated[str, typer.Option(help="strict, or s1: eight words in a row as they are written.")] = "strict",
    near: Annotated[
        float | None,
        typer.Option(
            help="strict: share of a question's 3-token sequences in a row (0.6). s1: Jaccard index of near copies."
        ),
    ] = None,
) -> None:
    """Find benchmark questions in any training data.

    Exit code 0: nothing found. 1: contaminated rows. 2: an error, or a benchmark that could not be read.

    [dim]python -m training.curate check my_data.jsonl --questions /data/benchmarks --benchmark math500[/]
    """
    from training.curate.benchmark_questions import load_questions, readable_questions
    from training.curate.intake import take_rows
    from training.curate.tables import read_rows, write_json

    with _sentences():
        taken = take_rows(read_rows(rows), str(rows)).rows
        asked, unread = (
            (load_questions(tuple(benchmark), questions), {}) if benchmark else readable_questions(questions)
        )
        result = _looked_at(rule, taken, asked, near)
        rejected = result.rejected
        for one in rejected[:20]:
            _tell(show(f"{one.id}  {one.detail}"))
        if len(rejected) > 20:
            console.print(f"... and {len(rejected) - 20} more")
        digest = result.figures["contamination"]["report_sha256"]
        console.print(f"{len(rejected):,} of {len(taken):,} rows rejected; report {digest[:16]}", highlight=False)
        if rule == "strict":
            console.print(
                "paraphrases in other words and translations are not seen: docs/decisions/0032", highlight=False
            )
        for name, why in unread.items():
            console.print(f"not checked: {name}: {why}", highlight=False, soft_wrap=True, markup=False)
        if report is not None:
            write_json(report, result.figures["report"])
        if rejected:
            raise typer.Exit(1)
        if unread:
            raise CurationError(
                f"nothing found, but {len(unread)} benchmarks could not be read: give --questions DIR with their "
                "questions, or name those that matter with --benchmark"
            )


def _looked_at(rule: str, rows: list[Row], asked: list[BenchmarkQuestion], near: float | None) -> Result:
    """What a rule leaves and rejects of the rows."""
    from training.curate.decontaminate import decontaminate
    from training.curate.duplicates import without_near_duplicates
    from training.curate.strict import NEAR, check_strictly

    if rule == "strict":
        return check_strictly(rows, asked, NEAR if near is None else near)
    if rule != "s1":
        raise CurationError(f"--rule {rule}: expected strict or s1")
    result = decontaminate(rows, asked)
    return result if near is None else without_near_duplicates(result, asked, near)


if __name__ == "__main__":
    app()
