"""Metrics of one question over its repeats, against brute force over draws and tie-breaks."""

import itertools
import json
import math
from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from s1_contract.response import Response
from s1_tasks.answers import Outcome, Verdict
from s1_tasks.scoring import Verdicts, majority, pass_at, process_results

DOC = {"answer": "7", "answer_kind": "integer"}


def answered(*answers: str | None) -> list[list[str]]:
    """lm_eval's results for one request: one transcript for each answer, None for one that never answers."""
    ended = [
        "" if answer is None else f"<|im_start|>think\nhm\n<|im_start|>answer\nFinal Answer: {answer}"
        for answer in answers
    ]
    return [ended]


def verdict(answer: str | None) -> Verdict:
    if answer is None:
        return Verdict(Outcome.NO_ANSWER, None, "no final answer in the text")
    return Verdict(Outcome.CORRECT if answer == "7" else Outcome.INCORRECT, answer, "compared")


@pytest.mark.parametrize("count", [1, 2, 3, 5, 7])
def test_pass_at_is_the_share_of_draws_that_hold_a_right_repeat(count: int) -> None:
    for correct in range(count + 1):
        repeats = [1] * correct + [0] * (count - correct)
        for drawn in range(1, count + 1):
            draws = list(itertools.combinations(repeats, drawn))
            assert pass_at(drawn, count, correct) == pytest.approx(sum(map(any, draws)) / len(draws))


@settings(deadline=None)  # a busy machine is no failure
@given(st.lists(st.sampled_from(["7", "8", "9", None]), min_size=1, max_size=8))
def test_majority_is_the_chance_of_a_right_winner_when_ties_are_broken_at_random(answers: list[str | None]) -> None:
    votes = [answer for answer in answers if answer is not None]
    counts = Counter(votes)
    # Breaking a tie at random: any order of the candidates is as likely, and the first of the most frequent wins.
    wins = [max(order, key=counts.__getitem__) == "7" for order in itertools.permutations(counts)] if votes else [False]
    assert majority([verdict(answer) for answer in answers]) == pytest.approx(sum(wins) / len(wins))


def test_a_single_repeat_yields_no_metric_over_repeats() -> None:
    metrics = process_results(DOC, answered("7"))
    assert set(metrics) == {"exact_match", "no_answer", "unreadable", "timed_out", "verdicts"}
    assert (metrics["exact_match"], metrics["no_answer"]) == (1.0, 0.0)


def test_an_unreadable_answer_is_counted_apart_from_no_answer() -> None:
    metrics = process_results(DOC, [[r"\boxed{" + "1" * 20_000 + "}"]])
    assert (metrics["exact_match"], metrics["no_answer"], metrics["unreadable"]) == (0.0, 0.0, 1.0)
    metrics = process_results(DOC, [[""]])
    assert (metrics["exact_match"], metrics["no_answer"], metrics["unreadable"]) == (0.0, 1.0, 0.0)


def test_a_response_picked_by_another_filter_is_scored_as_one_repeat() -> None:
    (texts,) = answered("8")
    metrics = process_results(DOC, texts)
    assert metrics["exact_match"] == 0.0
    assert len(metrics["verdicts"]) == 1


def test_metrics_over_six_repeats_are_those_worked_out_by_hand() -> None:
    metrics = process_results(DOC, answered("8", "7", None, "9", "007", "8"))
    assert metrics["exact_match"] == 0.0
    assert metrics["avg@6"] == pytest.approx(2 / 6)
    assert metrics["pass@1"] == pytest.approx(2 / 6)
    assert metrics["pass@2"] == pytest.approx(1 - math.comb(4, 2) / math.comb(6, 2))
    assert metrics["pass@4"] == pytest.approx(1 - math.comb(4, 4) / math.comb(6, 4))
    assert metrics["pass@6"] == 1.0
    assert metrics["maj@6"] == pytest.approx(1 / 2)  # 7 and 007 vote together: two votes, as many as 8 has
    assert metrics["no_answer"] == pytest.approx(1 / 6)
    assert {name for name in metrics if name.startswith("pass@")} == {"pass@1", "pass@2", "pass@4", "pass@6"}


