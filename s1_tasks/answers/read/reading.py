"""From an answer's text to what it can mean: usually one tree, sometimes two, or words.

Two readings exist where notation is ambiguous: `2,102` is a number or two of them, `a \\approx 3.99` is the exact or
the rounded side. A text that no reading fits is prose: the formula in it is looked for, else it is `Words`.
"""

import re
from functools import lru_cache

from s1_tasks.answers.read.arithmetic import with_signs
from s1_tasks.answers.read.bases import based_number
from s1_tasks.answers.read.clean import (
    clean,
    form_of_words,
    has_thousands,
    lists_no_numbers,
    merge_thousands,
    words_form,
)
from s1_tasks.answers.read.english import in_symbols, list_in_words, number_in_words
from s1_tasks.answers.read.mending import mended
from s1_tasks.answers.read.parser import Parser
from s1_tasks.answers.read.permutations import permuted, write_out
from s1_tasks.answers.read.prose import candidates
from s1_tasks.answers.read.statements import read_parts, read_statement
from s1_tasks.answers.read.tokens import tokenise
from s1_tasks.answers.tree.nodes import (
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

MAX_WORDS_CHARS = 2_000
"""A longer text is no answer in words."""
MAX_DECLARED_CHARS = 1_000
"""Declarations such as "for k in Z" are looked for in shorter texts."""

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
_WORDS = ("\\word", "\\emptyset")
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
_CHOICE_LABEL = re.compile(
    r"\s*(?:\\(?:text|textbf|textrm|textit|textsf|mathrm|mathbf|mbox|bf|boldsymbol)\s*\{?\s*){0,3}"
    r"(?:(?:[Oo]ption|[Cc]hoice|[Aa]nswer)\s+)?"
    r"(?:(?P<bracketed>\(\s*(?:\\text\s*\{\s*)?[A-J]\s*\}?\s*\))|[A-J]\s?[.):](?=[\s~}\\$])|(?<=\{)[A-J](?=\}))"
    r"[.:]?(?:[\s~}*]|\\[,;:! ]|\\q?quad(?![a-zA-Z]))*"
)
_OPERATORS = frozenset("+*/=<>^_,;:)")
_CALCULUS = re.compile(r"\\(?:sum|prod|int|iint|lim)(?![a-zA-Z])")

_IN_WORDS = frozenset({"word", "name"})
"""Kinds of tokens that words of arithmetic may be."""


@lru_cache(maxsize=20_000)
def readings(text: str) -> tuple[Node, ...]:
    """What `text` can mean, the likeliest first; never empty (prose is `Words`)."""
    if len(text) > MAX_ANSWER_CHARS:
        return (Words(""),)
    cleaned = clean(text)
    parts = read_parts(cleaned) if cleaned[:1] == "(" else None
    if parts is not None:
        return (parts,)
    return _parses(cleaned) or _parses(clean(mended(text))) or _in_prose(text, cleaned)


def _in_prose(text: str, cleaned: str) -> tuple[Node, ...]:
    """What a text means that is no notation as a whole: a number in words, a formula with words, or words."""
    if permuted(cleaned):
        return (Words(words_form(cleaned)),)  # too many to write out, and more than the one point that is written
    form = words_form(text) if len(text) < MAX_WORDS_CHARS else ""
    spelled = number_in_words(form.split())
    if spelled is not None:
        return (Number(spelled, divided=spelled.denominator > 1),)
    statement = read_statement(cleaned) if form not in _NO_ANSWERS else None
    if statement is not None:
        return (statement,)
    found = next(filter(None, (_parses(clean(candidate)) for candidate in candidates(text))), ())
    return found or (_words(cleaned, form),)


def _words(cleaned: str, form: str) -> Node:
    if form in _NO_ANSWERS:
        return Words("")
    return _PHRASES.get(form) or Words(list_in_words(cleaned) or form)


def without_choice_label(text: str) -> str | None:
    r"""The 25 of `\textbf{(C) } 25`, `C. 25` and `(C)\ 25`; None where no value follows a choice letter."""
    text = text.strip().strip("$").strip()
    label = _CHOICE_LABEL.match(text) if len(text) < MAX_DECLARED_CHARS else None
    if label is None:
        return None
    rest = text[label.end() :].strip()
    if rest.count("}") > rest.count("{"):
        rest = rest[::-1].replace("}", "", 1)[::-1].strip()
    if not rest or rest[0] in _OPERATORS or _CHOICE_LABEL.match(rest):
        return None
    return rest if is_formula(rest) or (label["bracketed"] and rest.startswith(r"\text")) else None


def unreadable(found: tuple[Node, ...]) -> bool:
    """Whether a text had no reading at all (neither a formula nor words)."""
    return found == (Words(""),)


def needs_calculus(text: str) -> bool:
    """Whether a text holds a sum, product, integral or limit, which only the LaTeX parser of the workers reads."""
    return len(text) <= 500 and _CALCULUS.search(text) is not None


@lru_cache(maxsize=4_096)
def _parses(cleaned: str) -> tuple[Node, ...]:
    """The trees of a cleaned text that is notation as a whole; none for prose."""
    if not cleaned or (len(cleaned) < 12 and cleaned.lower() in _NO_ANSWERS):
        return ()
    described = permuted(cleaned) if "ermutation" in cleaned else None
    if described:
        head, cyclic = described
        return tuple(filter(None, (write_out(tree, cyclic) for tree in _parses(head))))
    named = _phrase(cleaned) or _based(cleaned) or _roman(cleaned)
    return (named,) if named is not None else _notation(_in_symbols(cleaned))


def _in_symbols(cleaned: str) -> str:
    compares = " " in cleaned and _COMPARES.search(cleaned)
    return _respelled((in_symbols(cleaned) if compares else None) or cleaned)


def _notation(text: str) -> tuple[Node, ...]:
    found = [reading for spelling in dict.fromkeys(_spellings(text)) for reading in _trees(spelling)]
    if not found and len(text) < MAX_DECLARED_CHARS:
        found = _trees(_FOR_ALL.sub("", text))
    return tuple(dict.fromkeys(found))


def _phrase(cleaned: str) -> Node | None:
    """What a set phrase means, such as "no solution"."""
    if len(cleaned) >= 60 or not (cleaned[0].isalpha() or cleaned.startswith(_WORDS)):
        return None
    return _PHRASES.get(form_of_words(cleaned))


def _based(cleaned: str) -> Node | None:
    return based_number(cleaned) if "_" in cleaned or "base" in cleaned or cleaned[:2] in ("0b", "0o", "0x") else None


def _roman(cleaned: str) -> Node | None:
    return Words(cleaned) if _ROMAN.fullmatch(cleaned) else None


def _respelled(cleaned: str) -> str:
    """`cleaned` with notations that have another meaning elsewhere spelled out: angles, ratios, choices, thousands."""
    cleaned = _ONE.sub("", cleaned)
    if cleaned[0] == "<" and cleaned[-1] == ">":
        cleaned = rf"\langle {cleaned[1:-1]} \rangle"
    cleaned = _RATIO.sub(r"\1:\2", _OUTWARD.sub(_inward, cleaned))
    if "C" in cleaned:
        cleaned = _CHOICES.sub(_binomial, cleaned)
    if lists_no_numbers(cleaned):
        for inside in (False, True):
            cleaned = merge_thousands(cleaned, inside_brackets=inside)
    return cleaned


def _spellings(cleaned: str) -> list[str]:
    """The ways to spell out what is ambiguous, the likeliest first."""
    texts = [cleaned]
    if has_thousands(cleaned):
        merged = [merge_thousands(cleaned, inside_brackets=inside) for inside in (False, True)]
        texts = [merged[0], cleaned, merged[1]]
    if len(cleaned) >= MAX_DECLARED_CHARS:
        return texts
    declared = _INTEGER_DECLARATION.sub(_undeclared, cleaned)
    texts.insert(0, declared)
    if "C" in cleaned:
        texts.append(_CHOICES_OR_POINT.sub(_binomial, cleaned))
    if "_" in cleaned:
        texts.append(_CHOSEN.sub(_binomial, _ARRANGED.sub(_arranged, cleaned)))
    return texts


def _undeclared(match: re.Match[str]) -> str:
    """What is left of `2 pi n, n in Z` after 2 pi: the n that is no declaration."""
    names = [name.strip() for name in match[1].split(",")]
    kept = names[0] if len(names) == 2 and names[0] == names[1] else ""
    return ("}" if match.group()[0] == "}" else "") + (f" {kept}" if kept else "")


def parse(text: str) -> Node:
    """The tree of a cleaned text; raises Unreadable."""
    tokens = tokenise(text)
    reader = Parser(with_signs(tokens) if {token.kind for token in tokens} & _IN_WORDS else tokens)
    reader.skip_leading_words()
    tree = reader.whole()
    reader.expect_end()
    return tree


def _trees(text: str) -> list[Node]:
    try:
        tree = parse(text)
    except Unreadable:
        return []
    return [*_approximations(tree), *_all_equal(tree), *_common_logarithms(text, tree)]


def _all_equal(tree: Node) -> list[Node]:
    """`x = y = z = 1` is also the point (1, 1, 1)."""
    if not isinstance(tree, Relation) or len(tree.sides) < 3 or set(tree.operators) != {"="}:
        return []
    if not all(isinstance(side, Symbol) for side in tree.sides[:-1]):
        return []
    return [Sequence(tree.sides[-1:] * (len(tree.sides) - 1), "(", ")")]


def _common_logarithms(text: str, tree: Node) -> list[Node]:
    """log without a base may mean base 10."""
    if "log" not in text:
        return []
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
