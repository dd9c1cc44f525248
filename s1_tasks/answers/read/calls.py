"""Functions, roots, logarithms, and the arguments they take with or without brackets."""

from __future__ import annotations

from s1_tasks.answers.read.brackets import CLOSERS, BracketReader
from s1_tasks.answers.read.tokens import FUNCTIONS, Token
from s1_tasks.answers.tree.matrices import determinant
from s1_tasks.answers.tree.nodes import Call, Constant, Matrix, Node, Power, Product, Sequence, Sum, Unreadable, integer

_SAME_FUNCTION = {"asin": "arcsin", "acos": "arccos", "atan": "arctan", "acot": "arccot", "tg": "tan", "ctg": "cot",
                  "arctg": "arctan", "arcsinh": "arsinh", "asinh": "arsinh", "arccosh": "arcosh", "acosh": "arcosh",
                  "arctanh": "artanh", "atanh": "artanh", "ceiling": "ceil", "binomial": "binom",
                  "sign": "sgn"}  # fmt: skip
_INVERSES = {"sin": "arcsin", "cos": "arccos", "tan": "arctan", "cot": "arccot", "sec": "arcsec", "csc": "arccsc",
             "sinh": "arsinh", "cosh": "arcosh", "tanh": "artanh"}  # fmt: skip


class CallReader(BracketReader):
    """Reads functions; `\\sin^2 2x` and `sin(2x)^2` alike."""

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
                exponent = self.exponent()
        if name == "log" and base is None and self.kind == "number" and self.peek_text(1) == "(" and not self.spaced:
            base = self.number()  # log2(8)
        arguments = self._function_arguments()
        if name in ("gcd", "lcm", "max", "min"):
            arguments = tuple(sorted(arguments, key=repr))
        if name == "det" and len(arguments) == 1 and isinstance(arguments[0], Matrix):
            return determinant(arguments[0].rows)
        if name == "lg":
            name, base = "log", integer(10)
        if base is not None:
            arguments = (*arguments, base)
        if exponent == integer(-1) and name in _INVERSES:
            return Call(_INVERSES[name], arguments)
        call_or_power: Node
        call = Call(name, arguments)
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
        if self.text in ("(", "{", "[", r"\{"):
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
                    factors.append(Power(self.number(), integer(-1)))
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
        inside = self._inside(*CLOSERS[opening])
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
