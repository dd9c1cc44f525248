"""Values to any number of digits with mpmath, and a proof that a constant is zero. Loaded in worker processes only."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import mpmath
from mpmath import mp

from s1_tasks.answers.algebra.approx import NoValue
from s1_tasks.answers.algebra.exact import form_of
from s1_tasks.answers.algebra.functions import turn_of
from s1_tasks.answers.algebra.polynomials import Expander, TooBig, Undefined
from s1_tasks.answers.tree.nodes import MINUS_ONE, Call, Constant, Node, Number, Power, Product, Quantity, Sum, Symbol

MAX_EXPONENT_BITS = 10_000_000
MAX_PROOF_BITS = 30_000
_UNKNOWN_FUNCTIONS = "a function that is not known"


class PreciseEvaluator:
    """The value of a tree at a point, in mpmath's current precision. `real` as in `approx.Evaluator`."""

    def __init__(self, point: Mapping[str, Any], *, real: bool) -> None:
        self._point = point
        self._real = real

    def evaluate(self, node: Node) -> Any:
        """An mpf or mpc; raises NoValue."""
        try:
            value = self._evaluate(node)
        except (ValueError, ZeroDivisionError, OverflowError, mp.NoConvergence) as failure:
            raise NoValue(str(failure)) from failure
        if not mpmath.isfinite(value):
            raise NoValue("not finite")
        return value

    def _evaluate(self, node: Node) -> Any:
        evaluate = _EVALUATED.get(type(node))
        if evaluate is None:
            raise NoValue(f"{type(node).__name__} is no number")
        return evaluate(self, node)

    def _number(self, node: Number) -> Any:
        return mpmath.mpf(node.value.numerator) / node.value.denominator

    def _symbol(self, node: Symbol) -> Any:
        return self._point[node.name]

    def _constant(self, node: Constant) -> Any:
        constants = {"pi": mp.pi, "e": mp.e, "i": mpmath.mpc(0, 1)}
        if node.name not in constants:
            raise NoValue(node.name)
        return +constants[node.name]

    def _sum(self, node: Sum) -> Any:
        return mpmath.fsum(self._evaluate(term) for term in node.terms)

    def _product(self, node: Product) -> Any:
        return mpmath.fprod(self._evaluate(factor) for factor in node.factors)

    def _raised(self, node: Power) -> Any:
        return self._power(self._evaluate(node.base), node.exponent)

    def _quantity(self, node: Quantity) -> Any:
        scale = {"%": mpmath.mpf(1) / 100, "degree": mp.pi / 180}.get(node.unit, 1)
        return self._evaluate(node.value) * scale

    def _power(self, base: Any, exponent_node: Node) -> Any:
        exponent = self._evaluate(exponent_node)
        if base == 0:
            if mpmath.re(exponent) <= 0:
                raise NoValue("zero to a power")
            return mpmath.mpf(0)
        if abs(exponent) * abs(mpmath.log(abs(base), 2)) > MAX_EXPONENT_BITS:
            raise NoValue("a number of too many digits")
        negative = mpmath.im(base) == 0 and mpmath.re(base) < 0
        if negative and isinstance(exponent_node, Number) and exponent_node.value.denominator > 1:
            if exponent_node.value.denominator % 2:
                root = mpmath.power(-base, exponent)
                return -root if exponent_node.value.numerator % 2 else root
            if self._real:
                raise NoValue("not real")
        elif negative and self._real and exponent != int(mpmath.nint(mpmath.re(exponent))):
            raise NoValue("not real")
        return mpmath.power(base, exponent)

    def _call(self, node: Call) -> Any:
        if node.name == "root" and len(node.arguments) == 2:
            index = node.arguments[1]
            exponent = Number(1 / index.value) if isinstance(index, Number) and index.value else Power(index, MINUS_ONE)
            return self._power(self._evaluate(node.arguments[0]), exponent)
        values = [self._evaluate(argument) for argument in node.arguments]
        if node.name == "log" and len(values) == 2:
            return self._function("ln", values[:1]) / self._function("ln", values[1:])
        return self._function("ln" if node.name == "log" else node.name, values)

    def _function(self, name: str, values: list[Any]) -> Any:
        function = _FUNCTIONS.get(name)
        if function is None:
            raise NoValue(_UNKNOWN_FUNCTIONS)
        if name == "factorial" and abs(values[0]) > 10**7:
            raise NoValue("a large factorial")
        value = function(*values)
        if self._real and mpmath.im(value) != 0:
            raise NoValue("not real")
        return value


_EVALUATED: dict[type, Callable[[PreciseEvaluator, Any], Any]] = {
    Number: PreciseEvaluator._number,
    Symbol: PreciseEvaluator._symbol,
    Constant: PreciseEvaluator._constant,
    Sum: PreciseEvaluator._sum,
    Product: PreciseEvaluator._product,
    Power: PreciseEvaluator._raised,
    Quantity: PreciseEvaluator._quantity,
    Call: PreciseEvaluator._call,
}
_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "sin": mpmath.sin, "cos": mpmath.cos, "tan": mpmath.tan, "cot": mpmath.cot, "sec": mpmath.sec, "csc": mpmath.csc,
    "sinh": mpmath.sinh, "cosh": mpmath.cosh, "tanh": mpmath.tanh, "coth": mpmath.coth, "sech": mpmath.sech,
    "csch": mpmath.csch, "arcsin": mpmath.asin, "arccos": mpmath.acos, "arctan": mpmath.atan,
    "arccot": lambda z: mp.pi / 2 - mpmath.atan(z), "arcsec": mpmath.asec, "arccsc": mpmath.acsc,
    "arsinh": mpmath.asinh, "arcosh": mpmath.acosh, "artanh": mpmath.atanh, "ln": mpmath.log, "abs": abs,
    "conjugate": mpmath.conj, "Re": mpmath.re, "Im": mpmath.im, "arg": mpmath.arg, "floor": mpmath.floor,
    "ceil": mpmath.ceil, "sgn": mpmath.sign, "factorial": mpmath.factorial, "binom": mpmath.binomial, "max": max,
    "min": min, "root": mpmath.root,
}  # fmt: skip


