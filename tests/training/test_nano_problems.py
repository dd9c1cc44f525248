"""The nano problems: arithmetic, determinism, and that what is held out stays out of training."""

import hashlib
import itertools
import random

import pytest

from s1_tasks import nano_problems
from s1_tasks.nano_problems import Problem
from training.nano import traces, train


def test_a_problem_is_the_chain_of_5x_plus_d_mod_1000() -> None:
    problem = Problem.parse("016 59738")
    assert problem.values == (85, 434, 177, 888, 448)
    assert (problem.answer, problem.text) == (448, "016 59738")


@pytest.mark.parametrize("text", ["16 597", "016", "016 ", "016 59x", "0160 5", "", "abc 123", "016 5 9"])
def test_a_text_that_is_no_problem_is_refused_with_what_was_expected(text: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        Problem.parse(text)


def test_held_out_problems_are_the_same_every_time_distinct_and_held_out() -> None:
    rows = nano_problems.held_out(300, seed=3)
    assert rows == nano_problems.held_out(300, seed=3)
    assert rows[:100] == nano_problems.held_out(100, seed=3)
    assert rows != nano_problems.held_out(300, seed=4)
    assert len({row["problem"] for row in rows}) == 300
    for row in rows:
        problem = Problem.parse(row["problem"])
        assert nano_problems.is_held_out(problem)
        assert row["answer"] == str(problem.answer)
        assert not any(nano_problems.is_unseen_step(*step) for step in nano_problems.steps_of(problem))


def test_training_never_sees_a_held_out_problem_or_an_unseen_step() -> None:
    problems = list(itertools.islice(nano_problems.training_problems(random.Random(1)), 3000))
    problems += [trace.problem for trace in train.tuning_set(train.RECIPE, seed=0)]
    assert not any(nano_problems.is_held_out(problem) for problem in problems)
    assert not any(
        nano_problems.is_unseen_step(*step) for problem in problems for step in nano_problems.steps_of(problem)
    )
    assert {len(problem.digits) for problem in problems} == {2, 3, 4, 5, 6}
    held_out = {row["problem"] for row in nano_problems.held_out(2000)}
    assert held_out.isdisjoint(problem.text for problem in problems)


def test_no_line_of_a_training_trace_is_a_held_out_problem() -> None:
    rng = random.Random(2)
    written = train.tuning_set(train.RECIPE, seed=0)
    written += [
        traces.write(problem, traces.base_habits(rng), rng)
        for problem in itertools.islice(nano_problems.training_problems(rng), 3000)
    ]
    lines = {line for trace in written for piece in trace.thinking for line in piece.text.split("\n")}
    assert len(lines) > 5000
    assert not any(traces.states_held_out(line) for line in lines)
    # All that can be asked, whatever the seed, is what the rule calls held out.
    asked = {row["problem"] for seed in range(5) for row in nano_problems.held_out(1000, seed)}
    assert all(traces.states_held_out(text) for text in asked)
    assert asked.isdisjoint(lines)
    assert any(trace.cut_off for trace in written)


def test_the_held_out_problems_are_those_of_the_published_tables() -> None:
    texts = "\n".join(row["problem"] for row in nano_problems.held_out(500))
    assert hashlib.sha256(texts.encode()).hexdigest()[:16] == "b5c7bcc6136fb977"


def test_about_a_tenth_of_all_problems_is_held_out_and_a_tenth_of_all_steps_unseen() -> None:
    rng = random.Random(0)
    problems = [Problem(rng.randrange(1000), f"{rng.randrange(10**6):06d}") for _ in range(5000)]
    assert 400 < sum(nano_problems.is_held_out(problem) for problem in problems) < 600
    steps = sum(nano_problems.is_unseen_step(x, digit) for x in range(1000) for digit in range(10))
    assert 900 < steps < 1100


def test_every_step_of_an_unseen_steps_problem_is_unseen() -> None:
    rows = nano_problems.unseen_steps(200)
    assert len({row["problem"] for row in rows}) == 200
    for row in rows:
        assert all(
            nano_problems.is_unseen_step(*step) for step in nano_problems.steps_of(Problem.parse(row["problem"]))
        )


@pytest.mark.parametrize("count", [0, -1, 10_001])
def test_an_impossible_number_of_problems_is_refused(count: int) -> None:
    with pytest.raises(ValueError, match=f"num_problems is {count}; expected 1 to 10,000"):
        nano_problems.held_out(count)


def test_a_cut_trace_answers_the_last_value_it_had_written() -> None:
    rng = random.Random(5)
    habits = traces.Habits(stop=lambda value: 0.3, go_on=1.0, repeats=lambda: 2, wait=lambda: "Wait", cut=1.0)
    for problem in itertools.islice(nano_problems.training_problems(rng), 200):
        trace = traces.write(problem, habits, rng)
        text = "".join(piece.text for piece in trace.thinking)
        complete = [line for line in text.split("\n")[:-1] if line[:3].isdecimal()]
        assert trace.cut_off
        assert trace.answer in (problem.start, *problem.values)
        if complete:
            # The value of the last whole line, or of the begun one when its three digits are there.
            at = problem.values.index(int(complete[-1][:3]))
            assert trace.answer in problem.values[at:]


def test_an_uncut_trace_is_right_exactly_when_it_did_every_step() -> None:
    rng = random.Random(6)
    habits = traces.Habits(stop=lambda value: 0.5, go_on=0.5, repeats=lambda: 1, wait=lambda: "Wait", cut=0.0)
    early = 0
    for problem in itertools.islice(nano_problems.training_problems(rng), 300):
        trace = traces.write(problem, habits, rng)
        text = "".join(piece.text for piece in trace.thinking)
        lines = [line for line in text.split("\n") if line[:3].isdecimal()]
        assert [int(line[:3]) for line in lines] == list(problem.values[: len(lines)])
        assert text.endswith(f"So {trace.answer:03d}.\n")
        assert not any(piece.forced for piece in trace.thinking) or len(lines) == len(problem.digits)
        early += len(lines) < len(problem.digits)
    assert 50 < early < 250
