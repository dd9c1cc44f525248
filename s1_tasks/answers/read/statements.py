r"""Answers with words around a formula: `\text{the ratio is } 3:4`, `12 \text{ when } x = 3`, `\text{Alice: } 5`.

Tried on what the plain grammar cannot read, and always on the whole: words before a value become its name, a clause
after it its condition, and nothing is cut out of an equation or a ratio.
"""

import re

from s1_tasks.answers.read.arithmetic import with_signs
from s1_tasks.answers.read.parser import Parser
from s1_tasks.answers.read.tokens import Token, tokenise
from s1_tasks.answers.tree.nodes import WORD_LABEL, Node, Piecewise, Relation, Sequence, Symbol, Unreadable, Words
from s1_tasks.answers.tree.units import changes_before

_CONDITIONS = frozenset(
    str.split("when whenever at if for where with while given provided assuming attained reached achieved occurring")
)
_EXPLANATIONS = frozenset({"since", "because", "as"})
_STATING = frozenset({"is", "are", "equals", "equal"})
_SILENT = frozenset(
    str.split(
        "the a an of is are so thus therefore hence we get have find that there this it its value values answer "
        "answers final result results solution solutions exact correct required desired following all possible both "
        "total in to by our my which let case number"
    )
)
_REFUSED = (
    frozenset(
        str.split(
            "not no nor none never neither cannot can't isn't aren't doesn't don't without except unless until if then "
            "than less more most least greater smaller fewer larger over under above below between before after within "
            "up about would could should may might must either other yes true false only and or but first"
        )
    )
    | _CONDITIONS
    | _EXPLANATIONS
)
_MAX_WORDS = 12
_NAMING = frozenset(
    str.split(
        "area areas volume perimeter circumference length lengths width height heights depth distance radius diameter "
        "side sides angle angles probability chance odds ratio rate maximum minimum max min largest smallest greatest "
        "least average mean median mode range variance cost price profit time speed velocity age slope intercept total "
        "surface expected amount weight mass temperature score count remainder product difference quotient degree "
        "coefficient constant term sum solution period amplitude common positive negative possible integer integers "
        "real minimal maximal optimal approximate approximately about roughly around exactly only equal at point "
        "points vertex center centre domain interval equation function line option choice part train arrives hence"
    )
)
"""What may stand before a value without a verb: names of quantities, which leave the value as it is."""
_CLAUSE_WORDS = _CONDITIONS | _EXPLANATIONS
_SECOND_CONDITIONS = _CONDITIONS | {"otherwise", "else"}


_PART = re.compile(r"\(\s*(i{1,3}|iv|[a-e]|[1-5])\s*\)(?=\s)")
_NUMBERINGS = (["i", "ii", "iii", "iv"], ["a", "b", "c", "d", "e"], ["1", "2", "3", "4", "5"])


def read_parts(cleaned: str) -> Node | None:
    """`(1) 3; (2) 5`, `(a) 12 (b) 7`: the answers to the parts of a question, in their order; None for other texts."""
    marks = _PART.findall(cleaned)
    if len(marks) < 2 or not _PART.match(cleaned) or not any(marks == marked[: len(marks)] for marked in _NUMBERINGS):
        return None
    values = [value.strip(" ;,.") for value in _PART.split(cleaned)[2::2]]
    parts = [read_statement(value) for value in values]
    if any(part is None or (isinstance(part, Sequence) and not part.opening) for part in parts):
        return None
    return Sequence(
        tuple(
            Relation(("=",), (Symbol(f"{WORD_LABEL}part{number}"), part))
            for number, part in enumerate(parts, 1)
            if part is not None
        )
    )


def read_statement(cleaned: str) -> Node | None:
    """The tree of a cleaned text that is a formula, or several, with words around them; None for other texts."""
    try:
        return _statement(with_signs(tokenise(cleaned)))
    except Unreadable:
        return None


def _statement(tokens: list[Token]) -> Node:
    """Raises Unreadable."""
    words = [token.text.lower() for token in tokens if token.kind == "word"]
    if words[:1] == ["if"] == [tokens[0].text.lower()] and words.count("then") == 1:
        return _consequence(tokens)
    reader = Parser(tokens, _CLAUSE_WORDS)
    items = _items(reader)
    if not items:
        raise Unreadable("nothing to read")
    value: Node = items[0] if len(items) == 1 else Sequence(tuple(items))
    if reader.at_clause():
        return _with_clause(value, reader)
    reader.expect_end()
    return value


