"""A model that cannot be loaded is one sentence with the model and the cure, and the cure helps."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from s1_models.driver import EngineError
from s1_models.engines.hf.lm import S1HF
from s1_models.harness.loading import check_places, errors_as_sentences, explain
from s1_models.options import OptionError
from tests.conftest import NANO

CPU = {"device": "cpu", "dtype": "float32", "max_length": 512}


def load(**arguments: Any) -> S1HF:
    return S1HF(**{"pretrained": str(NANO), **CPU, **arguments})


@pytest.mark.parametrize(
    ("wrong", "sentence", "cure"),
    [
        (
            {"pretrained": "/no/such/model"},
            r"^pretrained=/no/such/model: there is no such folder: check the path",
            {"pretrained": str(NANO)},
        ),
        (
            {"pretrained": "Qwen/Qwen3-8B"},
            r"^pretrained=Qwen/Qwen3-8B: it was not downloaded before, and HF_HUB_OFFLINE forbids it: unset .*=PATH\)$",
            {"pretrained": str(NANO)},
        ),
        ({"peft": "/no/such/adapter"}, "^peft=/no/such/adapter: there is no such folder", {"peft": None}),
        ({"peft": str(NANO)}, r"^peft=.*: this folder has no adapter_config\.json", {"peft": None}),
        ({"tokenizer": "./nowhere"}, r"^tokenizer=\./nowhere: there is no such folder", {"tokenizer": str(NANO)}),
        ({"dtype": "float7"}, r"^s1_hf could not load .*tuned: .*float7.*: check dtype", {"dtype": "float32"}),
    ],
    ids=["model path", "Hub name offline", "adapter path", "no adapter", "tokenizer path", "dtype"],
)
def test_a_failing_start_of_s1_hf_names_model_and_cure(
    wrong: dict[str, Any], sentence: str, cure: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    with pytest.raises((EngineError, OptionError), match=sentence) as failure:
        load(**wrong)
    assert "\n" not in str(failure.value)
    assert load(**{**wrong, **cure}).engine.context_window == 512, "the cure helps"


def test_what_others_raise_is_one_sentence_and_what_we_raise_stays() -> None:
    expected = pytest.raises(EngineError, match=r"^s1_x could not load m: a b: check the model args")
    with expected as failure, errors_as_sentences("s1_x", "m"):
        raise ValueError("a\n  b.")
    assert isinstance(failure.value.__cause__, ValueError)
    with pytest.raises(OptionError, match=r"^ours$"), errors_as_sentences("s1_x", "m"):
        raise OptionError("ours")


@pytest.mark.parametrize(
    ("text", "cure"),
    [
        (
            "max_model_len (9) is greater than the derived max_model_len (max_position_embeddings=4096.0",
            "give max_model_len=4096 or less",
        ),
        (
            "To serve at least one request, 2 GiB KV cache is needed. the estimated maximum model length is 64. Try",
            "give max_model_len=64 or less, or more memory for the cache",
        ),
        ("Unknown quantization method: nonsense. Must be one of ['awq']", "give one of those, or leave"),
        ("Cannot find the config file for awq", "leave quantization out: this model is not quantized in that way"),
    ],
)
def test_what_vllm_says_has_a_cure(text: str, cure: str) -> None:
    from s1_models.engines.vllm.start_up import CURES

    assert f": {cure}" in explain(text, CURES)


def test_places_that_are_no_folders_of_ours_are_left_to_the_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    (tmp_path / "model.gguf").write_bytes(b"")
    check_places({"pretrained": "Qwen/Qwen3-8B", "tokenizer": None, "peft": "s3://bucket/adapter"})
    check_places({"pretrained": str(tmp_path / "model.gguf"), "tokenizer": object()})


def test_a_generation_option_nobody_knows_is_said_before_the_model_is_loaded() -> None:
    program = """
import lm_eval, s1_models.engines.hf.lm as engine
engine.S1HF.load = lambda self, **_: print("LOADED")
lm_eval.simple_evaluate("s1_hf", model_args="pretrained=x", tasks=["s1_nano"], gen_kwargs="num_wait=2")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert "unknown generation option 'num_wait': did you mean 'num_waits'?" in done.stderr
    assert "LOADED" not in done.stdout
