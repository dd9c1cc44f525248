"""Floating-point values with error bounds: a cheap, safe way to see that two expressions differ.

`evaluate` returns a value and a bound on its error, so that cancellation or a huge intermediate result never makes
equal expressions look different. Agreement within the bounds proves nothing; other modules decide then.

Expressions with variables are compared at fixed points (both signs). They are meant over the reals: a point where a
side is not real there (a root or logarithm of a negative number) is left out, unless the expression contains i.
"""

from __future__ import annotations

import cmath
import math
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from s1_tasks.answers.tree.nodes import (
    MINUS_ONE,
    Call,
    Constant,
    Node,
    Number,
    PlusMinus,
    Power,
    Product,
    Quantity,
    Sum,
    Symbol,
    symbols,
    walk,
)

Value = complex
_EPSILON = 2.0**-50
_SAMPLES = 6


class NoValue(ArithmeticError):
    """No finite value here (division by zero, overflow, outside the real domain, or no number at all)."""


class Evaluator:
    """`real`: roots and logarithms of negative numbers have no value (odd roots are real); else principal values."""

    def __init__(self, point: Mapping[str, complex], *, real: bool) -> None:
        self._point = point
        self._real = real

    def evaluate(self, node: Node) -> tuple[Value, float]:
        """(value, bound on its absolute error); raises NoValue."""
        try:
            value, error = self._evaluate(node)
        except (OverflowError, ZeroDivisionError, ValueError, RecursionError) as failure:
            raise NoValue(str(failure)) from failure
        if not (cmath.isfinite(value) and math.isfinite(error)):
            raise NoValue("not finite")
        return value, error

    def _evaluate(self, node: Node) -> tuple[Value, float]:
        evaluate = _EVALUATED.get(type(node))
        if evaluate is None:
            raise NoValue(f"{type(node).__name__} is no number")
        return evaluate(self, node)

    def _number(self, node: Number) -> tuple[Value, float]:
        literal = float(node.value)
        if literal == 0 and node.value:
            raise NoValue("underflow")
        return literal, abs(literal) * 2**-52

    def _symbol(self, node: Symbol) -> tuple[Value, float]:
        return self._point[node.name], 0.0

    def _constant(self, node: Constant) -> tuple[Value, float]:
        return _constant(node.name)

    def _sum(self, node: Sum) -> tuple[Value, float]:
        total, error = 0j, 0.0
        for term in node.terms:
            value, bound = self._evaluate(term)
            total += value
            error += bound + _EPSILON * (abs(total) + abs(value))
        return total, error

    def _product(self, node: Product) -> tuple[Value, float]:
        total, error = 1 + 0j, 0.0
        for factor in node.factors:
            value, bound = self._evaluate(factor)
            error = abs(total) * bound + abs(value) * error + error * bound + _EPSILON * abs(total * value)
            if total * value == 0 and total != 0 and value != 0:
                raise NoValue("underflow")
            total *= value
        return total, error

    def _quantity(self, node: Quantity) -> tuple[Value, float]:
        value, bound = self._evaluate(node.value)
        scale = _SCALES.get(node.unit, 1.0)
        return value * scale, (bound + _EPSILON * abs(value)) * scale

    def _power(self, node: Power) -> tuple[Value, float]:
        base, base_error = self._evaluate(node.base)
        if isinstance(node.exponent, Number):
            exact = node.exponent.value
            if exact.denominator == 1 and abs(exact.numerator) < 10**6:
                return _whole_power(base, base_error, int(exact))
            if base.imag == 0 and base.real < 0 and exact.denominator % 2:
                value, bound = self._general_power(-base, base_error, float(exact), 0.0)
                return (-value if exact.numerator % 2 else value), bound
        return self._general_power(base, base_error, *self._evaluate(node.exponent))

    def _general_power(
        self, base: Value, base_error: float, exponent: Value, exponent_error: float
    ) -> tuple[Value, float]:
        if abs(base) <= base_error:
            if base == 0 and base_error == 0 and exponent.real > 0:
                return 0.0, 0.0
            if exponent.real > 0:
                return 0.0, float((abs(base) + base_error) ** exponent.real)
            raise NoValue("zero to a power")
        if self._real and base.real < 0 and abs(base.imag) <= base_error:
            raise NoValue("not real")
        logarithm = cmath.log(base)
        value = cmath.exp(exponent * logarithm)
        if value == 0:
            raise NoValue("underflow")
        relative = base_error / abs(base)
        spread = abs(exponent) * (relative * 1.5 + _EPSILON) + exponent_error * (abs(logarithm) + relative) + _EPSILON
        if spread > 0.5:
            raise NoValue("no precision left")
        return value, abs(value) * 2 * (spread + _EPSILON)

    def _call(self, node: Call) -> tuple[Value, float]:
        if node.name == "root" and len(node.arguments) == 2:
            return self._root(*node.arguments)
        parts = [self._evaluate(argument) for argument in node.arguments]
        if node.name == "log" and len(parts) == 2:
            return self._logarithm(*parts)
        name = "ln" if node.name == "log" else node.name
        known = _KNOWN.get(name)
        if known is not None and len(parts) == 1:
            return self._apply(name, known, *parts[0])
        several = _SEVERAL.get(node.name)
        if several is not None and (len(parts) == 2 or node.name in ("max", "min")):
            value = several(*(part[0] for part in parts))
            return value, _EPSILON * abs(value) * 64 + sum(part[1] for part in parts) * max(1.0, abs(value)) * 4
        if node.name in _UNSUPPORTED:
            raise NoValue(node.name)
        return _unknown_function(node.name, parts)

    def _root(self, inside: Node, index: Node) -> tuple[Value, float]:
        exponent = Number(1 / index.value) if isinstance(index, Number) and index.value else Power(index, MINUS_ONE)
        return self._power(Power(inside, exponent))

    def _logarithm(self, argument: tuple[Value, float], base: tuple[Value, float]) -> tuple[Value, float]:
        top, bottom = self._apply("ln", _KNOWN["ln"], *argument), self._apply("ln", _KNOWN["ln"], *base)
        if abs(bottom[0]) <= 2 * bottom[1]:
            raise NoValue("logarithm to base 1")
        value = top[0] / bottom[0]
        return value, 2 * (top[1] + abs(value) * bottom[1]) / abs(bottom[0])

    def _apply(self, name: str, function: Callable[[Value], Value], value: Value, error: float) -> tuple[Value, float]:
        if self._real and name in _REAL_DOMAINS and not _REAL_DOMAINS[name](value.real, error):
            raise NoValue("not real")
        if name in ("floor", "ceil", "sgn"):
            result = function(value)
            if error and abs(value.real - round(value.real)) <= error:
                raise NoValue("a jump")
            return result, 0.0
        result = function(value)
        step = max(error, 1e-9 * max(1.0, abs(value)))
        try:
            slope = max(abs(function(value + step) - result), abs(function(value - step) - result)) / step
        except (ValueError, ZeroDivisionError, OverflowError):
            slope = (1 + abs(result)) / max(step, 1e-12)
        return result, 2 * slope * (error + _EPSILON * abs(value)) + 4 * _EPSILON * abs(result)


