"""Where an answer begins in the text of any family."""

import time

import pytest

from s1_contract.thinking import ANSWERS, FAMILIES
from s1_tasks.answers.find.thinking import final_part


@pytest.mark.parametrize("pair", FAMILIES, ids=lambda pair: pair.start)
def test_the_answer_follows_the_last_end_of_thinking_of_every_family(pair: tuple[str, str]) -> None:
    start, end = pair
    assert (final_part(f"{start}perhaps 5{end}It is 6.") or "").strip() == "It is 6."
    assert final_part(f"{start}perhaps 5") is None
    assert not (final_part(f"{start}perhaps 5{end}") or "").strip()


@pytest.mark.parametrize("pair", FAMILIES, ids=lambda pair: pair.start)
def test_an_answer_that_the_model_closes_again_stays_the_answer(pair: tuple[str, str]) -> None:
    start, end = pair
    assert (final_part(f"{start}perhaps 5{end}It is 6.\n\n{end}\n") or "").strip() == "It is 6."


@pytest.mark.parametrize("pair", ANSWERS, ids=lambda pair: pair.start)
def test_an_answer_between_its_own_delimiters_is_found(pair: tuple[str, str]) -> None:
    start, end = pair
    for text in (f"{start}It is 6.{end}", f"<think>perhaps 5</think>\n{start}It is 6.{end}<|im_end|>"):
        assert final_part(text) == "It is 6."


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("Final Answer: 42\n\n</think>\n", "Final Answer: 42"),
        ("So it is 42.\n</think>\n", ""),
        ("It is 6.<|im_end|>\n<|im_start|>user\nAnd 7?", "It is 6."),
        ("<|im_end|> It is 6.", "It is 6."),
        ("As `<think>` shows, it is 6.", "As `<think>` shows, it is 6."),
    ],
)
def test_turns_and_single_delimiters(text: str, part: str) -> None:
    assert (final_part(text) or "").strip() == part


@pytest.mark.parametrize("piece", ["<", "<think>", "</think>", "<|im_end|>", "[", "<think></think>", "\n final answer"])
def test_a_long_text_of_delimiters_takes_linear_time(piece: str) -> None:
    start = time.process_time()
    final_part(piece * (1_000_000 // len(piece)))
    assert time.process_time() - start < 0.5
