"""What does budget forcing cost on vLLM, and what does keeping every session in flight gain?

30 questions with 4 waits each; the lengths of their thinking segments are drawn from a heavy-tailed distribution
(log-normal) and imposed, so that all three ways generate the same tokens on the same engine:

- ours: the driver; a session that ends a segment continues at once;
- lock-step: rounds over all questions, as s1's harness does, each waiting for its longest segment;
- plain: one generation per question of as many tokens as all its segments together.

What limits it: on a CPU, the model's decoding steps; with few long sessions left, the batch is small whatever the
driver does. Times are medians over interleaved repetitions in one process; only their ratios mean something elsewhere.
The driver's own time is what passes outside the engine. The last line of the output is one JSON document.

    python -m benchmarks.bench_forcing [--model DIR] [--questions 30] [--repetitions 5]
"""

import argparse
import json
import random
import statistics
import time
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from s1_models.driver import Engine, Job, run_jobs
from s1_models.forcing import Budget, BudgetForcing, Finish, Phase, Policy, Reply, Request, Session, Tokens
from s1_models.formats import S1, mark

NANO = Path(__file__).parents[1] / "training/nano/checkpoints/tuned"
ANSWER_TOKENS = 16


@dataclass(frozen=True, slots=True)
class ImposedLengths(Policy):
    """Budget forcing whose segments end after given numbers of tokens instead of at a stop id."""

    forcing: BudgetForcing
    lengths: tuple[int, ...]  # tokens of each thinking segment

    def begin(self, prompt: Tokens) -> Session:
        return self.forcing.begin(prompt)

    def request(self, session: Session) -> Request | None:
        request = self.forcing.request(session)
        if request is None:
            return None
        tokens = self.lengths[session.waits_used] if session.phase is Phase.THINKING else ANSWER_TOKENS
        return replace(request, max_tokens=tokens, stop=frozenset())

    def advance(self, session: Session, reply: Reply) -> Session:
        return self.forcing.advance(session, replace(reply, finish=Finish.STOP))


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


def run_ours(lm: Any, jobs: list[Job]) -> tuple[float, float, int]:
    """Seconds in all, seconds outside the engine, sampled tokens."""
    engine = Stopwatch(lm.engine)
    started = time.perf_counter()
    sessions = run_jobs(jobs, engine)
    seconds = time.perf_counter() - started
    sampled = sum(len(span.tokens) for session in sessions for span in session.spans if not span.forced)
    return seconds, seconds - engine.seconds, sampled


def run_lock_step(lm: Any, jobs: list[Job]) -> float:
    """Seconds for the same sessions in rounds: every session waits for the longest segment of its round."""
    from vllm import SamplingParams, TokensPrompt

    started = time.perf_counter()
    sessions = [job.policy.begin(job.prompt) for job in jobs]
    while active := [n for n, job in enumerate(jobs) if job.policy.request(sessions[n]) is not None]:
        requests = [jobs[n].policy.request(sessions[n]) for n in active]
        params = [
            SamplingParams(temperature=0.0, max_tokens=r.max_tokens, ignore_eos=True, detokenize=False)
            for r in requests
            if r is not None
        ]
        prompts = [TokensPrompt(prompt_token_ids=list(r.prefix)) for r in requests if r is not None]
        outputs = lm.model.generate(prompts, params, use_tqdm=False)
        for n, output in zip(active, outputs, strict=True):
            reply = Reply(tuple(output.outputs[0].token_ids), Finish.LENGTH)
            sessions[n] = jobs[n].policy.advance(sessions[n], reply)
    return time.perf_counter() - started


def run_plain(lm: Any, jobs: list[Job]) -> float:
    """Seconds for one plain vLLM generation per question of the same number of sampled tokens."""
    from vllm import SamplingParams, TokensPrompt

    tokens = [sum(job.policy.lengths) + ANSWER_TOKENS for job in jobs]  # type: ignore[attr-defined]
    params = [SamplingParams(temperature=0.0, max_tokens=n, ignore_eos=True, detokenize=False) for n in tokens]
    prompts = [TokensPrompt(prompt_token_ids=list(job.prompt)) for job in jobs]
    started = time.perf_counter()
    lm.model.generate(prompts, params, use_tqdm=False)
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=str(NANO), help="checkpoint (default: the embedded model)")
    parser.add_argument("--questions", type=int, default=30)
    parser.add_argument("--waits", type=int, default=4)
    parser.add_argument("--median_tokens", type=float, default=60.0, help="median length of a segment")
    parser.add_argument("--sigma", type=float, default=1.0, help="of the logarithm of the length (1: heavy tail)")
    parser.add_argument("--repetitions", type=int, default=5)
    options = parser.parse_args()

    from s1_models.engines.vllm.lm import S1VLLM

    lm = S1VLLM(pretrained=options.model, dtype="float32", max_model_len=4096)
    draw = random.Random(0)
    budget = Budget(num_waits=options.waits, max_answer_tokens=ANSWER_TOKENS)
    forcing = BudgetForcing(budget, mark(lm.tokenizer, S1, budget, lm.eos_ids), lm.engine.context_window)
    jobs = []
    for number in range(options.questions):
        lengths = tuple(
            min(600, 1 + round(options.median_tokens * draw.lognormvariate(0.0, options.sigma)))
            for _ in range(options.waits + 1)
        )
        prompt = tuple(lm.tok_encode(f"{number:03d} {draw.randrange(10**6)}"))
        jobs.append(Job(ImposedLengths(forcing, lengths), prompt, sampling=(("temperature", 0.0),)))

    ways: dict[str, list[float]] = {"ours": [], "lock_step": [], "plain": []}
    outside, sampled = [], 0
    for repetition in range(options.repetitions + 1):
        lm.model.reset_prefix_cache()
        seconds, own, sampled = run_ours(lm, jobs)
        lm.model.reset_prefix_cache()
        lock_step = run_lock_step(lm, jobs)
        lm.model.reset_prefix_cache()
        plain = run_plain(lm, jobs)
        if repetition:  # the first one warms up
            ways["ours"].append(seconds)
            ways["lock_step"].append(lock_step)
            ways["plain"].append(plain)
            outside.append(own / seconds)
            print(
                f"ours {seconds:6.2f} s   lock-step {lock_step:6.2f} s   plain {plain:6.2f} s   own {own / seconds:.2%}"
            )

    median = {way: statistics.median(times) for way, times in ways.items()}
    pairs = list(zip(ways["ours"], ways["lock_step"], ways["plain"], strict=True))
    print(
        json.dumps(
            {
                "questions": options.questions,
                "waits": options.waits,
                "sampled_tokens": sampled,
                "ours_tokens_per_second": round(sampled / median["ours"]),
                "lock_step_over_ours": round(statistics.median(slow / ours for ours, slow, _ in pairs), 3),
                "ours_over_plain": round(statistics.median(ours / fast for ours, _, fast in pairs), 3),
                "driver_share": round(statistics.median(outside), 4),
                "median_seconds": {way: round(seconds, 3) for way, seconds in median.items()},
            }
        )
    )


if __name__ == "__main__":
    main()
