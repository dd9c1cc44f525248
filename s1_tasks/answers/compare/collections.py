"""What an answer is made of: the members of lists, sets, points and matrices, and what `compare` asks of them."""

from __future__ import annotations

from s1_tasks.answers.compare.assignments import solutions, written_out
from s1_tasks.answers.compare.names import Named, signed_variants
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


def elements_of(node: Node) -> list[Node]:
    """The members of a list or set, plus-minus written out; declarations such as `k in Z` are no members."""
    if not isinstance(node, Sequence) or node.opening in ("(", "<", "["):
        if (
            isinstance(node, Sequence)
            and node.opening == "["
            and node.closing == "]"
            and not any_plus_minus(node)
            and len(node.items) != 2
        ):
            return list(node.items)
        return signed_variants(node)
    elements: list[Node] = []
    for item in solutions(written_out(list(node.items))):
        if isinstance(item, Relation) and item.operators == ("in",) and isinstance(item.sides[1], NamedSet):
            continue
        if isinstance(item, Relation) and isinstance(item.sides[-1], Sequence) and item.sides[-1].opening in ("", "{"):
            elements.extend(elements_of(item.sides[-1]))
            continue
        elements.extend(signed_variants(item))
    return elements


def unit_vector_components(node: Node, other: Node) -> list[Node] | None:
    """The components of 2i - 3j + k, if `other` is a vector of two or three."""
    if isinstance(node, Sequence) or not is_tuple(other) or not 2 <= len(items_of(other)) <= 3:
        return None
    if "j" not in symbols(node) or symbols(node) - {"j", "k"}:
        return None
    units: list[Node] = [Constant("i"), Symbol("j"), Symbol("k")]
    components: list[Node] = []
    for unit in units:
        part: Node = node
        for name in units:
            part = rewrite(part, name, integer(1 if name == unit else 0))
        components.append(part)
    return components[: len(items_of(other))] if len(items_of(other)) == 3 or "k" not in symbols(node) else None


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
