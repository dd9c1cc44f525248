"""A start of vLLM that fails is one sentence with a cure, and the cure works: real engines, from the command line."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import NANO

pytestmark = pytest.mark.slow

USUAL = {"pretrained": str(NANO), "dtype": "float32", "max_model_len": "512", "num_waits": "1"}
WRONG = [
    pytest.param(
        {"max_model_len": "999999"}, "give max_model_len=4096 or less", {"max_model_len": "4096"}, id="length"
    ),
    pytest.param(
        {"kv_cache_memory_bytes": "20000"},
        "more memory (kv_cache_memory_bytes)",
        {"kv_cache_memory_bytes": "200000000"},
        id="cache",
    ),
    pytest.param({"quantization": "nonsense"}, "leave quantization out", {}, id="quantization"),
    pytest.param({"pretrained": "nowhere/at-all"}, "nowhere/at-all", {}, id="model"),
    pytest.param({"lora_local_path": "nowhere/at-all"}, "nowhere/at-all", {}, id="adapter"),
]


def run(arguments: dict[str, str], folder: Path) -> subprocess.CompletedProcess[str]:
    given = ",".join(f"{name}={value}" for name, value in arguments.items())
    command = [sys.executable, "-m", "lm_eval", "run", "--model", "s1_vllm", "--model_args", given]
    return subprocess.run(
        [*command, "--tasks", "s1_nano", "--limit", "2", "--output_path", str(folder)],
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )


@pytest.mark.parametrize(("wrong", "says", "cure"), WRONG)
def test_a_failed_start_says_what_to_do_and_it_helps(
    wrong: dict[str, str], says: str, cure: dict[str, str], tmp_path: Path
) -> None:
    failed = run({**USUAL, **wrong}, tmp_path)
    assert failed.returncode != 0
    sentences = [line for line in failed.stderr.splitlines() if line.startswith("error: ")]
    assert len(sentences) == 1, failed.stderr[-3000:]
    assert says in sentences[0]
    assert "Traceback" not in failed.stderr
    if cure:  # the others are cured by leaving the option out, which every other test does
        helped = run({**USUAL, **wrong, **cure}, tmp_path)
        assert helped.returncode == 0, helped.stderr[-3000:]
        assert list(tmp_path.glob("*/results_*.json"))
