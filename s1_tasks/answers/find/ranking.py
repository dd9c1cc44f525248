"""Candidates for the answer of a text, and which of them beats which: the table, and a fold over what revises what."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum


class Stance(Enum):
    """How a text stands to a value that it names."""

    ASSERTED = "asserted"
    SUPPOSED = "supposed"
    ASKED = "asked"
    DENIED = "denied"
    REVOKED = "revoked"
    CONTRASTED = "contrasted"
    STEP = "step"
    OPTION = "quoted option"


STRENGTH = {
    "tag": (6, "an answer tag or a JSON key is meant for the reader's program"),
    "boxed": (5, "a box is meant for the reader's program"),
    "boxed list": (5, "boxes side by side are one list"),
    "final answer": (5, "what is called the final answer counts like a box"),
    "parts": (4, "lines that answer (a), (b), ... are one list"),
    "heading": (4, "the answer stands below a heading, or behind ####"),
    "answer:": (4, "the text announces its answer"),
    "answer is": (4, "the text announces its answer"),
    "words": (3, "words that are announced count where no value is"),
    "whole text": (3, "the text is nothing but an answer"),
    "says": (3, "the text says which letter it chooses"),
    "is correct": (2, "a letter is called correct"),
    "placed": (1, "the letter that a text begins or ends with"),
    "conclusion": (2, "the last sentence concludes"),
    "display math": (1, "the last displayed formula, where no sentence concludes"),
    "bold": (1, "the words that the last sentence emphasises"),
    "last line": (0, "the last line as it stands"),
}
"""rule -> (strength, why). The strongest rule wins; of equally strong candidates the last."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A value or letter that a text names: where, by which rule, and how the text stands to it."""

    start: int
    end: int
    answer: str
    rule: str
    stance: Stance = Stance.ASSERTED
    weak: bool = False
    """Announced as a result or a solution, which may be a step on the way."""


@dataclass(frozen=True, slots=True)
class Turn:
    """A place where the text turns back: it doubts what stands before it, names a fault in it, or confirms it."""

    start: int
    fault: bool = False
    confirms: bool = False


def settle(candidates: Iterable[Candidate], turns: Iterable[Turn]) -> list[Candidate]:
    """The candidates in order of their place, those that the text takes back marked as revoked.

    A doubt sets aside what stands before it. What is asserted behind a doubt takes its place; what is confirmed stands
    again, and then nothing that was said in between; a fault that is named revokes even when nothing takes the place.
    """
    events: list[Candidate | Turn] = [*candidates, *turns]
    events.sort(key=lambda event: (event.start, isinstance(event, Candidate)))
    settled: list[Candidate] = []
    doubted = since = 0
    fault = False
    for event in events:
        if isinstance(event, Candidate):
            settled.append(event)
        elif event.confirms:
            if doubted and not _speaks(settled[since:]):
                doubted, fault = 0, False
        else:
            if doubted and _speaks(settled[since:]):
                _revoke(settled, since)
            doubted = since = len(settled)
            fault = event.fault
    if doubted and (fault or _speaks(settled[since:])):
        _revoke(settled, since)
    return settled


def _speaks(candidates: list[Candidate]) -> bool:
    return any(candidate.stance is Stance.ASSERTED for candidate in candidates)


def _revoke(settled: list[Candidate], before: int) -> None:
    for index in range(before):
        if settled[index].stance is Stance.ASSERTED:
            settled[index] = replace(settled[index], stance=Stance.REVOKED)


def best(settled: list[Candidate]) -> Candidate | None:
    """The asserted candidate of the strongest rule, the last of equals; None without one."""
    asserted = [candidate for candidate in reversed(settled) if candidate.stance is Stance.ASSERTED]
    return max(asserted, key=lambda candidate: (STRENGTH[candidate.rule][0], candidate.start), default=None)
