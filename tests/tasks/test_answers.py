"""The public behaviour of the answer check, one sentence per test."""

import subprocess
import sys

import pytest

from s1_tasks.answers import BrokenReference, Outcome, check_reference, equivalent, extract, judge, judge_many, vote_key


def test_an_answer_after_the_thinking_counts_and_one_inside_unfinished_thinking_does_not() -> None:
    done = "<|im_start|>think\nMaybe \\boxed{5}.\n<|im_start|>answer\nFinal Answer: 604"
    assert judge(done, "604").correct
    assert not judge(done, "5").correct
    assert judge("<|im_start|>think\nSo it is \\boxed{604}", "604").outcome is Outcome.NO_ANSWER


@pytest.mark.parametrize(
    "text", ["Final Answer: 025", r"\boxed{25}", "Answer: 25.", "<think>7</think>\n**Answer:** 25"]
)
def test_an_integer_answer_may_have_leading_zeros(text: str) -> None:
    assert judge(text, "25", kind="integer").correct


@pytest.mark.parametrize("text", [r"\boxed{\text{(B)}}", "Answer: B", "The answer is (B).", r"so $\boxed{B}$"])
def test_a_choice_letter_is_read_in_its_common_shapes(text: str) -> None:
    assert judge(text, "B", kind="choice").correct
    assert not judge(text, "C", kind="choice").correct


def test_an_unreadable_reference_raises_before_anything_is_judged() -> None:
    with pytest.raises(BrokenReference, match="expected an integer"):
        check_reference("twelve", "integer")
    with pytest.raises(BrokenReference, match="empty"):
        judge("5", " ")


def test_values_are_compared_and_not_spellings() -> None:
    assert equivalent(r"\dfrac{1}{2}", "0.5")
    assert equivalent(r"x(x+1)", "x^2+x")
    assert not equivalent("x^2", "x^3")


def test_many_pairs_come_back_in_order() -> None:
    verdicts = judge_many([(r"\boxed{1}", "1"), (r"\boxed{2}", "1"), (r"\boxed{1}", "1")])
    assert [verdict.correct for verdict in verdicts] == [True, False, True]


def test_equal_answers_share_a_vote_key() -> None:
    first, second, other = (vote_key(judge(text, "3")) for text in (r"\boxed{3}", "Answer: $3$", r"\boxed{4}"))
    assert first == second != other


def test_importing_the_package_does_not_load_sympy() -> None:
    code = "import sys, s1_tasks.answers; print('sympy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


def test_the_rule_that_found_the_answer_is_told() -> None:
    found = extract(r"Thus \boxed{7}.")
    assert found is not None
    assert (found.answer, found.rule) == ("7", "boxed")
