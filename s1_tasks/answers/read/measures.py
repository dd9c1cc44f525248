r"""Units as they are set in a text, each as one `\unit{...}`: `\,\text{m/s}`, `\ \mathrm{J\,K^{-1}}`, `\SI{5}{\metre}`.

One token loop reads a unit, whatever spaces, fonts and dots stand in it. It begins behind a value and ends with its
last known measure; a text with another word in it is left to the words after a number (`tree.units`).
"""

import itertools
import re
from collections.abc import Callable

from s1_tasks.answers.tree.units import measure, spelled

MAX_UNITS = 40
MAX_TOKENS = 40
"""In one unit."""
_MAX_ARGUMENT = 300

_SPACE = r"(?:[\s~]|\\[,;:!> ]|\\(?:q?quad|enspace|thinspace|medspace|thickspace)(?![a-zA-Z])|\{\})"
_MARKUP = (
    r"\\(?:text|mathrm|textrm|mbox|hbox|operatorname\*?|mathbf|textbf|textit|mathit|textup|textnormal|mathsf|textsf|"
    r"si|unit)\s*\{"
)
_DEGREES = r"\^\s?\{?\s?\\(?:circ|degree)\s?\}?"
_COMMANDS = r"\\(?:Omega|ohm|mu|micro|upmu|celsius|degreeCelsius|degree|angstrom|AA)(?![a-zA-Z])"
_VALUE_END = r"(?:(?<=[\d})\]!])|(?<=\\pi)|(?<=\d[a-z]))"
_START = re.compile(
    rf"{_VALUE_END}(?=(?:{_SPACE}){{0,8}}(?:{_MARKUP}|{_COMMANDS}|{_DEGREES}\s?(?:{_SPACE}){{0,2}}(?:{_MARKUP}\s?)?[CFK]\b))|"
    rf"(?<=\d)(?=(?:{_SPACE}){{1,4}}[a-zA-Z]{{1,4}}(?:[\s/^.,;)*$]|\\|$))"
)
_FRACTION = re.compile(rf"\\[dt]?frac\s?(?=\{{\s?(?:{_SPACE})?{_MARKUP})")
_TOKEN = re.compile(
    rf"(?P<space>{_SPACE}+)|(?P<open>{_MARKUP})|(?P<close>\}})|(?P<degrees>{_DEGREES})|"
    r"\^\s?(?:\{\s?(?P<braced>[+-]?\d)\s?\}|(?P<power>-?\d))|(?P<times>\\cdot(?![a-zA-Z])|\\times(?![a-zA-Z])|\*)|"
    r"\\tothe\s?\{(?P<raised>-?\d)\}|(?P<over>/)|(?P<bracket>[()])|(?P<command>\\[a-zA-Z]+)|(?P<word>[a-zA-Z]+)|"
    r"(?P<dot>\.(?=[a-zA-Z]))"
)
_LETTERS_OF_MATHEMATICS = frozenset("edixyznkpqrabcB")
"""Single letters that are no unit even in upright type."""
_SYMBOL_OF = {"Omega": "Ohm", "ohm": "Ohm", "celsius": "degree C", "degreeCelsius": "degree C", "angstrom": "AA",
              "AA": "AA"}  # fmt: skip
_MICRO = frozenset({"mu", "micro", "upmu"})
_PREFIX_MACROS = {"kilo": "k", "mega": "M", "giga": "G", "tera": "T", "hecto": "h", "deca": "da", "deci": "d",
                  "centi": "c", "milli": "m", "nano": "n", "pico": "p", "femto": "f"}  # fmt: skip
_POWER_MACROS = {"squared": 2, "cubed": 3}
_NEXT_POWERS = {"square": 2, "sq": 2, "cubic": 3, "cu": 3}
_SIUNITX = re.compile(r"\\(SI|qty|num|ang|si)(?![a-zA-Z])(?:\[[^\[\]]{0,80}\])?")
_SCALES = frozenset("CF")
_PREFIX_LETTERS = frozenset("MGmn")
_NOT_BARE = frozenset(
    str.split("in at as am pm min max mod day days ha pt ft cd Pa Hz sec deg rad sr u t bar bit cent dollar unit")
)
"""Words that may be something else when they are set as plain text."""
_DEGREE = "degree "


