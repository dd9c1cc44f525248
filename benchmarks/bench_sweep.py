"""What does the whole test-time-scaling curve cost, beside its longest setting and beside its settings run one by one?

The sweep of `s1-eval sweep` (every number of waits at the largest budget, smaller budgets at 0 waits), float32, one
engine, three ways per repetition, each from an empty memo and an empty prefix cache:

- longest: a sweep of the longest setting alone;
- sweep: all settings, longest first, through one memo;
- apart: every setting as a sweep of its own, with a memo of its own.

Counted are tokens the engine generated and wall seconds from the loaded engine to the written files (lm_eval's loop,
scoring and files included; loading the engine, lm_eval's index of tasks and the data left out: all three pay them
alike, and with them the ratio to the longest would look better). Every setting's transcripts are compared token by
token with those of the same setting run apart; an engine that is not batch-invariant may differ, and the rate is told.
What limits the ratio: the share of answers, which every setting generates for itself, and, where a model decodes as
fast as the embedded one, scoring and filing. SmolLM2-135M (see run_smollm2) is a model whose decoding dominates, here
on MATH500 from S1_DATA_DIR; it was never taught to think, which changes no cost. The last line is JSON.

    python -m benchmarks.bench_sweep [--questions 200] [--num_waits 0,1,2,4] [--max_thinking_tokens 10,20,40,60,auto]
                                     [--max_answer_tokens 128] [--repetitions 3] [--report NAME]
    S1_DATA_DIR=DIR python -m benchmarks.bench_sweep --model smollm2 --task math500 --questions 40 \\
        --max_thinking_tokens 64,128,192,256,384 --max_answer_tokens 16 --repetitions 1
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lm_eval.tasks import TaskManager

from benchmarks.report import write_report
from benchmarks.run_smollm2 import CACHE, convert
from s1_models.commands.sweep import Setting, Sweep, choose_settings, run_sweep
from s1_models.commands.sweep_command import parse_budgets, parse_numbers
from s1_models.harness.evaluation import LoadedTasks
from s1_tasks import TASKS_DIR

NANO = Path(__file__).parents[1] / "training/nano/checkpoints/tuned"
MODELS = {"nano": (NANO, 1024, "the embedded model"), "smollm2": (CACHE, 2048, "SmolLM2-135M-Instruct")}
"""Folder, tokens of context, and the name in a report."""


class Bench:
    """One loaded engine and one set of loaded tasks, shared by all sweeps."""

    def __init__(self, model: str, task: str, questions: int, max_answer_tokens: int) -> None:
        from s1_models.engines.vllm.lm import S1VLLM

        folder, context, _ = MODELS[model]
        if model == "smollm2":
            convert(folder)
        engine_args = {"pretrained": str(folder), "dtype": "float32", "max_model_len": context}
        self.lm = S1VLLM(**engine_args)
        manager = TaskManager(include_path=str(TASKS_DIR), include_defaults=False, metadata=dict(engine_args))
        self.task = task
        self.tasks = LoadedTasks(manager, [task])
        self.model_args = {**engine_args, "max_answer_tokens": max_answer_tokens}
        self.arguments = {"limit": questions}

    def sweep(self, settings: Sequence[Setting], folder: Path) -> tuple[float, int]:
        """Seconds and generated tokens of a sweep into an empty folder."""
        self.lm.model.reset_prefix_cache()
        started = time.perf_counter()
        manifest = run_sweep(
            Sweep("s1_vllm", self.model_args, [self.task], settings, self.arguments),
            lambda: self.lm,
            lambda: self.tasks,
            folder,
            memo=str(folder / "memo.sqlite"),
            versions={},
        )
        return time.perf_counter() - started, sum(row["tokens_new"] for row in manifest.rows)


def transcripts(folder: Path) -> dict[int, list[Any]]:
    """Question -> the spans of its transcript: phase, forced, token ids."""
    (file,) = folder.rglob("traces.jsonl")
    traces = [json.loads(line) for line in file.read_text().splitlines()]
    return {
        trace["doc_id"]: [(span["phase"], span["forced"], span["tokens"]) for span in trace["spans"]]
        for trace in traces
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=tuple(MODELS), default="nano")
    parser.add_argument("--task", default="s1_nano")
    parser.add_argument("--questions", type=int, default=200)
    parser.add_argument("--num_waits", type=parse_numbers, default=[0, 1, 2, 4])
    parser.add_argument("--max_thinking_tokens", type=parse_budgets, default=[10, 20, 40, 60, None])
    parser.add_argument("--max_answer_tokens", type=int, default=128)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--report", metavar="NAME", help="also write benchmarks/reports/NAME.md")
    options = parser.parse_args()
    settings = choose_settings(options.num_waits, options.max_thinking_tokens)
    bench = Bench(options.model, options.task, options.questions, options.max_answer_tokens)
    seconds: dict[str, list[float]] = {"longest": [], "sweep": [], "apart": []}
    tokens: dict[str, int] = {}
    different: dict[str, int] = {}
    with tempfile.TemporaryDirectory() as name:
        for repetition in range(options.repetitions + 1):
            folder = Path(name) / str(repetition)
            spent = {"longest": bench.sweep(settings[:1], folder / "longest")}
            spent["sweep"] = bench.sweep(settings, folder / "sweep")
            apart = [bench.sweep([setting], folder / "apart" / setting.folder) for setting in settings]
            spent["apart"] = sum(one for one, _ in apart), sum(count for _, count in apart)
            tokens = {way: count for way, (_, count) in spent.items()}
            if not repetition:  # the first one warms up
                continue
            for way, (one, _) in spent.items():
                seconds[way].append(one)
            print("   ".join(f"{way} {one:6.2f} s {count:8,} tokens" for way, (one, count) in spent.items()))
            for setting in settings:
                ours = transcripts(folder / "sweep" / setting.folder)
                theirs = transcripts(folder / "apart" / setting.folder)
                assert len(ours) == len(theirs) == options.questions
                differing = sum(ours[question] != theirs[question] for question in ours)
                different[str(setting)] = max(different.get(str(setting), 0), differing)
    medians = {way: statistics.median(times) for way, times in seconds.items()}
    result = {
        "model": options.model,
        "task": options.task,
        "questions": options.questions,
        "settings": [str(setting) for setting in settings],
        "tokens": tokens,
        "median_seconds": {way: round(one, 3) for way, one in medians.items()},
        "sweep_over_longest": {
            "tokens": round(tokens["sweep"] / tokens["longest"], 3),
            "seconds": round(_median_ratio(seconds["sweep"], seconds["longest"]), 3),
        },
        "apart_over_sweep": {
            "tokens": round(tokens["apart"] / tokens["sweep"], 3),
            "seconds": round(_median_ratio(seconds["apart"], seconds["sweep"]), 3),
        },
        "different_transcripts": different,
    }
    if options.report:
        _report(options.report, result)
    print(json.dumps(result))


def _median_ratio(above: Sequence[float], below: Sequence[float]) -> float:
    return statistics.median(one / other for one, other in zip(above, below, strict=True))


def _report(name: str, result: dict[str, Any]) -> None:
    over, apart = result["sweep_over_longest"], result["apart_over_sweep"]
    lines = [
        f"{MODELS[result['model']][2]}, float32, vLLM's CPU build; {result['questions']} questions of "
        f"{result['task']}, {len(result['settings'])} settings: {'; '.join(result['settings'])}.",
        "",
        "| | generated tokens | median seconds |",
        "| --- | --- | --- |",
        *(f"| {way} | {result['tokens'][way]:,} | {one} |" for way, one in result["median_seconds"].items()),
        "",
        f"The sweep costs {over['tokens']}x the tokens and {over['seconds']}x the time of its longest setting; its",
        f"settings run apart cost {apart['tokens']}x its tokens and {apart['seconds']}x its time. Transcripts that",
        f"differ from the same setting run apart, at most, of {result['questions']} each: "
        + ", ".join(f"{count} ({setting})" for setting, count in result["different_transcripts"].items())
        + ".",
    ]
    write_report(name, "The curve in one pass", lines)


if __name__ == "__main__":
    main()
