"""Why an answer was not right, as far as its text and its trace show. Classes overlap; a right answer can have some."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum
from typing import Any

TAIL = 300
"""Characters at the end of a response in which the reference is looked for."""
LOOP_WINDOW = 2000
"""Characters at the end of the thinking in which a loop is looked for."""
LOOP_TURNS, LOOP_LENGTH = 6, 60
"""So often a piece of text has to follow itself, over at least so many characters, to be a loop."""


class Failure(Enum):
    """A class of failure; the value is what people read."""

    TRUNCATED = "thinking cut off"
    ANSWER_TRUNCATED = "answer cut off"
    NO_END = "no end of thinking"
    NO_ANSWER = "no answer"
    MISSED = "reference in the tail, not extracted"
    LOOP = "loop"
    OVERLONG_PROMPT = "overlong prompt"
    WRONG = "wrong answer"


ENDS_OF_THINKING = (
    ("<|im_start|>think", "<|im_start|>answer"),
    ("<think>", "</think>"),
    ("<|begin_of_thought|>", "<|end_of_thought|>"),
)
"""(start, end) marks of the common families, for responses without a trace."""


def failures(
    text: str,
    reference: str,
    correct: bool,
    outcome: str,
    trace: Mapping[str, Any] | None,
    asked_limit: float | None = None,
) -> tuple[Failure, ...]:
    """The classes of one response.

    outcome: the checker's word, "" if it gave none. trace: a line of traces.jsonl with its spans. asked_limit: the
    thinking tokens that were asked for; a smaller `thinking_limit` in the trace means that the prompt took the room.
    """
    found = []
    if trace is not None and trace.get("cut_off"):
        found.append(Failure.TRUNCATED)
    if trace is not None and trace.get("answer_cut_off"):
        found.append(Failure.ANSWER_TRUNCATED)
    if trace is None and any(start in text and end not in text for start, end in ENDS_OF_THINKING):
        found.append(Failure.NO_END)
    if outcome in ("no_answer", "unreadable"):
        found.append(Failure.NO_ANSWER)
    if not correct and _stands_in(reference, text[-TAIL:]):
        found.append(Failure.MISSED)
    if is_loop(thinking_of(text, trace)):
        found.append(Failure.LOOP)
    if trace is not None and asked_limit is not None and trace.get("thinking_limit", asked_limit) < asked_limit:
        found.append(Failure.OVERLONG_PROMPT)
    if not correct and not found:
        found.append(Failure.WRONG)
    return tuple(found)


def thinking_of(text: str, trace: Mapping[str, Any] | None) -> str:
    """The thinking of a response: its spans when there is a trace, else all of it."""
    if trace is None:
        return text
    return "".join(span["text"] for span in trace["spans"] if span["phase"] == "thinking")


def is_loop(text: str) -> bool:
    """Whether the text ends in one piece, up to 333 characters long, that is repeated over and over."""
    tail = text.rstrip()[-LOOP_WINDOW:]
    for size in range(1, LOOP_WINDOW // LOOP_TURNS + 1):
        length = max(LOOP_LENGTH, size * LOOP_TURNS)
        if length <= len(tail) and tail[-length:-size] == tail[size - length :]:
            return True
    return False


def _stands_in(reference: str, text: str) -> bool:
    wanted = _without_marks(reference)
    return bool(wanted) and re.search(rf"(?<![\w.-]){re.escape(wanted)}(?!\w)", _without_marks(text)) is not None


def _without_marks(text: str) -> str:
    return " ".join(re.sub(r"[$\\{}]|left|right|(?<=\\)[dt](?=frac)", "", text).split())