class _Reader:
    """The factors read so far, and what the next one is multiplied by."""

    def __init__(self) -> None:
        self.factors: list[tuple[str, int]] = []
        self.prefix = ""
        self.sign = 1
        self.next_power = 1
        self.brackets = 0
        self.groups = 0
        self.strong = False
        self.may_be_prefix = False
        """Whether the last thing read is a letter such as the M of M\\Omega."""

    def add(self, known: dict[str, int]) -> None:
        self.factors += [(name, self.sign * self.next_power * power) for name, power in known.items()]
        self.next_power = 1
        if not self.brackets:
            self.sign = 1

    def raise_last(self, power: int) -> bool:
        if not self.factors:
            return False
        name, before = self.factors[-1]
        self.factors[-1] = (name, before * power)
        return True

    def word(self, word: str, upright: bool) -> bool:
        """Take a word or symbol; False for one that is no measure."""
        lowered = word.lower()
        if lowered in ("per", "over"):
            self.sign = -1
            return bool(self.factors)
        if lowered in _POWER_MACROS:
            return self.raise_last(_POWER_MACROS[lowered])
        if lowered in _NEXT_POWERS:
            self.next_power = _NEXT_POWERS[lowered]
            return True
        return self._symbol(word, upright)

    def _symbol(self, word: str, upright: bool) -> bool:
        if self.prefix == _DEGREE:
            self.prefix, self.strong = "", word in _SCALES
            self.add({_DEGREE + word: 1})
            return self.strong
        if word == "k" and upright:
            self.prefix = word
            return True
        known = measure(self.prefix + word) if self.prefix or self._may_be_unit(word, upright) else None
        if known is None:
            return False
        self.strong = self.strong or upright or bool(self.prefix) or (len(word) > 1 and word not in _NOT_BARE)
        self.may_be_prefix = word in _PREFIX_LETTERS and not self.prefix
        self.prefix = ""
        self.add(known)
        return True

    def _may_be_unit(self, word: str, upright: bool) -> bool:
        """A single letter may be a variable: it is a unit only in upright type, or behind another unit."""
        return len(word) > 1 or (word not in _LETTERS_OF_MATHEMATICS and (upright or bool(self.factors)))

    def command(self, name: str) -> bool:
        if name in _MICRO:
            self.prefix = "u"
        elif name == "degree":
            self.prefix = _DEGREE
        elif name in _PREFIX_MACROS:
            self.prefix += _PREFIX_MACROS[name]
        elif name == "per":
            self.sign = -1
        elif name in _NEXT_POWERS:
            self.next_power = _NEXT_POWERS[name]
        elif name in _POWER_MACROS:
            return self.raise_last(_POWER_MACROS[name])
        else:
            return self._named(name)
        return True

    def _named(self, name: str) -> bool:
        known = {_SYMBOL_OF[name]: 1} if name in _SYMBOL_OF else measure(name)
        if self.may_be_prefix and name in ("Omega", "ohm"):
            self.prefix = self.factors.pop()[0]
        if known is not None and self.prefix:
            known = measure(self.prefix + next(iter(known)))
        if known is None:
            return False
        self.prefix, self.strong = "", True
        self.add(known)
        return True

    @property
    def complete(self) -> bool:
        """Whether what was read is a unit as it stands."""
        return bool(self.factors) and not (self.groups or self.brackets or self.prefix)

    def group(self, step: int) -> bool:
        """A font's group opens or closes."""
        self.groups += step
        return self.groups >= 0

    def divide(self) -> bool:
        self.sign = -1
        return bool(self.factors)

    def bracket(self, opens: bool) -> bool:
        """J/(mol K): what is inside is below."""
        if opens and self.sign == 1:
            return False
        self.brackets += 1 if opens else -1
        if not opens:
            self.sign = 1
        return self.brackets >= 0


def marked_units(text: str) -> str:
    r"""`text` with its units as `\unit{...}`, and siunitx commands written out. Linear, with caps."""
    if "\\" in text:
        text = _without_siunitx(text)
        text = _with_fractions(text)
    pieces: list[str] = []
    position = found = 0
    while found < MAX_UNITS and (start := _START.search(text, position)):
        unit = _unit_at(text, start.start())
        if unit is None:
            pieces.append(text[position : start.start() + 1])
            position = start.start() + 1
            continue
        name, end = unit
        pieces += [text[position : start.start()], rf" \unit{{{name}}} "]
        position, found = end, found + 1
    return "".join(pieces) + text[position:] if pieces else text


