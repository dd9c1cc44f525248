"""The memo as a model arg, on vLLM: the same transcripts, nothing generated twice, never another model's text."""

import logging
from pathlib import Path
from typing import Any

import pytest
from lm_eval.api.instance import Instance

from s1_models.harness.lm import BudgetForcingLM, Reuse
from s1_models.memo.store import MemoError
from s1_models.options import OptionError, memo_path
from s1_tasks.nano_problems import held_out

PROBLEMS = [problem["problem"] for problem in held_out(12)]


def generate(lm: Any, **gen_kwargs: Any) -> list[Any]:
    kwargs = {"until": [], "max_gen_toks": 32, **gen_kwargs}
    requests = [
        Instance("generate_until", {}, (problem, kwargs), 0, ("s1_nano", number, 1))
        for number, problem in enumerate(PROBLEMS)
    ]
    last = lm.generate_until(requests, disable_tqdm=True)
    return [[*request.resps, response] for request, response in zip(requests, last, strict=True)]


@pytest.fixture
def remembering_lm(s1_lm: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(s1_lm, "options", {**s1_lm.options, "memo": str(tmp_path / "memo.sqlite")})
    monkeypatch.setattr(s1_lm, "_identity", s1_lm._identity)  # what a test makes of it is taken back
    return s1_lm


def load_as(lm: Any, monkeypatch: pytest.MonkeyPatch, **given: Any) -> None:
    """As if the model had been loaded with other arguments."""
    monkeypatch.setattr(lm, "_given", {**lm._given, **given})
    with lm.identified_while_loading():
        pass


def test_settings_through_one_memo_give_the_transcripts_of_none(
    remembering_lm: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    lm = remembering_lm
    settings = [{"num_waits": 4}, {"num_waits": 1}, {"num_waits": 2, "max_thinking_tokens": 20}, {"num_waits": 4}]
    remembered, generated = [], []
    for setting in settings:
        remembered.append(generate(lm, **setting))
        generated.append(lm.reuse[0].generated_tokens)
    assert generated[0] > 500
    assert generated[-1] == 0
    assert sum(generated[1:]) < generated[0] / 2, "only answers are left to generate"
    assert f"memo {lm.options['memo']}: 0 tokens reused, {generated[0]:,} generated" in caplog.text
    with monkeypatch.context() as patch:
        patch.setitem(lm.options, "memo", "off")
        assert [generate(lm, **setting) for setting in settings] == remembered
        assert lm.reuse == [Reuse()]


def test_samples_are_remembered_each_with_its_seed(remembering_lm: Any) -> None:
    first = generate(remembering_lm, temperature=1.0, seed=5, n=3, num_waits=1)
    assert any(len(set(samples)) > 1 for samples in first)
    assert generate(remembering_lm, temperature=1.0, seed=5, n=3, num_waits=1) == first
    assert remembering_lm.reuse[0].generated_tokens == 0
    assert generate(remembering_lm, temperature=1.0, seed=5, n=1, num_waits=1) == [[one[0]] for one in first]
    assert remembering_lm.reuse[0].generated_tokens == 0
    for seed in (6, 5 + 2**31):
        other = generate(remembering_lm, temperature=1.0, seed=seed, n=3, num_waits=1)
        assert remembering_lm.reuse[0].reused_tokens == 0, "another seed draws anew"
        assert other != first
        assert [one[0] for one in other] != [one[1] for one in first], "nor are samples those of the next seed"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("pretrained", "another folder"),
        ("tokenizer", "another folder"),
        ("lora_local_path", "another folder"),
        ("hf_overrides", {"rope_theta": 5.0}),
        ("kv_cache_dtype", "fp8"),
        ("trust_remote_code", True),
    ],
)
def test_a_model_that_may_write_other_tokens_is_another_model(
    remembering_lm: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: Any
) -> None:
    folder = tmp_path / "another folder"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    generate(remembering_lm)
    identity = remembering_lm.model_identity()
    value = str(folder) if value == "another folder" else value
    load_as(remembering_lm, monkeypatch, **{name: value})
    assert remembering_lm.model_identity() != identity
    generate(remembering_lm)
    assert remembering_lm.reuse[0].reused_tokens == 0


@pytest.mark.parametrize(("name", "value"), [("dtype", "torch.bfloat16"), ("quantization", "fp8")])
def test_what_vllm_resolved_is_part_of_the_model(
    remembering_lm: Any, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    identity = remembering_lm.model_identity()
    assert identity["dtype"] == "torch.float32"
    monkeypatch.setitem(remembering_lm.facts, name, value)
    changed = remembering_lm.identify()
    assert {key for key in identity if identity[key] != changed[key]} == {name}


def test_how_much_memory_an_engine_takes_is_not_part_of_the_model(
    remembering_lm: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    identity = remembering_lm.model_identity()
    load_as(remembering_lm, monkeypatch, gpu_memory_utilization=0.5, max_num_seqs=3, tensor_parallel_size=2)
    assert remembering_lm.model_identity() == identity


def test_a_model_that_cannot_be_told_apart_is_refused_only_a_memo_that_was_asked_for(
    remembering_lm: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    load_as(remembering_lm, monkeypatch, pretrained="made/up")
    with pytest.raises(MemoError, match="cannot be told which weights made/up has"):
        generate(remembering_lm)
    monkeypatch.delitem(remembering_lm.options, "memo")
    monkeypatch.setenv("S1_MEMO", str(tmp_path / "beside.sqlite"))
    assert generate(remembering_lm)
    assert "this run has no memo: it cannot be told which weights made/up has" in caplog.text


# Options; no engine is needed.


def test_the_path_comes_from_the_model_args_then_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("S1_MEMO", raising=False)
    assert memo_path({}) is None
    monkeypatch.setenv("S1_MEMO", "beside.sqlite")
    assert memo_path({}) == Path("beside.sqlite")
    assert memo_path({"memo": "mine.sqlite"}) == Path("mine.sqlite")
    assert memo_path({"memo": "~/mine.sqlite"}) == Path.home() / "mine.sqlite"
    assert memo_path({"memo": "off"}) is memo_path({"memo": False}) is None
    with pytest.raises(OptionError, match="memo=True: expected the path of a file, or off"):
        memo_path({"memo": True})


def test_an_unusable_memo_is_said_before_a_model_is_loaded(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("no database " * 100)
    with pytest.raises(MemoError, match="not an SQLite file"):
        Unloadable(memo=str(path))


class Unloadable(BudgetForcingLM):
    """A model whose weights must not be asked for."""

    sampling_names = model_arguments = frozenset()

    def load(self, **arguments: Any) -> None:
        pytest.fail("the model was loaded")


def test_a_task_has_no_memo_of_its_own(s1_lm: Any) -> None:
    with pytest.raises(OptionError, match="memo belongs to the whole run"):
        generate(s1_lm, memo="mine.sqlite")


def test_the_harness_cache_is_refused_and_the_memo_named(s1_lm: Any, tmp_path: Path) -> None:
    import lm_eval

    with pytest.raises(OptionError, match=r"run without --use_cache; --model_args memo=PATH remembers"):
        lm_eval.simple_evaluate(s1_lm, tasks=["s1_nano"], limit=1, use_cache=str(tmp_path / "cache"))
