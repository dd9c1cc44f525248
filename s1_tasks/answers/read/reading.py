"""From an answer's text to what it can mean: usually one tree, sometimes two, or words.

Two readings exist where notation is ambiguous: `2,102` is a number or two of them, `a \\approx 3.99` is the exact or
the rounded side. A text that no reading fits is prose: the formula in it is looked for, else it is `Words`.
"""

import re
from functools import lru_cache

from s1_tasks.answers.read.grammar import parse
from s1_tasks.answers.read.normalise import clean, has_thousands, lists_no_numbers, merge_thousands, words_form
from s1_tasks.answers.read.numerals import number_in_words
from s1_tasks.answers.read.permutations import permuted, write_out
from s1_tasks.answers.read.phrases import in_symbols, list_in_words
from s1_tasks.answers.read.statements import read_parts, read_statement
from s1_tasks.answers.tree.nodes import (
    Based,
    Call,
    NamedSet,
    Node,
    Number,
    Relation,
    Sequence,
    Symbol,
    Unreadable,
    Words,
    integer,
    rewrite,
    symbols,
    walk,
)

MAX_ANSWER_CHARS = 10_000
"""A longer answer is unreadable: no benchmark asks for one."""

_PHRASES: dict[str, Node] = {
    **dict.fromkeys(
        ("no solution", "no solutions", "no real solution", "no real solutions", "empty set", "emptyset", "null set",
         "there is no solution", "there are no solutions", "there are no real solutions", "no such number exists"),
        NamedSet("empty"),
    ),
    **dict.fromkeys(
        ("all real numbers", "all reals", "all real", "real numbers", "set of all real numbers", "reals",
         "x is all real numbers",
         "set of real numbers", "every real number", "any real number", "all real numbers x"),
        NamedSet("reals"),
    ),
    **dict.fromkeys(("positive real numbers", "all positive real numbers", "set of positive real numbers",
                     "set of all positive real numbers", "all positive reals", "positive reals"), NamedSet("reals +")),
    **dict.fromkeys(("negative real numbers", "all negative real numbers", "set of negative real numbers"),
                    NamedSet("reals -")),
    **dict.fromkeys(("nonnegative real numbers", "all nonnegative real numbers", "non negative real numbers",
                     "all non negative real numbers", "set of nonnegative real numbers"), NamedSet("reals from 0")),
    **dict.fromkeys(("all integers", "set of all integers", "integers"), NamedSet("integers")),
    **dict.fromkeys(("dne", "does not exist", "limit does not exist", "it does not exist"), Words("does not exist")),
    **dict.fromkeys(("infinitely many", "infinite number", "infinite", "infinitely many solutions",
                     "infinite solutions", "infinitely many values"), Words("infinitely many")),
    **dict.fromkeys(("x axis", "horizontal axis"), Relation(("=",), (Symbol("y"), integer(0)))),
    "y axis": Relation(("=",), (Symbol("x"), integer(0))),
    "origin": Sequence((integer(0), integer(0)), "(", ")"),
    **dict.fromkeys(("yes", "true"), Words("yes")),
    **dict.fromkeys(("no", "false"), Words("no")),
}  # fmt: skip
_NO_ANSWERS = frozenset({"", "nan", "null", "answer", "unknown", "none given"})
_BASE = re.compile(
    r"\(?(-?)\s*([0-9A-F]+(?:\.[0-9A-F]+)?)\s*\)?\s*(?:_\s*\{?\s*(?:\\word\{)?(\d{1,2}|two|three|four|five|six|seven|eight|nine|ten|twelve|sixteen)"
    r"\}?\s*\}?|\(?(?:\\word\{)?\s*(?:in\s+)?base[\s-]*\}?\s*\$?(\d{1,2})\s*\)?)"
)
# Lower-case digits only where they cannot be a symbol with an index: two at least, base 16.
_HEXADECIMAL = re.compile(r"(?=\S*\d|\(?[a-f]{2})(\(?[0-9a-f]{2,}\)?)(?=\s*_\s*\{?\s*(?:1[1-6]\b|\\word\{sixteen))")
_DIGIT_LETTERS = re.compile(r"^\\word\{([A-F]{1,9})\}(?=\s*_)")
_BASE_NAMES = {"two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10,
               "twelve": 12, "sixteen": 16}  # fmt: skip
