r"""The choice that a model's text makes, as a letter.

The candidates are a box, "the answer is B", "I choose B" or "so B", "B is correct", and a letter that the text begins
or ends with; each has a stance, and the table of `ranking` says which wins. What is asked, supposed, denied or only
discussed is no choice, and a text that names several letters as its answer ("A, B, C, D") has none.
"""

import re
from dataclasses import replace

from s1_tasks.answers.find.announcements import links
from s1_tasks.answers.find.boxes import last_boxes
from s1_tasks.answers.find.closing import trim, turns
from s1_tasks.answers.find.frames import breaks_off, unframed, without_ornaments
from s1_tasks.answers.find.languages import in_english
from s1_tasks.answers.find.letters import bare_letter, choice_letter, leading_letter, mentions, plain
from s1_tasks.answers.find.pages import Page, page
from s1_tasks.answers.find.ranking import Candidate, Stance, best, settle
from s1_tasks.answers.find.scan import Clause, Token, at, clauses
from s1_tasks.answers.find.stance import meant, supposes
from s1_tasks.answers.find.values import bare
from s1_tasks.answers.find.vocabulary import is_word, occurs, phrase_at

SEVERAL = "several"
"""The answer of a candidate that names more than one letter."""
_LETTERS = frozenset("ABCDEFGHIJ")
_OPERATORS = frozenset("=+<>^/_'’")
_ENDS = frozenset(".,;:!)]}→—–")
_LABEL_START = r"^[\s*_>•-]{0,6}(?i:(?:option|choice|statement)\s)?\(?([A-J])"
_LABEL = re.compile(rf"{_LABEL_START}(?:[).:*]{{1,4}}|\s[-–—:])", re.MULTILINE)
_TRUE_LABEL = re.compile(
    rf"{_LABEL_START}[).:*]{{1,4}}\s(?i:this\s(?:option\s|one\s)?is\s)?(?i:correct|right|matches)\b", re.MULTILINE
)
_INLINE_LABEL = re.compile(r"\b(?i:option|choice|statement)\s([A-J])[):]")
_REVIEW = re.compile(
    r"\b(?:each|every|all|the|these|those|following)\s(?:of\sthe\s)?(?:answer\s|possible\s|given\s)?"
    r"(?:option|choice|statement|answer|alternative)s?\b[^\n]{0,40}[:.]\s*$",
    re.IGNORECASE | re.MULTILINE,
)
_BULLET = re.compile(r"^[\s>•*-]{1,6}(?=[\s(*A-J])")
_ONLY_LETTERS = re.compile(
    r"(?:\\(?:text|textbf|mathrm|mathbf)|\b(?:and|or)\b|[\s,;&(){}\[\].*$/]|[A-J](?![a-zA-Z_^]))*"
)
_ENDED = re.compile(r"[^\w\s,;:-]\s*\Z")
_STATED_CHARS = 160
_DENIES_BEFORE, _SENTENCES = 6, 8
"""Tokens before a letter, and sentences from the end, that are looked at."""


def find_choice(part: str) -> list[Candidate]:
    """Every letter that the final part of a model's text offers, with its stance."""
    part = in_english(plain(without_ornaments(part)))
    boxed = last_boxes(part)
    framed = unframed(part, boxed[-1][2] if boxed else 0)
    if framed is not None:
        letter = choice_letter(framed)
        return [Candidate(0, len(part), letter, "tag")] if letter else find_choice(framed)
    content, start, end = boxed[-1] if boxed else ("", 0, 0)
    letter = choice_letter(content) if content else None
    if letter is None and len(mentions(content)) > 1 and _ONLY_LETTERS.fullmatch(content):
        return [Candidate(start, end, SEVERAL, "boxed")]
    if letter is None and (whole := bare_letter(part)):
        return [Candidate(0, len(part), whole, "whole text")]
    return _behind(part, [Candidate(start, end, letter, "boxed")] if letter else [], end if letter else 0)


