r"""Answers with words around a formula: `\text{the ratio is } 3:4`, `12 \text{ when } x = 3`, `\text{Alice: } 5`.

Tried on what the plain grammar cannot read, and always on the whole: words before a value become its name, a clause
after it its condition, and nothing is cut out of an equation or a ratio.
"""

import re

from s1_tasks.answers.read.grammar import Grammar
from s1_tasks.answers.read.tokens import Token, tokenise
from s1_tasks.answers.tree.nodes import WORD_LABEL, Node, Piecewise, Relation, Sequence, Symbol, Unreadable, Words

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
        return _Statements(tokenise(cleaned)).whole()
    except Unreadable:
        return None


class _Statements(Grammar):
    def whole(self) -> Node:
        texts = [token.text.lower() for token in self._tokens if token.kind == "word"]
        if texts[:1] == ["if"] == [self.text.lower()] and texts.count("then") == 1:
            return self._consequence()
        items: list[Node] = []
        while True:
            while self.at_separator():
                self.step()
            if self.kind == "end" or (items and self._at_clause()):
                break
            items.append(self._named_value())
            if not self.at_separator() and not self._at_clause():
                break
        if not items:
            raise Unreadable("nothing to read")
        value: Node = items[0] if len(items) == 1 else Sequence(tuple(items))
        if not self._at_clause():
            self.expect_end()
            return value
        return self._with_clause(value)

    def _consequence(self) -> Node:
        """`if x > 0 then y = 1`"""
        at = next(index for index, token in enumerate(self._tokens) if token.text == "then")
        condition = self._tokens[1 : at - (self._tokens[at - 1].text == ",")]
        inner = _Statements(self._tokens[at + 1 :])
        return Piecewise(((inner.whole(), _condition(condition)),))

    def _named_value(self) -> Node:
        words: list[str] = []
        proper = stated = False
        while self.kind == "word" or (self.text in ("max", "min") and self.peek_text(1) in (":", "=")):
            words.append(self.text.lower())
            stated, proper = words[-1] in _STATING, self.text[:1].isupper()
            self.step()
        if words and self.text in (":", "="):
            stated = True
            self.step()
        telling = words[:-1] if words[1:] and words[-1] == "at" else words  # the train arrives at 3:30
        if not _REFUSED.isdisjoint(telling) or len(words) > _MAX_WORDS:
            raise Unreadable("words that deny, compare or set a condition")
        if proper and not stated and self.kind == "number":
            raise Unreadable("a number that belongs to a name, as in July 4")
        value = self.relation()
        label = " ".join(word for word in words if word not in _SILENT)
        return Relation(("=",), (Symbol(WORD_LABEL + label), value)) if label else value

    def _at_clause(self) -> bool:
        opens = 1 if self.text == "(" else 0
        word = self._peek(opens)
        return word.kind == "word" and (word.text.lower() in _CONDITIONS | _EXPLANATIONS or bool(opens))

    def at_factor(self, builder: bool) -> bool:
        return super().at_factor(builder) and not self._at_clause()

    def with_unit(self, value: Node, builder: bool) -> Node:
        return value if self._at_clause() else super().with_unit(value, builder)

    def ends_unit(self) -> bool:
        return self._at_clause()

    def _with_clause(self, value: Node) -> Node:
        """The value under the condition that follows it; a reason, or a remark in brackets, says nothing about it."""
        bracketed = self.text == "("
        if bracketed:
            self.step()
        explained = self.text.lower() in _EXPLANATIONS or (bracketed and self.text.lower() not in _CONDITIONS)
        while self.kind == "word" and self.text.lower() in _CONDITIONS | _EXPLANATIONS:
            self.step()
        rest = self._tokens[self._position :]
        if any(token.text.lower() in ("otherwise", "else", *_CONDITIONS) for token in rest):
            raise Unreadable("several conditions")
        if bracketed and (not rest or rest[-1].text != ")" or any(token.text == ")" for token in rest[:-1])):
            raise Unreadable("a remark that is not the last thing")
        if explained:
            return value
        return Piecewise(((value, _condition(rest[: len(rest) - bracketed])),))


def _condition(tokens: list[Token]) -> Node:
    reader = Grammar(tokens)
    try:
        condition = reader.sequence()
        reader.expect_end()
    except Unreadable:
        return Words(" ".join(token.text.lower() for token in tokens))
    return condition
