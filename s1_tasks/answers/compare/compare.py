"""Two answers of any kind: the same, different, or not decided without computer algebra.

Kinds that can state the same thing are brought to one form first: `x = 5` and 5; plus-minus and the written-out list;
inequalities, set-builders and intervals; vectors in any brackets; 5 and {5}. What stays of different kinds differs.
Lists and sets are unordered (and keep repetitions), points and vectors are ordered.
"""

from __future__ import annotations

from collections.abc import Callable

from s1_tasks.answers.algebra import real_line
from s1_tasks.answers.algebra.single_values import Scalars, Truth, both, difference, either, proportional
from s1_tasks.answers.compare import collections, families, names, real_sets
from s1_tasks.answers.compare.assignments import labelled_point
from s1_tasks.answers.compare.names import Named, signed_variants, unlabel
from s1_tasks.answers.tree.matrices import holds_matrix
from s1_tasks.answers.tree.nodes import (
    Based,
    Builder,
    NamedSet,
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
    Words,
    integer,
    symbols,
    walk,
)

MAX_ITEMS = 200
_MIRRORED = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "=": "=", "!=": "!=", "~": "~", "similar": "similar",
             "congruent": "congruent"}  # fmt: skip
_SCALED = frozenset({"<", ">", "<=", ">=", "=", "!="})
_OTHER_KINDS = (Relation, SetOperation, Builder, NamedSet)


def _no_solver(relation: Relation, name: str) -> list[real_line.Piece]:
    raise real_sets.NeedsSolving


