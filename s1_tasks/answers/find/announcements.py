"""Where a text announces its answer: "Answer:", "the answer is", "# Answer", "#### 5"; and what it then states."""

import re

from s1_tasks.answers.find.pages import Page, announced_value
from s1_tasks.answers.find.ranking import Candidate, Stance
from s1_tasks.answers.find.scan import VALUES, Token, at
from s1_tasks.answers.find.stance import is_hypothetical, meant
from s1_tasks.answers.find.values import source, tidy
from s1_tasks.answers.find.vocabulary import is_word, occurs, phrase_at
from s1_tasks.answers.read.reading import is_formula

_STEMS = re.compile(
    r"\b(?:ans(?:wers?)?|final|results?|solutions?|conclusion)\b|####|^A:|\bA:\s", re.IGNORECASE | re.MULTILINE
)
_BULLET = re.compile(r"(?:[-•*]|\(?\w[.)]|\d{1,2}[.)])[ \t]+(?=\S)")
_PART = re.compile(r"\W{0,6}(?:part\s)?\(?([a-h]|\d)\)?[).:]\**\s{0,3}(?=\S)", re.IGNORECASE)
_MAX_MARKS, _MAX_SENTENCES, _MAX_BULLETS = 6, 30, 30
"""So many announcements of a sentence, sentences that announce, and bullets below one are read."""
_MAX_SUBJECT = 16
"""Tokens that may stand between "the answer" and its verb: "to the question of how many ... there are"."""
_MAX_WORDS_CHARS = 200


def announced(text: Page) -> list[Candidate]:
    """What every announcement of a text states."""
    naming = [index for index, (start, end) in enumerate(text.spans) if _STEMS.search(text.text, start, end)]
    return [candidate for index in naming[-_MAX_SENTENCES:] for candidate in _announcements(text, index)]


def _announcements(text: Page, index: int) -> list[Candidate]:
    if hashes := _below_hashes(text, index):
        return hashes
    found = text.tokens(index)
    marks = links(found)
    if not marks:
        return _below(text, index, 0) if _is_heading(found) else []
    listed = []
    for number, (noun, behind) in enumerate(marks):
        stop = marks[number + 1][0] if number + 1 < len(marks) else len(found)
        if stop > behind:
            listed += _announcement(text, index, found[:stop], noun, behind)
        elif number + 1 == len(marks):
            listed += _below(text, index, noun)
    return listed


def links(found: tuple[Token, ...], *, choice: bool = False) -> list[tuple[int, int]]:
    """(index of the noun, index behind the verb or colon) of the announcements of a sentence."""
    listed = ((noun, _link_behind(found, noun, choice=choice)) for noun in range(len(found)))
    return [(noun, behind) for noun, behind in listed if behind is not None][-_MAX_MARKS:]


def announces(found: tuple[Token, ...]) -> bool:
    """Whether a sentence announces an answer, and says not only something about it."""
    return any(is_word(found[noun].text, "announces") and not comments(found, behind) for noun, behind in links(found))


def comments(found: tuple[Token, ...], behind: int) -> bool:
    """Whether "the answer is" goes on with a comment ("consistent with ..."), and no value follows at once."""
    length = phrase_at(found, behind, "comment")
    return length > 0 and at(found, behind + length).kind not in VALUES


def _link_behind(found: tuple[Token, ...], noun: int, *, choice: bool) -> int | None:
    """The index behind the verb or colon of an announcement whose noun stands at `noun`; None where it is none."""
    index = noun + _noun_length(found, noun, choice=choice)
    if index == noun:
        return None
    word = found[noun].text
    if word in ("a", "i") or word.endswith("'s"):
        return index
    if word == "final" and not is_word(at(found, index).text, "links") and at(found, index).kind not in VALUES:
        return None
    index = _behind_subject(found, _behind_bracket(found, index))
    start = index
    while is_word(at(found, index).text, "helpers") and index - start < 5:
        index += 1
    if at(found, index).text in ("'s", "-") and word != "final":
        return index + 1 if found[index].end < at(found, index + 1).start else None
    if word in ("answer", "final") and _value_at(found, noun, index):
        return index + (found[index].text == "of")
    if not is_word(at(found, index).text, "links"):
        return index + 1 if word == "ans" and at(found, index).text == "." else None
    while is_word(at(found, index).text, "links") or at(found, index).text in ("then", "thus", "therefore", "simply"):
        index += 1
    return index


def _noun_length(found: tuple[Token, ...], noun: int, *, choice: bool) -> int:
    if not noun and found[0].text == "a" and at(found, 1).text == ":" and len(found) > 2:
        return 2  # A: 73
    roles = ("announces", "weakly", "names choice") if choice else ("announces", "weakly")
    return max(phrase_at(found, noun, role) for role in roles)


def _behind_bracket(found: tuple[Token, ...], index: int) -> int:
    """The index behind "(in metres)"."""
    if at(found, index).text != "(":
        return index
    return next((place + 1 for place in range(index, min(len(found), index + 12)) if found[place].text == ")"), index)


