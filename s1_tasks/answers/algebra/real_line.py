"""Pieces of the real line: sorted, disjoint intervals and points, their algebra and their comparison."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from s1_tasks.answers.algebra import approx
from s1_tasks.answers.algebra.single_values import Truth, infinity_sign
from s1_tasks.answers.tree.nodes import Constant, Node, Product, integer

_INFINITY = Constant("infinity")
_MINUS_INFINITY = Product((integer(-1), _INFINITY))


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


def close(left: float, right: float) -> bool:
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
    if close(high.value, low.value):
        return high.closed or low.closed
    return low.value < high.value


def _further(left: Bound, right: Bound) -> Bound:
    if close(left.value, right.value):
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
            return [gap for gap in gaps if nonempty(gap)]
    gaps.append(Piece(low, Bound(_INFINITY, math.inf, False)))
    return [gap for gap in gaps if nonempty(gap)]


def nonempty(piece: Piece) -> bool:
    if close(piece.low.value, piece.high.value):
        return piece.low.closed and piece.high.closed
    return piece.low.value < piece.high.value


def intersection(left: list[Piece], right: list[Piece]) -> list[Piece]:
    found = []
    for first in left:
        for second in right:
            low = first.low if _inner(first.low, second.low, 1) else second.low
            high = first.high if _inner(first.high, second.high, -1) else second.high
            piece = Piece(low, high)
            if nonempty(piece):
                found.append(piece)
    return union(found)


def _inner(left: Bound, right: Bound, side: int) -> bool:
    """Whether `left` cuts off at least as much as `right` (side 1: low ends, -1: high ends)."""
    if close(left.value, right.value):
        return not left.closed
    return side * left.value > side * right.value


def compared_with(operator: str, end: Bound) -> list[Piece]:
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
    return [piece for piece in (Piece(low, open_end), Piece(open_end, high)) if nonempty(piece)]


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


def named_pieces(name: str) -> list[Piece]:
    whole = Piece(Bound(_MINUS_INFINITY, -math.inf, False), Bound(_INFINITY, math.inf, False))
    zero = Bound(integer(0), 0.0, False)
    if name in ("reals", "empty"):
        return [whole] if name == "reals" else []
    if name == "reals +":
        return [Piece(zero, whole.high)]
    if name == "reals -":
        return [Piece(whole.low, zero)]
    if name == "reals from 0":
        return [Piece(Bound(integer(0), 0.0, True), whole.high)]
    raise NotReal