def proved_zero(node: Node) -> bool:
    """Whether an algebraic constant is provably zero.

    An expression of integers, roots, i and cosines of rational multiples of pi that is not zero is at least
    1 / (u^(D-1) l) in size (the BFMSS separation bound: Burnikel, Funke, Mehlhorn, Schirra, Schmitt 2009), so a value
    computed to more digits than that which still vanishes is zero.
    """
    bound = _Bound()
    try:
        upper, lower = bound.of(node)
        bits = (bound.degree() - 1) * max(upper, 0.0) + max(lower, 0.0) + 8
    except NoValue:
        return False
    if bits > MAX_PROOF_BITS:
        return False
    with mp.workprec(int(bits) + 128):
        try:
            value = PreciseEvaluator({}, real=False).evaluate(node)
        except NoValue:
            return False
        return bool(abs(value) < mpmath.mpf(2) ** (-int(bits) - 1))


class _Bound:
    """log2 of (u, l) of the separation bound, and the degree D, collected over one tree.

    Roots extend the field by their index; i and all the angles together by one cyclotomic field.
    """

    def __init__(self) -> None:
        self._roots = 1.0
        self._conductor = 1
        self._seen: set[Node] = set()

    def degree(self) -> float:
        if self._conductor > 10_000:
            raise NoValue("angles of a large field")
        return self._roots * sum(math.gcd(k, self._conductor) == 1 for k in range(self._conductor))

    def of(self, node: Node) -> tuple[float, float]:
        """(log2 u, log2 l) of a constant; raises NoValue for one that is not algebraic."""
        bound = _BOUNDS.get(type(node))
        if bound is None:
            raise NoValue("not algebraic")
        return bound(self, node)

    def _number(self, node: Number) -> tuple[float, float]:
        return _log2(abs(node.value.numerator)), _log2(node.value.denominator)

    def _constant(self, node: Constant) -> tuple[float, float]:
        if node.name != "i":
            raise NoValue("not algebraic")
        self._conductor = math.lcm(self._conductor, 4)
        return 0.0, 0.0

    def _sum(self, node: Sum) -> tuple[float, float]:
        upper, lower = self.of(node.terms[0])
        for term in node.terms[1:]:
            other_upper, other_lower = self.of(term)
            upper = max(upper + other_lower, lower + other_upper) + 1
            lower += other_lower
        return upper, lower

    def _product(self, node: Product) -> tuple[float, float]:
        parts = [self.of(factor) for factor in node.factors]
        return sum(part[0] for part in parts), sum(part[1] for part in parts)

    def _raised(self, node: Power) -> tuple[float, float]:
        if not isinstance(node.exponent, Number):
            raise NoValue("not algebraic")
        return self._power(node, node.base, node.exponent)

    def _call(self, node: Call) -> tuple[float, float]:
        if node.name in ("sin", "cos", "tan"):
            return self._trigonometric(node)
        index = node.arguments[1] if node.name == "root" else None
        if not isinstance(index, Number) or not index.value:
            raise NoValue("not algebraic")
        return self._power(node, node.arguments[0], Number(1 / index.value))

    def _power(self, node: Node, base: Node, exponent: Number) -> tuple[float, float]:
        upper, lower = self.of(base)
        count = abs(exponent.value.numerator)
        upper, lower = upper * count, lower * count
        index = exponent.value.denominator
        if index > 1:
            self._extend(node, index)
            if upper >= lower:
                upper = (upper + (index - 1) * lower) / index
            else:
                lower = (lower + (index - 1) * upper) / index
        return (lower, upper) if exponent.value < 0 else (upper, lower)

    def _trigonometric(self, node: Call) -> tuple[float, float]:
        try:
            turn = turn_of(form_of(Expander(), node.arguments[0]))
        except (TooBig, Undefined) as failure:
            raise NoValue(str(failure)) from failure
        if turn is None:
            raise NoValue("not algebraic")
        self._conductor = math.lcm(self._conductor, 4, 2 * turn.denominator)
        return (2.0, 2.0) if node.name == "tan" else (1.0, 1.0)

    def _extend(self, node: Node, degree: float) -> None:
        if node not in self._seen:
            self._seen.add(node)
            self._roots *= degree


_BOUNDS: dict[type, Callable[[_Bound, Any], tuple[float, float]]] = {
    Number: _Bound._number,
    Constant: _Bound._constant,
    Sum: _Bound._sum,
    Product: _Bound._product,
    Power: _Bound._raised,
    Call: _Bound._call,
}


def _log2(value: int) -> float:
    return math.log2(value) if value else 0.0
