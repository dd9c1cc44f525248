r"""Choice letters: (B), B., \textbf{(B)}, "option B", "the answer is B" and the other shapes models use.

A text that names several letters as its answer ("A, B, C, D") has none.
"""

import re

from s1_tasks.answers.boxes import boxes

LETTERS = "A-J"
_WRAP = r"(?:\\(?:text|textbf|mathrm|mathbf|textrm|textit|mbox|bf|rm|boldsymbol|mathcal|mathsf)\s?)?"
_OPEN = r"[\s*_$`\"'({\[\\,:]{0,12}"
_WHOLE = re.compile(rf"{_OPEN}{_WRAP}{_OPEN}{_WRAP}{_OPEN}([{LETTERS}a-j])[\s*_$`\"')}}\]\\,.:;!]{{0,12}}")
_LED = re.compile(
    rf"{_OPEN}{_WRAP}{_OPEN}{_WRAP}{_OPEN}(?:(?:option|choice|answer)\s{{1,3}})?{_OPEN}([{LETTERS}])"
    rf"(?:[)\].:}}*_$`\"'\\]{{1,12}}(?=\s|$|[^\w])|\s{{1,3}}(?=[-–—=(:])|(?=\s*$))",
)
_FOLLOWED = re.compile(
    rf"{_OPEN}(?:(?:for sure|therefore|thus|clearly|definitely|probably|(?:most\s)?likely|then|hence|indeed|"
    rf"simply|obviously|option|choice|letter)[\s,]{{1,3}}){{0,2}}{_OPEN}{_WRAP}{_OPEN}(?:([B-HJ])\b(?=[^\w\s]|\s[a-z(]|\s*$)|"
    rf"([AI])\b(?=[).,*}}$\]]|\s*$|\s(?:because|since|as|for|which|due|with|but|and|not|is|would|by)\b))",
    re.IGNORECASE,
)
_MARKER = re.compile(
    r"(?:(?:final|correct|best|right)[\s*_]{1,4})?"
    r"(?:answer|option|choice|solution|statement|letter|response|conclusion|alternative|selection)[\s*_]{0,6}"
    r"(?:(?:to|for)\s(?:the|this)\s(?:question|problem)[\s*_]{0,4})?(?:is\b(?!n't)|are|would\sbe|must\sbe|should\sbe|=|:|：|[-–—]\s)[\s*_]{0,6}[:：]?",
    re.IGNORECASE,
)
_SAYS = re.compile(
    r"(?:\bit(?:'s| is| must be| should be)|\bI (?:choose|pick|select)|\bI(?:'d| would) (?:say|choose|pick|go with)|"
    r"\bI go with|\bcorrect:)\s{0,3}",
    re.IGNORECASE,
)
_OPTION = re.compile(rf"\b(?:option|choice|answer)[\s*_]{{0,4}}\(?([{LETTERS}])\b\)?", re.IGNORECASE)
_IS_CORRECT = re.compile(
    rf"(?<![\w'])\(?([{LETTERS}])\)?[)}}*_$]{{0,6}}\s(?:is|must\sbe|seems|appears)\s(?:the\s)?(?:most\s|only\s)?"
    r"(?:correct|right|best|true|answer|appropriate|valid)\b"
)
_MENTION = re.compile(rf"(?<![\w'])\(?([{LETTERS}])\)?(?![\w'])")
_PARENTHESISED = re.compile(rf"(?:^|[^\w\\])\(([{LETTERS}])\)(?!\w)")
_DENIES = re.compile(
    r"\b(?:not|cannot|can't|isn't|never|neither|nor|wrong|incorrect|false|impossible|eliminated?|excluded?|unless|"
    r"ruled?\sout)\b",
    re.IGNORECASE,
)
_ANOTHER = re.compile(
    rf"[)\]}}*_.$]{{0,4}}\s{{0,2}}(?:,|and|or|&|/|;)\s{{0,2}}(?:and\s|or\s)?[({{*$]{{0,3}}[{LETTERS}](?![\w'])",
    re.IGNORECASE,
)


def choice_letter(text: str) -> str | None:
    """The letter of an answer that is nothing but a choice: `B`, `(B)`, `\\text{(B) }`, `B.`, `(B) 12`."""
    text = text.strip()
    whole = _WHOLE.fullmatch(text)
    if whole:
        return whole.group(1).upper()
    return _leading(text)


def _leading(text: str, *, loose: bool = False) -> str | None:
    """The letter that a text begins with; `loose` also reads "definitely D, it cannot be A" and "B because ..."."""
    led = _LED.match(text)
    if led is None and loose:
        led = _FOLLOWED.match(text)
    if led is None or led.lastindex is None or _ANOTHER.match(text, led.end(led.lastindex)):
        return None
    letter: str = led.group(led.lastindex)
    return letter if letter.isupper() else None


def is_choice(reference: str) -> bool:
    """Whether a gold answer is a bare choice letter."""
    return len(reference) < 40 and _WHOLE.fullmatch(reference.strip()) is not None and not reference.strip().islower()


def find_choice(part: str) -> tuple[str, str] | None:
    """(letter, rule) from the final part of a model's text, or None."""
    for content, _, _ in reversed(boxes(part)):
        letter = choice_letter(content)
        if letter:
            return letter, "boxed"
        mentioned = {match.group(1) for match in _MENTION.finditer(content)}
        if len(mentioned) > 1:
            return None
        break
    whole = _WHOLE.fullmatch(part.strip()) if len(part) < 100 else None
    if whole:
        return whole.group(1).upper(), "whole text"
    for rule, pattern in (("answer:", _MARKER), ("says", _SAYS)):
        for match in reversed(list(pattern.finditer(part))):
            following = part[match.end() : match.end() + 120]
            letter = _leading(following, loose=True)
            if letter:
                return letter, rule
            sentence = re.split(r"\n|[.!?]\s", following.strip())[0]
            short = _WHOLE.fullmatch(sentence)
            if short:
                return short.group(1).upper(), rule
            if rule == "answer:" and len({m.group(1) for m in _MENTION.finditer(sentence)}) > 1:
                return None
    correct = _IS_CORRECT.findall(part)
    if correct:
        return correct[-1], "is correct"
    return _last_mention(part)


def _last_mention(part: str) -> tuple[str, str] | None:
    lines = [line for line in part.splitlines() if line.strip()]
    if not lines:
        return None
    last = lines[-1]
    letter = choice_letter(last) if len(last) < 200 else None
    if letter:
        return letter, "last line"
    for rule, pattern in (("option", _OPTION), ("parentheses", _PARENTHESISED)):
        sentences = re.split(r"(?<=[.!?])\s+", last[-1000:])
        for sentence in reversed(sentences):
            letters = {match.group(1).upper() for match in pattern.finditer(sentence)}
            if letters and _DENIES.search(sentence):  # "option B cannot be right" says what the answer is not
                continue
            if len(letters) == 1:
                return letters.pop(), rule
            if letters:
                return None
    return None
