"""What a phrase states as an answer: its value, without what explains, restricts or repeats it."""

import itertools
import re

from s1_tasks.answers.find.framing import sentences
from s1_tasks.answers.read.reading import answer_in_prose, is_formula, readings
from s1_tasks.answers.tree.nodes import Node, Number, Quantity

MAX_STATED_CHARS = 3_000
FIGURES = re.compile(r"[\d$]|\\[(\[]")
_QUALIFIER = re.compile(
    r"\s{0,3}[,;(]?\s{0,3}\b(?:because|since|as|which|so|when|after|due|given|where|i\.e\.|e\.g\.|that is|namely|"
    r"in other words|out of|(?:of|for)(?=\s(?:the\s)?\d))(?!\w)|"
    r"\s{0,3}[,;(]\s{0,3}(?:(?:and|but)\s)?not\b|\s(?:and|but) not\b|"
    r"\s{0,3}[,;]\s{0,3}or\b|\s{0,3}[,;—–]\s{0,3}(?:with|for|while|but|(?:and|plus)(?!\s?[-\d$\\(]|\s\w\s?=))\b|"
    r"\s{0,3}\(\s{0,3}mod\b|\s{1,3}\((?=[^()]{0,200}\)\W{0,3}$)",
    re.IGNORECASE,
)
_FORM = re.compile(r"\s{1,3}in\s(?:\w{1,12}\s){1,2}(?:notation|form)\W{0,3}$", re.IGNORECASE)
_NOT_BUT = re.compile(r"not\s[^,.;]{1,60}?,?\sbut(?:\srather)?\s", re.IGNORECASE)
_THAT_IS = re.compile(r"\b(?:i\.e\.|that is,|in other words,|namely,?)\s{1,3}", re.IGNORECASE)
CONSEQUENCE = re.compile(r"\b(?:so|then|thus|giving|hence|therefore)\b", re.IGNORECASE)
_SERIES = re.compile(r"\\(?:sum|prod|int|iint|lim|[lc]?dots)(?![a-zA-Z])|\.\.\.|…")
_FORMULA = re.compile(r"\$((?:\\.|[^$\\])+)\$|\\\((.+?)\\\)|\\\[(.+?)\\\]", re.DOTALL)
_RESULT = re.compile(r"\s{0,3}(\$?-?\d[\d,]*(?:\.\d+)?%?)(?=[\s.!]|$)")
_THERE = r"there\s(?:is|are)\s(?:exactly\s|only\s|a\stotal\sof\s)?"
_COUNTED = re.compile(
    rf"^\W{{0,4}}(?:(?:so|thus|hence|therefore),?\s{_THERE}(\d[\d,]*)(?=\s[a-z])|{_THERE}\$(\d[\d,]*)\$(?=\s[a-z]))"
    r"(?![^:.]{0,60}\b(?:and|or|to)\s\$?\d)",
    re.IGNORECASE,
)
_ASIDE = re.compile(
    r"\s\((?:namely|i\.e\.|e\.g\.|since|because|as|for|where|with|when|and)\b[^()]{0,200}\)(?=\W{0,3}$)", re.IGNORECASE
)
_EQUATED = re.compile(r"\$\s?=\s?\**([^$=*\n]{1,60})\**[.\s]*$")
"""$x + y$ = 12"""
_CLAUSE_START = re.compile(r"[,;]\s(?:and|so|then|thus)\s", re.IGNORECASE)
_LEAD_IN = re.compile(r"^[^\n]*[a-zA-Z*]\s?:\s(?=\S)")
_RELATION = (
    r"(?:\b(?:twice|half|double|triple|squares?|cubes?|root|multiples?|power|factors?)(?:\sof)?|"
    r"\b(?:less|fewer|more|greater|larger|smaller|higher|lower|other)\sthan|\bat\s(?:least|most)|"
    r"\b(?:divisible|divided|multiplied|increased|decreased|reduced)\sby|"
    r"\b(?:theorem|lemma|equation|formula|figure|table|step|case|part|rule|section|example|problem|question)|"
    r"(?:\bnot|n't|\bcannot|\bcould|\bmight|\bmay)(?:\sbe)?|[<>≤≥≠])"
)
_RELATED = re.compile(rf"{_RELATION}\s?[$(]{{0,2}}-?\d", re.IGNORECASE)
_RELATED_TO = re.compile(rf"{_RELATION}\s?[$(]{{0,2}}\s?$", re.IGNORECASE)
_CONNECTIVE = re.compile(
    r"^\W{0,4}(?:so|thus|hence|therefore|then),?\s(?:(?:we|this)\s(?:have|get|find|gives?)\s(?:that\s)?)?",
    re.IGNORECASE,
)
_PREMISE = re.compile(r"^\W{0,4}(?:since|because|as|when|if)\b[^,]{1,200},\s", re.IGNORECASE)
_CONCLUDING = re.compile(
    r"\b(?:so|thus|hence|therefore|consequently|total|altogether|giving|leaving|there (?:is|are)|"
    r"(?:we|this|which|that) (?:get|gives?|leaves?|makes?|means|simplifies|is))\b",
    re.IGNORECASE,
)
_BULLET = re.compile(r"(?:[-*•]|\d{1,2}[.)])[ \t]+(?=\S)")
_OPEN_DISPLAY = (("$$", "$$"), (r"\[", r"\]"), (r"\(", r"\)"), (r"\begin{", r"\end{"))
HOPE = re.compile(r"(?<!\s)\s*I hope (?:it|this) is correct[.!]?\s*$", re.IGNORECASE)
_EXCLAIMED = re.compile(r"(?<=\d)(?:\*\*)?!+\s*$")
_ONE_NUMBER = re.compile(r"(?<![\w.,])-?\$?\d[\d,]*(?:\.\d+)?%?(?!\w)")
_DENIAL = re.compile(r"\b(?:not|no|cannot|can't|isn't|never|neither|none|unknown|undetermined)\b", re.IGNORECASE)


