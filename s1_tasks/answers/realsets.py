"""Sets of real numbers: intervals, unions, inequalities and set-builders as sorted pieces, and their comparison."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from s1_tasks.answers import approx, exact
from s1_tasks.answers.nodes import (
    Builder,
    Call,
    Constant,
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
from s1_tasks.answers.scalars import Truth, infinity_sign

_INFINITY = Constant("infinity")
_MINUS_INFINITY = Product((integer(-1), _INFINITY))
_FLIPPED = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "!=": "!=", "=": "="}
INEQUALITIES = frozenset(_FLIPPED) - {"="}


@dataclass(frozen=True, slots=True)
class Bound:
    """An end of a piece: the expression, its float value, and whether it belongs to the piece."""

    node: Node
    value: float
    closed: bool


@dataclass(frozen=True, slots=True)
class Piece:
    low: Bound
    high: Bound


class NotReal(Exception):
    """Not (recognisably) a set of real numbers."""


class NeedsSolving(Exception):
    """An inequality that takes more than linear rearrangement."""


Solver = Callable[[Relation, str], "list[Piece]"]


def looks_like_set(node: Node) -> bool:
    """Whether a node can only be read as a set of reals (a plain `(1, 2)` may be a point)."""
    if isinstance(node, SetOperation | Builder | NamedSet):
        return True
    if isinstance(node, Relation):
        return bool(INEQUALITIES & set(node.operators)) or "in" in node.operators or "notin" in node.operators
    if isinstance(node, Sequence):
        if node.opening == "":
            return any(looks_like_set(item) and isinstance(item, Relation) for item in node.items) or all(
                isinstance(item, Sequence) and looks_like_set(item) for item in node.items
            )
        mixed = (node.opening, node.closing) in (("(", "]"), ("[", ")"))
        return len(node.items) == 2 and (mixed or any(infinity_sign(item) for item in node.items))
    return False


def as_interval(node: Node) -> tuple[Node, Node, bool, bool] | None:
    """(low, high, low closed, high closed) of an interval as written, also between variables: (a, b), a < x < b."""
    if isinstance(node, Sequence) and len(node.items) == 2 and node.opening in ("(", "["):
        return node.items[0], node.items[1], node.opening == "[", node.closing == "]"
    if not isinstance(node, Relation):
        return None
    sides, operators = list(node.sides), list(node.operators)
    if operators == ["in"]:
        return as_interval(sides[1])
    if all(operator in (">", ">=") for operator in operators):
        sides, operators = sides[::-1], [_FLIPPED[operator] for operator in reversed(operators)]
    if not all(operator in ("<", "<=") for operator in operators):
        return None
    closed = [operator == "<=" for operator in operators]
    if len(sides) == 3 and _is_variable(sides[1]):
        return sides[0], sides[2], closed[0], closed[1]
    return None


def real_set(node: Node, solver: Solver) -> list[Piece]:
    """The sorted, disjoint pieces of a set; raises NotReal or NeedsSolving."""
    if isinstance(node, NamedSet):
        return _named(node.name)
    if isinstance(node, SetOperation):
        left, right = real_set(node.left, solver), real_set(node.right, solver)
        if node.operator == "union":
            return union(left, right)
        return intersection(left, right if node.operator == "intersection" else complement(right))
    if isinstance(node, Builder):
        if not isinstance(node.element, Symbol | Relation):
            raise NotReal
        pieces = real_set(Sequence(node.conditions) if len(node.conditions) > 1 else node.conditions[0], solver)
        if isinstance(node.element, Relation):
            pieces = intersection(pieces, real_set(node.element, solver))
        return pieces
    if isinstance(node, Relation):
        return _relation(node, solver)
    if isinstance(node, Sequence):
        return _sequence(node, solver)
    raise NotReal


def _named(name: str) -> list[Piece]:
    whole = Piece(Bound(_MINUS_INFINITY, -math.inf, False), Bound(_INFINITY, math.inf, False))
    zero = Bound(integer(0), 0.0, False)
    if name in ("reals", "empty"):
        return [whole] if name == "reals" else []
    if name == "reals +":
        return [Piece(zero, whole.high)]
    if name == "reals -":
        return [Piece(whole.low, zero)]
    raise NotReal


def _sequence(node: Sequence, solver: Solver) -> list[Piece]:
    if node.opening == "{":
        return union(*([point(item)] for item in node.items))
    if node.opening in ("(", "[") and len(node.items) == 2:
        low, high = node.items
        piece = Piece(bound(low, node.opening == "["), bound(high, node.closing == "]"))
        return [piece] if piece.low.value <= piece.high.value else _refuse()
    if node.opening:
        raise NotReal
    parts = [real_set(item, solver) for item in node.items]
    if node.joiner == "or" or not all(isinstance(item, Relation) for item in node.items):
        return union(*parts)
    common = parts[0]
    for part in parts[1:]:
        common = intersection(common, part)
    return common or union(*parts)


def _refuse() -> list[Piece]:
    raise NotReal


def bound(node: Node, closed: bool) -> Bound:
    sign = infinity_sign(node)
    if sign is not None:
        return Bound(node, sign * math.inf, False)
    value = approx.value_of(node)
    if value is None or abs(value.imag) > 1e-9:
        raise NotReal
    return Bound(node, value.real, closed)


def point(node: Node) -> Piece:
    end = bound(node, True)
    if math.isinf(end.value):
        raise NotReal
    return Piece(end, end)


def _close(left: float, right: float) -> bool:
    return left == right or math.isclose(left, right, rel_tol=1e-12)


def union(*sets: list[Piece]) -> list[Piece]:
    pieces = sorted((piece for pieces in sets for piece in pieces), key=lambda p: (p.low.value, not p.low.closed))
    merged: list[Piece] = []
    for piece in pieces:
        if merged and _connected(merged[-1].high, piece.low):
            merged[-1] = Piece(merged[-1].low, _further(merged[-1].high, piece.high))
        else:
            merged.append(piece)
    return merged


def _connected(high: Bound, low: Bound) -> bool:
    if _close(high.value, low.value):
        return high.closed or low.closed
    return low.value < high.value


def _further(left: Bound, right: Bound) -> Bound:
    if _close(left.value, right.value):
        return left if left.closed else right
    return left if left.value > right.value else right


def complement(pieces: list[Piece]) -> list[Piece]:
    gaps: list[Piece] = []
    low = Bound(_MINUS_INFINITY, -math.inf, False)
    for piece in union(pieces):
        if piece.low.value > -math.inf:
            gaps.append(Piece(low, Bound(piece.low.node, piece.low.value, not piece.low.closed)))
        low = Bound(piece.high.node, piece.high.value, not piece.high.closed)
        if math.isinf(piece.high.value):
            return [gap for gap in gaps if _nonempty(gap)]
    gaps.append(Piece(low, Bound(_INFINITY, math.inf, False)))
    return [gap for gap in gaps if _nonempty(gap)]


def _nonempty(piece: Piece) -> bool:
    if _close(piece.low.value, piece.high.value):
        return piece.low.closed and piece.high.closed
    return piece.low.value < piece.high.value


def intersection(left: list[Piece], right: list[Piece]) -> list[Piece]:
    found = []
    for first in left:
        for second in right:
            low = first.low if _inner(first.low, second.low, 1) else second.low
            high = first.high if _inner(first.high, second.high, -1) else second.high
            piece = Piece(low, high)
            if _nonempty(piece):
                found.append(piece)
    return union(found)


def _inner(left: Bound, right: Bound, side: int) -> bool:
    """Whether `left` cuts off at least as much as `right` (side 1: low ends, -1: high ends)."""
    if _close(left.value, right.value):
        return not left.closed
    return side * left.value > side * right.value


def _relation(node: Relation, solver: Solver) -> list[Piece]:
    if node.operators == ("in",):
        return real_set(node.sides[1], solver)
    if node.operators == ("notin",):
        return complement(real_set(node.sides[1], solver))
    pieces = _named("reals")
    for index, operator in enumerate(node.operators):
        if operator not in _FLIPPED:
            raise NotReal
        pieces = intersection(pieces, _solve(node.sides[index], operator, node.sides[index + 1], solver))
    return pieces


def _solve(left: Node, operator: str, right: Node, solver: Solver) -> list[Piece]:
    """One comparison in one variable."""
    if _is_variable(left) and not symbols(right):
        return _compare_with(operator, bound(right, True))
    if _is_variable(right) and not symbols(left):
        return _compare_with(_FLIPPED[operator], bound(left, True))
    names = symbols(left) | symbols(right)
    if len(names) != 1 or any(
        isinstance(part, Call) and len(part.name) == 1 for side in (left, right) for part in walk(side)
    ):
        raise NotReal
    if not symbols(left):
        left, operator, right = right, _FLIPPED[operator], left
    if isinstance(left, Call) and left.name == "abs" and not symbols(right):
        return _absolute(left.arguments[0], operator, right, solver)
    name = next(iter(names))
    linear = _linear(left, right, name)
    if linear is None:
        return solver(Relation((operator,), (left, right)), name)
    slope, crossing = linear
    return _compare_with(operator if slope > 0 else _FLIPPED[operator], bound(crossing, True))


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


def _compare_with(operator: str, end: Bound) -> list[Piece]:
    open_end = Bound(end.node, end.value, False)
    low, high = Bound(_MINUS_INFINITY, -math.inf, False), Bound(_INFINITY, math.inf, False)
    if operator == "<":
        return [Piece(low, open_end)]
    if operator == "<=":
        return [Piece(low, end)]
    if operator == ">":
        return [Piece(open_end, high)]
    if operator == ">=":
        return [Piece(end, high)]
    if operator == "=":
        return [Piece(end, end)]
    return [piece for piece in (Piece(low, open_end), Piece(open_end, high)) if _nonempty(piece)]


def same_pieces(left: list[Piece], right: list[Piece], same: Callable[[Node, Node], Truth]) -> Truth:
    """Whether two sets are equal: the same pieces with the same ends."""
    if len(left) != len(right):
        return False
    truth: Truth = True
    for first, second in zip(left, right, strict=True):
        for one, other in ((first.low, second.low), (first.high, second.high)):
            if one.closed != other.closed:
                return False
            result = same(one.node, other.node)
            if result is False:
                return False
            truth = None if result is None else truth
    return truth
