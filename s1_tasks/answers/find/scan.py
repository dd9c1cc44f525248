r"""A text as sentences, a sentence as tokens, tokens as clauses: loops that pass over the text once.

A formula (`$...$`, `\(...\)`, `\[...\]`, an environment) is one token, so that no rule about words looks inside it.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from s1_tasks.answers.find.vocabulary import is_word, phrase_at, role_at

MAX_FORMULA_CHARS = 3_000
_OPENING = re.compile(r"\\.|\$\$?", re.DOTALL)
_ENVIRONMENT = re.compile(r"\{(\w{1,12}\*?)\}")
_TOKEN = re.compile(
    r"(?P<number>(?:(?<![\w.,)\]}])[-−])?\\?\$?(?:(?<=\$)-)?(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)"
    r"(?:\.\d+)?(?:/\d+(?![\d/]))?\\?%?"
    r"(?![\w]|\.\d)|(?<!\w)\d+(?:,\d{3})*(?:\.\d+)?(?=(?:[ckm]?m|k?g|m?s|h|m?[lL]|in|ft|mph)[²³]?(?!\w)))|"
    r"(?P<word>i\.e\.|e\.g\.|[^\W\d_]+(?:['’-][^\W\d_]+)*|\\[a-zA-Z]+)|(?P<mark>[^\s*_`#]|(?<=\s)\*(?=\s)|_(?=\w)|\d+)"
)
_END = re.compile(
    r"(?<!\\)[.?!]['\")\]]?[*_]{0,3}[ \t]+(?=[^\W\d_]|[\d\\$<*(\[-])|[。！？]|\n\s*|(?<=[.?!])(?=[A-Z][a-z])|"
    r"(?<=[\])}$])[ \t]*(?=[A-Z][a-z]*\b)"
)
_PAUSE_INSIDE = re.compile(r"([,;])\s*(?:\$\$?|\\[\])])$")
"""Some write "$x = 1,$ so": the pause belongs to the sentence."""
_WORD = re.compile(r"[^\W\d_]+")
_NEW_SENTENCE = re.compile(
    r"(?:Then|Thus|Hence|So|Therefore|Since|Because|The|This|We|It|Note|Also|In|For|If|But|Now)\b"
)
_FORMULA_END = re.compile(r"\.\s*(?:\$\$?|\\[\])]|\\end\{\w+\*?\})$")
_NO_END = re.compile(
    r"(?:\b(?:i\.e|e\.g|no|approx|dr|mr|mrs|ms|vs|eq|fig|sq|cu|ans|st|cf|resp|ex|eqn))\.\Z",
    re.IGNORECASE,
)
_ABBREVIATION_CHARS = 8
DISPLAYS = ("\\[", "$$", "\\begin{")


class Token(NamedTuple):
    """A formula, number, word (lower case) or mark, and where it stands."""

    kind: str
    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Clause:
    """Tokens that make one statement, and how it is joined to what stands before it; None for the main clause."""

    role: str | None
    tokens: tuple[Token, ...]

    @property
    def opening(self) -> int:
        """How many tokens the words are that join it."""
        return phrase_at(self.tokens, 0, self.role) if self.role else 0


_NOTHING = Token("", "", -1, -1)
VALUES = ("number", "formula")


def at(found: Sequence[Token], index: int) -> Token:
    """The token at `index`, an empty one outside."""
    return found[index] if 0 <= index < len(found) else _NOTHING


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
        while index < len(formulas) and formulas[index][1] < match.start():
            index += 1
        formula = formulas[index] if index < len(formulas) else (len(text), len(text))
        if formula[0] < match.start() < formula[1]:
            continue
        behind = text[slice(*formula)] if formula[1] == match.start() else ""
        if _ends(text, start, match, behind):
            found.append((start, match.end() if match.group().strip() else match.start()))
            start = match.end()
    found.append((start, len(text)))
    return [(start, end) for start, end in found if text[start:end].strip(" *_#-=\t\r\n")]


def _ends(text: str, start: int, match: re.Match[str], formula: str) -> bool:
    """Whether a sentence that began at `start` ends with `match`; `formula` is what stands at once before it."""
    mark = match.group()
    if "\n" in mark:
        return _line_ends(text, match)
    if not mark.strip():
        return _formula_ends(text, match, formula)
    if mark[0] != ".":
        return True
    label = text[start : match.start()].strip(" \t\n*_>(-#")
    following = _WORD.match(text, match.end())
    revised = following is not None and is_word(following[0].lower(), "revision")
    short = len(label) <= 2 and label.isalnum() and not revised  # "1. Solve", "C. The mantle"
    return not short and not _NO_END.search(text, max(start, match.start() - _ABBREVIATION_CHARS), match.start() + 1)


def _line_ends(text: str, match: re.Match[str]) -> bool:
    before, display = text[match.start() - 1 : match.start()], text.startswith(DISPLAYS, match.end())
    if match.group().count("\n") > 1 or before in tuple(".?!*|"):
        return True
    return not display and (before == ":" or not text[match.end() : match.end() + 1].islower())


def _formula_ends(text: str, match: re.Match[str], formula: str) -> bool:
    """Whether a capital behind a formula begins a sentence: the formula ends in a full stop, or is displayed."""
    if "." in formula[-20:]:
        return _FORMULA_END.search(formula) is not None
    return formula.startswith(DISPLAYS) and _NEW_SENTENCE.match(text, match.end()) is not None


def tokens(text: str, span: tuple[int, int], formulas: list[tuple[int, int]]) -> tuple[Token, ...]:
    """The tokens of a part of the text."""
    found: list[Token] = []
    position, stop = span
    inside = [formula for formula in formulas if formula[0] >= position and formula[1] <= stop]
    for start, end in [*inside, (stop, stop)]:
        for match in _TOKEN.finditer(text, position, start):
            kind, piece = match.lastgroup or "mark", match.group()
            found.append(Token(kind, piece.lower() if kind == "word" else piece, match.start(), match.end()))
        if start < end:
            found.append(Token("formula", text[start:end], start, end))
            if pause := _PAUSE_INSIDE.search(text, max(start, end - 6), end):
                found.append(Token("mark", pause[1], end, end))
        position = end
    return tuple(found)


SUBORDINATE = ("condition", "concession", "juxtaposed")
_BREAKS = ("juxtaposed", "consequence", "restated", "contrast", "concession", "denial", "condition")
_PAUSES = frozenset(",;:—–(")
_Opening = tuple[str | None, int]
"""The role of a clause, and how many tokens the words are that open it."""


def clauses(found: tuple[Token, ...]) -> list[Clause]:
    """The clauses of a sentence, in order.

    What a subordinate opening puts first ends at its comma. Behind a subject without its verb a condition belongs to
    the subject ("the value of x for which ... is 33"), and opens no clause.
    """
    listed: list[Clause] = []
    role: str | None = None
    first = index = 0
    verb = False
    while index < len(found):
        opened = _opens(found, index)
        if opened and opened[0] == "condition" and index > first and not verb and role in (None, "consequence"):
            opened = opened if _paused(found, index) or _is_number(found[index - 1]) else None
        if not opened and role in SUBORDINATE and index > first and _main_follows(found, first, index, listed):
            opened = None, 0
            found = found[:index] + found[index + 1 :] if found[index].text == "," else found
        if opened is not None:
            listed += [Clause(role, found[first:index])] if index > first else []
            (role, length), first, verb = opened, index, False
            index += max(1, length)
            continue
        verb = verb or found[index].text == "=" or phrase_at(found, index, "results") > 0
        index += 1
    listed.append(Clause(role, found[first:]))
    return [clause for clause in listed if clause.tokens]


def _is_number(token: Token) -> bool:
    """Whether a token is a number, and no name of one ("x") that what follows may describe."""
    return token.kind == "number" or (token.kind == "formula" and not re.search(r"(?<![\\a-zA-Z])[a-zA-Z]", token.text))


def _main_follows(found: tuple[Token, ...], first: int, index: int, before: list[Clause]) -> bool:
    """Whether a subordinate clause ends at `index`: at its comma, or where a subject begins."""
    if found[index].text != ",":
        short = not before and index < 4 and at(found, index - 1).kind in VALUES
        if short and found[index].text in ("the", "we", "it", "there", "this", "our"):
            return True
        prepositional = phrase_at(found, first, "prepositions") > 0 and index > first + 1
        subject = is_word(found[index].text, "pronouns") and phrase_at(found, index + 1, "results") > 0
        return prepositional and subject
    following = at(found, index + 1)
    if not before or not following.kind:
        return bool(following.kind)
    end = next((place for place in range(index + 1, len(found)) if found[place].text in _PAUSES), len(found))
    goes_on = following.kind == "word" and following.text not in ("and", "or")
    return goes_on and any(phrase_at(found, place, "results") for place in range(index + 1, end))


def _paused(found: tuple[Token, ...], index: int) -> bool:
    """Whether a pause stands before `index`, or "and" behind a pause."""
    if index > 1 and found[index - 1].text == "and":
        index -= 1
    return index == 0 or found[index - 1].text in _PAUSES


def _opens(found: tuple[Token, ...], index: int) -> _Opening | None:
    """How a clause begins at `index`; None where none does."""
    token, before = found[index], at(found, index - 1)
    if token.kind == "mark":
        return _opened_by_mark(found, index)
    if token.kind != "word":
        return None
    opened = role_at(found, index, _BREAKS)
    if opened is not None:
        return _opened_by_word(found, index, opened)
    if token.text in ("it's", "it") and before.kind in VALUES:
        return None, 0
    if not index or not _paused(found, index):
        return None
    if is_word(token.text, "pronouns"):
        return None, 0
    participle = (
        before.text == "," and token.text.endswith(("ed", "ing")) and not phrase_at(found, index + 1, "results")
    )
    return ("condition", 1) if participle else None


def _opened_by_mark(found: tuple[Token, ...], index: int) -> _Opening | None:
    inside = at(found, index + 1)
    if found[index].text in (";", "—"):
        return None, 1
    if found[index].text == "(" and index and inside.kind == "word" and len(inside.text) > 1:
        return "restated" if phrase_at(found, index + 1, "restated") else "condition", 1
    return None


def _opened_by_word(found: tuple[Token, ...], index: int, opened: tuple[str, int]) -> _Opening | None:
    role, length = opened
    word, following, paused = found[index].text, at(found, index + length), _paused(found, index)
    if word in ("which", "that") and following.kind and length == 1:
        if is_word(following.text, "results of which"):
            return "consequence", 2
        return opened if paused and word == "which" else None
    if paused:
        return opened
    behind_value = at(found, index - 1).kind in VALUES
    if (word in ("we", "it") and not behind_value) or (behind_value and phrase_at(found, index, "changes last")):
        return None
    if role == "denial":
        return opened if behind_value and following.kind else None
    if is_word(word, "seldom alone"):
        alone = following.kind in VALUES or not is_word(word, "hardly ever alone")
        return opened if behind_value and alone else None
    return opened
