r"""A text as sentences, a sentence as tokens, tokens as clauses: loops that pass over the text once.

A formula (`$...$`, `\(...\)`, `\[...\]`, an environment) is one token, so that no rule about words looks inside it.
"""

import re
from dataclasses import dataclass
from typing import NamedTuple

from s1_tasks.answers.find.vocabulary import Role, phrase_at, role_at

MAX_FORMULA_CHARS = 3_000
_OPENING = re.compile(r"\\.|\$\$?", re.DOTALL)
_ENVIRONMENT = re.compile(r"\{(\w{1,12}\*?)\}")
_TOKEN = re.compile(
    r"(?P<number>(?:(?<![\w.,)\]}])[-−])?\\?\$?(?:(?<=\$)-)?(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?(?:/\d+(?![\d/]))?\\?%?"
    r"(?![\w]|\.\d)|(?<!\w)\d+(?:,\d{3})*(?:\.\d+)?(?=(?:[ckm]?m|k?g|m?s|h|m?[lL]|in|ft|mph)[²³]?(?!\w)))|"
    r"(?P<word>i\.e\.|e\.g\.|[^\W\d_]+(?:['’-][^\W\d_]+)*|\\[a-zA-Z]+)|(?P<mark>[^\s*_`#]|(?<=\s)\*(?=\s)|_(?=\w)|\d+)"
)
_END = re.compile(
    r"[.?!]['\")\]]?[*_]{0,3}[ \t]+(?=[^\W\d_]|[\d\\$<*(\[-])|[。！？]|\n\s*|(?<=[.?!])(?=[A-Z][a-z])|"
    r"(?<=[\])}$])[ \t]*(?=[A-Z][a-z]*\b)"
)
_PAUSE_INSIDE = re.compile(r"([,;])\s*(?:\$\$?|\\[\])])$")
"""Some write "$x = 1,$ so": the pause belongs to the sentence."""
_NEW_SENTENCE = re.compile(r"(?:Then|Thus|Hence|So|Therefore|Since|Because|The|This|We|It|Note|Also|In|For|If|But|Now)\b")
_FORMULA_END = re.compile(r"\.\s*(?:\$\$?|\\[\])]|\\end\{\w+\*?\})$")
_NO_END = re.compile(
    r"(?:\b(?:i\.e|e\.g|no|approx|dr|mr|mrs|ms|vs|eq|fig|sq|cu|ans|st|cf|resp|ex|eqn|[a-z])|^\W{0,6}(?:\d{1,2}|[a-z]{1,3}))\.\Z",
    re.IGNORECASE,
)
_ABBREVIATION_CHARS = 8


class Token(NamedTuple):
    """A formula, number, word (lower case) or mark, and where it stands."""

    kind: str
    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Clause:
    """Tokens that make one statement, and how it is joined to what stands before it; None for the main clause."""

    role: Role | None
    tokens: tuple[Token, ...]


def formula_spans(text: str) -> list[tuple[int, int]]:
    """(start, end) of every formula, in order."""
    found: list[tuple[int, int]] = []
    missing: set[str] = set()
    position = 0
    while match := _OPENING.search(text, position):
        end = _formula_end(text, match, missing)
        if end:
            found.append((match.start(), end))
        position = end or match.end()
    return found


def _formula_end(text: str, opening: re.Match[str], missing: set[str]) -> int:
    """Where the formula ends that `opening` may begin; 0 for none. `missing`: closings that do not occur any more."""
    mark, start = opening.group(), opening.end()
    if mark == "$":
        return _dollar_end(text, start)
    if mark == "\\b" and text.startswith("egin{", start):
        name = _ENVIRONMENT.match(text, start + 4)
        closing = "\\end{" + name[1] + "}" if name else ""
    else:
        closing = {"$$": "$$", "\\[": "\\]", "\\(": "\\)"}.get(mark, "")
    if not closing or closing in missing:
        return 0
    end = text.find(closing, start)
    if end < 0:
        missing.add(closing)
    return end + len(closing) if 0 <= end - start <= MAX_FORMULA_CHARS else 0


