"""The metrics of our tasks: keys of lm_eval's samples, and rows of its result table."""

from __future__ import annotations

from typing import Final

from s1_contract.outcomes import Outcome
from s1_contract.usage import USAGE_FIELDS

EXACT_MATCH: Final = "exact_match"
"""1 when the first repeat is right."""
NO_ANSWER: Final = "no_answer"
"""Share of the repeats in which no final answer was found."""
OUTCOMES: Final = {
    NO_ANSWER: Outcome.NO_ANSWER,
    "unreadable": Outcome.UNREADABLE,
    "timed_out": Outcome.TIMED_OUT,
}
"""Share of the repeats that ended so; why an answer that is not right may not be wrong either."""
VERDICTS: Final = "verdicts"
"""One `outcomes.VerdictRow` per repeat."""
ALWAYS: Final = (EXACT_MATCH, *OUTCOMES, VERDICTS)
"""What every sample of our tasks has, whichever model answered; the task files list exactly these."""

_AVERAGE, _PASS, _MAJORITY = "avg@", "pass@", "maj@"


def avg_at(repeats: int) -> str:
    """Name of the share of right answers among the repeats."""
    return f"{_AVERAGE}{repeats}"


def pass_at(drawn: int) -> str:
    """Name of the chance that `drawn` repeats hold a right answer."""
    return f"{_PASS}{drawn}"


def maj_at(repeats: int) -> str:
    """Name of the score of the most frequent answer."""
    return f"{_MAJORITY}{repeats}"


def is_average(name: str) -> bool:
    """Whether a metric is `avg_at` of some number of repeats."""
    return name.startswith(_AVERAGE)


def is_mean(name: str) -> bool:
    """Whether a metric of ours is to be averaged over questions and stands in no task file: usage, and @k."""
    return name in USAGE_FIELDS or name.startswith((_AVERAGE, _PASS, _MAJORITY))
