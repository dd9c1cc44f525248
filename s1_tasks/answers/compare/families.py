r"""Letters that may be chosen freely: the k of general solutions, constants of integration, parameters of lines.

`\frac{\pi}{6} + 2k\pi` in another letter or counted from another k; `x^2 + C` and `x^2 + c`; `(t, 2t)` and `(s, 2s)`;
`7k + 3` and 3 modulo 7.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction
from itertools import permutations

from s1_tasks.answers.algebra import approx, exact
from s1_tasks.answers.algebra.single_values import Truth, both, difference, either
from s1_tasks.answers.tree.nodes import (
    Builder,
    Constant,
    NamedSet,
    Node,
    Number,
    Product,
    Quantity,
    Relation,
    Sum,
    Symbol,
    integer,
    rewrite,
    symbols,
    walk,
)

Decide = Callable[[Node, Node], Truth]
"""Compares two plain expressions."""

_PARAMETERS = frozenset("knmlztpqsN")
_FREE = frozenset({*"knmltsruvpqc", "lambda", "mu", "alpha"})


def same_up_to_parameters(given: Node, wanted: Node, decide: Decide) -> Truth:
    """Whether two expressions agree when letters that may be chosen are chosen alike."""
    if not symbols(given) and not symbols(wanted):
        return False
    return either(
        _same_family(given, wanted, decide),
        _same_residues(given, wanted, decide),
        _same_up_to_constants(given, wanted, decide),
    )


def solutions_of(node: Node) -> Node:
    """The general solution in { x | x = pi/4 + k pi, k in Z }; other nodes as they are."""
    if not isinstance(node, Builder) or not isinstance(node.element, Symbol):
        return node
    stated = [part for part in node.conditions if _states(node.element, part)]
    others = [part for part in node.conditions if part not in stated]
    if len(stated) != 1 or not isinstance(stated[0], Relation) or not all(map(_is_membership, others)):
        return node
    return stated[0].sides[1]


def _states(name: Symbol, node: Node) -> bool:
    return isinstance(node, Relation) and node.operators == ("=",) and node.sides[0] == name


def _is_membership(node: Node) -> bool:
    return isinstance(node, Relation) and node.operators == ("in",) and isinstance(node.sides[1], NamedSet)


def with_parameter_of(given: Node, wanted: Node) -> Node | None:
    """`given` with its one parameter named as in `wanted`: (s, 2s) as (t, 2t); None without one each."""
    mine, others = symbols(given) - symbols(wanted), symbols(wanted) - symbols(given)
    if len(mine) != 1 or len(others) != 1 or not (mine | others) <= _FREE:
        return None
    return rewrite(given, Symbol(mine.pop()), Symbol(others.pop()))


def _same_residues(given: Node, wanted: Node, decide: Decide) -> Truth:
    """7k + 3 against 3 modulo 7"""
    if isinstance(given, Quantity):
        given, wanted = wanted, given
    name = _only_name(given)
    if not isinstance(wanted, Quantity) or name is None or not wanted.unit.removeprefix("mod ").isdigit():
        return False
    if not wanted.unit.startswith("mod ") or not _is_linear(given, name):
        return False
    modulus = int(wanted.unit.removeprefix("mod "))
    start, step = _progression(given, name)
    step_value, gap = exact.rational(step), exact.rational(difference(start, wanted.value))
    return step_value in (modulus, -modulus) and gap is not None and modulus > 0 and gap % modulus == 0


def _only_name(node: Node) -> str | None:
    """The one variable of an expression, if it can be an integer parameter."""
    names = symbols(node)
    name = next(iter(names)) if len(names) == 1 else ""
    return name if name in _PARAMETERS else None


def _same_family(given: Node, wanted: Node, decide: Decide) -> Truth:
    """Whether two expressions, linear in an integer parameter and with pi in them, run through the same values."""
    given, wanted = in_radians(given), in_radians(wanted)
    first, second = _parameter(given), _parameter(wanted)
    if first is None or second is None:
        return False
    if first != second and decide(rewrite(given, Symbol(first), Symbol(second)), wanted) is True:
        return True
    if not (_is_linear(given, first) and _is_linear(wanted, second)):
        return False
    (start, step), (other_start, other_step) = _progression(given, first), _progression(wanted, second)
    step_value, shift = approx.value_of(step), approx.value_of(difference(start, other_start))
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
    return _only_name(node) if any(part == Constant("pi") for part in walk(node)) else None


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


_ADDED = frozenset({"C", "c", "K", "k", "C_1", "c_1"})
_INDEXED = re.compile(r"[cCkK]_\{?\d\}?")
_ARBITRARY = re.compile(r"[cCkK]_\{?\d\}?|[A-DK]")
MAX_CONSTANTS = 3


def _same_up_to_constants(given: Node, wanted: Node, decide: Decide) -> Truth:
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
    names = symbols(Sum(rest))
    if len(rest) != len(node.terms) - 1 or not names or names & _ADDED:
        return None
    return rest[0] if len(rest) == 1 else Sum(rest)


def _differ_by_constant(first: Node, second: Node, decide: Decide) -> Truth:
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


def _renamed(given: Node, wanted: Node, decide: Decide) -> Truth:
    mine, others = sorted(symbols(given) - symbols(wanted)), sorted(symbols(wanted) - symbols(given))
    if (
        len(mine) != len(others)
        or not 0 < len(mine) <= MAX_CONSTANTS
        or not _are_constants(mine + others, symbols(given))
    ):
        return False
    orders = permutations(others)
    return any(decide(_with_names(given, mine, order), wanted) is True for order in orders)


def _are_constants(names: list[str], all_names: set[str]) -> bool:
    """C_1 and c_2, and capitals beside them; several capitals beside a variable need no number."""
    if not all(map(_ARBITRARY.fullmatch, names)):
        return False
    return any(map(_INDEXED.fullmatch, names)) or (len(names) > 2 and not all_names <= set(names))


def _with_names(node: Node, old: list[str], new: tuple[str, ...]) -> Node:
    for before, after in zip(old, new, strict=True):
        node = rewrite(node, Symbol(before), Symbol(after))
    return node
