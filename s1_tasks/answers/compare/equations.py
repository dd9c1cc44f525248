"""Equations, inequalities, ratios and matrices: what is compared side by side, part by part or up to a factor."""

from __future__ import annotations

from collections.abc import Callable

from s1_tasks.answers.algebra.scalars import Truth, both, difference, either, proportional
from s1_tasks.answers.compare.collections import is_collection, items_of, matrix_rows, unit_vector_components
from s1_tasks.answers.compare.names import signed_variants
from s1_tasks.answers.tree.matrices import holds_matrix
from s1_tasks.answers.tree.nodes import (
    Node,
    Number,
    Power,
    Product,
    Quantity,
    Ratio,
    Relation,
    Sequence,
    integer,
    symbols,
    walk,
)

_MIRRORED = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "=": "=", "!=": "!=", "~": "~", "similar": "similar",
             "congruent": "congruent"}  # fmt: skip
_SCALED = frozenset({"<", ">", "<=", ">=", "=", "!="})


class PartComparer:
    """Compares node by node with the `same` of the class that inherits from it."""

    def __init__(self, decide: Callable[[Node, Node], Truth]) -> None:
        self._decide = decide

    def same(self, given: Node, wanted: Node) -> Truth:
        raise NotImplementedError

    def _in_order(self, given: list[Node], wanted: list[Node]) -> Truth:
        if len(given) != len(wanted):
            return False
        truth: Truth = True
        for one, other in zip(given, wanted, strict=True):
            truth = both(truth, self.same(one, other))
            if truth is False:
                return False
        return truth

    def _in_any_order(self, given: list[Node], wanted: list[Node]) -> Truth:
        """A one-to-one matching; agreement is taken to be transitive, so the first match is as good as any."""
        left = list(given)
        open_question = False
        for other in wanted:
            undecided = False
            for index, one in enumerate(left):
                result = self.same(one, other)
                if result is True:
                    del left[index]
                    break
                undecided = undecided or result is None
            else:
                if not undecided:
                    return False
                open_question = True
        return None if open_question else True

    def _same_relations(self, given: Relation, wanted: Relation) -> Truth:
        if len(given.operators) != len(wanted.operators):
            return False
        if len(given.operators) > 1 and {*given.operators, *wanted.operators} == {"="}:
            return self._in_any_order(list(given.sides), list(wanted.sides))
        mirrored = tuple(_MIRRORED.get(operator, "") for operator in reversed(given.operators))
        truth: Truth = False
        if given.operators == wanted.operators:
            truth = self._in_order(list(given.sides), list(wanted.sides))
        if truth is not True and mirrored == wanted.operators:
            truth = either(truth, self._in_order(list(reversed(given.sides)), list(wanted.sides)))
        if (
            truth is True
            or len(given.operators) > 1
            or any(is_collection(side) for side in (*given.sides, *wanted.sides))
            or any(isinstance(part, Quantity) for side in (given, wanted) for part in walk(side))  # units do not cancel
        ):
            return truth
        given_sign = 1 if given.operators == wanted.operators else -1 if mirrored == wanted.operators else 0
        if not given_sign or given.operators[0] not in _SCALED:
            return truth
        names = symbols(given) | symbols(wanted)
        if not names or symbols(given) != symbols(wanted):
            return truth
        same, sign = proportional(difference(*given.sides), difference(*wanted.sides), names, self._decide)
        if given.operators[0] in ("=", "!=") or sign == given_sign:
            return either(truth, same)
        return truth

    def _same_signed_equations(self, given: Node, wanted: Node) -> Truth:
        """`y = \\pm 2x` against `2x \\pm y = 0`, or against both equations"""
        first, second = (
            [variant for item in items_of(side) for variant in signed_variants(item)] for side in (given, wanted)
        )
        if len(first) != len(second) or [given, wanted] in ([*first, *second], [*second, *first]):
            return False
        if not all(isinstance(variant, Relation) for variant in (*first, *second)):
            return False
        return self._in_any_order(first, second)

    def _same_matrices(self, given: Node, wanted: Node) -> Truth:
        first, second = matrix_rows(given), matrix_rows(wanted)
        for one, rows in ((given, second), (wanted, first)):
            vector = _vector_of(rows) if not holds_matrix(one) else None
            components = unit_vector_components(one, vector) if vector is not None else None
            if components is not None and vector is not None:
                return self._in_order(components, items_of(vector))
        if first is None or second is None:
            return given == wanted
        if len(first) != len(second) and 1 in (len(first), len(first[0])) and 1 in (len(second), len(second[0])):
            first, second = [[cell for row in first for cell in row]], [[cell for row in second for cell in row]]
        if [len(row) for row in first] != [len(row) for row in second]:
            return False
        return both(*(self._in_order(one, other) for one, other in zip(first, second, strict=True)))

    def _same_ratios(self, given: Node, wanted: Node) -> Truth:
        first, second = (side.parts if isinstance(side, Ratio) else None for side in (given, wanted))
        if first is None or second is None:
            parts = first or second or ()
            if len(parts) != 2 or (isinstance(parts[1], Number) and not parts[1].value):
                return False
            if any(isinstance(part, Quantity) for part in parts):
                return False  # 10:30 a.m. is no third
            quotient = Product((parts[0], Power(parts[1], integer(-1))))
            return self.same(quotient, wanted) if first else self.same(given, quotient)
        straight = self._in_order(list(first), list(second))
        parts = (*first, *second)
        if (
            straight is True
            or len(first) != len(second)
            or any(part == integer(0) or isinstance(part, Quantity) for part in parts)
        ):
            return straight
        crossed = [
            self._decide(Product((first[0], two)), Product((second[0], one)))
            for one, two in zip(first[1:], second[1:], strict=True)
        ]
        return either(straight, both(*crossed))


def _vector_of(rows: list[list[Node]] | None) -> Node | None:
    """A matrix of one row or column as a vector."""
    if rows is None or 1 not in (len(rows), len(rows[0])):
        return None
    return Sequence(tuple(cell for row in rows for cell in row), "<", ">")
