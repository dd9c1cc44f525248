"""Writes output folders in the shape of lm_eval 0.4.13: results_DATE.json, samples_TASK_DATE.jsonl, traces.jsonl."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

DATE = "2026-11-23T00-54-02.643481"
WriteRun = Callable[..., Path]


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def write_run(
    folder: Path,
    tasks: Mapping[str, Sequence[Sequence[int]]],
    *,
    waits: Mapping[str, int] | None = None,
    thinking_tokens: Mapping[str, int] | None = None,
    plain: bool = False,
    date: str = DATE,
    model: str = "nano",
    prompt: str = "What is {}?",
    model_args: Any = None,
    generation: Mapping[str, Any] | None = None,
    checker: str = "0.1.0",
    traces: bool = True,
    text: str = "hm",
) -> Path:
    """tasks: task -> per question the 0/1 outcome of each repeat. plain: another model's output, without usage."""
    folder.mkdir(parents=True, exist_ok=True)
    configs = {}
    for task, outcomes in tasks.items():
        asked = (waits or {}).get(task)
        options = {"until": [], "temperature": 0.0, **(generation or {})} | (
            {} if asked is None else {"num_waits": asked}
        )
        configs[task] = {"task": task, "generation_kwargs": options, "num_fewshot": 0, "repeats": len(outcomes[0])}
        tokens = (thinking_tokens or {}).get(task, 100)
        with (folder / f"samples_{task}_{date}.jsonl").open("w") as file:
            for index, repeats in enumerate(outcomes):
                file.write(json.dumps(sample(index, repeats, tokens, asked or 0, plain, prompt, checker, text)) + "\n")
        if traces and not plain:
            with (folder / "traces.jsonl").open("a") as file:
                for index, repeats in enumerate(outcomes):
                    for repeat in range(len(repeats)):
                        file.write(json.dumps(trace(date, task, index, repeat, tokens, asked or 0, text)) + "\n")
    results = {
        "results": {task: {"exact_match,none": 0.5} for task in tasks},
        "configs": configs,
        "versions": dict.fromkeys(tasks, 1.0),
        "n-samples": {task: {"original": len(rows), "effective": len(rows)} for task, rows in tasks.items()},
        "config": {"model": "hf" if plain else "s1_vllm", "model_args": model_args or {"pretrained": model}},
        "model_name": model,
        "lm_eval_version": "0.4.13",
        "pretty_env_info": "OS: Debian\nModel name:   Some CPU\n",
        "chat_template_sha": None,
    }
    (folder / f"results_{date}.json").write_text(json.dumps(results))
    return folder


def sample(
    index: int,
    repeats: Sequence[int],
    tokens: int,
    waits: int,
    plain: bool,
    prompt: str,
    checker: str,
    text: str = "hm",
) -> dict:
    document = {"id": f"q{index}", "problem": f"{index} + 1", "answer": str(index + 1)}
    responses = [thinking(index, right, waits, text) for right in repeats]
    row = {
        "doc_id": index,
        "doc": document,
        "target": document["answer"],
        "arguments": {"gen_args_0": {"arg_0": prompt.format(document["problem"]), "arg_1": {"until": []}}},
        "resps": [responses],
        "filtered_resps": [responses],
        "filter": "none",
        "metrics": ["exact_match"],
        "doc_hash": sha(json.dumps(document)),
        "prompt_hash": sha(prompt.format(document["problem"])),
        "exact_match": float(repeats[0]),
    }
    if plain:
        return row
    words = {1: ("correct", str(index + 1)), 0: ("incorrect", "-1")}
    verdicts = [
        {
            "outcome": words[right][0],
            "answer": words[right][1],
            "reason": "integers",
            "rule": "box",
            "checker_version": checker,
        }
        for right in repeats
    ]
    return row | {
        "verdicts": verdicts,
        "thinking_tokens": float(tokens),
        "answer_tokens": 5.0,
        "waits": float(waits),
        "cut_off": 0.0,
    }


def thinking(index: int, right: int, waits: int, text: str) -> str:
    rounds = "Wait".join([f"\n{text}\n"] * (waits + 1))
    return f"<|im_start|>think{rounds}<|im_start|>answer\nFinal Answer: {index + 1 if right else -1}"


def trace(date: str, task: str, index: int, repeat: int, tokens: int, waits: int, text: str) -> dict:
    spans = [{"phase": "opening", "forced": True, "text": "<|im_start|>think", "tokens": [1]}]
    for number in range(waits + 1):
        if number:
            spans.append({"phase": "thinking", "forced": True, "text": "Wait", "tokens": [2]})
        spans.append({"phase": "thinking", "forced": False, "text": f"\n{text}\n", "tokens": [3, 4]})
    spans.append({"phase": "answering", "forced": True, "text": "<|im_start|>answer", "tokens": [5]})
    spans.append({"phase": "answering", "forced": False, "text": f"\nFinal Answer: {index + 1}", "tokens": [6, 7]})
    return {
        "run": date, "task": task, "doc_id": index, "repeat": repeat, "thinking_tokens": tokens + repeat,
        "answer_tokens": 5, "waits_used": waits, "cut_off": 0, "answer_cut_off": 0, "thinking_limit": 4000,
        "spans": spans,
    }  # fmt: skip


@pytest.fixture
def run_folder(tmp_path: Path) -> WriteRun:
    """`write_run` into a folder of this test: run_folder("name", {...tasks...})."""
    return lambda name, tasks, **options: write_run(tmp_path / name, tasks, **options)
