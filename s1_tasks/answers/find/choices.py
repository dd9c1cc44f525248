r"""The choice that a model's text makes, as a letter.

The last of the strongest claims counts: a box, "the answer is B" or "Answer: B"; then "I choose B", "so B"; then "B is
correct"; then a letter that the text begins or ends with. What is asked, supposed, denied or only discussed is no
claim, and a text that names several letters as its answer ("A, B, C, D") has none.
"""

import re

from s1_tasks.answers.find.boxes import boxes
from s1_tasks.answers.find.claims import is_meant
from s1_tasks.answers.find.framing import (
    breaks_off,
    sentences,
    supposes,
    unframed,
    without_afterwords,
    without_ornaments,
)
from s1_tasks.answers.find.languages import in_english
from s1_tasks.answers.find.letters import LETTERS, OPEN, bare_letter, choice_letter, leading_letter, mentions, plain

_MARKER = re.compile(
    r"(?:(?:final|correct|best|right)[\s*_]{1,4})?(?:answer\s)?"
    r"(?:answer|option|choice|solution|statement|letter|response|conclusion|alternative|selection|pick)[\s*_]{0,6}"
    r"(?:(?:to|for|of|among|from)\s[^.:\n]{1,40}?\s|here\s)?"
    r"(?:is\b(?!n't)|'s\b|are\b|(?:(?:would|must|should|(?:has|have|seems|appears|turns\sout)\sto)\s|to\s)be\b|"
    r"=|:|：|→|[-–—]\s)[\s*_]{0,6}[:：]?|\bI meant\s",
    re.IGNORECASE,
)
_SAYS = re.compile(
    r"(?:\bit(?:'s| is| must be| should be)|"
    r"\b(?:I|we)(?:'ll|'d|'m| will| would| am)?\s(?:choose|chose|pick|select|go(?:ing)? with|say|guess|think|believe|"
    r"conclude|opt for|settle on|lean(?:ing)? towards?)(?:\sthat)?|"
    r"\b(?:let's go|going) with|(?:^|[.,;:!]\s|\b(?:so|thus|hence|therefore)\s)(?:choose|pick|select)|"
    r"\bleaves(?: us with)?|\bcorrect:|\bguess(?: is|:)|\b(?:closest|one|holds|remains|match|matches) is|\bclosest to)"
    r"\s{0,3}",
    re.IGNORECASE | re.MULTILINE,
)
_THUS = re.compile(
    r"(?:\b(?i:so|thus|hence|therefore|probably|likely|must be|only|leaving)[\s,:*]{1,4}|(?:→|⇒|=>)[\s*]{0,4})"
    rf"(?i:option\s|choice\s|statement\s)?{OPEN}(?:\\text\{{)?{OPEN}([{LETTERS}])(?![\w'])[)\]}}*_$`]{{0,5}}"
    r"(?=[.!,]?\s*$|[.!]\s|\s(?:because|since|works|fits))",
    re.MULTILINE,
)
_CLOSING = re.compile(rf"[.,;:—–]\s{{1,3}}\*{{0,2}}([{LETTERS}])\*{{0,2}}[.!]?\s*$")
_WHICH_IS = re.compile(rf"\bwhich\sis\s(?i:option|choice)\s\(?([{LETTERS}])\b")
_CORRECT = r"(?:correct|right|best|better|true|answer|appropriate|valid|likely|reasonable|choice|closest|one(?=[.!]|$))"
_IS_CORRECT = re.compile(
    rf"(?<![\w'])\(?([{LETTERS}])\)?[)}}*_$]{{0,6}}\s(?:(?:is|must\sbe|would\sbe|seems|appears|looks)\s"
    rf"(?:the\s|my\s)?(?:most\s|only\s|final\s)?{_CORRECT}|matches|works|fits|holds)\b"
    r"(?!\s*\?|\s(?:in|only|if|when|for|about|but)\b|(?:(?<=correct)|(?<=right)|(?<=true))\sthat\b)"
)
_LABEL_START = rf"^[\s*_>•-]{{0,6}}(?:(?i:option|choice|statement)\s)?\(?([{LETTERS}])"
_LABEL = re.compile(rf"{_LABEL_START}(?:[).:*]{{1,4}}|\s[-–—:])", re.MULTILINE)
_LABELLED_CORRECT = re.compile(
    rf"{_LABEL_START}[).:*]{{1,4}}\s(?i:this\s(?:option\s|one\s)?is\s)?(?i:correct|right|matches)\b", re.MULTILINE
)
_INLINE_LABEL = re.compile(rf"\b(?i:option|choice|statement)\s([{LETTERS}])[):]")
_OPTION = re.compile(
    rf"\b(?<!would )(?<!could )(?i:option|choice|answer)[\s*_]{{0,4}}\(?([{LETTERS}])\b\)?(?![*_]{{0,3}}[:–])"
)
_BRACKETED = re.compile(rf"(?<!\w)\(([{LETTERS}])\)(?!\w)")
_PARENTHESISED = re.compile(
    r"(?:^|[.,;:*]\s?|\b(?i:so|thus|hence|therefore|then|is|be|are|leaves|leaving|only|with|to|by|gives|matches|"
    rf"matching|option|choice|answer|and)\s)[*$]{{0,3}}\(([{LETTERS}])\)(?!\w)"
)
_REVIEW = re.compile(
    r"\b(?:each|every|all|the|these|those|following)\s(?:of\sthe\s)?(?:answer\s|possible\s|given\s)?"
    r"(?:option|choice|statement|answer|alternative)s?\b[^\n]{0,40}[:.]\s*$",
    re.IGNORECASE | re.MULTILINE,
)
_DENIES = re.compile(
    r"\b(?:not|cannot|can't|isn't|never|neither|nor|wrong|incorrect|false|impossible|eliminat\w*|exclud\w*|discard\w*|"
    r"reject\w*|unless|rul(?:e|es|ed|ing)\sout|consider(?:ed|ing)?|contradicts?|fails?|if|whether|suppose|"
    r"assum\w*|too|negative|tempting|violat\w*|unlike|compared?)\b|\?",
    re.IGNORECASE,
)
_ENDED = re.compile(r"[^\w\s,;:-]\s*\Z")
_NOT_BUT = re.compile(rf"{OPEN}not\s{OPEN}[{LETTERS}]\W{{1,4}}but(?:\srather)?\s", re.IGNORECASE)
_BECAUSE = re.compile(rf"{OPEN}([{LETTERS}])[)*]{{0,4}},?\s(?:because|since|as|I\s(?:think|believe|guess))\b")
_BULLET = re.compile(r"^[\s>•*-]{1,6}(?=[\s(*A-J])")


