"""The parts of a sentence that may be its answer: formulas, what a verb states, the one number of a conclusion."""

import re
from dataclasses import dataclass

from s1_tasks.answers.tree.units import changes_before, changes_behind

MAX_SENTENCE_CHARS = 2_000
"""Longer prose is looked at from its end only."""

_NEGATION = re.compile(
    r"\b(?:not|no|cannot|can't|isn't|aren't|doesn't|never|without|none|unable|impossible|error)\b", re.IGNORECASE
)
_FORMULA = re.compile(r"(?<!\\)\$\$?(?=[^\s$])([^$]+?)(?<![\\\s])\$\$?(?!\d)|\\\((.+?)\\\)|\\\[(.+?)\\\]", re.DOTALL)
_NUMERAL = re.compile(r"(?<![\w.,])\$?-?\d[\d,]*(?:\.\d+)?%?(?![\w])")
_CONCLUDES = re.compile(
    r"\b(?:therefore|thus|so|hence|there (?:are|is)|in total|altogether|consequently)\b", re.IGNORECASE
)
_GOES_ON = re.compile(r"\b(?:so|then|thus|therefore|hence|implies|have|get|find|gives|yields|obtain)\b", re.IGNORECASE)
_NAMED_VALUE = re.compile(r"[^=]*|\s*\\?[a-zA-Z]+(?:_\{?\w+\}?)?\s*=[^=]*")
_TEXT_MARKUP = re.compile(r"\\(?:text|textbf|mbox|mathrm|textrm)\{([^{}]*)\}")
_BOLD_MARKS = re.compile(r"(?<![\w)*])\*\*(?=[^\s*])([^*\n]{1,80})\*\*(?![\w(*])")
_BOLD = re.compile(r"\*\*([^*\n]{1,60}?)(?<!:)\*\*(?!:)")
_IS_THE_ANSWER = re.compile(
    r"^\W{0,4}(?:(?:so|thus|hence|therefore|then|and)\b,?\s+)?(.{1,80}?)\s+is\s+(?:the|our|my)\s+"
    r"(?:final\s+|correct\s+|required\s+)?answer\W*$",
    re.IGNORECASE,
)
_ONE_LABEL = re.compile(
    r"(?:^|[,;:.]|(?<![a-zA-Z])(?!(?:when|if|at|for|since|where|with|because|as|let|that)\b)[a-zA-Z]{2,})\s{0,3}"
    r"(?:\b[a-zA-Z](?:_\{?\w{1,3}\}?)?(?:\([^()=<>]{1,20}\))?|(?<=[a-zA-Z]{2}))\s{0,3}\Z"
)
"""What may stand before an equals sign that states a value: one name, and no rest of an equation or a condition."""
_ASIDE = re.compile(r"\s*\(\s*[a-zA-Z]{3}[a-zA-Z ,.'-]*\)\s*$")
_STATES = re.compile(
    r"(?:\b(?:it|that)'s\b|\bis\b|\bare\b|\bequals?\b|\bbe\b|(?<!\d)(?<!\d\s):|\bgiv(?:es?|ing)\b|(?<![<>!=])=(?!=))\s*",
    re.IGNORECASE,
)


_WORDS = re.compile(r"[a-zA-Z]+")
_LAST_PHRASE = re.compile(
    r"[.,;:=$]|\b(?:is|are|was|be|equals?|gives?|gets?|have|has|find|obtain|yields?)\b", re.IGNORECASE
)
_NEXT_WORD = re.compile(r"[\s*_}]{0,3}([a-zA-Z]+)")
_NEAR = 60
_WORDS_BEFORE = 3


@dataclass(frozen=True, slots=True)
class _Sentence:
    """A sentence, its formulas, and where what it states begins."""

    text: str
    formulas: list[re.Match[str]]
    states: list[re.Match[str]]

    @property
    def start(self) -> int:
        return self.states[-1].end() if self.states else 0

    @property
    def stated(self) -> str:
        return self.text[self.start :]

    def stands_alone(self, part: re.Match[str]) -> bool:
        return _stands_alone(self.text, part.start(), part.end())

    @property
    def ends_in_formula(self) -> bool:
        return _words_after(self.text, self.formulas[-1].end()) <= 3


