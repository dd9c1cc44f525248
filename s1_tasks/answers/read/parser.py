r"""Tokens -> trees: one recursive-descent parser for the LaTeX and the plain notation that answers are written in.

From loose to tight: lists (`,` `;` and, or) > relations (= < \in ...) > set operations > ratios > sums > products (also
implicit) > signs > powers and postfixes > atoms. Nesting is capped, so that no input can exhaust the stack. What is
made of the parts is `build`'s.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from s1_tasks.answers.read import build, commands, leaves, notation
from s1_tasks.answers.read.tokens import CONSTANTS, END, FUNCTIONS, GREEK, Token
from s1_tasks.answers.tree.nodes import (
    ONE,
    Based,
    Call,
    Constant,
    Matrix,
    NamedSet,
    Node,
    Number,
    PlusMinus,
    Power,
    Product,
    Quantity,
    Ratio,
    Sequence,
    SetOperation,
    Symbol,
    Unreadable,
    Words,
    integer,
    negative,
)
from s1_tasks.answers.tree.units import MULTIPLIERS, is_unit_word, unit_name

MAX_DEPTH = 40
"""Brackets, fractions, roots and signs inside one another; answers have fewer than ten."""


class Parser:
    """A place in a list of tokens; each method reads one level of the notation from there, or raises Unreadable.

    `kind`, `text` and `spaced` are those of the current token. With `clause_words`, one of these words, or a bracket
    before a word, ends a value, as in "12 when x = 3".
    """

    def __init__(self, tokens: list[Token], clause_words: frozenset[str] = frozenset()) -> None:
        self._tokens = tokens
        self._clause_words = clause_words
        self._position = 0
        self._depth = 0
        self._in_bars = False
        self._load()

    # -- the place ----------------------------------------------------------------------------------------------------
    def _load(self) -> None:
        token = self._tokens[self._position] if self._position < len(self._tokens) else END
        self.kind, self.text, self.spaced = token

    def step(self, count: int = 1) -> None:
        self._position += count
        self._load()

    def peek(self, ahead: int) -> Token:
        index = self._position + ahead
        return self._tokens[index] if index < len(self._tokens) else END

    def rest(self) -> list[Token]:
        """The tokens from here on."""
        return self._tokens[self._position :]

    def _peek_opens(self) -> bool:
        return self.peek(1).text in ("(", "[", r"\{")

    def expect(self, *texts: str) -> str:
        if self.text not in texts or self.kind == "end":
            raise Unreadable(f"expected {texts[0]!r} before {self.text or 'the end'!r}")
        text = self.text
        self.step()
        return text

    def expect_end(self) -> None:
        """Raise Unreadable unless everything was read."""
        if self.kind != "end":
            raise Unreadable(f"cannot read on at {self.text!r}")

    def enter(self) -> None:
        """Go one level deeper; after Unreadable the parser is of no more use, so nobody has to come back."""
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise Unreadable(f"nested more than {MAX_DEPTH} deep")

    def leave(self) -> None:
        """Back from one level deeper."""
        self._depth -= 1

    def at_clause(self, place: int | None = None) -> bool:
        """Whether a condition or an explanation begins here, or at another place."""
        if not self._clause_words:
            return False
        ahead = 0 if place is None else place - self._position
        opens = self.peek(ahead).text == "("
        word = self.peek(ahead + opens)
        return word.kind == "word" and (opens or word.text.lower() in self._clause_words)

    # -- lists and relations ------------------------------------------------------------------------------------------
    def skip_leading_words(self) -> None:
        """Pass words that say nothing about the value behind them: "the answer is", "about"."""
        while self.text in notation.LEADING_SIGNS or (
            self.kind in ("word", "sign") and self.text.lower() in notation.LEADING_WORDS
        ):
            self.step()

    def whole(self) -> Node:
        r"""All there is: a value, a list, or two of them one over the other (3 \over 4)."""
        found = self.sequence()
        return self._stacked(found) if self.text in notation.STACKED else found

    def sequence(self, builder: bool = False) -> Node:
        """One value, or a list of them; empty items, as in "1, and 2", are none."""
        items: list[Node] = []
        joiner = ","
        while True:
            if self.at_separator():
                if self.text in ("and", "or"):
                    joiner = self.text
                self.step()
                continue
            if self._at_close(builder):
                break
            items.append(self.relation(builder))
            if not self.at_separator():
                break
        if not items:
            raise Unreadable("nothing to read")
        return items[0] if len(items) == 1 else Sequence(tuple(items), joiner=joiner)

    def at_separator(self) -> bool:
        return self.text in notation.SEPARATORS and self.kind in ("sign", "name", "command")

    def _at_close(self, builder: bool) -> bool:
        return self.kind == "end" or self.text in (notation.CLOSING_BUILDER if builder else notation.CLOSING)

    def relation(self, builder: bool = False) -> Node:
        r"""A value or a chain of comparisons; a conclusion (\Rightarrow) replaces what leads to it."""
        self.enter()
        if self.text == r"\Rightarrow":
            self.step()
        sides = [self._set_operation(builder)]
        operators: list[str] = []
        while True:
            if self.text == r"\Rightarrow":
                self.step()
                sides, operators = [self._set_operation(builder)], []
            elif self.text in notation.RELATIONS and self.kind in ("sign", "command"):
                operators.append(self._operator())
                sides.append(self._set_operation(builder))
            else:
                break
        self.leave()
        return build.relation(operators, sides) if operators else sides[0]

    def _operator(self) -> str:
        operator = notation.RELATIONS[self.text]
        self.step()
        if self.text == "=" and operator in "<>":
            self.step()
            return operator + "="
        return operator

    def _set_operation(self, builder: bool) -> Node:
        left = self._ratio(builder)
        while True:
            if self.text in notation.SET_OPERATIONS:
                operator = notation.SET_OPERATIONS[self.text]
            elif self.text in ("U", "u") and isinstance(left, Sequence | SetOperation) and self._peek_opens():
                operator = "union"
            else:
                return left
            self.step()
            left = SetOperation(operator, left, self._ratio(builder))

    def _ratio(self, builder: bool) -> Node:
        parts = [self._sum(builder)]
        while self.text == ":" and not builder:
            self.step()
            parts.append(self._sum(builder))
        return Ratio(tuple(parts)) if len(parts) > 1 else parts[0]

    # -- sums and products --------------------------------------------------------------------------------------------
    def _sum(self, builder: bool = False) -> Node:
        terms: list[Node] = []
        while True:
            sign = self._signs()
            term = self._product(builder)
            if sign == "-":
                term = negative(term)
            elif sign in (r"\pm", r"\mp"):
                term = PlusMinus(term, sign == r"\pm")
            terms.append(term)
            if self.text not in ("+", "-", r"\pm", r"\mp"):
                return terms[0] if len(terms) == 1 else build.sum_of(terms)

    def _signs(self) -> str:
        """The sign before a term, "" without one; `1 +/- 2` and `1 - -2` have two."""
        sign = ""
        while self.text in ("+", "-", r"\pm", r"\mp") or (
            self.text == "/" and self.peek(1).text == "-" and sign == "+"
        ):
            sign = build.join_signs(sign, self.text)
            self.step()
        if sign in (r"\pm", r"\mp") and (self.kind == "end" or self.text in (")", "]", "}", ",", "=")):
            raise Unreadable("a sign without a value")
        return sign

    def _product(self, builder: bool = False) -> Node:
        factors = [self._signed_power()]
        while self._next_factor(factors, builder):
            last = factors[-1]
            if isinstance(last, Quantity) and len(factors) > 1 and not isinstance(factors[-2], Quantity):
                return Quantity(build.product_of([*factors[:-1], last.value]), last.unit)
        value = factors[0] if len(factors) == 1 else build.product_of(factors)
        if self.text in notation.CURRENCIES and self.peek(1).kind in ("end", "sign", "word", "name"):
            return Quantity(value, self._currency())
        if self._at_modulus(r"\pmod"):
            return Quantity(value, self._modulus())
        if self.text in (r"\bmod", r"\mod"):
            self.step()
            return Call("mod", (value, self._signed_power()))
        return value if builder else self._with_unit(value)

    def _next_factor(self, factors: list[Node], builder: bool) -> bool:
        """Read one more factor, or divisor, into `factors`; False where the product ends."""
        if self.text in ("*", "/") and self.kind == "sign":
            divide = self.text == "/"
            self.step()
            factor = self._signed_power()
            if divide:
                factors[-1] = build.quotient(factors[-1], factor)
            else:
                factors.append(factor)
        elif self.text == r"\cross":
            self.step()
            factors[-1] = Call("cross", (factors[-1], self._signed_power()))
        elif self.at_factor(builder) and not self._at_modulus():
            self._implicit_factor(factors)
        else:
            return False
        return True

    def at_factor(self, builder: bool) -> bool:
        """Whether an implicit factor starts here."""
        if self._clause_words and self.at_clause():
            return False
        if self.kind in ("number", "letter", "begin"):
            return not (self.text in ("U", "u") and self._peek_opens())
        if self.kind == "name":
            return self.text not in ("and", "or", "union", "mod")
        if self.kind == "sign":
            return self.text in ("(", "[", "{") or (self.text == "|" and not builder and not self._in_bars)
        at_currency = self.text in notation.CURRENCIES and self.peek(1).kind in ("end", "sign", "word", "name")
        return self.kind == "command" and self._starts_value() and not at_currency

    def _implicit_factor(self, factors: list[Node]) -> None:
        """Read a factor that stands beside the last one; a fraction after a whole number makes it mixed."""
        last = factors[-1]
        if self.kind == "number" and isinstance(last, Number):
            if last.divided and self.peek(-1).text == "}":
                factors.append(self.power())  # \frac{1}{2} 3^n
            else:
                factors[-1], self._position = leaves.mixed_number(last, self._tokens, self._position)
                self._load()
            return
        if self.text == "[" and not isinstance(last, Number | Symbol | Power | Product):
            raise Unreadable("a bracket after a bracket")
        may_be_mixed = self.text == r"\frac" and isinstance(last, Number) and build.is_whole(last)
        factor = self.power()
        together = build.mixed(last, factor) if may_be_mixed and isinstance(last, Number) else None
        if together is None:
            factors.append(factor)
        else:
            factors[-1] = together

    def _currency(self) -> str:
        currency = notation.CURRENCIES[self.text]
        self.step()
        return currency

    def _at_modulus(self, *commands: str) -> bool:
        r"""`mod 7`, `(mod 7)` and `(\bmod 7)`"""
        bracketed = self.text == "(" and self.peek(1).text in ("mod", r"\bmod", r"\mod")
        return bracketed or self.text in commands or (self.text == "mod" and self.kind == "name")

    def _modulus(self) -> str:
        bracketed = self.text == "("
        self.step(2 if bracketed else 1)
        modulus = self._signed_power()
        if bracketed:
            self.expect(")")
        return f"mod {modulus.value}" if isinstance(modulus, Number) else "mod"

    # -- units --------------------------------------------------------------------------------------------------------
    def _with_unit(self, value: Node) -> Node:
        """`value` with the unit, or the counted thing, that follows it, if any."""
        if self.kind == "unit":
            unit = self.text
            self.step()
            return Quantity(value, unit)
        while self.kind == "word" and self.text.lower() in MULTIPLIERS and not self.at_clause():
            value = Product((value, integer(MULTIPLIERS[self.text.lower()])))
            self.step()
        if self.kind != "word":
            return value
        words, self._position = leaves.unit_words(self._tokens, self._position, self.at_clause)
        self._load()
        if not words:
            return value
        if value == Symbol("a"):
            raise Unreadable("an article")
        if not is_unit_word(words):
            raise Unreadable(f"prose: {' '.join(words)}")
        if isinstance(value, Quantity) and value.unit == "%":
            return Quantity(value.value, f"% {unit_name(words)}")
        return Quantity(value, unit_name(words))

    # -- powers and what else follows a value closely -----------------------------------------------------------------
    def _signed_power(self) -> Node:
        if self.text in ("-", "+"):
            minus = self.text == "-"
            self.step()
            self.enter()
            value = self._signed_power()
            self.leave()
            return negative(value) if minus else value
        if self.text not in (r"\pm", r"\mp"):
            return self.power()
        upper = self.text == r"\pm"
        self.step()
        return PlusMinus(self.power(), upper)

    def power(self) -> Node:
        node = self._atom()
        while self.kind in ("sign", "command") and self.text in _POSTFIXES:
            mark = self.text
            self.step()
            node = _POSTFIXES[mark](self, node)
        if self.text == "(" and not self.spaced and isinstance(node, Symbol | Power):
            name = build.applied(node)
            if name is not None:
                return Call(name, self.bracketed_arguments())
        return node

    def _factorial(self, node: Node) -> Node:
        """After n!: 7!! is 7 * 5 * 3, not the factorial of 7!."""
        if self.text != "!" or self.kind != "sign" or self.spaced:
            return Call("factorial", (node,))
        self.step()
        return build.double_factorial(node)

    def _prime(self, node: Node) -> Node:
        return Symbol(node.name + "'") if isinstance(node, Symbol) else Quantity(node, "'")

    def _raised(self, node: Node) -> Node:
        braced = self.text == "{" and self.peek(2).text == "}"
        if self.text == r"\circ" or (braced and self.peek(1).text == r"\circ"):
            self.step(3 if braced else 1)
            return self._degrees_on_a_scale(node)
        if self.text == "'" or (self.text == "{" and self.peek(1).text == "'"):
            raise Unreadable("a prime as an exponent")
        exponent = self.exponent()
        if isinstance(exponent, Words):
            return Quantity(node, exponent.text)
        if exponent == Symbol("T") and isinstance(node, Sequence | Matrix):
            return build.transposed(node)
        if isinstance(node, Quantity):
            return Quantity(Power(node.value, exponent), node.unit)
        return Power(node, exponent)

    def _degrees_on_a_scale(self, node: Node) -> Node:
        if self.text in ("C", "F") and self.peek(1).kind in ("end", "sign"):
            scale = self.text
            self.step()
            return Quantity(node, f"degree {scale}")
        return Quantity(node, "degree")

    def exponent(self) -> Node:
        self.enter()
        braced = self.text == "{" and self.peek(2).text == "}"
        exponent: Node
        if self.text in ("-", "+"):
            minus = self.text == "-"
            self.step()
            inner = self.exponent()
            plain = Number(-inner.value) if isinstance(inner, Number) else Product((integer(-1), inner))
            exponent = plain if minus else inner
        elif braced and self.peek(1).kind == "word":
            exponent = Words(self.peek(1).text)
            self.step(3)
        elif self.text == "*" or (braced and self.peek(1).text in ("+", "*", "-")):
            raise Unreadable("a sign as an exponent")
        elif self.kind == "letter" and self.text in "tT" and self.peek(1).text == "h":
            self.step(2)
            exponent = Words("th")
        else:
            exponent = self._atom()
            if self.text == "^":
                self.step()
                exponent = Power(exponent, self.exponent())
        self.leave()
        return exponent

    def _subscripted(self, node: Node) -> Node:
        if isinstance(node, Number) and node.value.denominator == 1:
            return Based(str(node.value.numerator), leaves.base(self.subscript_name()))
        name = self.subscript_name()
        if isinstance(node, Symbol | Constant):
            return Symbol(f"{node.name}_{name}")
        if isinstance(node, Power) and isinstance(node.base, Symbol | Constant):
            return Power(Symbol(f"{node.base.name}_{name}"), node.exponent)
        raise Unreadable("a subscript of something that is no name")

    def subscript_name(self) -> str:
        name, self._position = leaves.subscript(self._tokens, self._position)
        self._load()
        return name

    # -- single values ------------------------------------------------------------------------------------------------
    def _starts_value(self) -> bool:
        """Whether the current command can begin a value."""
        name = self.text[1:]
        return self.text in notation.OTHER_VALUES or name in GREEK or name in FUNCTIONS

    def _atom(self) -> Node:
        read = _ATOMS.get(self.kind)
        if read is None:
            raise Unreadable(f"cannot read {self.text or 'the end'!r} as a value")
        self.enter()
        node = read(self)
        self.leave()
        return node

    def _letter(self) -> Node:
        name = self.text
        self.step()
        return Constant(name) if name in ("i", "e") and self.text != "_" else Symbol(name)

    def number(self) -> Number:
        text = self.text
        self.step()
        if self.text in notation.OVERLINES and "." in text:
            block, self._position = leaves.period(self._tokens, self._position)
            self._load()
            return build.with_period(text, block)
        number = Number(Fraction(text)) if text.isdigit() else build.literal(text)
        if self.text == "..." and number.decimals:
            self.step()
            return build.repeating(text) or number
        return number

    def _named(self) -> Node:
        name = self.text
        if name in ("and", "or", "union", "mod"):
            raise Unreadable(f"{name!r} without a value before it")
        self.step()
        if name in FUNCTIONS:
            return commands.function(self, name)
        return Constant(CONSTANTS[name]) if name in CONSTANTS else Symbol(name)

    def _sign(self) -> Node:
        if self.text in ("(", "[", "{"):
            return self.bracket(self.text)
        if self.text == "|":
            if self._in_bars:
                raise Unreadable("an absolute value of nothing")
            self.step()
            return Call("abs", (self.inside("|", bars=True),))
        if self.text == "...":
            self.step()
            return Symbol("...")
        raise Unreadable(f"cannot read {self.text!r} as a value")

    def _command(self) -> Node:
        text = self.text
        name = text[1:]
        if text in notation.CLOSERS:
            return self.bracket(text)
        if not (self._starts_value() or name in CONSTANTS):
            raise Unreadable(f"unknown command {text}")
        if text in notation.CURRENCIES:
            currency = self._currency()
            value = self._product()
            return value if isinstance(value, Quantity) else Quantity(value, currency)
        self.step()
        if name in CONSTANTS:
            return Constant(CONSTANTS[name])
        if name in FUNCTIONS:
            return commands.function(self, name)
        read = _COMMANDS.get(text)
        return read(self) if read is not None else Symbol(name)

    def _fraction(self) -> Node:
        return _fraction_of(self.argument(), self.argument())

    # -- brackets -----------------------------------------------------------------------------------------------------
    def inside(self, *closers: str, bars: bool = False) -> Node:
        """What stands up to the closer, which is consumed."""
        outer, self._in_bars = self._in_bars, bars
        inside = self.sequence()
        self._in_bars = outer
        self.expect(*closers)
        return inside

    def bracket(self, opening: str) -> Node:
        self.step()
        if opening == r"\{" and self.text == r"\}":
            self.step()
            return NamedSet("empty")
        if self.text in ("and", "or"):
            raise Unreadable("an alternative in brackets")  # 5 (or 6) is no product
        outer, self._in_bars = self._in_bars, False
        inside = self.sequence(builder=opening == r"\{")
        if opening == r"\{" and self.text in ("|", r"\mid", ":"):
            self.step()
            inside = build.builder(inside, self.sequence())
        if opening == "{" and self.text in notation.STACKED:
            inside = self._stacked(inside)
        closing = self.expect(*notation.CLOSERS[opening])
        self._in_bars = outer
        return (
            inside if opening == "{" and not isinstance(inside, Sequence) else build.bracketed(opening, inside, closing)
        )

    def _stacked(self, upper: Node) -> Node:
        r"""{n \choose k}, {1 \over 2}"""
        over = self.text == r"\over"
        self.step()
        lower = self.sequence()
        return _fraction_of(upper, lower) if over else Call("binom", (upper, lower))

    # -- functions ----------------------------------------------------------------------------------------------------
    def bracketed_arguments(self) -> tuple[Node, ...]:
        opening = self.text
        self.step()
        inside = self.inside(*notation.CLOSERS[opening])
        return inside.items if isinstance(inside, Sequence) and not inside.opening else (inside,)

    def argument(self, whole_numbers: bool = False) -> Node:
        r"""A TeX argument: a group, or a single digit, letter or command (`\frac12`)."""
        if self.kind == "number" and not whole_numbers and len(self.text) > 1 and self.text.isdigit():
            digit, rest = self.text[0], self.text[1:]
            self._tokens[self._position] = Token("number", rest)
            self._load()
            return Number(Fraction(digit))
        return self._atom()


def _fraction_of(top: Node, bottom: Node) -> Node:
    r"""\frac{top}{bottom}; of two whole numbers, the rational number."""
    if isinstance(bottom, Quantity) and isinstance(top, Quantity):
        bottom, top = bottom.value, top.value
    if isinstance(top, Number) and isinstance(bottom, Number) and bottom.value:
        if top.decimals is bottom.decimals is None:
            return Number(top.value / bottom.value, divided=True)
        return Product((top, build.inverse(bottom)))
    return top if bottom == ONE else Product((top, build.inverse(bottom)))


_POSTFIXES: dict[str, Callable[[Parser, Node], Node]] = {
    "^": Parser._raised,
    "!": Parser._factorial,
    "%": lambda parser, node: Quantity(node, "%"),
    r"\circ": lambda parser, node: Quantity(node, "degree"),
    "'": Parser._prime,
    "_": Parser._subscripted,
}
_ATOMS = {
    "number": Parser.number,
    "letter": Parser._letter,
    "name": Parser._named,
    "begin": commands.environment,
    "sign": Parser._sign,
    "command": Parser._command,
}
_COMMANDS = {
    r"\frac": Parser._fraction,
    r"\emptyset": lambda parser: NamedSet("empty"),
    r"\mathbb": commands.named_set,
    r"\ray": commands.ray,
    r"\overline": commands.overlined,
    r"\bar": commands.overlined,
    r"\|": commands.norm,
    **dict.fromkeys(notation.SHAPES, commands.shape),
}
