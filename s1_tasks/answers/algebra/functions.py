"""What `exact` knows about functions: special values, symmetries, logarithms of products."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

from s1_tasks.answers.algebra.polynomials import Expander, Form, TooBig, Undefined, content_of, factorise, number_form

MAX_FACTORIAL = 4_000


def apply(expander: Expander, name: str, arguments: list[Form]) -> Form:
    """The form of name(arguments); an unknown function is an atom."""
    known = _KNOWN.get(name)
    if known is not None:
        result = known(expander, arguments)
        if result is not None:
            return result
    keys = ",".join(argument.key() for argument in arguments)
    return expander.atom(f"f{name}({keys})")


def _root(expander: Expander, arguments: list[Form]) -> Form | None:
    index = arguments[1].rational()
    if index is None or not index:
        return None
    return expander.power(arguments[0], 1 / index)


def _absolute(expander: Expander, arguments: list[Form]) -> Form | None:
    form = arguments[0]
    value = form.rational()
    if value is not None:
        return number_form(abs(value))
    if not form.top or any("i" in dict(monomial) for monomial in form.top):
        return None
    content = content_of(form.top)
    sign = -1 if min(form.top.items())[1] < 0 else 1  # |1 - x| and |x - 1| are one atom
    primitive = Form({monomial: sign * number / content for monomial, number in form.top.items()}, form.bottom)
    return expander.multiply(number_form(content), _absolute_of_primitive(expander, primitive))


def _absolute_of_primitive(expander: Expander, form: Form) -> Form:
    """|form|: of positive constants the form itself, of x^3 the cube of |x|."""
    if len(form.top) == 1 and form.bottom == {(): 1}:
        ((monomial, coefficient),) = form.top.items()
        if all(atom[0] in "pc" for atom, _ in monomial):
            return form
        if len(monomial) == 1 and monomial[0][1].denominator == 1 and coefficient == 1:
            atom, power = monomial[0]
            return expander.atom(f"fabs({atom})", power)
    return expander.atom(f"fabs({form.key()})")


def turn_of(form: Form) -> Fraction | None:
    """r when the form is r * pi."""
    if not form.top:
        return Fraction(0)
    if set(form.top) == {(("cpi", Fraction(1)),)} and set(form.bottom) == {()}:
        return next(iter(form.top.values())) / form.bottom[()]
    return None


def _cosine_of_turn(expander: Expander, turn: Fraction) -> Form:
    """cos(turn * pi)"""
    turn = abs(turn) % 2
    if turn > 1:
        turn = 2 - turn
    sign = 1
    if turn > Fraction(1, 2):
        turn, sign = 1 - turn, -1
    surds = _COSINES.get(turn)
    if surds is None:
        return expander.multiply(number_form(sign), expander.atom(f"fcos({turn}pi)"))
    total = number_form(0)
    for coefficient, radicand in surds:
        total = expander.add(
            total,
            expander.multiply(number_form(sign * coefficient), expander.power(number_form(radicand), Fraction(1, 2))),
        )
    return total


def unit_circle(expander: Expander, turn: Fraction) -> Form:
    """e^(turn * pi * i)"""
    sine = _cosine_of_turn(expander, Fraction(1, 2) - turn)
    return expander.add(_cosine_of_turn(expander, turn), expander.multiply(expander.atom("i"), sine))


_QUARTER = Fraction(1, 4)
_COSINES: dict[Fraction, tuple[tuple[Fraction, int], ...]] = {
    Fraction(0): ((Fraction(1), 1),),
    Fraction(1, 12): ((_QUARTER, 6), (_QUARTER, 2)),
    Fraction(1, 6): ((Fraction(1, 2), 3),),
    Fraction(1, 5): ((_QUARTER, 5), (_QUARTER, 1)),
    Fraction(1, 4): ((Fraction(1, 2), 2),),
    Fraction(1, 3): ((Fraction(1, 2), 1),),
    Fraction(2, 5): ((_QUARTER, 5), (-_QUARTER, 1)),
    Fraction(5, 12): ((_QUARTER, 6), (-_QUARTER, 2)),
    Fraction(1, 2): (),
}


def _cosine(expander: Expander, arguments: list[Form]) -> Form | None:
    turn = turn_of(arguments[0])
    if turn is not None:
        return _cosine_of_turn(expander, turn)
    return expander.atom(f"fcos({_unsigned(arguments[0])[0].key()})")


def _sine(expander: Expander, arguments: list[Form]) -> Form | None:
    turn = turn_of(arguments[0])
    if turn is not None:
        return _cosine_of_turn(expander, Fraction(1, 2) - turn)
    form, sign = _unsigned(arguments[0])
    key = form.key()
    cosine = expander.atom(f"fcos({key})")
    expander.square_of(f"S({key})", expander.add(number_form(1), expander.multiply(cosine, cosine), -1))
    return expander.multiply(number_form(sign), expander.atom(f"S({key})"))


def _unsigned(form: Form) -> tuple[Form, int]:
    """The form with its first coefficient positive, and the sign taken out."""
    if min(form.top.items())[1] < 0:
        return Form({monomial: -coefficient for monomial, coefficient in form.top.items()}, form.bottom), -1
    return form, 1


def _quotient(
    top: Callable[[Expander, list[Form]], Form | None], bottom: Callable[[Expander, list[Form]], Form | None]
) -> Callable[[Expander, list[Form]], Form | None]:
    def value(expander: Expander, arguments: list[Form]) -> Form | None:
        first, second = top(expander, arguments), bottom(expander, arguments)
        return None if first is None or second is None else expander.multiply(first, expander.invert(second))

    return value


def _one(expander: Expander, arguments: list[Form]) -> Form | None:
    return number_form(1)


def _logarithm(expander: Expander, arguments: list[Form]) -> Form | None:
    """ln: of a positive number the sum over its primes, of a product the sum over its factors."""
    form = arguments[0]
    if not form.top:
        raise Undefined("ln 0")
    if len(form.top) != 1 or set(form.bottom) != {()}:
        return None
    ((monomial, coefficient),) = form.top.items()
    coefficient /= form.bottom[()]
    if coefficient <= 0 or not all(_may_be_positive(atom, exponent) for atom, exponent in monomial):
        return None
    if len(monomial) == 1 and coefficient == 1 == monomial[0][1] and _is_plain(monomial[0][0]):
        return None
    total = number_form(0)
    for prime, count in factorise(coefficient):
        total = expander.add(total, expander.multiply(number_form(count), expander.atom(f"fln({prime})")))
    for atom, exponent in monomial:
        part = _logarithm_of_atom(expander, atom, alone=len(monomial) == 1)
        total = expander.add(total, expander.multiply(number_form(exponent), part))
    return total


def _may_be_positive(atom: str, exponent: Fraction) -> bool:
    """Whether ln(atom^exponent) is exponent * ln(atom): not for an even power, whose base may be negative."""
    return atom[0] in "pc" or (atom != "i" and exponent % 2 != 0)


def _is_plain(atom: str) -> bool:
    """An atom whose logarithm is an atom by itself: a variable, pi, a function of something."""
    return atom != "ce" and atom[0] != "p" and not atom.startswith("ece^(1*")


def _logarithm_of_atom(expander: Expander, atom: str, *, alone: bool) -> Form:
    if atom == "ce":
        return number_form(1)
    if atom[0] == "p":
        return expander.atom(f"fln({atom[1:]})")
    return expander.atom(f"fln(1*{atom}^1)" if alone and _is_plain(atom) else f"fln({atom})")


def _log_base(expander: Expander, arguments: list[Form]) -> Form | None:
    """log without a base is the natural one here; `reading` offers base 10 as a second reading."""
    if len(arguments) == 1:
        return apply(expander, "ln", arguments)
    top = apply(expander, "ln", arguments[:1])
    bottom = apply(expander, "ln", arguments[1:2])
    return expander.multiply(top, expander.invert(bottom))


def _rationals(arguments: list[Form]) -> list[Fraction] | None:
    values = [argument.rational() for argument in arguments]
    return None if any(value is None for value in values) else [value for value in values if value is not None]


def _factorial(expander: Expander, arguments: list[Form]) -> Form | None:
    values = _rationals(arguments)
    if values is None or values[0].denominator != 1:
        return None
    if not 0 <= values[0] <= MAX_FACTORIAL:
        raise TooBig("a large factorial")
    return number_form(math.factorial(int(values[0])))


def _binomial(expander: Expander, arguments: list[Form]) -> Form | None:
    values = _rationals(arguments)
    if values is None or len(values) != 2 or any(value.denominator != 1 or value < 0 for value in values):
        return None
    if values[0] > MAX_FACTORIAL:
        raise TooBig("a large binomial coefficient")
    return number_form(math.comb(int(values[0]), int(values[1])))


def _of_rationals(
    function: Callable[[list[Fraction]], Fraction | int],
) -> Callable[[Expander, list[Form]], Form | None]:
    def value(expander: Expander, arguments: list[Form]) -> Form | None:
        values = _rationals(arguments)
        return None if values is None else number_form(function(values))

    return value


def _whole(function: Callable[..., int]) -> Callable[[Expander, list[Form]], Form | None]:
    def value(expander: Expander, arguments: list[Form]) -> Form | None:
        values = _rationals(arguments)
        if values is None or any(number.denominator != 1 for number in values):
            return None
        return number_form(function(*(int(number) for number in values)))

    return value


def _remainder(expander: Expander, arguments: list[Form]) -> Form | None:
    values = _rationals(arguments)
    if values is None or len(values) != 2:
        return None
    if not values[1]:
        raise Undefined("modulo 0")
    return number_form(values[0] % values[1])


_KNOWN: dict[str, Callable[[Expander, list[Form]], Form | None]] = {
    "root": _root,
    "abs": _absolute,
    "sin": _sine,
    "cos": _cosine,
    "tan": _quotient(_sine, _cosine),
    "cot": _quotient(_cosine, _sine),
    "sec": _quotient(_one, _cosine),
    "csc": _quotient(_one, _sine),
    "ln": _logarithm,
    "log": _log_base,
    "factorial": _factorial,
    "binom": _binomial,
    "floor": _of_rationals(lambda values: math.floor(values[0])),
    "ceil": _of_rationals(lambda values: math.ceil(values[0])),
    "max": _of_rationals(max),
    "min": _of_rationals(min),
    "mod": _remainder,
    "gcd": _whole(math.gcd),
    "lcm": _whole(math.lcm),
}
