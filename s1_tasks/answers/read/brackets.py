"""Brackets of every kind, sets and set-builders, absolute values, matrices and piecewise environments."""

from __future__ import annotations

from s1_tasks.answers.read.cursor import Cursor
from s1_tasks.answers.tree.matrices import determinant
from s1_tasks.answers.tree.nodes import (
    ONE,
    Builder,
    Call,
    Matrix,
    NamedSet,
    Node,
    Number,
    Piecewise,
    Power,
    Product,
    Quantity,
    Sequence,
    Unreadable,
    Words,
    integer,
)

CLOSERS = {"(": (")", "]"), "[": ("]", ")"), "{": ("}",), r"\{": (r"\}",), r"\langle": (r"\rangle", ">"),
           r"\lfloor": (r"\rfloor",), r"\lceil": (r"\rceil",), r"\lvert": (r"\rvert", "|"),
           r"\Vert": (r"\Vert",)}  # fmt: skip
_CASE_WORDS = frozenset({"if", "for", "when", "where", "while"})


class BracketReader(Cursor):
    """Reads what stands between brackets."""

    def _inside(self, *closers: str, bars: bool = False) -> Node:
        """What stands up to the closer, which is consumed."""
        outer, self.in_bars = self.in_bars, bars
        inside = self.sequence()
        self.in_bars = outer
        self.expect(*closers)
        return inside

    def _bracket(self, opening: str) -> Node:
        self.step()
        outer, self.in_bars = self.in_bars, False
        try:
            return self._bracket_content(opening)
        finally:
            self.in_bars = outer

    def _bracket_content(self, opening: str) -> Node:
        if opening == r"\{" and self.text == r"\}":
            self.step()
            return NamedSet("empty")
        if self.text in ("and", "or"):
            raise Unreadable("an alternative in brackets")  # 5 (or 6) is no product
        inside = self.sequence(builder=opening == r"\{")
        if opening == r"\{" and self.text in ("|", r"\mid", ":"):
            inside = self.set_builder(inside)
        if self.text in (r"\choose", r"\over", r"\atop") and opening == "{":
            choose = self.text != r"\over"
            self.step()
            lower = self.sequence()
            self.expect("}")
            return Call("binom", (inside, lower)) if choose else fraction(inside, lower)
        closing = self.expect(*CLOSERS[opening])
        if opening == r"\lfloor":
            return Call("floor", (inside,))
        if opening == r"\lceil":
            return Call("ceil", (inside,))
        if opening in (r"\lvert", r"\Vert"):
            return Call("abs", (inside,))
        bare = isinstance(inside, Sequence) and not inside.opening
        if opening == r"\{":
            if isinstance(inside, Builder):
                return inside
            items = inside.items if isinstance(inside, Sequence) and bare else (inside,)
            return Sequence(items, "{", "}")
        if isinstance(inside, Sequence) and bare:
            kind = "<" if opening == r"\langle" else opening
            return Sequence(inside.items, kind, closing)
        return inside

    def _environment(self) -> Node:
        name = self.text
        self.step()
        rows: list[list[Node]] = [[]]
        while self.kind != "ending":
            if self.kind == "end":
                raise Unreadable(f"an unfinished {name} environment")
            if self.text == r"\\":
                rows.append([])
                self.step()
            elif self.text in ("&", ",", ";", ".", r"\hline", "and") or (
                self.kind == "word" and self.text.lower() in _CASE_WORDS
            ):
                self.step()
            elif self.kind == "word":
                words = []
                while self.kind == "word":
                    words.append(self.text.lower())
                    self.step()
                rows[-1].append(Words(" ".join(words)))
            else:
                rows[-1].append(self.relation())
        self.step()
        cells = tuple(tuple(row) for row in rows if row)
        if not cells:
            raise Unreadable("an empty environment")
        if name in ("cases", "dcases", "rcases"):
            return Piecewise(cells) if any(len(row) > 1 for row in cells) else Sequence(tuple(row[0] for row in cells))
        return determinant(cells) if name == "vmatrix" else Matrix(cells)


def fraction(top: Node, bottom: Node) -> Node:
    """A quotient; of two whole numbers, the rational number."""
    if isinstance(bottom, Quantity) and isinstance(top, Quantity):
        bottom, top = bottom.value, top.value
    if (
        isinstance(top, Number)
        and isinstance(bottom, Number)
        and bottom.value
        and top.decimals is None
        and bottom.decimals is None
    ):
        return Number(top.value / bottom.value, divided=True)
    if bottom == ONE:
        return top
    return Product((top, Power(bottom, integer(-1))))
