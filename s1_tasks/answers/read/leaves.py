"""Small parts that need no grammar: subscripts, periods of decimals, mixed numbers, counted things.

Each takes the tokens and a place in them and gives what it read, and the place behind it; or raises Unreadable.
"""

from collections.abc import Callable
from fractions import Fraction

from s1_tasks.answers.read import notation
from s1_tasks.answers.read.tokens import END, Token
from s1_tasks.answers.tree.nodes import NamedSet, Node, Number, Symbol, Unreadable

MAX_UNIT_WORDS = 12


def token_at(tokens: list[Token], place: int) -> Token:
    """The token at a place; an end token behind the last one."""
    return tokens[place] if place < len(tokens) else END


def subscript(tokens: list[Token], place: int) -> tuple[str, int]:
    """The text of a subscript: one token, or what stands between braces."""
    first = token_at(tokens, place)
    if first.text not in ("{", "("):
        if first.kind == "end":
            raise Unreadable("nothing to read as a subscript")
        return first.text, place + 1
    close = "}" if first.text == "{" else ")"
    pieces: list[str] = []
    for index in range(place + 1, len(tokens)):
        if tokens[index].text == close:
            return "".join(pieces), index + 1
        pieces.append(tokens[index].text)
    raise Unreadable("an unfinished subscript")


def base(name: str) -> int:
    """The base that a subscript names."""
    value = int(name) if name.isdigit() and len(name) < 4 else notation.BASE_WORDS.get(name, 0)
    if value < 2:
        raise Unreadable(f"a number with subscript {name!r}")
    return value


def period(tokens: list[Token], place: int) -> tuple[str, int]:
    r"""The digits that repeat: `\overline{23}`, `\dot{2}\dot{3}`."""
    block = ""
    while token_at(tokens, place).text in notation.OVERLINES or (block and token_at(tokens, place).kind == "number"):
        if tokens[place].kind != "number":
            place += 2
        digits = token_at(tokens, place)
        if digits.kind != "number" or not digits.text.isdigit():
            raise Unreadable("an overline that is no repeating decimal")
        block += digits.text
        place += 2 if token_at(tokens, place + 1).text == "}" else 1
    return block, place


def mixed_number(whole: Number, tokens: list[Token], place: int) -> tuple[Number, int]:
    """`3 1/2`, from its 1 on."""
    top, over, bottom = (token_at(tokens, place + ahead) for ahead in range(3))
    digits = top.text + bottom.text
    if not top.spaced or over.text != "/" or not digits.isdigit() or whole.decimals is not None:
        raise Unreadable("two numbers without an operator")
    if not 0 < int(top.text) < int(bottom.text):
        raise Unreadable("two numbers without an operator")
    return Number(whole.value + Fraction(int(top.text), int(bottom.text))), place + 3


def named_set(letter: str) -> Node:
    r"""\mathbb{R}; E and P are expectation and probability."""
    if letter in ("E", "P"):
        return Symbol(letter)
    if letter not in notation.NAMED_SETS:
        raise Unreadable(f"unknown set {letter!r}")
    return NamedSet(notation.NAMED_SETS[letter])


def unit_words(tokens: list[Token], place: int, ends: Callable[[int], bool]) -> tuple[list[str], int]:
    """The words after a value, with `/`, `*` and exponents between them; `ends` says where they stop."""
    words: list[str] = []
    while True:
        token = token_at(tokens, place)
        if words and token.text in ("/", "*") and token_at(tokens, place + 1).kind in ("word", "letter"):
            words.append(token.text)
            place += 1
            token = tokens[place]
        elif token.kind != "word" or ends(place):
            return words, place
        words.append(token.text.lower() if token.kind == "word" else token.text)
        place += 1
        if token_at(tokens, place).text == "^":
            exponent, place = subscript(tokens, place + 1)
            words += ["^", exponent]
        if len(words) > MAX_UNIT_WORDS:
            raise Unreadable("prose")
