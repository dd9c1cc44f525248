"""Fixtures shared by the rooms: real tokenizers, the embedded model, one vLLM engine per test run."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NANO = ROOT / "training/nano/checkpoints/tuned"

# Tests never reach the Hub; set before transformers is imported anywhere.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


@pytest.fixture(scope="session")
def nano_tokenizer():
    """The embedded model's tokenizer: byte-level, with s1's delimiters as special tokens."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(NANO)


@pytest.fixture(scope="session")
def s1_lm():
    """The embedded model on a real vLLM engine, float32; started once (about 35 s) for the whole run."""
    from s1_models.engine_vllm import S1VLLM

    lm = S1VLLM(pretrained=str(NANO), dtype="float32", max_model_len=1024)
    yield lm
    # While pytest's log capture is still there, not at the interpreter's exit.
    lm.model.llm_engine.engine_core.shutdown()


@pytest.fixture(scope="session")
def s1_hf_lm():
    """The embedded model on transformers, float32."""
    from s1_models.engine_hf import S1HF

    return S1HF(pretrained=str(NANO), dtype="float32", device="cpu", max_length=1024)


def shared(name: str) -> Path:
    """A file beside the checkout that some tests use when it is there; skips, saying so, when it is not."""
    path = ROOT.parent / "shared" / name
    if not path.exists():
        pytest.skip(f"needs {path.relative_to(ROOT.parent)} beside the checkout, which is absent")
    return path
