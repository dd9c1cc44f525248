"""Words that change a value, as the signs they stand for: "minus 5", "half of 10", "5 squared", "3 out of 4".

One loop over the tokens. Words that change a value and are not in these tables stay words: the parser reads no value
beside them ("multiples of 3" is not 3).
"""

from s1_tasks.answers.read.english import NUMBER_WORDS, PARTS, number_in_words
from s1_tasks.answers.read.tokens import CONSTANTS, Token

_ARTICLES = frozenset({"the", "a", "an", "its"})
_BEFORE: dict[tuple[str, ...], tuple[str, ...]] = {
    ("negative",): ("-",), ("minus",): ("-",), ("positive",): (), ("twice",): ("2", "*"), ("double",): ("2", "*"),
    ("triple",): ("3", "*"), ("thrice",): ("3", "*"), ("quadruple",): ("4", "*"),
}  # fmt: skip
_OF: dict[tuple[str, ...], tuple[tuple[str, ...], tuple[str, ...]]] = {
    ("reciprocal",): (("1", "/"), ()), ("inverse",): (("1", "/"), ()), ("multiplicative", "inverse"): (("1", "/"), ()),
    ("opposite",): (("-",), ()), ("negative",): (("-",), ()), ("additive", "inverse"): (("-",), ()),
    ("square", "root"): ((r"\sqrt",), ()), ("cube", "root"): ((r"\cbrt",), ()), ("square",): ((), ("^", "2")),
    ("cube",): ((), ("^", "3")), ("factorial",): ((), ("!",)), ("absolute", "value"): (("abs",), ()),
}  # fmt: skip
"""The X of Y: what stands before and behind Y in brackets."""
_BEHIND: dict[tuple[str, ...], tuple[str, ...]] = {
    ("squared",): ("^", "2"), ("cubed",): ("^", "3"), ("factorial",): ("!",), ("percent", "of"): ("/", "100", "*"),
}  # fmt: skip
_BETWEEN: dict[tuple[str, ...], tuple[str, ...]] = {
    ("out", "of"): ("/",), ("divided", "by"): ("/",), ("over",): ("/",), ("times",): ("*",),
    ("multiplied", "by"): ("*",), ("plus",): ("+",), ("minus",): ("-",), ("to", "the", "power"): ("^",),
    ("choose",): (r"\choose",), ("to", "the", "power", "of"): ("^",), ("raised", "to", "the", "power"): ("^",),
    ("raised", "to", "the", "power", "of"): ("^",), ("raised", "to"): ("^",),
}  # fmt: skip
_LONGEST = 5
_MAX_NUMBER_WORDS = 6


def with_signs(tokens: list[Token]) -> list[Token]:
    """The tokens with words of arithmetic as signs; others as they are."""
    if not any(token.kind == "word" or token.text == "factorial" for token in tokens):
        return tokens
    written: list[Token] = []
    place = 0
    while place < len(tokens):
        token = tokens[place]
        found = _rewritten(written, tokens, place) if token.kind in ("word", "name", "letter") else None
        if found is None:
            written.append(token)
            place += 1
        else:
            signs, place = found
            written += signs
    return written


def _rewritten(written: list[Token], tokens: list[Token], place: int) -> tuple[list[Token], int] | None:
    """(signs, place behind the words) for words of arithmetic that begin here; None for others."""
    if written and _ends_value(written[-1]):
        return _behind(written, tokens, place)
    number = _spelled_number(written, tokens, place)
    if number is not None:
        return number
    if _lower(tokens, place) in _ARTICLES:
        found = _before(tokens, place + 1)
        return found or _part_of(tokens, place + 1, ["one"])
    return _before(tokens, place) or _part_of(tokens, place, [])


def _behind(written: list[Token], tokens: list[Token], place: int) -> tuple[list[Token], int] | None:
    """Words of arithmetic behind a value: between two values, "squared", "of" after a percentage, or a part of it."""
    for length in range(_LONGEST, 0, -1):
        words, after = _words(tokens, place, length), place + length
        if words in _BETWEEN and _starts_value(tokens, after):
            return _signs(_BETWEEN[words]), after
        if words in _BEHIND:
            return _signs(_BEHIND[words]), after
    word = _lower(tokens, place)
    if word == "of" and written[-1].text == "%" and _starts_value(tokens, place + 1):
        return _signs(("*",)), place + 1
    return _and_a_part(tokens, place) if word == "and" else _parts(written, tokens, place)


def _and_a_part(tokens: list[Token], place: int) -> tuple[list[Token], int] | None:
    """The "and a half" of "3 and a half"."""
    part = PARTS.get(_lower(tokens, place + 2)) if _lower(tokens, place + 1) in ("a", "one") else None
    return (_signs(("+", "1", "/", str(part))), place + 3) if part and _at_end(tokens, place + 3) else None


