"""Units and counting words after a number: a closed grammar, and one spelling for each unit.

A unit is a product and quotient of powers of known measures: SI with prefixes, customary, currency. Nothing is
converted: an answer in metres for a reference in kilometres is another answer; but a newton is a kg m/s^2.

What is no measure is what was counted ("12 apples", "7 ways"). Such a word is open, so it is told by what it is not:
no word that changes a value (halves, thousandths, squared, dozen, tenfold), that compares or denies (more, than, not),
and no single letter.
"""

import re
from collections import defaultdict
from collections.abc import Iterable
from functools import lru_cache

MULTIPLIERS = {
    "dozen": 12, "dozens": 12, "gross": 144, "hundred": 100, "hundreds": 100, "k": 10**3, "thousand": 10**3,
    "thousands": 10**3, "million": 10**6, "millions": 10**6, "billion": 10**9, "billions": 10**9, "trillion": 10**12,
}  # fmt: skip
"""Words that multiply the number before them."""

_CHANGING_BEHIND = frozenset(
    str.split(
        "half halves third thirds fourth fourths quarter quarters fifth fifths squared cubed factorial times divided "
        "over more less fewer greater smaller larger than percent percentage point plus minus modulo mod fold to out k "
        "power"
    )
)
_CHANGING_BEFORE = frozenset(
    str.split(
        "negative minus half third quarter twice double triple thrice quadruple reciprocal inverse opposite square "
        "cube root factorial logarithm power powers multiple multiples factor factors divisor divisors odd even prime "
        "primes all any every each some percent complement negation conjugate absolute squared cubed non except than "
        "times"
    )
)
_FRACTION = re.compile(r"[a-z-]{2,}(?:th|ths|fold|illionths?)")
_COUNTED_ALL_THE_SAME = frozenset(
    str.split(
        "month months tooth path paths birth births math maths depth length width cloth myth moth moths youth youths"
    )
)

_PREFIXES = {"P": "peta", "T": "tera", "G": "giga", "M": "mega", "k": "kilo", "h": "hecto", "d": "deci", "c": "centi",
             "m": "milli", "u": "micro", "n": "nano", "p": "pico", "f": "femto", "a": "atto"}  # fmt: skip
_SI = {
    "m": ("kdcmunpf", "meter metre"), "g": ("kmunpMdch", "gram gramme"), "s": ("munpfa", "second sec"),
    "A": ("kmunpM", "ampere amp"), "K": ("mun", "kelvin"), "mol": ("kmunp", "mole"), "cd": ("mk", "candela"),
    "Hz": ("kMGTm", "hertz"), "N": ("kMmunG", "newton"), "Pa": ("kMGhmu", "pascal"), "J": ("kMGTPmunpf", "joule"),
    "W": ("kMGTPmunp", "watt"), "V": ("kMmunG", "volt"), "C": ("munpk", "coulomb"), "F": ("munpf", "farad"),
    "H": ("mun", "henry"), "T": ("mun", "tesla"), "Wb": ("mu", "weber"), "S": ("munk", "siemens"),
    "Ohm": ("kMGmu", "ohm"), "lm": ("k", "lumen"), "lx": ("k", "lux"), "Bq": ("kMGT", "becquerel"),
    "Gy": ("mu", "gray"), "Sv": ("mu", "sievert"), "eV": ("kMGTm", "electronvolt"), "l": ("mcdukn", "liter litre"),
    "cal": ("kM", "calorie"), "bar": ("mk", "bar"), "M": ("munp", "molar"), "B": ("kMGTP", "byte"),
    "bit": ("kMGT", "bit"), "t": ("kMG", "tonne"), "Wh": ("kMGT", "watthour"),
}  # fmt: skip
"""Symbol: the prefixes in use, and the names."""
_OTHERS = {
    "min": "minute mins", "h": "hour hr hrs", "day": "day", "week": "week wk", "month": "month", "year": "year yr",
    "in": "inch inches", "ft": "foot feet", "yd": "yard", "mi": "mile", "lb": "pound lbs", "oz": "ounce",
    "gallon": "gallon gal", "qt": "quart", "pt": "pint", "acre": "acre", "ha": "hectare", "ton": "ton",
    "degree": "degree deg", "rad": "radian", "sr": "steradian", "dollar": "dollar usd buck", "euro": "euro eur",
    "cent": "cent cents", "yen": "yen", "rupee": "rupee", "%": "percent percentage percentages pct",
    "atm": "atmosphere",
    "mmHg": "mmhg", "torr": "torr", "psi": "psi", "dB": "decibel", "C°": "celsius", "F°": "fahrenheit", "D": "diopter",
    "AA": "angstrom", "u": "amu", "rev": "revolution", "knot": "knot kn", "hp": "horsepower", "unit": "unit",
}  # fmt: skip
_SPECIAL = {
    "mph": {"mi": 1, "h": -1}, "kph": {"km": 1, "h": -1}, "kmh": {"km": 1, "h": -1}, "kmph": {"km": 1, "h": -1},
    "rpm": {"rev": 1, "min": -1}, "mpg": {"mi": 1, "gallon": -1}, "bpm": {"beat": 1, "min": -1}, "cc": {"cm": 3},
    "kwh": {"kW": 1, "h": 1}, "fps": {"ft": 1, "s": -1}, "mps": {"m": 1, "s": -1},
}  # fmt: skip
_COHERENT = {
    "Hz": {"s": -1}, "Bq": {"s": -1}, "N": {"kg": 1, "m": 1, "s": -2}, "Pa": {"kg": 1, "m": -1, "s": -2},
    "J": {"kg": 1, "m": 2, "s": -2}, "W": {"kg": 1, "m": 2, "s": -3}, "C": {"A": 1, "s": 1},
    "V": {"kg": 1, "m": 2, "s": -3, "A": -1}, "F": {"A": 2, "s": 4, "kg": -1, "m": -2},
    "Ohm": {"kg": 1, "m": 2, "s": -3, "A": -2}, "S": {"A": 2, "s": 3, "kg": -1, "m": -2},
    "Wb": {"kg": 1, "m": 2, "s": -2, "A": -1}, "T": {"kg": 1, "s": -2, "A": -1},
    "H": {"kg": 1, "m": 2, "s": -2, "A": -2}, "l": {"dm": 3}, "ml": {"cm": 3}, "rad": {}, "M": {"mol": 1, "dm": -3},
}  # fmt: skip
"""Units that are products of others without a factor."""
_SINGULARS = {"people": "person", "persons": "person", "children": "child", "women": "woman", "men": "man",
              "geese": "goose", "mice": "mouse", "henries": "henry"}  # fmt: skip


