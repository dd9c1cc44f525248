"""What the answer check can say of one response: a closed set of outcomes, and how a verdict is written into a file."""

from __future__ import annotations

from enum import Enum


class Outcome(Enum):
    """Every way a check can end. The values stand in samples, records and tables."""

    CORRECT = "correct"
    INCORRECT = "incorrect"
    NO_ANSWER = "no answer"
    UNREADABLE = "unreadable"
    TIMED_OUT = "timed out"
