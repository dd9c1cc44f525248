r"""Tokens -> trees: one recursive-descent parser for the LaTeX and the plain notation that answers are written in.

From loose to tight: lists (`,` `;` and, or) > relations (= < \in ...) > set operations > ratios > sums > products (also
implicit) > signs > powers and postfixes > atoms. Nesting is capped, so that no input can exhaust the stack.
"""

from fractions import Fraction

from s1_tasks.answers.read.atoms import CURRENCIES, AtomReader
from s1_tasks.answers.read.tokens import tokenise
from s1_tasks.answers.tree.nodes import (
    Builder,
    Call,
    NamedSet,
    Node,
    Number,
    PlusMinus,
    Power,
    Product,
    Quantity,
    Ratio,
    Relation,
    Sequence,
    SetOperation,
    Sum,
    Symbol,
    Unreadable,
    integer,
    negative,
    symbols,
)
from s1_tasks.answers.tree.units import MULTIPLIERS, is_unit_word, unit_name

_RELATIONS = {
    "=": "=", "<": "<", ">": ">", r"\le": "<=", r"\ge": ">=", r"\ne": "!=", r"\approx": "~", r"\in": "in",
    r"\sim": "similar", r"\cong": "congruent", r"\equiv": "=", r"\notin": "notin", r"\subset": "subset",
    r"\subseteq": "subset",
}  # fmt: skip
_SET_OPERATIONS = {r"\cup": "union", "union": "union", r"\cap": "intersection", r"\setminus": "difference"}
_PRODUCT_SIGNS = frozenset({"*", "/"})
_LEADING_WORDS = frozenset(
    str.split(
        "answer final only exactly approximately about approx all roughly around nearly equals is are at x y "
        "either both set values value solutions solution points point total just interval range domain"
    )
)


def parse(text: str) -> Node:
    """The tree of a cleaned text; raises Unreadable."""
    reader = Grammar(tokenise(text))
    reader.skip_leading_words()
    tree = reader.sequence()
    reader.expect_end()
    return tree


