"""What an answer is made of: the members of lists, sets, points and matrices, and what `compare` asks of them."""

from __future__ import annotations

from s1_tasks.answers.compare.assignments import solutions, written_out
from s1_tasks.answers.compare.names import Named, signed_variants, unlabel
from s1_tasks.answers.tree.matrices import combined_rows, holds_matrix
from s1_tasks.answers.tree.nodes import (
    Based,
    Call,
    Constant,
    NamedSet,
    Node,
    Number,
    PlusMinus,
    Quantity,
    Relation,
    Sequence,
    Symbol,
    integer,
    rewrite,
    symbols,
    walk,
)


def is_collection(node: Node) -> bool:
    return isinstance(node, Sequence) or any_plus_minus(node)


def any_plus_minus(*nodes: Node) -> bool:
    return any(isinstance(part, PlusMinus) for node in nodes for part in walk(node))


def is_tuple(node: Node) -> bool:
    return isinstance(node, Sequence) and node.opening in ("(", "[", "<")


def is_half_open(node: Node) -> bool:
    """Whether different brackets at the two ends show that this is an interval."""
    return isinstance(node, Sequence) and (node.opening, node.closing) in (("[", ")"), ("(", "]"))


def has_bare_items(node: Node) -> bool:
    """A list without brackets whose items are single values."""
    return isinstance(node, Sequence) and node.opening == "" and not any(is_collection(item) for item in node.items)


def items_of(node: Node) -> list[Node]:
    return list(node.items) if isinstance(node, Sequence) else [node]


def is_point_and_bare_list(given: Node, wanted: Node) -> bool:
    """(1, 2) and 1, 2: the list was meant as the point."""
    return (is_tuple(given) and has_bare_items(wanted)) or (is_tuple(wanted) and has_bare_items(given))


def is_point_and_other_list(given: Node, wanted: Node) -> bool:
    """(1, 2) and {1, 2}, without points or plus-minus in either."""
    if not isinstance(given, Sequence) or not isinstance(wanted, Sequence) or is_tuple(given) == is_tuple(wanted):
        return False
    nested = any(is_tuple(item) for side in (given, wanted) for item in side.items)
    return not nested and not any_plus_minus(given, wanted)


def are_different_intervals(given: Sequence, wanted: Sequence) -> bool:
    """An open interval is no closed one; a vector may stand in any brackets."""
    brackets = {(given.opening, given.closing), (wanted.opening, wanted.closing)}
    return len(brackets) == 2 and len(given.items) == 2 and not any(opening == "<" for opening, _ in brackets)


def may_be_lists(given: Node, wanted: Node) -> bool:
    """Whether what looks like sets may be lists all the same; [2, 3) is no list of 2 and 3."""
    if is_half_open(given) or is_half_open(wanted):
        return False
    return is_collection(given) and is_collection(wanted) and joined_alike(given, wanted)


def elements_of(node: Node) -> list[Node]:
    """The members of a list or set, plus-minus written out; declarations such as `k in Z` are no members."""
    if not isinstance(node, Sequence):
        return signed_variants(node)
    if node.opening in ("(", "<", "["):
        square = (node.opening, node.closing) == ("[", "]") and len(node.items) != 2
        return list(node.items) if square and not any_plus_minus(node) else signed_variants(node)
    return [element for item in solutions(written_out(list(node.items))) for element in _members(item)]


def _members(item: Node) -> list[Node]:
    if isinstance(item, Relation):
        last = item.sides[-1]
        if item.operators == ("in",) and isinstance(last, NamedSet):
            return []
        if isinstance(last, Sequence) and last.opening in ("", "{"):
            return elements_of(last)
    return signed_variants(item)


_UNIT_VECTORS: tuple[Node, ...] = (Constant("i"), Symbol("j"), Symbol("k"))


def unit_vector_components(node: Node, other: Node) -> list[Node] | None:
    """The components of 2i - 3j + k, if `other` is a vector of two or three."""
    if isinstance(node, Sequence) or not is_tuple(other):
        return None
    size, names = len(items_of(other)), symbols(node)
    if size not in (2, 3) or "j" not in names or names - {"j", "k"} or (size == 2 and "k" in names):
        return None
    return [_component(node, unit) for unit in _UNIT_VECTORS[:size]]


