r"""The value that a clause states: the whole of it, what follows its verb, its one formula, its one number."""

import re

from s1_tasks.answers.find.scan import VALUES, Clause, Token, at
from s1_tasks.answers.find.vocabulary import is_word, occurs, phrase_at
from s1_tasks.answers.read.english import number_in_words
from s1_tasks.answers.read.reading import is_formula

MAX_STATED_CHARS = 3_000
_MAX_VALUE_CHARS = 1_500
_MAX_WORD_CHARS = 40
_MAX_WORDS = 4
"""A phrase with more words than these is no notation, whatever a parser makes of it."""
_MAX_VERBS = 5
_MAX_PIECES = 40
_DELIMITERS = (("$$", "$$"), ("$", "$"), (r"\[", r"\]"), (r"\(", r"\)"))
_ALIGNED = re.compile(
    r"\\begin\{(?:align|aligned|gather|gathered|equation|eqnarray|split)\w*\*?\}(.*)\\end\{", re.DOTALL
)
_ROW_START = re.compile(r"^(?:\s|&|=|\\(?:[Rr]ightarrow|implies|q?quad)(?![a-z]))+")
_SIDES = re.compile(r"(?<![<>!:=\\])=(?!=)")
_NAME = re.compile(r"\s*(?:\\?[a-zA-Z]+(?:_\{?\w+\}?)?|\\angle\s*[A-Z]+)\s*")
_INTEGER = re.compile(r"[\s{]*(?:\\(?:mathbf|textbf|boldsymbol|boxed|bf)\s*\{?)?\s*(-?\d[\d,]*)[\s}.]*")
_FIGURES = re.compile(r"[\d\\]")
_SERIES = re.compile(r"\\(?:sum|prod|int|iint|lim|[lc]?dots)(?![a-zA-Z])|\.\.\.|…")
_OPERATOR = re.compile(r"[-+*/^]|\\(?:cdot|times|frac|sqrt|binom|dots|ldots|cdots)|[a-zA-Z\d)]\s?[(a-zA-Z]")
_LETTER = re.compile(r"(?<!\\)\b[a-zA-Z]\b|[a-zA-Z]_|(?<![\\a-zA-Z])[a-zA-Z](?![a-zA-Z])")
_LAST_CLAUSE = re.compile(r"[,;:.]\s|\b(?:and|or|so|is|are)\b")
_OF_THE_REST = frozenset({"upon", "by", "when", "per", "after"})
"""Behind these a second number belongs to how the first comes about: "91 upon division by 1000"."""
_OPERATORS = frozenset("+-*/^_")
_RELATIONS = frozenset("=<>^≤≥")
_EMPTY_MARKS = frozenset({",", ":", "–", "—", ")"})
_COPULAS = frozenset({"is", "are", "was", "were", "be", "equals"})
_JOINS = frozenset({",", "and", "or", ";", "&"})
_EMPHASIS = re.compile(r"(?<![\d)])\*\*|\*\*(?![\d(])|`")
_EDGES = ' \t\r\n*_`|"“”>#'


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
        text = _ROW_START.sub("", rows[-1] if rows else "").replace("&", "")
    return text.strip().rstrip(".,;").rstrip()


def source(text: str, tokens: tuple[Token, ...]) -> str:
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
    found = _without_fillers(clause.tokens[clause.opening :])
    if whole := _as_a_whole(text, found):
        return whole
    verbs = [index for index in range(len(found)) if _leads(found, index)]
    if verbs and at(found, verbs[-1] - 1).kind in VALUES and found[verbs[-1]].text in _COPULAS:
        behind = [token.kind for token in found[verbs[-1] + 1 :]]
        if "word" in behind and not {*VALUES} & {*behind}:
            return _subject(text, found, verbs[-1])  # "it is known that 33 is composite"
    for index in sorted(verbs, key=lambda place: (found[place].text != "=", place), reverse=True)[:_MAX_VERBS]:
        stated = _phrase_value(text, found[index + max(1, phrase_at(found, index, "results")) :], plain=True)
        if stated := stated or _subject(text, found, index):
            return stated
    if related(found[: _first_value(found)]) or _says_something_else(found, verbs):
        return ""
    for index in range(len(found) - 1, 0, -1):
        if found[index].text == ":" and (stated := _phrase_value(text, found[index + 1 :], plain=True)):
            return stated
    return _phrase_value(text, found, plain=plain)


def _leads(found: tuple[Token, ...], index: int) -> bool:
    """Whether a verb or an equals sign at `index` leads to a value."""
    if found[index].text == "=":
        return index + 1 < len(found) and at(found, index - 1).text not in ("<", ">", "!", "=")
    return found[index].kind == "word" and phrase_at(found, index, "results") > 0


