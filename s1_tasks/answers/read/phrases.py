"""Sets, comparisons and lists in words: "all real numbers except 2", "x is at least 3", "red and blue"."""

import re

from s1_tasks.answers.read.normalise import in_plain_words, words_form

MAX_PHRASE_CHARS = 200
_ALL_REALS = r"(?:the set of )?(?:all|any|every) real(?: numbers?| values?)?(?: of)?(?: [a-z])?"
_EXCEPT = re.compile(
    rf"{_ALL_REALS},? (?:except|other than|but|excluding|not equal to|besides)(?: for)?:? (?:[a-z] ?= ?)?(.+)"
)
_SUCH_THAT = re.compile(rf"{_ALL_REALS},? (?:such that|with|where|satisfying) (.+)")
_REALS = re.compile(rf"(?:[a-z] (?:is|can be) )?{_ALL_REALS}")
_COMPARISONS = (
    (r"\ge", r"(?:greater than or equal to|at least|no less than|not less than)"),
    (r"\le", r"(?:less than or equal to|at most|no more than|not more than|no greater than)"),
    (">", r"(?:greater|more|larger) than"),
    ("<", r"(?:less|smaller) than"),
)
_COMPARED = tuple(
    (sign, re.compile(rf"(?:{_ALL_REALS}|([a-z])(?: (?:is|must be|can be))?),? (?:that are )?{words} ([^a-z]*[^ ]*)"))
    for sign, words in _COMPARISONS
)
_JOINER = re.compile(r"\s*(?:,\s*and\b|,|;|&|\band\b)\s*")


def in_symbols(cleaned: str) -> str | None:
    """A set of reals that a cleaned text describes in words, in symbols; None for other texts."""
    if len(cleaned) > MAX_PHRASE_CHARS:
        return None
    text = in_plain_words(cleaned)
    text = text[:1].lower() + text[1:]
    if match := _EXCEPT.fullmatch(text):
        return rf"\mathbb{{R}} \setminus \{{ {match[1]} \}}"
    if match := _SUCH_THAT.fullmatch(text):
        return match[1]
    if _REALS.fullmatch(text):
        return r"\mathbb{R}"
    for sign, compared in _COMPARED:
        if match := compared.fullmatch(text):
            return f"{match[1] or 'x'} {sign} {match[2]}"
    return None


def list_in_words(cleaned: str) -> str | None:
    """ "red and blue", "blue, red": one form for a list of names; None for other texts.

    Three names with commas only may be a ranking, so their order counts.
    """
    text = in_plain_words(cleaned).removesuffix(" only").strip()
    parts = [words_form(part) for part in _JOINER.split(text)]
    if len(parts) < 2 or (len(parts) > 2 and not re.search(r"\band\b|&", text)):
        return None
    if not all(part and len(part.split()) <= 2 and part.replace(" ", "").isalpha() for part in parts):
        return None
    return " and ".join(sorted(parts))
