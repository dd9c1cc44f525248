"""Constants of integration: `x^2 + C` and `x^2 + c`, `A e^x + B e^{-x}` and `C_1 e^x + C_2 e^{-x}`."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import permutations

from s1_tasks.answers.algebra import approx
from s1_tasks.answers.algebra.scalars import Truth, difference
from s1_tasks.answers.tree.nodes import Node, Sum, Symbol, integer, rewrite, symbols

_ADDED = frozenset({"C", "c", "K", "k", "C_1", "c_1"})
_INDEXED = re.compile(r"[cCkK]_\{?\d\}?")
_ARBITRARY = re.compile(r"[cCkK]_\{?\d\}?|[A-DK]")
MAX_CONSTANTS = 3


def same_up_to_constants(given: Node, wanted: Node, decide: Callable[[Node, Node], Truth]) -> Truth:
    """Whether two expressions agree when their constants of integration are named, and chosen, alike."""
    first, second = _without_constant(given), _without_constant(wanted)
    if first is not None and second is not None:
        return _differ_by_constant(first, second, decide)
    return _renamed(given, wanted, decide)


def _without_constant(node: Node) -> Node | None:
    """f(x) of f(x) + C; None without exactly one such constant."""
    if not isinstance(node, Sum):
        return None
    rest = tuple(term for term in node.terms if not (isinstance(term, Symbol) and term.name in _ADDED))
    if len(rest) != len(node.terms) - 1 or not symbols(Sum(rest)) or symbols(Sum(rest)) & _ADDED:
        return None
    return rest[0] if len(rest) == 1 else Sum(rest)


def _differ_by_constant(first: Node, second: Node, decide: Callable[[Node, Node], Truth]) -> Truth:
    same = decide(first, second)
    names = symbols(first) | symbols(second)
    if same is True or len(names) != 1:
        return same
    variable = Symbol(names.pop())
    for place in (1, 2):
        one, other = rewrite(first, variable, integer(place)), rewrite(second, variable, integer(place))
        if approx.value_of(one) is not None and approx.value_of(other) is not None:
            return decide(difference(first, second), difference(one, other))
    return same


def _renamed(given: Node, wanted: Node, decide: Callable[[Node, Node], Truth]) -> Truth:
    only_given, only_wanted = (
        sorted(symbols(given) - symbols(wanted)),
        sorted(symbols(wanted) - symbols(given)),
    )
    names = only_given + only_wanted
    if len(only_given) != len(only_wanted) or not 0 < len(only_given) <= MAX_CONSTANTS:
        return False
    if not all(map(_ARBITRARY.fullmatch, names)) or not any(map(_INDEXED.fullmatch, names)):
        return False
    for order in permutations(only_wanted):
        renamed = given
        for old, new in zip(only_given, order, strict=True):
            renamed = rewrite(renamed, Symbol(old), Symbol(new))
        if decide(renamed, wanted) is True:
            return True
    return False
