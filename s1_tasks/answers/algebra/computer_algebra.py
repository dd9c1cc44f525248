"""Deciding with sympy and mpmath what the in-process algebra leaves open. Loaded in worker processes only.

Two expressions count as equal when their values agree to 100 digits at every sample point, and a proof is looked for:
exact expansion, the separation bound for algebraic constants, sympy's simplification of the difference. Agreement to
100 digits without a proof still counts (answers in benchmarks do not differ that late) and the reason says so. Two
expressions that differ at any point are different.
"""

from __future__ import annotations

import re
import signal
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from typing import Any

import mpmath
import sympy
from mpmath import mp

from s1_tasks.answers.algebra import real_line, single_values
from s1_tasks.answers.algebra.approx import NoValue, points, takes_complex_apart
from s1_tasks.answers.algebra.precise import PreciseEvaluator, proved_zero
from s1_tasks.answers.algebra.single_values import Truth, difference
from s1_tasks.answers.tree.nodes import (
    Call,
    Constant,
    Node,
    Number,
    Power,
    Product,
    Quantity,
    Relation,
    Sum,
    Symbol,
    integer,
    symbols,
    walk,
)

DIGITS = 150
AGREEING_DIGITS = 100
PROOF_CPU_SECONDS = 0.2
"""The search for a proof stops then; it only changes the reason that is given."""


class Algebra:
    """`decide` and `solve` for a `Comparer`; `evidence` says how the last equality was found."""

    def __init__(self) -> None:
        self.evidence = "the same by exact algebra"

    def decide(self, left: Node, right: Node) -> Truth:
        quick = single_values.decide(left, right)
        if quick is not None:
            return quick
        agree = _agree(left, right)
        if agree is not True:
            return agree
        gap = difference(left, right)
        if not symbols(gap) and proved_zero(gap):
            self.evidence = "equal: the difference is below the separation bound of algebraic numbers"
        elif _simplifies_to_zero(gap):
            self.evidence = "equal: sympy simplifies the difference to zero"
        else:
            self.evidence = f"equal to {AGREEING_DIGITS} digits at every sample point, without a proof"
        return True

    def solve(self, relation: Relation, name: str) -> list[real_line.Piece]:
        """The real solutions of one inequality in one variable."""
        variable = sympy.Symbol(name, real=True)
        try:
            sides = [to_sympy(side, {name: variable}) for side in relation.sides]
            comparison = _RELATIONS[relation.operators[0]](*sides)
            if comparison in (True, False):
                raise real_line.NotReal
            found = sympy.solveset(comparison, variable, sympy.S.Reals)
            return _pieces(found)
        except (NotImplementedError, ValueError, TypeError, NoValue, AttributeError) as failure:
            raise real_line.NotReal(str(failure)) from failure


_RELATIONS = {"<": sympy.Lt, "<=": sympy.Le, ">": sympy.Gt, ">=": sympy.Ge, "!=": sympy.Ne, "=": sympy.Eq}


def _agree(left: Node, right: Node) -> Truth:
    """Whether two expressions agree to 100 digits at the sample points; None when no point can be compared."""
    names = symbols(left) | symbols(right)
    imaginary = any(part == Constant("i") for side in (left, right) for part in walk(side))
    with mp.workdps(DIGITS):
        limit = mpmath.mpf(10) ** -AGREEING_DIGITS
        complex_values = takes_complex_apart(left, right)
        for real in (False,) if imaginary or complex_values else (True, False):
            compared = 0
            for point in points(names, complex_values=complex_values):
                # sample values as exact as the comparison: a float is a short binary fraction
                exact = {name: mpmath.mpmathify(value) for name, value in point.items()}
                evaluator = PreciseEvaluator(exact, real=real)
                try:
                    first, second = evaluator.evaluate(left), evaluator.evaluate(right)
                except NoValue:
                    continue
                compared += 1
                if abs(first - second) > limit * max(abs(first), abs(second), mpmath.mpf(10) ** -DIGITS * 10):
                    return False if not (abs(first) + abs(second) < limit) else None
            if compared:
                return True
    return None


