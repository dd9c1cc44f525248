"""The tight end of the grammar: numbers, names, commands, and the powers, subscripts and signs that follow them."""

from __future__ import annotations

import math
import re
from fractions import Fraction

from s1_tasks.answers.read.brackets import CLOSERS, fraction
from s1_tasks.answers.read.calls import CallReader
from s1_tasks.answers.read.tokens import CONSTANTS, FUNCTIONS
from s1_tasks.answers.tree.nodes import (
    Based,
    Call,
    Constant,
    Matrix,
    NamedSet,
    Node,
    Number,
    Power,
    Product,
    Quantity,
    Sequence,
    Symbol,
    Unreadable,
    Words,
    integer,
)

_FUNCTION_LETTERS = frozenset("fghFGH")
_NAMED_SETS = {"R": "reals", "Z": "integers", "N": "naturals", "Q": "rationals", "C": "complexes"}
_OTHER_ATOMS = frozenset(
    str.split(
        r"\frac \sqrt \cbrt \binom \pi \Pi \infty \emptyset \mathbb \overline \bar \angle \triangle \dollar \euro "
        r"\pound \yen \rupee \{ \langle \lfloor \lceil \lvert \Vert \| \ell \hbar \partial \operatorname \odot "
        r"\circ \square \ray"
    )
)  # fmt: skip
_GREEK = frozenset(
    str.split(
        "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi rho sigma tau upsilon phi chi "
        "psi omega Gamma Delta Theta Lambda Xi Sigma Upsilon Phi Psi Omega"
    )
)
CURRENCIES = {r"\dollar": "dollar", r"\euro": "euro", r"\pound": "pound", r"\yen": "yen", r"\rupee": "rupee"}
_BASE_WORDS = {"two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10,
               "eleven": 11, "twelve": 12, "sixteen": 16}  # fmt: skip  # fmt: skip
MAX_DOUBLE_FACTORIAL = 300