class Grammar(AtomReader):
    """The levels above atoms; `AtomReader` calls back into `sequence` for what stands between brackets."""

    def skip_leading_words(self) -> None:
        while (self.kind in ("word", "sign") and (self.text.lower() in _LEADING_WORDS or self.text in (":", "="))) or (
            self.text in (r"\approx", r"\sim", r"\Rightarrow")
        ):
            self.step()

    def sequence(self, builder: bool = False) -> Node:
        items: list[Node] = []
        joiner = ","
        while True:
            if self.at_separator():
                # an empty item: a doubled or trailing separator, as in "1, and 2"
                if self.text in ("and", "or"):
                    joiner = self.text
                self.step()
                continue
            if self.at_close(builder):
                break
            items.append(self.relation(builder))
            if not self.at_separator():
                break
        if not items:
            raise Unreadable("nothing to read")
        return items[0] if len(items) == 1 else Sequence(tuple(items), joiner=joiner)

    def at_separator(self) -> bool:
        return self.text in (",", ";", "and", "or", r"\\", "&") and self.kind in ("sign", "name", "command")

    def at_close(self, builder: bool) -> bool:
        return (
            self.kind == "end"
            or self.text in (")", "]", "}", r"\}", r"\rangle", r"\rvert", r"\end")
            or (builder and self.text in ("|", r"\mid", ":"))
        )

    def relation(self, builder: bool = False) -> Node:
        with self.deeper():
            if self.text == r"\Rightarrow":
                self.step()
            sides = [self.set_operation(builder)]
            operators: list[str] = []
            while True:
                if self.text == r"\Rightarrow":  # a conclusion replaces what leads to it
                    self.step()
                    sides, operators = [self.set_operation(builder)], []
                elif self.text in _RELATIONS and self.kind in ("sign", "command"):
                    operators.append(_RELATIONS[self.text])
                    self.step()
                    if self.text == "=" and operators[-1] in "<>":
                        operators[-1] += "="
                        self.step()
                    sides.append(self.set_operation(builder))
                else:
                    break
            if not operators:
                return sides[0]
            if operators[-1] in ("similar", "congruent") and not symbols(sides[-1]):
                operators[-1] = "~"  # x is about 3.5, but no triangle is
            return Relation(tuple(operators), tuple(sides))

    def set_operation(self, builder: bool) -> Node:
        left = self.ratio(builder)
        while True:
            if self.text in _SET_OPERATIONS:
                operator = _SET_OPERATIONS[self.text]
            elif self.text in ("U", "u") and isinstance(left, Sequence | SetOperation) and self.peek_opens(1):
                operator = "union"
            else:
                return left
            self.step()
            left = SetOperation(operator, left, self.ratio(builder))

    def ratio(self, builder: bool) -> Node:
        parts = [self.sum(builder)]
        while self.text == ":" and not builder:
            self.step()
            parts.append(self.sum(builder))
        return Ratio(tuple(parts)) if len(parts) > 1 else parts[0]

    def sum(self, builder: bool = False) -> Node:
        terms: list[Node] = []
        while True:
            sign = ""
            while self.text in ("+", "-", r"\pm", r"\mp") or (
                self.text == "/" and self.peek_text(1) == "-" and sign == "+"
            ):
                sign = self._join_signs(sign, self.text)
                self.step()
            if sign in (r"\pm", r"\mp") and self.at_operand_end():
                raise Unreadable("a sign without a value")
            term = self.product(builder)
            if sign == "-":
                term = negative(term)
            elif sign in (r"\pm", r"\mp"):
                term = PlusMinus(term, sign == r"\pm")
            terms.append(term)
            if self.text not in ("+", "-", r"\pm", r"\mp"):
                break
        if len(terms) == 1:
            return terms[0]
        return _sum_of(terms)

    @staticmethod
    def _join_signs(first: str, second: str) -> str:
        if first in ("", "+"):
            return second
        if second == "+":
            return first
        return "+" if first == second == "-" else r"\pm"

    def product(self, builder: bool = False) -> Node:
        factors = [self.signed_power()]
        divided = False
        while True:
            if self.text in _PRODUCT_SIGNS and self.kind == "sign":
                divide = self.text == "/"
                self.step()
                factor = self.signed_power()
                if divide:
                    factors[-1:] = (
                        [self._quotient(factors[-1], factor)] if not divided else [factors[-1], _inverse(factor)]
                    )
                else:
                    factors.append(factor)
                divided = divided or divide
            elif self.text in CURRENCIES and self.peek_kind(1) in ("end", "sign", "word", "name"):
                currency = CURRENCIES[self.text]
                self.step()
                return Quantity(_product_of(factors), currency)
            elif self.text == r"\cross":
                self.step()
                factors[-1] = Call("cross", (factors[-1], self.signed_power()))
            elif self.at_factor(builder) and not self.at_modulus():
                self.implicit_factor(factors)
            elif self.text == r"\pmod" or self.at_modulus():
                bracketed = self.text == "("
                for _ in range(2 if bracketed else 1):
                    self.step()
                modulus = self.signed_power()
                if bracketed:
                    self.expect(")")
                return Quantity(_product_of(factors), f"mod {modulus.value}" if isinstance(modulus, Number) else "mod")
            elif self.text in (r"\bmod", r"\mod"):
                self.step()
                return Call("mod", (_product_of(factors), self.signed_power()))
            else:
                break
            if isinstance(factors[-1], Quantity) and len(factors) > 1 and not isinstance(factors[-2], Quantity):
                last = factors.pop()
                if not isinstance(last, Quantity):
                    raise Unreadable("unreachable")
                unit = last.unit
                factors.append(last.value)
                return Quantity(_product_of(factors), unit)
        return self.with_unit(_product_of(factors), builder)

    @staticmethod
    def _quotient(top: Node, bottom: Node) -> Node:
        if isinstance(top, Number) and isinstance(bottom, Number) and _whole(top) and _whole(bottom) and bottom.value:
            return Number(top.value / bottom.value, divided=True)
        if isinstance(bottom, Quantity) and not isinstance(top, Quantity):
            return Quantity(Product((top, _inverse(bottom.value))), bottom.unit)
        return Product((top, _inverse(bottom)))

    def at_factor(self, builder: bool) -> bool:
        """Whether an implicit factor starts here."""
        if self.kind in ("number", "letter", "begin"):
            return not (self.text in ("U", "u") and self.peek_opens(1))
        if self.kind == "name":
            return self.text not in ("and", "or", "union", "mod")
        if self.kind == "sign":
            return self.text in ("(", "[", "{") or (self.text == "|" and not builder and not self.in_bars)
        return self.kind == "command" and self.starts_atom()

    def at_modulus(self) -> bool:
        r"""`mod 7`, `(mod 7)` and `(\bmod 7)`"""
        bracketed = self.text == "(" and self.peek_text(1) in ("mod", r"\bmod", r"\mod")
        return bracketed or (self.text == "mod" and self.kind == "name")

    def implicit_factor(self, factors: list[Node]) -> None:
        """Read a factor that stands beside the last one; a fraction after a whole number makes it mixed."""
        last = factors[-1]
        if self.kind == "number" and isinstance(last, Number):
            if last.divided and self.peek_text(-1) == "}":
                factors.append(self.power())  # \frac{1}{2} 3^n
            else:
                factors[-1] = self.mixed_number(last)
            return
        if self.text == r"\frac" and isinstance(last, Number) and _whole(last):
            part = self.power()
            if isinstance(part, Number) and 0 < part.value < 1:
                factors[-1] = Number(last.value + part.value)
            elif isinstance(part, Quantity) and isinstance(part.value, Number) and 0 < part.value.value < 1:
                factors[-1] = Quantity(Number(last.value + part.value.value), part.unit)  # 33 1/3 %
            else:
                factors.append(part)
            return
        if self.text == "[" and not isinstance(last, Number | Symbol | Power | Product):
            raise Unreadable("a bracket after a bracket")
        factors.append(self.power())

    def with_unit(self, value: Node, builder: bool) -> Node:
        """`value` with the unit words that follow it, if any."""
        if self.kind != "word" or builder:
            return value
        words: list[str] = []
        while (self.kind == "word" and not self.ends_unit()) or (
            words and self.text in ("/", "*") and self.peek_kind(1) in ("word", "letter")
        ):
            if self.kind == "word":
                word = self.text.lower()
                if not words and word in MULTIPLIERS:
                    value = Product((value, integer(MULTIPLIERS[word])))
                    self.step()
                    continue
                words.append(word)
                self.step()
                words.extend(self.unit_exponent())
            else:
                words.append(self.text)
                self.step()
                if self.kind == "letter":
                    words.append(self.text)
                    self.step()
                    words.extend(self.unit_exponent())
            if len(words) > 12:
                raise Unreadable("prose")
        if not words:
            return value
        if value == Symbol("a"):
            raise Unreadable("an article")
        if not is_unit_word(words):
            raise Unreadable(f"prose: {' '.join(words)}")
        if isinstance(value, Quantity) and value.unit == "%":
            return Quantity(value.value, f"% {unit_name(words)}")
        return Quantity(value, unit_name(words))

    def ends_unit(self) -> bool:
        """Whether a word after a unit belongs to it no more."""
        return False

    def signed_power(self) -> Node:
        if self.text == "-":
            self.step()
            with self.deeper():
                return negative(self.signed_power())
        if self.text == "+":
            self.step()
            with self.deeper():
                return self.signed_power()
        if self.text in (r"\pm", r"\mp"):
            upper = self.text == r"\pm"
            self.step()
            return PlusMinus(self.power(), upper)
        return self.power()

    def set_builder(self, element: Node) -> Builder:
        """After the bar of { element | conditions"""
        self.step()
        conditions = self.sequence()
        listed = conditions.items if isinstance(conditions, Sequence) and not conditions.opening else (conditions,)
        return Builder(element, listed)


def _whole(number: Number) -> bool:
    return number.decimals is None and number.value.denominator == 1


def _inverse(node: Node) -> Node:
    return Power(node, Number(Fraction(-1)))


def _product_of(factors: list[Node]) -> Node:
    return factors[0] if len(factors) == 1 else Product(tuple(factors))


def _sum_of(terms: list[Node]) -> Node:
    """A sum, or a set difference when sets are subtracted; a unit of any term is the unit of all."""
    sets = (Sequence, SetOperation, NamedSet, Builder)
    if isinstance(terms[0], sets) and len(terms) == 2 and isinstance(terms[1], Product):
        taken = terms[1].factors[1]
        if isinstance(taken, Sequence) and taken.opening == "{":
            return SetOperation("difference", terms[0], taken)
    units = {term.unit for term in terms if isinstance(term, Quantity)}
    if len(units) == 1:
        plain = tuple(term.value if isinstance(term, Quantity) else term for term in terms)
        return Quantity(Sum(plain), units.pop())
    return Sum(tuple(terms))
