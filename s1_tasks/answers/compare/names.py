"""`x = 5` is 5 called x: taking names off answers, and whether two names can mean the same."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

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
    negative,
    rewrite,
    symbols,
    walk,
)

MAX_SIGNS = 5


@dataclass(frozen=True, slots=True)
class Named:
    """A value and what it was called (None: nothing)."""

    label: Node | None
    body: Node


def unlabel(node: Node) -> Named:
    r"""The value of `x = v`, `v = x`, `x \in S`, `a = b = v`; other nodes as they are."""
    if isinstance(node, Product) and len(node.factors) == 2:
        name, place = node.factors
        if isinstance(name, Symbol) and name.name.isupper() and isinstance(place, Sequence) and place.opening == "(":
            return Named(name, place)  # the point A(1, 2)
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
    if _is_calculation(node):
        return Named(None, last)
    return Named(None, node)


def without_words(node: Node) -> tuple[frozenset[str], Node]:
    """The words that name a value in prose, and the value: "the least area is 5", and 5."""
    if isinstance(node, Relation) and isinstance(node.sides[0], Symbol) and node.sides[0].name.startswith(WORD_LABEL):
        return frozenset(node.sides[0].name.removeprefix(WORD_LABEL).split()), node.sides[1]
    return frozenset(), node


def names_equation(words: frozenset[str]) -> bool:
    """Whether words announce an equation itself ("the circle x^2 + y^2 = 4"), not the value on its right."""
    return not _SHAPES.isdisjoint(words)


_SHAPES = frozenset(
    str.split(
        "circle line ellipse parabola hyperbola curve equation plane locus graph sphere asymptote asymptotes function"
    )
)


def condition_of(node: Node) -> tuple[Node, Node | None]:
    """A value and the condition it was given under: "12 when x = 3"."""
    if isinstance(node, Piecewise) and len(node.rows) == 1 and len(node.rows[0]) == 2:
        return node.rows[0]
    return node, None


def value_of_combination(named: Named) -> Named:
    """`a + b = 10` where the question asks for a + b; the caller knows that a number is wanted."""
    node = named.body
    if not isinstance(node, Relation) or node.operators != ("=",):
        return named
    first, last = node.sides
    if len(symbols(first)) < 2 or symbols(last) or isinstance(last, Sequence) or last == Number(Fraction(0)):
        return named
    return Named(first, last)


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
        steps = node.sides[1:-1] if len(node.sides) > 2 else node.sides[:1]
        return all(exact.proved_equal(side, last) is True for side in steps[-1:])
    return not any(approx.differ(side, last) for side in node.sides[:-1])


def _names(label: Node) -> set[str]:
    """The names a label defines: of f(x) only f, which is no variable."""
    return symbols(label) if isinstance(label, Symbol | Sequence) else set()


def is_label(node: Node) -> bool:
    if isinstance(node, Symbol):
        return True
    if isinstance(node, Call):
        return node.name[:1].isalpha() and (_is_function_name(node.name) or node.name in _LABELLING) and all(
            isinstance(argument, Symbol | Number) or is_label(argument) for argument in node.arguments
        )  # fmt: skip
    if isinstance(node, Product):
        if len(node.factors) == 2 and all("d" in symbols(factor) for factor in node.factors):
            return all(isinstance(part, Symbol | Product | Power | Number) for part in walk(node))  # dy/dx
        if node.factors[0] in _MEASURES and len(node.factors) == 2 and symbols(node.factors[1]):
            return True  # P(X > 2), P(A | B), E(X)
        return len(node.factors) <= 4 and all(
            isinstance(factor, Symbol)
            or _is_segment(factor.base if isinstance(factor, Power) else factor)
            or (isinstance(factor, Sequence) and is_label(factor))
            or (isinstance(factor, Number) and index > 0)  # p(8)
            for index, factor in enumerate(node.factors)
        )
    if isinstance(node, Sequence):
        return bool(node.items) and all(isinstance(item, Symbol | Call) and is_label(item) for item in node.items)
    if isinstance(node, SetOperation):
        return is_label(node.left) and is_label(node.right)
    return isinstance(node, Ratio) and all(is_label(part) for part in node.parts)


_MEASURES = frozenset({Symbol("P"), Symbol("E"), Symbol("D")})


def _is_segment(node: Node) -> bool:
    """AB, and A alone: the letters of points."""
    ends = node.factors if isinstance(node, Product) else (node,)
    return all(isinstance(end, Symbol) and end.name.isupper() for end in ends)


_LABELLING = frozenset({"conjugate", "abs", "det", "sin", "cos", "tan", "cot", "sec", "csc", "Re", "Im", "arg", "ln"})


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
    if isinstance(left, Symbol) and isinstance(right, Symbol) and left.name.split("_")[0] == right.name.split("_")[0]:
        return "_" not in left.name or "_" not in right.name or left.name == right.name  # x, and one x of several
    return _spelled(left) == _spelled(right) or _is_value_of(left, right) or _is_value_of(right, left)


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
    """Bodies with the variable of f(m) = 2m + 1 renamed to that of f(n) = 2n + 1."""
    first, second = _function_variable(left.label), _function_variable(right.label)
    body = left.body
    several, others = _variables(left.label), _variables(right.label)
    if len(several) == len(others) > 1 and not (symbols(body) - set(several)) & set(others):
        for index, old in enumerate(several):
            body = rewrite(body, Symbol(old), Symbol(f"argument {index}"))  # y may become x while x becomes y
        for index, new in enumerate(others):
            body = rewrite(body, Symbol(f"argument {index}"), Symbol(new))
    if first and second and first != second:
        body = rewrite(body, Symbol(second), Symbol(f"another {second}"))  # f(c) = cx is no f(x) = cx
        body = rewrite(body, Symbol(first), Symbol(second))
    if first and second:
        # an arbitrary constant: f(x) = cx and f(x) = kx
        only_left, only_right = symbols(body) - symbols(right.body), symbols(right.body) - symbols(body)
        if len(only_left) == len(only_right) == 1 and (only_left | only_right) <= _ARBITRARY:
            body = rewrite(body, Symbol(only_left.pop()), Symbol(only_right.pop()))
    return body, right.body


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
    return [
        _signed(node, [1 if choice >> index & 1 == 0 else -1 for index in range(len(found))], tied=False)
        for choice in range(2 ** len(found))
    ]


def _signed(node: Node, signs: list[int], *, tied: bool) -> Node:
    remaining = list(signs)

    def visit(part: Node) -> Node:
        if isinstance(part, PlusMinus):
            sign = remaining.pop(0) if not tied else signs[0]
            inner = visit(part.value)
            return inner if (sign > 0) == (part.upper or not tied) else negative(inner)
        if isinstance(part, Sum):
            return Sum(tuple(visit(term) for term in part.terms))
        if isinstance(part, Product):
            return Product(tuple(visit(factor) for factor in part.factors))
        if isinstance(part, Quantity):
            return Quantity(visit(part.value), part.unit)
        if isinstance(part, Sequence):
            return Sequence(tuple(visit(item) for item in part.items), part.opening, part.closing, part.joiner)
        if isinstance(part, Relation):
            return Relation(part.operators, tuple(visit(side) for side in part.sides))
        if isinstance(part, Call):
            return Call(part.name, tuple(visit(argument) for argument in part.arguments))
        return part

    return visit(node)
