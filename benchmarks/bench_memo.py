"""What does the memo cost, on an empty file and on a full one, and how large does it grow?

500 held-out questions of the embedded model with 4 waits (5 rounds of thinking, and the answer), on one vLLM engine in
float32: the bare engine and the engine inside a memo on an empty file, interleaved in one process, opening and closing
the file included; then the same questions from the full file. The embedded model's segments are about 15 tokens long
and decoded in milliseconds, so a request costs as much as it ever will beside its generation: a model worth evaluating
decodes for minutes between two requests. `memo_share` is what passes inside the memo and outside the engine.

A scripted engine, which costs next to nothing, gives the time per request without vLLM's noise, and the growth of the
file with replies of other lengths. The last line is JSON.

    python -m benchmarks.bench_memo [--questions 500] [--waits 4] [--repetitions 7] [--no_vllm] [--report NAME]
"""

import argparse
import json
import random
import statistics
import tempfile
import time
from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.bench_forcing import Stopwatch
from benchmarks.report import write_report
from s1_models.driver import Engine, Job, run_jobs
from s1_models.forcing import Budget, BudgetForcing, Finish, Marks, Reply, Request, Tokens
from s1_models.formats import S1, mark
from s1_models.memo.memo import Memo
from s1_tasks.nano_problems import held_out

NANO = Path(__file__).parents[1] / "training/nano/checkpoints/tuned"
GREEDY = (("temperature", 0.0),)
REPLY_TOKENS = (15, 30, 60, 120, 250, 350, 500, 700, 1000, 4000)
IDENTITY = {"model": "bench_memo"}


class Instant(Engine):
    """Replies at once with so many tokens and a stop: what is left is the memo's own time.

    The ids are drawn from a vocabulary (small: the embedded model's; large: Qwen2.5's), evenly, which cannot be
    compressed: what a language model writes can.
    """

    context_window = 2**20

    def __init__(self, tokens: int = 15, vocabulary: int = 100) -> None:
        self._replies: list[tuple[Hashable, Reply]] = []
        self._tokens, self._vocabulary = tokens, vocabulary

    def submit(self, key: Hashable, request: Request) -> None:
        draw = random.Random(hash(request.prefix))
        ids = tuple(draw.randrange(10, self._vocabulary) for _ in range(self._tokens))
        self._replies.append((key, Reply(ids, Finish.STOP)))

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


def scripted_jobs(questions: int, budget: Budget) -> list[Job]:
    """Questions of 400 tokens for the scripted engine."""
    marks = Marks((1,), (2,), (2, 3), (4,), (5,), frozenset({6, 7}), frozenset({7}))
    policy = BudgetForcing(budget, marks, Instant.context_window)
    return [Job(policy, tuple(range(n, n + 400)), sampling=GREEDY) for n in range(questions)]


def bench_scripted(questions: int, waits: int, repetitions: int, folder: Path) -> dict[str, float]:
    """Microseconds per request inside the memo: on an empty file (find, store) and on a full one (find)."""
    jobs = scripted_jobs(questions, Budget(num_waits=waits))
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


def measure_growth(folder: Path) -> dict[str, float]:
    """Bytes of the file per generated token, for replies of several lengths from a vocabulary like Qwen2.5's."""
    jobs = scripted_jobs(100, Budget(num_waits=4, max_answer_tokens=max(REPLY_TOKENS)))
    grown = {}
    for tokens in REPLY_TOKENS:
        told = run(jobs, Instant(tokens, 151_936), None, folder / f"growth{tokens}.sqlite")
        grown[str(tokens)] = round(told["bytes"] / told["generated"], 2)
    return grown


def bench_vllm(questions: int, waits: int, repetitions: int, folder: Path) -> dict[str, Any]:
    """Wall time with a memo over the bare engine's, pair by pair; the share of time inside it; bytes per token."""
    from s1_models.engines.vllm.lm import S1VLLM

    lm = S1VLLM(pretrained=str(NANO), dtype="float32", max_model_len=1024)
    budget = Budget(num_waits=waits, max_answer_tokens=64)
    policy = BudgetForcing(budget, mark(lm.tokenizer, S1, budget, lm.eos_ids), lm.engine.context_window)
    jobs = [
        Job(policy, tuple(lm.tok_encode(lm.prompt_text(row["problem"], "auto", ""))), sampling=GREEDY)
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
        result["bytes_per_token_by_reply_tokens"] = measure_growth(Path(folder))
        if not options.no_vllm:
            result["vllm"] = bench_vllm(*sizes, Path(folder))
    if options.report:
        _report(options.report, result)
    print(json.dumps(result))


def _report(name: str, result: dict[str, Any]) -> None:
    scripted, vllm = result["scripted"], result.get("vllm")
    lines = [
        f"Inside the memo, per request: {scripted['store_us_per_request']} microseconds where it is generated and "
        f"stored, {scripted['reuse_us_per_request']} where it is answered from memory.",
        "",
        "Bytes of the file per generated token, by the tokens of a reply, where the ids are drawn evenly from 151,936 "
        "(which cannot be compressed; text can): "
        + ", ".join(f"{each} ({tokens})" for tokens, each in result["bytes_per_token_by_reply_tokens"].items())
        + ".",
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
    write_report(name, "What the memo costs", lines)


if __name__ == "__main__":
    main()
