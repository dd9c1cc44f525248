r"""The value that a clause states: the whole of it, what follows its verb, its one formula, its one number."""

import re
from collections.abc import Sequence

from s1_tasks.answers.find.scan import Clause, Token
from s1_tasks.answers.find.vocabulary import Role, occurs, phrase_at
from s1_tasks.answers.read.english import number_in_words
from s1_tasks.answers.read.reading import is_formula

MAX_STATED_CHARS = 3_000
_MAX_VALUE_CHARS = 1_500
_MAX_WORDS = 4
"""A phrase with more words than these is no notation, whatever a parser makes of it."""
_MAX_VERBS = 5
_MAX_PIECES = 40
_DELIMITERS = (("$$", "$$"), ("$", "$"), (r"\[", r"\]"), (r"\(", r"\)"))
_ALIGNED = re.compile(r"\\begin\{(?:align|aligned|gather|gathered|equation|eqnarray|split)\w*\*?\}(.*)\\end\{", re.DOTALL)
_SIDES = re.compile(r"(?<![<>!:=\\])=(?!=)")
_NAME = re.compile(r"\s*(?:\\?[a-zA-Z]+(?:_\{?\w+\}?)?|\\angle\s*[A-Z]+)\s*")
_INTEGER = re.compile(r"[\s{]*(?:\\(?:mathbf|textbf|boldsymbol|boxed|bf)\s*\{?)?\s*(-?\d[\d,]*)[\s}.]*")
_FIGURES = re.compile(r"[\d\\]")
_SERIES = re.compile(r"\\(?:sum|prod|int|iint|lim|[lc]?dots)(?![a-zA-Z])|\.\.\.|…")
_OPERATOR = re.compile(r"[-+*/^]|\\(?:cdot|times|frac|sqrt|binom|dots|ldots|cdots)|[a-zA-Z\d)]\s?[(a-zA-Z]")
_ARTICLES = frozenset({"a", "an", "the", "exactly", "only", "just", "simply", "about", "approximately", "therefore", "thus",
                       "then", "equal", "to", "total", "of", "clearly", "precisely", "in", "fact", "actually", "now", "be",
                       "also", "indeed", "roughly", "that", "altogether", "definitely", "really", "instead", "rather",
                       "hence", "so", "still", "probably", "likely", "around", "usd", "just"})  # fmt: skip
_EMPTY_MARKS = frozenset({",", ":", "–", "—", ")"})
_COPULAS = frozenset({"is", "are", "was", "were", "be", "equals"})
_JOINS = frozenset({",", "and", "or", ";", "&"})
_EMPHASIS = re.compile(r"(?<![\d)])\*\*|\*\*(?![\d(])|`")
_EDGES = " \t\r\n*_`|\"“”>#"


def bare(formula: str) -> str:
    r"""The content of a formula: without its delimiters; of an aligned display its last row."""
    text = formula.strip()
    for opening, closing in _DELIMITERS:
        if text.startswith(opening) and text.endswith(closing) and len(text) > len(opening) + 1:
            text = text[len(opening) : -len(closing)].strip()
            break
    aligned = _ALIGNED.search(text)
    if aligned:
        rows = [row for row in re.split(r"\\\\(?:\[[^\]]*\])?", aligned[1]) if row.strip(" &\n.,")]
        text = re.sub(r"^(?:\s|&|=|\\(?:[Rr]ightarrow|implies|q?quad)(?![a-z]))+", "", rows[-1] if rows else "").replace("&", "")
    return text.strip().rstrip(".,;").rstrip()


def source(text: str, tokens: Sequence[Token]) -> str:
    """What the tokens were in the text, without marks of emphasis between them."""
    return _EMPHASIS.sub("", text[tokens[0].start : tokens[-1].end]) if tokens else ""


def tidy(text: str) -> str:
    """Without surrounding marks of emphasis and punctuation."""
    text = text.strip(_EDGES)
    while text[-1:] in tuple(".,;:!。*_` ") and not (text.endswith("!") and _exclaims_nothing(text)):
        text = text[:-1]
    if text.endswith((")", "]", "}")) and text.count(text[-1]) == 1 and not any(mark in text for mark in "([{"):
        text = text[:-1]  # (Answer: 26)
    return text.strip(_EDGES)


def _exclaims_nothing(text: str) -> bool:
    r"""Whether the exclamation mark at the end is a factorial: inside a formula."""
    return text.rstrip("!")[-1:] in ("$", ")", "}")