_SCALES = {"%": 0.01, "degree": math.pi / 180}
_EVALUATED: dict[type, Callable[[Evaluator, Any], tuple[Value, float]]] = {
    Number: Evaluator._number,
    Symbol: Evaluator._symbol,
    Constant: Evaluator._constant,
    Sum: Evaluator._sum,
    Product: Evaluator._product,
    Power: Evaluator._power,
    Quantity: Evaluator._quantity,
    Call: Evaluator._call,
}


def _whole_power(base: Value, base_error: float, count: int) -> tuple[Value, float]:
    if abs(base) <= base_error and count < 0:
        raise NoValue("division by what may be zero")
    value = base**count
    if value == 0 and base != 0:
        raise NoValue("underflow")
    relative = base_error / abs(base) if base else 0.0
    if count < 0 and relative > 0.1:
        raise NoValue("division by what may be zero")
    near_zero = base_error if count > 0 and abs(base) <= 10 * base_error else 0.0
    return value, abs(value) * (abs(count) * relative * 1.2 + _EPSILON * (2 + abs(count))) + near_zero


def _constant(name: str) -> tuple[Value, float]:
    if name == "pi":
        return math.pi, 2e-16
    if name == "e":
        return math.e, 2e-16
    if name == "i":
        return 1j, 0.0
    raise NoValue(name)


def _real_only(function: Callable[[float], float]) -> Callable[[Value], Value]:
    def value(argument: Value) -> Value:
        if abs(argument.imag) > 1e-9 * max(1.0, abs(argument.real)):
            raise NoValue("not real")
        return complex(function(argument.real))

    return value


def _gamma(argument: float) -> float:
    return math.gamma(argument + 1)


