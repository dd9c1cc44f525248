r"""What a choice letter looks like: (B), B., \textbf{(B)}, "B) 5 V", "option B"."""

import re
import unicodedata

LETTERS = "A-J"
_WRAP = r"(?:\\(?:text|textbf|mathrm|mathbf|textrm|textit|mbox|bf|rm|boldsymbol|mathcal|mathsf)\s?)?"
OPEN = r"[\s*_$`\"'({\[\\,:]{0,12}"
_NOUN = r"(?:(?i:option|choice|answer|letter|statement)\s{1,3})?"
_WHOLE = re.compile(rf"{OPEN}{_WRAP}{OPEN}{_WRAP}{OPEN}([{LETTERS}a-j])[\s*_$`\"')}}\]\\,.:;!]{{0,12}}")
_PRIMED = re.compile(rf"[^\w']{{0,12}}[{LETTERS}a-j]'")
"""A' is a point beside A; 'A' is a letter in quotes."""
_LED = re.compile(
    rf"{OPEN}{_WRAP}{OPEN}{_WRAP}{OPEN}{_NOUN}{OPEN}([{LETTERS}])"
    rf"(?:[)\].:}}*_$`\"'\\]{{1,12}}(?=\s|$|[^\w])|\s{{1,3}}(?=[-–—(:])|(?=\s*$))",
)
_LED_SMALL = re.compile(rf"{OPEN}{_NOUN}{OPEN}([a-h])\)(?=\W|$)")
_FILLERS = re.compile(
    rf"{OPEN}(?:(?i:for sure|therefore|thus|clearly|definitely|probably|(?:most\s)?likely|then|hence|indeed|"
    rf"simply|obviously|option|choice|letter|statement|answer)\b[\s,*_:]{{1,3}}){{1,2}}"
)
_FOLLOWED = re.compile(
    rf"{OPEN}{_WRAP}{OPEN}(?:"
    rf"([B-HJ]|[A-J](?=\s\$|\s\d))(?![\w'])(?!\s{{0,3}}[=+/^<>])(?=[^\w\s]|\s[\w($\\]|\s*$|\s*\n)|"
    rf"([AI])(?![\w'])(?=[).,;!*}}$\]]|\s*$|\s*\n|"
    rf"\s(?:because|since|as|for|which|due|with|but|and|not|is|would|by|over|here)\b))"
)
"""A and I may be words: what follows tells."""
_SPACES = re.compile(r"\\[;,:! ]|\\q?quad(?![a-zA-Z])|~|\\(?:large|Large|LARGE|huge|Huge|displaystyle)(?![a-zA-Z])")
_ALSO = rf"[({{*$]{{0,3}}[{LETTERS}](?![\w'])"
_CLAUSE = r"[)*]{0,3}\s(?:is|was|has|does|would|can|cannot)(?:n't)?\b"
_CLAUSES = r"[)*]{0,3}\s(?:both\s|all\s)?(?:is|are|were|have|do|can|cannot|would)\b"
_CLOSED = r"[)\]}*_.$]{0,4}\s{0,2}"
_ANOTHER = re.compile(
    rf"{_CLOSED}(?:(?:(?:(?i:and|or)\b|&|/)\s{{0,2}}{_ALSO}|,\s{{0,2}}(?:(?i:and|or)\s)?{_ALSO}(?!{_CLAUSE}))|"
    rf";\s{{0,2}}(?:(?i:and|or)\s)?{_ALSO}(?!(?:(?:,|\s(?:and|or)|,\s(?:and|or))\s{_ALSO}){{0,8}}+{_CLAUSES}))"
)
_SUBJECT = re.compile(
    r"[)\]}*_.$]{0,4}\s(?:is|was|are|has|have|would|can|cannot|could|does|must|says|gives|implies|states)(?:n't)?\b"
    r"(?!\s(?:the|my)?\s?(?:most\s|only\s)?(?:correct|right|best|answer|true|closest|one|likely))"
)
_MENTION = re.compile(rf"(?<![\w'])(\(?)([{LETTERS}])(?![\w'])(?:(?!\s[a-z])|(?=\s(?:and|or|is|was)\b))")
_QUOTES = str.maketrans("“”‘’", "\"\"''")
_SMALL = re.compile(
    r"(?<![\w'])(?:(?<=[Oo]ption )|(?<=[Cc]hoice )|(?<=statement )|(?<=letter ))[a-h](?=\W|$)|"
    r"(?:(?<=^\()|(?<=[\s:*$]\())[a-h](?=\))"
)


def plain(text: str) -> str:
    """`text` with full-width letters and quotes as ASCII, "option b" as a capital, and without TeX spaces and sizes."""
    text = text if text.isascii() else unicodedata.normalize("NFKC", text).translate(_QUOTES)
    text = _SPACES.sub(" ", text) if "\\" in text or "~" in text else text
    return _SMALL.sub(lambda letter: letter.group().upper(), text)


def mentions(text: str) -> set[str]:
    """The letters that a text names; "I" and an article are none."""
    return {match[2] for match in _MENTION.finditer(text) if match[1] or match[2] != "I"}


def choice_letter(text: str) -> str | None:
    """The letter of an answer that is nothing but a choice: `B`, `(B)`, `\\text{(B) }`, `B.`, `(B) 12`, `b) 12`."""
    text = plain(text.strip())
    if _PRIMED.match(text):
        return None
    return bare_letter(text) or leading_letter(text)


def bare_letter(text: str) -> str | None:
    """The letter of a text that holds nothing else."""
    whole = _WHOLE.fullmatch(text.strip()) if len(text) < 100 else None
    return whole.group(1).upper() if whole else None


def leading_letter(text: str, *, loose: bool = False) -> str | None:
    """The letter that a text begins with; `loose` also reads "definitely D, it cannot be A" and "B because ..."."""
    if loose and (fillers := _FILLERS.match(text)) and (letter := leading_letter(text[fillers.end() :], loose=True)):
        return letter
    led = _LED.match(text) or _LED_SMALL.match(text)
    if led is None and loose:
        led = _FOLLOWED.match(text)
    if led is None or led.lastindex is None:
        return None
    end = led.end(led.lastindex)
    if _ANOTHER.match(text, end) or (loose and _SUBJECT.match(text, end)):
        return None
    return led.group(led.lastindex).upper()


def is_choice(reference: str) -> bool:
    """Whether a gold answer is a bare choice letter."""
    letter = reference.strip()
    whole = len(reference) < 40 and _WHOLE.fullmatch(letter) is not None
    return whole and not letter.islower() and not _PRIMED.match(letter)