def value_of(text: str, clause: Clause, *, plain: bool = True) -> str:
    """The value that a clause states, "" for none. `plain`: a plain number among words counts."""
    found = clause.tokens
    opening = 0 if clause.role is None else max(phrase_at(found, 0, clause.role), 0)
    found = _without_fillers(found[opening:])
    if not found:
        return ""
    if whole := _as_a_whole(text, found):
        return whole
    verbs = [index for index in range(len(found)) if _leads(found, index)]
    for index in sorted(verbs, key=lambda place: (found[place].text != "=", place), reverse=True)[:_MAX_VERBS]:
        stated = _phrase_value(text, found[_behind(found, index) :], plain=True)
        if stated:
            return stated
        if found[index].text in _COPULAS and (subject := _subject(text, found, index)):
            return subject
    if related(found[: _first_value(found)]) or _says_something_else(found, verbs):
        return ""
    for index in range(len(found) - 1, 0, -1):
        if found[index].text == ":" and (stated := _phrase_value(text, found[index + 1 :], plain=True)):
            return stated
    return _phrase_value(text, found, plain=plain)


def _as_a_whole(text: str, found: Sequence[Token]) -> str:
    """The tokens as one answer in notation; "" where they are words, or several statements."""
    if any(token.kind == "word" and phrase_at(tuple(found), index, Role.RESULTS) for index, token in enumerate(found)):
        return ""
    pieces = _pieces(found)
    if 1 < len(pieces) <= _MAX_PIECES and any("=" in _content(text, piece) for piece in pieces):
        contents = [_content(text, piece) for piece in pieces]
        if _are_named(contents):
            return " , ".join(contents)
        last = next((content for content in reversed(contents) if "=" in content), "")
        return closed(last) if all(map(is_formula, contents)) else ""
    formulas = [token for token in found if token.kind == "formula"]
    if len(formulas) > 1 and any(token.text == ":" for token in found):
        return ""
    if len(formulas) == 1 and found[0] is formulas[0] and _trails(found[1:]):
        return closed(formulas[0].text) if is_formula(bare(formulas[0].text)) else ""
    if sum(token.kind == "word" and len(token.text) > 2 and token.text[0] != "\\" for token in found) > _MAX_WORDS:
        return ""
    whole = tidy(source(text, found))
    return closed(whole) if _is_value(whole) else ""


def _content(text: str, piece: Sequence[Token]) -> str:
    return bare(piece[0].text) if len(piece) == 1 and piece[0].kind == "formula" else tidy(source(text, piece)).replace("$", " ")


def _pieces(found: Sequence[Token]) -> list[Sequence[Token]]:
    """The tokens between "and", "or" and commas outside brackets."""
    pieces: list[Sequence[Token]] = []
    start = depth = 0
    for index, token in enumerate(found):
        if token.kind == "mark":
            depth += (token.text in "([{") - (token.text in ")]}")
        if token.text in _JOINS and depth <= 0:
            pieces.append(found[start:index])
            start = index + 1
    pieces.append(found[start:])
    return [piece for piece in pieces if piece]


def _trails(behind: Sequence[Token]) -> bool:
    """Whether the words behind a formula are no unit: "in interval notation", "for all real numbers"."""
    words = [token.text for token in behind if token.kind == "word"]
    if len(words) < len([token for token in behind if token.text not in ".!"]) or not words:
        return False
    return (len(words) > 3 or words[0] in ("in", "for", "of", "as", "by", "on", "because", "and")) and not phrase_at(tuple(behind), 0, Role.CHANGES_LAST)


def _says_something_else(found: Sequence[Token], verbs: list[int]) -> bool:
    """Whether a value is the subject of a sentence about it ("2004 is divisible by 12"), and not a count of things."""
    value = _first_value(found)
    return any(found[index].text in _COPULAS and value + 1 >= index for index in verbs)


def _behind(found: Sequence[Token], index: int) -> int:
    return index + max(1, phrase_at(tuple(found), index, Role.RESULTS))


def _first_value(found: Sequence[Token]) -> int:
    places = (index for index, token in enumerate(found) if token.kind in ("formula", "number") or number_in_words([token.text]) is not None)
    return next(places, len(found))


def _leads(found: Sequence[Token], index: int) -> bool:
    """Whether a verb or an equals sign at `index` leads to a value."""
    token = found[index]
    if token.text == "=":
        return index + 1 < len(found) and (not index or found[index - 1].text not in ("<", ">", "!", "="))
    return token.kind == "word" and phrase_at(tuple(found), index, Role.RESULTS) > 0


def _subject(text: str, found: Sequence[Token], verb: int) -> str:
    """8 of "$8$ is the answer": what stands before a verb that says nothing but that it is meant."""
    words = tuple(found)
    predicate = range(verb + 1, len(found))
    if not predicate or any(found[index].kind in ("formula", "number") or phrase_at(words, index, Role.REJECTS) for index in predicate):
        return ""
    definite = found[verb + 1].text in ("the", "our", "my", "your", "what") and not phrase_at(words, verb + 2, Role.OTHER)
    approves = all(phrase_at(words, index, Role.APPROVES) for index in predicate if found[index].kind == "word")
    return _phrase_value(text, found[:verb], plain=True) if definite or approves else ""


def _without_fillers(found: Sequence[Token]) -> tuple[Token, ...]:
    """The tokens from the first that may belong to a value."""
    start, end = 0, len(found)
    bracketed = any(token.text == ")" for token in found)
    while start < end:
        text = found[start].text
        named = text == "a" and start + 1 < end and found[start + 1].text == "="
        if named or not (text in _ARTICLES or text in _EMPTY_MARKS or (text == "(" and not bracketed)):
            break
        start += 1
    return tuple(found[start:end])


