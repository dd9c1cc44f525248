"""What exact algebra in this process proves: a tree as a form (`polynomials`), and what equal forms say."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

from s1_tasks.answers.algebra.functions import apply, unit_circle
from s1_tasks.answers.algebra.polynomials import Expander, Form, TooBig, Undefined, number_form
from s1_tasks.answers.tree.nodes import Call, Constant, Node, Number, Power, Product, Quantity, Sum, Symbol


def form_of(expander: Expander, node: Node) -> Form:
    """The form of a tree; raises TooBig or Undefined."""
    expander.spend(1)
    read = _FORMS.get(type(node))
    if read is None:
        raise Undefined(f"{type(node).__name__} is no number")
    return read(expander, node)


def _constant(expander: Expander, node: Constant) -> Form:
    if node.name == "infinity":
        raise Undefined("infinity is no number")
    return expander.atom("i" if node.name == "i" else "c" + node.name)


def _sum(expander: Expander, node: Sum) -> Form:
    total = form_of(expander, node.terms[0])
    for term in node.terms[1:]:
        total = expander.add(total, form_of(expander, term))
    return total


def _product(expander: Expander, node: Product) -> Form:
    total = form_of(expander, node.factors[0])
    for factor in node.factors[1:]:
        total = expander.multiply(total, form_of(expander, factor))
    return total


def _power(expander: Expander, node: Power) -> Form:
    exponent = form_of(expander, node.exponent)
    turn = _imaginary_turn(exponent) if node.base == Constant("e") else None
    if turn is not None:
        return unit_circle(expander, turn)
    return expander.raise_to(form_of(expander, node.base), exponent)


def _imaginary_turn(exponent: Form) -> Fraction | None:
    """r when an exponent is r pi i."""
    if set(exponent.top) != {(("cpi", Fraction(1)), ("i", Fraction(1)))} or set(exponent.bottom) != {()}:
        return None
    return next(iter(exponent.top.values())) / exponent.bottom[()]


def _quantity(expander: Expander, node: Quantity) -> Form:
    value = form_of(expander, node.value)
    scale = _SCALES.get(node.unit)
    return value if scale is None else expander.multiply(value, scale)


def _call(expander: Expander, node: Call) -> Form:
    return apply(expander, node.name, [form_of(expander, argument) for argument in node.arguments])


_SCALES = {"%": number_form(Fraction(1, 100)), "degree": Form({(("cpi", Fraction(1)),): Fraction(1, 180)})}
_FORMS: dict[type, Callable[[Expander, Any], Form]] = {
    Number: lambda expander, node: number_form(node.value),
    Symbol: lambda expander, node: expander.atom("s" + node.name),
    Constant: _constant,
    Sum: _sum,
    Product: _product,
    Power: _power,
    Quantity: _quantity,
    Call: _call,
}


def proved_equal(left: Node, right: Node) -> bool | None:
    """True: proved equal. False: two rational numbers that differ. None: not known."""
    expander = Expander()
    try:
        first, second = form_of(expander, left), form_of(expander, right)
        one, other = first.rational(), second.rational()
        if one is not None and other is not None:
            return one == other
        return True if not expander.add(first, second, -1).top else None
    except (TooBig, Undefined):
        return None


def is_defined(node: Node) -> bool:
    """Whether no division by zero or the like shows in an expression; one too large to expand counts as defined."""
    try:
        form_of(Expander(), node)
    except TooBig:
        return True
    except Undefined:
        return False
    return True


def rational(node: Node) -> Fraction | None:
    """The exact value of a node that is a rational number and small enough."""
    if isinstance(node, Number):
        return node.value
    try:
        return form_of(Expander(), node).rational()
    except (TooBig, Undefined):
        return None
