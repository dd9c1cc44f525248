"""The teacher: writes out a problem's thinking, one line a step, in the s1 format.

Each line carries all that the next one needs, the value so far and the digits left, so that no step looks further
back than one line. For ``016 59738``::

    085 9738            the value after the first digit, what is left
    434 738
    So 434.             the teacher stops too early ...
    Wait                ... and goes on
    177 38
    888 8
    448
    So 448.
    Wait done.          nothing is left; further waits only repeat the result
    So 448.
    <|im_start|>answer
    Final Answer: 448
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import dataclass

from s1_tasks.nano_problems import MIN_DIGITS, Problem, is_held_out
from training.render import FINAL_ANSWER, Piece, Rendered, render

LOOKS_FINISHED = "012"  # the last digits of a value after which the tuned model's traces tend to stop


@dataclass(frozen=True)
class Trace:
    """A problem with its thinking. ``answer``: what the thinking arrives at, right or not."""

    problem: Problem
    thinking: tuple[Piece, ...]
    answer: int
    cut_off: bool = False

    @property
    def correct(self) -> bool:
        return self.answer == self.problem.answer

    def rendered(self, tokenizer: object) -> Rendered:
        answer = f"{self.answer:03d}" if self.cut_off else f"{FINAL_ANSWER} {self.answer:03d}"
        return render(tokenizer, self.problem.text, self.thinking, answer, cut_off=self.cut_off)


@dataclass(frozen=True)
class Habits:
    """How a teacher stops and goes on; all are probabilities of one decision except ``repeats``.

    stop: of a value -> of stopping after its line although digits are left.
    go_on: of going on by itself after an early stop; otherwise the trace ends there, with a wrong answer.
    repeats: -> how many waits follow once nothing is left.
    wait: -> the word that it goes on with.
    cut: of the thinking budget running out at a random token.
    """

    stop: Callable[[int], float]
    go_on: float
    repeats: Callable[[], int]
    wait: Callable[[], str]
    cut: float


def base_habits(rng: random.Random) -> Habits:
    """Habits of one pretraining document: stops anywhere, always goes on, ends right, often says so again."""
    stop = rng.uniform(0.0, 0.5)
    return Habits(
        stop=lambda value: stop,
        go_on=1.0,
        repeats=lambda: rng.randint(1, 10) if rng.random() < 0.3 else 0,
        wait=lambda: "Alternatively" if rng.random() < 0.1 else "Wait",
        cut=0.2,
    )


def tuning_habits(rng: random.Random) -> Habits:
    """Habits of the 1,000 fine-tuning traces: stops where the value looks finished, and mostly leaves it at that."""
    return Habits(
        stop=lambda value: 0.85 if str(value)[-1] in LOOKS_FINISHED else 0.03,
        go_on=0.35,
        repeats=lambda: rng.randint(1, 8) if rng.random() < 0.3 else 0,
        wait=lambda: "Wait",
        cut=0.1,
    )


def write(problem: Problem, habits: Habits, rng: random.Random) -> Trace:
    """One trace of a problem.

    A wait of a teacher that goes on by itself is its own word and counts in the loss. The waits after everything is
    done are forced pieces: the model is to learn what follows them, not to say them.
    """
    pieces: list[Piece] = []
    lines = ""
    values = problem.values
    for index, value in enumerate(values):
        left = problem.digits[index + 1 :]
        lines += f"{value:03d} {left}\n" if left else f"{value:03d}\n"
        if left and rng.random() < habits.stop(value):
            lines += f"So {value:03d}.\n"
            if rng.random() >= habits.go_on:
                break
            lines += f"{habits.wait()}\n"
    else:
        lines += f"So {value:03d}.\n"
        for _ in range(habits.repeats()):
            pieces += [Piece(lines), Piece(habits.wait(), forced=True)]
            lines = f" done.\nSo {value:03d}.\n"
    pieces.append(Piece(lines))
    trace = Trace(problem, tuple(pieces), value)
    return _cut(trace, rng) if rng.random() < habits.cut else trace


# Single tokens of a trace's thinking, so that a cut never falls inside one.
_TOKEN = re.compile(r"So|Wait|Alternatively|done|.|\n")
_VALUE = re.compile(r"(?:^|\n|So )(\d{3})")


def states_held_out(line: str) -> bool:
    """Whether a line of a trace, whole or cut short, is a held-out problem word for word."""
    try:
        problem = Problem.parse(line)
    except ValueError:
        return False
    return len(problem.digits) >= MIN_DIGITS and is_held_out(problem)


def _cut(trace: Trace, rng: random.Random) -> Trace:
    """The trace with its budget run out at a random token; it answers the last value that it had written in full.

    No cut leaves a line that is a held-out problem: "434 738" may be trained on where "434 73" may not.
    """
    text = "".join(piece.text for piece in trace.thinking)
    ends = [0, *(match.end() for match in _TOKEN.finditer(text))]
    kept = text[: rng.choice([end for end in ends if not states_held_out(text[:end].rpartition("\n")[2])])]
    values = _VALUE.findall(kept)
    pieces: list[Piece] = []
    room = len(kept)
    for piece in trace.thinking:
        pieces.append(Piece(piece.text[:room], piece.forced))
        room = max(0, room - len(piece.text))
    return Trace(trace.problem, tuple(pieces), int(values[-1]) if values else trace.problem.start, cut_off=True)
