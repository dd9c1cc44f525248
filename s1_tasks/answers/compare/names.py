"""`x = 5` is 5 called x: taking names off answers, and whether two names can mean the same."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from s1_tasks.answers.algebra import approx, exact
from s1_tasks.answers.tree.nodes import (
    SCALAR_TYPES,
    WORD_LABEL,
    Call,
    Node,
    Number,
    Piecewise,
    PlusMinus,
    Power,
    Product,
    Quantity,
    Ratio,
    Relation,
    Sequence,
    SetOperation,
    Sum,
    Symbol,
    Words,
    negative,
    rewrite,
    symbols,
    walk,
    with_children,
)

MAX_SIGNS = 5


@dataclass(frozen=True, slots=True)
class Named:
    """A value and what it was called (None: nothing)."""

    label: Node | None
    body: Node


def unlabel(node: Node) -> Named:
    r"""The value of `x = v`, `v = x`, `x \in S`, `a = b = v`; other nodes as they are."""
    point = _named_point(node)
    if point is not None:
        return point
    if not isinstance(node, Relation):
        return Named(None, node)
    first, last = node.sides[0], node.sides[-1]
    if node.operators == ("in",):
        return Named(first, last)
    if any(operator != "=" for operator in node.operators):
        return Named(None, node)
    if is_label(first) and not _names(first) & symbols(last):
        return Named(first, last)
    if is_label(last) and len(node.sides) == 2 and not _names(last) & symbols(first):
        return Named(last, first)
    return Named(None, last if _is_calculation(node) else node)


def _named_point(node: Node) -> Named | None:
    """The point A(1, 2)"""
    if not isinstance(node, Product) or len(node.factors) != 2:
        return None
    name, place = node.factors
    if isinstance(name, Symbol) and name.name.isupper() and isinstance(place, Sequence) and place.opening == "(":
        return Named(name, place)
    return None


def without_words(node: Node) -> tuple[frozenset[str], Node]:
    """The words that name a value in prose, and the value: "the least area is 5", and 5."""
    if isinstance(node, Relation) and isinstance(node.sides[0], Symbol) and node.sides[0].name.startswith(WORD_LABEL):
        return frozenset(node.sides[0].name.removeprefix(WORD_LABEL).split()), node.sides[1]
    return frozenset(), node


def same_words(given: Node, wanted: Node) -> bool:
    """Whether two answers in prose are the same; "all even integers" are the even integers."""
    if not isinstance(given, Words) or not isinstance(wanted, Words) or not given.text:
        return False
    return given.text.removeprefix("all ") == wanted.text.removeprefix("all ")


def words_differ(given: Node, wanted: Node) -> bool:
    """Whether the words before two values name different things, or an equation where a value is wanted."""
    (words, value), (other_words, other) = without_words(given), without_words(wanted)
    if words and other_words and not (words <= other_words or other_words <= words):
        return True
    return _names_equation(words, value, other) or _names_equation(other_words, other, value)


def _names_equation(words: frozenset[str], body: Node, other: Node) -> bool:
    """Whether words announce an equation itself ("the circle x^2 + y^2 = 4") where the other side is a number."""
    return isinstance(body, Relation) and not _SHAPES.isdisjoint(words) and not symbols(other)


_SHAPES = frozenset(
    str.split(
        "circle line ellipse parabola hyperbola curve equation plane locus graph sphere asymptote asymptotes function"
    )
)


def condition_of(node: Node) -> tuple[Node, Node | None]:
    """A value and the condition it was given under: "12 when x = 3", "f(x) = 2x, x > 0"."""
    if isinstance(node, Piecewise) and len(node.rows) == 1 and len(node.rows[0]) == 2:
        return node.rows[0]
    if isinstance(node, Sequence) and not node.opening and node.joiner != "or" and _is_function_value(node.items[0]):
        value, *conditions = node.items
        if conditions and all(_is_domain(condition, symbols(value)) for condition in conditions):
            return value, conditions[0] if len(conditions) == 1 else Sequence(tuple(conditions))
    return node, None


def _is_function_value(node: Node) -> bool:
    """f(x) = 2x, y = 2x"""
    if not isinstance(node, Relation) or node.operators != ("=",):
        return False
    named = unlabel(node)
    return named.label is not None and bool(symbols(named.body))


def _is_domain(node: Node, names: set[str]) -> bool:
    """x > 0, x in R: what says where a function is defined."""
    return isinstance(node, Relation) and "=" not in node.operators and bool(symbols(node)) and symbols(node) <= names


def is_bare_value(node: Node) -> bool:
    """A number, perhaps with a unit: neither named nor with variables."""
    value = node.value if isinstance(node, Quantity) else node
    return isinstance(value, SCALAR_TYPES) and not symbols(value)


def value_of_equation(named: Named, *, any_side: bool) -> Named:
    """The right side of an equation, or chain, where a bare value is wanted: `a + b = 10`, `\\cos^2 x = 1/4`.

    `any_side`: whatever stands on the left; else only what can be asked for, such as a + b, and no equation to be
    solved, such as 2x + z. Nothing on the left is asked for where nothing is on the right: x^2 - 4 = 0.
    """
    node = named.body
    if not isinstance(node, Relation) or set(node.operators) != {"="}:
        return named
    first, last = node.sides[0], node.sides[-1]
    if not is_bare_value(last) or last == Number(Fraction(0)) or not _has_unknowns(first):
        return named
    return Named(first, last) if any_side or _is_combination(first) else named


def _has_unknowns(node: Node) -> bool:
    return bool(symbols(node)) or any(isinstance(part, Call) and len(part.name) == 1 for part in walk(node))


def _is_combination(node: Node) -> bool:
    """a + b, ab, x^2 + y^2, a/b: several names, none with a coefficient."""
    if len(symbols(node)) < 2:
        return False
    return not any(isinstance(part, Product) and any(map(_is_coefficient, part.factors)) for part in walk(node))


def _is_coefficient(node: Node) -> bool:
    return isinstance(node, Number) and abs(node.value) != 1


def is_solved(node: Relation) -> bool:
    """x = 4, with nothing left to be solved."""
    if node.operators != ("=",):
        return False
    first, last = node.sides
    return (isinstance(first, Symbol) and not symbols(last)) or (isinstance(last, Symbol) and not symbols(first))


def by_coordinate(named: Named) -> dict[Node, Node] | None:
    """{x: 1, y: 2} of (x, y) = (1, 2)"""
    if not isinstance(named.label, Sequence) or not isinstance(named.body, Sequence):
        return None
    return dict(zip(named.label.items, named.body.items, strict=False))


def _is_calculation(node: Relation) -> bool:
    """`4 * 4 * 4 * 4 = 256`: something to be worked out, no contradiction, and with variables an identity."""
    if len(node.sides) == 2 and all(isinstance(side, Number) and not side.divided for side in node.sides):
        return False
    if not all(isinstance(side, (*SCALAR_TYPES, Quantity)) for side in node.sides):
        return False
    last = node.sides[-1]
    if isinstance(last, Quantity) and last.unit != "%":
        last = last.value
    if any(approx.value_of(side) is None for side in node.sides):
        return exact.proved_equal(node.sides[-2], last) is True
    return not any(approx.differ(side, last) for side in node.sides[:-1])


def _names(label: Node) -> set[str]:
    """The names a label defines: of f(x) only f, which is no variable."""
    return symbols(label) if isinstance(label, Symbol | Sequence) else set()


# -- what can be a name -----------------------------------------------------------------------------------------------
def is_label(node: Node) -> bool:
    """Whether a left side names its right side by its structure: x, f(x), AB, dy/dx, P(X > 2), (x, y), A : B."""
    kind = _LABELS.get(type(node))
    return kind is not None and kind(node)


def _is_call(node: Call) -> bool:
    """f(x), f(2), and a known function of something unknown: the cosine of 2x, the floor of 100x."""
    if _is_function_name(node.name):
        return all(isinstance(argument, Symbol | Number) or is_label(argument) for argument in node.arguments)
    return node.name != "root" and bool(symbols(node))


def _is_power(node: Power) -> bool:
    """cos^2 x"""
    return isinstance(node.base, Call) and isinstance(node.exponent, Number) and is_label(node.base)


def _is_product(node: Product) -> bool:
    if _is_derivative(node):
        return True
    if node.factors[0] in _MEASURES and len(node.factors) == 2 and symbols(node.factors[1]):
        return True  # P(X > 2), P(A | B), E(X)
    return len(node.factors) <= 4 and all(_is_factor(factor, index) for index, factor in enumerate(node.factors))


def _is_derivative(node: Product) -> bool:
    """dy/dx"""
    if len(node.factors) != 2 or not all("d" in symbols(factor) for factor in node.factors):
        return False
    return all(isinstance(part, Symbol | Product | Power | Number) for part in walk(node))


def _is_factor(node: Node, index: int) -> bool:
    if isinstance(node, Symbol) or _is_segment(node.base if isinstance(node, Power) else node):
        return True
    return (isinstance(node, Sequence) and is_label(node)) or (isinstance(node, Number) and index > 0)  # p(8)


def _is_segment(node: Node) -> bool:
    """AB, and A alone: the letters of points."""
    ends = node.factors if isinstance(node, Product) else (node,)
    return all(isinstance(end, Symbol) and end.name.isupper() for end in ends)


def _is_list_of_names(node: Sequence) -> bool:
    return bool(node.items) and all(isinstance(item, Symbol | Call) and is_label(item) for item in node.items)


_MEASURES = frozenset({Symbol("P"), Symbol("E"), Symbol("D")})
_LABELS: dict[type, Callable[[Any], bool]] = {
    Symbol: lambda node: True,
    Call: _is_call,
    Power: _is_power,
    Product: _is_product,
    Sequence: _is_list_of_names,
    SetOperation: lambda node: is_label(node.left) and is_label(node.right),
    Ratio: lambda node: all(map(is_label, node.parts)),
}


def _is_function_name(name: str) -> bool:
    return len(name.rstrip("'")) == 1 or name.endswith("^-1")


def may_agree(left: Node, right: Node, body: Node) -> bool:
    """Whether two labels can name the same thing: `x = 5` and `y = 5` differ, `f(x) = 2x` and `y = 2x` do not.

    What has variables may go by any name, save that a function is not its derivative; a constant goes by one name.
    """
    if left == right or _is_quotient(left) or _is_quotient(right):
        return True
    if _primes(left) != _primes(right) or _is_inverse(left) != _is_inverse(right):
        return False
    if symbols(body) or (isinstance(left, Sequence) and isinstance(right, Sequence)):
        return True
    stem, index = _indexed(left)
    other_stem, other_index = _indexed(right)
    if stem and stem == other_stem:
        return not (index and other_index) or index == other_index  # x, and one x of several
    return _spelled(left) == _spelled(right) or _is_value_of(left, right) or _is_value_of(right, left)


def _indexed(label: Node) -> tuple[str, str]:
    """x and 1 of x_1"""
    stem, _, index = label.name.partition("_") if isinstance(label, Symbol) else ("", "", "")
    return stem, index


def _is_quotient(label: Node) -> bool:
    """dy/dx, which y' names, too."""
    powers = isinstance(label, Product) and any(isinstance(factor, Power) for factor in label.factors)
    return powers and "d" in symbols(label)


