"""What does the whole test-time-scaling curve cost, beside its longest setting and beside its settings run one by one?

The sweep of `s1-eval sweep` (every number of waits at the largest budget, smaller budgets at 0 waits) on the embedded
model, float32, one engine, three ways per repetition, each from an empty memo and an empty prefix cache:

- longest: a sweep of the longest setting alone;
- sweep: all settings, longest first, through one memo;
- apart: every setting as a sweep of its own, with a memo of its own.

Counted are tokens the engine generated and wall seconds from the loaded engine to the written files (lm_eval's loop,
scoring and files included; loading the engine, lm_eval's index of tasks and the data left out: all three pay them
alike, and with them the ratio to the longest would look better). Every setting's transcripts are compared token by
token with those of the same setting run apart; an engine that is not batch-invariant may differ, and the rate is told.
What limits the ratio: the share of answers, which every setting generates for itself. The last line is JSON.

    python -m benchmarks.bench_sweep [--questions 200] [--num_waits 0,1,2,4] [--max_thinking_tokens 10,20,40,60,auto]
                                     [--repetitions 3] [--report NAME]
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
from s1_models.evaluation import LoadedTasks
from s1_models.sweep import Setting, Sweep, choose_settings, run_sweep
from s1_models.sweep_command import parse_budgets, parse_numbers
from s1_tasks import TASKS_DIR

NANO = Path(__file__).parents[1] / "training/nano/checkpoints/tuned"
MODEL_ARGS = {"pretrained": str(NANO), "dtype": "float32", "max_model_len": 1024}


class Bench:
    """One loaded engine and one set of loaded tasks, shared by all sweeps."""

    def __init__(self, questions: int, max_answer_tokens: int) -> None:
        from s1_models.engine_vllm import S1VLLM

        self.lm = S1VLLM(**MODEL_ARGS)
        manager = TaskManager(include_path=str(TASKS_DIR), include_defaults=False, metadata=dict(MODEL_ARGS))
        self.tasks = LoadedTasks(manager, ["s1_nano"])
        self.model_args = {**MODEL_ARGS, "max_answer_tokens": max_answer_tokens}
        self.arguments = {"limit": questions}

    def sweep(self, settings: Sequence[Setting], folder: Path) -> tuple[float, int]:
        """Seconds and generated tokens of a sweep into an empty folder."""
        self.lm.model.reset_prefix_cache()
        started = time.perf_counter()
        manifest = run_sweep(
            Sweep("s1_vllm", self.model_args, ["s1_nano"], settings, self.arguments),
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
    parser.add_argument("--questions", type=int, default=200)
    parser.add_argument("--num_waits", type=parse_numbers, default=[0, 1, 2, 4])
    parser.add_argument("--max_thinking_tokens", type=parse_budgets, default=[10, 20, 40, 60, None])
    parser.add_argument("--max_answer_tokens", type=int, default=128)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--report", metavar="NAME", help="also write benchmarks/reports/NAME.md")
    options = parser.parse_args()
    settings = choose_settings(options.num_waits, options.max_thinking_tokens)
    bench = Bench(options.questions, options.max_answer_tokens)
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
        "The embedded model, float32, vLLM's CPU build; "
        f"{result['questions']} questions, {len(result['settings'])} settings: {'; '.join(result['settings'])}.",
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
