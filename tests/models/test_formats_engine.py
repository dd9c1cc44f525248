"""Formats and rejection sampling on a real engine (vLLM) and the embedded model."""

from functools import partial
from typing import Any

import pytest
from lm_eval.api.instance import Instance

from s1_contract.response import Response
from s1_contract.usage import GENERATED_TOKENS, READ_TOKENS, REQUESTS, WASTED_TOKENS
from s1_models.formats import S1
from s1_models.policies import choose as policies
from s1_models.policies.stop_texts import StopAtTexts
from s1_tasks.nano_problems import held_out

PROBLEMS = [problem["problem"] for problem in held_out(12)]
# The embedded model writes the whole of it when the first token does not stop it: two tokens, found in the text.
WHOLE_END = {"start": S1.start, "end": S1.end, "stops": [S1.end, "<|im_end|>"]}


def generate(lm: Any, **gen_kwargs: Any) -> list[Response]:
    requests = [
        Instance("generate_until", {}, (text, {"until": [], "max_gen_toks": 32, **gen_kwargs}), 0, ("s1_nano", n, 1))
        for n, text in enumerate(PROBLEMS)
    ]
    return lm.generate_until(requests, disable_tqdm=True)  # type: ignore[no-any-return]


@pytest.mark.parametrize("chunk_tokens", [5, 64])
def test_a_delimiter_found_in_the_text_gives_what_its_first_token_gives(
    s1_lm: Any, chunk_tokens: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policies, "StopAtTexts", partial(StopAtTexts, chunk_tokens=chunk_tokens))
    by_id = generate(s1_lm, num_waits=2)
    by_text = generate(s1_lm, num_waits=2, thinking_format=WHOLE_END)
    assert by_text == by_id
    cost = {WASTED_TOKENS, GENERATED_TOKENS, REQUESTS, READ_TOKENS}  # of looking for a text
    for text, same in zip(by_text, by_id, strict=True):
        assert {name: count for name, count in text.usage.items() if name not in cost} == {
            name: count for name, count in same.usage.items() if name not in cost
        }
        assert text.usage["generated_tokens"] - text.usage["wasted_tokens"] == same.usage["generated_tokens"]


def test_without_a_format_nothing_is_forced(s1_lm: Any) -> None:
    for transcript in generate(s1_lm, thinking_format="none"):
        assert not any(span["forced"] for span in transcript.spans)
        assert transcript.usage["thinking_tokens"] == 0


def test_rejection_sampling_draws_until_the_thinking_fits_and_again_the_same(s1_lm: Any) -> None:
    options = {"rejection_tries": 6, "temperature": 1.0, "max_thinking_tokens": 22, "seed": 5}
    drawn, again = generate(s1_lm, **options), generate(s1_lm, **options)
    assert drawn == again
    assert len({transcript.usage["tries"] for transcript in drawn}) > 1, "a limit that every or no first try fits"
    for transcript in drawn:
        usage = transcript.usage
        assert usage["thinking_tokens"] <= 22
        assert usage["rejected_tokens"] == (usage["tries"] - 1) * 22
        assert usage["cut_off"] == 0 or usage["tries"] == 6


def test_the_thinking_can_be_sampled_while_the_answer_is_greedy(s1_lm: Any) -> None:
    greedy = generate(s1_lm)
    assert generate(s1_lm, temperature_thinking=0.0) == greedy
    assert generate(s1_lm, temperature_thinking=1.5, seed=3) != greedy
