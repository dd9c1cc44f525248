"""How a text stands to what it names: asserted, supposed, denied. The governing verb decides, not any verb nearby."""

from s1_tasks.answers.find.ranking import Stance
from s1_tasks.answers.find.scan import VALUES, Clause, Token, at
from s1_tasks.answers.find.vocabulary import is_word, occurs, phrase_at


def stance_of(clause: Clause) -> Stance:
    """How a clause stands to the value in it: by its subject, its governing verb, and what is said behind the value."""
    found = clause.tokens
    values = [index for index, token in enumerate(found) if token.kind in VALUES]
    verb = _governing(found, values[-1] if values else len(found))
    head = found[clause.opening : verb if verb is not None else values[0] if values else len(found)]
    if supposes(head, verb=at(found, -1 if verb is None else verb).text):
        return Stance.SUPPOSED
    if _is_denied(found, verb, values):
        return Stance.DENIED
    return Stance.ASSERTED


def _governing(found: tuple[Token, ...], value: int) -> int | None:
    """The last verb before the value, else the first behind it."""
    order = [*range(value - 1, -1, -1), *range(value, len(found))]
    verbs = (index for index in order if found[index].kind == "word" and phrase_at(found, index, "results"))
    return next(verbs, None)


def _is_denied(found: tuple[Token, ...], verb: int | None, values: list[int]) -> bool:
    """Whether the clause takes its value back: "is not 5", "can't be 5", "5 is wrong", "5 fails"."""
    if verb is not None:
        relative = phrase_at(found, verb - 1, "results") > 0  # "the value that m cannot have is 2"
        if any(_takes_back(token.text) for token in found[verb if relative else max(0, verb - 2) : verb + 2]):
            return True
    if not values:
        return (verb is None or clause_of_which(found)) and occurs(found, "rejects")
    if verb is not None and verb < values[-1]:
        return False
    behind = range(values[-1] + 1, len(found) if verb is None else verb + 2)
    return any(phrase_at(found, index, "rejects") for index in behind)


def clause_of_which(found: tuple[Token, ...]) -> bool:
    """Whether a clause says something of what stands before it: "which is absurd"."""
    return at(found, 0).text in ("which", "that")


def _takes_back(word: str) -> bool:
    return word.endswith(("n't", "n’t")) or is_word(word, "takes back")


def supposes(found: tuple[Token, ...], verb: str = "") -> bool:
    """Whether words in front of a value, whose governing verb is `verb`, only suppose it."""
    if phrase_at(found, 0, "supposes"):
        return True
    return any(
        phrase_at(found, index, "always supposes")
        or phrase_at(found, index, "doubted")
        or (phrase_at(found, index, "modal") and _opinion_follows(found, index, verb))
        or (phrase_at(found, index, "people") and _they_say(found[index + 1 : index + 4], verb))
        for index in range(len(found))
    )


def _they_say(behind: tuple[Token, ...], verb: str) -> bool:
    """Whether "some", "people", "you" have an opinion: in the next words, or by a verb that follows at once."""
    near = len(behind) < 3 and is_word(verb, "their opinion")
    return near or any(is_word(token.text, "their opinion") for token in behind)


def _opinion_follows(found: tuple[Token, ...], modal: int, verb: str) -> bool:
    """Whether somebody "might think" what follows; "I would say" is the text's own word."""
    if found[modal].text == "would" and at(found, modal - 1).text in ("i", "we"):
        return False
    governs = verb in ("", "be", "have", "get")
    return any(
        phrase_at(found, index, "opinion") or (governs and found[index].text in ("be", "have", "get"))
        for index in range(modal + 1, min(len(found), modal + 4))
    )


def meant(found: tuple[Token, ...], noun: int) -> Stance:
    """Whether an announcement whose noun stands at `noun` is meant: nothing in its clause supposes or checks it."""
    start = max((place + 1 for place in range(noun) if is_word(found[place].text, "begins anew")), default=0)
    before = found[start:noun]
    while before and is_word(before[-1].text, "determiners"):
        before = before[:-1]
    if any(phrase_at(before, len(before) - length, "other") == length for length in (1, 2, 3)):
        return Stance.STEP
    return Stance.SUPPOSED if supposes(before) else Stance.ASSERTED


def sets_up(found: tuple[Token, ...]) -> bool:
    """Whether a sentence only sets out to do something: "Let $x = 5$"."""
    start = 1 if at(found, 0).text in ("now", "first", "next") else 0
    return phrase_at(found, start, "supposes") > 0 and not is_word(found[start].text, "premises")


def is_hypothetical(found: tuple[Token, ...]) -> bool:
    """Whether a sentence says what would be if something were so: "the answer would be 33 if we ignored friction"."""
    words = [token.text for token in found]
    return "would" in words and "if" in words[words.index("would") :]
