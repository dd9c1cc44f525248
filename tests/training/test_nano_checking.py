"""The self-correction data: the teacher writes nothing wrong, slips are the model's own."""

import itertools
import random

from s1_tasks.nano_problems import Problem, training_problems
from training.nano import checking, tokenizer, train


def test_leaps_take_the_last_digits_two_at_a_time() -> None:
    problem = Problem.parse("016 59738")
    assert checking.leaps(problem, 1) == "085 9738\n434 738\n177 38\n~448\nSo 448.\n"
    assert checking.leaps(problem, 2) == "085 9738\n~177 38\n~448\nSo 448.\n"


def test_every_value_that_the_teacher_writes_is_right() -> None:
    for problem in itertools.islice(training_problems(random.Random(0)), 200):
        for count in range(1, (len(problem.digits) - 1) // 2 + 1):
            attempt = checking.leaps(problem, count)
            written = [int(line.removeprefix("~")[:3]) for line in attempt.splitlines()[:-1]]
            assert set(written) <= set(problem.values)
            assert attempt.endswith(f"~{problem.answer:03d}\nSo {problem.answer:03d}.\n")


def test_a_check_goes_back_to_the_last_slow_line_and_ends_right() -> None:
    trace = checking.checked(Problem.parse("016 59738"), 391, repeats=1, learn_first=False)
    text = "".join(piece.text for piece in trace.thinking)
    assert text == ("085 9738\n434 738\n177 38\n~391\nSo 391.\nWait\n888 8\n448\nSo 448.\nWait done.\nSo 448.\n")
    assert [piece.text for piece in trace.thinking if piece.forced] == ["~391\nSo 391.\n", "Wait"]
    assert trace.correct


def test_the_tuning_set_holds_the_models_own_values_and_the_control_no_check() -> None:
    words = tokenizer.build()
    model = train.new_model(words, seed=0).eval()
    recipe = train.Recipe(tuning_traces=30)
    # An untrained model says no numbers, so only the two-digit problems remain, solved slowly.
    chosen = checking.tuning_set(model, words, recipe, seed=0)
    assert chosen
    assert all(trace.correct and len(trace.problem.digits) == 2 for trace in chosen)
    control = checking.tuning_set(model, words, recipe, seed=0, checks=False)
    assert [trace.problem for trace in control] == [trace.problem for trace in chosen]