def _behind(part: str, found: list[Candidate], start: int) -> list[Candidate]:
    """The candidates with those of the sentences behind `start`."""
    text = page(part, "choice")
    text.spans = [span for span in text.spans if span[1] > start]
    trim(text)
    for index in range(len(text.spans)):
        words = text.tokens(index)
        if words and words[-1].end > start:
            found += [*_announced(text, index, boxed=bool(start)), *_claimed(text, index)]
    labels = [label for label in _TRUE_LABEL.finditer(part) if label.start() >= start]
    found += [Candidate(*label.span(1), label[1], "is correct") for label in labels]
    revised, _ = turns(text, start)
    settled = _of_one_mind(settle(sorted(found, key=lambda one: one.start), revised))
    return settled if best(settled) or start else [*settled, *_placed(text)]


def _of_one_mind(settled: list[Candidate]) -> list[Candidate]:
    """Several letters that are called correct are none."""
    correct = {one.answer for one in settled if one.rule == "is correct" and one.stance is Stance.ASSERTED}
    if len(correct) <= 1:
        return settled
    return [replace(one, answer=SEVERAL) if one.rule == "is correct" else one for one in settled]


def _letter_at(text: Page, found: tuple[Token, ...], index: int) -> str:
    """The choice letter that a token is; "" for a variable, a unit, an article or the name of something else."""
    token = at(found, index)
    if token.kind == "formula":
        return bare_letter(bare(token.text)) or ""
    letter = text.text[token.start : token.end]
    if token.kind != "word" or letter not in _LETTERS:
        return ""
    before, after = at(found, index - 1), at(found, index + 1).text
    if {before.text, after} & _OPERATORS or before.kind == "number":
        return ""
    if is_word(before.text, "nouns of choice"):
        return letter
    if before.text in ("(", "[") and after in (")", "]"):
        return "" if is_word(at(found, index - 2).text, "names") else letter
    if is_word(before.text, "names") or before.text in ("the", "an") or (letter == "I" and after not in ("", ".")):
        return ""
    article = letter == "A" and after and after not in _ENDS and not is_word(after, "behind a")
    return "" if article else letter


def _letters(text: Page, found: tuple[Token, ...]) -> list[tuple[int, str]]:
    return [(index, letter) for index in range(len(found)) if (letter := _letter_at(text, found, index))]


def _named(text: Page, found: tuple[Token, ...]) -> set[str]:
    return {letter for _, letter in _letters(text, found)}


def _announced(text: Page, index: int, *, boxed: bool) -> list[Candidate]:
    """What "the answer is" states in a sentence."""
    found, listed = text.tokens(index), []
    for noun, behind in links(found, choice=True):
        stance = Stance.ASKED if text.asks(index) else meant(found, noun)
        if behind < len(found):
            letter = _stated(text, text.spans[index][1], found[behind:])
        else:
            below = text.words(index + 1).lstrip() if index + 1 < len(text.spans) else ""
            letter = leading_letter(below, loose=True) or bare_letter(below) or ""
        if letter:
            rule = "final answer" if boxed else "answer:"
            listed.append(Candidate(found[noun].start, found[-1].end, letter, rule, stance))
    return listed


def _stated(text: Page, end: int, phrase: tuple[Token, ...]) -> str:
    """The letter that an announcement goes on with, "" for none: its first, unless it is denied or corrected."""
    parts = clauses(phrase)
    if parts[0].role == "denial":
        parts = [clause for clause in parts[1:] if clause.role == "contrast"]
        phrase = parts[0].tokens[1:] if parts else ()
    if not phrase:
        return ""
    following = text.text[phrase[0].start : min(end, phrase[0].start + _STATED_CHARS)].lstrip(" }")
    first = leading_letter(following, loose=True) or bare_letter(following.rstrip(".")) or ""
    contrasts = [clause for clause in parts[1:] if clause.role == "contrast"]
    for clause in contrasts:
        others = _named(text, clause.tokens)
        if len(others) == 1 and _calls_correct(text, clause):
            return others.pop()
        if not others and first and _denies(clause.tokens, 0):
            return ""
    return first if first and not _lists(text, parts[0]) else _named_later(text, phrase, parts, following)


