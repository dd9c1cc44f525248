"""Trees -> forms, and what equal forms prove."""

from __future__ import annotations

from fractions import Fraction

from s1_tasks.answers.algebra.forms import ONE, Form, FormAlgebra, TooBig, Undefined, factorise, key_of, number_form
from s1_tasks.answers.tree.nodes import Call, Constant, Node, Number, Power, Product, Quantity, Sum, Symbol


class Expander(FormAlgebra):
    """Trees -> forms. One instance per comparison: it remembers what its atoms stand for."""

    # -- arithmetic -----------------------------------------------------------------------------------------------

    # -- trees ----------------------------------------------------------------------------------------------------
    def form(self, node: Node) -> Form:
        """Raises TooBig or Undefined."""
        self._spend(1)
        if isinstance(node, Number):
            return number_form(node.value)
        if isinstance(node, Symbol):
            return self.atom("s" + node.name)
        if isinstance(node, Constant):
            if node.name == "infinity":
                raise Undefined("infinity is no number")
            return self.atom("i" if node.name == "i" else "c" + node.name)
        if isinstance(node, Sum):
            total = self.form(node.terms[0])
            for term in node.terms[1:]:
                total = self.add(total, self.form(term))
            return total
        if isinstance(node, Product):
            total = self.form(node.factors[0])
            for factor in node.factors[1:]:
                total = self.multiply(total, self.form(factor))
            return total
        if isinstance(node, Power):
            return self._power_node(self.form(node.base), self.form(node.exponent))
        if isinstance(node, Quantity):
            return self._quantity(node)
        if isinstance(node, Call):
            from s1_tasks.answers.algebra.functions import apply

            return apply(self, node.name, [self.form(argument) for argument in node.arguments])
        raise Undefined(f"{type(node).__name__} is no number")

    def _quantity(self, node: Quantity) -> Form:
        value = self.form(node.value)
        if node.unit == "%":
            return self.multiply(value, number_form(Fraction(1, 100)))
        if node.unit == "degree":
            return self.multiply(value, Form({(("cpi", Fraction(1)),): Fraction(1, 180)}))
        return value

    def _power_node(self, base: Form, exponent: Form) -> Form:
        number = exponent.rational()
        if number is not None:
            return self.power(base, number)
        if exponent.bottom != ONE or not base.top:
            return self.atom(f"f({base.key()})^({exponent.key()})")
        rational = base.rational()
        factors: list[tuple[str, Fraction]] = []
        if rational is not None and rational > 0:
            factors = [("p" + str(prime), Fraction(count)) for prime, count in factorise(rational)]
        elif base.bottom == ONE and len(base.top) == 1 and rational is None:
            ((monomial, coefficient),) = base.top.items()
            if coefficient == 1 and "i" not in dict(monomial):
                factors = list(monomial)
        if not factors:
            factors = [("k" + base.key(), Fraction(1))] if rational != 1 else []
        result = number_form(1)
        for monomial, coefficient in exponent.top.items():
            for name, count in factors:
                if not monomial:
                    result = self.multiply(result, self._constant_power(name, base, coefficient * count))
                else:
                    result = self.multiply(
                        result, self.atom(f"e{name}^({key_of({monomial: Fraction(1)})})", coefficient * count)
                    )
        return result

    def _constant_power(self, name: str, base: Form, exponent: Fraction) -> Form:
        if name[0] == "p":
            return self.power(number_form(int(name[1:])), exponent)
        return self.power(base, exponent) if name[0] == "k" else self.power(self.atom(name), exponent)


def proved_equal(left: Node, right: Node) -> bool | None:
    """True: proved equal. False: two rational numbers that differ. None: not known."""
    expander = Expander()
    try:
        first, second = expander.form(left), expander.form(right)
        one, other = first.rational(), second.rational()
        if one is not None and other is not None:
            return one == other
        return True if not expander.add(first, second, -1).top else None
    except (TooBig, Undefined):
        return None


def is_defined(node: Node) -> bool:
    """Whether no division by zero or the like shows in an expression; one too large to expand counts as defined."""
    try:
        Expander().form(node)
    except TooBig:
        return True
    except Undefined:
        return False
    return True


def rational(node: Node) -> Fraction | None:
    """The exact value of a node that is a rational number and small enough."""
    try:
        return Expander().form(node).rational()
    except (TooBig, Undefined):
        return None