def candidates(text: str) -> list[str]:
    """Parts of a sentence that may be its answer, the likeliest first."""
    text = _BOLD_MARKS.sub(r"\1", text[-MAX_SENTENCE_CHARS:])
    text = _TEXT_MARKUP.sub(r" \1 ", text) if "$" not in text and "\\(" not in text else text
    formulas = list(_FORMULA.finditer(text))
    sentence = _Sentence(text, formulas, _statements(text, formulas))
    found = [*_listed(sentence), *_stated(sentence)]
    if _NEGATION.search(text):
        return found
    subject = _IS_THE_ANSWER.match(text)
    return [*([subject.group(1)] if subject else []), *found, *_at_last(sentence)]


def emphasised(sentence: str) -> str:
    """The only words in bold of a sentence that denies nothing; "" without one."""
    bold = _BOLD.findall(sentence)
    return "" if len(bold) != 1 or _NEGATION.search(sentence) else bold[0].strip()


def _statements(text: str, formulas: list[re.Match[str]]) -> list[re.Match[str]]:
    """Verbs and signs outside formulas behind which a value is stated."""
    inside = [range(*match.span()) for match in formulas]
    return [
        match
        for match in _STATES.finditer(text)
        if not any(match.start() in span for span in inside)
        and ("=" not in match.group() or _ONE_LABEL.search(text, max(0, match.start() - 60), match.start()))
    ]


def _stands_alone(text: str, start: int, end: int) -> bool:
    """Whether no word beside a value makes another one of it: "half of $5$", "$5$ squared", "multiples of $3$"."""
    before = _WORDS.findall(_LAST_PHRASE.split(text[max(0, start - _NEAR) : start])[-1])
    behind = _NEXT_WORD.match(text, end)
    if behind is not None and changes_behind(behind[1].lower()):
        return False
    return not any(changes_before(word.lower()) for word in before[-_WORDS_BEFORE:])


def _content(formula: re.Match[str]) -> str:
    return next(group for group in formula.groups() if group)


def _listed(sentence: _Sentence) -> list[str]:
    """The formulas at the end that only "and", "or" and commas separate, as one list."""
    formulas, start = sentence.formulas, sentence.start
    run = len(formulas)
    while run and formulas[run - 1].start() >= start:
        if run < len(formulas) and not _only_connectives(
            sentence.text[formulas[run - 1].end() : formulas[run].start()]
        ):
            break
        run -= 1
    listed = [_content(formula) for formula in formulas[run:]]
    if len(listed) > 1 and all(map(_NAMED_VALUE.fullmatch, listed)) and not _NEGATION.search(sentence.stated):
        return [" , ".join(listed)]
    return []


def _stated(sentence: _Sentence) -> list[str]:
    """What follows the last verb, and the formula in it."""
    if not sentence.states:
        return []
    text, start, formulas = sentence.text, sentence.start, sentence.formulas
    verbs = [match for match in sentence.states if "=" not in match.group()]
    found = [sentence.stated]
    if not formulas and verbs and verbs[-1].end() < start:
        found.insert(0, text[verbs[-1].end() :])  # "are x = 1 and x = 4": names belong to what is stated
    following = [match for match in formulas if match.start() >= start and sentence.stands_alone(match)]
    if following and not _NEGATION.search(sentence.stated):
        between = text[following[0].end() : formulas[-1].start()]
        concluded = sentence.ends_in_formula and _GOES_ON.search(between)
        found.append(_content(formulas[-1] if concluded else following[0]))
    return found


def _at_last(sentence: _Sentence) -> list[str]:
    """A value without its aside, the last formula, the one number of a conclusion."""
    text, formulas = sentence.text, sentence.formulas
    found = []
    if _ASIDE.search(text):
        found.append(_ASIDE.sub("", text))  # 5 (approximately)
    if formulas and sentence.stands_alone(formulas[-1]) and (len(formulas) == 1 or sentence.ends_in_formula):
        found.append(_content(formulas[-1]))
    numbers = list(_NUMERAL.finditer(text))
    if not formulas and len(numbers) == 1 and _CONCLUDES.search(text) and sentence.stands_alone(numbers[0]):
        found.append(numbers[0].group())
    return found


def _words_after(text: str, position: int) -> int:
    return len(re.findall(r"[a-zA-Z]+", text[position:]))


def _only_connectives(text: str) -> bool:
    """Whether nothing but "and", "or" and punctuation stands between the formulas of a text."""
    return all(word in ("and", "or") for word in re.findall(r"[a-zA-Z]+", text))
