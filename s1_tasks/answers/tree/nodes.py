"""What an answer can be: small immutable trees, built by the parser and read by everything else.

A tree holds only what was written. Nothing is evaluated while it is built, so `9^{9^{9^9}}` costs four small objects.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from operator import attrgetter
from typing import Any, cast, get_args


class Unreadable(ValueError):
    """A text that is no answer in any notation known here; the message says where reading stopped."""


@dataclass(frozen=True, slots=True)
class Number:
    """A literal. `decimals`: digits after the point as written; None when there was no point.

    `significant`: significant digits as written (0 for whole numbers). `divided`: written as a fraction.
    """

    value: Fraction
    decimals: int | None = None
    significant: int = 0
    divided: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class Symbol:
    """A variable or another name."""

    name: str


@dataclass(frozen=True, slots=True)
class Constant:
    """pi, e, i, infinity, undefined."""

    name: str


@dataclass(frozen=True, slots=True)
class Sum:
    terms: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Product:
    factors: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Power:
    base: Node
    exponent: Node


@dataclass(frozen=True, slots=True)
class Call:
    """A function: a known one ("sin", "abs", "root", ...) or an unknown one such as f."""

    name: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class PlusMinus:
    """Plus or minus `value`; `upper` is False for minus-or-plus."""

    value: Node
    upper: bool = True


@dataclass(frozen=True, slots=True)
class Quantity:
    """A value with a stated unit in canonical spelling: "cm^2", "%", "degree", "dollar", "cups of flour"."""

    value: Node
    unit: str


@dataclass(frozen=True, slots=True)
class Based:
    """Digits with a base subscript; kept as written because leading digits carry meaning."""

    digits: str
    base: int
    negative: bool = False


@dataclass(frozen=True, slots=True)
class Sequence:
    """Items between brackets: "" (a bare list), "(" , "[" , "{" (a set), "<"; `joiner` is ",", "and" or "or"."""

    items: tuple[Node, ...]
    opening: str = ""
    closing: str = ""
    joiner: str = ","


@dataclass(frozen=True, slots=True)
class Matrix:
    rows: tuple[tuple[Node, ...], ...]


@dataclass(frozen=True, slots=True)
class Relation:
    """`sides[0] operators[0] sides[1] ...`

    Operators: = < > <= >= != ~ (approximately) similar congruent in notin subset.
    """

    operators: tuple[str, ...]
    sides: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class SetOperation:
    """`operator` is "union", "intersection" or "difference"."""

    operator: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Builder:
    """{ element | conditions }"""

    element: Node
    conditions: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Ratio:
    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Piecewise:
    """Rows of (value, condition) in the order written; one row is a value with the condition it was given under."""

    rows: tuple[tuple[Node, ...], ...]


@dataclass(frozen=True, slots=True)
class NamedSet:
    """reals, integers, naturals, rationals, complexes, positive integers, empty."""

    name: str


@dataclass(frozen=True, slots=True)
class Words:
    """An answer in prose, normalised for comparison."""

    text: str


Node = (
    Number
    | Symbol
    | Constant
    | Sum
    | Product
    | Power
    | Call
    | PlusMinus
    | Quantity
    | Based
    | Sequence
    | Matrix
    | Relation
    | SetOperation
    | Builder
    | Ratio
    | Piecewise
    | NamedSet
    | Words
)

_NODE_TYPES = frozenset(get_args(Node))

SCALAR_TYPES = (Number, Symbol, Constant, Sum, Product, Power, Call)
"""Node types that stand for one number or expression."""

ONE = Number(Fraction(1))
MINUS_ONE = Number(Fraction(-1))


WORD_LABEL = "words: "
"""How the name of a symbol begins that stands for words before a value: the name of that value."""


def integer(value: int) -> Number:
    return Number(Fraction(value))


def negative(node: Node) -> Node:
    """Minus `node`; a literal keeps what is known about its digits."""
    if isinstance(node, Number):
        return Number(-node.value, node.decimals, node.significant)
    if isinstance(node, Quantity):
        return Quantity(negative(node.value), node.unit)
    if isinstance(node, Based):
        return Based(node.digits, node.base, not node.negative)
    return Product((MINUS_ONE, node))


_PARTS: dict[type, Callable[[Any], tuple[Node, ...]]] = {
    Sum: attrgetter("terms"),
    Product: attrgetter("factors"),
    Power: attrgetter("base", "exponent"),
    Call: attrgetter("arguments"),
    PlusMinus: lambda node: (node.value,),
    Quantity: lambda node: (node.value,),
    Sequence: attrgetter("items"),
    Matrix: lambda node: sum(node.rows, ()),
    Relation: attrgetter("sides"),
    SetOperation: attrgetter("left", "right"),
    Builder: lambda node: (node.element, *node.conditions),
    Ratio: attrgetter("parts"),
    Piecewise: lambda node: sum(node.rows, ()),
}
"""The direct parts of a node; kinds that are not here have none."""


def walk(node: Node) -> Iterator[Node]:
    """The node and everything inside it."""
    stack = [node]
    while stack:
        current = stack.pop()
        yield current
        parts = _PARTS.get(type(current))
        if parts is not None:
            stack.extend(parts(current))


def symbols(node: Node) -> set[str]:
    """Names of the variables in a node (unknown functions not included)."""
    return {part.name for part in walk(node) if type(part) is Symbol}


def with_children(node: Node, change: Callable[[Node], Node]) -> Node:
    """A node of the same kind whose direct parts are those that `change` makes of the node's."""

    def changed(value: Any) -> Any:
        if type(value) in _NODE_TYPES:
            return change(value)
        return tuple(map(changed, value)) if isinstance(value, tuple) else value

    kind: Any = type(node)
    return cast(Node, kind(*(changed(getattr(node, name)) for name in kind.__slots__)))


def rewrite(node: Node, old: Node, new: Node) -> Node:
    """`node` with every part equal to `old` replaced."""
    return new if node == old else with_children(node, lambda part: rewrite(part, old, new))
