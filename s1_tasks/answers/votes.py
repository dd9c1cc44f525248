"""One string per value, so that equal answers to a question can be counted together (majority voting).

Cheaper than comparing every pair, and a little coarser in what it can see: values count to ten significant digits, and
forms that only computer algebra relates get different keys.
"""

from __future__ import annotations

from s1_tasks.answers.algebra import exact, real_line
from s1_tasks.answers.algebra.approx import Evaluator, NoValue, points
from s1_tasks.answers.compare import real_sets
from s1_tasks.answers.compare.names import signed_variants, unlabel
from s1_tasks.answers.read.clean import plain_form
from s1_tasks.answers.read.reading import readings
from s1_tasks.answers.tree.nodes import SCALAR_TYPES, Based, Node, Quantity, Relation, Sequence, Words, symbols


def value_key(answer: str) -> str:
    """The key of a bare answer."""
    try:
        return _key(readings(answer)[0])
    except NoValue:
        return plain_form(answer)


def _key(node: Node) -> str:
    """Raises NoValue for what has no numeric signature."""
    if isinstance(node, Words):
        return f"words {node.text}"
    if isinstance(node, Based):
        return ("-" if node.negative else "") + node.digits
    node = unlabel(node).body
    if isinstance(node, Quantity):
        return _key(node.value)
    if real_sets.looks_like_set(node):
        return _set_key(node)
    if isinstance(node, Sequence):
        if node.opening in ("", "{"):
            return "{" + "; ".join(sorted(_key(part) for item in node.items for part in signed_variants(item))) + "}"
        return node.opening + "; ".join(_key(item) for item in node.items) + node.closing
    if isinstance(node, SCALAR_TYPES):
        return _scalar_key(node)
    variants = signed_variants(node)
    if len(variants) > 1:
        return "{" + "; ".join(sorted(_key(part) for part in variants)) + "}"
    raise NoValue("no key")


def _scalar_key(node: Node) -> str:
    value = exact.rational(node)
    if value is not None:
        return str(value)
    names = symbols(node)
    parts = []
    for point in list(points(names))[:2]:
        number, _ = Evaluator(point, real=False).evaluate(node)
        parts.append(f"{number.real:.10g}" + (f"{number.imag:+.10g}i" if abs(number.imag) > 1e-9 * abs(number) else ""))
    return " ".join([*sorted(names), *parts])


def _set_key(node: Node) -> str:
    def unsolved(relation: Relation, name: str) -> list[real_line.Piece]:
        raise NoValue("an inequality to be solved")

    try:
        found = real_sets.real_set(node, unsolved)
    except (real_line.NotReal, real_sets.NeedsSolving) as failure:
        raise NoValue("no real set") from failure
    ends = [(piece.low, piece.high) for piece in found]
    return " u ".join(
        f"{'[' if low.closed else '('}{low.value:.10g}; {high.value:.10g}{']' if high.closed else ')'}"
        for low, high in ends
    )