class _OutOfTime(BaseException):
    """Not an Exception, so that no handler inside sympy swallows it."""


@contextmanager
def _cpu_limit(seconds: float) -> Iterator[None]:
    """Abandon what runs inside after so much CPU time (main thread only); a second, hard limit kills the worker."""

    def stop(signal_number: int, frame: object) -> None:
        raise _OutOfTime

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def _simplifies_to_zero(gap: Node) -> bool:
    try:
        with _cpu_limit(PROOF_CPU_SECONDS):
            return _simplify(gap)
    except _OutOfTime:
        return False


def _simplify(gap: Node) -> bool:
    assumed = {"complex": True} if takes_complex_apart(gap) else {"positive": True}
    names = {name: sympy.Symbol(f"x{index}", **assumed) for index, name in enumerate(sorted(symbols(gap)))}
    try:
        expression = to_sympy(gap, names)
        for attempt in (
            sympy.expand,
            sympy.radsimp,
            sympy.trigsimp,
            lambda e: sympy.expand(e.rewrite(sympy.exp)),
            sympy.simplify,
        ):
            expression = attempt(expression)
            if expression == 0:
                return True
    except (NoValue, NotImplementedError, ValueError, TypeError, AttributeError, ArithmeticError, RecursionError):
        # sympy fails on some expressions in ways that say nothing about them
        return False
    return False


_FUNCTIONS: dict[str, Any] = {
    "sin": sympy.sin, "cos": sympy.cos, "tan": sympy.tan, "cot": sympy.cot, "sec": sympy.sec, "csc": sympy.csc,
    "sinh": sympy.sinh, "cosh": sympy.cosh, "tanh": sympy.tanh, "coth": sympy.coth, "arcsin": sympy.asin,
    "arccos": sympy.acos, "arctan": sympy.atan, "arccot": sympy.acot, "arsinh": sympy.asinh, "arcosh": sympy.acosh,
    "artanh": sympy.atanh, "ln": sympy.log, "log": sympy.log, "abs": sympy.Abs, "floor": sympy.floor,
    "ceil": sympy.ceiling, "factorial": sympy.factorial, "binom": sympy.binomial, "conjugate": sympy.conjugate,
    "Re": sympy.re, "Im": sympy.im, "max": sympy.Max, "min": sympy.Min,
}  # fmt: skip
_CONSTANTS = {"pi": sympy.pi, "e": sympy.E, "i": sympy.I, "infinity": sympy.oo}


def to_sympy(node: Node, names: dict[str, Any]) -> Any:
    """A sympy expression built node by node (no text is ever handed to sympy); raises NoValue."""
    convert = _CONVERTED.get(type(node))
    if convert is None:
        raise NoValue(f"no sympy form of {node}")
    return convert(node, names)


def _constant_to_sympy(node: Constant, names: dict[str, Any]) -> Any:
    if node.name not in _CONSTANTS:
        raise NoValue(f"no sympy form of {node}")
    return _CONSTANTS[node.name]


def _quantity_to_sympy(node: Quantity, names: dict[str, Any]) -> Any:
    scale = {"%": sympy.Rational(1, 100), "degree": sympy.pi / 180}.get(node.unit, sympy.Integer(1))
    return to_sympy(node.value, names) * scale


def _call_to_sympy(node: Call, names: dict[str, Any]) -> Any:
    arguments = [to_sympy(argument, names) for argument in node.arguments]
    if node.name == "root":
        return sympy.real_root(*arguments) if arguments[1].is_odd else _sympy_power(arguments[0], 1 / arguments[1])
    if node.name not in _FUNCTIONS:
        raise NoValue(f"no sympy form of {node}")
    if node.name == "factorial" and arguments[0].is_number and arguments[0] > 10_000:
        raise NoValue("a large factorial")
    return _FUNCTIONS[node.name](*arguments)


