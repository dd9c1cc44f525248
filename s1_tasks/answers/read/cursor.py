"""The reader's cursor: the current token, looking ahead, and the cap on nesting.

The classes above it (`brackets`, `calls`, `atoms`, `grammar`) call one another in both directions, so what a lower one
needs from a higher one is declared here.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from s1_tasks.answers.read.tokens import Token
from s1_tasks.answers.tree.nodes import Node, Number, Unreadable

MAX_DEPTH = 40
"""Brackets, fractions, roots and signs inside one another; answers have fewer than ten."""

_END = Token("end", "")


class Cursor:
    """A position in a list of tokens; `kind`, `text` and `spaced` are those of the current one."""

    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._position = 0
        self._depth = 0
        self.in_bars = False
        self._load()

    # -- what higher levels define ----------------------------------------------------------------------------------
    def sequence(self, builder: bool = False) -> Node:
        raise NotImplementedError

    def relation(self, builder: bool = False) -> Node:
        raise NotImplementedError

    def product(self, builder: bool = False) -> Node:
        raise NotImplementedError

    def at_factor(self, builder: bool) -> bool:
        raise NotImplementedError

    def set_builder(self, element: Node) -> Node:
        raise NotImplementedError

    def power(self) -> Node:
        raise NotImplementedError

    def atom(self) -> Node:
        raise NotImplementedError

    def number(self) -> Number:
        raise NotImplementedError

    def exponent(self) -> Node:
        raise NotImplementedError

    # -- cursor -----------------------------------------------------------------------------------------------------
    def _load(self) -> None:
        token = self._tokens[self._position] if self._position < len(self._tokens) else _END
        self.kind, self.text, self.spaced = token

    def step(self) -> None:
        self._position += 1
        self._load()

    def _peek(self, ahead: int) -> Token:
        index = self._position + ahead
        return self._tokens[index] if index < len(self._tokens) else _END

    def peek_text(self, ahead: int) -> str:
        return self._peek(ahead).text

    def peek_kind(self, ahead: int) -> str:
        return self._peek(ahead).kind

    def peek_opens(self, ahead: int) -> bool:
        return self.peek_text(ahead) in ("(", "[", r"\{")

    def expect(self, *texts: str) -> str:
        if self.text not in texts or self.kind == "end":
            raise Unreadable(f"expected {texts[0]!r} before {self.text or 'the end'!r}")
        text = self.text
        self.step()
        return text

    def expect_end(self) -> None:
        if self.kind != "end":
            raise Unreadable(f"cannot read on at {self.text!r}")

    def at_operand_end(self) -> bool:
        return self.kind == "end" or self.text in (")", "]", "}", ",", "=")

    @contextmanager
    def deeper(self) -> Iterator[None]:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise Unreadable(f"nested more than {MAX_DEPTH} deep")
        try:
            yield
        finally:
            self._depth -= 1