class AtomReader(CallReader):
    """Reads single values with everything that binds tightly to them."""

    def power(self) -> Node:
        node = self.atom()
        while True:
            if self.text == "^" and self.kind == "sign":
                self.step()
                node = self._raised(node)
            elif self.text == "!" and self.kind == "sign":
                self.step()
                node = self._factorial(node)
            elif self.text == "%" or self.text in (r"\circ",):
                unit = "%" if self.text == "%" else "degree"
                self.step()
                node = Quantity(node, unit)
            elif self.text == "'" and self.kind == "sign":
                self.step()
                node = Symbol(node.name + "'") if isinstance(node, Symbol) else Quantity(node, "'")
            elif self.text == "_" and self.kind == "sign":
                self.step()
                node = self._subscripted(node)
            else:
                break
        if isinstance(node, Symbol | Power) and self.text == "(" and not self.spaced and _is_function(node):
            return Call(_function_name(node), self._bracketed_arguments())
        return node

    def _factorial(self, node: Node) -> Node:
        """After n!: 7!! is 7 * 5 * 3, not the factorial of 7!."""
        if self.text != "!" or self.kind != "sign" or self.spaced:
            return Call("factorial", (node,))
        self.step()
        if not isinstance(node, Number) or node.value.denominator != 1 or not 0 <= node.value <= MAX_DOUBLE_FACTORIAL:
            raise Unreadable(f"a double factorial of anything but a whole number up to {MAX_DOUBLE_FACTORIAL}")
        return integer(math.prod(range(int(node.value), 0, -2)))

    def _raised(self, node: Node) -> Node:
        if self.text == r"\circ" or (self.text == "{" and self.peek_text(1) == r"\circ" and self.peek_text(2) == "}"):
            for _ in range(1 if self.text == r"\circ" else 3):
                self.step()
            if self.text in ("C", "F") and self.peek_kind(1) in ("end", "sign"):
                scale = self.text
                self.step()
                return Quantity(node, f"degree {scale}")
            return Quantity(node, "degree")
        if self.text == "'" or (self.text == "{" and self.peek_text(1) == "'"):
            raise Unreadable("a prime as an exponent")
        exponent = self.exponent()
        if isinstance(exponent, Words):
            return Quantity(node, exponent.text)
        if exponent == Symbol("T") and isinstance(node, Sequence | Matrix):
            return _transposed(node)
        if isinstance(node, Quantity):
            return Quantity(Power(node.value, exponent), node.unit)
        return Power(node, exponent)

    def exponent(self) -> Node:
        with self.deeper():
            if self.text in ("-", "+"):
                minus = self.text == "-"
                self.step()
                inner = self.exponent()
                return (
                    Product((integer(-1), inner))
                    if minus and not isinstance(inner, Number)
                    else (Number(-inner.value) if minus and isinstance(inner, Number) else inner)
                )
            if self.text == "{" and self.peek_kind(1) == "word" and self.peek_text(2) == "}":
                self.step()
                word = Words(self.text)
                self.step()
                self.step()
                return word
            if self.text in ("+", "*") or (
                self.text == "{" and self.peek_text(1) in ("+", "*", "-") and self.peek_text(2) == "}"
            ):
                raise Unreadable("a sign as an exponent")
            if self.kind == "letter" and self.text in "tT" and self.peek_text(1) == "h":
                self.step()
                self.step()
                return Words("th")
            exponent = self.atom()
            if self.text == "^":
                self.step()
                exponent = Power(exponent, self.exponent())
            return exponent

    def _subscripted(self, node: Node) -> Node:
        if isinstance(node, Number) and node.value.denominator == 1:
            base = self._base()
            return Based(str(node.value.numerator), base)
        name = self._subscript_name()
        if isinstance(node, Symbol | Constant):
            return Symbol(f"{node.name}_{name}")
        if isinstance(node, Power) and isinstance(node.base, Symbol | Constant):
            return Power(Symbol(f"{node.base.name}_{name}"), node.exponent)
        raise Unreadable("a subscript of something that is no name")

    def _base(self) -> int:
        name = self._subscript_name()
        base = int(name) if name.isdigit() and len(name) < 4 else _BASE_WORDS.get(name, 0)
        if base < 2:
            raise Unreadable(f"a number with subscript {name!r}")
        return base

    def _subscript_name(self) -> str:
        """The text of a subscript: one token, or what stands between braces."""
        if self.text not in ("{", "("):
            if self.kind == "end":
                raise Unreadable("nothing to read as a subscript")
            name = self.text
            self.step()
            return name
        close = "}" if self.text == "{" else ")"
        self.step()
        pieces = []
        while self.text != close:
            if self.kind == "end":
                raise Unreadable("an unfinished subscript")
            pieces.append(self.text)
            self.step()
        self.step()
        return "".join(pieces)

    def starts_atom(self) -> bool:
        """Whether the current command can begin a value."""
        return self.text in _OTHER_ATOMS or self.text[1:] in _GREEK or self.text[1:] in FUNCTIONS

    def atom(self) -> Node:
        with self.deeper():
            if self.kind == "number":
                return self.number()
            if self.kind == "letter":
                name = self.text
                self.step()
                return Constant(name) if name in ("i", "e") and self.text != "_" else Symbol(name)
            if self.kind == "name":
                return self._named(self.text)
            if self.kind == "begin":
                return self._environment()
            if self.kind == "sign":
                return self._sign()
            if self.kind == "command":
                return self._command()
            raise Unreadable(f"cannot read {self.text or 'the end'!r} as a value")

    def number(self) -> Number:
        text = self.text
        self.step()
        mantissa = text.lower().split("e")[0]
        decimals = len(mantissa.split(".")[1]) if "." in mantissa else None
        significant = len(mantissa.replace(".", "").lstrip("0")) if decimals is not None else 0
        if "e" in text.lower() and abs(int(text.lower().split("e")[1])) > 1000:
            raise Unreadable("an exponent beyond 1000 in a numeral")
        if self.text in (r"\overline", r"\bar", r"\dot") and decimals is not None:
            return self._repeating(text)
        if self.text == "..." and decimals:
            self.step()
            repeated = _REPEATED.search(text)
            if repeated:
                return _with_period(text[: repeated.start()], repeated.group(1))
        if "e" in text.lower():
            return Number(Fraction(text))
        return Number(Fraction(text), decimals, significant)

    def _repeating(self, text: str) -> Number:
        r"""0.1\overline{23}, 0.1\dot{2}\dot{3}"""
        block = ""
        while self.text in (r"\overline", r"\bar", r"\dot") or (block and self.kind == "number"):
            if self.kind != "number":
                self.step()
                self.expect("{")
            if self.kind != "number" or not self.text.isdigit():
                raise Unreadable("an overline that is no repeating decimal")
            block += self.text
            self.step()
            if self.text == "}":
                self.step()
        return _with_period(text, block)

    def mixed_number(self, whole: Number) -> Number:
        """`3 1/2` after its 3."""
        digits = self.text + self.peek_text(2)
        if not self.spaced or self.peek_text(1) != "/" or not digits.isdigit() or whole.decimals is not None:
            raise Unreadable("two numbers without an operator")
        top, bottom = int(self.text), int(self.peek_text(2))
        if not 0 < top < bottom:
            raise Unreadable("two numbers without an operator")
        for _ in range(3):
            self.step()
        return Number(whole.value + Fraction(top, bottom))

    def _named(self, name: str) -> Node:
        if name in FUNCTIONS:
            self.step()
            return self._function(name)
        if name in ("and", "or", "union", "mod"):
            raise Unreadable(f"{name!r} without a value before it")
        self.step()
        return Constant(CONSTANTS[name]) if name in CONSTANTS else Symbol(name)

    def _sign(self) -> Node:
        if self.text in ("(", "[", "{"):
            return self._bracket(self.text)
        if self.text == "|":
            if self.in_bars:
                raise Unreadable("an absolute value of nothing")
            self.step()
            return Call("abs", (self._inside("|", bars=True),))
        if self.text == "...":
            self.step()
            return Symbol("...")
        raise Unreadable(f"cannot read {self.text!r} as a value")

    def _command(self) -> Node:
        text = self.text
        name = text[1:]
        if text in CLOSERS:
            return self._bracket(text)
        if text == r"\|":
            self.step()
            return Call("abs", (self._inside(r"\|"),))
        if name in FUNCTIONS:
            self.step()
            return self._function(name)
        if text in CURRENCIES:
            self.step()
            value = self.product()
            return value if isinstance(value, Quantity) else Quantity(value, CURRENCIES[text])
        if not (self.starts_atom() or name in CONSTANTS):
            raise Unreadable(f"unknown command {text}")
        self.step()
        if name in CONSTANTS:
            return Constant(CONSTANTS[name])
        if text == r"\frac":
            return fraction(self._argument(), self._argument())
        if text == r"\emptyset":
            return NamedSet("empty")
        if text == r"\mathbb":
            return self._named_set()
        if text == r"\ray":
            return Symbol(f"vector {self._subscript_name()}")
        if text in (r"\overline", r"\bar"):
            argument = self._argument()
            return argument if _is_run_of_letters(argument) else Call("conjugate", (argument,))
        if text in (r"\angle", r"\triangle", r"\odot", r"\square"):
            points = ""
            while self.kind == "letter" and self.text.isupper():
                points += self.text
                self.step()
            return Symbol(f"{name} {points}")
        return Symbol(name)

    def _named_set(self) -> NamedSet | Symbol:
        letter = self._subscript_name()
        if letter in ("E", "P"):
            return Symbol(letter)  # expectation, probability
        if letter not in _NAMED_SETS:
            raise Unreadable(f"unknown set {letter!r}")
        name = _NAMED_SETS[letter]
        if self.text in ("^", "_"):
            self.step()
            mark = self._subscript_name()
            name = f"{name} {mark.replace('>0', '+')}"
        return NamedSet(name)

    def unit_exponent(self) -> list[str]:
        """`^2` after a unit word, as ["^", "2"]."""
        if self.text != "^":
            return []
        self.step()
        return ["^", self._subscript_name()]