_CONVERTED: dict[type, Callable[[Any, dict[str, Any]], Any]] = {
    Number: lambda node, names: sympy.Rational(node.value.numerator, node.value.denominator),
    Symbol: lambda node, names: names[node.name],
    Constant: _constant_to_sympy,
    Sum: lambda node, names: sympy.Add(*(to_sympy(term, names) for term in node.terms)),
    Product: lambda node, names: sympy.Mul(*(to_sympy(factor, names) for factor in node.factors)),
    Power: lambda node, names: _sympy_power(to_sympy(node.base, names), to_sympy(node.exponent, names)),
    Quantity: _quantity_to_sympy,
    Call: _call_to_sympy,
}


def _sympy_power(base: Any, exponent: Any) -> Any:
    if exponent.is_number and base.is_number and abs(mpmath.mpf(exponent.evalf(15).as_real_imag()[0])) > 2_000:
        return sympy.Pow(base, exponent, evaluate=False)
    return sympy.Pow(base, exponent)


def _pieces(found: Any) -> list[real_line.Piece]:
    """sympy's set -> pieces."""
    if found is sympy.S.EmptySet:
        return []
    if isinstance(found, sympy.Interval):
        low, high = (real_line.bound(from_sympy(end), True) for end in (found.start, found.end))
        return [
            real_line.Piece(
                real_line.Bound(low.node, low.value, low.closed and not found.left_open),
                real_line.Bound(high.node, high.value, high.closed and not found.right_open),
            )
        ]
    if isinstance(found, sympy.FiniteSet):
        return real_line.union(*([real_line.point(from_sympy(item))] for item in found))
    if isinstance(found, sympy.Union):
        return real_line.union(*(_pieces(part) for part in found.args))
    raise real_line.NotReal(f"a set of type {type(found).__name__}")


def from_sympy(expression: Any) -> Node:
    """A tree from the few expressions that solutions consist of; raises NoValue."""
    if expression.is_Rational:
        return Number(Fraction(int(expression.p), int(expression.q)))
    for name, constant in _CONSTANTS.items():
        if expression == constant:
            return Constant(name)
    if expression == -sympy.oo:
        return Product((integer(-1), Constant("infinity")))
    if expression.is_Add:
        return Sum(tuple(from_sympy(part) for part in expression.args))
    if expression.is_Mul:
        return Product(tuple(from_sympy(part) for part in expression.args))
    if expression.is_Pow:
        return Power(from_sympy(expression.base), from_sympy(expression.exp))
    raise NoValue(f"no tree for {type(expression).__name__}")


_WHOLE_NUMBERS = (1, 2, 3, 5)


def _differ_at_whole_numbers(left: Any, right: Any) -> bool:
    """Whether a sum or product up to n, written out for small n, differs from the other side there."""
    names = left.free_symbols | right.free_symbols
    if len(names) != 1 or not (left.has(sympy.Sum, sympy.Product) or right.has(sympy.Sum, sympy.Product)):
        return False
    (name,) = names
    for number in _WHOLE_NUMBERS:
        first, second = (side.subs(name, number).doit() for side in (left, right))
        if first.is_Rational and second.is_Rational and first != second:
            return True
    return False


_BARE_FRACTION = re.compile(r"\\[dtc]?frac\s*(\d)\s*(\d)")


def compare_calculus(answer: str, reference: str) -> Truth:
    """Sums, integrals and limits, which only the LaTeX parser reads: whether the evaluated difference vanishes."""
    from latex2sympy2_extended import latex2sympy

    parsed = []
    for text in (answer, reference):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                parsed.append(latex2sympy(_BARE_FRACTION.sub(r"\\frac{\1}{\2}", text.strip().strip("$"))))
        except Exception:
            # the parser raises many types on text that is no LaTeX; all mean the same here
            return False
    left, right = parsed
    if not (isinstance(left, sympy.Expr) and isinstance(right, sympy.Expr)):
        return bool(left == right)
    if _differ_at_whole_numbers(left, right):
        return False
    gap = left.doit() - right.doit()
    return bool(gap == 0 or sympy.simplify(gap) == 0)
