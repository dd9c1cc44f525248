"""`compare`, `gate` and `plan`: is the new run worse, and what would it take to know?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from s1_report.commands import Figure, Filter, Level, Metric, app, say, table
from s1_report.record import ReportError

if TYPE_CHECKING:
    from s1_report.compare import Comparison

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


@app.command(
    short_help="What changed between two runs, with intervals", epilog="Example: s1-report compare baseline runs/new"
)
def compare(
    base: Base,
    new: New,
    allow: Allow = None,
    output: Figure = None,
    level: Level = 0.95,
    metric: Metric = None,
    filter_name: Filter = None,
) -> None:
    """What changed, question by question: paired interval, exact tests, flips."""
    from s1_report.gate_formats import COMPARE_HEADERS, comparison_row

    comparisons = _comparisons(base, new, allow, level, metric, filter_name)
    table(COMPARE_HEADERS, [comparison_row(comparison) for comparison in comparisons])
    for comparison in comparisons:
        for sentence in comparison.allowed:
            say(f"{comparison.new.task}: allowed: {sentence}")
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
    allow: Allow = None,
    level: Level = 0.95,
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

    default, margins = margins_of(margin or [])
    comparisons = _comparisons(base, new, allow, level, metric, filter_name)
    unused = sorted(margins.keys() - {comparison.base.task for comparison in comparisons})
    if unused:
        raise ReportError(f"--margin {unused[0]}=...: no such task in {base}: remove it or name one of its tasks")
    checks = check(comparisons, margins, default, level)
    say(gate_formats.text(checks))
    for path, text in (
        (markdown, gate_formats.markdown(checks)),
        (junit, gate_formats.junit(checks)),
        (json_file, gate_formats.as_json(checks)),
    ):
        if path is not None:
            write_whole(path, text)
    if output is not None:
        from s1_report.plots import answers, style

        answers.draw_comparison(comparisons, output, "Change of accuracy, and the margin", default)
        say("wrote " + " and ".join(str(path) for path in style.paths(output)))
    verdict = overall(checks)
    if not (verdict is Verdict.INCONCLUSIVE and inconclusive_passes):
        raise typer.Exit(verdict.exit_code)


def _comparisons(
    base: Path, new: Path, allow: list[str] | None, level: float, metric: str | None, filter_name: str | None
) -> list[Comparison]:
    from s1_report.compare import check_allowed, match
    from s1_report.compare import compare as pair
    from s1_report.runs import load_runs

    check_allowed(allow or ())
    old_runs, new_runs = (
        load_runs(place, metric=metric, filter_name=filter_name, measured=True) for place in (base, new)
    )
    comparisons = [pair(old, now, allow or (), level) for old, now in match(old_runs, new_runs)]
    for task in sorted({run.task for run in new_runs} - {comparison.new.task for comparison in comparisons}):
        typer.echo(f"s1-report: {new}: {task} is not in the baseline, so it is not compared", err=True)
    return comparisons


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
    say(planning.FOOTNOTE.format(margin=margin, power=power))
