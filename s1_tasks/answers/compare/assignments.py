"""Lists that say more than their items: `x = 1, y = 2 or x = 2, y = 1`, and progressions with an ellipsis."""

from __future__ import annotations

from itertools import pairwise

from s1_tasks.answers.compare.names import Named
from s1_tasks.answers.tree.nodes import Node, Number, Relation, Sequence, Symbol, integer

MAX_PROGRESSION = 200
_ELLIPSIS = Symbol("...")


def _assigned(node: Node) -> tuple[Symbol, Node] | None:
    if isinstance(node, Relation) and node.operators == ("=",) and isinstance(node.sides[0], Symbol):
        return node.sides[0], node.sides[1]
    return None


def labelled_point(node: Node) -> Named | None:
    """`a = 1, b = 2` as (a, b) = (1, 2); None for other lists."""
    if not isinstance(node, Sequence) or node.opening or node.joiner == "or":
        return None
    pairs = [pair for pair in map(_assigned, node.items) if pair is not None]
    if len(pairs) < len(node.items) or len({name for name, _ in pairs}) < len(pairs):
        return None
    return Named(Sequence(tuple(name for name, _ in pairs), "(", ")"), _point([value for _, value in pairs]))


def solutions(items: list[Node]) -> list[Node]:
    """`x = 1, y = 2, x = 2, y = 1` as two points; other lists as they are. Numbered unknowns count by their letter."""
    pairs = [pair for pair in map(_assigned, items) if pair is not None]
    if len(pairs) < len(items) or len(items) < 4:
        return items
    stems = [name.name.split("_")[0] for name, _ in pairs]
    size = len(set(stems))
    if size < 2 or len(items) % size or size == len(items) or stems != stems[:size] * (len(items) // size):
        return items
    names = Sequence(tuple(map(Symbol, stems[:size])), "(", ")")
    return [
        Relation(("=",), (names, _point([value for _, value in pairs[start : start + size]])))
        for start in range(0, len(items), size)
    ]


def _point(values: list[Node]) -> Sequence:
    return Sequence(tuple(values), "(", ")")


def written_out(items: list[Node]) -> list[Node]:
    """1, 2, ..., 5 as 1, 2, 3, 4, 5; other lists, and long ones, as they are."""
    if len(items) < 3 or items[-2] != _ELLIPSIS or items.count(_ELLIPSIS) != 1:
        return items
    known = [int(item.value) for item in items if isinstance(item, Number) and item.value.denominator == 1]
    if len(known) != len(items) - 1:
        return items
    *first, last = known
    step = _step(first)
    missing, rest = divmod(last - first[-1], step) if step else (0, 0)
    if rest or not 0 < missing < MAX_PROGRESSION:
        return items
    return [integer(value) for value in range(first[0], last + (1 if step > 0 else -1), step)]


def _step(first: list[int]) -> int:
    """What the beginning of a progression goes up by; 0 when it is none."""
    steps = {after - before for before, after in pairwise(first)} or {1}
    return steps.pop() if len(steps) == 1 else 0