def _lists(text: Page, clause: Clause) -> bool:
    """Whether a clause joins several letters: "A or B"."""
    letters = _letters(text, clause.tokens)
    several = len({letter for _, letter in letters}) > 1 and not _denies(clause.tokens, 0)
    return several and _joined(clause.tokens, letters[0][0])


def _named_later(text: Page, phrase: tuple[Token, ...], parts: list[Clause], following: str) -> str:
    """The letter of an announcement that does not begin with one: "3 eV, option C", "rules out C, leaving D"."""
    denied = _denies(phrase, 0)
    if _lists(text, parts[0]):
        return SEVERAL
    marked = {letter for place, letter in _letters(text, phrase) if not place or _is_marked(phrase, place)}
    if len(marked) == 1 and not denied:
        return marked.pop()
    if len(mentions(following)) > 1 and not denied and not parts[1:]:
        return SEVERAL
    later = [_named(text, clause.tokens) for clause in parts[1:] if clause.role == "consequence"]
    return later[-1].pop() if later and len(later[-1]) == 1 else ""


def _claimed(text: Page, index: int) -> list[Candidate]:
    """The letters that a sentence chooses, or calls correct."""
    listed = []
    parts = [] if text.asks(index) else clauses(text.tokens(index))
    for clause in parts:
        named = _letters(text, clause.tokens) if clause.role not in ("condition", "concession", "denial") else []
        for place, letter in named:
            if rule := _rule(clause, place, named):
                token = clause.tokens[place]
                listed.append(Candidate(token.start, token.end, letter, rule, _stance(clause, place)))
    return listed


def _rule(clause: Clause, place: int, named: list[tuple[int, str]]) -> str:
    """By which rule a clause claims the letter at `place`; "" for none."""
    found = clause.tokens
    alone = len({letter for _, letter in named}) == 1
    words = _chosen_by(found, place)
    if words and (alone or named[0][0] == place or words > 1):
        return "says" if alone or not _joined(found, place) else ""
    if alone and clause.role == "consequence" and len(found) - place <= 3 and place <= 4:
        return "says"
    return "is correct" if _is_called_correct(found, place) else ""


def _joined(found: tuple[Token, ...], place: int) -> bool:
    """Whether "and" or "or" joins another letter to the one at `place`."""
    return at(found, place + 1).text in ("and", "or", "/", "&") and len(at(found, place + 2).text) == 1


def _chosen_by(found: tuple[Token, ...], place: int) -> int:
    """How many tokens long the words of choice are in front of the letter at `place`; 0 for none."""
    for last in range(place - 1, -1, -1):
        lengths = (n for n in (4, 3, 2, 1) if last + 1 >= n and phrase_at(found, last + 1 - n, "chooses") == n)
        if (length := next(lengths, 0)) or not is_word(found[last].text, "between"):
            return length
    return 0


def _is_called_correct(found: tuple[Token, ...], place: int) -> bool:
    """Whether what follows the letter at `place` calls it correct, without "in that" or "only if"."""
    index = place + 1
    while at(found, index).text in (")", "]", "}"):
        index += 1
    verb, limited = at(found, index).text, is_word(at(found, index + 1).text, "limits")
    if is_word(verb, "holds"):
        return not limited and (verb != "it" or at(found, index + 1).text == "is")
    if verb not in ("is", "must", "would", "seems", "appears", "looks"):
        return False
    for behind in range(index + 1, min(len(found), index + 6)):
        if phrase_at(found, behind, "rejects"):
            return False
        if is_word(found[behind].text, "true"):
            limit = at(found, behind + 1).text
            return not is_word(limit, "limits") or (limit == "that" and not is_word(found[behind].text, "true that"))
    return False


