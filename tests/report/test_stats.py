"""Intervals and estimators against scipy, brute force and published examples."""

import itertools
import random
import subprocess
import sys
from collections import Counter

import pytest
from scipy.stats import binomtest

from s1_report import stats

SHARES = [(0, 30), (1, 30), (15, 30), (29, 30), (30, 30), (119, 198), (465, 500)]


def once(successes, trials):
    return [[float(index < successes)] for index in range(trials)]


@pytest.mark.parametrize(("successes", "trials"), SHARES)
def test_wilson_agrees_with_scipy(successes, trials):
    for level in (0.9, 0.95, 0.99):
        wilson = binomtest(successes, trials).proportion_ci(level, method="wilson")
        assert stats.wilson(successes, trials, level) == pytest.approx((wilson.low, wilson.high), abs=1e-9)


@pytest.mark.parametrize(("successes", "trials"), SHARES)
def test_at_one_repeat_the_accuracy_interval_is_wilsons(successes, trials):
    expected = stats.wilson(successes, trials)
    assert stats.accuracy_interval(once(successes, trials)) == pytest.approx(expected, abs=1e-9)


def test_no_error_bar_is_zero_when_every_answer_is_right():
    for repeats in (1, 4, 64):
        correct = [[1.0] * repeats] * 30
        such = stats.accuracy_interval(correct)
        assert such.high == pytest.approx(1.0)
        assert such.low == pytest.approx(stats.wilson(30, 30).low)
        assert stats.clustered_standard_error(correct) > 0.02
    these = stats.accuracy_interval_these([[1.0] * 4] * 30)
    assert 0.9 < these.low < 0.999


def test_questions_that_happen_to_agree_are_worth_a_bounded_number_of_trials():
    # All questions half right: no spread at all, and yet the interval of three questions is wide.
    three = stats.accuracy_interval([[1, 0]] * 3)
    assert three == pytest.approx((0.209, 0.791), abs=5e-4)
    assert three == stats.accuracy_interval([[0.5]] * 3)
    # SUCH_FLOOR is half a question: 30 agreeing questions count as 30 (1/4 + 1/60) / (1/60) = 480 trials.
    assert stats.accuracy_interval([[1, 0]] * 30) == pytest.approx(stats.wilson(240, 480), abs=1e-9)
    # Its standard error is that of half a question that disagrees: sqrt(1/2 / (n (n - 1))).
    assert stats.clustered_standard_error([[1, 0]] * 30) == pytest.approx((0.5 / 29 / 30) ** 0.5)


def test_repeats_that_happen_to_agree_are_worth_as_many_trials_as_there_are_answers():
    assert stats.accuracy_interval_these([[1, 1, 1, 1]] * 30) == pytest.approx(stats.wilson(120, 120))
    # Half of the questions always right, half never: 30 questions x 4 answers, 120 (1/4 + 1/300) / (1/300) trials.
    mixed = stats.accuracy_interval_these([[1] * 4] * 15 + [[0] * 4] * 15)
    trials = 120 * (0.25 + 0.1 / 30) / (0.1 / 30)
    assert mixed == pytest.approx(stats.wilson(trials / 2, trials))


def test_importing_the_intervals_loads_neither_numpy_nor_scipy():
    code = "import sys, s1_report.stats; print(sorted({'numpy', 'scipy'} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_repeats_narrow_these_questions_but_hardly_such_questions():
    generator = random.Random(0)
    chances = [generator.betavariate(0.4, 0.4) for _ in range(30)]
    few, many = ([[float(generator.random() < p) for _ in range(k)] for p in chances] for k in (4, 64))
    width = {name: [i.high - i.low for i in map(function, (few, many))] for name, function in {
        "such": stats.accuracy_interval, "these": stats.accuracy_interval_these}.items()}  # fmt: skip
    assert width["these"][1] < 0.35 * width["these"][0]
    assert width["such"][1] > 0.8 * width["such"][0]


def test_one_repeat_says_nothing_about_these_questions():
    assert stats.accuracy_interval_these(once(15, 30)) is None
    assert stats.variance_within(once(15, 30)) is None


def test_pass_at_k_agrees_with_counting_subsets():
    rows = [[1, 0, 0, 1, 0], [0, 0, 0, 0, 0], [1, 1, 1, 1, 1]]
    for drawn in range(1, 6):
        counted = [
            sum(any(subset) for subset in itertools.combinations(row, drawn))
            / len(list(itertools.combinations(row, drawn)))
            for row in rows
        ]
        assert stats.pass_at_k(rows, drawn) == pytest.approx(sum(counted) / 3, abs=1e-9)
    with pytest.raises(ValueError, match="pass@6 needs 6 repeats"):
        stats.pass_at_k(rows, 6)


def vote(answers, correct, chosen):
    votes = Counter(answers[index] for index in chosen if answers[index] is not None)
    winners = [answer for answer, count in votes.items() if count == max(votes.values())]
    right = {answers[index] for index in chosen if correct[index]}
    return len(right & set(winners)) / len(winners) if winners else 0.0


def test_maj_at_k_agrees_with_voting_in_every_subset_ties_split_and_silent_answers_without_a_vote():
    generator = random.Random(1)
    for _ in range(60):
        count = generator.randint(1, 8)
        answers = [generator.choice(["right", "a", "b", "c", None]) for _ in range(count)]
        correct = [float(answer == "right") for answer in answers]
        drawn = generator.randint(1, count)
        subsets = list(itertools.combinations(range(count), drawn))
        expected = sum(vote(answers, correct, chosen) for chosen in subsets) / len(subsets)
        assert stats.maj_at_k([correct], [answers], drawn) == pytest.approx(expected, abs=1e-9)


def test_right_answers_that_are_written_differently_vote_together():
    assert stats.maj_at_k([[1, 1, 0, 0, 0]], [["0.5", "1/2", "2", "3", "4"]], 5) == 1.0


def test_the_bootstrap_interval_is_reproducible_and_holds_the_mean():
    values = [0.0, 0.25, 0.5, 1.0, 1.0, 0.75]
    first = stats.bootstrap_interval(values, seed=3)
    assert first == stats.bootstrap_interval(values, seed=3)
    assert first.low < sum(values) / 6 < first.high