def _with_fractions(text: str) -> str:
    r"""`\frac{\text{kg}\cdot\text{m}}{\text{s}^2}` as `\unit{kg m/s^2}`, where both parts are units as a whole."""
    pieces: list[str] = []
    position = 0
    for fraction in itertools.islice(_FRACTION.finditer(text), MAX_UNITS):
        top = _argument(text, fraction.end()) if fraction.start() >= position else None
        bottom = _argument(text, top[1]) if top else None
        above, below = _factors(top[0]) if top else None, _factors(bottom[0]) if bottom else None
        if bottom is None or above is None or below is None:
            continue
        unit = spelled([*above, *((name, -power) for name, power in below)])
        pieces += [text[position : fraction.start()], rf" \unit{{{unit}}} "]
        position = bottom[1]
    return "".join(pieces) + text[position:]


def _factors(text: str) -> list[tuple[str, int]] | None:
    """The factors of a text that is a unit and nothing else."""
    reader, end = _read(text, 0)
    return reader.factors if reader.strong and end == len(text.rstrip()) else None


def _unit_at(text: str, start: int) -> tuple[str, int] | None:
    """(unit, its end) of the unit that begins at `start`; None when no unit does, or other words belong to it."""
    reader, end = _read(text, start)
    if end < 0 or not reader.strong or reader.groups:
        return None
    follows = text[end : end + 1]
    belongs = follows in ("_", "{", "^", "(") or follows.isalnum()
    return None if belongs else (spelled(reader.factors), end)


def _read(text: str, start: int) -> tuple[_Reader, int]:
    """What a reader takes from `start` on, and where the last complete unit ends (-1: there is none)."""
    reader = _Reader()
    position, end = start, -1
    for _ in range(MAX_TOKENS):
        token = _TOKEN.match(text, position)
        if token is None or not _take(reader, token):
            break
        position = token.end()
        if reader.complete and token.lastgroup not in _HANGING:
            end = position
    return reader, end


_HANGING = frozenset({"space", "times", "over", "dot"})


def _take(reader: _Reader, token: re.Match[str]) -> bool:
    """Let the reader take one token; False where the unit ends."""
    kind = token.lastgroup or ""
    if kind != "word":
        reader.may_be_prefix = reader.may_be_prefix and kind in ("open", "close", "command")
    take = _TAKEN.get(kind)
    return take is None or take(reader, token[kind])


_TAKEN: dict[str, Callable[[_Reader, str], bool]] = {
    "open": lambda reader, text: reader.group(1),
    "close": lambda reader, text: reader.group(-1),
    "word": lambda reader, text: reader.word(text, upright=reader.groups > 0),
    "command": lambda reader, text: reader.command(text[1:]),
    "braced": lambda reader, text: reader.raise_last(int(text)),
    "power": lambda reader, text: reader.raise_last(int(text)),
    "raised": lambda reader, text: reader.raise_last(int(text)),
    "over": lambda reader, text: reader.divide(),
    "bracket": lambda reader, text: reader.bracket(text == "("),
    "degrees": lambda reader, text: reader.command("degree"),
}


def _without_siunitx(text: str) -> str:
    r"""`\SI{5}{\metre}` as `5 \unit{m}`, `\num{1e3}` as 1e3, `\ang{30}` as 30 degrees."""
    pieces: list[str] = []
    position = 0
    for command in itertools.islice(_SIUNITX.finditer(text), MAX_UNITS):
        if command.start() < position:
            continue
        first = _argument(text, command.end())
        second = _argument(text, first[1]) if first and command[1] in ("SI", "qty") else first
        written = None if first is None or second is None else _written(command[1], first[0], second[0])
        if written is None or second is None:
            continue
        pieces += [text[position : command.start()], written]
        position = second[1]
    return "".join(pieces) + text[position:]


def _written(command: str, value: str, unit: str) -> str | None:
    if command == "num":
        return value
    if command == "ang":
        degrees, *smaller = value.split(";")
        marks = zip(("^{\\circ}", "'", "''"), (degrees, *smaller), strict=False)
        return " ".join(part + mark for mark, part in marks if part)
    read = _unit_at(rf"\text{{{unit}}}", 0)
    name = read[0] if read else unit
    return f" \\unit{{{name}}} " if command == "si" else rf"{value} \unit{{{name}}} "


def _argument(text: str, start: int) -> tuple[str, int] | None:
    """(content, end) of the braces that open at `start`."""
    if text[start : start + 1] != "{":
        return None
    depth = 0
    for place in range(start, min(len(text), start + _MAX_ARGUMENT)):
        depth += {"{": 1, "}": -1}.get(text[place], 0)
        if not depth:
            return text[start + 1 : place], place + 1
    return None
