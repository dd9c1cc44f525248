"""English words for numbers, sets, comparisons and lists: "forty-two", "all real numbers except 2", "red and blue"."""

import re
from fractions import Fraction

from s1_tasks.answers.read.clean import in_plain_words, words_form

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


# -- numbers: "two", "forty-two", "one hundred and five", "a dozen", "two thirds", "one and a half" -------------------
_ONES = str.split(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
)
_TENS = str.split("twenty thirty forty fifty sixty seventy eighty ninety")
_SMALL = {word: value for value, word in enumerate(_ONES)} | {word: 10 * value for value, word in enumerate(_TENS, 2)}
_LARGE = {"thousand": 10**3, "million": 10**6, "billion": 10**9}
PARTS = {"half": 2, "halves": 2, "quarter": 4, "quarters": 4}
for _part, _ordinal in enumerate(str.split("third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth"), 3):
    PARTS |= {_ordinal: _part, f"{_ordinal}s": _part}
_LARGER_PARTS = {
    13: "thirteenth", 14: "fourteenth", 15: "fifteenth", 16: "sixteenth", 20: "twentieth", 25: "twenty-fifth",
    30: "thirtieth", 40: "fortieth", 50: "fiftieth", 60: "sixtieth", 64: "sixty-fourth", 100: "hundredth",
    1000: "thousandth", 10**4: "ten-thousandth", 10**5: "hundred-thousandth", 10**6: "millionth", 10**9: "billionth",
}  # fmt: skip
PARTS |= {name + ending: part for part, name in _LARGER_PARTS.items() for ending in ("", "s")}
"""Words for parts of one, with how many of them make one."""
NUMBER_WORDS = frozenset({*_SMALL, *_LARGE, "hundred"})
MAX_WORDS = 20


def number_in_words(words: list[str]) -> Fraction | None:
    """The number that lower-case words without articles spell, or None.

    "two three" and "hundred hundred" spell none; "third" alone is a place in a row, "half" alone is 1/2.
    """
    if len(words) > 1 and words[0] in ("minus", "negative"):
        positive = number_in_words(words[1:])
        return None if positive is None or words[1] in ("minus", "negative") else -positive
    if not words:
        return None
    if words in (["hundred"], ["thousand"], ["million"]):
        words = ["one", *words]  # "a hundred"
    if words == ["half", "dozen"]:
        return Fraction(6)
    if words[-1] == "dozen":
        count = _whole_number(words[:-1] or ["one"])
        return None if count is None else Fraction(12 * count)
    if words[-1] in PARTS:
        return _with_part(words[:-1], PARTS[words[-1]])
    whole = _whole_number(words)
    return None if whole is None else Fraction(whole)


def _with_part(words: list[str], part: int) -> Fraction | None:
    """What `words` spell before "thirds": "two", or "one and two"; "half" needs no number before it."""
    whole: int | None = 0
    if "and" in words:
        at = len(words) - 1 - words[::-1].index("and")
        whole, words = _whole_number(words[:at]), words[at + 1 :]
    count = 1 if not words and part == 2 else _whole_number(words)
    return None if whole is None or not count else whole + Fraction(count, part)


def _whole_number(words: list[str]) -> int | None:
    if not words or len(words) > MAX_WORDS or "and" in (words[0], words[-1]):
        return None
    if words == ["zero"]:
        return 0
    total, group, room, limit = 0, 0, 1000, 10**12
    for word in words:
        if 0 < _SMALL.get(word, 0) < room:
            group += _SMALL[word]
            room = 10 if _SMALL[word] >= 20 else 1
        elif word == "hundred" and 0 < group < 10:
            group, room = group * 100, 100
        elif group and _LARGE.get(word, limit) < limit:
            limit = _LARGE[word]
            total, group, room = total + group * limit, 0, 1000
        elif word != "and":
            return None
    return total + group
