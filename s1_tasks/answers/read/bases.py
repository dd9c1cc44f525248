"""Numbers with a stated base: `1011_2`, `ff_{16}`, `1011 (base two)`, `0x1f`. Their digits are kept as written."""

import re

from s1_tasks.answers.tree.nodes import Based

_NAMES = {"two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10,
          "twelve": 12, "sixteen": 16}  # fmt: skip
_DIGITS = "0123456789ABCDEF"
_NUMERAL = re.compile(r"\(?(-?)\s*([0-9A-F]+(?:\.[0-9A-F]+)?)\s*\)?")
_SUBSCRIPT = re.compile(rf"\s*\{{?\s*\(?(?:\\word\{{)?(\d{{1,2}}|{'|'.join(_NAMES)})\}}?\s*\)?\s*\}}?")
_IN_WORDS = re.compile(
    rf"\s*\(?(?:\\word\{{)?\s*(?:in\s+)?base[\s-]*\}}?\s*\$?(?:\\word\{{)?(\d{{1,2}}|{'|'.join(_NAMES)})\}}?\s*\)?"
)
_PREFIXED = re.compile(r"(-?)0([bBoOxX])([0-9a-fA-F]+)")
_PREFIXES = {"b": 2, "o": 8, "x": 16}
_SMALL_DIGITS = re.compile(r"\(?[0-9a-f]{2,}\)?")
_WORD = re.compile(r"\\word\{([A-F]{1,9})\}")


def based_number(cleaned: str) -> Based | None:
    """The number that a cleaned text writes in a stated base; None for other texts."""
    prefixed = _PREFIXED.fullmatch(cleaned)
    if prefixed is not None:
        sign, prefix, digits = prefixed.groups()
        return _based(sign, digits.upper(), _PREFIXES[prefix.lower()])
    numeral, mark, rest = cleaned.partition("_")
    if mark:
        subscript = _SUBSCRIPT.fullmatch(rest)
    else:
        numeral, mark, _ = cleaned.partition("base")
        numeral = numeral[: numeral.rindex("\\word")] if "\\word" in numeral[-12:] else numeral.rstrip(" (in")
        subscript = _IN_WORDS.fullmatch(cleaned, len(numeral)) if mark else None
    if subscript is None:
        return None
    base = _NAMES.get(subscript[1]) or int(subscript[1])
    numeral = _WORD.sub(r"\1", numeral).strip()
    digits_only = numeral.replace(" ", "")
    if base > 10 and _SMALL_DIGITS.fullmatch(numeral) and (not numeral.strip("()").isalpha() or len(numeral) > 1):
        numeral = numeral.upper()  # lower-case digits where they cannot be a symbol with an index
    elif digits_only.isdigit():
        numeral = digits_only  # 1011 0101
    found = _NUMERAL.fullmatch(numeral)
    return _based(found[1], found[2], base) if found else None


def _fits(digits: str, base: int) -> bool:
    return base > 1 and all(_DIGITS.index(digit) < base for digit in digits if digit != ".")


def _based(sign: str, digits: str, base: int) -> Based | None:
    if not _fits(digits, base):
        return None  # A_2 is a name
    return Based(digits.lstrip("0") or "0", base, bool(sign))