def _component(node: Node, unit: Node) -> Node:
    for name in _UNIT_VECTORS:
        node = rewrite(node, name, integer(1 if name == unit else 0))
    return node


def as_components(given: Node, wanted: Node) -> tuple[list[Node], list[Node]] | None:
    """2i - 3j and (2, -3) as two lists of components; None for others."""
    for one, other in ((given, wanted), (wanted, given)):
        components = unit_vector_components(one, other)
        if components is not None:
            return components, items_of(other)
    return None


def components_like(node: Node, rows: list[list[Node]] | None) -> tuple[list[Node], list[Node]] | None:
    """2i - 3j as its components, and the cells of the matrix of one row or column that it is compared with."""
    if holds_matrix(node) or rows is None or not is_vector(rows):
        return None
    cells = [cell for row in rows for cell in row]
    components = unit_vector_components(node, Sequence(tuple(cells), "<", ">"))
    return None if components is None else (components, cells)


def in_one_shape(first: list[list[Node]], second: list[list[Node]]) -> tuple[list[list[Node]], list[list[Node]]]:
    """A row and a column as two rows; other tables as they are."""
    if len(first) == len(second) or not is_vector(first) or not is_vector(second):
        return first, second
    return [[cell for row in first for cell in row]], [[cell for row in second for cell in row]]


def is_vector(rows: list[list[Node]]) -> bool:
    """Whether a table has one row or one column."""
    return 1 in (len(rows), len(rows[0]))


def distinct_labels(named: list[Named]) -> bool:
    """Every item has its own name, and the names are no numbered family such as x_1, x_2."""
    labels = [name.label for name in named]
    if len(labels) < 2 or None in labels or len(set(labels)) != len(labels):
        return False
    stems = {label.name.split("_")[0] for label in labels if isinstance(label, Symbol)}
    return len(stems) != 1


def all_unlabelled(named: list[Named]) -> bool:
    return all(name.label is None for name in named)


def joined_alike(given: Node, wanted: Node) -> bool:
    """Whether two lists are not joined by "and" here and by "or" there."""
    joiners = {side.joiner for side in (given, wanted) if isinstance(side, Sequence)}
    return "or" not in joiners or len(joiners) == 1


def join_statements_differently(given: Node, wanted: Node) -> bool:
    """p and q, p or q: letters of logic, and equations in several variables, are joined and not listed."""
    return not joined_alike(given, wanted) and all(map(_is_statement, items_of(given) + items_of(wanted)))


def _is_statement(node: Node) -> bool:
    return isinstance(node, Symbol) or (len(symbols(node)) > 1 and unlabel(node) == Named(None, node))


def set_variable(node: Node) -> Node | None:
    """What an inequality, or a membership, is about: x, f(x), 2k."""
    if not isinstance(node, Relation):
        return None
    if node.operators[0] in ("in", "notin"):
        return node.sides[0]
    functions = [part for part in walk(node) if isinstance(part, Call) and len(part.name) == 1]
    if functions:
        return functions[0]
    names = symbols(node)
    return Symbol(next(iter(names))) if len(names) == 1 else None


def matrix_rows(node: Node) -> list[list[Node]] | None:
    """The rows of a matrix; a tuple is a row, nested tuples are rows."""
    if holds_matrix(node):
        return combined_rows(node)
    if not isinstance(node, Sequence) or node.opening == "{":
        return None
    if all(isinstance(item, Sequence) and item.opening for item in node.items):
        return [items_of(item) for item in node.items]
    return [list(node.items)]


def same_digits(given: Node, wanted: Node) -> bool:
    """Equal digits in the same base; a base that only one side states is taken to be meant by both."""
    if isinstance(given, Based) and isinstance(wanted, Based):
        return given == wanted
    based, other = (given, wanted) if isinstance(given, Based) else (wanted, given)
    if isinstance(other, Quantity):
        other = other.value
    if not isinstance(other, Number) or not isinstance(based, Based) or other.value.denominator != 1:
        return False
    return str(abs(other.value.numerator)) == based.digits and (other.value < 0) == based.negative
