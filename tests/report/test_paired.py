"""Paired tests against brute force and scipy; planning against the formula it inverts."""

import itertools

import numpy as np
import pytest
from scipy.stats import binom, binomtest, permutation_test, t

from s1_report import paired


def test_mcnemar_is_the_binomial_test_of_the_discordant_pairs():
    base, new = [1] * 9 + [0] * 11, [0] * 7 + [1] * 2 + [1] * 1 + [0] * 10
    result = paired.mcnemar(base, new)
    assert result[:2] == (7, 1)
    assert result.p == pytest.approx(binomtest(7, 8).pvalue, abs=1e-9)
    assert paired.mcnemar([1, 0], [1, 0]) == (0, 0, 1.0)
    with pytest.raises(ValueError, match="0 and 1"):
        paired.mcnemar([0.5], [1.0])


@pytest.mark.parametrize("repeats", [1, 3, 8])
def test_sign_flip_agrees_with_all_flips(repeats):
    differences = np.random.default_rng(repeats).integers(-repeats, repeats + 1, (8, 9)) / repeats
    flips = np.array(list(itertools.product((-1, 1), repeat=9)))
    for row, p in zip(differences, paired.sign_flip(differences, repeats), strict=True):
        counted = (flips @ np.abs(row) <= row.sum() + 1e-9).mean()
        assert p == pytest.approx(counted, abs=1e-9)
        library = permutation_test((row,), lambda x, axis: x.sum(axis), permutation_type="samples", alternative="less",
                                   n_resamples=np.inf, vectorized=True)  # fmt: skip
        assert p == pytest.approx(library.pvalue, abs=1e-9)


def test_sign_flip_at_one_repeat_is_mcnemars_test():
    base = np.array([1] * 20 + [0] * 10)
    new = np.array([0] * 8 + [1] * 12 + [1] * 2 + [0] * 8)
    assert paired.sign_flip_two_sided(new - base) == pytest.approx(paired.mcnemar(base, new).p, abs=1e-12)


def test_sign_flip_is_drawn_when_differences_are_no_multiples_and_comes_near_the_count():
    differences = np.random.default_rng(0).normal(-0.3, 1, 12)
    flips = np.array(list(itertools.product((-1, 1), repeat=12)))
    counted = (flips @ np.abs(differences) <= differences.sum()).mean()
    (drawn,) = paired.sign_flip(differences, 1)
    assert drawn == pytest.approx(counted, abs=0.005)
    assert drawn == paired.sign_flip(differences, 1)[0]


def test_two_identical_runs_still_have_a_margin_of_error():
    for repeats in (1, 4, 64):
        assert paired.margin_of_error(np.zeros(30), repeats)[0] > 0
    assert paired.margin_of_error(np.zeros(30), 1)[0] > 0.05


def test_the_floor_of_the_interval_is_three_quarters_of_an_answer():
    for repeats in (1, 4, 64):
        half = paired.margin_of_error(np.zeros(30), repeats)[0]
        assert half == pytest.approx(t.ppf(0.975, 29) * (0.75 / repeats / 29 / 30) ** 0.5)


def test_holm_adjusts_in_order_and_never_lowers():
    assert paired.holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert paired.holm([0.9, 0.8]) == [1.0, 1.0]


def test_when_questions_are_only_kept_or_lost_the_bound_is_clopper_and_pearsons():
    for lost, questions, loss in ((0, 30, 0.05), (2, 90, 0.05), (16, 500, 0.05), (4, 15, 0.5), (15, 15, 0.9)):
        differences = [-1.0] * lost + [0.0] * (questions - lost)
        assert paired.chance_of_loss(differences, loss)[0] == pytest.approx(binom.cdf(lost, questions, loss), abs=1e-5)
    exact = binomtest(3, 60).proportion_ci(0.9, method="exact").high
    assert paired.lowest_change([-1.0] * 3 + [0.0] * 57, 0.95) == pytest.approx(-exact, abs=1e-4)


def test_the_bound_is_the_quantile_of_means_weighted_at_random():
    generator = np.random.default_rng(0)
    for repeats, questions, loss in ((4, 30, 0.05), (64, 90, 0.02), (1, 198, 0.03), (7, 5, 0.3)):
        row = generator.integers(-repeats, repeats + 1, questions) / repeats * generator.integers(0, 2, questions)
        weights = generator.exponential(size=(100_000, questions + 1))
        drawn = (weights @ np.append(row, -1.0) / weights.sum(axis=1) <= -loss).mean()
        assert paired.chance_of_loss(row, loss)[0] == pytest.approx(drawn, abs=0.006)


def wrong_pass(questions, margin, loss, gain):
    """Exact chance that a model passes which loses `loss` on some questions, gains `gain` on the others, and -margin
    on average.
    """
    share = (margin + gain) / (loss + gain)
    chances = binom.pmf(range(questions + 1), questions, share)
    lost = [count for count in range(questions + 1) if chances[count] > 1e-6]
    rows = [[-loss] * count + [gain] * (questions - count) for count in lost]
    return sum(chances[count] for count, p in zip(lost, paired.chance_of_loss(rows, margin), strict=True) if p <= 0.05)


@pytest.mark.parametrize("questions", [10, 20, 45, 64, 130, 260])
def test_a_model_that_lost_the_margin_passes_in_at_most_five_percent_however_loss_and_gain_are_mixed(questions):
    shares = [
        wrong_pass(questions, margin, loss, gain)
        for margin in (0.01, 0.025, 0.04, 0.08, 0.15)
        for loss in (1.0, 0.5, 0.25)
        for gain in (0.0, 0.01, 0.05, 0.2, 1.0)
        if margin < loss
    ]
    assert max(shares) <= 0.05
    assert max(shares) > 0.02 or questions < 45  # and not for want of passing anything


def test_the_bound_of_many_distinct_differences_is_never_better_than_exact():
    row = np.random.default_rng(0).normal(0, 0.2, paired.MOST_VALUES + 500).clip(-1, 1)
    normal = row.mean() - 1.645 * row.std() / len(row) ** 0.5
    assert normal - 0.003 < paired.lowest_change(row) < normal


def test_bounds_at_the_ends_of_the_scale():
    assert paired.lowest_change([-1.0, -1.0]) == -1.0
    assert paired.lowest_change([1.0] * 3) == pytest.approx(2 * 0.05 ** (1 / 3) - 1, abs=1e-4)
    assert paired.chance_of_loss([[0.0] * 30, [-1.0] * 30], 1.0)[0] == pytest.approx(0.0, abs=1e-4)


def test_fewer_questions_than_the_fewest_rule_nothing_out_however_often_they_are_repeated():
    for loss, fewest in ((0.05, 59), (0.03, 99), (0.02, 149)):
        assert paired.fewest_questions(loss) == fewest
        assert paired.lowest_change([0.0] * fewest) > -loss >= paired.lowest_change([0.0] * (fewest - 1))


def test_the_detectable_drop_is_found_with_the_promised_power():
    generator = np.random.default_rng(1)
    for questions in (15, 30, 198):
        error = 0.2 / questions**0.5
        drop = paired.detectable(error, questions)
        rows = np.rint(generator.normal(-drop, 0.2, (3000, questions)) * 100) / 100
        assert (paired.sign_flip(rows, 100) <= 0.025).mean() == pytest.approx(0.8, abs=0.025)
    assert paired.detectable(0.1, 3) == np.inf
