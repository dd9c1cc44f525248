"""Judging stored answers again: by our checker, by Math-Verify, by plain comparison, by any command."""

import json
import sys

import pytest

from s1_report.cli import main
from s1_report.collect import collect
from s1_report.record import ReportError
from s1_report.rescore import PLAIN, changed_rows, checkers_of, plain_match, rescore_run, score_rows

YES = f"""{sys.executable} -c 'import json, sys; [print(json.dumps({{"outcome": "correct"}})) for _ in sys.stdin]'"""


@pytest.mark.parametrize(
    ("text", "reference", "outcome", "answer"),
    [
        (r"so \boxed{1} or \boxed{\frac{1}{2}}", r"\frac{1}{2}", "correct", r"\frac{1}{2}"),
        ("Final Answer: 604", "604", "correct", "604"),
        ("The answer is $0.5$.", "1/2", "incorrect", "$0.5$."),
        ("I do not know", "604", "no answer", None),
    ],
)
def test_the_plain_match_compares_what_is_written(text, reference, outcome, answer):
    assert plain_match(text, reference) == {"outcome": outcome, "answer": answer, "version": ""}


def test_our_checker_and_the_plain_match_agree_with_the_log_on_integers(run_folder):
    folder = run_folder("run", {"aime24": [[1, 0], [0, 0], [1, 1]]})
    (run,) = collect(folder).runs
    result = rescore_run(run, checkers_of([]))
    assert {"s1_tasks", PLAIN} <= set(result.checkers)
    assert changed_rows(result) == []
    assert {row[3] for row in score_rows(result)} == {"3"}


def test_any_command_can_judge_and_changed_verdicts_are_listed(run_folder):
    (run,) = collect(run_folder("run", {"aime24": [[1], [0]]})).runs
    result = rescore_run(run, {"yes": ["/bin/sh", "-c", YES], PLAIN: None})
    rows = {row[1]: row[2:] for row in score_rows(result)}
    assert rows["yes"][:2] == ("2", "2")
    assert rows["yes"][-2:] == ("0", "1")
    ((_, doc_id, repeat, reference, logged_answer, logged, name, _, outcome),) = changed_rows(result)
    assert (doc_id, repeat, reference, logged_answer, logged) == ("1", "0", "2", "-1", "not right")
    assert (name, outcome) == ("yes", "correct")


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("exit 3", "exited with 3"),
        ("echo nonsense", "no JSON line"),
        ("echo '{}'", "1 verdicts for 1 answers"),
        ("cat > /dev/null", "0 verdicts for 1 answers"),
    ],
)
def test_a_checker_that_fails_is_named(run_folder, command, words):
    (run,) = collect(run_folder("run", {"aime24": [[1]]})).runs
    with pytest.raises(ReportError, match="checker broken") as error:
        rescore_run(run, {"broken": ["/bin/sh", "-c", command]})
    assert words in str(error.value)


def test_the_command_prints_scores_by_checker(run_folder, monkeypatch, capsys):
    folder = run_folder("run", {"aime24": [[1], [0]]})
    monkeypatch.setattr("sys.argv", ["s1-report", "rescore", str(folder), "--checker", f"yes={YES}"])
    with pytest.raises(SystemExit) as stop:
        main()
    out = capsys.readouterr().out
    assert not stop.value.code
    assert "plain string match" in out
    assert "1 verdicts differ" in out


def test_a_checker_without_a_command_is_refused():
    with pytest.raises(ReportError, match="NAME=COMMAND"):
        checkers_of(["old"])


def test_of_several_filters_only_the_chosen_one_is_judged(run_folder):
    folder = run_folder("plain", {"gsm8k": [[1], [0]]}, plain=True)
    (path,) = folder.glob("samples_*")
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    path.write_text("".join(json.dumps({**row, "filter": name}) + "\n" for name in ("strict", "loose") for row in rows))
    (run,) = collect(folder, filter_name="loose").runs
    assert run.record.filter == "loose"
    assert len(rescore_run(run, {PLAIN: None}).answers) == 2
