"""Where a text announces its answer: "Answer:", "the answer is", "#### 5"; and whether it means what it announces."""

import re
from dataclasses import dataclass

from s1_tasks.answers.find.framing import COMMENT, sentences
from s1_tasks.answers.find.stated import CONSEQUENCE, FIGURES, MAX_STATED_CHARS
from s1_tasks.answers.read.reading import is_formula

_GAP = r"[\s*_`#]{0,8}"
_NOUN = r"(?<![a-zA-Z])(?P<noun>answers?|ans|results?|solutions?)(?![a-zA-Z])"
COLON = re.compile(
    rf"(?P<final>final\s)?{_NOUN}(?:\sfor\s[^:.\n]{{1,30}})?{_GAP}(?:\([^()\n]{{0,40}}\){_GAP})?(?:is|are)?{_GAP}"
    rf"(?:[:：]|[—–](?=\s)|(?<=ans)\.(?=\s?[-\d$\\])|\|){_GAP}|"
    r"^A:[ \t]+(?=[^\n]*\Z)",
    re.IGNORECASE | re.MULTILINE,
)
IS = re.compile(
    rf"(?P<final>final\s)?(?P<noun>answer|result|solution)(?:\s(?:to|for|of)\s[^.:\n]{{0,80}}?)?\s{{1,3}}"
    rf"(?:is|are|equals|(?:should|must|will|(?:has|turns\sout|comes\sout|appears|seems)\sto)\sbe){_GAP}"
    rf"(?:simply|just|thus|then|therefore)?{_GAP}[:：]?",
    re.IGNORECASE,
)
_HASHES = re.compile(r"^####[ \t]", re.MULTILINE)
_HEADING = re.compile(
    r"^[ \t#*_>-]{0,8}(?:the\s)?(?:final\s)?answer[ \t*_:.]{0,8}$(?:\n[-=]{3,40}$)?", re.IGNORECASE | re.MULTILINE
)
_SUPPOSED = re.compile(
    r"\b(?:if|whether|suppose|assum(?:e|ing)|unless|(?:do|does|did)(?:n't| not)|not (?:true|clear|sure|the case)|doubt|"
    r"wrong|incorrect|impossible|problem says|told|"
    r"(?:might|could|would) (?:be|think|say|expect|guess|conclude|have|pick|choose))\b",
    re.IGNORECASE,
)
_CHECKED = re.compile(
    r"\b(?:check|verify|confirm)(?:s|ing)?\s(?:that\s|whether\s|if\s)?(?:(?:the|this|that|our|my)\s)?(?:final\s)?$",
    re.IGNORECASE,
)
_ANEW = re.compile(r"\b(?:so|thus|hence|therefore|but|actually|and)\b|[;:!?]|\.\s", re.IGNORECASE)
_OF_ANOTHER = re.compile(
    r"\b(?:first|second|third|previous|initial|intermediate|partial|other|another|wrong|incorrect|tempting|mistaken|"
    r"resulting|each|every|all|both|these|those|following|remaining|no|not)\s{1,3}$",
    re.IGNORECASE,
)
_STEP_END = re.compile(r"[.?!]\s|\n")
_EXPLAINS = re.compile(r"\W{0,4}(?:which|where|for|with|note|here)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Claim:
    """A place where an answer is announced: where it starts and ends, by which rule, and how binding it is."""

    start: int
    end: int
    rule: str
    weak: bool = False
    """"the result is" and "the solution is" also announce steps on the way."""


def claims(part: str) -> list[Claim]:
    """Every announcement of an answer, in order."""
    found = [Claim(match.start(), match.end(), "heading") for match in _HEADING.finditer(part)]
    found += [Claim(match.start(), match.end(), "heading") for match in _HASHES.finditer(part) if _ends_in(part, match)]
    for rule, pattern in (("answer:", COLON), ("answer is", IS)):
        for match in pattern.finditer(part):
            noun = (match["noun"] or "answer").lower()
            weak = noun[:3] == "sol" or (noun[:3] == "res" and not match["final"])
            end = match.start() + len(match.group().rstrip())
            found.append(Claim(match.start(), end, rule, weak))
    return sorted(found, key=lambda claim: claim.end)


def _ends_in(part: str, hashes: re.Match[str]) -> bool:
    """Whether "####" announces a value, as in GSM8K, and is no heading of Markdown."""
    line, _, rest = part[hashes.end() :].partition("\n")
    return is_formula(line) or not rest.strip()


def is_meant(part: str, start: int) -> bool:
    """Whether what begins at `start` is asserted: no condition, no check, no denial, no quotation stands before it."""
    before = part[max(0, start - 200) : start]
    sentence = sentences(before)[-1].rsplit("\n", 1)[-1]
    if _OF_ANOTHER.search(sentence):
        return False
    anew = [match.end() for match in _ANEW.finditer(sentence)]
    return not _CHECKED.search(sentence) and not _SUPPOSED.search(sentence, anew[-1] if anew else 0)


def goes_on(part: str, claim: Claim) -> bool:
    """Whether figures follow the sentence of a claim, or a consequence in it: then it was a step on the way."""
    rest = part[claim.end : claim.end + MAX_STATED_CHARS].lstrip(" \t\r\n*_`")
    first, *later = _STEP_END.split(rest)
    consequence = CONSEQUENCE.search(first)
    if consequence and FIGURES.search(first, consequence.end()):
        return True
    return any(FIGURES.search(step) and not _EXPLAINS.match(step) for step in later)


def is_statement(rest: str) -> bool:
    """Whether what follows "the answer is" states it, instead of saying something about it or asking."""
    rest = rest[:200].lstrip(" \n*_`")
    return COMMENT.match(rest) is None and not sentences(rest.split("\n", 1)[0])[0].rstrip().endswith("?")
