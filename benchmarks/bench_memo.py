"""What does the memo cost, on an empty file and on a full one, and how large does it grow?

500 held-out questions of the embedded model with 4 waits (5 rounds of thinking, and the answer), on one vLLM engine in
float32: the bare engine and the engine inside a memo on an empty file, interleaved in one process, opening and closing
the file included; then the same questions from the full file. The embedded model's segments are about 15 tokens long
and decoded in milliseconds, so a request costs as much as it ever will beside its generation: a model worth evaluating
decodes for minutes between two requests. `memo_share` is what passes inside the memo and outside the engine.

A scripted engine, which costs next to nothing, gives the time per request without vLLM's noise. The last line is JSON.

    python -m benchmarks.bench_memo [--questions 500] [--waits 4] [--repetitions 7] [--no_vllm] [--report NAME]
"""

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Any

from s1_models.driver import Engine, Job, run_jobs
from s1_models.forcing import Budget, BudgetForcing, Finish, Marks, Reply, Request, Tokens
from s1_models.formats import S1, mark
from s1_models.memo import Memo
from s1_tasks.nano_problems import held_out

NANO = Path(__file__).parents[1] / "training/nano/checkpoints/tuned"
REPORTS = Path(__file__).parent / "reports"
GREEDY = (("temperature", 0.0),)
IDENTITY = {"model": "bench_memo"}


class Stopwatch(Engine):
    """An engine that measures the time spent inside another one, and counts the requests."""

    def __init__(self, inner: Engine) -> None:
        self.inner = inner
        self.context_window = inner.context_window
        self.seconds = 0.0
        self.requests = 0

    def submit(self, key: Hashable, request: Request) -> None:
        started = time.perf_counter()
        self.inner.submit(key, request)
        self.seconds += time.perf_counter() - started
        self.requests += 1

    def poll(self, timeout_seconds: float | None = None) -> Sequence[tuple[Hashable, Reply]]:
        started = time.perf_counter()
        replies = self.inner.poll(timeout_seconds)
        self.seconds += time.perf_counter() - started
        return replies

    def partial(self) -> Sequence[tuple[Hashable, Tokens]]:
        return self.inner.partial()

    def cancel(self) -> None:
        self.inner.cancel()


class Instant(Engine):
    """Replies at once with 15 tokens and a stop: what is left is the memo's own time."""

    context_window = 4096

    def __init__(self) -> None:
        self._replies: list[tuple[Hashable, Reply]] = []

    def submit(self, key: Hashable, request: Request) -> None:
        first = sum(request.prefix) % 90
        self._replies.append((key, Reply(tuple(range(first + 10, first + 25)), Finish.STOP)))

    def poll(self, timeout_seconds: float | None = None) -> Sequence[tuple[Hashable, Reply]]:
        replies, self._replies = self._replies[:1], self._replies[1:]
        return replies

    def partial(self) -> Sequence[tuple[Hashable, Tokens]]:
        return []

    def cancel(self) -> None:
        self._replies = []


def run(jobs: list[Job], engine: Engine, in_flight: int | None, memo: Path | None) -> dict[str, float]:
    """Seconds of a run; with a memo also those inside it, its requests, tokens and bytes."""
    inner = Stopwatch(engine)
    started = time.perf_counter()
    if memo is None:
        run_jobs(jobs, inner, max_in_flight=in_flight)
        return {"seconds": time.perf_counter() - started}
    remembering = Memo(inner, memo, IDENTITY)
    outer = Stopwatch(remembering)
    opened = time.perf_counter() - started
    run_jobs(jobs, outer, max_in_flight=in_flight)
    closing = time.perf_counter()
    remembering.close()
    ended = time.perf_counter()
    return {
        "seconds": ended - started,
        "inside": opened + outer.seconds - inner.seconds + ended - closing,
        "requests": outer.requests,
        "generated": remembering.generated_tokens,
        "bytes": memo.stat().st_size,
    }


def bench_scripted(questions: int, waits: int, repetitions: int, folder: Path) -> dict[str, float]:
    """Microseconds per request inside the memo: on an empty file (find, store) and on a full one (find)."""
    marks = Marks((1,), (2,), (2, 3), (4,), (5,), frozenset({6, 7}), frozenset({7}))
    policy = BudgetForcing(Budget(num_waits=waits), marks, Instant.context_window)
    jobs = [Job(policy, tuple(range(n, n + 400)), sampling=GREEDY) for n in range(questions)]
    empty, full = [], []
    for repetition in range(repetitions):
        memo = folder / f"scripted{repetition}.sqlite"
        for times in (empty, full):
            told = run(jobs, Instant(), None, memo)
            times.append(1e6 * told["inside"] / told["requests"])
    return {
        "store_us_per_request": round(statistics.median(empty)),
        "reuse_us_per_request": round(statistics.median(full)),
    }