def _dollar_end(text: str, start: int) -> int:
    """Where `$...$` ends; 0 when the sign is one of currency."""
    if text[start : start + 1].isspace():
        return 0
    position = start
    while (position := text.find("$", position, start + MAX_FORMULA_CHARS)) > 0 and text[position - 1] == "\\":
        position += 1
    closes = position > start and not text[position + 1 : position + 2].isdigit() and _is_set(text[start:position])
    return position + 1 if closes else 0


def _is_set(inside: str) -> bool:
    """Whether what stands between dollar signs is a formula, and no text between two prices."""
    if "\n\n" in inside:
        return False
    if not inside[-1:].isspace() or "\\" in inside:
        return True
    return len(inside) < 40 and not re.search(r"[a-zA-Z]{3}", inside)


def sentences(text: str, formulas: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """(start, end) of every sentence that says something. A line ends one, unless the next line goes on with it."""
    found: list[tuple[int, int]] = []
    start, index = 0, 0
    for match in _END.finditer(text):
        while index < len(formulas) and formulas[index][1] <= match.start():
            index += 1
        if index < len(formulas) and formulas[index][0] < match.start() < formulas[index][1]:
            continue
        if not _ends(text, start, match, formulas, index):
            continue
        end = match.start() if not match.group().strip() else match.end()
        found.append((start, end))
        start = match.end()
    found.append((start, len(text)))
    return [(start, end) for start, end in found if text[start:end].strip(" *_#-=\t\r\n")]


def _ends(text: str, start: int, match: re.Match[str], formulas: list[tuple[int, int]], index: int) -> bool:
    mark = match.group()
    if not mark.strip() and "\n" not in mark:
        before = index - 1 if index and formulas[index - 1][1] == match.start() else index
        formula = text[slice(*formulas[before])] if before < len(formulas) and formulas[before][1] == match.start() else ""
        if not formula or "." not in formula[-20:]:
            return formula.startswith(("\\[", "$$", "\\begin")) and _NEW_SENTENCE.match(text, match.end()) is not None
        return _FORMULA_END.search(formula) is not None
    if mark[:1] == ".":
        return not _NO_END.search(text, max(start, match.start() - _ABBREVIATION_CHARS), match.start() + 1)
    if "\n" not in mark or mark.count("\n") > 1:
        return True
    before = text[match.start() - 1 : match.start()]
    if before in tuple(".?!:*|"):
        return before != ":" or not _display_at(text, match.end())
    return not (text[match.end() : match.end() + 1].islower() or _display_at(text, match.end()))


def _display_at(text: str, position: int) -> bool:
    return text.startswith(("\\[", "$$", "\\begin{"), position)


def tokens(text: str, span: tuple[int, int], formulas: list[tuple[int, int]]) -> tuple[Token, ...]:
    """The tokens of a part of the text."""
    found: list[Token] = []
    position, stop = span
    inside = [formula for formula in formulas if formula[0] >= position and formula[1] <= stop]
    for start, end in [*inside, (stop, stop)]:
        for match in _TOKEN.finditer(text, position, start):
            kind = match.lastgroup or "mark"
            piece = match.group()
            found.append(Token(kind, piece.lower() if kind == "word" else piece, match.start(), match.end()))
        if start < end:
            found.append(Token("formula", text[start:end], start, end))
            if pause := _PAUSE_INSIDE.search(text, max(start, end - 6), end):
                found.append(Token("mark", pause[1], end, end))
        position = end
    return tuple(found)


_BREAKS = (Role.CONSEQUENCE, Role.RESTATED, Role.CONTRAST, Role.CONCESSION, Role.DENIAL, Role.CONDITION)
_PRONOUNS = frozenset({"it", "this", "that", "they", "there", "we", "she", "he", "i", "only", "you"})
_PAUSES = frozenset(",;:—–(")
_RESULT_VERBS = frozenset(
    str.split("is equals gives give means leaves makes yields simplifies becomes corresponds matches implies")
)
_SELDOM_ALONE = frozenset({"for", "with", "at", "as", "by", "in", "over", "using", "taking", "after", "before", "then"})
"""Words that open a clause behind a comma, and otherwise only behind a value."""


def clauses(found: tuple[Token, ...]) -> list[Clause]:
    """The clauses of a sentence, in order.

    What a subordinate opening puts first ends at its comma. Behind a subject without its verb a condition belongs to
    the subject ("the value of x for which ... is 33"), and opens no clause.
    """
    listed: list[Clause] = []
    role: Role | None = None
    first = index = 0
    verb = False
    while index < len(found):
        opened = _opens(found, index)
        if opened and opened[0] is Role.CONDITION and not verb and index > first and role in (None, Role.CONSEQUENCE):
            opened = opened if _paused(found, index) else None
        if opened is not None:
            if index > first:
                listed.append(Clause(role, found[first:index]))
            role, length = opened
            first, verb = index, False
            index += max(1, length)
            continue
        if role in (Role.CONDITION, Role.CONCESSION) and index > first and _main_follows(found, index, not listed):
            listed.append(Clause(role, found[first:index]))
            role, first, verb = None, index + (found[index].text == ","), False
        verb = verb or found[index].text == "=" or phrase_at(found, index, Role.RESULTS) > 0
        index += 1
    listed.append(Clause(role, found[first:]))
    return [clause for clause in listed if clause.tokens]


def _main_follows(found: tuple[Token, ...], index: int, opening: bool) -> bool:
    """Whether a subordinate clause ends at `index`: at its comma, or behind its value where a subject begins."""
    following = found[index + 1] if index + 1 < len(found) else None
    if found[index].text == "," and following is not None:
        if opening:
            return True
        end = next((place for place in range(index + 1, len(found)) if found[place].text in _PAUSES), len(found))
        goes_on = following.kind == "word" and following.text not in ("and", "or")
        return goes_on and any(phrase_at(found, place, Role.RESULTS) for place in range(index + 1, end))
    behind_value = found[index - 1].kind in ("formula", "number")
    return opening and behind_value and index < 4 and found[index].text in ("the", "we", "it", "there", "this", "our")


def _paused(found: tuple[Token, ...], index: int) -> bool:
    """Whether a pause stands before `index`, or "and" behind a pause."""
    if index > 1 and found[index - 1].text == "and":
        index -= 1
    return index == 0 or found[index - 1].text in _PAUSES


def _opens(found: tuple[Token, ...], index: int) -> tuple[Role | None, int] | None:
    """(role, number of tokens of the opening) where a clause begins at `index`; None where none does."""
    token = found[index]
    if token.kind == "mark":
        return _opened_by_mark(found, index)
    if token.kind != "word":
        return None
    paused = _paused(found, index)
    opened = role_at(found, index, _BREAKS)
    if opened is not None:
        return _opened_by_word(found, index, opened, paused)
    if token.text in ("it's", "it") and index and found[index - 1].kind in ("number", "formula"):
        return None, 0
    if not paused or index == 0:
        return None
    if token.text in _PRONOUNS:
        return None, 0
    participle = found[index - 1].text == "," and token.text.endswith(("ed", "ing"))
    return (Role.CONDITION, 1) if participle and not _verb_follows(found, index) else None


def _opened_by_mark(found: tuple[Token, ...], index: int) -> tuple[Role | None, int] | None:
    text = found[index].text
    if text in ";—":
        return None, 1
    words = found[index + 1 : index + 3]
    if text == "(" and index and words and words[0].kind == "word" and len(words[0].text) > 1:
        inner = role_at(found, index + 1, _BREAKS)
        return (Role.RESTATED if inner and inner[0] is Role.RESTATED else Role.CONDITION), 1
    return None


def _opened_by_word(
    found: tuple[Token, ...], index: int, opened: tuple[Role, int], paused: bool
) -> tuple[Role | None, int] | None:
    role, length = opened
    word = found[index].text
    following = found[index + length] if index + length < len(found) else None
    if word in ("which", "that") and following is not None and length == 1:
        if following.text not in _RESULT_VERBS:
            return (role, length) if paused and word == "which" else None
        return Role.CONSEQUENCE, 2
    if paused:
        return role, length
    behind_value = index > 0 and found[index - 1].kind in ("formula", "number")
    if word in _SELDOM_ALONE:
        value_follows = following is not None and following.kind in ("formula", "number")
        return (role, length) if behind_value and (value_follows or word not in ("as", "by", "in", "over")) else None
    if role is Role.DENIAL:
        return (role, length) if behind_value and following is not None else None
    return role, length


def _verb_follows(found: tuple[Token, ...], index: int) -> bool:
    """Whether a word in -ed or -ing is the subject: "counting is", "red"."""
    return phrase_at(found, index + 1, Role.RESULTS) > 0
