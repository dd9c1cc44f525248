"""Every value that a text offers as its answer, collected in one pass over its sentences."""

import re
from dataclasses import dataclass

from s1_tasks.answers.find.ranking import Candidate, Stance, Turn
from s1_tasks.answers.find.scan import Clause, Token, clauses, formula_spans, sentences, tokens
from s1_tasks.answers.find.values import (
    MAX_STATED_CHARS,
    bare,
    changed,
    integer_of_chain,
    related,
    source,
    tidy,
    value_of,
)
from s1_tasks.answers.find.vocabulary import Role, occurs, phrase_at
from s1_tasks.answers.read.reading import is_formula
from s1_tasks.answers.tree.verdict import Kind

_SET_ASIDE = (Role.CONDITION, Role.CONCESSION, Role.DENIAL)
_TAKES_OVER = (Role.CONSEQUENCE, Role.CONTRAST)
_STEMS = re.compile(r"\b(?:ans(?:wers?)?|final|results?|solutions?|conclusion)\b|####|^A:|\bA:\s", re.IGNORECASE | re.MULTILINE)
_LINKS = frozenset({"is", "are", "equals", "=", ":", "：", "→", "—", "–", "|", "⇒", "be"})
_MODALS = frozenset({"should", "must", "will", "to", "has", "have", "turns", "comes", "appears", "seems", "out", "would", "then",
                     "thus", "therefore", "here", "simply", "just"})  # fmt: skip
_BULLET = re.compile(r"(?:[-•*]|\(?\w[.)]|\d{1,2}[.)])[ \t]+(?=\S)")
_PART = re.compile(r"\W{0,6}(?:part\s)?\(?([a-h]|\d)\)?[).:]\**\s{0,3}(?=\S)", re.IGNORECASE)
_MAX_MARKS, _MAX_SENTENCES = 6, 30
"""So many announcements of a sentence, and so many sentences that announce, are read, from the end."""
_MAX_TURNS = 120
"""So many sentences at the end are looked through for words that take an answer back."""
_MAX_SUBJECT = 16
"""Tokens that may stand between "the answer" and its verb: "to the question of how many ... there are"."""


@dataclass(slots=True)
class Page:
    """A text cut into sentences, of which tokens are made as they are needed."""

    text: str
    kind: Kind
    formulas: list[tuple[int, int]]
    spans: list[tuple[int, int]]
    cut: dict[int, tuple[Token, ...]]

    def tokens(self, index: int) -> tuple[Token, ...]:
        """The tokens of a sentence."""
        if index not in self.cut:
            start, end = self.spans[index]
            self.cut[index] = tokens(self.text, (start, min(end, start + MAX_STATED_CHARS)), self.formulas)
        return self.cut[index]

    def words(self, index: int) -> str:
        """A sentence as it stands."""
        return self.text[slice(*self.spans[index])]


def page(text: str, kind: Kind) -> Page:
    """The page of a text."""
    formulas = formula_spans(text)
    return Page(text, kind, formulas, sentences(text, formulas), {})


def announced(text: Page) -> list[Candidate]:
    """What every announcement states."""
    naming = [index for index, (start, end) in enumerate(text.spans) if _STEMS.search(text.text, start, end)]
    return [candidate for index in naming[-_MAX_SENTENCES:] for candidate in _announcements(text, index)]


def _announcements(text: Page, index: int) -> list[Candidate]:
    if heading := _below_hashes(text, index):
        return [heading]
    found = text.tokens(index)
    marks = [(at, link) for at in range(len(found)) if (link := _link_behind(found, at)) is not None]
    if not marks:
        return _below_heading(text, index, found)
    listed = []
    marks = marks[-_MAX_MARKS:]
    for number, (at, behind) in enumerate(marks):
        stop = marks[number + 1][0] if number + 1 < len(marks) else len(found)
        if stop > behind:
            listed += _announcement(text, index, found[:stop], at, behind)
        elif number + 1 == len(marks):
            listed += _next_states(text, index, found, at)
    return listed


