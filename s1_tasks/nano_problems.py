"""The problems of the nano model: a seeded generator and a held-out split (standard library only).

A problem is a start ``x`` (0 to 999) and 2 to 6 digits ``d1 d2 ...``, written ``016 59738``. Each digit moves
``x`` to ``(5 * x + d) mod 1000``; the answer is the last ``x``. Two things never occur in training:

* problems in the held-out tenth, chosen by a hash of the problem's text, so that no list has to be kept in step. That
  includes the rest of a longer problem: the line of a trace that says "434 738" on the way states the problem
  ``434 738``, so no problem is trained on that passes a held-out one;
* steps ``(x, d)`` in the unseen tenth, chosen the same way. Every training problem and every problem of
  :func:`held_out` avoids them; every step of a problem of :func:`unseen_steps` is one of them.
"""

from __future__ import annotations

import functools
import hashlib
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

MODULUS = 1000
FACTOR = 5
MIN_DIGITS = 2
MAX_DIGITS = 6
HELD_OUT_ONE_IN = 10
UNSEEN_STEP_ONE_IN = 10


def step(x: int, digit: int) -> int:
    """The value after one digit, 0 to 999."""
    return (FACTOR * x + digit) % MODULUS


@dataclass(frozen=True)
class Problem:
    """One problem: ``start`` (0 to 999) and a string of decimal ``digits``.

    Raises:
        ValueError: if ``start`` is out of range or ``digits`` is empty or holds anything but 0 to 9.
    """

    start: int
    digits: str

    def __post_init__(self) -> None:
        if not 0 <= self.start < MODULUS:
            raise ValueError(f"start is {self.start}; expected 0 to {MODULUS - 1}")
        if not (self.digits.isascii() and self.digits.isdecimal()):
            raise ValueError(f"digits are {self.digits!r}; expected one or more of 0 to 9, for example '59738'")

    @property
    def text(self) -> str:
        """The question as the model reads it, for example ``016 59738``."""
        return f"{self.start:03d} {self.digits}"

    @property
    def values(self) -> tuple[int, ...]:
        """The value after each digit, in order; the last one is the answer."""
        found, x = [], self.start
        for digit in self.digits:
            x = step(x, int(digit))
            found.append(x)
        return tuple(found)

    @property
    def answer(self) -> int:
        return self.values[-1]

    @classmethod
    def parse(cls, text: str) -> Problem:
        """Read a problem back from its text (``ValueError`` when the text is not one)."""
        start, _, digits = text.partition(" ")
        if len(start) != 3 or not (start.isascii() and start.isdecimal()):
            raise ValueError(f"{text!r} is not a problem; expected three digits, a space and digits: '016 59738'")
        return cls(int(start), digits)


def _one_in(count: int, kind: str, text: str) -> bool:
    """True for one ``count``-th of all texts, the same ones on every machine."""
    digest = hashlib.sha256(f"nano-{kind}:{text}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % count == 0


def is_held_out(problem: Problem) -> bool:
    """Whether the problem belongs to the tenth that training never sees."""
    return _one_in(HELD_OUT_ONE_IN, "problem", problem.text)


def passes_held_out(problem: Problem) -> bool:
    """Whether the problem is held out, or what is left of it after any digit is (a rest of two digits or more)."""
    starts = (problem.start, *problem.values)
    rests = (Problem(starts[done], problem.digits[done:]) for done in range(len(problem.digits) - MIN_DIGITS + 1))
    return any(is_held_out(rest) for rest in rests)


def is_unseen_step(x: int, digit: int) -> bool:
    """Whether the single step ``(x, digit)`` belongs to the tenth that training never sees."""
    return (x, digit) in _all_unseen_steps()


@functools.cache
def _all_unseen_steps() -> frozenset[tuple[int, int]]:
    every = ((x, digit) for x in range(MODULUS) for digit in range(10))
    return frozenset((x, digit) for x, digit in every if _one_in(UNSEEN_STEP_ONE_IN, "step", f"{x:03d} {digit}"))


def steps_of(problem: Problem) -> tuple[tuple[int, int], ...]:
    """The single steps ``(x, digit)`` that a problem takes."""
    befores = (problem.start, *problem.values[:-1])
    return tuple((x, int(digit)) for x, digit in zip(befores, problem.digits, strict=True))


def _draw(rng: random.Random, fits: Callable[[Problem], bool]) -> Problem:
    """One problem of seen steps: the number of digits uniform over 2 to 6, then start and digits until they fit."""
    count = rng.randint(MIN_DIGITS, MAX_DIGITS)
    while True:
        problem = Problem(rng.randrange(MODULUS), "".join(rng.choice("0123456789") for _ in range(count)))
        if fits(problem) and not any(is_unseen_step(*one) for one in steps_of(problem)):
            return problem


def training_problems(rng: random.Random) -> Iterator[Problem]:
    """Problems for training, without end. None is or passes a held-out one, none takes an unseen step; some repeat."""
    while True:
        yield _draw(rng, lambda problem: not passes_held_out(problem))


def _rows(problems: list[Problem], name: str) -> list[dict[str, str]]:
    return [
        {"id": f"{name}-{index:04d}", "problem": problem.text, "answer": str(problem.answer)}
        for index, problem in enumerate(problems)
    ]


def _check_count(num_problems: int, most: int = 10_000) -> None:
    if not 1 <= num_problems <= most:
        raise ValueError(f"num_problems is {num_problems}; expected 1 to {most:,}")


def held_out(num_problems: int = 500, seed: int = 0) -> list[dict[str, str]]:
    """Distinct problems that training never sees, made of steps that it may have seen.

    Args:
        num_problems: 1 to 10,000.
        seed: another seed draws another sample of the same held-out tenth.

    Returns:
        Rows with ``id``, ``problem`` (the question) and ``answer`` (decimal, without leading zeros). The first n
        rows are the same for every ``num_problems`` of n or more.
    """
    _check_count(num_problems)
    rng = random.Random(f"nano-held-out-{seed}")
    found: dict[Problem, None] = {}
    while len(found) < num_problems:
        found[_draw(rng, is_held_out)] = None
    return _rows(list(found), f"nano-{seed}")


def unseen_steps(num_problems: int = 500, seed: int = 0) -> list[dict[str, str]]:
    """Distinct problems of which training has seen no single step; rows as in :func:`held_out`.

    A value has one unseen digit on average and often none, so a walk that gets stuck is drawn again; the number
    of digits is drawn first, uniform over 2 to 6, and kept until a walk of that length is found.

    Raises:
        ValueError: above 1,000 problems; not many more such walks exist.
    """
    _check_count(num_problems, most=1000)
    rng = random.Random(f"nano-unseen-steps-{seed}")
    found: dict[Problem, None] = {}
    while len(found) < num_problems:
        found[_unseen_walk(rng, rng.randint(MIN_DIGITS, MAX_DIGITS))] = None
    return _rows(list(found), f"nano-unseen-{seed}")


def _unseen_walk(rng: random.Random, length: int) -> Problem:
    while True:
        start = x = rng.randrange(MODULUS)
        digits = ""
        while len(digits) < length:
            choices = [digit for digit in range(10) if is_unseen_step(x, digit)]
            if not choices:
                break
            digit = rng.choice(choices)
            digits, x = digits + str(digit), step(x, digit)
        else:
            return Problem(start, digits)
