"""A question that lm_eval put together without a chat template, with its parts still told apart."""

from __future__ import annotations

from typing import Any


class Asked(str):
    """lm_eval's own text, which glues the parts together.

    system: the --system_instruction. question: what stands between. prefix: the answer's first words (gen_prefix).
    gap: what lm_eval puts between question and prefix.
    """

    __slots__ = ("gap", "prefix", "question", "system")
    system: str
    question: str
    gap: str
    prefix: str

    def __new__(
        cls, text: str, system: str = "", question: str | None = None, gap: str = "", prefix: str = ""
    ) -> Asked:
        asked = super().__new__(cls, text)
        asked.system, asked.gap, asked.prefix = system, gap, prefix
        asked.question = str(text) if question is None else question
        return asked

    def __reduce__(self) -> tuple[Any, ...]:
        return Asked, (str(self), self.system, self.question, self.gap, self.prefix)


def take_apart(text: str, system: str, prefix: str, delimiter: str) -> str:
    """lm_eval's text as `Asked`, where it has an instruction or the first words of an answer; else as it is.

    delimiter: what lm_eval put between question and answer, if the question did not end in white space.
    """
    question, gap = text, ""
    system = system if system and question.startswith(system) else ""
    question = question.removeprefix(system).lstrip("\n") if system else question
    prefix = prefix if prefix and question.endswith(prefix) else ""
    if prefix:
        question = question.removesuffix(prefix)
        gap = delimiter if delimiter and question.endswith(delimiter) else ""
        question = question.removesuffix(gap)
    return Asked(text, system, question, gap, prefix) if system or prefix else text
