"""Exact algebra in plain Python: sums of monomials over atoms, with a denominator.

An atom is a string: a variable, pi, e, i, the root of a prime, a function of something. Monomials carry rational
exponents; square roots of primes, powers of i, roots of sums and squares of sines fold back. Equal forms are a proof
that two expressions are equal wherever both are real. Unequal forms prove nothing (`approx` and the worker decide),
except between rational numbers.

Every operation is capped; beyond the caps `TooBig` is raised.
"""

from __future__ import annotations

import math
from fractions import Fraction
from functools import lru_cache

Monomial = tuple[tuple[str, Fraction], ...]
Polynomial = dict[Monomial, Fraction]

MAX_TERMS = 300
MAX_BITS = 120_000
MAX_OPERATIONS = 20_000
_HALF = Fraction(1, 2)
ONE: Polynomial = {(): Fraction(1)}


class TooBig(ArithmeticError):
    """Beyond the caps of the in-process algebra."""


class Undefined(ArithmeticError):
    """A division by zero, or a node that is no number."""


class Form:
    """numerator / denominator; the denominator is never the zero polynomial."""

    __slots__ = ("bottom", "top")

    def __init__(self, top: Polynomial, bottom: Polynomial = ONE) -> None:
        self.top = top
        self.bottom = bottom

    def key(self) -> str:
        return key_of(self.top) if self.bottom == ONE else f"({key_of(self.top)})/({key_of(self.bottom)})"

    def rational(self) -> Fraction | None:
        """The value when it is a rational number."""
        if not self.top:
            return Fraction(0)
        if set(self.top) == {()} and set(self.bottom) == {()}:
            return self.top[()] / self.bottom[()]
        return None


def key_of(polynomial: Polynomial) -> str:
    return "+".join(
        f"{coefficient}" + "".join(f"*{atom}^{exponent}" for atom, exponent in monomial)
        for monomial, coefficient in sorted(polynomial.items())
    )


def number_form(value: Fraction | int) -> Form:
    return Form({(): Fraction(value)} if value else {})


