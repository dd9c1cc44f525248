"""`(1, 2, 3) and permutations`: the points that a text leaves for the reader to write out."""

import itertools
import re

from s1_tasks.answers.read.clean import in_plain_words
from s1_tasks.answers.tree.nodes import Node, Relation, Sequence

_MAX_COORDINATES = 4
_MAX_CHARS = 300
_PERMUTED = re.compile(
    r"(.{3,200}?)[\s,;]{0,4}\b(?:and|with|or|plus|up to|along with|together with) (?:any |all )?(?:of )?"
    r"(?:its |their |the )?(?:other )?(cyclic )?permutations?(?: thereof| of (?:it|this|these|them|those))?",
    re.IGNORECASE,
)


def permuted(cleaned: str) -> tuple[str, bool] | None:
    """The text before "and permutations", and whether only cyclic ones are meant; None for other texts."""
    if len(cleaned) > _MAX_CHARS or "ermutation" not in cleaned:
        return None
    match = _PERMUTED.fullmatch(in_plain_words(cleaned))
    return (match[1], match[2] is not None) if match else None


def write_out(tree: Node, cyclic: bool) -> Node | None:
    """All permutations of the point, or points, of a tree; None where it holds something else."""
    if isinstance(tree, Relation) and set(tree.operators) == {"="}:
        tree = tree.sides[-1]
    if not isinstance(tree, Sequence):
        return None
    points = tree.items if not tree.opening else (tree,)
    written: list[Node] = []
    for point in points:
        if not isinstance(point, Sequence) or point.opening != "(" or len(point.items) > _MAX_COORDINATES:
            return None
        turns = (point.items[start:] + point.items[:start] for start in range(len(point.items)))
        orders = turns if cyclic else itertools.permutations(point.items)
        written += [Sequence(tuple(order), "(", ")") for order in orders]
    return Sequence(tuple(dict.fromkeys(written)))