def _items(reader: Parser) -> list[Node]:
    """The values that separators, or nothing, stand between, up to the end or a clause."""
    items: list[Node] = []
    while True:
        while reader.at_separator():
            reader.step()
        if reader.kind == "end" or (items and reader.at_clause()):
            return items
        items.append(_named_value(reader))
        if not reader.at_separator() and not reader.at_clause():
            return items


def _consequence(tokens: list[Token]) -> Node:
    """`if x > 0 then y = 1`"""
    at = next(index for index, token in enumerate(tokens) if token.text == "then")
    condition = tokens[1 : at - (tokens[at - 1].text == ",")]
    return Piecewise(((_statement(tokens[at + 1 :]), _condition(condition)),))


def _named_value(reader: Parser) -> Node:
    """A value, and the words before it as its name."""
    words: list[str] = []
    proper = stated = False
    while reader.kind == "word" or (reader.text in ("max", "min") and reader.peek(1).text in (":", "=")):
        words.append(reader.text.lower())
        stated, proper = words[-1] in _STATING, reader.text[:1].isupper()
        reader.step()
    if words and reader.text in (":", "="):
        stated = True
        reader.step()
    _refuse(words)
    if proper and not stated and reader.kind == "number":
        raise Unreadable("a number that belongs to a name, as in July 4")
    value = reader.relation()
    if not stated and not isinstance(value, Relation) and not _name_it(words):
        raise Unreadable("words before a value that do not name it")
    label = " ".join(word for word in words if word not in _SILENT)
    return Relation(("=",), (Symbol(WORD_LABEL + label), value)) if label else value


def _refuse(words: list[str]) -> None:
    """Raise Unreadable for words that do more than name a value."""
    telling = words[:-1] if words[1:] and words[-1] == "at" else words  # the train arrives at 3:30
    if not _REFUSED.isdisjoint(telling) or len(words) > _MAX_WORDS:
        raise Unreadable("words that deny, compare or set a condition")
    if any(changes_before(word) for word in _after_verb(words)):
        raise Unreadable("words that change the value behind them")


def _name_it(words: list[str]) -> bool:
    """Whether words before a value, without a verb, only name it: "area", "total of"; not "sum of the digits of"."""
    if words[-1:] == ["of"] and "total" not in words:
        return False
    return all(word in _NAMING or word in _SILENT for word in words)


def _after_verb(words: list[str]) -> list[str]:
    """The words between the last "is" and the value; all words without one."""
    verbs = [index for index, word in enumerate(words) if word in _STATING]
    return words[verbs[-1] + 1 :] if verbs else words


def _with_clause(value: Node, reader: Parser) -> Node:
    """The value under the condition that follows it; a reason, or a remark in brackets, says nothing about it."""
    bracketed = reader.text == "("
    if bracketed:
        reader.step()
    explained = reader.text.lower() in _EXPLANATIONS or (bracketed and reader.text.lower() not in _CONDITIONS)
    while reader.kind == "word" and reader.text.lower() in _CLAUSE_WORDS:
        reader.step()
    rest = reader.rest()
    if any(token.text.lower() in _SECOND_CONDITIONS for token in rest):
        raise Unreadable("several conditions")
    if bracketed:
        rest = _inside_bracket(rest)
    return value if explained else Piecewise(((value, _condition(rest)),))


def _inside_bracket(rest: list[Token]) -> list[Token]:
    """Without the closing bracket, which must be the last token and the only one."""
    closing = [index for index, token in enumerate(rest) if token.text == ")"]
    if not closing or closing[0] != len(rest) - 1:
        raise Unreadable("a remark that is not the last thing")
    return rest[:-1]


def _condition(tokens: list[Token]) -> Node:
    reader = Parser(tokens)
    try:
        condition = reader.sequence()
        reader.expect_end()
    except Unreadable:
        return Words(" ".join(token.text.lower() for token in tokens))
    return condition