def _link_behind(found: tuple[Token, ...], at: int) -> int | None:
    """The index behind the verb or colon of an announcement whose noun stands at `at`; None where it is none."""
    noun = phrase_at(found, at, Role.ANNOUNCES) or phrase_at(found, at, Role.WEAKLY)
    if not noun:
        if found[at].text == "a" and not at and len(found) > 2 and found[1].text == ":":
            return 2
        return None
    index = at + noun
    if index < len(found) and found[at].text == "final" and found[index].text not in _LINKS:
        return None
    if index < len(found) and found[index].text == "(":
        closing = next((place for place in range(index, min(len(found), index + 12)) if found[place].text == ")"), None)
        index = closing + 1 if closing is not None else index
    if index < len(found) and found[index].text in ("to", "for", "of", "among", "from", "here", "choice"):
        index = _behind_subject(found, index)
    start = index
    while index < len(found) and found[index].text in _MODALS and index - start < 5:
        index += 1
    if index < len(found) and found[index].text in ("'s", "-") and found[at].text != "final":
        return index + 1 if found[index].end < (found[index + 1].start if index + 1 < len(found) else 0) else None
    if index < len(found) and found[at].text in ("answer", "final") and _value_at(found, at, index):
        return index + (found[index].text == "of")
    if index >= len(found) or found[index].text not in _LINKS:
        return index + 1 if found[at].text == "ans" and index < len(found) and found[index].text == "." else None
    while index < len(found) and (found[index].text in _LINKS or found[index].text in ("then", "thus", "therefore", "simply")):
        index += 1
    return index


def _value_at(found: tuple[Token, ...], at: int, index: int) -> bool:
    """Whether a value follows "the answer of" or "with final answer" without any verb."""
    final = found[at].text == "final" or (at > 0 and found[at - 1].text == "final")
    place = index + 1 if found[index].text == "of" else index
    return (final or place > index) and place < len(found) and found[place].kind in ("formula", "number")


def _behind_subject(found: tuple[Token, ...], index: int) -> int:
    """Where the verb stands behind "to the question ...": the first verb or colon within a few tokens."""
    for place in range(index, min(len(found), index + _MAX_SUBJECT)):
        if found[place].text in _LINKS or (found[place].text in _MODALS and found[place].text not in ("to", "of", "has", "have", "out")):
            return place
        if found[place].text in ",;":
            return index
    return index


def _announcement(text: Page, index: int, found: tuple[Token, ...], at: int, behind: int) -> list[Candidate]:
    phrase = found[behind:]
    noun = found[at].text
    final = noun == "final" or (at > 0 and found[at - 1].text == "final")
    weak = phrase_at(found, at, Role.WEAKLY) > 0 and not final
    colon = found[behind - 1].text not in ("is", "are", "be", "equals") or any(
        token.text in (":", "：") for token in found[at:behind]
    )
    rule = "answer:" if colon else "answer is"
    asks = text.words(index).rstrip(" *_\"”)").endswith("?")
    stance = Stance.ASKED if asks else _stance_of_noun(found, at)
    if stance is Stance.ASSERTED and not colon and _comments(text, phrase):
        return []
    value, inner = _stated(text, phrase, first=True)
    if not value:
        words = tidy(source(text.text, phrase[:1] and phrase))
        if weak or not words or inner is not Stance.ASSERTED or re.search(r"\d", words) or occurs(phrase, Role.REJECTS) is not None:
            return []
        return [Candidate(phrase[0].start, phrase[-1].end, words, "words", stance)]
    if final and is_formula(value):
        rule = "final answer"
    if stance is Stance.ASSERTED:
        stance = inner
    return [Candidate(phrase[0].start, phrase[-1].end, value, rule, stance, weak)]