_KNOWN: dict[str, Callable[[Value], Value]] = {
    "sin": cmath.sin, "cos": cmath.cos, "tan": cmath.tan, "sinh": cmath.sinh, "cosh": cmath.cosh, "tanh": cmath.tanh,
    "arcsin": cmath.asin, "arccos": cmath.acos, "arctan": cmath.atan, "arsinh": cmath.asinh, "arcosh": cmath.acosh,
    "artanh": cmath.atanh, "ln": cmath.log, "cot": lambda z: 1 / cmath.tan(z), "sec": lambda z: 1 / cmath.cos(z),
    "csc": lambda z: 1 / cmath.sin(z), "coth": lambda z: 1 / cmath.tanh(z), "sech": lambda z: 1 / cmath.cosh(z),
    "csch": lambda z: 1 / cmath.sinh(z), "arccot": lambda z: cmath.pi / 2 - cmath.atan(z),
    "arcsec": lambda z: cmath.acos(1 / z), "arccsc": lambda z: cmath.asin(1 / z), "abs": lambda z: complex(abs(z)),
    "conjugate": lambda z: complex(z).conjugate(), "Re": lambda z: complex(z.real), "Im": lambda z: complex(z.imag),
    "arg": lambda z: complex(cmath.phase(z)), "floor": _real_only(math.floor), "ceil": _real_only(math.ceil),
    "factorial": _real_only(_gamma), "sgn": _real_only(lambda x: (x > 0) - (x < 0)),
}  # fmt: skip
_REAL_DOMAINS: dict[str, Callable[[float, float], bool]] = {
    "ln": lambda x, error: x > -error,
    "arcsin": lambda x, error: abs(x) <= 1 + error,
    "arccos": lambda x, error: abs(x) <= 1 + error,
    "arcosh": lambda x, error: x >= 1 - error,
    "artanh": lambda x, error: abs(x) <= 1 + error,
}


def _binomial(top: Value, bottom: Value) -> Value:
    return complex(math.gamma(top.real + 1) / (math.gamma(bottom.real + 1) * math.gamma(top.real - bottom.real + 1)))


_SEVERAL: dict[str, Callable[..., Value]] = {
    "max": lambda *values: complex(max(value.real for value in values)),
    "min": lambda *values: complex(min(value.real for value in values)),
    "binom": _binomial,
    "mod": lambda a, b: complex(math.fmod(math.fmod(a.real, b.real) + b.real, b.real)),
}
_UNSUPPORTED = frozenset({"gcd", "lcm", "det"})


def _unknown_function(name: str, parts: list[tuple[Value, float]]) -> tuple[Value, float]:
    """Some fixed smooth function of the arguments, another one for every name."""
    seed = zlib.crc32(name.encode()) % 1000 / 500
    total, error = 0j, 0.0
    for index, (value, bound) in enumerate(parts):
        total += (1.3 + seed + index) * value
        error += (4 + index) * bound
    slope = 2 * abs(cmath.cos(total)) + 2
    return 2 * cmath.sin(total) + seed + total / 3, slope * error + _EPSILON * (4 + abs(total)) * slope


def _is_known(name: str) -> bool:
    return name in _KNOWN or name in _SEVERAL or name in ("root", "log")


def takes_complex_apart(*nodes: Node) -> bool:
    """Whether a conjugate, a real or an imaginary part of a variable is asked for, which is complex then."""
    return any(
        isinstance(part, Call) and part.name in ("conjugate", "Re", "Im", "arg") and symbols(part)
        for node in nodes
        for part in walk(node)
    )


def points(names: set[str], *, complex_values: bool = False) -> Iterator[dict[str, complex]]:
    """Fixed sample points: the first positive, then with mixed signs; or complex."""
    for sample in range(_SAMPLES if names else 1):
        point: dict[str, complex] = {}
        for name in names:
            seed = zlib.crc32(f"{sample} {name}".encode())
            size = 0.35 + (seed % 10_007) / 10_007 * 2.1
            point[name] = -size if sample >= 2 and seed // 10_007 % 2 else size
            if complex_values:
                point[name] += 1j * (0.4 + seed % 5_003 / 5_003)
        yield point


def differ(left: Node, right: Node) -> bool | None:
    """True: different for certain. False: they agree at every sample point (no proof). None: nothing to compare."""
    parts = [*walk(left), *walk(right)]
    if any(isinstance(part, PlusMinus) for part in parts):
        return None
    names = {part.name for part in parts if isinstance(part, Symbol)}
    complex_values = takes_complex_apart(left, right)
    modes = (False,) if complex_values or Constant("i") in parts else (True, False)
    for real in modes:
        compared = 0
        for point in points(names, complex_values=complex_values):
            evaluator = Evaluator(point, real=real)
            try:
                first, second = evaluator.evaluate(left), evaluator.evaluate(right)
            except NoValue:
                continue
            compared += 1
            if _apart(first, second):
                return True
        if compared:
            return False
    return None


def _apart(left: tuple[Value, float], right: tuple[Value, float]) -> bool:
    """Whether two values with their error bounds are different numbers for certain."""
    (first, first_error), (second, second_error) = left, right
    bound = 4 * (first_error + second_error)
    gap, size = abs(first - second), abs(first) + abs(second)
    return (gap > bound and bound < 0.01 * (size + 1e-300)) or gap > bound + 0.1 * size


def value_of(node: Node) -> complex | None:
    """The value of an expression without variables and unknown functions, or None."""
    if any(isinstance(part, Symbol) or (isinstance(part, Call) and not _is_known(part.name)) for part in walk(node)):
        return None
    for real in (True, False):
        try:
            value, error = Evaluator({}, real=real).evaluate(node)
        except NoValue:
            continue
        return value if error <= 1e-6 * max(1e-6, abs(value)) else None
    return None