_COUNT = r"(?:\{(\d{1,6}|[a-z])\}|(\d{1,6}|[a-z]))"
_CHOICES = re.compile(rf"(?:\{{\}})?\s*[\^_]\s*{_COUNT}\s*C\s*_\s*{_COUNT}")
"""_5C_2 and ^5C_2"""
_ARRANGED = re.compile(r"(?<![a-zA-Z\\])([CA])_(?:\{(\d{1,3})\}|(\d))\^(?:\{(\d{1,3})\}|(\d))(?!\d)")
"""C_5^2 and A_5^2: choices and arrangements of 2 out of 5"""
_SOME = r"\s*(?:\{([a-z\d+\s-]{1,8})\}|([a-z\d]))"
_CHOSEN = re.compile(rf"(?<![a-zA-Z\\])C\s?_(?=\s*\{{?[\d+\s-]*[a-z]){_SOME}\s?\^{_SOME}(?!\w)")
"""C_n^k, which may also be a power of a constant"""
_CHOICES_OR_POINT = re.compile(
    r"\b(?:nCr\s*|C)\((\d{1,6}),\s*(\d{1,6})\)|(?<![\w.^_{])(\d{1,6})\s?C\s?(\d{1,6})(?![\w.])"
)
"""C(5, 2), which may also be a point, nCr(5, 2) and 5C2"""
_COMPARES = re.compile(r"\b(?:real|than|least|most)\b")
_ROMAN = re.compile(r"(?=[IVX]{2})X{0,3}(?:IX|IV|V?I{0,3})")
_ONE = re.compile(r"^a (?=(?:dozen|hundred|thousand|million|billion)\b)")
_RATIO = re.compile(r"(?<!\d)(\d{1,9})\s{1,3}(?:\\word\{)?to\}?\s{1,3}(\d{1,9})(?!\d)")
_OUTWARD = re.compile(
    r"(\])([^\[\]()]{1,80}[,;][^\[\]()]{1,80})([\[\]])|(?<!\S)(\[)([^\[\]()]{1,80}[,;][^\[\]()]{1,80})(\[)"
)
_INTEGER_DECLARATION = re.compile(
    r"(?:\s*[,;(]\s*|\s+|\})(?:(?:\\word\{)?\b(?:where|for|with|and)\b\}?\s*)?(?:(?:\\word\{)?(?:all|any|some|every|each)\}?\s*)?"
    r"([a-zA-Z](?:\s*,\s*[a-zA-Z])*)\s*(?:\\in\s*\\mathbb\{[ZN]\}(?:\s*[\^_]\s*(?:\{[^{}]*\}|\S))?|\\in\s*[ZN](?:\s*[\^_]\s*(?:\{[^{}]*\}|\S))?|"
    r"(?:(?:\\word\{)?(?:is|any|an|integer)\}?\s*)+)\s*\)?\s*$"
)
_FOR_ALL = re.compile(
    r"\s*,?\s*\\forall(?![a-zA-Z]).*$|"
    r"\s*,?\s*(?:\\word\{)?\b(?:for|where|with)\b\}?\s*(?:(?:\\word\{)?\b(?:all|any|every|some|each|integers?)\b\}?|[a-z]\s*\\).*$",
    re.DOTALL,
)
_NEGATION = re.compile(
    r"\b(?:not|no|cannot|can't|isn't|aren't|doesn't|never|without|none|unable|impossible|error)\b", re.IGNORECASE
)
_FORMULA = re.compile(r"(?<!\\)\$\$?(?=[^\s$])([^$]+?)(?<![\\\s])\$\$?(?!\d)|\\\((.+?)\\\)|\\\[(.+?)\\\]", re.DOTALL)
_CALCULUS = re.compile(r"\\(?:sum|prod|int|iint|lim)(?![a-zA-Z])")
_NUMERAL = re.compile(r"(?<![\w.,])\$?-?\d[\d,]*(?:\.\d+)?%?(?![\w])")
_CONCLUDES = re.compile(
    r"\b(?:therefore|thus|so|hence|there (?:are|is)|in total|altogether|consequently)\b", re.IGNORECASE
)
_WORD_FORMULA = re.compile(r"\\(?:text|textbf|mathrm|mbox)\{[a-zA-Z ]{3,40}\}")
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


@lru_cache(maxsize=20_000)
def readings(text: str) -> tuple[Node, ...]:
    """What `text` can mean, the likeliest first; never empty (prose is `Words`)."""
    if len(text) > MAX_ANSWER_CHARS:
        return (Words(""),)
    cleaned = clean(text)
    parts = read_parts(cleaned) if cleaned[:1] == "(" else None
    found = _parses(cleaned) if parts is None else (parts,)
    if found:
        return found
    if permuted(cleaned):
        return (Words(words_form(cleaned)),)  # too many to write out, and more than the one point that is written
    form = words_form(text) if len(text) < 2_000 else ""
    spelled = number_in_words(form.split())
    if spelled is not None:
        return (Number(spelled, divided=spelled.denominator > 1),)
    statement = read_statement(cleaned) if form not in _NO_ANSWERS else None
    if statement is not None:
        return (statement,)
    for candidate in _formulas_in_prose(text):
        found = _parses(clean(candidate))
        if found:
            return found
    if form in _NO_ANSWERS:
        return (Words(""),)
    return (_PHRASES.get(form) or Words((list_in_words(cleaned) if form else None) or form),)


