"""A document -> the text of its question, without instructions around it.

AIME and MATH ask the bare problem (the task files name that column), as s1 does. Multiple choice lists the choices
under the question; their order is a function of the question's and the choices' own texts, so it is the same in every
run, row order, process and Python version, and no answer letter is more likely than another.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

LETTERS = "ABCDEFGHIJ"


def choice_order(question: str, choices: Sequence[str]) -> tuple[int, ...]:
    """The order in which `choices` are shown: indices into `choices`, first shown first.

    Choices are sorted by a hash of question and choice. Equal choices keep their given order, so each index occurs
    once whatever the texts are.
    """
    asked = question.strip()

    def rank(index: int) -> tuple[bytes, int]:
        text = f"{asked}\0{choices[index].strip()}"
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest(), index

    return tuple(sorted(range(len(choices)), key=rank))


def multiple_choice(doc: Mapping[str, Any]) -> str:
    """The question, an empty line, and one line `A) ...` for each of `doc["choices"]` in their stored order."""
    lines = [f"{letter}) {choice}" for letter, choice in zip(LETTERS, doc["choices"], strict=False)]
    return f"{doc['question']}\n\n" + "\n".join(lines)