def _symbols() -> dict[str, str]:
    """Every spelling of a measure's symbol, as the symbol used here."""
    found = {prefix + symbol: prefix + symbol for symbol, (prefixes, _) in _SI.items() for prefix in ("", *prefixes)}
    found |= {prefix + "L": prefix + "l" for prefix in ("", "m", "c", "d", "k", "u")}
    return found | {symbol: symbol for symbol in _OTHERS} | {"kgs": "kg", "cms": "cm", "hr": "h", "sec": "s"}


def _names() -> dict[str, str]:
    """Every name of a measure in lower case and the singular, as the symbol used here."""
    found = {name: symbol for symbol, names in _OTHERS.items() for name in names.split()}
    for symbol, (prefixes, names) in _SI.items():
        for name in names.split():
            found |= {name: symbol} | {_PREFIXES[prefix] + name: prefix + symbol for prefix in prefixes}
    return found


_SYMBOLS, _NAMES = _symbols(), _names()
SINGLE_LETTERS = frozenset(symbol for symbol in _SYMBOLS if len(symbol) == 1 and symbol.isalpha())
"""Letters that can be units beside a number: 12 m, 3 s, 5 A."""


def measure(word: str) -> dict[str, int] | None:
    """The measures, with their exponents, that a word or symbol names; None for other words."""
    if word in _SYMBOLS:
        return {_SYMBOLS[word]: 1}
    lowered = word.lower()
    if lowered in _SPECIAL:
        return _SPECIAL[lowered]
    name = _NAMES.get(lowered) or _NAMES.get(_singular(lowered))
    return {name: 1} if name else None


def _singular(word: str) -> str:
    if word in _SINGULARS:
        return _SINGULARS[word]
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word


def spelled(factors: Iterable[tuple[str, int]]) -> str:
    """One spelling for a product of powers: "kg m/s^2", "1/s"."""
    total: dict[str, int] = defaultdict(int)
    for name, exponent in factors:
        total[name] += exponent
    above = [_power(name, exponent) for name, exponent in sorted(total.items()) if exponent > 0]
    below = ["/" + _power(name, -exponent) for name, exponent in sorted(total.items()) if exponent < 0]
    return (" ".join(above) or ("1" if below else "")) + "".join(below)


def _power(name: str, exponent: int) -> str:
    return name if exponent == 1 else f"{name}^{exponent}"


