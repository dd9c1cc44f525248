"""`s1-report explain` shows every candidate with its stance, which won and why, and how it was read and compared."""

import pytest
from typer.testing import CliRunner

from s1_report.cli import app
from s1_report.record import ReportError
from s1_tasks.answers.explain import explain
from s1_tasks.answers.find.ranking import Stance


def run(*arguments: str, text: str | None = None) -> str:
    result = CliRunner().invoke(app, ["explain", *arguments], input=text, catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


def test_what_is_taken_back_is_shown_as_revoked_and_the_correction_wins() -> None:
    shown = run("The answer is 6. Wait, that is wrong: it should be 8.", "--gold", "8")
    assert "[6|revoked]" in shown
    assert "[8|asserted, wins]" in shown
    assert "It wins because the last sentence concludes." in shown
    assert "correct: the same" in shown


def test_the_trees_of_both_sides_are_shown() -> None:
    shown = run("-", "--gold", "0.75", text=r"So $\boxed{\frac{3}{4}}$.")
    assert shown.count("3/4") >= 2
    assert "Answer read as:" in shown
    assert "Reference read as:" in shown


def test_a_letter_a_text_without_candidates_and_unfinished_thinking() -> None:
    assert "[C|asserted, wins]" in run(
        r"\boxed{B} Actually, I misread; the answer is C.", "--gold", "C", "--kind", "choice"
    )
    assert "none" in run("Let us begin by", "--gold", "5")
    assert "never ends" in run("<think>so 5", "--gold", "5")


def test_commands_for_the_terminal_in_a_text_do_nothing() -> None:
    assert "\x1b[2J" not in run("The answer is \x1b[2J5.", "--gold", "5")


@pytest.mark.parametrize(
    ("arguments", "message"), [(["--gold", ""], "empty"), (["--gold", "5", "--kind", "proof"], "kind")]
)
def test_wrong_options_are_one_sentence(arguments: list[str], message: str) -> None:
    with pytest.raises(ReportError, match=message):
        CliRunner().invoke(app, ["explain", "5", *arguments], catch_exceptions=False)


def test_the_pieces_are_the_text_and_the_verdict_names_what_the_winner_beat() -> None:
    text = "One might guess 12, but the answer is 14. Hmm, no: it is 15."
    found = explain(text, "15")
    assert "".join(piece for piece, _ in found.spans()) == text
    assert found.verdict.correct
    assert found.verdict.stance == Stance.ASSERTED.value
    assert found.verdict.beat == ("14 (answer is, revoked)",)
