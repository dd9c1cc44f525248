"""`s1_vllm` on a real vLLM engine and the embedded model: from harness requests to transcripts."""

import logging
import signal
import threading
from typing import Any

import pytest
from lm_eval.api.instance import Instance

from s1_contract.response import Response
from s1_models.driver import EngineError
from s1_models.forcing import BudgetError
from s1_models.options import OptionError
from s1_tasks.nano_problems import held_out

PROBLEMS = [problem["problem"] for problem in held_out(40)]


def requests(contexts: list[str], **gen_kwargs: Any) -> list[Instance]:
    return [
        Instance("generate_until", {}, (context, {"until": [], **gen_kwargs}), 0, ("s1_nano", number, 1))
        for number, context in enumerate(contexts)
    ]


def generate(lm: Any, contexts: list[str], **gen_kwargs: Any) -> list[Response]:
    return lm.generate_until(requests(contexts, max_gen_toks=32, **gen_kwargs), disable_tqdm=True)


def test_transcripts_think_and_answer_without_any_budget_option(s1_lm: Any) -> None:
    for transcript in generate(s1_lm, PROBLEMS[:10]):
        assert transcript.startswith("<|im_start|>think\n"), "the start of thinking is always prefilled"
        assert [span["text"] for span in transcript.spans if span["forced"]] == [
            "<|im_start|>think",
            "<|im_start|>answer",
        ]
        assert transcript.usage["waits_used"] == 0


def test_waits_are_spliced_in_and_counted(s1_lm: Any) -> None:
    for transcript in generate(s1_lm, PROBLEMS[:10], num_waits=2):
        waits = [span for span in transcript.spans if span["forced"] and span["phase"] == "thinking"]
        assert [span["text"] for span in waits] == ["Wait"] * 2
        assert transcript.usage["waits_used"] == 2
        assert "".join(span["text"] for span in transcript.spans) == transcript
        thinking = sum(len(span["tokens"]) for span in transcript.spans if span["phase"] == "thinking")
        assert transcript.usage["thinking_tokens"] == thinking


def test_a_smaller_number_of_waits_is_a_prefix_of_a_larger_one(s1_lm: Any) -> None:
    end = "<|im_start|>answer"
    for few, many in zip(
        generate(s1_lm, PROBLEMS[:10], num_waits=1), generate(s1_lm, PROBLEMS[:10], num_waits=3), strict=True
    ):
        assert many.partition(end)[0].startswith(few.partition(end)[0])


@pytest.mark.parametrize("limit", [0, 1, 7, 13])
def test_a_thinking_budget_holds_in_every_row_and_asks_for_the_answer(s1_lm: Any, limit: int) -> None:
    for transcript in generate(s1_lm, PROBLEMS[:10], num_waits=8, max_thinking_tokens=limit):
        assert transcript.usage["thinking_tokens"] <= limit
        end = next(span["text"] for span in transcript.spans if span["forced"] and span["phase"] == "answering")
        assert end.endswith(
            "<|im_start|>answer\nFinal Answer:" if transcript.usage["cut_off"] else "<|im_start|>answer"
        )
        assert transcript.usage["cut_off"] == (transcript.usage["thinking_tokens"] == limit)


def test_other_wait_and_answer_texts_are_used(s1_lm: Any) -> None:
    (waited,) = generate(s1_lm, PROBLEMS[:1], num_waits=1, wait_text="Hmm")
    assert "Hmm" in [span["text"] for span in waited.spans if span["forced"]]
    (cut,) = generate(s1_lm, PROBLEMS[:1], max_thinking_tokens=3, final_answer_text="")
    assert "Final Answer:" not in [span["text"] for span in cut.spans if span["forced"]]
    assert cut.spans[-2]["text"].endswith("<|im_start|>answer")


