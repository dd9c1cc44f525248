"""Commands with arguments: functions, roots, overlines, sets, matrices, cases. They read with the parser's help."""

from __future__ import annotations

from typing import TYPE_CHECKING

from s1_tasks.answers.read import build, leaves, notation
from s1_tasks.answers.read.tokens import FUNCTIONS
from s1_tasks.answers.tree.nodes import (
    Call,
    Constant,
    NamedSet,
    Node,
    Symbol,
    Unreadable,
    Words,
    integer,
)

if TYPE_CHECKING:
    from s1_tasks.answers.read.parser import Parser


def norm(reader: Parser) -> Node:
    return Call("abs", (reader.inside(r"\|"),))


def ray(reader: Parser) -> Node:
    return Symbol(f"vector {reader.subscript_name()}")


def overlined(reader: Parser) -> Node:
    argument = reader.argument()
    return argument if build.is_run_of_letters(argument) else Call("conjugate", (argument,))


def shape(reader: Parser) -> Node:
    shape = reader.peek(-1).text[1:]
    points = ""
    while reader.kind == "letter" and reader.text.isupper():
        points += reader.text
        reader.step()
    return Symbol(f"{shape} {points}")


def named_set(reader: Parser) -> Node:
    found = leaves.named_set(reader.subscript_name())
    if reader.text in ("^", "_") and isinstance(found, NamedSet):
        reader.step()
        return NamedSet(f"{found.name} {reader.subscript_name().replace('>0', '+')}")
    return found


def environment(reader: Parser) -> Node:
    name = reader.text
    reader.step()
    rows: list[list[Node]] = [[]]
    while reader.kind != "ending":
        if reader.kind == "end":
            raise Unreadable(f"an unfinished {name} environment")
        if reader.text == r"\\":
            rows.append([])
            reader.step()
        elif reader.text in notation.CELL_ENDS or (
            reader.kind == "word" and reader.text.lower() in notation.CASE_WORDS
        ):
            reader.step()
        elif reader.kind == "word":
            rows[-1] += _words(reader)
        else:
            rows[-1].append(reader.relation())
    reader.step()
    return build.environment(name, rows)


def _words(reader: Parser) -> list[Node]:
    """The words of a cell; "if" and "when" before a condition are none."""
    if reader.text.lower() in notation.CASE_WORDS:
        reader.step()
        return []
    words = []
    while reader.kind == "word":
        words.append(reader.text.lower())
        reader.step()
    return [Words(" ".join(words))]


def function(reader: Parser, name: str) -> Node:
    r"""After its name: `\sin^2 2x`, `sin(2x)^2`, `\log_2 8`, `\sqrt[3]{x}`."""
    name = notation.SAME_FUNCTION.get(name, name)
    if name in ("sqrt", "cbrt", "root"):
        return _root(reader, name)
    if name == "binom":
        return Call(
            name, reader.bracketed_arguments() if reader.text == "(" else (reader.argument(), reader.argument())
        )
    base: Node | None = None
    exponent: Node | None = None
    while reader.text in ("_", "^"):
        subscript = reader.text == "_"
        reader.step()
        if subscript:
            base = reader.argument()
        else:
            exponent = reader.exponent()
    if name == "log" and base is None and reader.kind == "number" and reader.peek(1).text == "(" and not reader.spaced:
        base = reader.number()  # log2(8)
    return build.function(name, _function_arguments(reader), base, exponent)


def _root(reader: Parser, name: str) -> Node:
    index: Node = integer(3 if name == "cbrt" else 2)
    if reader.text == "[":
        index = reader.bracket("[")
    if reader.text != "(":
        return Call("root", (reader.argument(whole_numbers=True), index))
    arguments = reader.bracketed_arguments()
    if name == "root" and len(arguments) == 2:
        return Call("root", arguments)
    if len(arguments) != 1:
        raise Unreadable("a root of several values")
    return Call("root", (arguments[0], index))


def _function_arguments(reader: Parser) -> tuple[Node, ...]:
    if reader.text in ("(", "{", "[", r"\{"):
        return reader.bracketed_arguments()
    reader.enter()
    factors: list[Node] = []
    if reader.text == "-":
        reader.step()
        factors.append(integer(-1))
    factors.append(reader.power())
    while True:
        if reader.at_factor(False) and reader.text not in ("(", "[", "|") and not _at_function(reader):
            factors.append(reader.power())
        elif reader.text == "/" and reader.peek(1).kind == "number" and Constant("pi") in factors:
            reader.step()
            factors.append(build.inverse(reader.number()))
        else:
            break
    reader.leave()
    return (build.product_of(factors),)


def _at_function(reader: Parser) -> bool:
    name = reader.text.removeprefix("\\")
    return (name in FUNCTIONS and name != "sqrt") or reader.kind == "begin"