def _calls_correct(text: Page, clause: Clause) -> bool:
    places = [place for place, _ in _letters(text, clause.tokens)]
    return any(_is_called_correct(clause.tokens, place) or _chosen_by(clause.tokens, place) for place in places)


def _stance(clause: Clause, place: int) -> Stance:
    """How a clause stands to the letter at `place`."""
    if supposes(clause.tokens[clause.opening : place]):
        return Stance.SUPPOSED
    return Stance.DENIED if _denies(clause.tokens, place) else Stance.ASSERTED


def _denies(found: tuple[Token, ...], place: int) -> bool:
    """Whether words before or behind the letter at `place` say that it is not meant."""
    before = [token.text for token in found[max(0, place - _DENIES_BEFORE) : place]]
    if any(word.endswith("n't") or is_word(word, "denies a letter") for word in before):
        return True
    return occurs(found, "rejects", place) or occurs(found, "rules out", place) or _rules_out(before)


def _rules_out(before: list[str]) -> bool:
    return any(is_word(word, "rules out") for word in before)


def _placed(text: Page) -> list[Candidate]:
    """The letter that a text ends or begins with, unless it belongs to a list of the options."""
    part = text.text[: text.spans[-1][1]] if text.spans else ""
    lines = [_BULLET.sub("", line) for line in part.splitlines() if line.strip()]
    alone = [bare_letter(line) for line in (lines[-1], lines[0])] if lines else []
    if letter := next(filter(None, alone), None):
        return [Candidate(0, len(part), letter, "placed")]
    labels = {match[1].upper() for pattern in (_LABEL, _INLINE_LABEL) for match in pattern.finditer(part)}
    cut = breaks_off(part)
    if lines and len(labels) <= 1 and not cut and not _REVIEW.search(part):
        for index in (0, len(text.spans) - 1):
            if letter := _begins_with(text, index):
                return [Candidate(*text.spans[index], letter, "placed")]
    if not lines or cut or (len(labels) > 1 and _LABEL.match(lines[-1])):
        return []
    return _mentioned(text, 1 if _ENDED.search(lines[-1]) is None else _SENTENCES)


def _begins_with(text: Page, index: int) -> str:
    """The letter that a sentence begins with as its label: "C. The mantle", "Option C.", "C because ..."."""
    line = re.sub(r"(?i)^\W*(?:option|choice)\s", "", _BULLET.sub("", text.words(index).strip()))
    found = text.tokens(index)
    letter = choice_letter(line) if len(line) < 200 else None
    reason = next((token.text for token in found[1:3] if token.text != ","), "")
    if letter is None and reason in ("because", "since", "as", "i"):
        return _letter_at(text, found, 0)
    return letter if letter and not _denies(found[:40], 0) else ""


def _mentioned(text: Page, sentences: int) -> list[Candidate]:
    """The one option that the last sentence with an option names, if it neither denies nor asks nor only discusses."""
    for index in range(len(text.spans) - 1, max(-1, len(text.spans) - 1 - sentences), -1):
        found = text.tokens(index)
        named = [(place, letter) for place, letter in _letters(text, found) if _is_marked(found, place)]
        letters = {letter for _, letter in named}
        if letters:
            unsure = text.asks(index) or _denies(found, named[0][0]) or supposes(found) or occurs(found, "discusses")
            return [Candidate(*text.spans[index], letters.pop(), "placed")] if len(letters) == 1 and not unsure else []
    return []


def _is_marked(found: tuple[Token, ...], place: int) -> bool:
    """Whether a letter is named as an option: "option B", "(B)", ", B."."""
    before, following = at(found, place - 1).text, at(found, place + 1).text
    named = is_word(before, "nouns of choice") and following not in (":", "–")
    last = before in (",", ";", ":", "—", "–") and place + 2 >= len(found)
    return named or last or (before == "(" and following == ")")