def what_follows(rest: str, rule: str) -> str:
    """The answer that an announcement states: the rest of its line, or the next line or display; "" for none."""
    rest = rest[:MAX_STATED_CHARS]
    first = rest.lstrip(" \t\r\n*_`#>:}|")
    if "\n" in rest[: len(rest) - len(first)] and (listed := _bullets(first)):
        return listed
    if not first:
        return ""
    line = _line_with_display(first)
    stated = _tidy(sentences(HOPE.sub("", line))[0])
    if rule == "answer is" and "$" not in stated:
        stated = _EXCLAIMED.sub("", stated)
    value = value_in(stated)
    return "" if _is_related(stated, value) else value or stated


def _line_with_display(rest: str) -> str:
    line = rest.split("\n", 1)[0]
    for opening, closing in _OPEN_DISPLAY:
        start = line.rfind(opening)
        if start >= 0 and closing not in line[start + len(opening) :]:
            end = rest.find(closing, start + len(opening))
            if end >= 0:
                return rest[: rest.find("}", end) + 1] if opening == r"\begin{" else rest[: end + len(closing)]
    return line


def _bullets(rest: str) -> str:
    """The values of a list with bullets or numbers, as one list; a bullet is no minus."""
    values = []
    for line in rest.splitlines():
        bullet = _BULLET.match(line)
        if bullet is None:
            break
        value = value_in(_tidy(line[bullet.end() :]))
        if not value:
            break
        values.append(value)
    return " , ".join(values)


def value_in(stated: str, *, plain: bool = True) -> str:
    """The value that a phrase states, without what explains, restricts or repeats it; "" if it states only words.

    `plain`: the one number of a phrase may be its value without any other sign.
    """
    stated = _FORM.sub("", stated)
    if is_formula(stated):
        return _stated_once(stated)
    contrast = _NOT_BUT.match(stated)
    if contrast:
        return value_in(stated[contrast.end() :])
    phrase = stated
    for qualifier in itertools.islice(_QUALIFIER.finditer(stated), 8):
        before = stated[: qualifier.start()]
        if before and is_formula(before):
            return before.strip()
        if phrase == stated and before and (re.search(r"\d", before) or not re.search(r"\d", stated)):
            phrase = before
    again = _THAT_IS.search(stated)
    if again and is_formula(stated[again.end() :]):
        return stated[again.end() :]
    formulas = _FORMULA.findall(phrase)
    if len(formulas) == 1 and (result := result_of_series("".join(formulas[0]))):
        return result
    consequence = CONSEQUENCE.search(stated, 1)
    if consequence and FIGURES.search(stated, consequence.end()):
        phrase = stated[consequence.end() :]
    return _in_prose(phrase) or _calculated(phrase) or (only_number(phrase) if plain else "")


