"""Units and counting words after a number: which words can be one, and one spelling for each.

Nothing is converted: an answer in metres for a reference in kilometres is another answer.
"""

import re

MULTIPLIERS = {"dozen": 12, "hundred": 100, "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
"""Words that multiply the number before them."""

_ALIASES = {
    "millimeter": "mm", "millimetre": "mm", "centimeter": "cm", "centimetre": "cm", "decimeter": "dm", "meter": "m",
    "metre": "m", "kilometer": "km", "kilometre": "km", "inch": "in", "foot": "ft", "feet": "ft", "yard": "yd",
    "mile": "mi", "gram": "g", "kilogram": "kg", "milligram": "mg", "pound": "lb", "ounce": "oz", "second": "s",
    "sec": "s", "minute": "min", "hour": "h", "hr": "h", "liter": "l", "litre": "l", "milliliter": "ml",
    "millilitre": "ml", "degree": "degree", "deg": "degree", "dollar": "dollar", "usd": "dollar", "buck": "dollar",
    "euro": "euro", "eur": "euro", "cent": "cent", "percent": "%", "percentage": "%", "pct": "%", "percentages": "%",
    "square": "sq", "sq": "sq", "cubic": "cu", "cu": "cu", "mph": "mi/h", "kph": "km/h", "kmh": "km/h", "radian": "rad",
    "rad": "rad", "person": "people", "unit": "unit", "inches": "in", "lbs": "lb", "hrs": "h", "mins": "min",
    "secs": "s", "celsius": "C", "fahrenheit": "F", "kmph": "km/h", "mpg": "mi/gallon", "bpm": "beat/min",
    "gal": "gallon", "children": "child", "women": "woman", "men": "man", "geese": "goose", "mice": "mouse",
}  # fmt: skip

_NOT_UNITS = frozenset(
    str.split(
        "not no nor less more than least most or and up under over between about is are was were be been equals "
        "equal but if then so because when where which that this cannot can could would should will may might "
        "must does do did has have had other otherwise only incorrect wrong correct right either neither none "
        "both plus minus times divided minutes' maybe perhaps answer solution solutions root roots solve "
        "otherwise remaining left except without until unless"
    )
)
_GENERIC = frozenset({"unit"})
_MAX_WORDS = 8


def is_unit_word(words: list[str]) -> bool:
    """Whether these words after a number can be its unit or what is counted."""
    return len(words) <= _MAX_WORDS and not any(word in _NOT_UNITS for word in words)


def unit_name(words: list[str]) -> str:
    """One spelling: singular, abbreviated, without what comes after "of"."""
    names: list[str] = []
    for word in words:
        if word in ("of", "in", "for", "from", "each", "on", "at", "to", "with", "per") and names:
            if word != "per":
                break
            word = "/"
        names.append(_canonical(word))
    name = unit_quotient(" ".join(names).replace(" / ", "/").replace(" ^ ", "^"))
    for prefix, exponent in (("sq ", "^2"), ("cu ", "^3")):
        if name.startswith(prefix):
            name = name[len(prefix) :] + exponent
    return name


def unit_quotient(name: str) -> str:
    """m s^-2 is m/s^2"""
    return _INVERSE.sub(lambda unit: f"/{unit[1]}" + (f"^{unit[2]}" if unit[2] != "1" else ""), name)


_INVERSE = re.compile(r" ([a-zA-Z]+)\^-(\d)")


def _canonical(word: str) -> str:
    if word in _ALIASES:
        return _ALIASES[word]
    if len(word) > 3 and word.endswith("s") and not word.endswith("ss"):
        singular = word[:-1]
        return _ALIASES.get(singular, singular)
    return word


def same_unit(left: str, right: str) -> bool:
    """Whether two stated units agree: equal, or one of them names none in particular ("units", "square units").

    Two scales or two moduli differ; degrees without a scale may be of any.
    """
    (left_head, _, left_power), (right_head, _, right_power) = left.partition("^"), right.partition("^")
    if left == right or {left, right} in ({"degree", "degree C"}, {"degree", "degree F"}):
        return True
    if "%" in (left, right):
        return left[:1] == right[:1]  # "20% off" is 20%, and no "20% more"
    if left.startswith(("mod ", "degree")) or right.startswith(("mod ", "degree")):
        return False
    if left_head in _GENERIC or right_head in _GENERIC:
        return left_power == right_power or not (left_power and right_power)
    return _counted(left) == _counted(right) != ""


def _counted(unit: str) -> str:
    """The last word of a counted thing ("different way" and "way" agree); empty for measures."""
    return "" if "/" in unit or "^" in unit or unit in _MEASURES else unit.rsplit(" ", 1)[-1]


_MEASURES = frozenset(_ALIASES.values()) | {"cm", "m", "km", "mm", "g", "kg", "s", "h", "l", "th"}