_REPEATED = re.compile(r"(?<=[.\d])(\d{1,6}?)\1+$")


def _with_period(text: str, block: str) -> Number:
    """The number whose decimals go on repeating `block` after those in `text`."""
    decimals = len(text.partition(".")[2])
    return Number(Fraction(text) + Fraction(int(block), (10 ** len(block) - 1) * 10**decimals))


def _transposed(node: Sequence | Matrix) -> Node:
    """A vector stays as it is: rows and columns are the same here."""
    if isinstance(node, Sequence) or len({len(row) for row in node.rows}) > 1:
        return node
    return Matrix(tuple(zip(*node.rows, strict=True)))


def _is_run_of_letters(node: Node) -> bool:
    """AB under a bar is a segment or its length, abc a number with these digits."""
    if not isinstance(node, Product) or not all(isinstance(factor, Symbol) for factor in node.factors):
        return False
    return len(node.factors) > 2 or all(factor.name.isupper() for factor in node.factors if isinstance(factor, Symbol))


def _is_function(node: Node) -> bool:
    symbol = node.base if isinstance(node, Power) else node
    return isinstance(symbol, Symbol) and symbol.name.rstrip("'")[:1] in _FUNCTION_LETTERS and (
        not isinstance(node, Power) or node.exponent == integer(-1)
    )  # fmt: skip


def _function_name(node: Node) -> str:
    if isinstance(node, Power) and isinstance(node.base, Symbol):
        return f"{node.base.name}^-1"
    return node.name if isinstance(node, Symbol) else "f"
