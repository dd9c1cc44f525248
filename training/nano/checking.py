"""The second effect, self-correction: a quick first attempt with the model's own slips, and a check after "Wait".

A quick line takes two digits in one leap, three when three are left, which a model of this size often gets wrong; a
slow line takes one, which it masters. For ``016 59738``::

    ~434 738            quick: two digits at once
    ~391                the last three at once: a slip
    So 391.
    Wait think          the check starts again from the problem ...
    085 9738            ... and goes slowly
    434 738
    177 38
    888 8
    448
    So 448.

Nothing wrong is ever written by the teacher. The base learns right quick lines beside right slow ones; the 1,000
fine-tuning traces begin with what that base itself writes, right or wrong, and the teacher adds the check to some.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator

from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from s1_tasks.nano_problems import Problem, training_problems
from training.nano import greedy, traces
from training.nano.traces import Trace
from training.nano.train import Batch, Recipe, bucketed
from training.render import Piece

QUICK_SHARE = 0.8  # of the second pretraining's documents; the rest are the first one's
STOP_AFTER_FIRST = 0.6  # share of the fine-tuning traces that leave it at the first attempt
_FIRST_ATTEMPT = re.compile(r"\n((?:~\d{3}(?: \d+)?\n)+So (\d{3})\.\n)")


def quick_attempt(problem: Problem) -> str:
    """The right quick lines of a problem and their result."""
    lines, done, count = "", 0, len(problem.digits)
    while done < count:
        done += 3 if count - done == 3 else min(2, count - done)
        left = problem.digits[done:]
        lines += f"~{problem.values[done - 1]:03d}{' ' + left if left else ''}\n"
    return f"{lines}So {problem.answer:03d}.\n"


def slow_attempt(problem: Problem) -> str:
    """Every step of a problem, one a line, and the result."""
    careful = traces.Habits(stop=lambda value: 0.0, go_on=1.0, repeats=lambda: 0, wait=lambda: "Wait", cut=0.0)
    return "".join(piece.text for piece in traces.write(problem, careful, random.Random(0)).thinking)


def quick_batches(tokenizer: PreTrainedTokenizerFast, recipe: Recipe, seed: int) -> Iterator[Batch]:
    """The second pretraining's batches, without end: quick attempts, and enough of the first one's documents."""
    rng = random.Random(f"nano-quick-{seed}")
    problems = training_problems(rng)
    while True:
        pool = []
        for _ in range(16 * recipe.base_batch):
            problem = next(problems)
            if rng.random() < QUICK_SHARE:
                trace = Trace(problem, (Piece(quick_attempt(problem)),), problem.answer)
            else:
                trace = traces.write(problem, traces.base_habits(rng), rng)
            pool.append(trace.rendered(tokenizer))
        yield from bucketed(pool, recipe.base_batch, rng, tokenizer.pad_token_id)


def tuning_set(
    model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, recipe: Recipe, seed: int, *, checks: bool = True
) -> list[Trace]:
    """The fine-tuning traces: the model's own first attempts, to some of which the teacher adds a check.

    ``checks=False`` is the control: the same problems and first attempts, and no check anywhere.
    """
    rng = random.Random(f"nano-check-tuning-{seed}")
    problems: dict[str, Problem] = {}
    for problem in training_problems(rng):
        if len(problems) == recipe.tuning_traces:
            break
        problems.setdefault(problem.text, problem)
    chosen = []
    for problem, attempt in zip(problems.values(), greedy.run(model, tokenizer, list(problems)), strict=True):
        found = _FIRST_ATTEMPT.fullmatch(tokenizer.decode(attempt.thinking))
        if found:  # the rare attempt that is no quick one is left out
            chosen.append(_with_check(problem, found[1], int(found[2]), rng, checks=checks))
    return chosen


def _with_check(problem: Problem, first: str, value: int, rng: random.Random, *, checks: bool) -> Trace:
    stops, repeats = rng.random() < STOP_AFTER_FIRST, rng.randint(1, 8) if rng.random() < 0.5 else 0
    if stops or not checks:
        return Trace(problem, (Piece(first),), value)
    pieces = [Piece(f"{first}Wait think\n{slow_attempt(problem)}")]
    for _ in range(repeats):
        pieces += [Piece("Wait", forced=True), Piece(f" done.\nSo {problem.answer:03d}.\n")]
    return Trace(problem, tuple(pieces), problem.answer)
