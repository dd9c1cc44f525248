"""`compare`, `gate` and `plan`: is the new run worse, and what would it take to know?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from s1_contract.printing import show as shown
from s1_report.commands import Figure, Filter, Level, MaxCut, Metric, app, remark, say, share_of, table
from s1_report.record import ReportError

if TYPE_CHECKING:
    from s1_report.collect import Run
    from s1_report.compare import Comparison
    from s1_report.diverge import Divergence
    from s1_report.record import RunRecord

Base = Annotated[
    Path, typer.Argument(metavar="BASE", help="Record, folder of records or lm_eval output to compare with.")
]
New = Annotated[Path, typer.Argument(metavar="NEW", help="The same for the new run.")]
Allow = Annotated[
    list[str] | None,
    typer.Option(
        "--allow", help="Accept a difference: task, metric, filter, dataset, prompt, checker, sampling, budget."
    ),
]
Margin = Annotated[
    list[str] | None,
    typer.Option(
        "--margin", help="Points you are willing to lose: 5, or aime24=10 for one task. Repeatable; default 5."
    ),
]


Task = Annotated[
    list[str] | None, typer.Option("--task", help="Only this task. Repeatable; default: all tasks of the base.")
]


@app.command(
    short_help="What changed between two runs, with intervals", epilog="Example: s1-report compare baseline runs/new"
)
def compare(
    base: Base,
    new: New,
    task: Task = None,
    allow: Allow = None,
    output: Figure = None,
    level: Level = 0.95,
    metric: Metric = None,
    filter_name: Filter = None,
) -> None:
    """Compares two runs question by question: paired interval, exact tests, changed answers."""
    from s1_report.gate_formats import COMPARE_HEADERS, comparison_row, remarks, who

    comparisons, missing, _ = _comparisons(base, new, task, allow, level, metric, filter_name)
    table(COMPARE_HEADERS, [comparison_row(comparison) for comparison in comparisons])
    for comparison in comparisons:
        for sentence in (who(comparison), *remarks(comparison)):
            say(shown(f"{comparison.new.task}: {sentence}"))
    for record in missing:
        remark(f"{new}: has no run of {record.label()}, so it is left out")
    _draw(comparisons, output, "Change of accuracy")


@app.command(
    short_help="PASS (0), REGRESSION (1) or INCONCLUSIVE (2)",
    epilog="Example: s1-report gate baseline runs/new --margin aime24=10 --junit gate.xml",
)
def gate(
    base: Base,
    new: New,
    margin: Margin = None,
    task: Task = None,
    allow: Allow = None,
    level: Level = 0.95,
    max_cut: MaxCut = None,
    inconclusive_passes: Annotated[
        bool, typer.Option("--inconclusive-passes", help="Exit with 0 when there is no verdict.")
    ] = False,
    markdown: Annotated[Path | None, typer.Option(help="File for a Markdown table.")] = None,
    junit: Annotated[Path | None, typer.Option(help="File for JUnit XML.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="File for everything as JSON.")] = None,
    output: Figure = None,
    metric: Metric = None,
    filter_name: Filter = None,
) -> None:
    """Is the new run worse? PASS (exit code 0), REGRESSION (1), INCONCLUSIVE or unusable input (2)."""
    from s1_contract.files import write_whole
    from s1_report import gate_formats
    from s1_report.gate import Verdict, overall
    from s1_report.gate import gate as check
    from s1_report.truncation import refuse_above

    default, margins = margins_of(margin or [])
    comparisons, missing, noise = _comparisons(base, new, task, allow, level, metric, filter_name)
    unused = sorted(margins.keys() - {comparison.base.task for comparison in comparisons})
    if unused:
        raise ReportError(f"--margin {unused[0]}=...: no such task in {base}: remove it or name one of its tasks")
    refuse_above([run for pair in comparisons for run in (pair.base, pair.new)], share_of(max_cut))
    checks = [
        replace(one, remarks=remarks)
        for one, remarks in zip(check(comparisons, margins, default, level), noise(), strict=True)
    ]
    say(gate_formats.text(checks, missing))
    for path, write in (
        (markdown, gate_formats.markdown),
        (junit, gate_formats.junit),
        (json_file, gate_formats.as_json),
    ):
        if path is not None:
            write_whole(path, write(checks, missing))
    _draw(comparisons, output, "Change of accuracy, and the margin", default)
    verdict = overall(checks, missing)
    if not (verdict is Verdict.INCONCLUSIVE and inconclusive_passes):
        raise typer.Exit(verdict.exit_code)


def _draw(comparisons: list[Comparison], output: Path | None, title: str, margin: float | None = None) -> None:
    if output is not None:
        from s1_report.plots import answers, style

        answers.draw_comparison(comparisons, output, title, margin)
        say("wrote " + " and ".join(str(path) for path in style.paths(output)))


def _comparisons(
    base: Path,
    new: Path,
    tasks: list[str] | None,
    allow: list[str] | None,
    level: float,
    metric: str | None,
    filter_name: str | None,
) -> tuple[list[Comparison], list[RunRecord], Callable[[], list[tuple[str, ...]]]]:
    """(what can be compared, records of the base that no new run stands against, a function that reads the traces and
    says of each comparison where the transcripts part).
    """
    from s1_report.compare import check_allowed, left_out, match
    from s1_report.compare import compare as pair

    check_allowed(allow or ())
    logs: dict[int, Run] = {}
    sides = [_of_tasks(_load(place, metric, filter_name, logs), tasks, place) for place in (base, new)]
    pairs = match(*sides)
    for record in left_out(sides[1], pairs):
        remark(f"{new}: {record.task} is not in the baseline, so it is not compared: {record.label()}")

    def noise() -> list[tuple[str, ...]]:
        return [_parting(logs.get(id(old)), logs.get(id(now))) for old, now in pairs]

    return [pair(old, now, allow or (), level) for old, now in pairs], left_out(sides[0], pairs), noise


def _load(place: Path, metric: str | None, filter_name: str | None, logs: dict[int, Run]) -> list[RunRecord]:
    """The measured runs at a place; puts those that lm_eval wrote into `logs`, by the id of their record."""
    from s1_report.runs import load_runs, logged_runs, records_under

    if records_under(place):
        return load_runs(place, measured=True)
    runs = logged_runs(place, metric=metric, filter_name=filter_name)
    logs.update({id(run.record): run for run in runs})
    return [run.record for run in runs]


def _parting(old: Run | None, now: Run | None) -> tuple[str, ...]:
    """Where two runs part, in words; nothing when one of them is a record or has no traces."""
    from s1_report.diverge import diverge, has_traces

    if old is None or now is None or not (has_traces(old) and has_traces(now)):
        return ()
    return tuple(diverge(old, now).sentences())


def _of_tasks(records: list[RunRecord], tasks: list[str] | None, place: Path) -> list[RunRecord]:
    there = sorted({record.task for record in records})
    unknown = [name for name in tasks or () if name not in there]
    if unknown:
        raise ReportError(f"--task {unknown[0]}: not in {place}, which has {', '.join(there)}: name one of these")
    return [record for record in records if record.task in (tasks or there)]


@app.command(
    short_help="Where two runs of one setting first differ",
    epilog="Example: s1-report diverge runs/vllm-0.31 runs/vllm-0.32 --show 20",
)
def diverge(
    base: Annotated[Path, typer.Argument(metavar="A", help="Output folder of lm_eval, with its traces.jsonl.")],
    new: Annotated[Path, typer.Argument(metavar="B", help="The same for the other run.")],
    task: Task = None,
    allow: Allow = None,
    show: Annotated[int, typer.Option(min=0, help="Show at most this many differences, changed answers first.")] = 10,
    json_file: Annotated[Path | None, typer.Option("--json", help="File for every first difference as JSON.")] = None,
    metric: Metric = None,
    filter_name: Filter = None,
) -> None:
    """Shows how many transcripts are identical, where the others first differ, and which answers changed."""
    from s1_contract.files import write_whole
    from s1_report import diverge as parting
    from s1_report.compare import check_comparable, left_out, match

    logs: dict[int, Run] = {}
    sides = [_of_tasks(_load(place, metric, filter_name, logs), task, place) for place in (base, new)]
    if len(logs) < len(sides[0]) + len(sides[1]):
        raise ReportError("diverge compares traces, which records do not hold: name the output folders of lm_eval")
    pairs = match(*sides)
    for record in (*left_out(sides[0], pairs), *left_out(sides[1], pairs)):
        remark(f"only one side has {record.label()}, so it is left out")
    for old, now in pairs:
        check_comparable(old, now, allow or ())
    found = [parting.diverge(logs[id(old)], logs[id(now)]) for old, now in pairs]
    for one in found:
        _show_partings(one, show)
    if json_file is not None:
        write_whole(json_file, parting.as_json(found))


def _show_partings(found: Divergence, most: int) -> None:
    from s1_report.diverge import HEADERS, row

    for sentence in found.sentences():
        say(shown(f"{found.task}: {sentence}"))
    first = found.first(most)
    if first:
        table(HEADERS, [row(part) for part in first])


def margins_of(texts: list[str]) -> tuple[float, dict[str, float]]:
    """("5", "aime24=10") -> (0.05, {"aime24": 0.1}). Raises ReportError."""
    default, margins = 0.05, {}
    for text in texts:
        task, _, number = text.rpartition("=")
        try:
            points = float(number)
        except ValueError:
            points = -1.0
        if not 0 < points < 100:
            raise ReportError(f"--margin {text}: expected points between 0 and 100, such as 5 or aime24=10")
        if task:
            margins[task] = points / 100
        else:
            default = points / 100
    return default, margins


@app.command(
    short_help="Repeats, tokens and hours a comparison needs",
    epilog="Example: s1-report plan --task aime24=30,0.5,8000 --margin 5 --tokens-per-second 2000",
)
def plan(
    margin: Annotated[float, typer.Option(min=0.01, max=99.0, help="Loss of accuracy to find, in points.")] = 5.0,
    power: Annotated[float, typer.Option(min=0.5, max=0.999, help="Probability of finding it.")] = 0.8,
    pilot: Annotated[Path | None, typer.Option(help="Record or lm_eval output that gives spread and tokens.")] = None,
    task: Annotated[
        list[str] | None, typer.Option(help="Without a pilot: NAME=QUESTIONS,ACCURACY,TOKENS, e.g. aime24=30,0.5,8000.")
    ] = None,
    tokens_per_second: Annotated[
        float | None, typer.Option(min=0.001, help="Decoding speed, to estimate hours.")
    ] = None,
    level: Level = 0.95,
) -> None:
    """Says how many repeats, tokens and hours a comparison needs to find a loss of the margin."""
    from s1_report import plan as planning
    from s1_report.runs import load_runs

    if (pilot is None) == (not task):
        raise ReportError("plan needs either --pilot RUN or --task NAME=QUESTIONS,ACCURACY,TOKENS")
    subjects = (
        [planning.from_record(run) for run in load_runs(pilot, measured=True)]
        if pilot is not None
        else [planning.from_text(text) for text in task or ()]
    )
    plans = [planning.plan(subject, margin / 100, level, power) for subject in subjects]
    table(planning.HEADERS, [planning.row(one, tokens_per_second) for one in plans])
    say(planning.footnote(margin / 100, level, power))
