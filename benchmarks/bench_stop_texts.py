"""What does a delimiter cost that is text instead of one token?

The thinking of 30 questions is asked for in chunks, decoded, and searched for a delimiter (`policies/stop_texts.py`),
beside the same tokens asked for in one go. Lengths are imposed (log-normal, heavy-tailed), so all ways sample the same
kept tokens. Two costs are reported for each chunk size: wall time of the same kept tokens, as a ratio to asking in one
go, and the share of sampled tokens that would be thrown away because they come after the delimiter in its chunk.

What limits it: each chunk is a request of its own, which waits for the engine's next step and reads its last block
again. Times are medians over interleaved repetitions in one process; only their ratios mean something elsewhere. The
last line of the output is one JSON document.

    python -m benchmarks.bench_stop_texts [--model DIR] [--questions 30] [--repetitions 3] [--chunks 32,64,128,256]
"""

import argparse
import json
import random
import statistics
import time
from typing import Any

from benchmarks.bench_forcing import ANSWER_TOKENS, NANO, ImposedLengths
from benchmarks.report import write_report
from s1_models.driver import Job, run_jobs
from s1_models.forcing import Budget, BudgetForcing, Policy, Tokens
from s1_models.formats import S1, encode, mark
from s1_models.policies.stop_texts import CHUNK_TOKENS, StopAtTexts

ABSENT = "a delimiter that is never written"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=str(NANO), help="checkpoint (default: the embedded model)")
    parser.add_argument("--questions", type=int, default=30)
    parser.add_argument("--median_tokens", type=float, default=400.0, help="median length of a thinking")
    parser.add_argument("--sigma", type=float, default=1.0, help="of the logarithm of the length (1: heavy tail)")
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--chunks", default="32,64,128,256", help="tokens, separated by commas")
    parser.add_argument("--report", metavar="NAME", help="also write benchmarks/reports/NAME.md")
    options = parser.parse_args()
    chunks = [int(chunk) for chunk in options.chunks.split(",")]

    from s1_models.engines.vllm.lm import S1VLLM

    lm = S1VLLM(pretrained=options.model, dtype="float32", max_model_len=4096)
    draw = random.Random(0)
    lengths = [
        min(3000, 1 + round(options.median_tokens * draw.lognormvariate(0.0, options.sigma)))
        for _ in range(options.questions)
    ]
    prompts = [tuple(lm.tok_encode(f"{number:03d} {draw.randrange(10**6)}")) for number in range(options.questions)]
    budget = Budget(max_answer_tokens=ANSWER_TOKENS)
    forcing = BudgetForcing(budget, mark(lm.tokenizer, S1, budget, lm.eos_ids), lm.engine.context_window)

    seconds: dict[int, list[float]] = {chunk: [] for chunk in (0, *chunks)}
    for repetition in range(options.repetitions + 1):
        for chunk, times in seconds.items():
            lm.model.reset_prefix_cache()
            took = _run(lm, forcing, prompts, lengths, chunk)
            if repetition:  # the first one warms up
                times.append(took)
                print(f"{f'chunks of {chunk}' if chunk else 'in one go':>14} {took:7.2f} s")
    result: dict[str, Any] = {
        "questions": options.questions,
        "thinking_tokens": sum(lengths),
        "default_chunk_tokens": CHUNK_TOKENS,
        "chunks": {
            str(chunk): {
                "time_over_one_go": round(
                    statistics.median(a / b for a, b in zip(seconds[chunk], seconds[0], strict=True)), 3
                ),
                "thrown_away": round(sum(-length % chunk for length in lengths) / sum(lengths), 4),
                "thrown_away_tokens_per_stop": round(statistics.mean(-length % chunk for length in lengths), 1),
            }
            for chunk in chunks
        },
    }
    if options.report:
        _report(options.report, result)
    print(json.dumps(result))


def _run(lm: Any, forcing: BudgetForcing, prompts: list[Tokens], lengths: list[int], chunk: int) -> float:
    def decode(tokens: Tokens) -> str:
        return str(lm.tokenizer.decode(list(tokens), skip_special_tokens=False))

    jobs = []
    for prompt, length in zip(prompts, lengths, strict=True):
        policy: Policy = ImposedLengths(forcing, (length,))
        if chunk:
            policy = StopAtTexts(policy, (ABSENT,), (), decode, lambda text: encode(lm.tokenizer, text), chunk)
        jobs.append(Job(policy, prompt, sampling=(("temperature", 0.0),)))
    started = time.perf_counter()
    run_jobs(jobs, lm.engine)
    return time.perf_counter() - started


def _report(name: str, result: dict[str, Any]) -> None:
    rows = [
        f"| {chunk} | {figures['time_over_one_go']} | {figures['thrown_away']:.1%} | "
        f"{figures['thrown_away_tokens_per_stop']} |"
        for chunk, figures in result["chunks"].items()
    ]
    lines = [
        f"{result['questions']} questions, {result['thinking_tokens']:,} tokens of thinking, the embedded model on "
        f"vLLM. The default is {result['default_chunk_tokens']} "
        "tokens a chunk. A delimiter that is one token costs nothing of this.",
        "",
        "| tokens a chunk | time / asking in one go | sampled and thrown away | tokens thrown away per stop |",
        "| --- | --- | --- | --- |",
        *rows,
    ]
    write_report(name, "What a delimiter of several tokens costs", lines)


if __name__ == "__main__":
    main()