def _comments(text: Page, phrase: tuple[Token, ...]) -> bool:
    """Whether "the answer is" goes on with a comment ("consistent with ..."), and no value follows at once."""
    length = phrase_at(phrase, 0, Role.COMMENT)
    if not length:
        return False
    following = phrase[length : length + 1]
    return not following or following[0].kind not in ("number", "formula")


def _stance_of_noun(found: tuple[Token, ...], at: int) -> Stance:
    """Whether an announcement is meant: nothing before its noun supposes, denies or checks it."""
    start = max((place + 1 for place in range(at) if _anew(found, place)), default=0)
    before = found[start:at]
    if before and before[-1].text == "final":
        before = before[:-1]
    while before and before[-1].text in ("the", "correct", "our", "my", "this", "that", "required", "desired"):
        before = before[:-1]
    if before and (phrase_at(before, len(before) - 1, Role.OTHER) or _ends_with(before, Role.OTHER)):
        return Stance.STEP
    if _supposes(before):
        return Stance.SUPPOSED
    return Stance.ASSERTED


def _ends_with(found: tuple[Token, ...], role: Role) -> bool:
    return any(phrase_at(found, len(found) - length, role) == length for length in (2, 3) if length <= len(found))


def _anew(found: tuple[Token, ...], place: int) -> bool:
    """Whether a clause of its own begins behind `place`."""
    return found[place].text in ("so", "thus", "hence", "therefore", "but", "actually", "and", ";", ":", "!", "?")


def _supposes(found: tuple[Token, ...], *, verb_behind: bool = False) -> bool:
    """Whether words suppose what follows them."""
    for index in range(len(found)):
        if phrase_at(found, index, Role.ALWAYS_SUPPOSES) or phrase_at(found, index, Role.DOUBTED):
            return True
        if not index and phrase_at(found, 0, Role.SUPPOSES):
            return True
        if phrase_at(found, index, Role.MODAL) and _opinion_follows(found, index, only_opinions=verb_behind):
            return True
    return False


def _opinion_follows(found: tuple[Token, ...], modal: int, *, only_opinions: bool) -> bool:
    """Whether somebody "might think" what follows; "I would say" is the text's own word."""
    own = modal > 0 and found[modal - 1].text in ("i", "we")
    if found[modal].text == "would" and own:
        return False
    return any(
        phrase_at(found, index, Role.OPINION) or (not only_opinions and found[index].text in ("be", "have", "get"))
        for index in range(modal + 1, min(len(found), modal + 4))
    )


def _below_hashes(text: Page, index: int) -> Candidate | None:
    """The value behind "####", as GSM8K writes it; a heading of Markdown is none."""
    sentence = text.words(index).lstrip()
    if not sentence.startswith("#### "):
        return None
    value = tidy(sentence[5:])
    if value and (is_formula(value) or index + 1 == len(text.spans)):
        start, end = text.spans[index]
        return Candidate(start, end, value, "heading")
    return None


def _below_heading(text: Page, index: int, found: tuple[Token, ...]) -> list[Candidate]:
    """What stands below "Answer" or "# Final answer"."""
    words = [token.text for token in found if token.kind == "word"]
    if not words or words[-1] not in ("answer", "answers", "is") or len(words) > 4 or any(token.kind in ("number", "formula") for token in found):
        return []
    if not set(words) <= {"the", "final", "correct", "answer", "answers", "is", "are", "our", "my", "so", "therefore", "thus"}:
        return []
    return _next_states(text, index, found, 0)


