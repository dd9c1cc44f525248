"""Two answers of any kind: the same, different, or not decided without computer algebra.

Kinds that can state the same thing are brought to one form first: `x = 5` and 5; plus-minus and the written-out list;
inequalities, set-builders and intervals; vectors in any brackets; 5 and {5}. What stays of different kinds differs.
Lists and sets are unordered (and keep repetitions), points and vectors are ordered.
"""

from __future__ import annotations

from collections.abc import Callable

from s1_tasks.answers.algebra import pieces
from s1_tasks.answers.algebra.scalars import Scalars, Truth, both, either
from s1_tasks.answers.compare import real_sets as realsets
from s1_tasks.answers.compare.arbitrary_constants import same_up_to_constants
from s1_tasks.answers.compare.assignments import labelled_point
from s1_tasks.answers.compare.collections import (
    all_unlabelled,
    any_plus_minus,
    distinct_labels,
    elements_of,
    has_bare_items,
    is_collection,
    is_half_open,
    is_tuple,
    items_of,
    joined_alike,
    same_digits,
    set_variable,
    unit_vector_components,
)
from s1_tasks.answers.compare.equations import PartComparer
from s1_tasks.answers.compare.families import same_family
from s1_tasks.answers.compare.names import (
    Named,
    align_variable,
    condition_of,
    may_agree,
    names_equation,
    signed_variants,
    unlabel,
    value_of_combination,
    without_words,
)
from s1_tasks.answers.tree.matrices import holds_matrix
from s1_tasks.answers.tree.nodes import (
    SCALAR_TYPES,
    Based,
    Builder,
    NamedSet,
    Node,
    Piecewise,
    Ratio,
    Relation,
    Sequence,
    SetOperation,
    Symbol,
    Words,
    symbols,
)

MAX_ITEMS = 200


def _no_solver(relation: Relation, name: str) -> list[pieces.Piece]:
    raise realsets.NeedsSolving


def _is_statement(node: Node) -> bool:
    """A letter of logic, or an equation in several variables: what is joined, and not listed, by "and" and "or"."""
    return isinstance(node, Symbol) or (len(symbols(node)) > 1 and unlabel(node) == Named(None, node))