class Expander:
    """Sums, products and powers of forms; one instance per comparison, which remembers what its atoms stand for."""

    def __init__(self) -> None:
        self._bases: dict[str, Form] = {}
        self._operations = 0

    def spend(self, operations: int) -> None:
        self._operations += operations
        if self._operations > MAX_OPERATIONS:
            raise TooBig("too many operations")

    def _add_polynomials(self, left: Polynomial, right: Polynomial, sign: int = 1) -> Polynomial:
        self.spend(len(right))
        total = dict(left)
        for monomial, coefficient in right.items():
            value = total.get(monomial, Fraction(0)) + sign * coefficient
            if value:
                total[monomial] = value
            else:
                total.pop(monomial, None)
        if len(total) > MAX_TERMS:
            raise TooBig("too many terms")
        return total

    def _multiply_polynomials(self, left: Polynomial, right: Polynomial) -> Polynomial:
        if right is ONE:
            return left
        if left is ONE:
            return right
        self.spend(len(left) * len(right))
        total: Polynomial = {}
        for first, first_coefficient in left.items():
            for second, second_coefficient in right.items():
                product = self._multiply_monomials(first, second, first_coefficient * second_coefficient)
                total = self._add_polynomials(total, product) if len(product) != 1 else _put(total, product)
        if len(total) > MAX_TERMS:
            raise TooBig("too many terms")
        return total

    def _multiply_monomials(self, left: Monomial, right: Monomial, coefficient: Fraction) -> Polynomial:
        if _bits(coefficient) > MAX_BITS:
            raise TooBig("a number of too many digits")
        if not left or not right:
            return {left or right: coefficient}
        exponents = dict(left)
        for atom, exponent in right:
            exponents[atom] = exponents.get(atom, Fraction(0)) + exponent
        return self._fold(exponents, coefficient)

    def _fold(self, exponents: dict[str, Fraction], coefficient: Fraction) -> Polynomial:
        """The polynomial of coefficient * product of atom^exponent, with whatever can be evaluated evaluated."""
        rest: Polynomial | None = None
        for atom, exponent in list(exponents.items()):
            if exponent == 0:
                del exponents[atom]
            elif atom[0] == "p" and not 0 < exponent < 1:  # the root of a prime
                whole = math.floor(exponent)
                coefficient *= Fraction(int(atom[1:])) ** whole
                _set(exponents, atom, exponent - whole)
            elif atom == "i" and not 0 <= exponent < 2 and exponent.denominator == 1:
                coefficient *= -1 if int(exponent) % 4 >= 2 else 1
                _set(exponents, atom, exponent % 2)
            elif atom[0] in "bS":
                power = self._unfolded(exponents, atom, exponent)
                if power is not None:
                    rest = power if rest is None else self._multiply_polynomials(rest, power)
        monomial = tuple(sorted(exponents.items()))
        return {monomial: coefficient} if rest is None else self._multiply_polynomials(rest, {monomial: coefficient})

    def _unfolded(self, exponents: dict[str, Fraction], atom: str, exponent: Fraction) -> Polynomial | None:
        """The whole part of a power of the root of a sum, or of a sine, as a polynomial; the rest stays an exponent."""
        step = 1 if atom[0] == "b" else 2
        if exponent < step or self._bases[atom].bottom != ONE:
            return None
        whole = math.floor(exponent / step)
        _set(exponents, atom, exponent - step * whole)
        return self._power_polynomial(self._bases[atom].top, whole)

    def _power_polynomial(self, base: Polynomial, exponent: int) -> Polynomial:
        if exponent > 200 and len(base) > 1:
            raise TooBig("a large power of a sum")
        if len(base) == 1:
            ((monomial, coefficient),) = base.items()
            if coefficient not in (1, -1) and exponent * (_bits(coefficient) - 1) > MAX_BITS:
                raise TooBig("a number of too many digits")
            return self._fold({atom: power * exponent for atom, power in monomial}, coefficient**exponent)
        result = ONE
        while exponent:
            if exponent & 1:
                result = self._multiply_polynomials(result, base)
            exponent >>= 1
            if exponent:
                base = self._multiply_polynomials(base, base)
        return result

    def add(self, left: Form, right: Form, sign: int = 1) -> Form:
        if left.bottom == right.bottom:
            return Form(self._add_polynomials(left.top, right.top, sign), left.bottom)
        top = self._add_polynomials(
            self._multiply_polynomials(left.top, right.bottom), self._multiply_polynomials(right.top, left.bottom), sign
        )
        return Form(top, self._multiply_polynomials(left.bottom, right.bottom))

    def multiply(self, left: Form, right: Form) -> Form:
        return Form(
            self._multiply_polynomials(left.top, right.top), self._multiply_polynomials(left.bottom, right.bottom)
        )

    def invert(self, form: Form) -> Form:
        if not form.top:
            raise Undefined("division by zero")
        if len(form.top) > 1:
            return Form(form.bottom, form.top)
        ((monomial, coefficient),) = form.top.items()
        inverse = self._fold({atom: -exponent for atom, exponent in monomial}, 1 / coefficient)
        return Form(self._multiply_polynomials(form.bottom, inverse))

    def power(self, base: Form, exponent: Fraction) -> Form:
        if exponent < 0:
            return self.invert(self.power(base, -exponent))
        if not base.top:
            if exponent == 0:
                raise Undefined("0^0")
            return base
        whole = exponent.numerator // exponent.denominator
        rest = exponent - whole
        if whole > 10**7:
            raise TooBig("a large exponent")
        result = Form(self._power_polynomial(base.top, whole), self._power_polynomial(base.bottom, whole))
        if rest:
            result = self.multiply(result, self._root(base.top, rest))
            if base.bottom != ONE:
                result = self.multiply(result, self.invert(self._root(base.bottom, rest)))
        return result

    def _root(self, base: Polynomial, exponent: Fraction) -> Form:
        """base^exponent for 0 < exponent < 1."""
        content = content_of(base)
        primitive = {monomial: coefficient / content for monomial, coefficient in base.items()}
        if len(base) > 1:
            return self._root_of_sum(content, primitive, exponent)
        ((monomial, sign),) = primitive.items()
        result = root_of_number(content * sign, exponent)
        for atom, power in monomial:
            positive = atom[0] in "pc" or atom.startswith("fabs(")
            if not positive and (power.denominator != 1 or atom == "i"):
                raise TooBig("a root of a root of a variable")
            if not positive and power % 2 == 0 and exponent.denominator % 2 == 0:
                atom = f"fabs({atom})"
            result = self.multiply(result, Form(self._fold({atom: power * exponent}, Fraction(1))))
        return result

    def _root_of_sum(self, content: Fraction, primitive: Polynomial, exponent: Fraction) -> Form:
        form = Form(primitive)
        if content > 0 and exponent.denominator % 2 and min(primitive.items())[1] < 0:  # an odd root of minus something
            form = Form({monomial: -coefficient for monomial, coefficient in primitive.items()})
            content = -content
        atom = "b" + form.key()
        self._bases[atom] = form
        return self.multiply(root_of_number(content, exponent), Form({((atom, exponent),): Fraction(1)}))

    def raise_to(self, base: Form, exponent: Form) -> Form:
        """base^exponent, where the exponent may have variables: 2^(n+1) is 2 * 2^n."""
        number = exponent.rational()
        if number is not None:
            return self.power(base, number)
        if exponent.bottom != ONE or not base.top:
            return self.atom(f"f({base.key()})^({exponent.key()})")
        result = number_form(1)
        for monomial, coefficient in exponent.top.items():
            for name, count in _factors(base):
                if monomial:
                    part = self.atom(f"e{name}^({key_of({monomial: Fraction(1)})})", coefficient * count)
                else:
                    part = self._constant_power(name, base, coefficient * count)
                result = self.multiply(result, part)
        return result

    def _constant_power(self, name: str, base: Form, exponent: Fraction) -> Form:
        if name[0] == "p":
            return self.power(number_form(int(name[1:])), exponent)
        return self.power(base, exponent) if name[0] == "k" else self.power(self.atom(name), exponent)

    def atom(self, name: str, exponent: Fraction | int = 1) -> Form:
        return Form({((name, Fraction(exponent)),): Fraction(1)})

    def square_of(self, atom: str, square: Form) -> None:
        """Remember what the square of a sine atom ("S...") is."""
        self._bases[atom] = square