def test_verdicts_say_outcome_answer_and_reason_of_every_repeat_as_json() -> None:
    records = process_results(DOC, answered("7", None))["verdicts"]
    assert [record["outcome"] for record in records] == ["correct", "no answer"]
    assert [record["answer"] for record in records] == ["7", None]
    assert all(record["reason"] and record["checker_version"] for record in records)
    assert json.loads(json.dumps(records, allow_nan=False)) == list(records)


def test_usage_is_averaged_over_repeats_when_every_response_carries_it(response_with_usage: Callable[..., str]) -> None:
    (texts,) = answered("7", "8")
    spent = (
        {"thinking_tokens": 100, "answer_tokens": 4, "waits_used": 2, "cut_off": 1},
        {"thinking_tokens": 300, "answer_tokens": 6, "waits_used": 0, "cut_off": 0},
    )
    responses = [response_with_usage(text, **usage) for text, usage in zip(texts, spent, strict=True)]
    metrics = process_results(DOC, [responses])
    assert (metrics["thinking_tokens"], metrics["answer_tokens"]) == (200.0, 5.0)
    assert (metrics["waits_used"], metrics["cut_off"]) == (1.0, 0.5)
    mixed = process_results(DOC, [[responses[0], texts[1]]])
    assert not {"thinking_tokens", "answer_tokens", "waits_used", "cut_off"} & set(mixed)


def test_choices_and_expressions_are_judged_by_their_kind() -> None:
    assert process_results({"answer": "B", "answer_kind": "choice"}, answered("(B)"))["exact_match"] == 1.0
    assert process_results({"answer": "B", "answer_kind": "choice"}, answered("C"))["exact_match"] == 0.0
    half = {"answer": "\\frac{1}{2}", "answer_kind": "math"}
    assert process_results(half, answered("0.5"))["exact_match"] == 1.0


def test_verdicts_can_be_averaged_as_the_share_that_is_right() -> None:
    """lm_eval's mean and its standard error take them for numbers."""
    from lm_eval.api.metrics import mean, mean_stderr

    halves = Verdicts([{"outcome": "incorrect"}, {"outcome": "correct"}])
    all_right = Verdicts([{"outcome": "correct"}] * 2)
    assert mean([halves, all_right]) == 0.75
    assert mean_stderr([halves, all_right]) == pytest.approx(mean_stderr([0.5, 1.0]))


@pytest.mark.parametrize("nested", [True, False])
def test_responses_are_read_as_lm_eval_0_4_and_0_5_hand_them_over(nested: bool) -> None:
    texts = ["Final Answer: 7", "Final Answer: 8"]
    metrics = process_results(DOC, [texts] if nested else texts)
    assert metrics["avg@2"] == 0.5
    assert not any(isinstance(value, list) for value in metrics.values()), "0.5 takes a list for several values"


@pytest.mark.parametrize("family", ["<reflection>", "<musing>"])
def test_a_response_that_says_where_its_answer_begins_is_scored_from_there(family: str) -> None:
    end = family.replace("<", "</")
    thinking, doc = rf"{family}It is \boxed{{204}}.{end}", {"answer": "33", "answer_kind": "math"}
    right = Response(thinking + "The answer is 33.", answer_start=len(thinking))
    closed_again = Response(thinking + f"Final Answer: 33\n\n{end}\n", answer_start=len(thinking))
    without = Response(thinking, answer_start=len(thinking))
    metrics = process_results(doc, [[right, closed_again, without]])
    assert [verdict["outcome"] for verdict in metrics["verdicts"]] == ["correct", "correct", "no answer"]


def test_equal_texts_whose_answers_begin_elsewhere_get_verdicts_of_their_own() -> None:
    text = "The answer is 4. The answer is 5."
    responses = [Response(text, answer_start=start) for start in (0, len(text))]
    metrics = process_results({"answer": "5", "answer_kind": "math"}, [responses])
    assert [verdict["outcome"] for verdict in metrics["verdicts"]] == ["correct", "no answer"]