class Comparer(PartComparer):
    """Compares trees; `decide` compares plain expressions, `solver` solves inequalities (by default: undecided)."""

    def __init__(
        self,
        decide: Callable[[Node, Node], Truth],
        *,
        symmetric: bool = False,
        solver: realsets.Solver = _no_solver,
    ) -> None:
        super().__init__(decide)
        self._symmetric = symmetric
        self._scalars = Scalars(decide, symmetric=symmetric)
        self._solver = solver

    def same_readings(self, given: tuple[Node, ...], wanted: tuple[Node, ...]) -> Truth:
        """Whether any reading of one text agrees with any of the other."""
        truth: Truth = False
        for one in given:
            for other in wanted:
                result = self.same(one, other)
                if result is True:
                    return True
                truth = either(truth, result)
        return truth

    def same(self, given: Node, wanted: Node) -> Truth:
        """Whether two answers agree; `given` is the model's, `wanted` the reference."""
        if isinstance(given, Words) or isinstance(wanted, Words):
            return given == wanted and given != Words("")
        (given, condition), (wanted, other_condition) = condition_of(given), condition_of(wanted)
        if condition is not None and other_condition is not None and self.same(condition, other_condition) is False:
            return False
        (words, given), (other_words, wanted) = without_words(given), without_words(wanted)
        if words and other_words and not (words <= other_words or other_words <= words):
            return False
        for name, body, other in ((words, given, wanted), (other_words, wanted, given)):
            if names_equation(name) and isinstance(body, Relation) and not symbols(other):
                return False
        first, second = unlabel(given), unlabel(wanted)
        if first.label is None and isinstance(wanted, SCALAR_TYPES) and not symbols(wanted):
            first = value_of_combination(first)
        if self._symmetric and second.label is None and isinstance(given, SCALAR_TYPES) and not symbols(given):
            second = value_of_combination(second)
        if isinstance(first.label, Sequence):
            second = labelled_point(second.body) or second
        elif isinstance(second.label, Sequence):
            first = labelled_point(first.body) or first
        if first.label is not None and second.label is not None:
            if not may_agree(first.label, second.label, second.body):
                return False
            ordered = self._same_by_label(first, second)
            if ordered is not None:
                return ordered
        for named, bare in ((first, second), (second, first)):
            about = set_variable(bare.body) if named.label is not None and bare.label is None else None
            if named.label is not None and about is not None and not may_agree(named.label, about, named.body):
                return False  # x in (3, 5), 3 < y < 5
        one, other = align_variable(first, second)
        result = self._same_bodies(one, other)
        if result is not True and isinstance(given, Relation) and isinstance(wanted, Relation):
            result = either(result, self._same_relations(given, wanted))
        if result is not True and any_plus_minus(given, wanted):
            result = either(result, self._same_signed_equations(given, wanted))
        return result

    def _same_by_label(self, first: Named, second: Named) -> Truth:
        """(x, y) = (1, 2) against (y, x) = (2, 1)"""
        names, others = first.label, second.label
        if not isinstance(names, Sequence) or not isinstance(others, Sequence) or names == others:
            return None
        if not isinstance(first.body, Sequence) or not isinstance(second.body, Sequence):
            return None
        given = dict(zip(names.items, first.body.items, strict=False))
        wanted = dict(zip(others.items, second.body.items, strict=False))
        if set(given) != set(wanted):
            return None
        return both(*(self.same(given[name], wanted[name]) for name in wanted))

    def _same_bodies(self, given: Node, wanted: Node) -> Truth:
        if isinstance(given, Builder) or isinstance(wanted, Builder):
            given, wanted = self._written_out(given), self._written_out(wanted)
        if isinstance(given, Based) or isinstance(wanted, Based):
            return same_digits(given, wanted)
        if holds_matrix(given) or holds_matrix(wanted):
            return self._same_matrices(given, wanted)
        if isinstance(given, Piecewise) or isinstance(wanted, Piecewise):
            return self._same_pieces(given, wanted)
        if isinstance(given, Ratio) or isinstance(wanted, Ratio):
            return self._same_ratios(given, wanted)
        if realsets.looks_like_set(given) or realsets.looks_like_set(wanted):
            result = self._same_sets(given, wanted)
            listed = is_collection(given) and is_collection(wanted) and joined_alike(given, wanted)
            half_open = is_half_open(given) or is_half_open(wanted)  # [2, 3) is no list of 2 and 3
            if result is not False or half_open or not listed:
                return result
        if isinstance(given, Relation) and isinstance(wanted, Relation):
            return self._same_relations(given, wanted)
        if is_collection(given) or is_collection(wanted):
            return self._same_collections(given, wanted)
        if isinstance(given, Relation | SetOperation | Builder | NamedSet) or isinstance(
            wanted, Relation | SetOperation | Builder | NamedSet
        ):
            return False
        return self._scalar(given, wanted)

    def _scalar(self, given: Node, wanted: Node) -> Truth:
        result = self._scalars.same(given, wanted)
        if result is True:
            return True
        return either(
            result, same_family(given, wanted, self._decide), same_up_to_constants(given, wanted, self._decide)
        )

    # -- collections ----------------------------------------------------------------------------------------------
    def _same_collections(self, given: Node, wanted: Node) -> Truth:
        if is_tuple(given) and is_tuple(wanted):
            return self._same_tuples(given, wanted)
        if not joined_alike(given, wanted) and all(map(_is_statement, items_of(given) + items_of(wanted))):
            return False  # p and q, p or q
        if is_tuple(given) and has_bare_items(wanted):
            return self._in_order(items_of(given), items_of(wanted))
        if is_tuple(wanted) and has_bare_items(given):
            return self._in_order(items_of(given), items_of(wanted))
        one_tuple = is_tuple(given) != is_tuple(wanted) and isinstance(given, Sequence) and isinstance(wanted, Sequence)
        nested = any(is_tuple(item) for side in (given, wanted) for item in items_of(side))
        if one_tuple and not nested and not any_plus_minus(given, wanted):
            return False
        for one, other in ((given, wanted), (wanted, given)):
            components = unit_vector_components(one, other)
            if components is not None:
                return self._in_order(components, items_of(other))
        first, second = elements_of(given), elements_of(wanted)
        if len(first) != len(second):
            first, second = self._written_once(given, first), self._written_once(wanted, second)
        if len(first) != len(second) or len(first) > MAX_ITEMS:
            return False
        if first == [given] and second == [wanted]:
            return given == wanted  # nothing to take apart
        named, others = [unlabel(item) for item in first], [unlabel(item) for item in second]
        if distinct_labels(named) and distinct_labels(others):
            if not joined_alike(given, wanted):
                return False  # x = 1 and y = 2, x = 1 or y = 2
            by_label = {other.label: other for other in others}
            if set(by_label) == {name.label for name in named}:
                return both(*(self.same(name.body, by_label[name.label].body) for name in named))
        if distinct_labels(named) != distinct_labels(others) and (all_unlabelled(named) or all_unlabelled(others)):
            return self._in_order([name.body for name in named], [other.body for other in others])
        return self._in_any_order(first, second)

    def _written_once(self, node: Node, elements: list[Node]) -> list[Node]:
        """`9/2 or 4.5` is one value, written twice."""
        twice = isinstance(node, Sequence) and node.joiner == "or" and len(elements) == 2
        return elements[:1] if twice and self._scalar(*elements) is True else elements

    def _same_tuples(self, given: Node, wanted: Node) -> Truth:
        if not isinstance(given, Sequence) or not isinstance(wanted, Sequence):
            return False
        brackets = {(given.opening, given.closing), (wanted.opening, wanted.closing)}
        if len(brackets) == 2 and len(given.items) == 2 and not any(opening == "<" for opening, _ in brackets):
            return False  # an open interval is no closed one
        first, second = signed_variants(given), signed_variants(wanted)
        if len(first) != len(second):
            return False
        if len(first) > 1:
            return self._in_any_order(first, second)
        return self._in_order(list(given.items), list(wanted.items))

    # -- other kinds ----------------------------------------------------------------------------------------------
    def _same_sets(self, given: Node, wanted: Node) -> Truth:
        variables = [set_variable(side) for side in (given, wanted)]
        if all(variables) and variables[0] != variables[1]:
            return False
        try:
            unsolved = [side for side in (given, wanted) if self._pieces(side, _no_solver) is None]
            if unsolved and self._solver is _no_solver:
                return None
            first, second = self._pieces(given, self._solver), self._pieces(wanted, self._solver)
        except pieces.NotReal:
            return self._same_structure(given, wanted)
        if first is None or second is None:
            return None
        return pieces.same_pieces(first, second, self._scalars.same)

    def _written_out(self, node: Node) -> Node:
        try:
            return realsets.whole_numbers(node, self._solver)
        except (pieces.NotReal, realsets.NeedsSolving):
            return node

    @staticmethod
    def _pieces(node: Node, solver: realsets.Solver) -> list[pieces.Piece] | None:
        try:
            return realsets.real_set(node, solver)
        except realsets.NeedsSolving:
            return None

    def _same_structure(self, given: Node, wanted: Node) -> Truth:
        """Sets that are no pieces of the real line, such as { 2k | k in Z } or intervals between variables."""
        if isinstance(given, SetOperation) and isinstance(wanted, SetOperation) and given.operator == wanted.operator:
            straight = both(self.same(given.left, wanted.left), self.same(given.right, wanted.right))
            if straight is True or given.operator == "difference":
                return straight
            return either(straight, both(self.same(given.left, wanted.right), self.same(given.right, wanted.left)))
        if (
            isinstance(given, Builder)
            and isinstance(wanted, Builder)
            and len(given.conditions) == len(wanted.conditions)
        ):
            return both(
                self.same(given.element, wanted.element),
                *(self.same(one, other) for one, other in zip(given.conditions, wanted.conditions, strict=True)),
            )
        if isinstance(given, NamedSet) and isinstance(wanted, NamedSet):
            return given == wanted
        if isinstance(given, Relation) and isinstance(wanted, Relation):
            return self._same_relations(given, wanted)
        first, second = realsets.as_interval(given), realsets.as_interval(wanted)
        if first is not None and second is not None and first[2:] == second[2:]:
            return both(self._scalar(first[0], second[0]), self._scalar(first[1], second[1]))
        return False

    def _same_pieces(self, given: Node, wanted: Node) -> Truth:
        if not isinstance(given, Piecewise) or not isinstance(wanted, Piecewise):
            return False
        rows = [[Sequence(row, "(", ")") for row in side.rows] for side in (given, wanted)]
        if len(rows[0]) != len(rows[1]):
            return False
        return self._in_any_order(list(rows[0]), list(rows[1]))
