r"""Cleaned text -> tokens. Letters that form a known name or an English word stay together, others are split:
`2pi*r` is 2, pi, *, r; `xy` is x, y; `cups` is a word.
"""

import re
from typing import NamedTuple

from s1_tasks.answers.tree.nodes import Unreadable

MAX_TOKENS = 2_000
MAX_NUMBER_CHARS = 4_000
"""Longer numerals cannot be converted in bounded time (and no answer has them)."""


class Token(NamedTuple):
    """`kind`: number, letter, name, command, word, sign, begin, ending. `spaced`: a space came before it."""

    kind: str
    text: str
    spaced: bool = False


FUNCTIONS = frozenset(
    str.split(
        "sin cos tan cot sec csc arcsin arccos arctan arccot arcsec arccsc asin acos atan acot sinh cosh tanh "
        "coth sech csch arcsinh arccosh arctanh arsinh arcosh artanh asinh acosh atanh sqrt cbrt root log ln lg "
        "exp abs floor ceil ceiling min max gcd lcm sgn sign arg Re Im binom binomial factorial tg ctg arctg det "
        "cis"
    )
)
_GREEK = frozenset(
    str.split(
        "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi rho sigma tau upsilon phi chi "
        "psi omega"
    )
)
CONSTANTS = {"pi": "pi", "Pi": "pi", "PI": "pi", "infinity": "infinity", "Infinity": "infinity", "infty": "infinity",
             "inf": "infinity", "oo": "infinity"}  # fmt: skip
_NAMES = FUNCTIONS | _GREEK | set(CONSTANTS) | {"and", "or", "union", "mod"}
_SHORT_WORDS = frozenset(
    str.split(
        "is no yes all any to of the a cm km mm kg mg ft mph day days cup cups hour hr hrs min mins sec per if no "
        "not are has for one two six ten odd none even true false mi lb lbs oz yd pt in inch inches dm ml ha kph "
        "rpm am pm AM PM NO Yes No sq by at as an it we be do on so up out us his her men pct rad deg cents cent "
        "man age box sum set th st nd rd"
    )
)
_SPLIT = re.compile(
    "|".join(sorted((re.escape(name) for name in _NAMES - {"or", "and", "union"}), key=len, reverse=True))
)
_LEXEME = re.compile(
    r"\s*(?:(?P<number>\d+\.(?=\s*\\(?:overline|dot|bar))|\d+(?:\.\d+)?(?:[eE][+-]?\d+(?![\w.]))?|\.\d+)|(?P<letters>[a-zA-Z]+)|\\word\{(?P<word>[^{}]*)\}|"
    r"\\begin\s*\{(?P<begin>[a-zA-Z]+)\*?\}(?:\s*\{[lcr|\s]*\}|\s*\[[a-z]\])?|\\end\s*\{(?P<ending>[a-zA-Z]+)\*?\}|"
    r"(?P<command>\\(?:[a-zA-Z]+|.))|(?P<sign>\.\.\.|\*\*|<=|>=|!=|==|=<|=>|->|:=|\^|.))",
    re.DOTALL,
)
_UNIT_NAMED_AS_FUNCTION = re.compile(r"(?<=\d)\s*(?<!\\)\b(min|sec)\.?\s*(?=$|[,;])|(?<=\d)\s+\\word\{(min|sec)\}")
_SAME_SIGN = {"**": "^", "<=": r"\le", ">=": r"\ge", "!=": r"\ne", "==": "=", "=<": r"\le", "=>": r"\Rightarrow",
              "->": r"\to", ":=": "="}  # fmt: skip


def tokenise(text: str) -> list[Token]:
    """Raises Unreadable beyond the caps."""
    tokens: list[Token] = []
    text = _UNIT_NAMED_AS_FUNCTION.sub(r" \\word{\1\2s}", text)
    position, end = 0, len(text.rstrip())
    while position < end:
        match = _LEXEME.match(text, position)
        if match is None:
            raise Unreadable(f"cannot read {text[position : position + 20]!r}")
        kind = match.lastgroup or "sign"
        piece = match.group(kind)
        spaced = match.start(kind) > position and kind != "word"
        position = match.end()
        if kind == "letters" and len(piece) == 2 and piece.istitle() and text[position : position + 1] == "^":
            tokens += [Token("letter", piece[0], spaced), Token("letter", piece[1])]  # Be^x
        elif kind == "letters" or (kind == "word" and piece in _NAMES):
            tokens.extend(_split_letters(piece, spaced))
        elif kind == "command" and len(piece) > 3 and piece[1:] not in _NAMES and (glued := _SPLIT.match(piece, 1)):
            # a command run together with what follows: \pir, \cotx
            tokens.append(Token("command", piece[: glued.end()], spaced))
            tokens.extend(_split_letters(piece[glued.end() :], False) if glued.end() < len(piece) else [])
        elif kind == "sign":
            if piece == "!=" and not spaced and text[match.start(kind) - 1 : match.start(kind)].isdigit():
                tokens.append(Token("sign", "!", False))  # 5!=120
                piece = "="
            piece = _SAME_SIGN.get(piece, piece)
            tokens.append(Token("command" if piece[0] == "\\" else "sign", piece, spaced))
        else:
            if kind == "number" and len(piece) > MAX_NUMBER_CHARS:
                raise Unreadable(f"a number of {len(piece)} characters, at most {MAX_NUMBER_CHARS} are read")
            tokens.append(Token(kind, piece, spaced))
        if len(tokens) > MAX_TOKENS:
            raise Unreadable(f"more than {MAX_TOKENS} symbols")
    return tokens


def _split_letters(run: str, spaced: bool) -> list[Token]:
    if len(run) == 1:
        return [Token("letter", run, spaced)]
    if run in _NAMES:
        return [Token("name", run, spaced)]
    if run in _SHORT_WORDS or run.lower() in _SHORT_WORDS:
        return [Token("word", run, spaced)]
    pieces: list[Token] = []
    position = 0
    singles = 0
    while position < len(run):
        match = _SPLIT.match(run, position)
        if match:
            pieces.append(Token("name", match.group(), spaced and not pieces))
            position = match.end()
        else:
            pieces.append(Token("letter", run[position], spaced and not pieces))
            position += 1
            singles += 1
    if singles > 3 or (singles > 1 and len(pieces) > singles):
        return [Token("word", run, spaced)]
    return pieces
