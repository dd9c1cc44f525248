"""Decontamination: eight words in a row with a benchmark question, and which; near-duplicates apart from that."""

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import shared
from training.curate.benchmark_questions import BenchmarkQuestion, describe, load_questions
from training.curate.decontaminate import decontaminate, grams, words_of
from training.curate.duplicates import near_duplicates
from training.curate.stage import CurationError, question_id

FIXTURES = Path(__file__).parent / "fixtures" / "benchmarks"


def row(question: str) -> dict[str, str]:
    return {"id": question_id(question), "question": question, "source": "made up"}


WALL = BenchmarkQuestion("math500", "7", "A snail climbs a wall of 10 metres, three by day and back two by night.")


def brute_force(question: str, asked: list[BenchmarkQuestion], size: int) -> bool:
    """By searching texts, not by hashing words."""
    text = f" {' '.join(question.lower().split())} "
    for one in asked:
        words = one.text.lower().split()
        for start in range(len(words) - size + 1):
            if f" {' '.join(words[start : start + size])} " in text:
                return True
    return False


def test_eight_words_in_a_row_are_found_whatever_their_case_and_spacing() -> None:
    hit = row("Yesterday a  SNAIL climbs\n\ta wall of 10 metres, three times.")
    clean = row("A snail climbs a wall of 10 meters, three by day.")
    result = decontaminate([hit, clean], [WALL])
    assert result.rows == [clean]
    [rejection] = result.rejected
    assert rejection.rule == "8 words in a row with math500"
    assert rejection.detail == "math500 7: 'a snail climbs a wall of 10 metres,'"
    [found] = result.figures["report"]["hits"]
    assert found["shared"] == 2  # eight words, and the eight that begin one word later


def test_a_report_names_every_benchmark_question_that_a_row_touches() -> None:
    other = BenchmarkQuestion("aime24", "I-3", "Find how far one two three four five six seven eight nine goes.")
    both = row(f"{WALL.text} Then one two three four five six seven eight nine.")
    report = decontaminate([both], [WALL, other]).figures["report"]
    assert [(hit["benchmark"], hit["question"]) for hit in report["hits"]] == [("math500", "7"), ("aime24", "I-3")]
    assert report["rows_checked"] == report["rows_rejected"] == 1


def test_fewer_than_eight_words_never_match() -> None:
    short = BenchmarkQuestion("math500", "1", "What is two plus two?")
    assert decontaminate([row("What is two plus two?")], [short]).rejected == []
    assert list(grams(words_of("a b c"), 8)) == []


WORDS = st.lists(st.sampled_from(["a", "b", "C", "c,", "d"]), min_size=0, max_size=14)


@given(st.lists(WORDS, max_size=6), st.lists(WORDS, min_size=1, max_size=4), st.integers(1, 8))
def test_it_rejects_exactly_what_a_search_through_the_texts_finds(ours, theirs, size: int) -> None:
    rows = [row(" ".join(words)) for words in ours]
    asked = [BenchmarkQuestion("b", str(number), "\n".join(words)) for number, words in enumerate(theirs)]
    result = decontaminate(rows, asked, size)
    expected = [one["id"] for one in rows if brute_force(one["question"], asked, size)]
    assert [one.id for one in result.rejected] == expected


def test_the_reports_hash_changes_with_what_was_checked_and_with_what_was_found() -> None:
    def digest(rows, asked):
        return decontaminate(rows, asked).figures["contamination"]["report_sha256"]

    clean, hit = row("Nothing like it."), row(WALL.text)
    assert digest([clean], [WALL]) == digest([clean], [WALL])
    assert len({digest([clean], [WALL]), digest([hit], [WALL]), digest([clean, row("More.")], [WALL])}) == 3
    assert "hits" not in decontaminate([hit], [WALL]).figures["contamination"]


def test_a_check_against_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="no benchmark questions to check against"):
        decontaminate([row("x")], [])


def test_benchmark_questions_come_from_the_tasks_files() -> None:
    asked = load_questions(("math500", "gpqa_diamond", "aime24"), str(FIXTURES))
    assert [one.benchmark for one in asked] == ["math500", "math500", "gpqa_diamond", "aime24"]
    assert describe(asked)["math500"]["questions"] == 2
    with pytest.raises(CurationError, match="'math501' is no benchmark task"):
        load_questions(("math501",), str(FIXTURES))
    with pytest.raises(CurationError, match=r"benchmark aime25: .*has neither aime25.jsonl nor aime25.csv"):
        load_questions(("aime25",), str(FIXTURES))


def test_the_real_math500_and_aime24_are_found_in_themselves() -> None:
    directory = shared("data")
    asked = load_questions(("math500", "aime24"), str(directory))
    assert len(asked) == 530
    rows = [row(f"Once more: {one.text}") for one in asked]
    result = decontaminate(rows, asked)
    missed = {one["question"] for one in result.rows}
    assert all(len(words_of(question)) < 8 + 2 for question in missed)


def reworded(text: str, rng: random.Random) -> str:
    """The text with every seventh word another one: no eight words in a row stay."""
    words = text.split()
    for place in range(rng.randrange(3, 7), len(words), 7):
        words[place] = "other"
    return " ".join(words)


def test_near_duplicates_of_a_benchmark_question_and_of_earlier_rows_are_found() -> None:
    rng = random.Random(0)
    vocabulary = [f"word{number}" for number in range(400)]
    texts = [" ".join(rng.choices(vocabulary, k=60)) for _ in range(60)]
    asked = [BenchmarkQuestion("math500", str(number), text) for number, text in enumerate(texts[:20])]
    near_benchmark = row(reworded(texts[3], rng))
    near_row = row(reworded(texts[30], rng))
    rows = [*map(row, texts[20:]), near_benchmark, near_row]
    assert not decontaminate([near_benchmark], asked).rejected  # this is what the second rule is for
    result = near_duplicates(rows, asked, 0.3)
    assert [(one.id, one.rule) for one in result.rejected] == [
        (near_benchmark["id"], "nearly the same as math500"),
        (near_row["id"], "nearly the same as an earlier row"),
    ]
    assert result.rejected[0].detail.startswith("math500 3: Jaccard index 0.")
    assert near_duplicates(rows, asked, 0.9).rejected == []
    with pytest.raises(ValueError, match="expected a Jaccard index above 0"):
        near_duplicates(rows, asked, 80)
