"""What the parser makes of the parts that it has read: quotients, sums, brackets, functions. No text, no tokens."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from fractions import Fraction

from s1_tasks.answers.tree.matrices import determinant
from s1_tasks.answers.tree.nodes import (
    Builder,
    Call,
    Constant,
    Matrix,
    NamedSet,
    Node,
    Number,
    Piecewise,
    Power,
    Product,
    Quantity,
    Relation,
    Sequence,
    SetOperation,
    Sum,
    Symbol,
    Unreadable,
    integer,
    symbols,
)

MAX_DOUBLE_FACTORIAL = 300
MAX_EXPONENT_OF_TEN = 1000
_FUNCTION_LETTERS = frozenset("fghFGH")
_INVERSES = {"sin": "arcsin", "cos": "arccos", "tan": "arctan", "cot": "arccot", "sec": "arcsec", "csc": "arccsc",
             "sinh": "arsinh", "cosh": "arcosh", "tanh": "artanh"}  # fmt: skip
_UNORDERED = frozenset({"gcd", "lcm", "max", "min"})
_REPEATED = re.compile(r"(?<=[.\d])(\d{1,6}?)\1+$")


# -- numbers ----------------------------------------------------------------------------------------------------------
def literal(text: str) -> Number:
    """The number that a numeral writes; raises Unreadable for 1e9999."""
    mantissa, _, exponent = text.lower().partition("e")
    if exponent:
        if abs(int(exponent)) > MAX_EXPONENT_OF_TEN:
            raise Unreadable(f"an exponent beyond {MAX_EXPONENT_OF_TEN} in a numeral")
        return Number(Fraction(text))
    whole, point, decimals = mantissa.partition(".")
    if not point:
        return Number(Fraction(text))
    return Number(Fraction(text), len(decimals), len((whole + decimals).lstrip("0")))


def repeating(text: str) -> Number | None:
    """0.1666... goes on with its last block; None when nothing repeats."""
    repeated = _REPEATED.search(text)
    return with_period(text[: repeated.start()], repeated.group(1)) if repeated else None


def with_period(text: str, block: str) -> Number:
    """The number whose decimals go on repeating `block` after those in `text`."""
    decimals = len(text.partition(".")[2])
    return Number(Fraction(text) + Fraction(int(block), (10 ** len(block) - 1) * 10**decimals))


def is_whole(number: Number) -> bool:
    """Whether a number was written without a point and is whole."""
    return number.decimals is None and number.value.denominator == 1


def double_factorial(node: Node) -> Number:
    """7!! is 7 * 5 * 3."""
    if not isinstance(node, Number) or node.value.denominator != 1 or not 0 <= node.value <= MAX_DOUBLE_FACTORIAL:
        raise Unreadable(f"a double factorial of anything but a whole number up to {MAX_DOUBLE_FACTORIAL}")
    return integer(math.prod(range(int(node.value), 0, -2)))


# -- sums, products, quotients ----------------------------------------------------------------------------------------
def inverse(node: Node) -> Node:
    return Power(node, Number(Fraction(-1)))


def product_of(factors: list[Node]) -> Node:
    return factors[0] if len(factors) == 1 else Product(tuple(factors))


def quotient(top: Node, bottom: Node) -> Node:
    """top / bottom; a unit below belongs to the whole."""
    if isinstance(top, Number) and isinstance(bottom, Number) and is_whole(top) and is_whole(bottom) and bottom.value:
        return Number(top.value / bottom.value, divided=True)
    if isinstance(bottom, Quantity) and not isinstance(top, Quantity):
        return Quantity(Product((top, inverse(bottom.value))), bottom.unit)
    return Product((top, inverse(bottom)))


def mixed(whole: Number, part: Node) -> Node | None:
    r"""3\frac12 is 3 + 1/2, and 33\frac13\% has a unit; None when `part` is no proper fraction."""
    if isinstance(part, Quantity):
        inside = mixed(whole, part.value)
        return None if inside is None else Quantity(inside, part.unit)
    proper = isinstance(part, Number) and 0 < part.value < 1
    return Number(whole.value + part.value) if proper and isinstance(part, Number) else None


def sum_of(terms: list[Node]) -> Node:
    """A sum, or a set difference when sets are subtracted; a unit of any term is the unit of all numbers."""
    if len(terms) == 1:
        return terms[0]
    taken = _subtracted_set(terms)
    if taken is not None:
        return SetOperation("difference", terms[0], taken)
    units = {term.unit for term in terms if isinstance(term, Quantity)}
    if len(units) != 1 or not _shares_unit(terms):
        return Sum(tuple(terms))
    plain = tuple(term.value if isinstance(term, Quantity) else term for term in terms)
    return Quantity(Sum(plain), units.pop())


def _shares_unit(terms: list[Node]) -> bool:
    """Whether the unit of one term is meant by all; the x of 90 degrees - x is an angle by itself."""
    return not any(
        isinstance(term, Quantity) and term.unit == "degree" and any(symbols(t) for t in terms if t is not term)
        and not all(isinstance(t, Quantity) for t in terms)
        for term in terms
    )  # fmt: skip


def _subtracted_set(terms: list[Node]) -> Sequence | None:
    """{2} of R - {2}"""
    if len(terms) != 2 or not isinstance(terms[0], Sequence | SetOperation | NamedSet | Builder):
        return None
    taken = terms[1].factors[1] if isinstance(terms[1], Product) else None
    return taken if isinstance(taken, Sequence) and taken.opening == "{" else None


def join_signs(first: str, second: str) -> str:
    """The sign of a term with two signs before it."""
    if first in ("", "+"):
        return second
    if second == "+":
        return first
    return "+" if first == second == "-" else r"\pm"


# -- brackets ---------------------------------------------------------------------------------------------------------
def bracketed(opening: str, inside: Node, closing: str) -> Node:
    """What a pair of brackets makes of the list, or the value, between them."""
    if opening in _ROUNDED:
        return Call(_ROUNDED[opening], (inside,))
    bare = isinstance(inside, Sequence) and not inside.opening
    if opening == r"\{":
        if isinstance(inside, Builder):
            return inside
        return Sequence(inside.items if isinstance(inside, Sequence) and bare else (inside,), "{", "}")
    if isinstance(inside, Sequence) and bare:
        return Sequence(inside.items, "<" if opening == r"\langle" else opening, closing)
    return inside


_ROUNDED = {r"\lfloor": "floor", r"\lceil": "ceil", r"\lvert": "abs", r"\Vert": "abs"}


def environment(name: str, rows: list[list[Node]]) -> Node:
    """A matrix, a determinant, or the cases of a function, from the cells that were read."""
    cells = tuple(tuple(row) for row in rows if row)
    if not cells:
        raise Unreadable("an empty environment")
    if name in ("cases", "dcases", "rcases"):
        return Piecewise(cells) if any(len(row) > 1 for row in cells) else Sequence(tuple(row[0] for row in cells))
    return determinant(cells) if name == "vmatrix" else Matrix(cells)


def transposed(node: Sequence | Matrix) -> Node:
    """A vector stays as it is: rows and columns are the same here."""
    if isinstance(node, Sequence) or len({len(row) for row in node.rows}) > 1:
        return node
    return Matrix(tuple(zip(*node.rows, strict=True)))


def builder(element: Node, conditions: Node) -> Builder:
    """{ element | conditions }"""
    listed = conditions.items if isinstance(conditions, Sequence) and not conditions.opening else (conditions,)
    return Builder(element, listed)


# -- functions and relations ------------------------------------------------------------------------------------------
def function(name: str, arguments: tuple[Node, ...], base: Node | None, exponent: Node | None) -> Node:
    """name_base^exponent(arguments)"""
    if name in _UNORDERED:
        arguments = tuple(sorted(arguments, key=repr))
    if base is not None:
        arguments = (*arguments, base)
    if exponent == integer(-1) and name in _INVERSES:
        return Call(_INVERSES[name], arguments)
    special = _SPECIAL.get(name)
    call = Call(name, arguments) if special is None else special(arguments)
    return call if exponent is None else Power(call, exponent)


def _cis(arguments: tuple[Node, ...]) -> Node:
    return Sum((Call("cos", arguments), Product((Constant("i"), Call("sin", arguments)))))


def _determinant(arguments: tuple[Node, ...]) -> Node:
    matrix = arguments[0]
    return determinant(matrix.rows) if len(arguments) == 1 and isinstance(matrix, Matrix) else Call("det", arguments)


_SPECIAL: dict[str, Callable[[tuple[Node, ...]], Node]] = {
    "cis": _cis,
    "exp": lambda arguments: Power(Constant("e"), arguments[0]),
    "det": _determinant,
    "lg": lambda arguments: Call("log", (*arguments, integer(10))),
}


def applied(node: Node) -> str | None:
    """The name of the function that f, or f^{-1}, before a bracket is; None for a factor."""
    symbol = node.base if isinstance(node, Power) else node
    if not isinstance(symbol, Symbol) or symbol.name.rstrip("'")[:1] not in _FUNCTION_LETTERS:
        return None
    if isinstance(node, Power):
        return f"{symbol.name}^-1" if node.exponent == integer(-1) else None
    return symbol.name


def is_run_of_letters(node: Node) -> bool:
    """AB under a bar is a segment or its length, abc a number with these digits."""
    if not isinstance(node, Product) or not all(isinstance(factor, Symbol) for factor in node.factors):
        return False
    return len(node.factors) > 2 or all(factor.name.isupper() for factor in node.factors if isinstance(factor, Symbol))


def relation(operators: list[str], sides: list[Node]) -> Relation:
    """A chain of comparisons; "similar" is about triangles, unless a number stands behind it."""
    if operators[-1] in ("similar", "congruent") and not symbols(sides[-1]):
        operators[-1] = "~"
    return Relation(tuple(operators), tuple(sides))
