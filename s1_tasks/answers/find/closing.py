"""How a text ends: what it says after its answer, what it takes back, and what its last sentence concludes."""

from s1_tasks.answers.find.announcements import announces, comments, links
from s1_tasks.answers.find.pages import Page, concluded_value
from s1_tasks.answers.find.ranking import Candidate, Stance, Turn
from s1_tasks.answers.find.scan import VALUES, Token, at
from s1_tasks.answers.find.stance import is_hypothetical, sets_up
from s1_tasks.answers.find.values import source, tidy
from s1_tasks.answers.find.vocabulary import is_word, occurs, phrase_at
from s1_tasks.answers.read.reading import is_formula

_MAX_TURNS = 120
"""So many sentences at the end are looked through for words that take an answer back."""


def trim(text: Page) -> None:
    """Leave out the sentences at the end that state no answer: closing words, remarks, checks and comments."""
    while len(text.spans) > 1 and _is_afterword(text, len(text.spans) - 1):
        text.spans.pop()
    for index in range(len(text.spans) - 1, 0, -1):
        found = text.tokens(index)
        if phrase_at(found, 0, "consequence") or announces(found):
            return
        if phrase_at(found, 0, "checks"):
            del text.spans[index:]


def _is_afterword(text: Page, index: int) -> bool:
    found = text.tokens(index)
    if _is_bracketed(found) or (phrase_at(found, 0, "remarks") and not announces(found) and not _concludes_late(found)):
        return True
    if _has_figures(found):
        return False
    marks = [(noun, behind) for noun, behind in links(found) if noun < 4]
    return occurs(found, "chat") or bool(marks and comments(found, marks[0][1]))


def _is_bracketed(found: tuple[Token, ...]) -> bool:
    """Whether a sentence as a whole stands in brackets, and is no point (3, 4)."""
    opens = at(found, 0).text == "(" and at(found, 1).kind == "word" and len(found) > 3
    return opens and found[-1].text in (")", ".") and all(token.text != ")" for token in found[:-2])


def _has_figures(found: tuple[Token, ...]) -> bool:
    return any(token.kind in VALUES or token.text in ("=", "\\") for token in found)


def _concludes_late(found: tuple[Token, ...]) -> bool:
    places = range(1, len(found))
    return any(found[index - 1].text in (",", ";") and phrase_at(found, index, "consequence") for index in places)


def turns(text: Page, start: int) -> tuple[list[Turn], list[Candidate]]:
    """Where the text turns back on what stands before, from character `start` on; and what it then states instead."""
    found: list[Turn] = []
    stated: list[Candidate] = []
    for index in range(max(0, len(text.spans) - _MAX_TURNS), len(text.spans)):
        first, last = text.spans[index]
        words = text.tokens(index) if last > start else ()
        revised = _revision(words, start)
        if revised is not None:
            instead = _instead(text, index, words[revised[1] :], directly=True)
            fault = bool(instead) or occurs(words, "fault", revised[0])
            found.append(Turn(words[revised[0]].start, fault, not fault and bool(found) and _confirms(words)))
            stated += instead
        elif found and _confirms(words):
            found.append(Turn(first, confirms=True))
        elif found and occurs(words, "fault") and not _has_figures(words):
            found.append(Turn(first, fault=True))
        elif found:
            stated += _instead(text, index, words, directly=False)
    return found, stated


def _revision(words: tuple[Token, ...], start: int) -> tuple[int, int] | None:
    """(index of the words that turn back, index behind them) of a sentence, at its beginning or behind a pause."""
    for index in range(len(words)):
        paused = not index or words[index - 1].text in ",;:.—–-?!(" or words[index - 1].text in ("but", "and")
        if words[index].start >= start and paused and phrase_at(words, index, "revision"):
            behind = index
            while step := phrase_at(words, behind, "revision") or is_word(at(words, behind).text, "pauses"):
                behind += int(step)
            return index, behind
    return None


def _instead(text: Page, index: int, phrase: tuple[Token, ...], *, directly: bool) -> list[Candidate]:
    """What a sentence behind a doubt states in place of what is doubted. Announcements are collected as such."""
    says_nothing = not phrase or text.kind == "choice" or phrase_at(phrase, 0, "checks") or links(phrase)
    if says_nothing or text.words(index).rstrip(" *").endswith(("?", ":")):
        return []
    if not directly and not occurs(phrase, "concludes") and not _is_whole(text, phrase):
        return []
    value, stance = concluded_value(text, phrase, plain=True)
    if not value or stance is not Stance.ASSERTED or (directly and not _corrects(phrase)):
        return []
    return [Candidate(phrase[0].start, phrase[-1].end, value, "conclusion")]


def _is_whole(text: Page, phrase: tuple[Token, ...]) -> bool:
    return len(phrase) < 8 and is_formula(tidy(source(text.text, phrase)))


def _corrects(phrase: tuple[Token, ...]) -> bool:
    """Whether "wait, ..." goes on with a correction at once, and not with a step: "it should be 7", "7"."""
    return len(phrase) <= 4 or occurs(phrase, "corrects")


def _confirms(words: tuple[Token, ...]) -> bool:
    """Whether a sentence without figures says that all is well."""
    if _has_figures(words) and at(words, 0).text != "yes":
        return False
    return occurs(words, "confirms") and not occurs(words, "rejects")


def concluded(text: Page) -> list[Candidate]:
    """The value that the last sentence states."""
    index = len(text.spans) - 1
    found = text.tokens(index)
    if not found or text.asks(index) or sets_up(found) or is_hypothetical(found):
        return []
    turned = _revision(found, 0)
    if turned is not None and any(token.kind in VALUES for token in found[turned[1] :]):
        found = found[turned[1] :]
    plain = turned is not None or occurs(found, "concludes")
    value, stance = concluded_value(text, found, plain=plain)
    if value or stance is Stance.DENIED:
        return [Candidate(*text.spans[index], value or source(text.text, found), "conclusion", stance)]
    return []