def _is_inverse(label: Node) -> bool:
    return isinstance(label, Call) and label.name.endswith("^-1")


def _primes(label: Node) -> int:
    name = label.name if isinstance(label, Symbol | Call) else ""
    return name.count("'")


def _spelled(label: Node) -> str:
    """The name of a constant; segments and their lengths in any order of the ends."""
    if isinstance(label, Call) and label.name in ("abs", "conjugate"):
        return _spelled(label.arguments[0])
    if isinstance(label, Symbol):
        return label.name.removeprefix("vector ").lower()
    if isinstance(label, Product) and all(isinstance(factor, Symbol) for factor in label.factors):
        return "".join(sorted(_spelled(factor) for factor in label.factors))
    return repr(label).lower()


def _is_value_of(function: Node, name: Node) -> bool:
    """f(x) = 5 and y = 5 say the same."""
    return isinstance(function, Call) and isinstance(name, Symbol) and _function_variable(function) is not None


def align_variable(left: Named, right: Named) -> tuple[Node, Node]:
    """The two values, with the variables of a function such as f(m) = 2m renamed to those of the other."""
    body = left.body
    several, others = _variables(left.label), _variables(right.label)
    if len(several) > 1 and len(several) == len(others):
        for index, old in enumerate(several):
            body = rewrite(body, Symbol(old), Symbol(f"argument {index}"))  # y may become x while x becomes y
        for index, new in enumerate(others):
            body = rewrite(body, Symbol(f"argument {index}"), Symbol(new))
    first, second = _function_variable(left.label), _function_variable(right.label)
    if not first or not second:
        return body, right.body
    if first != second:
        body = rewrite(body, Symbol(second), Symbol(f"another {second}"))  # f(c) = cx is no f(x) = cx
        body = rewrite(body, Symbol(first), Symbol(second))
    return _with_constant_of(body, right.body), right.body


