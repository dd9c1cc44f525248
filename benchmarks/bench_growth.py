"""How do CPU and memory grow with the length of a text: driver, text delimiters, memo, transcripts, traces?

A scripted engine hands out prepared tokens, so that what is left is our own work. Each part is measured at 1k, 4k, 16k
and 32k thinking tokens (medians of CPU seconds, the engine's own taken off), and the exponent is fitted to all four:
1 is linear. Waits are measured too: as many as go into the text at one per 64 tokens.

    python -m benchmarks.bench_growth [--repetitions 5] [--report NAME]
"""

import argparse
import json
import math
import statistics
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Hashable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.report import write_report
from s1_models.driver import Engine, Job, run_jobs
from s1_models.forcing import Budget, BudgetForcing, Finish, Marks, Phase, Policy, Reply, Request, Session, Tokens
from s1_models.memo.memo import Memo
from s1_models.policies.stop_texts import StopAtTexts
from s1_models.trace import transcribe, write_traces

SIZES = (1024, 4096, 16_384, 32_768)
GREEDY = (("temperature", 0.0),)
TOKENS_PER_WAIT = 64
MARKS = Marks((1,), (2,), (2, 3), (4,), (10,), frozenset({6}), frozenset({7}), frozenset({10}))


class Prepared(Engine):
    """Replies at once, in thinking segments of a given length, with tokens that were made before."""

    context_window = 2**20

    def __init__(self, segment: int) -> None:
        self.seconds = 0.0
        self._segment = segment
        self._text = tuple(97 + n % 20 for n in range(max(SIZES)))
        self._replies: list[tuple[Hashable, Reply]] = []

    def submit(self, key: Hashable, request: Request) -> None:
        started = time.process_time()
        whole = 8 if request.phase is Phase.ANSWERING else self._segment
        finish = Finish.STOP if whole < request.max_tokens else Finish.LENGTH
        self._replies.append((key, Reply(self._text[: min(whole, request.max_tokens)], finish)))
        self.seconds += time.process_time() - started

    def poll(self, timeout_seconds: float | None = None) -> Sequence[tuple[Hashable, Reply]]:
        replies, self._replies = self._replies, []
        return replies

    def partial(self) -> Sequence[tuple[Hashable, Tokens]]:
        return []

    def cancel(self) -> None:
        self._replies = []


def decode(tokens: Tokens) -> str:
    return bytes(tokens).decode("latin-1")  # a tokenizer's own decoding is not ours to measure


def policy(tokens: int, waits: int = 0) -> BudgetForcing:
    budget = Budget(num_waits=waits, max_thinking_tokens=tokens, max_answer_tokens=16)
    return BudgetForcing(budget, MARKS, Prepared.context_window)


def run(of: Policy, segment: int, memo: Path | None = None) -> tuple[float, Session]:
    """CPU seconds outside the engine, and the session."""
    engine = Prepared(segment)
    job = Job(of, tuple(range(200)), sampling=GREEDY)  # every id is a byte
    started = time.process_time()
    if memo is None:
        (session,) = run_jobs([job], engine)
    else:
        with Memo(engine, memo, {"model": "bench_growth"}) as remembering:
            (session,) = run_jobs([job], remembering)
    return time.process_time() - started - engine.seconds, session


def of_driver(tokens: int, folder: Path) -> float:
    return run(policy(tokens, 4), tokens // 6)[0]


def of_waits(tokens: int, folder: Path) -> float:
    return run(policy(tokens, tokens // TOKENS_PER_WAIT), TOKENS_PER_WAIT - 1)[0]


def of_text_delimiters(tokens: int, folder: Path) -> float:
    return run(StopAtTexts(policy(tokens), ("</thinking>",), (), decode, lambda text: tuple(text.encode())), 2**20)[0]


def of_memo(tokens: int, folder: Path) -> float:
    return run(policy(tokens, 4), tokens // 6, folder / f"{time.monotonic_ns()}.sqlite")[0]


def of_transcript(tokens: int, folder: Path) -> float:
    _, session = run(policy(tokens, 4), tokens // 6)
    started = time.process_time()
    transcribe(session, decode)
    return time.process_time() - started


def of_traces(tokens: int, folder: Path) -> float:
    _, session = run(policy(tokens, 4), tokens // 6)
    samples = [{"doc_id": 0, "doc_hash": "", "resps": [[transcribe(session, decode)]]}]
    started = time.process_time()
    write_traces(folder, "task", "run", samples)
    return time.process_time() - started


def memory_of_traces(folder: Path, count: int = 64) -> dict[str, float]:
    """Bytes per token that are held for a response, and the most that writing the traces of `count` of them takes."""
    _, session = run(policy(16_384, 4), 16_384 // 6)
    tracemalloc.start()
    samples = [{"doc_id": n, "doc_hash": "", "resps": [[transcribe(session, decode)]]} for n in range(count)]
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.reset_peak()
    write_traces(folder, "task", "run", samples)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    tokens = count * len(session.tokens)
    return {"held_bytes_per_token": round(held / tokens, 1), "writing_adds_of_that": round(peak / held - 1, 3)}


PARTS: dict[str, Callable[[int, Path], float]] = {
    "driver, 4 waits": of_driver,
    "driver, a wait every 64 tokens": of_waits,
    "text delimiters": of_text_delimiters,
    "memo, 4 waits": of_memo,
    "transcript": of_transcript,
    "traces": of_traces,
}


def exponent(sizes: Sequence[int], values: Sequence[float]) -> float:
    """The power of the size that fits best (least squares of the logarithms)."""
    xs, ys = [math.log(size) for size in sizes], [math.log(value) for value in values]
    x, y = statistics.mean(xs), statistics.mean(ys)
    return sum((a - x) * (b - y) for a, b in zip(xs, ys, strict=True)) / sum((a - x) ** 2 for a in xs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--report", metavar="NAME", help="also write benchmarks/reports/NAME.md")
    options = parser.parse_args()
    result: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, part in PARTS.items():
            part(SIZES[0], Path(folder))  # warm up
            times = [
                max(1e-6, statistics.median(part(size, Path(folder)) for _ in range(options.repetitions)))
                for size in SIZES
            ]
            result[name] = {
                "milliseconds": [round(1000 * seconds, 3) for seconds in times],
                "exponent": round(exponent(SIZES, times), 2),
            }
            print(name, result[name], flush=True)
        result["memory"] = memory_of_traces(Path(folder))
    if options.report:
        rows = [
            f"| {name} | {' | '.join(f'{one:,.2f}' for one in told['milliseconds'])} | {told['exponent']:.2f} |"
            for name, told in result.items()
            if "exponent" in told
        ]
        memory = result["memory"]
        lines = [
            "CPU milliseconds per session, without the engine's own, and the exponent fitted over the four lengths.",
            "",
            "| part | 1k | 4k | 16k | 32k | exponent |",
            "| --- | --- | --- | --- | --- | --- |",
            *rows,
            "",
            f"A response holds {memory['held_bytes_per_token']} bytes per token; writing its trace adds "
            f"{memory['writing_adds_of_that']:.1%} of what all responses hold, whatever their number.",
        ]
        write_report(options.report, "How our own work grows with the length of a text", lines)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
