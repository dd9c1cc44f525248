"""What the answer check can say of one response, and how a verdict stands in samples and records."""

from __future__ import annotations

from enum import Enum
from typing import Literal, TypedDict


class Outcome(Enum):
    """Every way a check can end. The values stand in samples, records and tables."""

    CORRECT = "correct"
    INCORRECT = "incorrect"
    NO_ANSWER = "no answer"
    UNREADABLE = "unreadable"
    TIMED_OUT = "timed out"


FORMER_OUTCOMES = {"no_answer": Outcome.NO_ANSWER}
"""Spellings of version 0.1.0's records and of other checkers -> the outcome."""

Kind = Literal["math", "integer", "choice"]
"""What a question asks for: any mathematical answer, an integer (AIME), or a choice letter (GPQA)."""


def outcome_of(text: object) -> Outcome | None:
    """The outcome that a file spells so; None for a word that is no outcome."""
    try:
        return Outcome(text)
    except ValueError:
        return FORMER_OUTCOMES.get(str(text))


class VerdictRow(TypedDict, total=False):
    """One verdict in a sample's `verdicts`: one per repeat. answer is None when none was found."""

    outcome: str
    answer: str | None
    reason: str
    rule: str | None
    checker_version: str
