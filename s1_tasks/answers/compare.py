"""Comparison without sympy: equal normalised text, and exact rational numbers."""

import re
from fractions import Fraction

_SPACES = re.compile(r"\\[,;:! ]|\\q?quad|~|\s+")
_WRAPPERS = re.compile(r"\\(?:text|textbf|mathrm|mathbf|mbox|textit)\s*\{([^{}]*)\}")


class Undecided(Exception):
    """Neither equal nor different can be said without computer algebra."""


def plain_form(text: str) -> str:
    """One spelling for answers that differ in typography only."""
    text = text.strip().strip("$").strip()
    text = text.replace("\\left", "").replace("\\right", "").replace("\\dfrac", "\\frac").replace("\\tfrac", "\\frac")
    text = _WRAPPERS.sub(r"\1", text)
    text = text.replace("\\$", "").replace("^\\circ", "").replace("^{\\circ}", "").replace("\\%", "").replace("−", "-")
    text = re.sub(r"\\frac\s*(\d)\s*(\d)", r"\\frac{\1}{\2}", text)
    text = _SPACES.sub("", text).rstrip(".")
    text = re.sub(r"^[a-zA-Z]=", "", text)
    return re.sub(r"(?<=\d)\{?,\}?(?=\d{3}(?!\d))", "", text)


def plain_equal(left: str, right: str) -> bool:
    """Equality of typographically equal texts and of rational numbers; raises Undecided for the rest."""
    left_form, right_form = plain_form(left), plain_form(right)
    if left_form == right_form:
        return bool(left_form)
    left_number, right_number = _rational(left_form), _rational(right_form)
    if left_number is None or right_number is None:
        raise Undecided
    return left_number == right_number


def _rational(form: str) -> Fraction | None:
    if match := re.fullmatch(r"(-?)\\frac\{(-?\d{1,300})\}\{(-?\d{1,300})\}", form):
        sign, top, bottom = match.groups()
        return None if int(bottom) == 0 else (-1 if sign else 1) * Fraction(int(top), int(bottom))
    if re.fullmatch(r"-?(?:\d{1,300}(?:\.\d{0,300})?|\.\d{1,300})", form):
        return Fraction(form)
    if (match := re.fullmatch(r"(-?\d{1,300})/(\d{1,300})", form)) and int(match.group(2)):
        return Fraction(int(match.group(1)), int(match.group(2)))
    return None