def find_choice(part: str) -> tuple[str, str] | None:
    """(letter, rule) from the final part of a model's text, or None."""
    part = in_english(plain(without_ornaments(part)))
    found = boxes(part)
    behind_box = found[-1][2] if found else 0
    content = unframed(part, behind_box)
    if content is not None:
        letter = choice_letter(content)
        return (letter, "tag") if letter else find_choice(content)
    boxed = None
    if found:
        content = found[-1][0]
        boxed = choice_letter(content)
        if boxed is None and len(mentions(content)) > 1 and "=" not in content:
            return None
    if not boxed:
        behind_box = 0
        whole = bare_letter(part)
        if whole:
            return whole, "whole text"
    part = without_afterwords(part)
    announced = _announced(part, behind_box)
    if announced is not None:
        return announced if announced[0] else (boxed, "boxed") if boxed else None
    if boxed:
        return boxed, "boxed"
    return _said(part) or _called_correct(part) or _placed(part)


def _announced(part: str, start: int) -> tuple[str, str] | None:
    """What the last "the answer is" that is meant says; a letter of "" where it names several; None without one."""
    for match in reversed(list(_MARKER.finditer(part, start))):
        if not is_meant(part, match.start()):
            continue
        following = part[match.end() : match.end() + 160].lstrip(" }")
        contrast = _NOT_BUT.match(following)
        if contrast:
            following = following[contrast.end() :]
        sentence = re.split(r"\n|[.!]\s|(?<=\?)\s", following.strip())[0]
        if sentence.endswith("?"):
            continue
        letter = leading_letter(following, loose=True) or bare_letter(sentence)
        named = set(_OPTION.findall(sentence)) or set(_BRACKETED.findall(sentence))
        if option := _WHICH_IS.search(sentence):
            return option.group(1), "answer:"
        _, but, correction = sentence.partition(" but ")
        if letter and but and letter not in correction:
            better = _IS_CORRECT.search(correction)
            if better:
                return better.group(1), "answer:"
            if _DENIES.search(correction):
                continue
        if letter:
            return letter, "answer:"
        if len(named) == 1 and not _DENIES.search(sentence):
            return named.pop(), "answer:"
        if len(mentions(sentence)) > 1 and not _DENIES.search(sentence):
            return "", "answer:"
    return None


