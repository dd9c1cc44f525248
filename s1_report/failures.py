"""Why an answer was not right, as far as its text and its trace show. Classes overlap; a right answer can have some."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from s1_contract.outcomes import Outcome
from s1_contract.thinking import FAMILIES
from s1_contract.usage import ANSWER_CUT_OFF, CUT_OFF, THINKING_LIMIT

TAIL = 300
"""Characters at the end of an answer in which the reference is looked for."""
LOOP_WINDOW = 2000
"""Characters at the end of the thinking in which a loop is looked for."""
LOOP_TURNS, LOOP_LENGTH = 6, 60
"""So often a piece of text has to follow itself, over at least so many characters, to be a loop."""


class Failure(Enum):
    """A class of failure; the value is what people read."""

    TRUNCATED = "thinking cut off"
    ANSWER_TRUNCATED = "answer cut off"
    NO_END = "no end of thinking"
    NO_ANSWER = Outcome.NO_ANSWER.value
    UNREADABLE = Outcome.UNREADABLE.value
    TIMED_OUT = Outcome.TIMED_OUT.value
    MISSED = "reference in the answer, not extracted"
    LOOP = "loop"
    OVERLONG_PROMPT = "overlong prompt"
    WRONG = "wrong answer"


_OF_OUTCOME = {
    Outcome.NO_ANSWER: Failure.NO_ANSWER,
    Outcome.UNREADABLE: Failure.UNREADABLE,
    Outcome.TIMED_OUT: Failure.TIMED_OUT,
}


@dataclass(frozen=True, slots=True)
class Judged:
    """One response with what is known of it.

    outcome: the checker's, None if it gave none. trace: a line of traces.jsonl with its spans. asked_limit: the
    thinking tokens that were asked for; a smaller `thinking_limit` in the trace means that the prompt took the room.
    """

    text: str
    reference: str
    correct: bool
    outcome: Outcome | None = None
    trace: Mapping[str, Any] | None = None
    asked_limit: float | None = None


def failures(judged: Judged) -> tuple[Failure, ...]:
    """The classes of one response; empty for a right one without any."""
    found = [*(_of_text(judged) if judged.trace is None else _of_trace(judged)), *_of_answer(judged)]
    if not judged.correct and not found:
        found.append(Failure.WRONG)
    return tuple(sorted(found, key=list(Failure).index))


def _of_answer(judged: Judged) -> Iterator[Failure]:
    if judged.outcome in _OF_OUTCOME:
        yield _OF_OUTCOME[judged.outcome]
    if not judged.correct and _stands_in(judged.reference, answer_of(judged.text, judged.trace)[-TAIL:]):
        yield Failure.MISSED
    if is_loop(thinking_of(judged.text, judged.trace)):
        yield Failure.LOOP


def _of_trace(judged: Judged) -> Iterator[Failure]:
    trace = judged.trace or {}
    if trace.get(CUT_OFF):
        yield Failure.TRUNCATED
    if trace.get(ANSWER_CUT_OFF):
        yield Failure.ANSWER_TRUNCATED
    if judged.asked_limit is not None and trace.get(THINKING_LIMIT, judged.asked_limit) < judged.asked_limit:
        yield Failure.OVERLONG_PROMPT


def _of_text(judged: Judged) -> Iterator[Failure]:
    if any(start in judged.text and end not in judged.text for start, end in FAMILIES):
        yield Failure.NO_END


def thinking_of(text: str, trace: Mapping[str, Any] | None) -> str:
    """The thinking of a response: its spans when there is a trace, else all of it."""
    if trace is None:
        return text
    return "".join(span["text"] for span in trace["spans"] if span["phase"] == "thinking")


def answer_of(text: str, trace: Mapping[str, Any] | None) -> str:
    """The answer of a response: its spans when there is a trace, else what follows the last end of thinking."""
    if trace is not None:
        return "".join(span["text"] for span in trace["spans"] if span["phase"] == "answering")
    ends = [at + len(end) for _, end in FAMILIES if end and (at := text.rfind(end)) >= 0]
    return text[max(ends, default=0) :]


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
