"""The second effect, self-correction: the model hurries its last steps, slips, and a check after "Wait" repairs it.

A slow line takes one digit, which the base masters. A hurried line, marked ``~``, takes the last two digits in one
leap, which a model of this size often gets wrong. For ``016 59738``::

    085 9738
    434 738
    177 38
    ~391                hurried: the last two digits at once, a slip of the model's own
    So 391.
    Wait                the check goes back to the last slow line ...
    888 8               ... and goes on slowly from there
    448
    So 448.

Nothing wrong is ever written by the teacher. Hurried values in the traces are either right or what the model itself
says at that point; in pretraining the latter are not in the loss. Problems of two digits are never hurried.
"""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Iterator, Sequence

from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from s1_models.forcing import Tokens
from s1_models.formats import S1, encode
from s1_tasks.nano_problems import Problem, training_problems
from training.nano import attempts, traces
from training.nano.traces import Trace
from training.nano.train import Batch, Recipe, bucketed
from training.render import Piece, prompt_ids

TOKENS = 2_500_000  # of the second pretraining; its learning rates are the first one's
STOP_AFTER_FIRST = 0.6  # share of the fine-tuning traces that leave it at the first attempt
_HURRIED = re.compile(r"(\d{3})\n")


def lines(problem: Problem, first: int, last: int) -> str:
    """The slow lines of the steps from ``first`` (0-based) up to, not including, ``last``."""
    text = ""
    for index in range(first, last):
        left = problem.digits[index + 1 :]
        text += f"{problem.values[index]:03d} {left}\n" if left else f"{problem.values[index]:03d}\n"
    return text


def leaps(problem: Problem, count: int) -> str:
    """A right attempt that is slow at first and takes its last ``2 * count`` digits in ``count`` leaps."""
    slow = len(problem.digits) - 2 * count
    text = lines(problem, 0, slow)
    for index in range(slow + 1, len(problem.digits), 2):
        left = problem.digits[index + 1 :]
        text += f"~{problem.values[index]:03d}{' ' + left if left else ''}\n"
    return f"{text}So {problem.answer:03d}.\n"


def own_values(
    model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, problems: Sequence[Problem]
) -> list[int | None]:
    """What the model itself says in the hurried line of each problem (three digits or more); None if no number."""
    prefixes = [_before_the_leap(tokenizer, problem) for problem in problems]
    found = [_HURRIED.fullmatch(text) for text in attempts.continue_greedily(model, tokenizer, prefixes, 4)]
    return [int(match[1]) if match else None for match in found]


def _before_the_leap(tokenizer: PreTrainedTokenizerFast, problem: Problem) -> Tokens:
    thinking = f"\n{lines(problem, 0, len(problem.digits) - 2)}~"
    return (*prompt_ids(tokenizer, problem.text), *encode(tokenizer, S1.start), *encode(tokenizer, thinking))


def checked(problem: Problem, value: int, repeats: int, *, learn_first: bool) -> Trace:
    """A hurried attempt that said ``value``, then Wait, the last two steps slowly, and ``repeats`` waits for nothing.

    learn_first: whether the hurried value, right or not, is in the loss.
    """
    count = len(problem.digits)
    pieces = [
        Piece(lines(problem, 0, count - 2)),
        Piece(f"~{value:03d}\nSo {value:03d}.\n", forced=not learn_first),
        Piece(f"Wait\n{lines(problem, count - 2, count)}So {problem.answer:03d}.\n"),
    ]
    for _ in range(repeats):
        pieces += [Piece("Wait", forced=True), Piece(f" done.\nSo {problem.answer:03d}.\n")]
    return Trace(problem, tuple(pieces), problem.answer)


def hurry_batches(
    model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, recipe: Recipe, seed: int
) -> Iterator[Batch]:
    """The second pretraining's batches, without end; ``model`` is the one in training, asked for its own slips.

    Half of the documents are right leaps, three in ten a slip of the model's own and its check, the rest as in the
    first pretraining.
    """
    rng = random.Random(f"nano-hurry-{seed}")
    problems = training_problems(rng)
    long_problems = (problem for problem in training_problems(rng) if len(problem.digits) > 2)
    size = 16 * recipe.base_batch
    while True:
        pool = []
        for problem in itertools.islice(long_problems, size // 2):
            most = (len(problem.digits) - 1) // 2
            pool.append(Trace(problem, (Piece(leaps(problem, rng.randint(1, most))),), problem.answer))
        own = list(itertools.islice(long_problems, 3 * size // 10))
        for problem, value in zip(own, own_values(model, tokenizer, own), strict=True):
            if value is not None:
                pool.append(checked(problem, value, _repeats(rng), learn_first=False))
        while len(pool) < size:
            pool.append(traces.write(next(problems), traces.base_habits(rng), rng))
        yield from bucketed(
            [trace.rendered(tokenizer) for trace in pool], recipe.base_batch, rng, tokenizer.pad_token_id
        )


def tuning_set(
    model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, recipe: Recipe, seed: int, *, checks: bool = True
) -> list[Trace]:
    """The fine-tuning traces: first attempts with the model's own hurried values, to some of which a check is added.

    ``checks=False`` is the control: the same problems and first attempts, and no check anywhere. A problem for which
    the model says no number is left out.
    """
    rng = random.Random(f"nano-check-{seed}")
    problems: dict[str, Problem] = {}
    for problem in training_problems(rng):
        if len(problems) == recipe.tuning_traces:
            break
        problems.setdefault(problem.text, problem)
    hurried = [problem for problem in problems.values() if len(problem.digits) > 2]
    said = dict(zip(hurried, own_values(model, tokenizer, hurried), strict=True))
    chosen = []
    for problem in problems.values():
        check, repeats = rng.random() >= STOP_AFTER_FIRST, _repeats(rng)
        value = said.get(problem)
        if len(problem.digits) == 2:
            chosen.append(Trace(problem, (Piece(f"{lines(problem, 0, 2)}So {problem.answer:03d}.\n"),), problem.answer))
        elif value is not None and check and checks:
            chosen.append(checked(problem, value, repeats, learn_first=True))
        elif value is not None:
            slow = lines(problem, 0, len(problem.digits) - 2)
            chosen.append(Trace(problem, (Piece(f"{slow}~{value:03d}\nSo {value:03d}.\n"),), value))
    return chosen


def _repeats(rng: random.Random) -> int:
    return rng.randint(1, 8) if rng.random() < 0.4 else 0
