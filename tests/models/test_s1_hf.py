"""`s1_hf` as lm_eval's model: the transcripts of `s1_vllm`, and options that are HFLM's own."""

import logging
import shutil
import signal
import threading
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from lm_eval.api.instance import Instance

from s1_contract.response import Response
from s1_models.memo.fingerprint import fingerprint_model
from s1_models.memo.identity import Identified
from s1_models.memo.store import MemoError
from s1_models.options import OptionError
from s1_tasks.nano_problems import held_out

NANO = Path(__file__).parents[2] / "training/nano/checkpoints/tuned"
PROBLEMS = [problem["problem"] for problem in held_out(40)]


def generate(lm: Any, contexts: list[str], **gen_kwargs: Any) -> list[Response]:
    asked = [
        Instance(
            "generate_until", {}, (context, {"until": [], "max_gen_toks": 32, **gen_kwargs}), 0, ("s1_nano", number, 1)
        )
        for number, context in enumerate(contexts)
    ]
    return lm.generate_until(asked, disable_tqdm=True)


@pytest.mark.parametrize(
    "budget", [{}, {"num_waits": 2}, {"max_thinking_tokens": 13}, {"num_waits": 2, "wait_text": ""}], ids=str
)
def test_transcripts_are_those_of_s1_vllm(s1_hf_lm: Any, s1_lm: Any, budget: dict[str, Any]) -> None:
    ours, theirs = generate(s1_hf_lm, PROBLEMS, **budget), generate(s1_lm, PROBLEMS, **budget)
    assert ours == theirs
    assert [transcript.usage for transcript in ours] == [transcript.usage for transcript in theirs]
    assert [transcript.spans for transcript in ours] == [transcript.spans for transcript in theirs]


def test_n_samples_come_in_order_and_differ_by_their_seed(s1_hf_lm: Any) -> None:
    asked = [
        Instance(
            "generate_until",
            {},
            (problem, {"temperature": 1.0, "seed": 11, "n": 3, "max_gen_toks": 32}),
            0,
            ("s1_nano", number, 1),
        )
        for number, problem in enumerate(PROBLEMS[:4])
    ]
    last = s1_hf_lm.generate_until(asked, disable_tqdm=True)
    together = [[*request.resps, response] for request, response in zip(asked, last, strict=True)]
    # A question's samples are its own, whatever is asked beside it and however many are drawn.
    for problem, repeats in zip(PROBLEMS, together[:4], strict=False):
        assert generate(s1_hf_lm, [problem], temperature=1.0, seed=11) == repeats[:1]
    assert generate(s1_hf_lm, PROBLEMS[:4][::-1], temperature=1.0, seed=11) == [one[0] for one in together][::-1]
    assert generate(s1_hf_lm, PROBLEMS[:4], temperature=1.0, seed=12) != [repeats[1] for repeats in together]
    assert any(len(set(repeats)) > 1 for repeats in together)