def _subject(text: str, found: tuple[Token, ...], verb: int) -> str:
    """8 of "$8$ is the answer": what stands before a verb that says nothing but that it is meant."""
    predicate = found[verb + 1 :]
    if found[verb].text not in _COPULAS or not predicate or occurs(predicate, "rejects"):
        return ""
    definite = is_word(predicate[0].text, "definite") and not phrase_at(predicate, 1, "other")
    words = [token for token in predicate if token.kind == "word"]
    approves = all(is_word(token.text, "approves") for token in words)
    meant = (definite or approves) and not any(token.kind in VALUES for token in predicate)
    return _phrase_value(text, found[:verb], plain=True) if meant else ""


def _says_something_else(found: tuple[Token, ...], verbs: list[int]) -> bool:
    """Whether a value is the subject of a sentence about it ("2004 is divisible by 12"), and not a count of things."""
    value = _first_value(found)
    return any(found[index].text in _COPULAS and value + 1 >= index and index + 1 < len(found) for index in verbs)


def _first_value(found: tuple[Token, ...]) -> int:
    places = (
        index
        for index, token in enumerate(found)
        if token.kind in VALUES or (token.kind == "word" and number_in_words([token.text]) is not None)
    )
    return next(places, len(found))


def _as_a_whole(text: str, found: tuple[Token, ...]) -> str:
    """The tokens as one answer in notation; "" where they are words, or several statements."""
    if not found or any(
        token.kind == "word" and phrase_at(found, place, "results") for place, token in enumerate(found)
    ):
        return ""
    pieces = _pieces(found)
    if len(pieces) > 1 and all(token.kind == "word" and len(token.text) > 1 for token in pieces[0]):
        return ""
    if 1 < len(pieces) <= _MAX_PIECES:
        contents = [_content(text, piece) for piece in pieces]
        if any("=" in content for content in contents):
            return _of_equations(contents)
    formulas = [token for token in found if token.kind == "formula"]
    if len(formulas) > 1 and any(token.text == ":" for token in found):
        return ""
    if len(formulas) == 1 and found[0] is formulas[0] and _trails(found[1:]):
        return closed(formulas[0].text) if is_formula(bare(formulas[0].text)) else ""
    words = sum(token.kind == "word" and len(token.text) > 2 and token.text[0] != "\\" for token in found)
    if words and all(token.kind not in VALUES for token in found):
        return ""
    whole = tidy(source(text, found))
    return closed(whole) if words <= _MAX_WORDS and _is_value(whole) else ""


def _of_equations(contents: list[str]) -> str:
    """Several equations: values of different names are one answer; else the last is what the others lead to."""
    if _are_named(contents):
        return " , ".join(contents)
    last = next(content for content in reversed(contents) if "=" in content)
    return closed(last) if all(map(is_formula, contents)) else ""


def _content(text: str, piece: tuple[Token, ...]) -> str:
    if len(piece) == 1 and piece[0].kind == "formula":
        return bare(piece[0].text)
    return tidy(source(text, piece)).replace("$", " ")


def _pieces(found: tuple[Token, ...]) -> list[tuple[Token, ...]]:
    """The tokens between "and", "or" and commas outside brackets."""
    pieces: list[tuple[Token, ...]] = []
    start = depth = 0
    for index, token in enumerate(found):
        if token.kind == "mark":
            depth += (token.text in "([{") - (token.text in ")]}")
        if token.text in _JOINS and depth <= 0:
            pieces.append(found[start:index])
            start = index + 1
    return [piece for piece in (*pieces, found[start:]) if piece]


def _trails(behind: tuple[Token, ...]) -> bool:
    """Whether the words behind a formula are no unit: "in interval notation", "for all real numbers"."""
    words = [token.text for token in behind if token.kind == "word"]
    if not words or any(token.kind != "word" and token.text not in (".", "!") for token in behind):
        return False
    return (len(words) > 3 or is_word(words[0], "trails")) and not phrase_at(behind, 0, "changes last")


def _without_fillers(found: tuple[Token, ...]) -> tuple[Token, ...]:
    """The tokens from the first that may belong to a value."""
    bracketed = any(token.text in (")", "]") for token in found)
    for start, token in enumerate(found):
        named = token.text == "a" and at(found, start + 1).text == "="
        empty = is_word(token.text, "fillers") or token.text in _EMPTY_MARKS or (token.text == "(" and not bracketed)
        if named or not empty:
            return found[start:]
    return ()


def _is_value(text: str) -> bool:
    """Whether a text as a whole is an answer in notation, and no word that happens to read as one."""
    short = _FIGURES.search(text) is not None or len(text) < _MAX_WORD_CHARS
    return bool(text) and short and len(text) <= _MAX_VALUE_CHARS and is_formula(text)