def bench_vllm(questions: int, waits: int, repetitions: int, folder: Path) -> dict[str, Any]:
    """Wall time with a memo over the bare engine's, pair by pair; the share of time inside it; bytes per token."""
    from s1_models.engine_vllm import S1VLLM

    lm = S1VLLM(pretrained=str(NANO), dtype="float32", max_model_len=1024)
    budget = Budget(num_waits=waits, max_answer_tokens=64)
    policy = BudgetForcing(budget, mark(lm.tokenizer, S1, budget, lm.eos_ids), lm.engine.context_window)
    jobs = [
        Job(policy, tuple(lm.tok_encode(lm._prompt(row["problem"], "auto", ""))), sampling=GREEDY)
        for row in held_out(questions)
    ]
    bare, remembered, shares, reused = [], [], [], []
    told: dict[str, float] = {}
    for repetition in range(repetitions + 1):
        memo = folder / f"vllm{repetition}.sqlite"
        for way in ("bare", "memo") if repetition % 2 else ("memo", "bare"):
            lm.model.reset_prefix_cache()
            spent = run(jobs, lm.engine, lm.max_in_flight, memo if way == "memo" else None)
            if way == "memo":
                told = spent
            if repetition:  # the first pair warms up
                (remembered if way == "memo" else bare).append(spent["seconds"])
        if repetition:
            shares.append(told["inside"] / told["seconds"])
            reused.append(run(jobs, lm.engine, lm.max_in_flight, memo)["seconds"])
            print(
                f"bare {bare[-1]:6.2f} s   memo {remembered[-1]:6.2f} s   inside {shares[-1]:.2%}   "
                f"again {reused[-1]:5.2f} s"
            )
    return {
        "requests": told["requests"],
        "generated_tokens": told["generated"],
        "bytes_per_token": round(told["bytes"] / told["generated"], 2),
        "memo_over_bare": round(statistics.median(m / b for m, b in zip(remembered, bare, strict=True)), 4),
        "memo_share": round(statistics.median(shares), 4),
        "median_seconds": {
            "bare": round(statistics.median(bare), 2),
            "memo": round(statistics.median(remembered), 2),
            "again": round(statistics.median(reused), 2),
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--questions", type=int, default=500)
    parser.add_argument("--waits", type=int, default=4)
    parser.add_argument("--repetitions", type=int, default=7)
    parser.add_argument("--no_vllm", action="store_true", help="the scripted engine only")
    parser.add_argument("--report", metavar="NAME", help="also write benchmarks/reports/NAME.md")
    options = parser.parse_args()
    sizes = options.questions, options.waits, options.repetitions
    result: dict[str, Any] = {"questions": options.questions, "waits": options.waits}
    with tempfile.TemporaryDirectory() as folder:
        result["scripted"] = bench_scripted(*sizes, Path(folder))
        if not options.no_vllm:
            result["vllm"] = bench_vllm(*sizes, Path(folder))
    if options.report:
        _write_report(options.report, result)
    print(json.dumps(result))


def _write_report(name: str, result: dict[str, Any]) -> None:
    command = " ".join(["python -m benchmarks.bench_memo", *sys.argv[1:]])
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    scripted, vllm = result["scripted"], result.get("vllm")
    lines = [
        f"# {name}: what the memo costs",
        "",
        f"`{command}` on {machine}.",
        "",
        f"Inside the memo, per request: {scripted['store_us_per_request']} microseconds where it is generated and "
        f"stored, {scripted['reuse_us_per_request']} where it is answered from memory.",
    ]
    if vllm:
        seconds = vllm["median_seconds"]
        lines += [
            "",
            f"{result['questions']} questions with {result['waits']} waits on vLLM (the embedded model, float32): "
            f"{vllm['requests']:,} requests, {vllm['generated_tokens']:,} tokens.",
            "",
            "| figure | goal | measured |",
            "| --- | --- | --- |",
            f"| wall time with an empty memo / bare engine | at most 1.02 | **{vllm['memo_over_bare']}** |",
            f"| share of the time inside the memo | | {vllm['memo_share']:.2%} |",
            f"| bytes of the file per generated token | under 8 | **{vllm['bytes_per_token']}** |",
            f"| seconds: bare, empty memo, full memo | | {seconds['bare']}, {seconds['memo']}, {seconds['again']} |",
        ]
    (REPORTS / f"{name}.md").write_text("\n".join([*lines, ""]))


if __name__ == "__main__":
    main()
