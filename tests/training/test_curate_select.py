"""Selection: Algorithm 1, the released code's variant, and the baselines, each against what its definition says."""

import random
from collections import Counter

import pytest

from benchmarks.synthetic_pool import selection_pool
from training.curate.diversity import _long_row, benchmark_weights, is_included, select, select_stage
from training.curate.stage import CurationError


@pytest.fixture(scope="module")
def pool():
    return selection_pool(seed=0)


def ids(rows):
    return [row["id"] for row in rows]


@pytest.mark.parametrize("how", ["s1", "s1_code", "diverse", "random", "longest"])
def test_the_same_seed_gives_the_same_rows_in_any_order_of_the_pool(pool, how: str) -> None:
    pool = pool[:3000]
    chosen = select(pool, how, 600, seed=3)
    assert len(set(ids(chosen))) == 600
    shuffled = list(pool)
    random.Random(9).shuffle(shuffled)
    assert ids(select(shuffled, how, 600, seed=3)) == ids(chosen)
    if how != "longest":
        assert ids(select(pool, how, 600, seed=4)) != ids(chosen)


def test_a_rank_is_drawn_with_probability_two_to_the_minus_rank() -> None:
    rng = random.Random(0)
    drawn = Counter(_long_row(3, rng) for _ in range(70_000))
    for rank, share in enumerate((4 / 7, 2 / 7, 1 / 7)):
        assert drawn[rank] / 70_000 == pytest.approx(share, abs=0.01)
    assert {_long_row(1, rng) for _ in range(100)} == {0}
    assert max(_long_row(10**6, rng) for _ in range(1000)) < 40


def test_inclusion_takes_what_the_paper_says_and_nothing_else() -> None:
    right = {"teacher_correct": True, "length": 100}
    assert is_included({**right, "source": "GPQA"})
    assert is_included({**right, "source": "AIME"})
    assert not is_included({**right, "source": "AIME", "teacher_correct": False})
    assert not is_included({**right, "source": "AIME", "teacher_correct": None})
    assert not is_included({**right, "source": "MATH", "length": 5600})
    assert is_included({**right, "source": "MATH", "length": 5601})
    assert not is_included({**right, "source": "NuminaMath", "length": 9000})


def test_algorithm_1_on_a_pool_like_the_papers(pool) -> None:
    chosen = select(pool, "s1", 1000, seed=0)
    included = [row for row in chosen if is_included(row)]
    assert len(pool) == 24_517
    assert len(included) >= 393 == sum(map(is_included, pool))
    assert len({row["domain"] for row in chosen}) == 51
    # What is drawn is drawn from all domains alike: each gets about a 51st of the 607.
    drawn = Counter(row["domain"] for row in chosen[393:])
    assert max(drawn.values()) <= 30
    # And mostly the longest of each domain: longer than the pool is.
    mean = sum(row["length"] for row in chosen[393:]) / 607
    assert mean > 1.2 * sum(row["length"] for row in pool) / len(pool)


def test_the_released_codes_variant_asks_benchmarks_for_the_last_300(pool) -> None:
    chosen = select(pool, "s1_code", 1000, seed=0)
    weights = benchmark_weights(pool)
    assert sum(weights.values()) == pytest.approx(1)
    assert {row["domain"] for row in chosen[700:]} <= set(weights)
    assert len({row["domain"] for row in chosen[393:700]}) > 45
    with pytest.raises(CurationError, match="weighs domains by their AIME rows, but there are none"):
        select([row for row in pool if row["source"] != "AIME"], "s1_code")


def test_benchmarks_weigh_a_domain_by_its_aime_and_half_as_much_by_its_gpqa() -> None:
    rows = [{"source": "AIME", "domain": "A"}] * 4 + [{"source": "GPQA", "domain": "B"}] * 8
    rows += [{"source": "MATH", "domain": "C"}] * 9
    assert benchmark_weights(rows) == pytest.approx({"A": 2 / 3, "B": 1 / 3})


def test_baselines_are_what_they_are_called(pool) -> None:
    longest = select(pool, "longest", 1000)
    assert min(row["length"] for row in longest) >= sorted(row["length"] for row in pool)[-1000]
    diverse = Counter(row["domain"] for row in select(pool, "diverse", 1000))
    assert len(diverse) == 51
    assert max(diverse.values()) < 45  # 20 expected of each
    uniform = Counter(row["domain"] for row in select(pool, "random", 1000))
    assert uniform.most_common(1)[0][1] > 100  # as skewed as the pool
    assert len(select(pool, "full")) == len(pool)


def test_an_exhausted_domain_leaves_the_draw() -> None:
    rows = [{"question": f"{number}", "domain": "small", "length": number} for number in range(3)]
    rows += [{"question": f"big {number}", "domain": "big", "length": number} for number in range(40)]
    chosen = Counter(row["domain"] for row in select(rows, "s1", 43))
    assert chosen == {"small": 3, "big": 40}


def test_a_problem_of_ones_own_needs_a_domain_and_a_length_only() -> None:
    rows = [
        {"question": f"{n:03d} 12", "thinking": "...", "answer": "1", "domain": str(n % 5), "length": n}
        for n in range(50)
    ]
    chosen = select(rows, count=10, seed=1)
    assert len(chosen) == 10
    assert all(row in rows for row in [{k: v for k, v in one.items() if k != "id"} for one in chosen])


def test_what_cannot_be_chosen_from_is_a_sentence() -> None:
    rows = [{"question": "a", "domain": "x", "length": 1}, {"question": "b", "domain": None, "length": 2}]
    with pytest.raises(CurationError, match="2 rows are left to choose 3 from"):
        select(rows, "random", 3)
    with pytest.raises(CurationError, match="1 of 2 rows have no domain"):
        select(rows, "diverse", 1)
    with pytest.raises(CurationError, match="expected one of s1, s1_code"):
        select(rows, "best", 1)


def test_the_stage_says_what_the_choice_looks_like(pool) -> None:
    result = select_stage(pool, "s1", 1000, 0)
    assert len(result.rows) + len(result.rejected) == len(pool)
    assert sum(result.figures["domains"].values()) == 1000
    assert result.figures["thinking_tokens"] == sum(row["length"] for row in result.rows)