def _parts(written: list[Token], tokens: list[Token], place: int) -> tuple[list[Token], int] | None:
    """The "thirds" of "2 thirds", and the "thirds of" of "2 thirds of 27"."""
    part = PARTS.get(_lower(tokens, place))
    if part is None or written[-1].kind != "number":
        return None
    if _lower(tokens, place + 1) == "of" and _starts_value(tokens, place + 2):
        return _signs(("/", str(part), "*")), place + 2
    return (_signs(("/", str(part))), place + 1) if _at_end(tokens, place + 1) else None


def _spelled_number(written: list[Token], tokens: list[Token], place: int) -> tuple[list[Token], int] | None:
    """A number in words beside arithmetic: the two of "two squared", the six of "one over six"."""
    wanted = bool(written) and written[-1].text in _OPERATORS
    for length in range(_MAX_NUMBER_WORDS, 0, -1):
        after = place + length
        if after > len(tokens) or any(token.kind not in ("word", "name") for token in tokens[place:after]):
            continue
        if not wanted and not _is_arithmetic(tokens, after):
            continue
        number = number_in_words(list(_words(tokens, place, length)))
        if number is not None and number >= 0 and number.denominator == 1:
            return _signs((str(number.numerator),)), after
    return None


def _is_arithmetic(tokens: list[Token], place: int) -> bool:
    return any(
        _words(tokens, place, length) in table for table in (_BETWEEN, _BEHIND) for length in range(_LONGEST, 0, -1)
    )


def _before(tokens: list[Token], place: int) -> tuple[list[Token], int] | None:
    for length in (2, 1):
        words = _words(tokens, place, length)
        after = place + length
        of = _lower(tokens, after) == "of"
        if of and words in _OF and _starts_value(tokens, after + 1):
            opening, closing = _OF[words]
            end = _operand_end(tokens, after + 1)
            operand = with_signs(tokens[after + 1 : end])
            return [*_signs(opening), *_signs(("(",)), *operand, *_signs((")",)), *_signs(closing)], end
        if words in _BEFORE and _starts_value(tokens, after):
            return _signs(_BEFORE[words]), after
    return None


def _part_of(tokens: list[Token], place: int, words: list[str]) -> tuple[list[Token], int] | None:
    """Half of, one third of, two thirds of"""
    for end in range(place, min(len(tokens), place + _MAX_NUMBER_WORDS)):
        word = _lower(tokens, end)
        if word == "of" or (words == ["half"] and word != "a" and _starts_value(tokens, end)):
            number = number_in_words(words)
            after = end + (word == "of")
            if number is None or number.denominator == 1 or not _starts_value(tokens, after):
                return None
            return _signs(("(", str(number.numerator), "/", str(number.denominator), ")", "*")), after
        if tokens[end].kind not in ("word", "name"):
            return None
        words = [*words, word] if not (words == ["one"] and word == "half") else ["half"]
    return None


def _lower(tokens: list[Token], place: int) -> str:
    return tokens[place].text.lower() if place < len(tokens) else ""


def _words(tokens: list[Token], place: int, length: int) -> tuple[str, ...]:
    return tuple(token.text.lower() for token in tokens[place : place + length])


def _signs(texts: tuple[str, ...]) -> list[Token]:
    return [Token(_kind(text), text) for text in texts]


def _kind(text: str) -> str:
    if text.isdigit():
        return "number"
    return "command" if text[0] == "\\" else "name" if text.isalpha() else "sign"


def _ends_value(token: Token) -> bool:
    if token.kind in ("number", "letter", "unit"):
        return True
    return token.text in (")", "]", "}", "!", "%", "|") or token.text.lstrip("\\") in CONSTANTS


def _starts_value(tokens: list[Token], place: int) -> bool:
    if place >= len(tokens):
        return False
    token = tokens[place]
    if token.kind == "word":
        return token.text.lower() in NUMBER_WORDS or _before(tokens, place) is not None
    return token.kind in ("number", "letter", "name", "command") or token.text in ("(", "[", "{", "|", "-")


def _at_end(tokens: list[Token], place: int) -> bool:
    """Whether no other word follows, which would count something else: "2 fifth graders"."""
    return place >= len(tokens) or tokens[place].kind != "word"


def _operand_end(tokens: list[Token], place: int) -> int:
    """Where the value that begins at `place` ends: at a word, a separator or a comparison outside brackets."""
    depth = 0
    for index in range(place, len(tokens)):
        token = tokens[index]
        depth += (token.text in ("(", "[", "{")) - (token.text in (")", "]", "}"))
        if depth < 0 or (depth == 0 and (token.kind == "word" or token.text in _ENDS) and index > place):
            return index
    return len(tokens)


_OPERATORS = frozenset({"+", "-", "*", "/", "^", r"\choose"})
_ENDS = frozenset({",", ";", "and", "or", "=", "<", ">", r"\le", r"\ge", r"\ne", r"\approx", ":"})