def _is_value(text: str) -> bool:
    """Whether a text as a whole is an answer in notation, and no word that happens to read as one."""
    return bool(text) and len(text) <= _MAX_VALUE_CHARS and (_FIGURES.search(text) is not None or len(text) < 40) and is_formula(text)


def closed(formula: str) -> str:
    r"""90 of `10*9 = 90`, and 55 of `\sum k = 55`: a calculation says its result; other formulas as they stand."""
    content = bare(formula)
    formula = content if "\\begin{" in formula and "\\begin{" not in content else formula
    sides = _SIDES.split(content)
    if len(sides) > 1 and is_formula(sides[-1]):
        left = "=".join(sides[:-1])
        if _SERIES.search(left) or not re.search(r"(?<!\\)\b[a-zA-Z]\b|[a-zA-Z]_|(?<![\\a-zA-Z])[a-zA-Z](?![a-zA-Z])", left):
            return sides[-1].strip()
    return formula


def _phrase_value(text: str, phrase: Sequence[Token], *, plain: bool) -> str:
    """The value of what follows a verb, or of a clause without one."""
    found = _without_fillers(phrase)
    if not found:
        return ""
    colon = next((index for index, token in enumerate(found) if token.text == ":" and 0 < index < len(found) - 1), None)
    if colon is not None and found[colon - 1].kind == "word":
        if found[0].kind in ("formula", "number"):
            found = found[:colon]
        elif listed := _phrase_value(text, found[colon + 1 :], plain=plain):
            return listed
    if whole := _as_a_whole(text, found):
        return whole
    places = [index for index, token in enumerate(found) if token.kind in ("formula", "number")]
    if not places:
        return _word_value(text, found) if plain else ""
    if related(found[: places[0]]):
        return ""
    if changed(found, places):
        return tidy(source(text, found))
    formulas = [index for index in places if found[index].kind == "formula" and is_formula(bare(found[index].text))]
    if formulas:
        return _of_formulas(text, found, formulas)
    return _of_numbers(text, found, places) if plain else ""


def _of_formulas(text: str, found: Sequence[Token], places: list[int]) -> str:
    first, last = places[0], places[-1]
    between = [token.text for token in found[first : last + 1] if token.kind != "formula"]
    contents = [bare(found[index].text) for index in places]
    if len(places) > 1 and len(between) >= len(places) - 1 and all(word in _JOINS for word in between):
        if all("=" not in content for content in contents):
            return tidy(source(text, found[first : last + 1]))
        if _are_named(contents):
            return " , ".join(contents)
        return contents[-1]
    return closed(contents[0])


def _are_named(contents: list[str]) -> bool:
    """Whether formulas give values to different names: x = 1, y = 2."""
    sides = [_SIDES.split(content) for content in contents]
    return all(len(pair) == 2 and _NAME.fullmatch(pair[0]) for pair in sides)


def _of_numbers(text: str, found: Sequence[Token], places: list[int]) -> str:
    first = places[0]
    if len(places) > 1 and any(found[index].text in ("and", "or") for index in range(first, places[-1])):
        return ""
    if len(places) > 1 and first > 0 and found[first - 1].text not in ("$",):
        return found[first].text if len({found[index].text for index in places}) == 1 else ""
    marks = {token.text for token in found} & {"=", "<", ">", "^", "≤", "≥"}
    return "" if marks else found[first].text


def _word_value(text: str, found: Sequence[Token]) -> str:
    """Seven of "seven of them": a number in words."""
    words = [token.text for token in found if token.kind == "word"]
    for length in (4, 3, 2, 1):
        if len(words) >= length and number_in_words(words[:length]) is not None:
            return " ".join(words[:length])
    return ""


def related(found: Sequence[Token]) -> bool:
    """Whether words before a value only relate to it: "at most", "divisible by", "Theorem"."""
    return occurs(tuple(found), Role.RELATES) is not None


def changed(found: Sequence[Token], places: list[int]) -> bool:
    """Whether a word at a value makes another value of it: "5 squared"."""
    words = tuple(found)
    return any(phrase_at(words, index + 1, Role.CHANGES_LAST) for index in places)


def integer_of_chain(text: str, found: Sequence[Token]) -> str:
    """77 of "so $p + q = 77$": the last whole number that an expression of several terms is said to equal; "" for none."""
    pieces = [bare(token.text) for token in found if token.kind == "formula"]
    for piece in reversed(pieces or [source(text, found).rstrip(" .*_$")]):
        sides = _SIDES.split(piece)
        whole = _INTEGER.fullmatch(sides[-1].rstrip("$")) if len(sides) > 1 else None
        if whole and _OPERATOR.search(re.split(r"[,;:.]\s|\b(?:and|or|so|is|are)\b", "=".join(sides[:-1]))[-1]):
            return whole[1]
    return ""