def _next_states(text: Page, index: int, found: tuple[Token, ...], at: int) -> list[Candidate]:
    """What the sentence behind an announcement states, or the list of bullets behind it."""
    if index + 1 >= len(text.spans):
        return []
    stance = _stance_of_noun(found, at)
    values = []
    for place in range(index + 1, min(len(text.spans), index + 30)):
        start, end = text.spans[place]
        bullet = _BULLET.match(text.text, start, end)
        if bullet is None:
            break
        value, _ = _stated(text, tokens(text.text, (bullet.end(), end), text.formulas), first=True)
        if not value:
            break
        values.append(value)
    start, end = text.spans[index + 1]
    if values:
        return [Candidate(start, text.spans[index + len(values)][1], " , ".join(values), "heading", stance)]
    phrase = text.tokens(index + 1)
    value, inner = _stated(text, phrase, first=True)
    if not value and phrase:
        words = tidy(text.words(index + 1))
        if not words or inner is not Stance.ASSERTED or len(words) > 200:
            return []
        return [Candidate(start, end, words, "words", stance)]
    rule = "final answer" if any(token.text == "final" for token in found) else "heading"
    return [Candidate(start, end, value, rule, inner if stance is Stance.ASSERTED else stance)]


def _stated(text: Page, phrase: tuple[Token, ...], *, first: bool, plain: bool = True) -> tuple[str, Stance]:
    """(value, stance) of what a phrase states; with `first` its first statement, else its last consequence."""
    if text.kind == "integer" and phrase and (chained := integer_of_chain(text.text, _without_conditions(phrase))):
        return chained, Stance.ASSERTED
    if first and phrase and not any(token.kind == "word" and len(token.text) > 1 for token in phrase):
        whole = tidy(source(text.text, phrase))
        if len(whole) < MAX_STATED_CHARS and re.search(r"[\d$\\]", whole) and is_formula(whole):
            return value_of(text.text, Clause(None, phrase)) or whole, Stance.ASSERTED
    best, role, stance = "", None, Stance.ASSERTED
    for number, clause in enumerate(clauses(phrase)):
        if clause.role in _SET_ASIDE and not (first and number == 0 and clause.role is Role.CONDITION):
            if number == 0 and clause.role is Role.DENIAL:
                stance = Stance.DENIED
            continue
        how = stance_of(clause)
        if how is not Stance.ASSERTED:
            stance = how if not best else stance
            continue
        if best and not _supersedes(clause, role, first=first):
            continue
        value = value_of(text.text, clause, plain=plain or clause.role in _TAKES_OVER)
        if value:
            best, role, stance = value, clause.role, Stance.ASSERTED
    return best, stance


def _supersedes(clause: Clause, role: Role | None, *, first: bool) -> bool:
    """Whether a later clause takes the place of an earlier one."""
    if clause.role is Role.CONTRAST:
        return True
    return not first and clause.role is not Role.RESTATED and (clause.role is Role.CONSEQUENCE or role is not Role.CONSEQUENCE)


def _without_conditions(phrase: tuple[Token, ...]) -> tuple[Token, ...]:
    """The phrase up to the first condition behind a value."""
    kept: list[Token] = []
    for clause in clauses(phrase):
        if clause.role in _SET_ASIDE and kept:
            continue
        kept += clause.tokens
    return tuple(kept)


def stance_of(clause: Clause) -> Stance:
    """How a clause stands to the value in it: by its opening, its subject and its governing verb."""
    found = clause.tokens
    values = [index for index, token in enumerate(found) if token.kind in ("number", "formula")]
    verb = _governing(found, values[-1] if values else len(found))
    head = found[: verb if verb is not None else (values[0] if values else len(found))]
    start = phrase_at(found, 0, clause.role) if clause.role else 0
    if _supposes(head[start:], verb_behind=verb is not None and verb < len(found) and found[verb].text not in ("be", "have", "get")):
        return Stance.SUPPOSED
    if verb is not None and _denied(found, verb, values):
        return Stance.DENIED
    if values and any(phrase_at(found, index, Role.REJECTS) for index in range(values[-1] + 1, len(found))) and (
        verb is None or verb > values[-1]
    ):
        return Stance.DENIED
    if verb is None and occurs(found, Role.REJECTS) is not None and not values:
        return Stance.DENIED
    return Stance.ASSERTED


