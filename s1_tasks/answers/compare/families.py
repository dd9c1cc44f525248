r"""General solutions: `\frac{\pi}{6} + 2k\pi` in another letter, or counted from another k."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from s1_tasks.answers.algebra import approx
from s1_tasks.answers.algebra.scalars import Truth, both
from s1_tasks.answers.tree.nodes import (
    Constant,
    Node,
    Number,
    Product,
    Quantity,
    Sum,
    Symbol,
    integer,
    rewrite,
    symbols,
    walk,
)

_PARAMETERS = frozenset("knmlztpqsN")


def same_family(given: Node, wanted: Node, decide: Callable[[Node, Node], Truth]) -> Truth:
    """Whether two expressions, linear in an integer parameter and with pi in them, run through the same values."""
    given, wanted = in_radians(given), in_radians(wanted)
    first, second = _parameter(given), _parameter(wanted)
    if first is None or second is None:
        return False
    if first != second and decide(rewrite(given, Symbol(first), Symbol(second)), wanted) is True:
        return True
    start, step = _progression(given, first)
    other_start, other_step = _progression(wanted, second)
    if not (_is_linear(given, first) and _is_linear(wanted, second)):
        return False
    step_value, shift = approx.value_of(step), approx.value_of(Sum((start, Product((integer(-1), other_start)))))
    if step_value is None or shift is None or abs(step_value) < 1e-9:
        return False
    count = round((shift / step_value).real)
    same_steps = decide(step, other_step)
    if same_steps is False:
        same_steps = decide(step, Product((integer(-1), other_step)))
    return both(same_steps, decide(start, Sum((other_start, Product((integer(count), step))))))


def in_radians(node: Node) -> Node:
    """30 degrees + 180 degrees k in terms of pi."""
    if isinstance(node, Quantity) and node.unit == "degree":
        return Product((node.value, Constant("pi"), Number(Fraction(1, 180))))
    return node


def _parameter(node: Node) -> str | None:
    names = symbols(node)
    if len(names) != 1 or not any(part == Constant("pi") for part in walk(node)):
        return None
    name = next(iter(names))
    return name if name in _PARAMETERS else None


def _progression(node: Node, name: str) -> tuple[Node, Node]:
    start = rewrite(node, Symbol(name), integer(0))
    return start, Sum((rewrite(node, Symbol(name), integer(1)), Product((integer(-1), start))))


def _is_linear(node: Node, name: str) -> bool:
    start, step = _progression(node, name)
    for count in (2, 5):
        there = rewrite(node, Symbol(name), integer(count))
        if approx.differ(there, Sum((start, Product((integer(count), step))))) is not False:
            return False
    return True