# -- words after a number ---------------------------------------------------------------------------------------------
_NOT_UNITS = frozenset(
    str.split(
        "not no nor most or and up under between about is are was were be been equals equal but if then so because "
        "when where which that this cannot can could would should will may might must does do did has have had other "
        "otherwise only incorrect wrong correct right either neither none both maybe perhaps answer solution "
        "solve remaining left except without until unless least"
    )
)
_MAX_WORDS = 8
_ENDS_NAME = frozenset(str.split("of in for from each on at to with"))
_SQUARES = {"square": 2, "sq": 2, "cubic": 3, "cu": 3}
_RAISED = {"squared": 2, "cubed": 3}


def changes_behind(word: str) -> bool:
    """Whether a lower-case word behind a value makes another one of it, or none: halves, squared, tenfold, more."""
    return word in _CHANGING_BEHIND or (_FRACTION.fullmatch(word) is not None and word not in _COUNTED_ALL_THE_SAME)


def changes_before(word: str) -> bool:
    """Whether a lower-case word before a value makes another one of it, or none: half, minus, odd, multiples of."""
    return word in _CHANGING_BEFORE


def is_unit_word(words: list[str]) -> bool:
    """Whether these words after a number can be its unit or what is counted."""
    if len(words) > _MAX_WORDS or any(word in _NOT_UNITS for word in words):
        return False
    if _measured(words) is not None:
        return True
    if len(words[0]) == 1 and words[0].isalpha():
        return False
    return not changes_behind(words[0]) and not any(word in ("than", "times") for word in words)


def unit_name(words: list[str]) -> str:
    """One spelling for words after a number: a measure, or the counted thing without what comes after "of"."""
    factors = _measured(words)
    if factors is not None:
        return spelled(factors)
    names: list[str] = []
    for word in words:
        if names and word in _ENDS_NAME:
            break
        known = measure(word)
        names.append("/" if word == "per" else next(iter(known)) if known and len(known) == 1 else _singular(word))
    return " ".join(names).replace(" / ", "/").replace(" ^ ", "^")


def _measured(words: list[str]) -> list[tuple[str, int]] | None:
    """The factors of words that are measures throughout ("square feet", "kg m / s ^ 2"), up to an "of"."""
    factors: list[tuple[str, int]] = []
    sign = squared = 1
    for place, word in enumerate(words):
        known = measure(word)
        if word in ("/", "per", "*"):
            sign = 1 if word == "*" else -1
        elif word in _SQUARES:
            squared = _SQUARES[word]
        elif known is not None:
            factors += [(name, sign * squared * exponent) for name, exponent in known.items()]
            squared = 1
        elif not factors:
            return None
        elif word in _ENDS_NAME:
            return factors
        elif not _raise(factors, word, words[place - 1]):
            return None
    return factors or None


def _raise(factors: list[tuple[str, int]], word: str, before: str) -> bool:
    """Raise the last factor by "squared", or by the 2 of "^ 2"; False for another word."""
    if word == "^":
        return True
    number = word if before == "^" and word.lstrip("-").isdigit() else None
    power = int(number) if number else _RAISED.get(word)
    if power is None:
        return False
    name, exponent = factors[-1]
    factors[-1] = (name, exponent * power)
    return True


# -- two units --------------------------------------------------------------------------------------------------------
def same_unit(left: str, right: str) -> bool:
    """Whether two stated units agree: equal, or one of them names none in particular ("units", "square units").

    Two scales or two moduli differ; degrees without a scale may be of any.
    """
    if left == right or {left, right} in ({"degree", "degree C"}, {"degree", "degree F"}):
        return True
    if "%" in (left, right):
        return left[:1] == right[:1]  # "20% off" is 20%, and no "20% more"
    if left.startswith(("mod ", "degree")) or right.startswith(("mod ", "degree")):
        return False
    if "unit" in (left.partition("^")[0], right.partition("^")[0]):
        powers = {unit.partition("^")[2] for unit in (left, right)}
        return len(powers) == 1 or "" in powers
    first, second = _expanded(left), _expanded(right)
    if first is not None or second is not None:
        return first == second
    return left.rsplit(" ", 1)[-1] == right.rsplit(" ", 1)[-1]  # "different way" and "way" agree


@lru_cache(maxsize=1024)
def _expanded(unit: str) -> str | None:
    """A unit in terms of base units; None for a counted thing."""
    factors: list[tuple[str, int]] = []
    for index, part in enumerate(unit.split("/")):
        for factor in part.split(" "):
            name, _, exponent = factor.partition("^")
            if name not in _SYMBOLS and name != "1":
                return None
            power = int(exponent or 1) * (-1 if index else 1)
            factors += [(base, count * power) for base, count in _COHERENT.get(name, {name: 1}).items() if base != "1"]
    return spelled(factors)