def _governing(found: tuple[Token, ...], value: int) -> int | None:
    """The last verb before the value, else the first behind it."""
    before = [index for index in range(value) if found[index].kind == "word" and phrase_at(found, index, Role.RESULTS)]
    if before:
        return before[-1]
    return next((index for index in range(value, len(found)) if found[index].kind == "word" and phrase_at(found, index, Role.RESULTS)), None)


def _denied(found: tuple[Token, ...], verb: int, values: list[int]) -> bool:
    """Whether the verb is taken back: "is not", "can't be", "could be", "isn't"."""
    around = [token.text for token in found[max(0, verb - 2) : verb + 2]]
    if any(word.endswith(("n't", "n’t")) or word in ("not", "cannot", "never", "could", "might", "may") for word in around):
        return True
    return bool(values) and verb > values[-1] and bool(phrase_at(found, verb + 1, Role.REJECTS))


def trim(text: Page) -> None:
    """Leave out the sentences at the end that state no answer: closing words, remarks, checks and comments."""
    while len(text.spans) > 1 and _is_afterword(text, len(text.spans) - 1):
        text.spans.pop()
    for index in range(len(text.spans) - 1, 0, -1):
        found = text.tokens(index)
        if phrase_at(found, 0, Role.CONSEQUENCE) or _announces(found):
            return
        if phrase_at(found, 0, Role.CHECKS):
            del text.spans[index:]


def _announces(found: tuple[Token, ...]) -> bool:
    for at in range(len(found)):
        behind = _link_behind(found, at) if phrase_at(found, at, Role.ANNOUNCES) else None
        if behind is not None and not phrase_at(found, behind, Role.COMMENT):
            return True
    return False


def _is_afterword(text: Page, index: int) -> bool:
    found = text.tokens(index)
    if text.words(index).strip().startswith("(") and found and found[-1].text in (")", ".") and len(found) > 3:
        return found[0].text == "(" and found[1].kind == "word" and not any(t.text == ")" for t in found[:-2])
    if phrase_at(found, 0, Role.REMARKS) and not _announces(found) and not _concludes_late(found):
        return True
    if any(token.kind in ("number", "formula") or token.text in ("=", "\\") for token in found):
        return False
    if occurs(found, Role.CHAT) is not None:
        return True
    behind = next((link for at in range(min(4, len(found))) if (link := _link_behind(found, at)) is not None), None)
    return behind is not None and phrase_at(found, behind, Role.COMMENT) > 0


def _concludes_late(found: tuple[Token, ...]) -> bool:
    return any(phrase_at(found, index, Role.CONSEQUENCE) and found[index - 1].text in ",;" for index in range(1, len(found)))


def turns(text: Page, start: int) -> tuple[list[Turn], list[Candidate]]:
    """Where the text turns back on what stands before, from character `start` on; and what it then states instead."""
    found: list[Turn] = []
    stated: list[Candidate] = []
    doubted = False
    for index, (first, last) in list(enumerate(text.spans))[-_MAX_TURNS:]:
        if last <= start:
            continue
        words = text.tokens(index)
        at = _revision(words, start)
        if at is not None:
            place, behind = at
            fault = occurs(words, Role.FAULT, place) is not None
            instead = _instead(text, index, words[behind:], directly=True)
            confirms = not instead and not fault and doubted and _confirms(words)
            found.append(Turn(words[place].start, fault or bool(instead), confirms))
            stated += instead
            doubted = True
        elif doubted:
            if _confirms(words):
                found.append(Turn(first, confirms=True))
            elif occurs(words, Role.FAULT) is not None and not any(token.kind in ("number", "formula") for token in words):
                found.append(Turn(first, fault=True))
            else:
                stated += _instead(text, index, words, directly=False)
    return found, stated


def _revision(words: tuple[Token, ...], start: int) -> tuple[int, int] | None:
    """(index of the word that turns back, index behind such words) of a sentence, at its beginning or behind a pause."""
    for index in range(len(words)):
        if words[index].start < start:
            continue
        paused = index == 0 or words[index - 1].text in ",;:.—–-?!(" or words[index - 1].text in ("but", "and")
        if paused and phrase_at(words, index, Role.REVISION):
            behind = index
            while behind < len(words) and (length := phrase_at(words, behind, Role.REVISION) or (words[behind].text in ",.!:—–-…)" and words[behind].kind == "mark")):
                behind += int(length)
            return index, behind
    return None


