"""`explain`: why one text was judged as it was. The only command that runs the answer check itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from s1_contract.printing import show, show_lines
from s1_report.commands import app
from s1_report.record import ReportError

if TYPE_CHECKING:
    from s1_tasks.answers.explain import Explanation

_COLOURS = {
    "asserted": typer.colors.GREEN,
    "supposed": typer.colors.YELLOW,
    "asked": typer.colors.YELLOW,
    "denied": typer.colors.RED,
    "revoked": typer.colors.RED,
}
_KINDS = ("math", "integer", "choice")


@app.command(
    short_help="Show why a text was judged right or wrong",
    epilog="Example: s1-report explain 'The answer is 6. Wait, it should be 8.' --gold 8",
)
def explain(
    text: Annotated[str, typer.Argument(metavar="TEXT", help="A model's output; - reads it from standard input.")],
    gold: Annotated[str, typer.Option(help="The reference answer.")],
    kind: Annotated[str, typer.Option(help="Kind of the reference: math, integer or choice.")] = "math",
    question: Annotated[str | None, typer.Option(help="The question, which breaks ties.")] = None,
) -> None:
    """Marks every candidate for the answer in the text, and says which one won, why, and how it compared."""
    from s1_tasks.answers import BrokenReference
    from s1_tasks.answers.explain import explain as explained

    if kind not in _KINDS:
        raise ReportError(f"--kind is {kind!r}, expected one of {', '.join(_KINDS)}: say what the question asks for")
    text = typer.get_text_stream("stdin").read() if text == "-" else text
    try:
        found = explained(text, gold, kind=kind, question=question)  # type: ignore[arg-type]  # checked above
    except BrokenReference as broken:
        raise ReportError(str(broken)) from broken
    for line in _lines(found):
        typer.echo(line)


def _lines(found: Explanation) -> list[str]:
    """What is printed: the text with its candidates coloured, then what won, what was read, and the verdict."""
    if found.part is None:
        return ["The thinking never ends, so there is no answer."]
    coloured = "".join(
        show_lines(piece) if candidate is None else _mark(piece, candidate.stance.value, candidate is found.winner)
        for piece, candidate in found.spans()
    )
    lines = [coloured.strip(), "", "Candidates, in order:"]
    for candidate in found.candidates:
        won = "  <- wins" if candidate is found.winner else ""
        lines.append(f"  {show(candidate.answer)}  [{candidate.rule}, {candidate.stance.value}]{won}")
    if not found.candidates:
        lines.append("  none")
    if found.winner is not None:
        lines.append(f"It wins because {found.why}.")
    lines += [f"Answer read as:    {show(tree)}" for tree in found.answer_trees]
    lines += [f"Reference read as: {show(tree)}" for tree in found.reference_trees]
    verdict = found.verdict
    return [*lines, f"{verdict.outcome.value}: {show(verdict.reason)} (checker {verdict.checker_version})"]


def _mark(piece: str, stance: str, wins: bool) -> str:
    """A candidate in its colour with its stance behind it, so that the text also says it where there is no colour."""
    shown = f"[{show_lines(piece)}|{stance}{', wins' if wins else ''}]"
    return typer.style(shown, fg=_COLOURS.get(stance, typer.colors.MAGENTA), bold=wins)
