"""`compare`, `gate` and `plan`: is the new run worse, and what would it take to know?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from s1_contract.printing import show as shown
from s1_report.commands import Figure, Filter, Level, MaxCut, Metric, app, remark, say, table
from s1_report.record import ReportError

if TYPE_CHECKING:
    from s1_report.collect import Run
    from s1_report.compare import Comparison
    from s1_report.record import RunRecord

Base = Annotated[
    Path, typer.Argument(metavar="BASE", help="Record, folder of records or lm_eval output to compare with.")
]
New = Annotated[Path, typer.Argument(metavar="NEW", help="The same of the new run.")]
Allow = Annotated[
    list[str] | None,
    typer.Option(
        "--allow", help="Accept a difference: task, metric, filter, dataset, prompt, checker, sampling, budget."
    ),
]
Margin = Annotated[
    list[str] | None,
    typer.Option(
        "--margin", help="Points one is willing to lose: 5, or aime24=10 for one task. Repeatable; default 5."
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
    """What changed, question by question: paired interval, exact tests, flips."""
    from s1_report.gate_formats import COMPARE_HEADERS, comparison_row, remarks, who

    comparisons, missing, _ = _comparisons(base, new, task, allow, level, metric, filter_name)
    table(COMPARE_HEADERS, [comparison_row(comparison) for comparison in comparisons])
    for comparison in comparisons:
        say(shown(f"{comparison.new.task}: {who(comparison)}"))
        if comparison.identical:
            say(shown(f"{comparison.new.task}: the runs are identical, answer by answer"))
        for sentence in remarks(comparison):
            say(shown(f"{comparison.new.task}: {sentence}"))
    for record in missing:
        remark(f"{new}: has no run of {record.label()}, so it is left out")
    if output is not None:
        from s1_report.plots import answers, style

        answers.draw_comparison(comparisons, output, "Change of accuracy")
        say("wrote " + " and ".join(str(path) for path in style.paths(output)))


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
    """PASS (exit code 0), REGRESSION (1) or INCONCLUSIVE (2); also 2 when the runs cannot be read or compared."""
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
    refuse_above(
        [run for pair in comparisons for run in (pair.base, pair.new)], None if max_cut is None else max_cut / 100
    )
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
    if output is not None:
        from s1_report.plots import answers, style

        answers.draw_comparison(comparisons, output, "Change of accuracy, and the margin", default)
        say("wrote " + " and ".join(str(path) for path in style.paths(output)))
    verdict = overall(checks, missing)
    if not (verdict is Verdict.INCONCLUSIVE and inconclusive_passes):
        raise typer.Exit(verdict.exit_code)


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
    says of each comparison where the transcripts part)."""
    from s1_report.compare import check_allowed, left_out, match
    from s1_report.compare import compare as pair
    from s1_report.runs import load_runs, logged_runs, records_under

    check_allowed(allow or ())
    sides, logs = [], {}
    for place in (base, new):
        if records_under(place):
            records = load_runs(place, measured=True)
        else:
            runs = logged_runs(place, metric=metric, filter_name=filter_name)
            records = [run.record for run in runs]
            logs.update({id(run.record): run for run in runs})
        sides.append(_of_tasks(records, tasks, place))
    pairs = match(*sides)
    for record in left_out(sides[1], pairs):
        remark(f"{new}: {record.task} is not in the baseline, so it is not compared: {record.label()}")

    def noise() -> list[tuple[str, ...]]:
        return [_parting(logs.get(id(old)), logs.get(id(now))) for old, now in pairs]

    return [pair(old, now, allow or (), level) for old, now in pairs], left_out(sides[0], pairs), noise


def _parting(old: Run | None, now: Run | None) -> tuple[str, ...]:
    """Where two runs part, in words; nothing when one of them is a record or has no traces."""
    from s1_report.diverge import diverge, has_traces

    if old is None or now is None or not (has_traces(old) and has_traces(now)):
        return ()
    return tuple(diverge(old, now).sentences())


def _of_tasks(records: list[RunRecord], tasks: list[str] | None, place: Path) -> list[RunRecord]:
    there = {record.task for record in records}
    for name in tasks or ():
        if name not in there:
            raise ReportError(f"--task {name}: not in {place}, which has {', '.join(sorted(there))}: name one of these")
    return [record for record in records if not tasks or record.task in tasks]


@app.command(
    short_help="Where two runs of one setting part, token by token",
    epilog="Example: s1-report diverge runs/vllm-0.31 runs/vllm-0.32 --show 20",
)
def diverge(
    base: Annotated[Path, typer.Argument(metavar="A", help="Output folder of lm_eval, with its traces.jsonl.")],
    new: Annotated[Path, typer.Argument(metavar="B", help="The same of the other run.")],
    task: Task = None,
    allow: Allow = None,
    show: Annotated[int, typer.Option(min=0, help="Show at most so many first differences; flips first.")] = 10,
    json_file: Annotated[Path | None, typer.Option("--json", help="File for every first difference as JSON.")] = None,
    metric: Metric = None,
    filter_name: Filter = None,
) -> None:
    """Share of identical transcripts, the first differing token, where it lies, and the answers it turned."""
    from s1_contract.files import write_whole
    from s1_report import diverge as parting
    from s1_report.compare import check_comparable, left_out, match
    from s1_report.runs import logged_runs

    sides = [logged_runs(place, metric=metric, filter_name=filter_name) for place in (base, new)]
    runs = {id(run.record): run for side in sides for run in side}
    records = [
        _of_tasks([run.record for run in side], task, place) for side, place in zip(sides, (base, new), strict=True)
    ]
    pairs = match(*records)
    for record in [*left_out(records[0], pairs), *left_out(records[1], pairs)]:
        remark(f"only one side has {record.label()}, so it is left out")
    found = []
    for old, now in pairs:
        check_comparable(old, now, allow or ())
        one = parting.diverge(runs[id(old)], runs[id(now)])
        found.append(one)
        for sentence in one.sentences():
            say(shown(f"{one.task}: {sentence}"))
        first = sorted(one.partings, key=lambda part: (not part.flips, part.common))[:show]
        if first:
            table(parting.HEADERS, [parting.row(part) for part in first])
    if json_file is not None:
        write_whole(json_file, parting.as_json(found))


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
    power: Annotated[float, typer.Option(min=0.5, max=0.999, help="How surely it is to be found.")] = 0.8,
    pilot: Annotated[Path | None, typer.Option(help="Record or lm_eval output to take spread and tokens from.")] = None,
    task: Annotated[
        list[str] | None, typer.Option(help="Without a pilot: NAME=QUESTIONS,ACCURACY,TOKENS, e.g. aime24=30,0.5,8000.")
    ] = None,
    tokens_per_second: Annotated[
        float | None, typer.Option(min=0.001, help="For hours: what the engine decodes.")
    ] = None,
    level: Level = 0.95,
) -> None:
    """Repeats per question, tokens and hours that a comparison needs to find a loss of the margin."""
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
