"""The public behaviour of the answer check, one sentence per test; the many small cases are in cases/*.jsonl."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.unused_words import cases, unused
from s1_tasks.answers import (
    CHECKER_VERSION,
    BrokenReference,
    Outcome,
    check_reference,
    equivalent,
    extract,
    judge,
    judge_many,
    vote_key,
)

CASES = Path(__file__).parent / "cases"
DATA = Path(__file__).parents[3] / "shared" / "data"


def rows(path: Path) -> Iterator[dict[str, str]]:
    with path.open(encoding="utf-8") as lines:
        yield from (json.loads(line) for line in lines)


def test_every_written_pair_is_judged_as_labelled_in_both_directions() -> None:
    wrong = [
        (case["prediction"], case["reference"])
        for case in rows(CASES / "equivalence.jsonl")
        for left, right in (
            (case["prediction"], case["reference"]),
            (case["reference"], case["prediction"]),
        )
        if equivalent(left, right) is not case["equal"]
    ]
    assert wrong == []


def test_every_written_response_is_judged_as_labelled() -> None:
    wrong = []
    for case in rows(CASES / "responses.jsonl"):
        verdict = judge(case["text"], case["reference"], kind=case["kind"])  # type: ignore[arg-type]
        if verdict.correct is not case["correct"]:
            wrong.append((case["text"], case["reference"], verdict))
    assert wrong == []


def test_fewer_lines_than_values_asked_for_are_no_fault_of_ours() -> None:
    for reference in ("$0,-1,-\\frac{3}{2}$", "1,2,3,4,5", "(1,2),(3,4),(5,6)"):
        for text in ("-1.5, -1, 0", "5", "(a) 5", "(a) 1\n(b) 2", ""):
            assert "internal error" not in judge(text, reference).reason


def test_a_fault_of_ours_costs_one_verdict_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise IndexError("list index out of range")

    monkeypatch.setattr(sys.modules["s1_tasks.answers.judge"], "extract_from", broken)
    verdict = judge("The answer is 5.", "5")
    assert verdict.outcome is Outcome.UNREADABLE
    assert verdict.reason == "internal error: IndexError: list index out of range"


def test_an_exact_answer_may_round_to_a_decimal_reference_but_not_the_other_way_round() -> None:
    assert judge(r"\boxed{\frac{27}{59}}", "0.458").correct
    assert not judge(r"\boxed{0.458}", r"\frac{27}{59}").correct
    assert not judge(r"\boxed{3.14}", r"\pi").correct
    assert judge(r"\boxed{1.4142135623730951}", r"\sqrt{2}").correct
    assert not judge(r"\boxed{4.99999999}", "5").correct


def test_an_answer_inside_unfinished_thinking_is_no_answer() -> None:
    verdict = judge("<|im_start|>think\nSo it is \\boxed{604}", "604")
    assert verdict.outcome is Outcome.NO_ANSWER
    assert verdict.answer is None


def test_a_verdict_tells_answer_rule_reason_and_version() -> None:
    verdict = judge(r"Thus \boxed{7}.", "8")
    assert (verdict.outcome, verdict.answer, verdict.rule) == (Outcome.INCORRECT, "7", "boxed")
    assert verdict.reason == "different"
    assert verdict.checker_version == CHECKER_VERSION


@pytest.mark.parametrize(
    ("reference", "kind", "message"),
    [
        ("twelve", "integer", "expected an integer"),
        ("1.5", "integer", "expected an integer"),
        ("AB", "choice", "expected a choice letter"),
        (" ", "math", "empty"),
        ("nan", "math", "neither a formula nor words"),
        ("1" * 20_000, "math", "20000 characters"),
    ],
)
def test_an_unreadable_reference_raises_with_what_came_and_what_was_expected(
    reference: str, kind: str, message: str
) -> None:
    with pytest.raises(BrokenReference, match=message):
        check_reference(reference, kind)  # type: ignore[arg-type]


def test_many_pairs_come_back_in_order() -> None:
    verdicts = judge_many([(r"\boxed{1}", "1"), (r"\boxed{2}", "1"), (r"\boxed{1}", "1")])
    assert [verdict.correct for verdict in verdicts] == [True, False, True]


def test_equal_answers_share_a_vote_key_and_others_do_not() -> None:
    keys = [
        vote_key(judge(text, "3"))
        for text in (r"\boxed{3}", "Answer: $3$", r"\boxed{1/2}", r"\boxed{\frac{2}{4}}", "5")
    ]
    assert keys[0] == keys[1]
    assert keys[2] == keys[3]
    assert len(set(keys)) == 3
    assert vote_key(judge("<think>3", "3")) is None


def test_importing_the_package_does_not_load_sympy_and_neither_does_an_easy_verdict() -> None:
    code = (
        "import sys; from s1_tasks.answers import judge; v = judge(r'\\boxed{\\frac{1}{1+\\sqrt2}}', r'\\sqrt2-1');"
        "print(v.correct, 'sympy' in sys.modules, 'mpmath' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "True False False\n"


def test_the_rule_that_found_the_answer_is_told() -> None:
    for text, rule in [
        (r"Thus \boxed{7}.", "boxed"),
        ("Answer: 7", "answer:"),
        ("so the answer is 7.", "answer is"),
        ("**Final Answer**\n7", "heading"),
        ("7", "whole text"),
        ("Hence $x = 7$.", "conclusion"),
    ]:
        found = extract(text)
        assert found is not None
        assert found.rule == rule, text


@pytest.mark.skipif(not DATA.exists(), reason="the benchmark rows in ../shared/data are not here")
@pytest.mark.parametrize("name", ["math500", "aime24", "aime25"])
def test_every_gold_answer_equals_itself_and_its_rewritten_forms(name: str) -> None:
    wrong = []
    for row in rows(DATA / f"{name}.jsonl"):
        gold = row["answer"]
        check_reference(gold, "math")
        forms = [
            f"<think>\\boxed{{0}}</think>\nThe final answer is $\\boxed{{{gold}}}$.",
            f"Final Answer: ${gold}$",
            f"**Answer:** \\({gold}\\)",
            gold.replace(r"\frac", r"\dfrac"),
            gold.replace(" ", ""),
            gold.replace(r"\left", "").replace(r"\right", ""),
            gold.replace("-", "−"),
        ]
        if name != "math500":
            forms.append(f"Final Answer: {int(gold):03d}")
        wrong += [(gold, form) for form in forms if not judge(form, gold).correct]
    assert wrong == []


def test_integer_kind_reads_a_sum_that_contest_problems_ask_for() -> None:
    assert judge(r"\boxed{m+n=25}", "025", kind="integer").correct
    assert not judge(r"\boxed{m+n=26}", "025", kind="integer").correct


@pytest.mark.parametrize(
    ("question", "correct"),
    [("Find $y$ if $x+y=7$ and $y-x=3$.", True), ("What is $x$?", False), (None, False), ("Solve the system.", False)],
)
def test_the_question_breaks_a_tie_between_named_values(question: str | None, correct: bool) -> None:
    text = r"Hence $\boxed{x = 2, y = 5}$."
    assert judge(text, "5", question=question).correct is correct
    assert judge_many([(text, "5")], question=question)[0].correct is correct
    assert judge(r"\boxed{5}", "5", question="What is $x$?").correct
    assert not judge(r"\boxed{7}", "5", question="Find $y$, where y = 5.").correct


@pytest.mark.parametrize("role", ["contrast", "denial", "juxtaposed", "concession", "fault"])
def test_no_word_of_a_role_is_without_a_case(role: str) -> None:
    assert unused(role, cases([])) == []
