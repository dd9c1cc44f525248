"""Planning repeats, tokens and hours, from a pilot or from assumptions."""

import random

import numpy as np
import pytest

from s1_report import paired, plan
from s1_report.cli import main
from s1_report.collect import collect
from s1_report.record import ReportError


def test_more_repeats_are_planned_for_smaller_margins_and_fewer_questions():
    subject = plan.from_text("aime24=30,0.5,8000")
    wide, narrow = (plan.plan(subject, margin).repeats for margin in (0.10, 0.05))
    assert 1 < wide < narrow
    assert plan.plan(plan.from_text("math500=500,0.5,8000"), 0.05).repeats < narrow


def test_the_plan_finds_what_was_asked_for_and_counts_tokens_of_both_runs():
    planned = plan.plan(plan.from_text("aime24=30,0.5,8000"), 0.05)
    assert 0.79 <= planned.power < 0.85
    assert planned.single > 0.05
    assert planned.answers == 2 * 30 * planned.repeats
    assert planned.tokens == planned.answers * 8000
    assert plan.row(planned, tokens_per_second=planned.tokens / 7200)[-2] == "2"


def test_a_pilot_with_repeats_gives_the_spread_and_one_without_assumes_it(run_folder):
    generator = random.Random(0)
    chances = [generator.betavariate(0.4, 0.4) for _ in range(30)]
    outcomes = [[int(generator.random() < chance) for _ in range(16)] for chance in chances]
    (pilot,) = collect(run_folder("pilot", {"aime24": outcomes}, thinking_tokens={"aime24": 900})).records
    subject = plan.from_record(pilot)
    assert subject.within == pytest.approx(sum(c * (1 - c) for c in chances) / 30, abs=0.03)
    assert 905 < subject.tokens < 920
    (single,) = collect(run_folder("single", {"aime24": [[row[0]] for row in outcomes]})).records
    assert plan.from_record(single).within == pytest.approx(plan.assumed_within(single.accuracy))


def test_a_perfect_pilot_still_asks_for_something(run_folder):
    (pilot,) = collect(run_folder("pilot", {"aime24": [[1, 1]] * 30})).records
    assert plan.plan(plan.from_record(pilot), 0.01).repeats > 1


def test_a_text_that_is_no_plan_is_refused():
    for text in ("aime24", "aime24=1,0.5", "aime24=30,50", "aime24=30,0.5,8000,1", "aime24=30,x"):
        with pytest.raises(ReportError, match="expected"):
            plan.from_text(text)


def test_the_command_prints_repeats_and_hours_and_needs_one_source(monkeypatch, capsys):
    monkeypatch.setattr(
        "sys.argv", ["s1-report", "plan", "--task", "aime24=30,0.5,8000", "--tokens-per-second", "2000"]
    )
    with pytest.raises(SystemExit) as stop:
        main()
    out = capsys.readouterr().out
    assert not stop.value.code
    assert "aime24" in out
    assert "hours" in out
    monkeypatch.setattr("sys.argv", ["s1-report", "plan"])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 2
    assert "--pilot" in capsys.readouterr().err


def test_the_smallest_number_that_is_enough_is_found_wherever_it_lies():
    for wanted in (*range(1, 20), 63, 64, 65, 1000):
        assert plan.smallest(lambda number, wanted=wanted: number >= wanted, most=1000) == wanted
    assert plan.smallest(lambda number: number >= 1001, most=1000) is None
    assert plan.smallest(lambda number: number >= 3, least=5) == 5


def test_a_plan_is_the_fewest_repeats_that_keep_the_promise():
    subject = plan.from_text("aime24=30,0.5")
    planned = plan.plan(subject, 0.05)
    assert planned.power >= 0.79 > plan.power_of(subject, planned.repeats - 1, 0.05)


@pytest.mark.parametrize(("questions", "accuracy", "margin"), [(30, 0.5, 0.05), (90, 0.8, 0.05), (198, 0.6, 0.03)])
def test_the_gate_finds_proportional_losses_as_often_as_the_plan_promises(questions, accuracy, margin):
    planned = plan.plan(plan.from_text(f"task={questions},{accuracy}"), margin)
    generator = np.random.default_rng(0)
    chances = generator.beta(0.8 * accuracy, 0.8 * (1 - accuracy), (3000, questions))
    base, new = (generator.binomial(planned.repeats, kept * chances) for kept in (1, 1 - margin / accuracy))
    found = (paired.sign_flip((new - base) / planned.repeats, planned.repeats) <= 0.025).mean()
    assert found == pytest.approx(planned.power, abs=0.03)
    assert 0.78 <= found <= 0.87


def test_the_plan_says_how_often_an_unchanged_model_passes():
    assert plan.plan(plan.from_text("aime24=30,0.5"), 0.05).passes == 0.0
    planned = plan.plan(plan.from_text("task=198,0.6"), 0.05)
    generator = np.random.default_rng(1)
    chances = generator.beta(0.48, 0.32, (2000, 198))
    base, new = (generator.binomial(planned.repeats, chances) / planned.repeats for _ in range(2))
    assert (paired.chance_of_loss(new - base, 0.05) <= 0.05).mean() == pytest.approx(planned.passes, abs=0.04)


def test_what_it_takes_to_pass_without_any_difference_is_what_the_bound_needs():
    for margin in (0.02, 0.03, 0.05, 0.1):
        fewest = paired.fewest_questions(margin)
        assert fewest <= plan.questions_to_pass(0.0, margin) <= fewest + 1
        assert plan.repeats_to_pass(0.1, fewest - 1, margin) is None


def test_a_loss_that_the_model_cannot_have_is_refused():
    with pytest.raises(ReportError, match=r"an accuracy of 4.0 cannot fall by 5 points"):
        plan.plan(plan.from_text("aime24=30,0.04"), 0.05)
