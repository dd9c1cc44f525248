"""What a check can say: a closed set of outcomes, the answer that was found, and why."""

from dataclasses import dataclass

from s1_contract.outcomes import Kind as Kind
from s1_contract.outcomes import Outcome as Outcome

CHECKER_VERSION = "1.4.0"
"""Changes whenever any pair of texts may be judged differently; part of every verdict."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of judging one text against one reference.

    `answer` is the extracted answer as the model wrote it (None without one), `reason` says in one clause why, and
    `rule` names the extraction rule that found the answer. `stance` says how the text stands to it, and `beat` which
    other candidates it beat, each as "6 (boxed, revoked)".
    """

    outcome: Outcome
    answer: str | None
    reason: str
    rule: str | None = None
    stance: str | None = None
    beat: tuple[str, ...] = ()
    checker_version: str = CHECKER_VERSION

    @property
    def correct(self) -> bool:
        return self.outcome is Outcome.CORRECT


class BrokenReference(ValueError):
    """A gold answer that cannot be read: found before any generation is spent on its question."""