def _stated_once(stated: str) -> str:
    """1/2 of "1/2 or 0.5": an alternative of the same value is another way to write it."""
    parts = re.split(r",?\sor\s", stated)
    if len(parts) != 2:
        return stated
    first, second = (_without_unit(readings(part)[0]) for part in parts)
    same = isinstance(first, Number) and isinstance(second, Number) and first.value == second.value
    return parts[0] if same else stated


def _without_unit(node: Node) -> Node:
    return node.value if isinstance(node, Quantity) else node


def result_of_series(formula: str) -> str:
    r"""55 of `\sum_{k=1}^{10} k = 55` and of `1 + 2 + \dots + 10 = 55`; "" for other formulas."""
    calculation, equals, result = formula.rpartition("=")
    return result if equals and _SERIES.search(calculation) and is_formula(result) else ""


def _is_related(phrase: str, value: str) -> bool:
    """Whether a phrase only compares or relates to a value: "at most 5", "divisible by 5", "Theorem 5", "not 5"."""
    if not value or is_formula(phrase):
        return False
    inside = _RELATED.search(value) is not None and not is_formula(value)
    return inside or _RELATED_TO.search(phrase[: max(phrase.rfind(value), 0)]) is not None


def conclusion(sentence: str) -> str:
    """The value that a closing sentence states; a plain number counts only where a word says that it concludes."""
    value = _concluded(sentence)
    return "" if _is_related(sentence, value) else value


def _concluded(sentence: str) -> str:
    sentence = _ASIDE.sub("", _PREMISE.sub("", sentence))
    if "$" not in sentence:
        sentence = _EXCLAIMED.sub("", sentence)
    if counted := _COUNTED.search(sentence):
        return counted[1] or counted[2]
    inequality = _CONNECTIVE.sub("", sentence)
    if "=" not in inequality and re.search(r"[<>≤≥]", inequality) and is_formula(inequality):
        return inequality
    equated = _EQUATED.search(sentence)
    if equated and is_formula(equated[1]):
        return equated[1]
    if not _FORMULA.search(sentence):
        sentence = _LEAD_IN.sub("", sentence)
    elif answer := _in_prose(sentence):
        return answer
    concludes = _CONCLUDING.search(sentence) is not None
    sentence = sentence.strip().rstrip(" .!")
    clause = _CLAUSE_START.split(sentence)[-1]  # "so x - 9 = 31, and x = 40"
    found = value_in(sentence, plain=concludes) or _in_prose(sentence)
    return found or (clause if is_formula(clause) else "")


def _in_prose(phrase: str) -> str:
    """The answer in a phrase; its one formula rather than the words around it."""
    found = answer_in_prose(phrase) or ""
    formulas = ["".join(groups) for groups in _FORMULA.findall(phrase)]
    if len(formulas) == 1 and not is_formula(found) and is_formula(formulas[0]) and not _DENIAL.search(phrase):
        return formulas[0]
    return found


def _calculated(sentence: str) -> str:
    """The 18 of "She makes 9 * 2 = $18 a day.": the end of a calculation in plain figures."""
    calculation, equals, rest = sentence.rpartition("=")
    result = _RESULT.match(rest)
    if not equals or result is None or FIGURES.search(rest, result.end()):
        return ""
    before = calculation.rstrip(" 0123456789+*/x×÷.,$()%-")
    figures = calculation[len(before) :].strip()
    subject_is_a_name = before[-1:].isalpha() and not before[-2:-1].isalpha()
    return (
        ""
        if subject_is_a_name or not figures.lstrip("$(")[:1].isdigit() or before[-1:] in ("=", "\\", "^")
        else result.group(1)
    )


def only_number(phrase: str) -> str:
    """The one number in words that deny nothing; "" without it."""
    numbers = _ONE_NUMBER.findall(phrase)
    if len(numbers) != 1 or _DENIAL.search(phrase) or re.search(r"[$\\=<>^]", phrase.replace(numbers[0], "")):
        return ""
    return str(numbers[0])


def _tidy(line: str) -> str:
    line = line.strip().strip("*_`").strip()
    line = re.sub(
        r"^(?:(?:so|thus|hence|therefore),?\s)?(?:the\s)?(?:final\s)?answer(?:\sis)?\s?[:：]?\s?",
        "",
        line,
        flags=re.IGNORECASE,
    )
    line = line.rstrip(".|").strip()
    if line.endswith((")", "]", "}")) and line.count(line[-1]) == 1 and not any(opening in line for opening in "([{"):
        line = line[:-1]  # (Answer: 26)
    return line
