r"""Cleaned text -> tokens. Letters that form a known name or an English word stay together, others are split:
`2pi*r` is 2, pi, *, r; `xy` is x, y; `cups` is a word.
"""

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from s1_tasks.answers.tree.nodes import Unreadable

MAX_TOKENS = 2_000
MAX_NUMBER_CHARS = 4_000
"""Longer numerals cannot be converted in bounded time (and no answer has them)."""


class Token(NamedTuple):
    """`kind`: number, letter, name, command, word, unit, sign, begin, ending. `spaced`: a space came before it."""

    kind: str
    text: str
    spaced: bool = False


END = Token("end", "")
FUNCTIONS = frozenset(
    str.split(
        "sin cos tan cot sec csc arcsin arccos arctan arccot arcsec arccsc asin acos atan acot sinh cosh tanh "
        "coth sech csch arcsinh arccosh arctanh arsinh arcosh artanh asinh acosh atanh sqrt cbrt root log ln lg "
        "exp abs floor ceil ceiling min max gcd lcm sgn sign arg Re Im binom binomial factorial tg ctg arctg det "
        "cis"
    )
)
_SMALL_GREEK = frozenset(
    str.split(
        "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi rho sigma tau upsilon phi chi "
        "psi omega"
    )
)
GREEK = _SMALL_GREEK | frozenset(str.split("Gamma Delta Theta Lambda Xi Sigma Upsilon Phi Psi Omega"))
CONSTANTS = {"pi": "pi", "Pi": "pi", "PI": "pi", "infinity": "infinity", "Infinity": "infinity", "infty": "infinity",
             "inf": "infinity", "oo": "infinity"}  # fmt: skip
_NAMES = FUNCTIONS | _SMALL_GREEK | set(CONSTANTS) | {"and", "or", "union", "mod"}
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
    r"\s*(?:(?P<number>\d+\.(?=\s*\\(?:overline|dot|bar))|\d+(?:\.\d+)?(?:[eE][+-]?\d+(?![\w.]))?|\.\d+)|(?P<letters>[a-zA-Z]+)|\\word\{(?P<word>[^{}]*)\}|\\unit\{(?P<unit>[^{}]*)\}|"
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
        spaced = match.start(kind) > position and kind != "word"
        tokens += _PIECES[kind](match, spaced)
        position = match.end()
        if len(tokens) > MAX_TOKENS:
            raise Unreadable(f"more than {MAX_TOKENS} symbols")
    return tokens


def _of_letters(match: re.Match[str], spaced: bool) -> list[Token]:
    run = match["letters"]
    if len(run) == 2 and run.istitle() and match.string[match.end() : match.end() + 1] == "^":
        return [Token("letter", run[0], spaced), Token("letter", run[1])]  # Be^x
    if run in ("AM", "PM") and match.string[: match.start("letters")].rstrip()[-1:].isdigit():
        return [Token("word", run, spaced)]
    return _split_letters(run, spaced)


def _of_word(match: re.Match[str], spaced: bool) -> list[Token]:
    word = match["word"]
    return _split_letters(word, spaced) if word in _NAMES else [Token("word", word, spaced)]


def _of_command(match: re.Match[str], spaced: bool) -> list[Token]:
    r"""One command, or one run together with what follows: \pir, \cotx."""
    command = match["command"]
    glued = _SPLIT.match(command, 1) if len(command) > 3 and command[1:] not in _NAMES else None
    if glued is None:
        return [Token("command", command, spaced)]
    rest = command[glued.end() :]
    return [Token("command", command[: glued.end()], spaced), *(_split_letters(rest, False) if rest else [])]


def _of_sign(match: re.Match[str], spaced: bool) -> list[Token]:
    sign, start = match["sign"], match.start("sign")
    if sign == "!=" and not spaced and match.string[max(0, start - 1) : start].isdigit():
        return [Token("sign", "!"), Token("sign", "=")]  # 5!=120
    sign = _SAME_SIGN.get(sign, sign)
    return [Token("command" if sign[0] == "\\" else "sign", sign, spaced)]


def _of_number(match: re.Match[str], spaced: bool) -> list[Token]:
    number = match["number"]
    if len(number) > MAX_NUMBER_CHARS:
        raise Unreadable(f"a number of {len(number)} characters, at most {MAX_NUMBER_CHARS} are read")
    return [Token("number", number, spaced)]


_PIECES: dict[str, Callable[[re.Match[str], bool], list[Token]]] = {
    "letters": _of_letters,
    "word": _of_word,
    "command": _of_command,
    "sign": _of_sign,
    "number": _of_number,
    "unit": lambda match, spaced: [Token("unit", match["unit"], spaced)],
    "begin": lambda match, spaced: [Token("begin", match["begin"], spaced)],
    "ending": lambda match, spaced: [Token("ending", match["ending"], spaced)],
}


def _split_letters(run: str, spaced: bool) -> list[Token]:
    """A run of letters as one name, one word, or letters and names one after another."""
    if len(run) == 1:
        return [Token("letter", run, spaced)]
    if run in _NAMES:
        return [Token("name", run, spaced)]
    if run.lower() in _SHORT_WORDS and not (len(run) == 2 and run.isupper()):  # AS and NO are segments
        return [Token("word", run, spaced)]
    pieces = list(_names_and_letters(run))
    singles = sum(kind == "letter" for kind, _ in pieces)
    if singles > 3 or (singles > 1 and len(pieces) > singles):
        return [Token("word", run, spaced)]
    return [Token(kind, piece, spaced and not index) for index, (kind, piece) in enumerate(pieces)]


def _names_and_letters(run: str) -> Iterator[tuple[str, str]]:
    position = 0
    while position < len(run):
        match = _SPLIT.match(run, position)
        yield ("name", match.group()) if match else ("letter", run[position])
        position = match.end() if match else position + 1
