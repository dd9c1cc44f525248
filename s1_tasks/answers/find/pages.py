"""A text cut into sentences, and what a phrase of it states."""

import re
from dataclasses import dataclass, field

from s1_tasks.answers.find.ranking import Stance
from s1_tasks.answers.find.scan import Clause, Token, clauses, formula_spans, sentences, tokens
from s1_tasks.answers.find.stance import stance_of
from s1_tasks.answers.find.values import MAX_STATED_CHARS, integer_of_chain, source, tidy, value_of
from s1_tasks.answers.find.vocabulary import phrase_at
from s1_tasks.answers.read.reading import is_formula
from s1_tasks.answers.tree.verdict import Kind

_SET_ASIDE = ("condition", "concession", "denial")
_TAKES_OVER = ("consequence", "contrast")
_MATHEMATICS = re.compile(r"[\d$\\]")


@dataclass(slots=True)
class Page:
    """A text, the spans of its formulas and sentences, and the tokens of those sentences that were looked at."""

    text: str
    kind: Kind
    formulas: list[tuple[int, int]]
    spans: list[tuple[int, int]]
    cut: dict[tuple[int, int], tuple[Token, ...]] = field(default_factory=dict)

    def tokens(self, index: int) -> tuple[Token, ...]:
        """The tokens of a sentence."""
        start, end = span = self.spans[index]
        if span not in self.cut:
            self.cut[span] = tokens(self.text, (start, min(end, start + MAX_STATED_CHARS)), self.formulas)
        return self.cut[span]

    def words(self, index: int) -> str:
        """A sentence as it stands."""
        return self.text[slice(*self.spans[index])]

    def asks(self, index: int) -> bool:
        """Whether a sentence is a question."""
        return self.words(index).rstrip(' *_"”)').endswith("?")

    def behind(self, start: int, index: int) -> tuple[Token, ...]:
        """The tokens of a sentence from character `start` on."""
        return tokens(self.text, (start, self.spans[index][1]), self.formulas)


def page(text: str, kind: Kind) -> Page:
    """The page of a text."""
    formulas = formula_spans(text)
    return Page(text, kind, formulas, sentences(text, formulas))


def announced_value(text: Page, phrase: tuple[Token, ...]) -> tuple[str, Stance]:
    """(value, stance) of what an announcement goes on with: its first statement, unless a contrast follows."""
    if chained := _chained(text, phrase):
        return chained, Stance.ASSERTED
    if phrase and not any(token.kind == "word" and len(token.text) > 1 for token in phrase):
        whole = tidy(source(text.text, phrase))
        if len(whole) < MAX_STATED_CHARS and _MATHEMATICS.search(whole) and is_formula(whole):
            return value_of(text.text, Clause(None, phrase)) or whole, Stance.ASSERTED
    parts = clauses(phrase)
    if parts and parts[0].role == "condition":
        parts[0] = Clause(None, parts[0].tokens)
    denied = Stance.DENIED if parts and parts[0].role == "denial" else Stance.ASSERTED
    return _last_statement(text, parts, denied, first=True)


def concluded_value(text: Page, phrase: tuple[Token, ...], *, plain: bool) -> tuple[str, Stance]:
    """(value, stance) of what a sentence concludes: its last consequence. `plain`: a number among words counts."""
    if chained := _chained(text, phrase):
        return chained, Stance.ASSERTED
    return _last_statement(text, clauses(phrase), Stance.ASSERTED, first=False, plain=plain)


def _last_statement(
    text: Page, parts: list[Clause], stance: Stance, *, first: bool, plain: bool = True
) -> tuple[str, Stance]:
    best, role = "", None
    for number, clause in enumerate(parts):
        if clause.role in _SET_ASIDE or (clause.role == "juxtaposed" and not number):
            continue
        how = stance_of(clause)
        if best and how is Stance.ASSERTED and not _supersedes(clause, role, first=first):
            continue
        if how is Stance.ASSERTED:
            value = value_of(text.text, clause, plain=plain or clause.role in _TAKES_OVER)
            best, role, stance = (value, clause.role, how) if value else (best, role, stance)
        elif how is Stance.DENIED and clause.role == "consequence" and best:
            return "", Stance.DENIED  # "this would give 77, which is absurd"
        elif not best:
            stance = how
    return best, stance


def _supersedes(clause: Clause, role: str | None, *, first: bool) -> bool:
    """Whether a later clause takes the place of one with `role` that states a value."""
    if clause.role == "contrast" or phrase_at(clause.tokens, 0, "results"):
        return True
    return (
        clause.role != "juxtaposed"
        and not first
        and clause.role != "restated"
        and (clause.role == "consequence" or role != "consequence")
    )


def _chained(text: Page, phrase: tuple[Token, ...]) -> str:
    """For a contest: the whole number that a phrase, its conditions aside, says of an expression; "" for none."""
    if text.kind != "integer" or not phrase:
        return ""
    kept = [clause for number, clause in enumerate(clauses(phrase)) if not number or clause.role not in _SET_ASIDE]
    return integer_of_chain(text.text, tuple(token for clause in kept for token in clause.tokens))
