r"""The reader's cursor, and the tight end of the grammar: numbers, names, functions, brackets, fractions, environments.

`Grammar` adds the looser levels; the two call each other, so this class declares what it needs from there.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction

from s1_tasks.answers.nodes import (
    ONE,
    Based,
    Builder,
    Call,
    Constant,
    Matrix,
    NamedSet,
    Node,
    Number,
    Piecewise,
    Power,
    Product,
    Quantity,
    Sequence,
    Sum,
    Symbol,
    Unreadable,
    Words,
    integer,
)
from s1_tasks.answers.tokens import CONSTANTS, FUNCTIONS, Token

MAX_DEPTH = 40
"""Brackets, fractions, roots and signs inside one another; answers have fewer than ten."""

_END = Token("end", "")
_CLOSERS = {"(": (")", "]"), "[": ("]", ")"), "{": ("}",), r"\{": (r"\}",), r"\langle": (r"\rangle", ">"),
            r"\lfloor": (r"\rfloor",), r"\lceil": (r"\rceil",), r"\lvert": (r"\rvert", "|"), r"\Vert": (r"\Vert",)}  # fmt: skip
_SAME_FUNCTION = {"asin": "arcsin", "acos": "arccos", "atan": "arctan", "acot": "arccot", "tg": "tan", "ctg": "cot",
                  "arctg": "arctan", "arcsinh": "arsinh", "asinh": "arsinh", "arccosh": "arcosh", "acosh": "arcosh",
                  "arctanh": "artanh", "atanh": "artanh", "ceiling": "ceil", "binomial": "binom", "sign": "sgn"}  # fmt: skip
_INVERSES = {"sin": "arcsin", "cos": "arccos", "tan": "arctan", "cot": "arccot", "sec": "arcsec", "csc": "arccsc",
             "sinh": "arsinh", "cosh": "arcosh", "tanh": "artanh"}  # fmt: skip
_FUNCTION_LETTERS = frozenset("fghFGH")
_NAMED_SETS = {"R": "reals", "Z": "integers", "N": "naturals", "Q": "rationals", "C": "complexes"}
_OTHER_ATOMS = frozenset(
    [r"\frac", r"\sqrt", r"\cbrt", r"\binom", r"\pi", r"\Pi", r"\infty", r"\emptyset", r"\mathbb", r"\overline", r"\bar", r"\angle", r"\triangle", r"\dollar", r"\euro", r"\pound", r"\yen", r"\rupee", r"\{", r"\langle", r"\lfloor", r"\lceil", r"\lvert", r"\Vert", r"\|", r"\ell", r"\hbar", r"\partial", r"\operatorname", r"\odot", r"\circ", r"\square"]
)  # fmt: skip
_GREEK = frozenset(
    [
        "alpha",
        "beta",
        "gamma",
        "delta",
        "epsilon",
        "zeta",
        "eta",
        "theta",
        "iota",
        "kappa",
        "lambda",
        "mu",
        "nu",
        "xi",
        "rho",
        "sigma",
        "tau",
        "upsilon",
        "phi",
        "chi",
        "psi",
        "omega",
        "Gamma",
        "Delta",
        "Theta",
        "Lambda",
        "Xi",
        "Sigma",
        "Upsilon",
        "Phi",
        "Psi",
        "Omega",
    ]
)
CURRENCIES = {r"\dollar": "dollar", r"\euro": "euro", r"\pound": "pound", r"\yen": "yen", r"\rupee": "rupee"}
_BASE_WORDS = {"two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10,
               "eleven": 11, "twelve": 12, "sixteen": 16}  # fmt: skip


class AtomReader:
    """A cursor over tokens with the readers of everything that binds tightly."""

    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._position = 0
        self._depth = 0
        self.in_bars = False
        self._load()

    # -- from Grammar ---------------------------------------------------------------------------------------------
    def sequence(self, builder: bool = False) -> Node:
        raise NotImplementedError

    def relation(self, builder: bool = False) -> Node:
        raise NotImplementedError

    def product(self, builder: bool = False) -> Node:
        raise NotImplementedError

    def at_factor(self, builder: bool) -> bool:
        raise NotImplementedError

    def set_builder(self, element: Node) -> Builder:
        raise NotImplementedError

    # -- cursor ---------------------------------------------------------------------------------------------------
    def _load(self) -> None:
        token = self._tokens[self._position] if self._position < len(self._tokens) else _END
        self.kind, self.text, self.spaced = token

    def step(self) -> None:
        self._position += 1
        self._load()

    def _peek(self, ahead: int) -> Token:
        index = self._position + ahead
        return self._tokens[index] if index < len(self._tokens) else _END

    def peek_text(self, ahead: int) -> str:
        return self._peek(ahead).text

    def peek_kind(self, ahead: int) -> str:
        return self._peek(ahead).kind

    def peek_opens(self, ahead: int) -> bool:
        return self.peek_text(ahead) in ("(", "[", r"\{")

    def expect(self, *texts: str) -> str:
        if self.text not in texts or self.kind == "end":
            raise Unreadable(f"expected {texts[0]!r} before {self.text or 'the end'!r}")
        text = self.text
        self.step()
        return text

    def expect_end(self) -> None:
        if self.kind != "end":
            raise Unreadable(f"cannot read on at {self.text!r}")

    def at_operand_end(self) -> bool:
        return self.kind == "end" or self.text in (")", "]", "}", ",", "=")

    @contextmanager
    def deeper(self) -> Iterator[None]:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise Unreadable(f"nested more than {MAX_DEPTH} deep")
        try:
            yield
        finally:
            self._depth -= 1

    # -- powers and postfixes -------------------------------------------------------------------------------------
    def power(self) -> Node:
        node = self.atom()
        while True:
            if self.text == "^" and self.kind == "sign":
                self.step()
                node = self._raised(node)
            elif self.text == "!" and self.kind == "sign":
                self.step()
                node = Call("factorial", (node,))
            elif self.text == "%" or self.text in (r"\circ",):
                unit = "%" if self.text == "%" else "degree"
                self.step()
                node = Quantity(node, unit)
            elif self.text == "'" and self.kind == "sign":
                self.step()
                node = Symbol(node.name + "'") if isinstance(node, Symbol) else Quantity(node, "'")
            elif self.text == "_" and self.kind == "sign":
                self.step()
                node = self._subscripted(node)
            else:
                break
        if isinstance(node, Symbol | Power) and self.text == "(" and not self.spaced and _is_function(node):
            return Call(_function_name(node), self._bracketed_arguments())
        return node

    def _raised(self, node: Node) -> Node:
        if self.text == r"\circ" or (self.text == "{" and self.peek_text(1) == r"\circ" and self.peek_text(2) == "}"):
            for _ in range(1 if self.text == r"\circ" else 3):
                self.step()
            while self.kind == "letter" and self.text in "CF" and not self.spaced:
                self.step()
            return Quantity(node, "degree")
        if self.text == "'" or (self.text == "{" and self.peek_text(1) == "'"):
            raise Unreadable("a prime as an exponent")
        exponent = self._exponent()
        if isinstance(exponent, Words):
            return Quantity(node, exponent.text)
        if isinstance(node, Quantity):
            return Quantity(Power(node.value, exponent), node.unit)
        return Power(node, exponent)

    def _exponent(self) -> Node:
        with self.deeper():
            if self.text in ("-", "+"):
                minus = self.text == "-"
                self.step()
                inner = self._exponent()
                return (
                    Product((integer(-1), inner))
                    if minus and not isinstance(inner, Number)
                    else (Number(-inner.value) if minus and isinstance(inner, Number) else inner)
                )
            if self.text == "{" and self.peek_kind(1) == "word" and self.peek_text(2) == "}":
                self.step()
                word = Words(self.text)
                self.step()
                self.step()
                return word
            if self.text in ("+", "*") or (
                self.text == "{" and self.peek_text(1) in ("+", "*", "-") and self.peek_text(2) == "}"
            ):
                raise Unreadable("a sign as an exponent")
            if self.kind == "letter" and self.text in "tT" and self.peek_text(1) == "h":
                self.step()
                self.step()
                return Words("th")
            exponent = self.atom()
            if self.text == "^":
                self.step()
                exponent = Power(exponent, self._exponent())
            return exponent

    def _subscripted(self, node: Node) -> Node:
        if isinstance(node, Number) and node.value.denominator == 1:
            base = self._base()
            return Based(str(node.value.numerator), base)
        name = self._subscript_name()
        if isinstance(node, Symbol | Constant):
            return Symbol(f"{node.name}_{name}")
        if isinstance(node, Power) and isinstance(node.base, Symbol | Constant):
            return Power(Symbol(f"{node.base.name}_{name}"), node.exponent)
        raise Unreadable("a subscript of something that is no name")

    def _base(self) -> int:
        name = self._subscript_name()
        base = int(name) if name.isdigit() and len(name) < 4 else _BASE_WORDS.get(name, 0)
        if base < 2:
            raise Unreadable(f"a number with subscript {name!r}")
        return base

    def _subscript_name(self) -> str:
        """The text of a subscript: one token, or what stands between braces."""
        if self.text not in ("{", "("):
            if self.kind == "end":
                raise Unreadable("nothing to read as a subscript")
            name = self.text
            self.step()
            return name
        close = "}" if self.text == "{" else ")"
        self.step()
        pieces = []
        while self.text != close:
            if self.kind == "end":
                raise Unreadable("an unfinished subscript")
            pieces.append(self.text)
            self.step()
        self.step()
        return "".join(pieces)

    # -- atoms ----------------------------------------------------------------------------------------------------
    def starts_atom(self) -> bool:
        """Whether the current command can begin a value."""
        return self.text in _OTHER_ATOMS or self.text[1:] in _GREEK or self.text[1:] in FUNCTIONS

    def atom(self) -> Node:
        with self.deeper():
            if self.kind == "number":
                return self._number()
            if self.kind == "letter":
                name = self.text
                self.step()
                return Constant(name) if name in ("i", "e") and self.text != "_" else Symbol(name)
            if self.kind == "name":
                return self._named(self.text)
            if self.kind == "begin":
                return self._environment()
            if self.kind == "sign":
                return self._sign()
            if self.kind == "command":
                return self._command()
            raise Unreadable(f"cannot read {self.text or 'the end'!r} as a value")

    def _number(self) -> Number:
        text = self.text
        self.step()
        mantissa = text.lower().split("e")[0]
        decimals = len(mantissa.split(".")[1]) if "." in mantissa else None
        significant = len(mantissa.replace(".", "").lstrip("0")) if decimals is not None else 0
        if "e" in text.lower() and abs(int(text.lower().split("e")[1])) > 1000:
            raise Unreadable("an exponent beyond 1000 in a numeral")
        if self.text == r"\overline" and decimals is not None:
            return self._repeating(text, decimals)
        if "e" in text.lower():
            return Number(Fraction(text))
        return Number(Fraction(text), decimals, significant)

    def _repeating(self, text: str, decimals: int) -> Number:
        r"""0.1\overline{23}"""
        self.step()
        self.expect("{")
        block = self.text
        if self.kind != "number" or not block.isdigit():
            raise Unreadable("an overline that is no repeating decimal")
        self.step()
        self.expect("}")
        return Number(Fraction(text) + Fraction(int(block), (10 ** len(block) - 1) * 10**decimals))

    def mixed_number(self, whole: Number) -> Number:
        """`3 1/2` after its 3."""
        digits = self.text + self.peek_text(2)
        if not self.spaced or self.peek_text(1) != "/" or not digits.isdigit() or whole.decimals is not None:
            raise Unreadable("two numbers without an operator")
        top, bottom = int(self.text), int(self.peek_text(2))
        if not 0 < top < bottom:
            raise Unreadable("two numbers without an operator")
        for _ in range(3):
            self.step()
        return Number(whole.value + Fraction(top, bottom))

    def _named(self, name: str) -> Node:
        if name in FUNCTIONS:
            self.step()
            return self._function(name)
        if name in ("and", "or", "union", "mod"):
            raise Unreadable(f"{name!r} without a value before it")
        self.step()
        return Constant(CONSTANTS[name]) if name in CONSTANTS else Symbol(name)

    def _sign(self) -> Node:
        if self.text in ("(", "[", "{"):
            return self._bracket(self.text)
        if self.text == "|":
            if self.in_bars:
                raise Unreadable("an absolute value of nothing")
            self.step()
            return Call("abs", (self._inside("|", bars=True),))
        if self.text == "...":
            self.step()
            return Symbol("...")
        raise Unreadable(f"cannot read {self.text!r} as a value")

    def _command(self) -> Node:
        text = self.text
        name = text[1:]
        if text in _CLOSERS:
            return self._bracket(text)
        if text == r"\|":
            self.step()
            return Call("abs", (self._inside(r"\|"),))
        if name in FUNCTIONS:
            self.step()
            return self._function(name)
        if text in CURRENCIES:
            self.step()
            value = self.product()
            return value if isinstance(value, Quantity) else Quantity(value, CURRENCIES[text])
        if not (self.starts_atom() or name in CONSTANTS):
            raise Unreadable(f"unknown command {text}")
        self.step()
        if name in CONSTANTS:
            return Constant(CONSTANTS[name])
        if text == r"\frac":
            return fraction(self._argument(), self._argument())
        if text == r"\emptyset":
            return NamedSet("empty")
        if text == r"\mathbb":
            return self._named_set()
        if text in (r"\overline", r"\bar"):
            return Call("conjugate", (self._argument(),))
        if text in (r"\angle", r"\triangle", r"\odot", r"\square"):
            points = ""
            while self.kind == "letter" and self.text.isupper():
                points += self.text
                self.step()
            return Symbol(f"{name} {points}")
        return Symbol(name)

    def _named_set(self) -> NamedSet:
        letter = self._subscript_name()
        if letter not in _NAMED_SETS:
            raise Unreadable(f"unknown set {letter!r}")
        name = _NAMED_SETS[letter]
        if self.text in ("^", "_"):
            self.step()
            mark = self._subscript_name()
            name = f"{name} {mark.replace('>0', '+')}"
        return NamedSet(name)

    # -- functions ------------------------------------------------------------------------------------------------
    def _function(self, name: str) -> Node:
        name = _SAME_FUNCTION.get(name, name)
        if name in ("sqrt", "cbrt", "root"):
            return self._root(name)
        if name == "binom":
            if self.text == "(":
                return Call("binom", self._bracketed_arguments())
            return Call("binom", (self._argument(), self._argument()))
        base: Node | None = None
        exponent: Node | None = None
        while self.text in ("_", "^"):
            subscript = self.text == "_"
            self.step()
            if subscript:
                base = self._argument()
            else:
                exponent = self._exponent()
        if name == "log" and base is None and self.kind == "number" and self.peek_text(1) == "(" and not self.spaced:
            base = self._number()  # log2(8)
        arguments = self._function_arguments()
        if name == "lg":
            name, base = "log", integer(10)
        if base is not None:
            arguments = (*arguments, base)
        if exponent == integer(-1) and name in _INVERSES:
            return Call(_INVERSES[name], arguments)
        call_or_power: Node
        call = Call("ln" if name == "log" and base is None else name, arguments)
        if name == "cis":
            turned = Product((Constant("i"), Call("sin", arguments)))
            call_or_power = Sum((Call("cos", arguments), turned))
        elif name == "exp":
            call_or_power = Power(Constant("e"), arguments[0])
        elif name == "factorial":
            call_or_power = Call("factorial", arguments)
        else:
            call_or_power = call
        return Power(call_or_power, exponent) if exponent is not None else call_or_power

    def _root(self, name: str) -> Node:
        index: Node = integer(3 if name == "cbrt" else 2)
        if self.text == "[":
            index = self._bracket("[")
        if self.text == "(":
            arguments = self._bracketed_arguments()
            if name == "root" and len(arguments) == 2:
                return Call("root", arguments)
            if len(arguments) != 1:
                raise Unreadable("a root of several values")
            return Call("root", (arguments[0], index))
        return Call("root", (self._argument(whole_numbers=True), index))

    def _function_arguments(self) -> tuple[Node, ...]:
        if self.text in ("(", "{", "["):
            return self._bracketed_arguments()
        with self.deeper():
            if self.text == "-":
                self.step()
                factors: list[Node] = [integer(-1), self.power()]
            else:
                factors = [self.power()]
            while True:
                if self.at_factor(False) and self.text not in ("(", "[", "|") and not self._at_function():
                    factors.append(self.power())
                elif self.text == "/" and self.peek_kind(1) == "number" and Constant("pi") in factors:
                    self.step()
                    factors.append(Power(self._number(), integer(-1)))
                else:
                    break
            return (factors[0] if len(factors) == 1 else Product(tuple(factors)),)

    def _at_function(self) -> bool:
        return (
            self.text.removeprefix("\\") in FUNCTIONS and self.text not in (r"\sqrt", "sqrt")
        ) or self.kind == "begin"

    def _bracketed_arguments(self) -> tuple[Node, ...]:
        opening = self.text
        self.step()
        inside = self._inside(*_CLOSERS[opening])
        if isinstance(inside, Sequence) and not inside.opening:
            return inside.items
        return (inside,)

    def _argument(self, whole_numbers: bool = False) -> Node:
        r"""A TeX argument: a group, or a single digit, letter or command (`\frac12`)."""
        if self.kind == "number" and not whole_numbers and len(self.text) > 1 and self.text.isdigit():
            digit, rest = self.text[0], self.text[1:]
            self._tokens[self._position] = Token("number", rest)
            self._load()
            return integer(int(digit))
        return self.atom()

    # -- brackets -------------------------------------------------------------------------------------------------
    def _inside(self, *closers: str, bars: bool = False) -> Node:
        """What stands up to the closer, which is consumed."""
        outer, self.in_bars = self.in_bars, bars
        inside = self.sequence()
        self.in_bars = outer
        self.expect(*closers)
        return inside

    def _bracket(self, opening: str) -> Node:
        self.step()
        outer, self.in_bars = self.in_bars, False
        try:
            return self._bracket_content(opening)
        finally:
            self.in_bars = outer

    def _bracket_content(self, opening: str) -> Node:
        if opening == r"\{" and self.text == r"\}":
            self.step()
            return NamedSet("empty")
        inside = self.sequence(builder=opening == r"\{")
        if opening == r"\{" and self.text in ("|", r"\mid", ":"):
            inside = self.set_builder(inside)
        if self.text in (r"\choose", r"\over", r"\atop") and opening == "{":
            choose = self.text != r"\over"
            self.step()
            lower = self.sequence()
            self.expect("}")
            return Call("binom", (inside, lower)) if choose else fraction(inside, lower)
        closing = self.expect(*_CLOSERS[opening])
        if opening == r"\lfloor":
            return Call("floor", (inside,))
        if opening == r"\lceil":
            return Call("ceil", (inside,))
        if opening in (r"\lvert", r"\Vert"):
            return Call("abs", (inside,))
        bare = isinstance(inside, Sequence) and not inside.opening
        if opening == r"\{":
            if isinstance(inside, Builder):
                return inside
            items = inside.items if isinstance(inside, Sequence) and bare else (inside,)
            return Sequence(items, "{", "}")
        if isinstance(inside, Sequence) and bare:
            kind = "<" if opening == r"\langle" else opening
            return Sequence(inside.items, kind, closing)
        return inside

    def _environment(self) -> Node:
        name = self.text
        self.step()
        rows: list[list[Node]] = [[]]
        while self.kind != "ending":
            if self.kind == "end":
                raise Unreadable(f"an unfinished {name} environment")
            if self.text == r"\\":
                rows.append([])
                self.step()
            elif self.text in ("&", ",", ";", ".", r"\hline", "and") or (
                self.kind == "word" and self.text.lower() in _CASE_WORDS
            ):
                self.step()
            elif self.kind == "word":
                words = []
                while self.kind == "word":
                    words.append(self.text.lower())
                    self.step()
                rows[-1].append(Words(" ".join(words)))
            else:
                rows[-1].append(self.relation())
        self.step()
        cells = tuple(tuple(row) for row in rows if row)
        if not cells:
            raise Unreadable("an empty environment")
        if name in ("cases", "dcases", "rcases"):
            return Piecewise(cells) if any(len(row) > 1 for row in cells) else Sequence(tuple(row[0] for row in cells))
        return Matrix(cells)

    def unit_exponent(self) -> list[str]:
        """`^2` after a unit word, as ["^", "2"]."""
        if self.text != "^":
            return []
        self.step()
        return ["^", self._subscript_name()]


_CASE_WORDS = frozenset({"if", "for", "when", "where", "while"})


def fraction(top: Node, bottom: Node) -> Node:
    """A quotient; of two whole numbers, the rational number."""
    if isinstance(bottom, Quantity) and isinstance(top, Quantity):
        bottom, top = bottom.value, top.value
    if (
        isinstance(top, Number)
        and isinstance(bottom, Number)
        and bottom.value
        and top.decimals is None
        and bottom.decimals is None
    ):
        return Number(top.value / bottom.value)
    if bottom == ONE:
        return top
    return Product((top, Power(bottom, integer(-1))))


def _is_function(node: Node) -> bool:
    symbol = node.base if isinstance(node, Power) else node
    return isinstance(symbol, Symbol) and symbol.name.rstrip("'")[:1] in _FUNCTION_LETTERS and (
        not isinstance(node, Power) or node.exponent == integer(-1)
    )  # fmt: skip


def _function_name(node: Node) -> str:
    if isinstance(node, Power) and isinstance(node.base, Symbol):
        return f"{node.base.name}^-1"
    return node.name if isinstance(node, Symbol) else "f"