class Comparer:
    """Compares trees; `decide` compares plain expressions, `solver` solves inequalities (by default: undecided).

    With `symmetric` neither side is the reference, so no rule may favour one.
    """

    def __init__(
        self,
        decide: Callable[[Node, Node], Truth],
        *,
        symmetric: bool = False,
        solver: real_sets.Solver = _no_solver,
    ) -> None:
        self._decide = decide
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
        if isinstance(given, Number) and isinstance(wanted, Number) and given.value == wanted.value:
            return True
        if isinstance(given, Words) or isinstance(wanted, Words):
            return names.same_words(given, wanted)
        given, condition = names.condition_of(families.solutions_of(given))
        wanted, other_condition = names.condition_of(families.solutions_of(wanted))
        if condition is not None and other_condition is not None and self.same(condition, other_condition) is False:
            return False
        if names.words_differ(given, wanted):
            return False
        return self._same_values(names.without_words(given)[1], names.without_words(wanted)[1])

    def _same_values(self, given: Node, wanted: Node) -> Truth:
        """The same for values without conditions and words."""
        first, second = self._named(given, wanted)
        by_name = self._same_by_name(first, second)
        if by_name is not None:
            return by_name
        result = self._same_bodies(*names.align_variable(first, second))
        if result is not True and isinstance(given, Relation) and isinstance(wanted, Relation):
            result = either(result, self._same_relations(given, wanted))
        if result is not True and collections.any_plus_minus(given, wanted):
            result = either(result, self._same_signed_equations(given, wanted))
        return result

    # -- names --------------------------------------------------------------------------------------------------------
    def _named(self, given: Node, wanted: Node) -> tuple[Named, Named]:
        """Both values and their names; where a bare value is wanted, an equation states its right side."""
        first, second = unlabel(given), unlabel(wanted)
        if first.label is None and names.is_bare_value(wanted):
            first = names.value_of_equation(first, any_side=not self._symmetric)
        if self._symmetric and second.label is None and names.is_bare_value(given):
            second = names.value_of_equation(second, any_side=False)
        if isinstance(first.label, Sequence):
            second = labelled_point(second.body) or second
        elif isinstance(second.label, Sequence):
            first = labelled_point(first.body) or first
        return first, second

    def _same_by_name(self, first: Named, second: Named) -> Truth:
        """False for values of different things, a verdict for points named in another order; None: compare values."""
        if first.label is not None and second.label is not None:
            if not names.may_agree(first.label, second.label, second.body):
                return False
            return self._same_by_label(first, second)
        for named, bare in ((first, second), (second, first)):
            about = collections.set_variable(bare.body) if named.label is not None and bare.label is None else None
            if named.label is not None and about is not None and not names.may_agree(named.label, about, named.body):
                return False  # x in (3, 5), 3 < y < 5
        return None

    def _same_by_label(self, first: Named, second: Named) -> Truth:
        """(x, y) = (1, 2) against (y, x) = (2, 1)"""
        given, wanted = names.by_coordinate(first), names.by_coordinate(second)
        if given is None or wanted is None or first.label == second.label or set(given) != set(wanted):
            return None
        return both(*(self.same(given[name], wanted[name]) for name in wanted))

    # -- values of one kind -------------------------------------------------------------------------------------------
    def _same_bodies(self, given: Node, wanted: Node) -> Truth:
        if isinstance(given, Builder) or isinstance(wanted, Builder):
            given, wanted = self._written_out(given), self._written_out(wanted)
        for is_kind, compare in _KINDS:
            if is_kind(given) or is_kind(wanted):
                return compare(self, given, wanted)
        if real_sets.looks_like_set(given) or real_sets.looks_like_set(wanted):
            result = self._same_sets(given, wanted)
            if result is not False or not collections.may_be_lists(given, wanted):
                return result
        return self._same_lists_or_values(given, wanted)

    def _same_lists_or_values(self, given: Node, wanted: Node) -> Truth:
        if isinstance(given, Relation) and isinstance(wanted, Relation):
            return self._same_relations(given, wanted)
        if collections.is_collection(given) or collections.is_collection(wanted):
            return self._same_collections(given, wanted)
        if isinstance(given, _OTHER_KINDS) or isinstance(wanted, _OTHER_KINDS):
            return False
        return self._scalar(given, wanted)

    def _scalar(self, given: Node, wanted: Node) -> Truth:
        result = self._scalars.same(given, wanted)
        if result is True:
            return True
        return either(result, families.same_up_to_parameters(given, wanted, self._decide))

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
        truth: Truth = True
        for other in wanted:
            found, undecided = self._match(left, other)
            if found is not None:
                del left[found]
            elif undecided:
                truth = None
            else:
                return False
        return truth

    def _match(self, items: list[Node], other: Node) -> tuple[int | None, bool]:
        """(index of the first item that agrees, False), or (None, whether one may agree)."""
        undecided = False
        for index, one in enumerate(items):
            result = self.same(one, other)
            if result is True:
                return index, False
            undecided = undecided or result is None
        return None, undecided

    # -- lists, points, sets ------------------------------------------------------------------------------------------
    def _same_collections(self, given: Node, wanted: Node) -> Truth:
        if collections.is_tuple(given) and collections.is_tuple(wanted):
            return self._same_tuples(given, wanted)
        if collections.join_statements_differently(given, wanted):
            return False  # p and q, p or q
        if collections.is_point_and_bare_list(given, wanted):
            return self._in_order(collections.items_of(given), collections.items_of(wanted))
        if collections.is_point_and_other_list(given, wanted):
            return False
        components = collections.as_components(given, wanted)
        if components is not None:
            return self._in_order(*components)
        first, second = collections.elements_of(given), collections.elements_of(wanted)
        if len(first) != len(second):
            first, second = self._written_once(given, first), self._written_once(wanted, second)
        if len(first) != len(second) or len(first) > MAX_ITEMS:
            return False
        if first == [given] and second == [wanted]:
            return given == wanted  # nothing to take apart
        return self._same_elements(first, second, alike=collections.joined_alike(given, wanted))

    def _same_elements(self, first: list[Node], second: list[Node], *, alike: bool) -> Truth:
        """Lists of one length: by name where every item has its own, else in any order."""
        named, others = [unlabel(item) for item in first], [unlabel(item) for item in second]
        distinct, others_distinct = collections.distinct_labels(named), collections.distinct_labels(others)
        if distinct and others_distinct:
            if not alike:
                return False  # x = 1 and y = 2, x = 1 or y = 2
            by_label = {other.label: other for other in others}
            if set(by_label) == {name.label for name in named}:
                return both(*(self.same(name.body, by_label[name.label].body) for name in named))
        bare = collections.all_unlabelled(named) or collections.all_unlabelled(others)
        if distinct != others_distinct and bare:
            return self._in_order([name.body for name in named], [other.body for other in others])
        return self._in_any_order(first, second)

    def _written_once(self, node: Node, elements: list[Node]) -> list[Node]:
        """`9/2 or 4.5` is one value, written twice."""
        twice = isinstance(node, Sequence) and node.joiner == "or" and len(elements) == 2
        return elements[:1] if twice and self._scalar(*elements) is True else elements

    def _same_tuples(self, given: Node, wanted: Node) -> Truth:
        if not isinstance(given, Sequence) or not isinstance(wanted, Sequence):
            return False
        if collections.are_different_intervals(given, wanted):
            return False
        first, second = signed_variants(given), signed_variants(wanted)
        if len(first) != len(second):
            return False
        if len(first) > 1:
            return self._in_any_order(first, second)
        result = self._in_order(list(given.items), list(wanted.items))
        renamed = families.with_parameter_of(given, wanted) if result is not True else None
        if not isinstance(renamed, Sequence):
            return result
        return either(result, self._in_order(list(renamed.items), list(wanted.items)))

    def _same_sets(self, given: Node, wanted: Node) -> Truth:
        variables = [collections.set_variable(side) for side in (given, wanted)]
        if all(variables) and variables[0] != variables[1]:
            return False
        try:
            unsolved = [side for side in (given, wanted) if self._pieces(side, _no_solver) is None]
            if unsolved and self._solver is _no_solver:
                return None
            first, second = self._pieces(given, self._solver), self._pieces(wanted, self._solver)
        except real_line.NotReal:
            return self._same_structure(given, wanted)
        if first is None or second is None:
            return None
        return real_line.same_pieces(first, second, self._scalars.same)

    def _written_out(self, node: Node) -> Node:
        try:
            return real_sets.whole_numbers(node, self._solver)
        except (real_line.NotReal, real_sets.NeedsSolving):
            return node

    @staticmethod
    def _pieces(node: Node, solver: real_sets.Solver) -> list[real_line.Piece] | None:
        try:
            return real_sets.real_set(node, solver)
        except real_sets.NeedsSolving:
            return None

    def _same_structure(self, given: Node, wanted: Node) -> Truth:
        """Sets that are no pieces of the real line, such as { 2k | k in Z } or intervals between variables."""
        if isinstance(given, SetOperation) and isinstance(wanted, SetOperation):
            return self._same_operations(given, wanted)
        if isinstance(given, Builder) and isinstance(wanted, Builder):
            conditions = self._in_order(list(given.conditions), list(wanted.conditions))
            return both(conditions, self.same(given.element, wanted.element))
        if isinstance(given, NamedSet) and isinstance(wanted, NamedSet):
            return given == wanted
        if isinstance(given, Relation) and isinstance(wanted, Relation):
            return self._same_relations(given, wanted)
        first, second = real_sets.as_interval(given), real_sets.as_interval(wanted)
        if first is None or second is None or first[2:] != second[2:]:
            return False
        return both(self._scalar(first[0], second[0]), self._scalar(first[1], second[1]))

    def _same_operations(self, given: SetOperation, wanted: SetOperation) -> Truth:
        if given.operator != wanted.operator:
            return False
        straight = both(self.same(given.left, wanted.left), self.same(given.right, wanted.right))
        if straight is True or given.operator == "difference":
            return straight
        return either(straight, both(self.same(given.left, wanted.right), self.same(given.right, wanted.left)))

    def _same_pieces(self, given: Node, wanted: Node) -> Truth:
        if not isinstance(given, Piecewise) or not isinstance(wanted, Piecewise):
            return False
        first, second = ([Sequence(row, "(", ")") for row in side.rows] for side in (given, wanted))
        return self._in_any_order(list(first), list(second)) if len(first) == len(second) else False

    # -- equations, matrices, ratios ----------------------------------------------------------------------------------
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
        if truth is True:
            return True
        sign = 1 if given.operators == wanted.operators else -1 if mirrored == wanted.operators else 0
        return either(truth, self._multiples(given, wanted, sign)) if sign else truth

    def _multiples(self, given: Relation, wanted: Relation, sign: int) -> Truth:
        """`2x + 2y = 4` against `x + y = 2`; `sign` is -1 when the comparison is turned round."""
        operator = given.operators[0]
        names_of_both = symbols(given)
        if len(given.operators) > 1 or operator not in _SCALED or not names_of_both:
            return False
        if names_of_both != symbols(wanted) or names.is_solved(given) != names.is_solved(wanted):
            return False  # 3x = 12 is to be solved, x = 4 is solved
        if any(_cannot_be_scaled(part) for side in (given, wanted) for part in walk(side)):
            return False
        same, found = proportional(difference(*given.sides), difference(*wanted.sides), names_of_both, self._decide)
        return same if operator in ("=", "!=") or found == sign else False

    def _same_signed_equations(self, given: Node, wanted: Node) -> Truth:
        """`y = \\pm 2x` against `2x \\pm y = 0`, or against both equations"""
        first, second = (
            [variant for item in collections.items_of(side) for variant in signed_variants(item)]
            for side in (given, wanted)
        )
        if len(first) != len(second) or [given, wanted] in ([*first, *second], [*second, *first]):
            return False
        if not all(isinstance(variant, Relation) for variant in (*first, *second)):
            return False
        return self._in_any_order(first, second)

    def _same_matrices(self, given: Node, wanted: Node) -> Truth:
        first, second = collections.matrix_rows(given), collections.matrix_rows(wanted)
        components = collections.components_like(given, second) or collections.components_like(wanted, first)
        if components is not None:
            return self._in_order(*components)
        if first is None or second is None:
            return given == wanted
        first, second = collections.in_one_shape(first, second)
        if [len(row) for row in first] != [len(row) for row in second]:
            return False
        return both(*(self._in_order(one, other) for one, other in zip(first, second, strict=True)))

    def _same_ratios(self, given: Node, wanted: Node) -> Truth:
        if not isinstance(given, Ratio):
            quotient = _quotient(wanted)
            return False if quotient is None else self.same(given, quotient)
        if not isinstance(wanted, Ratio):
            quotient = _quotient(given)
            return False if quotient is None else self.same(quotient, wanted)
        first, second = given.parts, wanted.parts
        straight = self._in_order(list(first), list(second))
        if straight is True or len(first) != len(second):
            return straight
        if any(part == integer(0) or isinstance(part, Quantity) for part in (*first, *second)):
            return straight
        crossed = [
            self._decide(Product((first[0], two)), Product((second[0], one)))
            for one, two in zip(first[1:], second[1:], strict=True)
        ]
        return either(straight, both(*crossed))

    def _same_digits(self, given: Node, wanted: Node) -> Truth:
        return collections.same_digits(given, wanted)


def _cannot_be_scaled(node: Node) -> bool:
    """Units do not cancel, and lists are compared item by item."""
    return isinstance(node, Quantity | Sequence | PlusMinus)


def _quotient(node: Node) -> Node | None:
    """3:4 as 3/4; None where it is none: three parts, a zero, 10:30 a.m."""
    parts = node.parts if isinstance(node, Ratio) else ()
    if len(parts) != 2 or any(isinstance(part, Quantity) for part in parts):
        return None
    if isinstance(parts[1], Number) and not parts[1].value:
        return None
    return Product((parts[0], Power(parts[1], integer(-1))))


def _of_type(kind: type) -> Callable[[Node], bool]:
    return lambda node: isinstance(node, kind)


_KINDS: tuple[tuple[Callable[[Node], bool], Callable[[Comparer, Node, Node], Truth]], ...] = (
    (_of_type(Based), Comparer._same_digits),
    (holds_matrix, Comparer._same_matrices),
    (_of_type(Piecewise), Comparer._same_pieces),
    (_of_type(Ratio), Comparer._same_ratios),
)
"""What each kind of answer is compared by, the first that fits one side; sets, lists and single values come after."""