def _with_constant_of(body: Node, other: Node) -> Node:
    """f(x) = cx with the arbitrary constant of f(x) = kx"""
    mine, others = symbols(body) - symbols(other), symbols(other) - symbols(body)
    if len(mine) == len(others) == 1 and (mine | others) <= _ARBITRARY:
        return rewrite(body, Symbol(mine.pop()), Symbol(others.pop()))
    return body


_ARBITRARY = frozenset({"c", "C", "k", "K", "a", "b", "m", "C_1", "c_1", "lambda", "alpha"})


def _variables(label: Node | None) -> list[str]:
    """x and y of f(x, y)"""
    arguments = label.arguments if isinstance(label, Call) else ()
    return [part.name for part in arguments if isinstance(part, Symbol)]


def _function_variable(label: Node | None) -> str | None:
    if isinstance(label, Call) and len(label.arguments) == 1 and isinstance(label.arguments[0], Symbol):
        return label.arguments[0].name
    if isinstance(label, Symbol) and re.fullmatch(r"[a-zA-Z]_[a-z]", label.name):
        return label.name[-1]  # a_n
    if isinstance(label, Product) and len(label.factors) == 2 and isinstance(label.factors[1], Symbol):
        return label.factors[1].name
    return None


def signed_variants(node: Node) -> list[Node]:
    r"""The values of an expression with plus-minus: signs are independent, unless a \mp ties them together."""
    found = [part for part in walk(node) if isinstance(part, PlusMinus)]
    if not found:
        return [node]
    if any(not part.upper for part in found):
        return [_signed(node, [sign] * len(found), tied=True) for sign in (1, -1)]
    if len(found) > MAX_SIGNS:
        return [node]
    choices = itertools.product((1, -1), repeat=len(found))
    return [_signed(node, list(signs[::-1]), tied=False) for signs in choices]


def _signed(node: Node, signs: list[int], *, tied: bool) -> Node:
    remaining = list(signs)

    def visit(part: Node) -> Node:
        if isinstance(part, PlusMinus):
            sign = remaining.pop(0) if not tied else signs[0]
            inner = visit(part.value)
            return inner if (sign > 0) == (part.upper or not tied) else negative(inner)
        return with_children(part, visit) if isinstance(part, _SIGNED) else part

    return visit(node)


_SIGNED = (Sum, Product, Quantity, Sequence, Relation, Call)
"""What a plus-minus may stand in and still be written out."""