def _behind_subject(found: tuple[Token, ...], index: int) -> int:
    """The index of the verb behind "to the question ...": the first verb or colon within a few tokens."""
    if at(found, index).text not in ("to", "for", "of", "among", "from", "here", "choice"):
        return index
    for place in range(index, min(len(found), index + _MAX_SUBJECT)):
        word = found[place].text
        if is_word(word, "links") or (is_word(word, "helpers") and word not in ("to", "has", "have", "out")):
            return place
        if word in (",", ";"):
            break
    return index


def _value_at(found: tuple[Token, ...], noun: int, index: int) -> bool:
    """Whether a value follows "the answer of" or "with final answer" without any verb."""
    final = "final" in (found[noun].text, at(found, noun - 1).text)
    of = at(found, index).text == "of"
    return (final or of) and at(found, index + of).kind in VALUES


def _announcement(text: Page, index: int, found: tuple[Token, ...], noun: int, behind: int) -> list[Candidate]:
    """The candidate of an announcement: its value, or its words."""
    phrase = found[behind:]
    final = "final" in (found[noun].text, at(found, noun - 1).text)
    weak = phrase_at(found, noun, "weakly") > 0 and not final
    verbal = found[behind - 1].text in ("is", "are", "be", "equals")
    colon = not verbal or any(token.text in (":", "：") for token in found[noun:behind])
    stance = Stance.ASKED if text.asks(index) else meant(found, noun)
    if stance is Stance.ASSERTED and not colon and comments(found, behind):
        return []
    value, inner = announced_value(text, phrase)
    if is_hypothetical(found[noun:]):
        inner = Stance.SUPPOSED
    stance = inner if stance is Stance.ASSERTED else stance
    start, end = phrase[0].start, phrase[-1].end
    if not value:
        words = "" if weak or inner is not Stance.ASSERTED else _words(text, phrase)
        return [Candidate(start, end, words, "words", stance)] if words else []
    rule = "final answer" if final and is_formula(value) else "answer:" if colon else "answer is"
    return [Candidate(start, end, value, rule, stance, weak)]


def _words(text: Page, phrase: tuple[Token, ...]) -> str:
    """Words that are an answer; "" for those with figures that are not stated, and for those that reject one."""
    words = tidy(source(text.text, phrase))
    return "" if re.search(r"\d", words) or len(words) > _MAX_WORDS_CHARS or occurs(phrase, "rejects") else words


def _below_hashes(text: Page, index: int) -> list[Candidate]:
    """The value behind "####", as GSM8K writes it; a heading of Markdown is none."""
    sentence = text.words(index).lstrip()
    value = tidy(sentence[5:]) if sentence.startswith("#### ") else ""
    if value and (is_formula(value) or index + 1 == len(text.spans)):
        return [Candidate(*text.spans[index], value, "heading")]
    return []


def _is_heading(found: tuple[Token, ...]) -> bool:
    """Whether a line is nothing but "Answer" or "# The final answer is"."""
    words = [token.text for token in found if token.kind == "word"]
    named = "answer" in words or "answers" in words
    bare = all(token.kind not in VALUES for token in found) and len(words) <= 4
    return named and bare and all(is_word(word, "headings") for word in words)


def _below(text: Page, index: int, noun: int) -> list[Candidate]:
    """What the sentence below an announcement states, or the list of bullets there."""
    if index + 1 >= len(text.spans):
        return []
    found = text.tokens(index)
    stance = meant(found, noun)
    start, end = text.spans[index + 1]
    if values := _bullets(text, index + 1):
        return [Candidate(start, text.spans[index + len(values)][1], " , ".join(values), "heading", stance)]
    value, inner = announced_value(text, text.tokens(index + 1))
    stance = inner if stance is Stance.ASSERTED else stance
    if not value:
        words = tidy(text.words(index + 1)) if inner is Stance.ASSERTED else ""
        return [Candidate(start, end, words, "words", stance)] if 0 < len(words) <= _MAX_WORDS_CHARS else []
    return [Candidate(start, end, value, "heading", stance)]


def _bullets(text: Page, first: int) -> list[str]:
    """The values of a list with bullets or numbers; a bullet is no minus."""
    values: list[str] = []
    for index in range(first, min(len(text.spans), first + _MAX_BULLETS)):
        bullet = _BULLET.match(text.text, *text.spans[index])
        value = announced_value(text, text.behind(bullet.end(), index))[0] if bullet else ""
        if not value:
            break
        values.append(value)
    return values


def parts(text: Page, count: int) -> list[Candidate]:
    """The values of the parts (a), (b), ... that a text ends with, one a line, as one list."""
    first = len(text.spans) - count
    if first < 0:
        return []
    labels = [_PART.match(text.text, *text.spans[index]) for index in range(first, len(text.spans))]
    values = [
        announced_value(text, text.behind(label.end(), index))[0]
        for index, label in enumerate(labels, first)
        if label is not None
    ]
    if len(values) < count or not all(values):
        return []
    return [Candidate(text.spans[first][0], text.spans[-1][1], ", ".join(values), "parts")]
