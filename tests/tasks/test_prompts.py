"""The order of multiple-choice answers and the text around them."""

import random
import subprocess
import sys
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from s1_tasks.prompts import choice_order, multiple_choice

texts = st.text(max_size=20)


@settings(deadline=None)  # a busy machine is no failure
@given(texts, st.lists(texts, min_size=4, max_size=4))
def test_every_choice_is_shown_once_whatever_the_texts_are(question: str, choices: list[str]) -> None:
    assert sorted(choice_order(question, choices)) == [0, 1, 2, 3]


@settings(deadline=None)  # a busy machine is no failure
@given(texts, st.lists(texts.map(str.strip), min_size=4, max_size=4, unique=True), st.permutations(range(4)))
def test_the_shown_texts_do_not_depend_on_the_order_of_the_columns(
    question: str, choices: list[str], permutation: list[int]
) -> None:
    moved = [choices[index] for index in permutation]
    shown = [choices[index] for index in choice_order(question, choices)]
    assert [moved[index] for index in choice_order(question, moved)] == shown


def test_equal_choices_keep_their_given_order() -> None:
    order = choice_order("Which?", ["same", "same", "other", "same"])
    assert [index for index in order if index != 2] == [0, 1, 3]


def test_the_order_ignores_the_state_of_the_global_generator_and_space_around_texts() -> None:
    random.seed(1)
    first = choice_order("Which?", ["a", "b", "c", "d"])
    random.seed(2)
    assert choice_order(" Which?\n", ["a ", "\nb", "c", "d"]) == first


def test_the_order_is_the_same_in_another_process() -> None:
    code = "from s1_tasks.prompts import choice_order; print(choice_order('Which?', ['a', 'b', 'c', 'd']))"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert other.stdout.strip() == str(choice_order("Which?", ["a", "b", "c", "d"]))


def test_the_right_choice_is_shown_at_every_place_about_equally_often() -> None:
    places = Counter(choice_order(f"Made-up question {n}?", ["r", "x", "y", "z"]).index(0) for n in range(4000))
    # 1000 expected at each place with a standard deviation of 27; the counts are the same in every run.
    assert all(abs(places[place] - 1000) < 110 for place in range(4)), places


def test_a_multiple_choice_prompt_is_the_question_and_one_line_for_each_choice() -> None:
    doc = {"question": "Which animal barks?", "choices": ["a fish", "a dog", "a snail", "a bee"]}
    assert multiple_choice(doc) == "Which animal barks?\n\nA) a fish\nB) a dog\nC) a snail\nD) a bee"
