"""What a check can say: a closed set of outcomes, the answer that was found, and why."""

from dataclasses import dataclass
from enum import Enum
from typing import Literal

CHECKER_VERSION = "1.4.0"
"""Changes whenever any pair of texts may be judged differently; part of every verdict."""

Kind = Literal["math", "integer", "choice"]
"""What the question asks for: any mathematical answer, an integer (AIME), or a choice letter (GPQA)."""


class Outcome(Enum):
    """Every way a check can end."""

    CORRECT = "correct"
    INCORRECT = "incorrect"
    NO_ANSWER = "no answer"
    UNREADABLE = "unreadable"
    TIMED_OUT = "timed out"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of judging one text against one reference.

    `answer` is the extracted answer as the model wrote it (None without one), `reason` says in one clause why, and
    `rule` names the extraction rule that found the answer.
    """

    outcome: Outcome
    answer: str | None
    reason: str
    rule: str | None = None
    checker_version: str = CHECKER_VERSION

    @property
    def correct(self) -> bool:
        return self.outcome is Outcome.CORRECT


class BrokenReference(ValueError):
    """A gold answer that cannot be read: found before any generation is spent on its question."""