def _instead(text: Page, index: int, phrase: tuple[Token, ...], *, directly: bool) -> list[Candidate]:
    """What a sentence behind a doubt states in place of what is doubted."""
    if not phrase or phrase_at(phrase, 0, Role.CHECKS) or text.words(index).rstrip(" *").endswith(("?", ":")):
        return []
    if any(_link_behind(phrase, at) is not None for at in range(len(phrase))):
        return []  # an announcement, which is collected as one
    if not directly and occurs(phrase, Role.CONCLUDES) is None and not _is_whole(text, phrase):
        return []
    value, stance = _stated(text, phrase, first=False, plain=True)
    if not value or stance is not Stance.ASSERTED or (directly and not _corrects(phrase, value)):
        return []
    return [Candidate(phrase[0].start, phrase[-1].end, value, "conclusion")]


def _is_whole(text: Page, phrase: tuple[Token, ...]) -> bool:
    return len(phrase) < 8 and is_formula(tidy(source(text.text, phrase)))


def _corrects(phrase: tuple[Token, ...], value: str) -> bool:
    """Whether "wait, ..." goes on with a correction at once, and not with a step: "it should be 7", "7"."""
    words = {token.text for token in phrase if token.kind == "word"}
    return len(phrase) <= 4 or bool(words & {"it", "it's", "should", "must", "correct", "right", "actual", "real", "total", "so",
                                             "therefore", "thus", "true", "instead", "that's", "meant", "value"})  # fmt: skip


def _confirms(words: tuple[Token, ...]) -> bool:
    """Whether a sentence without figures says that all is well."""
    if any(token.kind in ("number", "formula") for token in words) and words[0].text != "yes":
        return False
    return occurs(words, Role.CONFIRMS) is not None and occurs(words, Role.REJECTS) is None


def concluded(text: Page) -> Candidate | None:
    """The value that the last sentence states."""
    if not text.spans:
        return None
    index = len(text.spans) - 1
    start, end = text.spans[index]
    found = text.tokens(index)
    if not found or text.words(index).rstrip(" *_").endswith("?") or sets_up(found):
        return None
    turned = _revision(found, 0)
    if turned is not None and turned[0] == 0 and turned[1] < len(found):
        found = found[turned[1] :]
    concludes = turned is not None or occurs(found, Role.CONCLUDES) is not None
    value, stance = _stated(text, found, first=False, plain=concludes)
    if stance is Stance.DENIED and not value:
        return Candidate(start, end, source(text.text, found), "conclusion", stance)
    return Candidate(start, end, value, "conclusion", stance) if value else None


def sets_up(found: tuple[Token, ...]) -> bool:
    """Whether a sentence only sets out to do something: "Let $x = 5$"."""
    start = 1 if found and found[0].text in ("now", "first", "next") else 0
    return phrase_at(found, start, Role.SUPPOSES) > 0 and found[start].text not in _PREMISES


_PREMISES = frozenset({"if", "given", "had", "whether", "unless"})
"""Words that suppose something in a first clause, behind which the main clause may state a value."""


def parts(text: Page, count: int) -> Candidate | None:
    """The values of the parts (a), (b), ... that a text ends with, one a line, as one list."""
    if len(text.spans) < count:
        return None
    values = []
    for index in range(len(text.spans) - count, len(text.spans)):
        start, end = text.spans[index]
        label = _PART.match(text.text, start, end)
        value, _ = _stated(text, tokens(text.text, (label.end(), end), text.formulas), first=True) if label else ("", None)
        if not value:
            return None
        values.append(value)
    return Candidate(text.spans[-count][0], text.spans[-1][1], ", ".join(values), "parts")