def _said(part: str) -> tuple[str, str] | None:
    """The last "I choose B", "it must be B" or "so B"."""
    said: list[tuple[int, str]] = []
    for match in _SAYS.finditer(part):
        letter = leading_letter(part[match.end() : match.end() + 120], loose=True)
        if letter and is_meant(part, match.start()):
            said.append((match.start(), letter))
    said += [(match.start(), match.group(1)) for match in _THUS.finditer(part) if is_meant(part, match.start())]
    return (max(said)[1], "says") if said else None


def _called_correct(part: str) -> tuple[str, str] | None:
    """The one letter that is called correct."""
    correct = [match for match in _IS_CORRECT.finditer(part) if is_meant(part, match.start())]
    correct = correct or list(_LABELLED_CORRECT.finditer(part))
    return (correct[-1].group(1), "is correct") if len({match.group(1) for match in correct}) == 1 else None


def _placed(part: str) -> tuple[str, str] | None:
    """The letter that a text ends or begins with, unless it belongs to a list of the options."""
    lines = [line for line in part.splitlines() if line.strip()]
    if not lines:
        return None
    first, last = _BULLET.sub("", lines[0]), _BULLET.sub("", lines[-1])
    if letter := bare_letter(last):
        return letter, "last line"
    if letter := bare_letter(first) or bare_letter(re.sub(r"(?i)^\W*(?:option|choice)\s", "", first)):
        return letter, "first line"
    labels = {match.group(1) for match in _LABEL.finditer(part)} | {
        match.group(1) for match in _INLINE_LABEL.finditer(part)
    }
    if len(labels) <= 1 and not breaks_off(part) and not _REVIEW.search(part):
        for line, rule in ((first, "first line"), (last, "last line")):
            because = _BECAUSE.match(line)
            letter = because.group(1) if because else choice_letter(line) if len(line) < 200 else None
            if letter and (because or not _DENIES.search(line.split(". ")[0])):
                return letter, rule
    if breaks_off(part) or (len(labels) > 1 and _LABEL.match(last)):
        return None
    return _mentioned(last)


def _mentioned(line: str) -> tuple[str, str] | None:
    """The one option that the last sentence with an option names, if it neither denies nor asks."""
    said = sentences(line[-1000:])
    # What comes before a sentence that was never finished was only a step towards it.
    for sentence in reversed(said if _ENDED.search(line) else said[-1:]):
        named = set(_OPTION.findall(sentence))
        if not named and _PARENTHESISED.search(sentence):
            named = set(_BRACKETED.findall(sentence))
        elif not named and _CLOSING.search(". " + sentence):
            named = mentions(sentence)
        if (
            named and not _DENIES.search(sentence) and not supposes(sentence)
        ):  # "option B cannot be right" says what the answer is not
            return (named.pop(), "option") if len(named) == 1 else None
    return None