def test_an_empty_wait_suppresses_the_end_and_appends_nothing(s1_lm: Any) -> None:
    plain = generate(s1_lm, PROBLEMS[:5])
    for transcript, before in zip(generate(s1_lm, PROBLEMS[:5], num_waits=2, wait_text=""), plain, strict=True):
        assert [span["phase"] for span in transcript.spans if span["forced"]] == ["opening", "answering"]
        assert transcript.usage["waits_used"] == 2
        assert transcript.usage["thinking_tokens"] > before.usage["thinking_tokens"], "thinking must really go on"


def test_the_minimum_is_reached_by_waiting(s1_lm: Any) -> None:
    for transcript in generate(s1_lm, PROBLEMS[:5], min_thinking_tokens=60):
        assert transcript.usage["thinking_tokens"] >= 60


def test_requests_with_different_budgets_run_together(s1_lm: Any) -> None:
    mixed = [
        *requests(PROBLEMS[:3], max_gen_toks=32, num_waits=0),
        *requests(PROBLEMS[:3], max_gen_toks=32, num_waits=2),
    ]
    transcripts = s1_lm.generate_until(mixed, disable_tqdm=True)
    assert [transcript.usage["waits_used"] for transcript in transcripts] == [0, 0, 0, 2, 2, 2]
    assert transcripts == [*generate(s1_lm, PROBLEMS[:3]), *generate(s1_lm, PROBLEMS[:3], num_waits=2)]


def test_n_samples_come_in_order_and_differ_by_their_seed(s1_lm: Any) -> None:
    asked = requests(PROBLEMS[:4], max_gen_toks=32, temperature=1.0, seed=11, n=3)
    last = s1_lm.generate_until(asked, disable_tqdm=True)
    together = [[*request.resps, response] for request, response in zip(asked, last, strict=True)]
    assert all(len(repeats) == 3 for repeats in together)
    # A question's samples are its own, whatever is asked beside it and however many are drawn.
    assert generate(s1_lm, PROBLEMS[:4][::-1], temperature=1.0, seed=11) == [one[0] for one in together][::-1]
    assert generate(s1_lm, PROBLEMS[:4], temperature=1.0, seed=12) != [repeats[1] for repeats in together]
    assert any(len(set(repeats)) > 1 for repeats in together)


def test_samples_and_the_harness_s_repeats_together_keep_their_order(s1_lm: Any) -> None:
    (request,) = requests(PROBLEMS[:1], max_gen_toks=32, temperature=1.0, seed=11, n=2)
    returned = s1_lm.generate_until([request, request], disable_tqdm=True)
    (alone,) = requests(PROBLEMS[:1], max_gen_toks=32, temperature=1.0, seed=11, n=4)
    last = s1_lm.generate_until([alone], disable_tqdm=True)
    assert [*request.resps, *returned] == [*alone.resps, *last]


def test_the_harness_s_own_repeats_differ_as_well(s1_lm: Any) -> None:
    (request,) = requests(PROBLEMS[:1], max_gen_toks=32, temperature=1.5)
    transcripts = s1_lm.generate_until([request] * 8, disable_tqdm=True)
    assert len(set(transcripts)) > 1


def test_the_chat_template_is_applied_once_whoever_applies_it(s1_lm: Any) -> None:
    templated = [s1_lm.apply_chat_template([{"role": "user", "content": problem}]) for problem in PROBLEMS[:3]]
    plain = generate(s1_lm, PROBLEMS[:3])
    assert generate(s1_lm, templated) == plain
    assert generate(s1_lm, templated, chat_template="never") == plain
    assert generate(s1_lm, PROBLEMS[:3], chat_template="never") != plain
    assert generate(s1_lm, templated, chat_template="always") != plain
    told = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": PROBLEMS[0]}]
    with_system = s1_lm.apply_chat_template(told)
    assert generate(s1_lm, [with_system]) == generate(s1_lm, [with_system], chat_template="never")


