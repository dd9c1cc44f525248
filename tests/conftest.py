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
    from s1_models.engines.vllm.lm import S1VLLM

    lm = S1VLLM(pretrained=str(NANO), dtype="float32", max_model_len=1024)
    yield lm
    # While pytest's log capture is still there, not at the interpreter's exit.
    client = lm.model.llm_engine.engine_core
    client.shutdown()
    client.ctx.destroy(linger=0)  # vLLM leaves it to the garbage collector, whose ResourceWarning would fail the run


@pytest.fixture(scope="session")
def s1_hf_lm():
    """The embedded model on transformers, float32."""
    from s1_models.engines.hf.lm import S1HF

    return S1HF(pretrained=str(NANO), dtype="float32", device="cpu", max_length=1024)


@pytest.fixture(scope="session")
def vllm_serve(tmp_path_factory):
    """The embedded model behind a real `vllm serve`, set as `s1_lm` is; started once (a minute) for the whole run."""
    from s1_models.engines.vllm.arguments import CPU_DEFAULTS
    from tests.vllm_serve import VllmServe

    log = tmp_path_factory.mktemp("vllm_serve") / "server.log"
    same = ["--dtype", "float32", "--max-model-len", "1024", "--enforce-eager"]
    same += ["--block-size", str(CPU_DEFAULTS["block_size"])]
    same += ["--kv-cache-memory-bytes", str(CPU_DEFAULTS["kv_cache_memory_bytes"])]
    served = VllmServe(NANO, log, *same)
    yield served
    served.close()


@pytest.fixture(scope="session")
def ray_here():
    """A Ray cluster of this machine alone, for the whole run; its actors can import the tests."""
    import ray

    from s1_models.engines.ray import connect

    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("RAY_ADDRESS", raising=False)
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH")))))
        connect()
    yield
    ray.shutdown()


def shared(name: str) -> Path:
    """A file beside the checkout that some tests use when it is there; skips, saying so, when it is not."""
    path = ROOT.parent / "shared" / name
    if not path.exists():
        pytest.skip(f"needs {path.relative_to(ROOT.parent)} beside the checkout, which is absent")
    return path


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Slow tests may take twenty minutes: engines are started again and again, on machines that are busy."""
    for item in items:
        if item.get_closest_marker("slow") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(1200))
