"""The self-correction data: the teacher writes nothing wrong, first attempts are the model's own."""

import itertools
import random

import pytest

from s1_tasks.nano_problems import Problem, training_problems
from training.nano import checking


def test_a_quick_attempt_takes_two_digits_at_once_and_three_at_an_odd_end() -> None:
    assert checking.quick_attempt(Problem.parse("016 59738")) == "~434 738\n~448\nSo 448.\n"
    assert checking.quick_attempt(Problem.parse("016 59")) == "~434\nSo 434.\n"


@pytest.mark.parametrize("seed", range(3))
def test_quick_and_slow_attempts_of_the_teacher_are_right(seed: int) -> None:
    for problem in itertools.islice(training_problems(random.Random(seed)), 50):
        quick, slow = checking.quick_attempt(problem), checking.slow_attempt(problem)
        for attempt in (quick, slow):
            values = [int(line.removeprefix("~")[:3]) for line in attempt.splitlines()[:-1]]
            assert set(values) <= set(problem.values)
            assert attempt.endswith(f"{problem.answer:03d}\nSo {problem.answer:03d}.\n")
        assert slow.count("\n") == len(problem.digits) + 1
        assert quick.count("\n") == len(problem.digits) // 2 + 1


def test_a_wrong_first_attempt_is_kept_and_the_check_is_right() -> None:
    problem, first = Problem.parse("016 59738"), "~434 738\n~391\nSo 391.\n"
    rng = random.Random(0)
    traces = [checking._with_check(problem, first, 391, rng, checks=True) for _ in range(200)]
    checked = [trace for trace in traces if trace.correct]
    assert 50 < len(checked) < 110
    for trace in traces:
        text = "".join(piece.text for piece in trace.thinking)
        assert text.startswith(first)
        assert trace.answer == (448 if "Wait" in text else 391)
    assert all("So 391.\nWait think\n085 9738\n" in trace.thinking[0].text for trace in checked)
    assert not any(
        "Wait" in checking._with_check(problem, first, 391, rng, checks=False).thinking[0].text for _ in range(50)
    )