def test_until_cuts_the_answer(s1_lm: Any) -> None:
    (full,) = generate(s1_lm, PROBLEMS[:1])
    (cut,) = s1_lm.generate_until(requests(PROBLEMS[:1], until=["Answer:"], max_gen_toks=32), disable_tqdm=True)
    assert full.startswith(cut)
    assert cut.endswith("Final ")


def test_a_prompt_longer_than_the_context_is_named(s1_lm: Any) -> None:
    with pytest.raises(BudgetError, match=r"s1_nano question 1: prompt has [\d,]+ tokens; .* 1,024-token context"):
        generate(s1_lm, [PROBLEMS[0], "0" * 2000])


def test_a_budget_larger_than_the_context_is_an_error(s1_lm: Any) -> None:
    with pytest.raises(BudgetError, match="max_thinking_tokens=5000 does not fit a context of 1024 tokens"):
        generate(s1_lm, PROBLEMS[:1], max_thinking_tokens=5000)


def test_a_budget_lowered_by_the_context_is_said(s1_lm: Any, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        (transcript,) = generate(s1_lm, ["0" * 900], max_thinking_tokens=500)
    assert "lowered to what the context window leaves for 1 of 1 samples" in caplog.text
    assert transcript.usage["thinking_limit"] < 500


def test_sampling_values_vllm_refuses_are_an_error_of_one_sentence(s1_lm: Any) -> None:
    with pytest.raises(EngineError, match="vLLM refused a request: temperature must be non-negative"):
        generate(s1_lm, PROBLEMS[:1], temperature=-1.0)


def test_unknown_generation_options_name_the_nearest(s1_lm: Any) -> None:
    with pytest.raises(OptionError, match="unknown generation option 'top_pp': did you mean 'top_p'"):
        generate(s1_lm, PROBLEMS[:1], top_pp=0.9)


def test_nothing_to_do_is_an_empty_list(s1_lm: Any) -> None:
    assert s1_lm.generate_until([], disable_tqdm=True) == []


def test_the_harness_s_cache_is_refused(s1_lm: Any) -> None:
    with pytest.raises(OptionError, match="--use_cache would return stale text"):
        s1_lm.set_cache_hook(object())


def test_ctrl_c_stops_cleanly_and_the_engine_can_go_on(s1_lm: Any) -> None:
    before = generate(s1_lm, PROBLEMS[:2])
    # A test run in the background may have inherited an ignored interrupt.
    inherited = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        threading.Timer(1.0, signal.raise_signal, [signal.SIGINT]).start()
        with pytest.raises(KeyboardInterrupt, match=r"interrupted: \d+ of 40 questions were finished"):
            generate(s1_lm, PROBLEMS, min_thinking_tokens=900)
    finally:
        signal.signal(signal.SIGINT, inherited)
    assert generate(s1_lm, PROBLEMS[:2]) == before


def test_ids_the_tokenizer_does_not_know_are_dropped_and_counted(
    s1_lm: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    whole = generate(s1_lm, PROBLEMS[:3])
    unknown = max(span["tokens"][0] for transcript in whole for span in transcript.spans if not span["forced"])
    monkeypatch.setattr(s1_lm.engine, "_known_ids", unknown)
    with caplog.at_level(logging.WARNING):
        transcripts = generate(s1_lm, PROBLEMS[:3], max_thinking_tokens=30)
    dropped = sum(transcript.usage["dropped_tokens"] for transcript in transcripts)
    assert dropped > 0
    assert f"{dropped} sampled token ids are unknown to the tokenizer" in caplog.text
    sampled = [
        t for transcript in transcripts for span in transcript.spans if not span["forced"] for t in span["tokens"]
    ]
    assert all(token < unknown for token in sampled)


def test_loglikelihood_is_still_the_harness_s(s1_lm: Any) -> None:
    asked = [Instance("loglikelihood", {}, ("016 59738", end), 0, ("t", 0, 1)) for end in (" 604", " 605")]
    scores = s1_lm.loglikelihood(asked, disable_tqdm=True)
    assert all(score < 0 for score, _ in scores)
