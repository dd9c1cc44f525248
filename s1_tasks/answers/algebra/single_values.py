"""Two single values: the same, different, or not known without computer algebra. Units and rounding are here too.

Rounding, the one rule with a direction: an exact value (or a longer decimal) that rounds to a *reference* written as a
decimal is the same, if that decimal has at least two places and two significant digits, or three significant digits;
a rounded answer for an exact reference is not. One exception: a decimal of at least twelve significant digits that
agrees in all of them is the printed form of a value that no decimal can state.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from fractions import Fraction

from s1_tasks.answers.algebra import approx, exact
from s1_tasks.answers.tree.nodes import (
    Constant,
    Node,
    Number,
    Power,
    Product,
    Quantity,
    Sum,
    Symbol,
    integer,
    rewrite,
    symbols,
    walk,
)
from s1_tasks.answers.tree.units import SINGLE_LETTERS, same_unit, spelled

Truth = bool | None
"""None: not decided here."""

FULL_PRECISION_DIGITS = 12
MAX_SCIENTIFIC_EXPONENT = 300


def decide(left: Node, right: Node) -> Truth:
    """Whether two expressions have the same value, by exact algebra and bounded approximation, without sympy."""
    first, second = infinity_sign(left), infinity_sign(right)
    if first is not None or second is not None:
        return first == second
    if isinstance(left, Number) and isinstance(right, Number):
        return left.value == right.value
    if left == right:
        return exact.is_defined(left)
    if approx.differ(left, right):
        return False
    proved = exact.proved_equal(left, right)
    return _proved_by_squares(left, right) if proved is None else proved


def _proved_by_squares(left: Node, right: Node) -> Truth:
    """True for constants of one sign with equal squares: the root of 5 + 2 root 6 is root 2 + root 3."""
    first, second = approx.value_of(left), approx.value_of(right)
    if not first or not second or first.imag or second.imag or (first.real > 0) != (second.real > 0):
        return None
    return exact.proved_equal(Power(left, integer(2)), Power(right, integer(2))) or None


def infinity_sign(node: Node) -> int | None:
    """1 or -1 for plus or minus infinity, None for anything else."""
    if node == Constant("infinity"):
        return 1
    if isinstance(node, Product) and len(node.factors) == 2 and node.factors[1] == Constant("infinity"):
        return -1 if node.factors[0] == integer(-1) else None
    return None


class Scalars:
    """Comparison of single values with units and rounding.

    `decide` says whether two plain expressions are the same; `symmetric` lets rounding work in both directions.
    """

    def __init__(self, decide: Callable[[Node, Node], Truth], *, symmetric: bool) -> None:
        self._decide = decide
        self._symmetric = symmetric

    def same(self, given: Node, wanted: Node) -> Truth:
        if not isinstance(given, Quantity) and not isinstance(wanted, Quantity):
            return self._same_without_units(given, wanted)
        given_value, given_unit = _split(given, wanted)
        wanted_value, wanted_unit = _split(wanted, given)
        if {given_unit, wanted_unit} == {"rad", "degree"}:
            sides = [_in_numbers(side) if isinstance(side, Quantity) else side for side in (given, wanted)]
            return self._same_plain(sides[0], sides[1])
        if given_unit and wanted_unit:
            if not same_unit(given_unit, wanted_unit):
                return False
            modulus = given_unit.removeprefix("mod ")
            if modulus.isdigit() and modulus != given_unit:
                return _congruent(given_value, wanted_value, int(modulus))
            return self._same_plain(given_value, wanted_value)
        result = self._same_plain(given_value, wanted_value)
        unit = given_unit or wanted_unit
        if result is True or unit not in ("%", "degree"):
            return result
        result = either(result, self._same_plain(_in_numbers(given), _in_numbers(wanted)))  # 33.5% is 0.335
        if unit == "degree":  # arctan 2 is 63.43 degrees
            degrees = [_in_degrees(given, given_unit), _in_degrees(wanted, wanted_unit)]
            result = either(result, self._same_plain(*degrees))
        return result

    def _same_without_units(self, given: Node, wanted: Node) -> Truth:
        bare = _without_letter_unit(given, wanted)
        if bare is None and self._symmetric and (swapped := _without_letter_unit(wanted, given)) is not None:
            return self._same_plain(given, swapped[0])
        return self._same_plain(given if bare is None else bare[0], wanted)

    def _same_plain(self, given: Node, wanted: Node) -> Truth:
        result = self._decide(given, wanted)
        if result is True:
            return True
        if _rounds_to(given, wanted) or (self._symmetric and _rounds_to(wanted, given)):
            return True
        return result


def _congruent(left: Node, right: Node, modulus: int) -> Truth:
    first, second = exact.rational(left), exact.rational(right)
    if first is None or second is None:
        return decide(left, right)
    return first == second or (modulus > 0 and (first - second) % modulus == 0)


def either(*truths: Truth) -> Truth:
    """True if any is, else None if any is, else False."""
    return True if True in truths else None if None in truths else False


def both(*truths: Truth) -> Truth:
    """False if any is, else None if any is, else True."""
    return False if False in truths else None if None in truths else True


def _split(node: Node, other: Node) -> tuple[Node, str]:
    if isinstance(node, Quantity):
        return node.value, node.unit
    return _without_letter_unit(node, other) or (node, "")


def _without_letter_unit(node: Node, other: Node) -> tuple[Node, str] | None:
    """`12 m` against a plain number (or one with a unit): letters at the end are a unit and no variables."""
    if not isinstance(node, Product) or symbols(other):
        return None
    values = list(itertools.takewhile(lambda factor: not symbols(factor), node.factors))
    factors: list[tuple[str, int]] = []
    if not values or not all(_unit_letters(factor, 1, factors) for factor in node.factors[len(values) :]):
        return None
    return (values[0] if len(values) == 1 else Product(tuple(values))), spelled(factors)


def _unit_letters(node: Node, power: int, factors: list[tuple[str, int]]) -> bool:
    """Whether a factor consists of unit letters, which are added to `factors`: m, s^-2."""
    if isinstance(node, Product):
        return all(_unit_letters(factor, power, factors) for factor in node.factors)
    if isinstance(node, Power) and isinstance(node.exponent, Number) and node.exponent.value.denominator == 1:
        return _unit_letters(node.base, power * int(node.exponent.value), factors)
    name = "Ohm" if node == Symbol("Omega") else "l" if node == Symbol("L") else getattr(node, "name", "")
    if isinstance(node, Symbol) and (name == "Ohm" or name in SINGLE_LETTERS):
        factors.append((name, power))
        return True
    return False


def _in_numbers(node: Node) -> Node:
    """A percentage or an angle in degrees as a plain number."""
    if not isinstance(node, Quantity):
        return node
    if node.unit == "rad":
        return node.value
    if node.unit == "%":
        if isinstance(node.value, Number):
            number = node.value
            decimals = None if number.decimals is None else number.decimals + 2
            return Number(number.value / 100, decimals, number.significant)
        return Product((node.value, Number(Fraction(1, 100))))
    return Product((node.value, Constant("pi"), Number(Fraction(1, 180))))


def _in_degrees(node: Node, unit: str) -> Node:
    """The number of degrees of an angle; one without a unit is in radians."""
    if isinstance(node, Quantity):
        return node.value
    return node if unit else Product((node, Number(Fraction(180)), Power(Constant("pi"), integer(-1))))


def _as_decimal(node: Node) -> Node:
    """2.31 times 10^-3 as the decimal 0.00231; other nodes as they are."""
    if not isinstance(node, Product) or len(node.factors) != 2:
        return node
    digits, power = node.factors
    if not isinstance(digits, Number) or digits.decimals is None or not isinstance(power, Power):
        return node
    exponent = power.exponent
    if power.base != integer(10) or not isinstance(exponent, Number) or abs(exponent.value) > MAX_SCIENTIFIC_EXPONENT:
        return node
    if exponent.value.denominator != 1 or digits.decimals < exponent.value:
        return node
    shift = int(exponent.value)
    return Number(digits.value * Fraction(10) ** shift, digits.decimals - shift, digits.significant)


def _rounds_to(given: Node, wanted: Node) -> bool:
    """Whether `given` is the value that `wanted`, a decimal, was rounded from, or its full-precision print-out."""
    given, wanted = _as_decimal(given), _as_decimal(wanted)
    if isinstance(wanted, Number) and wanted.decimals is not None:
        if not _tells_enough(wanted, wanted.decimals) or (isinstance(given, Number) and _is_shorter(given, wanted)):
            return False
        return _distance(given, wanted.value, Fraction(1, 2 * 10**wanted.decimals))
    if isinstance(given, Number) and given.decimals is not None and given.significant >= FULL_PRECISION_DIGITS:
        return _prints(given, given.decimals, wanted)
    return False


def _tells_enough(number: Number, decimals: int) -> bool:
    """Whether a decimal has digits enough to be a rounded value."""
    return number.significant >= 2 and (decimals >= 2 or number.significant >= 3)


def _is_shorter(given: Number, wanted: Number) -> bool:
    """Whether a number is whole, or has no more decimals than the one it is compared with: it was not rounded then."""
    if given.decimals is None:
        return given.value.denominator == 1
    return wanted.decimals is not None and given.decimals <= wanted.decimals


def _prints(given: Number, decimals: int, wanted: Node) -> bool:
    """Whether a decimal with all its digits is the printed form of an exact value that has no finite decimal."""
    if any(isinstance(part, Number) and part.decimals is not None for part in walk(wanted)):
        return False
    value = exact.rational(wanted)
    if value is not None and _terminates(value):
        return False
    slack = max(Fraction(2, 10**decimals), abs(given.value) * Fraction(4, 10**16))
    return _distance(wanted, given.value, slack)


def _distance(node: Node, target: Fraction, limit: Fraction) -> bool:
    value = exact.rational(node)
    if value is None:
        if symbols(node):
            return False
        number = approx.value_of(node)
        if number is None or abs(number.imag) > 1e-12 * abs(number.real):
            return False
        value = Fraction(number.real)
    return abs(value - target) <= limit * (1 + Fraction(1, 10**6))


def _terminates(value: Fraction) -> bool:
    """Whether a rational number has a finite decimal."""
    bottom = value.denominator
    for prime in (2, 5):
        while bottom % prime == 0:
            bottom //= prime
    return bottom == 1


def proportional(left: Node, right: Node, names: set[str], decide: Callable[[Node, Node], Truth]) -> tuple[Truth, int]:
    """Whether left = c * right for a constant c, and the sign of c (0 when unknown)."""
    for point in _integer_points(names):
        first, second = _at(left, point), _at(right, point)
        first_value, second_value = approx.value_of(first), approx.value_of(second)
        if not first_value or not second_value or abs(first_value) < 1e-9 or abs(second_value) < 1e-9:
            continue
        truth = decide(Product((left, second)), Product((right, first)))
        ratio = (first_value / second_value).real
        return truth, 1 if ratio > 0 else -1
    return decide(left, right), 1


def _integer_points(names: set[str]) -> list[dict[str, int]]:
    primes = (2, 3, 5, 7, 11, 13, 17, 19)
    return [
        {name: primes[(index + shift) % len(primes)] + 2 * shift for index, name in enumerate(sorted(names))}
        for shift in range(4)
    ]


def _at(node: Node, point: dict[str, int]) -> Node:
    for name, value in point.items():
        node = rewrite(node, Symbol(name), integer(value))
    return node


def difference(left: Node, right: Node) -> Node:
    return Sum((left, Product((integer(-1), right))))


__all__ = [
    "FULL_PRECISION_DIGITS",
    "Power",
    "Scalars",
    "Truth",
    "both",
    "decide",
    "difference",
    "either",
    "proportional",
]