def unreadable(found: tuple[Node, ...]) -> bool:
    """Whether a text had no reading at all (neither a formula nor words)."""
    return found == (Words(""),)


def needs_calculus(text: str) -> bool:
    """Whether a text holds a sum, product, integral or limit, which only the LaTeX parser of the workers reads."""
    return len(text) <= 500 and _CALCULUS.search(text) is not None


def _parses(cleaned: str) -> tuple[Node, ...]:
    if not cleaned or (len(cleaned) < 12 and cleaned.lower() in _NO_ANSWERS):
        return ()
    if described := permuted(cleaned):
        head, cyclic = described
        return tuple(filter(None, (write_out(tree, cyclic) for tree in _parses(head))))
    phrase = (
        _PHRASES.get(words_form(cleaned)) if len(cleaned) < 60 and cleaned[0].isalpha() | (cleaned[0] == "\\") else None
    )
    if phrase is not None:
        return (phrase,)
    in_words = in_symbols(cleaned) if " " in cleaned and _COMPARES.search(cleaned) else None
    cleaned = cleaned if in_words is None else in_words
    if _ROMAN.fullmatch(cleaned):
        return (Words(cleaned),)
    cleaned = _ONE.sub("", cleaned)
    cleaned = _HEXADECIMAL.sub(lambda digits: digits.group().upper(), cleaned, count=1)
    base = _BASE.fullmatch(_DIGIT_LETTERS.sub(r"\1", cleaned))
    if base is not None:
        sign, digits, subscript, spelled = base.groups()
        name = subscript or spelled
        return (Based(digits.lstrip("0") or "0", _BASE_NAMES.get(name) or int(name), bool(sign)),)
    if cleaned[0] == "<" and cleaned[-1] == ">":
        cleaned = rf"\langle {cleaned[1:-1]} \rangle"
    cleaned = _RATIO.sub(r"\1:\2", _OUTWARD.sub(_inward, cleaned))
    if "C" in cleaned:
        cleaned = _CHOICES.sub(_binomial, cleaned)
    if lists_no_numbers(cleaned):
        for inside in (False, True):
            cleaned = merge_thousands(cleaned, inside_brackets=inside)
    texts = [cleaned]
    if has_thousands(cleaned):
        texts = [
            merge_thousands(cleaned, inside_brackets=False),
            cleaned,
            merge_thousands(cleaned, inside_brackets=True),
        ]
    if len(cleaned) < 1_000:
        texts.insert(0, _INTEGER_DECLARATION.sub(lambda match: "}" if match.group()[0] == "}" else "", cleaned))
        texts.append(_FOR_ALL.sub("", cleaned))
        if "C" in cleaned:
            texts.insert(-1, _CHOICES_OR_POINT.sub(_binomial, cleaned))
        if "_" in cleaned:
            texts.insert(-1, _CHOSEN.sub(_binomial, _ARRANGED.sub(_arranged, cleaned)))
    found: list[Node] = []
    for text in dict.fromkeys(texts):
        if found and text is texts[-1]:
            break
        try:
            tree = parse(text)
        except Unreadable:
            continue
        for reading in (*_approximations(tree), *_all_equal(tree), *_common_logarithms(tree)):
            if reading not in found:
                found.append(reading)
    return tuple(found)


def _all_equal(tree: Node) -> list[Node]:
    """`x = y = z = 1` is also the point (1, 1, 1)."""
    if not isinstance(tree, Relation) or len(tree.sides) < 3 or set(tree.operators) != {"="}:
        return []
    if not all(isinstance(side, Symbol) for side in tree.sides[:-1]):
        return []
    return [Sequence(tree.sides[-1:] * (len(tree.sides) - 1), "(", ")")]


def _common_logarithms(tree: Node) -> list[Node]:
    """log without a base may mean base 10."""
    common = tree
    for part in set(walk(tree)):
        if isinstance(part, Call) and part.name == "log" and len(part.arguments) == 1:
            common = rewrite(common, part, Call("log", (part.arguments[0], integer(10))))
    return [] if common == tree else [common]


def _binomial(match: re.Match[str]) -> str:
    top, bottom = (group for group in match.groups() if group is not None)
    return rf"\binom{{{top}}}{{{bottom}}}"


def _arranged(match: re.Match[str]) -> str:
    kind, *groups = match.groups()
    count, chosen = (int(group) for group in groups if group is not None)
    if chosen > count:
        return match.group()
    return rf"\binom{{{count}}}{{{chosen}}}" + (f" * ({chosen})!" if kind == "A" else "")


