"""The words that extraction knows: `vocabulary.txt` as an index, so that a phrase is found by its first word.

A role is what a phrase does to the clause that it opens or stands in; the file says why each is there and tests it.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Protocol


class Section(NamedTuple):
    """The phrases of one role. `test` holds {} for a phrase; what follows "=>" in it is the answer."""

    role: str
    why: str
    tests: tuple[str, ...]
    phrases: tuple[str, ...]


class Word(Protocol):
    """A token, as far as a phrase is concerned."""

    @property
    def text(self) -> str: ...


def sections(text: str) -> list[Section]:
    """The sections of a vocabulary file."""
    found = []
    for block in text.split("\n[")[1:]:
        role, _, body = block.partition("]\n")
        lines = body.strip().splitlines()
        why = next(line[5:] for line in lines if line.startswith("why: "))
        tests = tuple(line[6:] for line in lines if line.startswith("test: "))
        words = " ".join(line for line in lines if not line.startswith(("why: ", "test: ")))
        phrases = tuple(phrase.strip().replace("\\p", "|") for phrase in words.split(" | ") if phrase.strip(" |"))
        found.append(Section(role, why, tests, phrases))
    return found


TABLE = sections(Path(__file__).with_suffix(".txt").read_text(encoding="utf-8"))


def index(table: Sequence[Section]) -> dict[str, dict[str, list[tuple[str, ...]]]]:
    """role -> first word -> phrases as words, the longest first."""
    found: dict[str, dict[str, list[tuple[str, ...]]]] = {}
    for section in table:
        by_first = found.setdefault(section.role, {})
        for phrase in section.phrases:
            words = tuple(phrase.strip(" |").split() or ["|"])
            by_first.setdefault(words[0], []).append(words)
        for phrases in by_first.values():
            phrases.sort(key=len, reverse=True)
    return found


PHRASES = index(TABLE)


def is_word(word: str, role: str) -> bool:
    """Whether one word is a phrase of `role`."""
    return (word,) in PHRASES[role].get(word, ())


def phrase_at(tokens: Sequence[Word], at: int, role: str) -> int:
    """How many tokens from `at` on are a phrase of `role`, the longest; 0 for none."""
    if not 0 <= at < len(tokens):
        return 0
    for words in PHRASES[role].get(tokens[at].text, ()):
        if len(words) == 1 or words == tuple(token.text for token in tokens[at : at + len(words)]):
            return len(words)
    return 0


def role_at(tokens: Sequence[Word], at: int, roles: Sequence[str]) -> tuple[str, int] | None:
    """Which of `roles` has the longest phrase at `at`, and how many tokens it is long."""
    found = [(phrase_at(tokens, at, role), role) for role in roles]
    length, role = max(found, key=lambda one: one[0])
    return (role, length) if length else None


def occurs(tokens: Sequence[Word], role: str, start: int = 0) -> bool:
    """Whether a phrase of `role` stands anywhere behind `start`."""
    return any(phrase_at(tokens, at, role) for at in range(start, len(tokens)))