def closed(formula: str) -> str:
    r"""90 of `10*9 = 90`, and 55 of `\sum k = 55`: a calculation says its result; other formulas as they stand."""
    content = bare(formula)
    formula = content if "\\begin{" in formula and "\\begin{" not in content else formula
    *left, right = _SIDES.split(content)
    if not left or (_LETTER.search("=".join(left)) and not _SERIES.search("=".join(left))):
        return formula
    return right.strip() if is_formula(right) else formula


def result_of_series(formula: str) -> str:
    r"""55 of `\sum_{k=1}^{10} k = 55` and of `1 + 2 + \dots + 10 = 55`; other formulas as they stand."""
    calculation, equals, result = formula.rpartition("=")
    return result if equals and _SERIES.search(calculation) and is_formula(result) else formula


def _phrase_value(text: str, phrase: tuple[Token, ...], *, plain: bool) -> str:
    """The value of what follows a verb, or of a clause without one."""
    found = _without_fillers(phrase)
    colon = next((index for index in range(1, len(found) - 1) if found[index].text == ":"), None)
    displayed = colon is not None and found[colon + 1].kind == "formula"
    if colon is not None and (displayed or found[colon - 1].kind == "word"):
        if found[0].kind in VALUES and not displayed:
            found = found[:colon]
        elif listed := _phrase_value(text, found[colon + 1 :], plain=plain):
            return listed
    if whole := _as_a_whole(text, found):
        return whole
    places = [index for index, token in enumerate(found) if token.kind in VALUES]
    if not places:
        changed = any(phrase_at(found, index, "changes last") for index in range(1, len(found)))
        return (tidy(source(text, found)) if changed else _word_value(found)) if plain else ""
    if related(found[: places[0]]):
        return ""
    if any(phrase_at(found, index + 1, "changes last") for index in places):
        return tidy(source(text, found))
    formulas = [index for index in places if found[index].kind == "formula" and is_formula(bare(found[index].text))]
    if formulas:
        return _of_formulas(text, found, formulas)
    return _of_numbers(found, places) if plain else ""


def _of_formulas(text: str, found: tuple[Token, ...], places: list[int]) -> str:
    first, last = places[0], places[-1]
    between = [token.text for token in found[first : last + 1] if token.kind != "formula"]
    contents = [bare(found[index].text) for index in places]
    joined = len(places) > 1 and len(between) >= len(places) - 1 and all(word in _JOINS for word in between)
    if not joined:
        return closed(contents[0])
    if all("=" not in content for content in contents):
        return tidy(source(text, found[first : last + 1]))
    return " , ".join(contents) if _are_named(contents) else contents[-1]


def _are_named(contents: list[str]) -> bool:
    """Whether formulas give values to names: x = 1, y = 2."""
    sides = [_SIDES.split(content) for content in contents]
    return all(len(pair) == 2 and _NAME.fullmatch(pair[0]) for pair in sides)


def _of_numbers(found: tuple[Token, ...], places: list[int]) -> str:
    """The one number of a phrase, or the one that it begins with: "6 crates of 8 bottles"."""
    first = places[0]
    words = {token.text for token in found[first : places[-1]]}
    several = len({found[index].text for index in places}) > 1 and not words & _OF_THE_REST
    listed = len(places) > 1 and (words & {"and", "or"} or (first and several and found[first - 1].text != "$"))
    goes_on = at(found, first + 1).text in _OPERATORS
    return "" if listed or goes_on or {token.text for token in found} & _RELATIONS else found[first].text


def _word_value(found: tuple[Token, ...]) -> str:
    """Seven of "seven of them": a number in words."""
    words = [token.text for token in found if token.kind == "word"]
    spelled = (words[:length] for length in (4, 3, 2, 1) if len(words) >= length)
    return next((" ".join(number) for number in spelled if number_in_words(number) is not None), "")


def related(found: tuple[Token, ...]) -> bool:
    """Whether words before a value only relate to it: "at most", "divisible by", "Theorem"."""
    return occurs(found, "relates")


def integer_of_chain(text: str, found: tuple[Token, ...]) -> str:
    """77 of "so $p + q = 77$": the last whole number that an expression of several terms is said to equal, or ""."""
    pieces = [bare(token.text) for token in found if token.kind == "formula"]
    for piece in reversed(pieces or [source(text, found).rstrip(" .*_$")]):
        *left, right = _SIDES.split(piece)
        whole = _INTEGER.fullmatch(right.rstrip("$")) if left else None
        if whole and _OPERATOR.search(_LAST_CLAUSE.split("=".join(left))[-1]):
            return whole[1]
    return ""