def test_ids_the_tokenizer_does_not_know_are_dropped_and_counted(
    s1_hf_lm: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = generate(s1_hf_lm, PROBLEMS[:3])
    unknown = max(span["tokens"][0] for transcript in whole for span in transcript.spans if not span["forced"])
    monkeypatch.setattr(s1_hf_lm.engine, "_known_ids", unknown)
    transcripts = generate(s1_hf_lm, PROBLEMS[:3], max_thinking_tokens=30, num_waits=1)
    assert sum(transcript.usage["dropped_tokens"] for transcript in transcripts) > 0
    sampled = [t for text in transcripts for span in text.spans if not span["forced"] for t in span["tokens"]]
    assert all(token < unknown for token in sampled)


def test_ctrl_c_stops_cleanly_and_the_engine_can_go_on(s1_hf_lm: Any) -> None:
    before = generate(s1_hf_lm, PROBLEMS[:2])
    inherited = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        threading.Timer(0.5, signal.raise_signal, [signal.SIGINT]).start()
        with pytest.raises(KeyboardInterrupt, match=r"interrupted: \d+ of 40 questions were finished"):
            generate(s1_hf_lm, PROBLEMS, min_thinking_tokens=900)
    finally:
        signal.signal(signal.SIGINT, inherited)
    assert generate(s1_hf_lm, PROBLEMS[:2]) == before


def test_loglikelihood_is_still_the_harness_s(s1_hf_lm: Any) -> None:
    asked = [Instance("loglikelihood", {}, ("016 59738", end), 0, ("t", 0, 1)) for end in (" 604", " 605")]
    assert all(score < 0 for score, _ in s1_hf_lm.loglikelihood(asked, disable_tqdm=True))


def load(**arguments: Any) -> Any:
    from s1_models.engines.hf.lm import S1HF

    return S1HF(**{"pretrained": str(NANO), "dtype": "float32", "device": "cpu", **arguments})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"pretrained": None}, "s1_hf needs to know its model: --model_args pretrained=MODEL"),
        ({"num_wait": 2}, "unknown model argument 'num_wait': did you mean 'num_waits'"),
        ({"attn_implementatio": "eager"}, "did you mean 'attn_implementation'"),
        ({"load_in_4bits": True}, "did you mean 'load_in_4bit'"),
        ({"tensor_parallel_size": 2}, "unknown model argument 'tensor_parallel_size'"),
        ({"top_p": 0.9}, "top_p is a sampling option: put it into --gen_kwargs top_p=0.9"),
    ],
)
def test_arguments_nobody_knows_are_an_error_before_a_model_is_loaded(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        load(**arguments)


def test_the_batch_size_nobody_chose_does_not_make_it_serial(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "s1_models"):
        assert load(batch_size=1).max_in_flight == 64
    assert "decodes up to 64 questions at a time (batch_size=1; " in caplog.text
    assert load(batch_size="auto", max_batch_size=12).max_in_flight == 12
    assert load(batch_size="8").max_in_flight == 8
    assert load(batch_size=1, max_batch_size=1).max_in_flight == 1


def test_it_runs_on_what_there_is() -> None:
    from s1_models.engines.hf.lm import S1HF

    lm = S1HF(pretrained=str(NANO))
    assert lm.device.type == ("cuda" if torch.cuda.is_available() else "cpu")


def test_the_switch_for_thinking_reaches_the_chat_template() -> None:
    for given, seen in ((None, "True"), (True, "True"), (False, "False")):
        lm = load(enable_thinking=given)
        lm.tokenizer.chat_template = "{{ enable_thinking }}: {{ messages[0].content }}"
        assert lm.apply_chat_template([{"role": "user", "content": "why"}]) == f"{seen}: why"


def test_an_adapter_is_used_and_is_part_of_what_the_model_is(s1_hf_lm: Any, tmp_path: Path) -> None:
    import peft

    base = transformers.AutoModelForCausalLM.from_pretrained(NANO)
    torch.manual_seed(0)
    adapted = peft.get_peft_model(base, peft.LoraConfig(r=2, target_modules=["q_proj"], init_lora_weights=False))
    adapted.save_pretrained(tmp_path)
    lm = load(peft=str(tmp_path), max_length=1024)
    assert generate(lm, PROBLEMS[:8], num_waits=1) != generate(s1_hf_lm, PROBLEMS[:8], num_waits=1)
    ours, plain = lm.model_identity(), s1_hf_lm.model_identity()
    assert {name for name in ours if ours[name] != plain[name]} == {"peft"}


def test_what_the_memo_knows_is_not_generated_again(s1_hf_lm: Any, tmp_path: Path) -> None:
    lm = load(memo=str(tmp_path / "memo.sqlite"), max_length=1024)
    first = generate(lm, PROBLEMS[:6], num_waits=2)
    assert first == generate(s1_hf_lm, PROBLEMS[:6], num_waits=2)
    assert lm.reuse[0].generated_tokens > 0
    assert generate(lm, PROBLEMS[:6], num_waits=2) == first
    assert lm.reuse[0].generated_tokens == 0


def test_the_memo_knows_the_files_that_were_loaded_not_those_that_are_there_now(tmp_path: Path) -> None:
    memo = str(tmp_path / "memo.sqlite")
    folder = tmp_path / "checkpoints" / "latest"
    shutil.copytree(NANO, folder)
    first = load(pretrained=str(folder), memo=memo, max_length=1024)
    shutil.copy(NANO.parent / "base" / "model.safetensors", folder)  # a training run goes on
    generate(first, PROBLEMS[:4])
    for arguments in ({"pretrained": str(folder)}, {"pretrained": str(folder.parent), "subfolder": "latest"}):
        second = load(**arguments, memo=memo, max_length=1024)
        assert second.model_identity()["weights"] != first.model_identity()["weights"]
    generate(second, PROBLEMS[:4])
    assert second.reuse[0].reused_tokens == 0
    assert second.reuse[0].generated_tokens > 0


def test_files_that_change_while_they_are_loaded_identify_nothing(tmp_path: Path) -> None:
    class Model(Identified):
        def identify(self) -> dict[str, str]:
            return {"weights": fingerprint_model(str(tmp_path))}

    (tmp_path / "config.json").write_text("{}")
    model = Model()
    with model.identified_while_loading(str(tmp_path), None, "on/the-hub"):
        pass
    assert model.model_identity() == {"weights": fingerprint_model(str(tmp_path))}
    with model.identified_while_loading(str(tmp_path)):
        (tmp_path / "config.json").write_text("{ }")
    with pytest.raises(MemoError, match="changed while they were loaded"):
        model.model_identity()


def test_code_that_comes_with_a_model_is_part_of_what_it_is(s1_hf_lm: Any) -> None:
    plain = s1_hf_lm.model_identity()
    for option in ({"trust_remote_code": True}, {"trust_remote_code": True, "code_revision": "abc"}):
        coded = load(max_length=1024, **option).model_identity()
        assert {name for name in coded if coded[name] != plain[name]} == {"other arguments"}


def test_no_question_at_a_time_is_an_error() -> None:
    for name in ("max_batch_size", "batch_size"):
        with pytest.raises(OptionError, match=f"{name}=0: expected at least 1"):
            load(**{name: 0})


def test_half_precision_keeps_every_budget() -> None:
    for options in ({"dtype": "bfloat16"}, {"mixed_precision_dtype": "bfloat16"}):
        for transcript in generate(load(**options), PROBLEMS[:5], num_waits=2, max_thinking_tokens=40):
            assert transcript.usage["thinking_tokens"] <= 40
            assert transcript.startswith("<|im_start|>think\n")