def _factors(base: Form) -> list[tuple[str, Fraction]]:
    """What a base of a power is a product of: primes, atoms, or the base itself."""
    rational = base.rational()
    if rational is not None and rational > 0:
        return [("p" + str(prime), Fraction(count)) for prime, count in factorise(rational)]
    if rational is None and base.bottom == ONE and len(base.top) == 1:
        ((monomial, coefficient),) = base.top.items()
        if coefficient == 1 and "i" not in dict(monomial):
            return list(monomial)
    return [("k" + base.key(), Fraction(1))]


def _put(total: Polynomial, product: Polynomial) -> Polynomial:
    ((monomial, coefficient),) = product.items()
    value = total.get(monomial, Fraction(0)) + coefficient
    if value:
        total[monomial] = value
    else:
        total.pop(monomial, None)
    return total


def _set(exponents: dict[str, Fraction], atom: str, exponent: Fraction) -> None:
    if exponent:
        exponents[atom] = exponent
    else:
        del exponents[atom]


def _bits(value: Fraction) -> int:
    return max(value.numerator.bit_length(), value.denominator.bit_length())


def content_of(polynomial: Polynomial) -> Fraction:
    """The positive rational that leaves coprime integer coefficients."""
    top = math.gcd(*(coefficient.numerator for coefficient in polynomial.values()))
    bottom = math.lcm(*(coefficient.denominator for coefficient in polynomial.values()))
    return Fraction(top, bottom)


@lru_cache(maxsize=1024)
def factorise(value: Fraction) -> tuple[tuple[int, int], ...]:
    """(prime, exponent) pairs; a large remainder counts as one prime, which is sound but may miss an equality."""
    factors: dict[int, int] = {}
    for number, sign in ((value.numerator, 1), (value.denominator, -1)):
        if number.bit_length() > 4_000:
            raise TooBig("a root of a number of too many digits")
        divisor = 2
        while divisor * divisor <= number and divisor < 5_000:
            while number % divisor == 0:
                factors[divisor] = factors.get(divisor, 0) + sign
                number //= divisor
            divisor += 1 if divisor == 2 else 2
        if number > 1:
            root = math.isqrt(number)
            prime, count = (root, 2) if root * root == number else (number, 1)
            factors[prime] = factors.get(prime, 0) + sign * count
    return tuple(factors.items())


def root_of_number(value: Fraction, exponent: Fraction) -> Form:
    """value^exponent for 0 < exponent < 1; odd roots of negative numbers are real."""
    result: dict[str, Fraction] = {}
    coefficient = Fraction(1)
    if value < 0:
        if exponent.denominator % 2:
            coefficient = Fraction(-1 if exponent.numerator % 2 else 1)
        elif exponent == _HALF:
            result["i"] = Fraction(1)
        else:
            raise TooBig("an even root of a negative number")
    for prime, count in factorise(abs(value)):
        power = count * exponent
        whole = math.floor(power)
        coefficient *= Fraction(prime) ** whole
        if power != whole:
            result[f"p{prime}"] = power - whole
    return Form({tuple(sorted(result.items())): coefficient})
