"""Paired tests against brute force and scipy; planning against the formula it inverts."""

import itertools

import numpy as np
import pytest
from scipy.stats import binomtest, permutation_test

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


def test_holm_adjusts_in_order_and_never_lowers():
    assert paired.holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert paired.holm([0.9, 0.8]) == [1.0, 1.0]


def test_repeats_needed_are_the_fewest_that_detect_the_margin():
    parts = paired.Spread(between=0.001, within=0.11)
    needed = paired.repeats_needed(parts, 30, 0.05)
    assert paired.detectable(parts.error(30, needed)) <= 0.05 < paired.detectable(parts.error(30, needed - 1))
    assert paired.repeats_needed(paired.Spread(0.2, 0.1), 30, 0.05) is None


def test_the_spread_of_two_runs_is_split_into_questions_and_repeats():
    generator = np.random.default_rng(0)
    chances = generator.beta(0.4, 0.4, 2000)
    shifted = np.clip(chances + generator.choice([-0.1, 0.1], 2000), 0, 1)
    base, new = ((generator.random((2000, 16)) < p[:, None]).astype(float).tolist() for p in (chances, shifted))
    parts = paired.spread(base, new)
    assert parts.within == pytest.approx((chances * (1 - chances)).mean(), abs=0.02)
    assert parts.between == pytest.approx(np.var(shifted - chances), abs=0.003)