def _inward(match: re.Match[str]) -> str:
    """]a, b[ is (a, b)"""
    opening, inside, closing = (group for group in match.groups() if group is not None)
    return ("[" if opening == "[" else "(") + inside + ("]" if closing == "]" else ")")


def _approximations(tree: Node) -> list[Node]:
    r"""`x = a \approx 3.99` means x = a, or x = 3.99."""
    if not isinstance(tree, Relation) or "~" not in tree.operators:
        return [tree]
    if set(tree.operators) - {"~", "="}:
        return [tree]
    first = tree.operators.index("~")
    equation = Relation(("=",) * len(tree.operators), tree.sides)
    if first == 0 and symbols(tree.sides[0]) - symbols(tree.sides[-1]):
        return [equation]  # x is about 3.99: the left side is what the value is of
    exact: Node = tree.sides[0] if first == 0 else Relation(tree.operators[:first], tree.sides[: first + 1])
    label = tree.sides[:1] if len(tree.sides) > 2 else ()
    rounded: Node = Relation(("=",), (*label, tree.sides[-1])) if label else tree.sides[-1]
    return [exact, rounded, equation]


def is_formula(text: str) -> bool:
    """Whether a whole text reads as one answer in notation."""
    return len(text) <= MAX_ANSWER_CHARS and bool(_parses(clean(text)))


def answer_in_prose(sentence: str) -> str | None:
    """The part of a sentence that is its answer, as written; None without one."""
    for candidate in _formulas_in_prose(sentence):
        cleaned = clean(candidate)
        if _parses(cleaned) or read_statement(cleaned) is not None or _WORD_FORMULA.fullmatch(candidate.strip()):
            return candidate.strip()
    return None


def _formulas_in_prose(text: str) -> list[str]:
    """Parts of a sentence that may be its answer, the likeliest first."""
    text = _BOLD_MARKS.sub(r"\1", text[-2000:])
    text = _TEXT_MARKUP.sub(r" \1 ", text) if "$" not in text and "\\(" not in text else text
    candidates = []
    matches = list(_FORMULA.finditer(text))
    formulas = [next(group for group in match.groups() if group) for match in matches]
    inside = [range(*match.span()) for match in matches]
    states = [
        match
        for match in _STATES.finditer(text)
        if not any(match.start() in span for span in inside)
        and ("=" not in match.group() or _ONE_LABEL.search(text, max(0, match.start() - 60), match.start()))
    ]
    start = states[-1].end() if states else 0
    stated = text[start:]
    run = len(matches)  # the formulas at the end that only "and", "or" and commas separate
    while run and matches[run - 1].start() >= start:
        after = matches[run].start() if run < len(matches) else len(text)
        if run < len(matches) and not _only_connectives(text[matches[run - 1].end() : after]):
            break
        run -= 1
    if len(formulas) - run > 1 and all(map(_NAMED_VALUE.fullmatch, formulas[run:])) and not _NEGATION.search(stated):
        candidates.append(" , ".join(formulas[run:]))
    if states:
        verbs = [match for match in states if "=" not in match.group()]
        if not matches and verbs and verbs[-1].end() < start:
            candidates.append(text[verbs[-1].end() :])  # "are x = 1 and x = 4": names belong to what is stated
        candidates.append(stated)
        following = [index for index, match in enumerate(matches) if match.start() >= start]
        if following and not _NEGATION.search(stated):
            between = text[matches[following[0]].end() : matches[-1].start()]
            concluded = _words_after(text, matches[-1].end()) <= 3 and _GOES_ON.search(between)
            candidates.append(formulas[-1 if concluded else following[0]])
    if _NEGATION.search(text):
        return candidates
    subject = _IS_THE_ANSWER.match(text)
    if subject:
        candidates.insert(0, subject.group(1))
    if _ASIDE.search(text):
        candidates.append(_ASIDE.sub("", text))  # 5 (approximately)
    if formulas and (len(formulas) == 1 or _words_after(text, matches[-1].end()) <= 3):
        candidates.append(formulas[-1])
    numbers = _NUMERAL.findall(text)
    if not formulas and len(numbers) == 1 and _CONCLUDES.search(text):
        candidates.append(numbers[0])
    return candidates


def emphasised(sentence: str) -> str:
    """The only words in bold of a sentence that denies nothing; "" without one."""
    bold = _BOLD.findall(sentence)
    return "" if len(bold) != 1 or _NEGATION.search(sentence) else bold[0].strip()


def _words_after(text: str, position: int) -> int:
    return len(re.findall(r"[a-zA-Z]+", text[position:]))


def _only_connectives(text: str) -> bool:
    """Whether nothing but "and", "or" and punctuation stands between the formulas of a text."""
    return all(word in ("and", "or") for word in re.findall(r"[a-zA-Z]+", text))
