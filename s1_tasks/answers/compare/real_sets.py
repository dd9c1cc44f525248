"""Sets of real numbers as written (intervals, unions, inequalities, set-builders) -> `pieces` of the real line."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from s1_tasks.answers.algebra import approx, exact
from s1_tasks.answers.algebra.real_line import (
    NotReal,
    Piece,
    bound,
    compared_with,
    complement,
    intersection,
    named_pieces,
    point,
    union,
)
from s1_tasks.answers.algebra.single_values import infinity_sign
from s1_tasks.answers.compare.names import signed_variants
from s1_tasks.answers.tree.nodes import (
    SCALAR_TYPES,
    Builder,
    Call,
    NamedSet,
    Node,
    Number,
    Power,
    Product,
    Relation,
    Sequence,
    SetOperation,
    Sum,
    Symbol,
    integer,
    negative,
    rewrite,
    symbols,
    walk,
)

_FLIPPED = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "!=": "!=", "=": "="}
_SET_RELATIONS = (frozenset(_FLIPPED) - {"="}) | {"in", "notin"}


class NeedsSolving(Exception):
    """An inequality that takes more than linear rearrangement."""


Solver = Callable[[Relation, str], "list[Piece]"]


def looks_like_set(node: Node) -> bool:
    """Whether a node can only be read as a set of reals (a plain `(1, 2)` may be a point)."""
    if isinstance(node, SetOperation | Builder | NamedSet):
        return True
    if isinstance(node, Relation):
        return not _SET_RELATIONS.isdisjoint(node.operators)
    if not isinstance(node, Sequence):
        return False
    return _lists_sets(node) if node.opening == "" else _is_interval_only(node)


def _lists_sets(node: Sequence) -> bool:
    """`x > 1, x < 3`, or intervals only."""
    if any(isinstance(item, Relation) and looks_like_set(item) for item in node.items):
        return True
    return all(isinstance(item, Sequence) and looks_like_set(item) for item in node.items)


def _is_interval_only(node: Sequence) -> bool:
    """[1, 2) and (1, infinity), which are no points."""
    mixed = (node.opening, node.closing) in (("(", "]"), ("[", ")"))
    return len(node.items) == 2 and (mixed or any(infinity_sign(item) for item in node.items))


def as_interval(node: Node) -> tuple[Node, Node, bool, bool] | None:
    """(low, high, low closed, high closed) of an interval as written, also between variables: (a, b), a < x < b."""
    if isinstance(node, Sequence) and len(node.items) == 2 and node.opening in ("(", "["):
        return node.items[0], node.items[1], node.opening == "[", node.closing == "]"
    if not isinstance(node, Relation):
        return None
    return as_interval(node.sides[1]) if node.operators == ("in",) else _between(node)


def _between(node: Relation) -> tuple[Node, Node, bool, bool] | None:
    """a < x <= b, or b >= x > a"""
    sides, operators = list(node.sides), list(node.operators)
    if set(operators) <= {">", ">="}:
        sides, operators = sides[::-1], [_FLIPPED[operator] for operator in reversed(operators)]
    if len(sides) != 3 or not set(operators) <= {"<", "<="} or not _is_variable(sides[1]):
        return None
    return sides[0], sides[2], operators[0] == "<=", operators[1] == "<="


def real_set(node: Node, solver: Solver) -> list[Piece]:
    """The sorted, disjoint pieces of a set; raises NotReal or NeedsSolving."""
    read = _READ.get(type(node))
    if read is None:
        raise NotReal
    return read(node, solver)


def _operation(node: SetOperation, solver: Solver) -> list[Piece]:
    if node.operator == "union":
        parts: list[Node] = []
        rest: Node = node
        while isinstance(rest, SetOperation) and rest.operator == "union":  # written from the left, so nested there
            parts.append(rest.right)
            rest = rest.left
        return union(*(real_set(part, solver) for part in (rest, *parts)))
    left, right = real_set(node.left, solver), real_set(node.right, solver)
    return intersection(left, right if node.operator == "intersection" else complement(right))


def _builder(node: Builder, solver: Solver) -> list[Piece]:
    if not isinstance(node.element, Symbol | Relation):
        raise NotReal
    pieces = real_set(_together(node.conditions), solver)
    return intersection(pieces, real_set(node.element, solver)) if isinstance(node.element, Relation) else pieces


def _together(conditions: tuple[Node, ...]) -> Node:
    return Sequence(conditions) if len(conditions) > 1 else conditions[0]


def whole_numbers(node: Node, solver: Solver) -> Node:
    """{ x in Z | 1 <= x <= 3 } as {1, 2, 3}; other nodes, and sets without end, as they are.

    Natural numbers begin with 1 here, as in most answers that write N, unless the conditions name another beginning.
    """
    if not isinstance(node, Builder):
        return node
    members = [part for part in (node.element, *node.conditions) if _kind(part) in _FIRST]
    conditions = tuple(part for part in node.conditions if part not in members)
    if len(members) != 1 or not conditions or (node.element not in members and not isinstance(node.element, Symbol)):
        return node
    found: list[Node] = []
    for piece in real_set(_together(conditions), solver):
        inside = _whole_numbers_in(piece, _FIRST[_kind(members[0])])
        if inside is None:
            return node
        found += map(integer, inside)
    return Sequence(tuple(found), "{", "}") if found else NamedSet("empty")


def _whole_numbers_in(piece: Piece, first: float) -> list[int] | None:
    """The whole numbers from `first` on in a piece; None for too many."""
    low, high = max(first, piece.low.value), piece.high.value
    if math.isinf(low) or math.isinf(high) or high - low > MAX_WRITTEN_OUT:
        return None
    ends = {piece.low.value: piece.low.closed, high: piece.high.closed}
    return [number for number in range(math.ceil(low), math.floor(high) + 1) if ends.get(number, True)]


_FIRST = {"integers": -math.inf, "naturals": 1, "integers +": 1, "naturals +": 1, "naturals *": 1}
MAX_WRITTEN_OUT = 200


def _kind(node: Node) -> str:
    """The named set in `x in Z`."""
    if isinstance(node, Relation) and node.operators == ("in",) and isinstance(node.sides[1], NamedSet):
        return node.sides[1].name
    return ""


def _sequence(node: Sequence, solver: Solver) -> list[Piece]:
    if node.opening == "{":
        return union(*([point(item)] for item in node.items))
    if node.opening in ("(", "[") and len(node.items) == 2:
        low, high = node.items
        piece = Piece(bound(low, node.opening == "["), bound(high, node.closing == "]"))
        return [piece] if piece.low.value <= piece.high.value else _refuse()
    return _refuse() if node.opening else _joined(node, solver)


def _joined(node: Sequence, solver: Solver) -> list[Piece]:
    """Comparisons joined by "and", "or" or commas, about one variable."""
    items = _spelled_out(node.items)
    relations = [item for item in items if isinstance(item, Relation)]
    if len(set().union(*map(symbols, relations))) > 1:
        raise NotReal
    parts = [real_set(item, solver) for item in items]
    if node.joiner == "or" or len(relations) < len(items):
        return union(*parts)
    common = parts[0]
    for part in parts[1:]:
        common = intersection(common, part)
    return common or union(*parts)


def _spelled_out(items: tuple[Node, ...]) -> list[Node]:
    """x is not 0, 1: the 1 is excluded, too."""
    found = list(items)
    for index, item in enumerate(found[1:], 1):
        before = found[index - 1]
        if isinstance(before, Relation) and before.operators == ("!=",) and isinstance(item, SCALAR_TYPES):
            found[index] = Relation(("!=",), (before.sides[0], item))
    return found


def _refuse() -> list[Piece]:
    raise NotReal


def _relation(node: Relation, solver: Solver) -> list[Piece]:
    if node.operators == ("in",):
        return real_set(node.sides[1], solver)
    if node.operators == ("notin",):
        return complement(real_set(node.sides[1], solver))
    if len(node.operators) > 1 and len(symbols(node)) > 1:
        raise NotReal  # a < 0 < b
    pieces = named_pieces("reals")
    variants = signed_variants(node)
    if node.operators == ("!=",) and len(variants) > 1:  # x is not plus or minus 2
        for variant in variants:
            pieces = intersection(pieces, real_set(variant, solver))
        return pieces
    for index, operator in enumerate(node.operators):
        if operator not in _FLIPPED:
            raise NotReal
        pieces = intersection(pieces, _solve(node.sides[index], operator, node.sides[index + 1], solver))
    return pieces


def _solve(left: Node, operator: str, right: Node, solver: Solver) -> list[Piece]:
    """One comparison in one variable."""
    if not symbols(left):
        left, operator, right = right, _FLIPPED[operator], left
    if _is_variable(left) and not symbols(right):
        return compared_with(operator, bound(right, True))
    names = symbols(left) | symbols(right)
    if len(names) != 1 or any(isinstance(part, Call) and len(part.name) == 1 for part in (*walk(left), *walk(right))):
        raise NotReal
    if isinstance(left, Call) and left.name == "abs" and not symbols(right):
        return _absolute(left.arguments[0], operator, right, solver)
    name = next(iter(names))
    linear = _linear(left, right, name)
    if linear is None:
        return solver(Relation((operator,), (left, right)), name)
    slope, crossing = linear
    return compared_with(operator if slope > 0 else _FLIPPED[operator], bound(crossing, True))


def _is_variable(node: Node) -> bool:
    """A variable, or f(x): something that stands for the number in question."""
    return isinstance(node, Symbol) or (
        isinstance(node, Call) and len(node.name) == 1 and all(isinstance(part, Symbol) for part in node.arguments)
    )


def _absolute(inside: Node, operator: str, limit: Node, solver: Solver) -> list[Piece]:
    value = bound(limit, True)
    if value.value < 0 or operator == "=":
        raise NeedsSolving
    if operator in ("<", "<="):
        return intersection(
            _solve(inside, operator, limit, solver), _solve(inside, _FLIPPED[operator], negative(limit), solver)
        )
    if operator == "!=":
        return intersection(_solve(inside, "!=", limit, solver), _solve(inside, "!=", negative(limit), solver))
    return union(_solve(inside, operator, limit, solver), _solve(inside, _FLIPPED[operator], negative(limit), solver))


def _linear(left: Node, right: Node, name: str) -> tuple[float, Node] | None:
    """(slope, where left = right) for a comparison that is linear in `name`."""
    gap = Sum((left, negative(right) if isinstance(right, Number) else Product((integer(-1), right))))
    at = [rewrite(gap, Symbol(name), integer(value)) for value in (0, 1, 2)]
    zero, one, two = at
    second = Sum((two, Product((integer(-2), one)), zero))
    if exact.proved_equal(second, integer(0)) is not True:
        return None
    if not _is_polynomial(gap, name):
        return None
    slope_node = Sum((one, Product((integer(-1), zero))))
    slope = approx.value_of(slope_node)
    if slope is None or abs(slope.imag) > 0 or abs(slope) < 1e-12:
        return None
    rational = exact.rational(Product((integer(-1), zero, Power(slope_node, integer(-1)))))
    crossing: Node = (
        Number(rational) if rational is not None else Product((integer(-1), zero, Power(slope_node, integer(-1))))
    )
    return slope.real, crossing


def _is_polynomial(node: Node, name: str) -> bool:
    """Whether the variable occurs only in sums, products and as itself."""
    if isinstance(node, Sum):
        return all(_is_polynomial(term, name) for term in node.terms)
    if isinstance(node, Product):
        return sum(name in symbols(factor) for factor in node.factors) <= 1 and all(
            _is_polynomial(factor, name) for factor in node.factors
        )
    return isinstance(node, Symbol) or name not in symbols(node)


_READ: dict[type, Callable[[Any, Solver], list[Piece]]] = {
    NamedSet: lambda node, solver: named_pieces(node.name),
    SetOperation: _operation,
    Builder: _builder,
    Relation: _relation,
    Sequence: _sequence,
}
