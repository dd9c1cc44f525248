"""All the words that extraction knows, in one table: each with its meaning, a reason, and a sentence that tests it.

`python -m benchmarks.unused_words` takes away one at a time and lists those without which every sentence is read as
before: none may be left. A phrase of several words is matched word by word; capitals do not count.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple, Protocol


class Role(Enum):
    """What a word does to the clause that it opens or stands in."""

    CONSEQUENCE = "consequence"
    RESTATED = "restated"
    CONDITION = "condition"
    CONTRAST = "contrast"
    CONCESSION = "concession"
    DENIAL = "denial"
    SUPPOSES = "supposes"
    OPINION = "opinion"
    ALWAYS_SUPPOSES = "always supposes"
    MODAL = "modal"
    DOUBTED = "doubted"
    REVISION = "revision"
    FAULT = "fault"
    CONFIRMS = "confirms"
    CHECKS = "checks"
    REMARKS = "remarks"
    CHAT = "chat"
    COMMENT = "comment"
    RELATES = "relates"
    CHANGES_NEXT = "changes the next"
    CHANGES_LAST = "changes the last"
    REJECTS = "rejects"
    APPROVES = "approves"
    RESULTS = "results"
    CONCLUDES = "concludes"
    OTHER = "other"
    ANNOUNCES = "announces"
    WEAKLY = "announces weakly"
    CHOOSES = "chooses"


class Entry(NamedTuple):
    """Phrases of one role. `example`, with a phrase for {}, must be judged `right` against `answer`."""

    role: Role
    reason: str
    phrases: str
    example: str = ""
    answer: str = ""
    right: bool = True
    kind: str = "math"


class Word(Protocol):
    """A token, as far as a phrase is concerned."""

    @property
    def text(self) -> str: ...


TABLE = (
    Entry(
        Role.CONSEQUENCE,
        "a later clause that follows from an earlier one states the answer",
        "so|thus|hence|therefore|then|consequently|giving|leaving|yielding|making|meaning|implying|for a total of|whose|"
        "we get|we have|we find|we obtain|we see that|it follows that|to get|to obtain|to find|to give|it equals",
    ),
    Entry(
        Role.RESTATED,
        "the same value once more, or the number that a contest asks for",
        "i.e.|that is|namely|in other words|equivalently|or equivalently",
    ),
    Entry(
        Role.CONDITION,
        "where, when or why the value holds: its figures are not the answer",
        "when|where|if|for|with|at|provided|assuming|given|since|because|as|due|by|using|taking|after|before|unless|"
        "whenever|who|which|in|over|occurring|attained|achieved|reached|obtained|note|once|until|e.g.|out of|of which|"
        "compared|from|during|under|regardless|excluding|including",
    ),
    Entry(
        Role.CONTRAST,
        "the right side of a contrast is what is meant",
        "but|yet|however|whereas|nevertheless|in fact|actually|in reality|but rather|but actually|but in fact",
    ),
    Entry(
        Role.CONCESSION,
        "what is conceded is not meant",
        "although|though|even though|while|unlike|instead of|despite|even if|contrary to|rather than",
    ),
    Entry(Role.DENIAL, "what is denied is not meant", "not|and not|but not|never|nor"),
    Entry(
        Role.SUPPOSES,
        "a sentence that sets something up, or asks for it, states no answer",
        "let|suppose|assume|consider|try|find|we need|we want|we must|we have to|if|whether|unless|imagine|say that|"
        "i doubt|we are told|we know|it is given|i am not sure|it is not true|it is impossible|what if|to be sure|"
        "i need|recall|i don't think|i do not think|we are given|given|it is not the case|had|were|there is no evidence|"
        "nobody|i cannot|i can't|depends on|we can't say|remember|compute|calculate|determine|evaluate|look at",
    ),
    Entry(
        Role.ALWAYS_SUPPOSES,
        "words that suppose something wherever they stand in a clause",
        "if|whether|unless|suppose|supposing|assume|assuming|i doubt|what if|not true|not clear|not sure|the problem says|"
        "we are told|depends on|it is impossible|imagine|pretend",
    ),
    Entry(Role.MODAL, "a modal in front of the verb takes the value back", "could|might|may|would|can't|cannot"),
    Entry(
        Role.OPINION,
        "what somebody might think is not what the text says",
        "guess|think|say|expect|conclude|assume|suspect|believe|suppose|suggest|tempted|answer|choose|pick|stop|hope",
    ),
    Entry(
        Role.DOUBTED,
        "a subject that the text itself calls rash",
        "naive|naively|tempting|initial|initially|wrong|incorrect|mistaken|at first|first guess|first attempt|"
        "first approach|first thought|first estimate|common mistake|obvious guess|rough|intuitively|a quick|some|"
        "many|most|students|people|one might|trap|hasty|earlier|previously|originally|looks like|looked like|i thought|"
        "i first|draft|apparently|seemingly|you might|superficially|someone|somebody|others",
    ),
    Entry(
        Role.REVISION,
        "the text turns back on what it has said",
        "wait|hmm|hm|actually|oops|correction|hold on|scratch that|sorry|on second thought|my mistake|let me recheck|"
        "let me re-check|let me reconsider|let me double-check|let me redo|let me rethink|no|nope|on reflection|"
        "i made a mistake|i made an error|apologies|oh|ah|strike that|never mind|let me correct|looking again|"
        "rechecking|re-checking|recomputing|recalculating|re-examining|i misread|i forgot|i miscounted|i mean|i meant|"
        "that was wrong|that is wrong|that's wrong|this is wrong|that is incorrect|that's incorrect|this is incorrect|"
        "that can't be right|that cannot be right|that's not right|that is not right|that isn't right|erratum|edit|"
        "revised|update|to correct myself|i take that back|i should correct|but wait|espera|esperen|warte|attends|"
        "attendez|aspetta|moment mal|moment|подождите|подожди|стоп|等等|等一下|不对|待って|잠깐|espere|peraí|nein|não|non",
    ),
    Entry(
        Role.FAULT,
        "a fault that is named revokes what was said, even when nothing takes its place",
        "wrong|mistake|mistaken|mistakes|error|errors|incorrect|incorrectly|misread|missed|forgot|miscounted|oops|"
        "scratch that|strike that|not right|not correct|isn't right|isn't correct|can't be right|cannot be right|"
        "can't be|cannot be|is off|overcounted|undercounted|double-counted|swapped|i take that back|never mind|"
        "doesn't work|does not work|invalid|impossible|contradicts|contradiction|i meant|i mean|correction|erratum|"
        "falsch|faux|erreur|error|incorrecto|sbagliato|errado|неверно|ошибка|不对|错",
    ),
    Entry(
        Role.CONFIRMS,
        "what is confirmed after a doubt stands again",
        "is correct|is right|is indeed|was right|was correct|confirmed|checks out|check out|holds|stands|matches|"
        "consistent|verified|as before|the same|it's correct|that's correct|that's right|it works|is fine|all good|"
        "yes|good|still|agrees|no mistake|is valid|confirms|works out|were right|everything checks|was fine",
    ),
    Entry(
        Role.CHECKS,
        "a check or another way comes after the answer and states none, and neither does what follows it",
        "check|checking|verification|verify|verifying|proof|note :|remark|p.s.|ps|to verify|to check|to double-check|"
        "to confirm|let's verify|let's check|let us verify|let us check|let me check|let me verify|let me double-check|"
        "we can check|we can verify|we can also check|you can check|you can verify|i can check|now check|now verify|"
        "confirming|substituting back|plugging back|double-check|quick check|sanity check|we can also verify|"
        "we can confirm|one can check|let's double-check|i verified|i checked|a check|double check|note ,|let's confirm|"
        "now , let's verify|now , let's check|plugging|substituting",
    ),
    Entry(
        Role.REMARKS,
        "a remark at the very end states no answer",
        "note that|notice|observe|recall|remember|here|for example|alternatively|equality|more generally|"
        "this is because|in case|we might also|we could also|we can even|of course|testing|note|explanation|confidence|"
        "indeed",
    ),
    Entry(
        Role.CHAT,
        "closing words to the reader",
        "hope|let me know|feel free|good luck|happy to|happy learning|glad to|anything else|thank you|wish you|do you|"
        "if you|would you|are you|have questions|cheers|best of luck|you're welcome",
    ),
    Entry(
        Role.COMMENT,
        "what is said about an answer instead of the answer",
        "already|also|as|in|on|at|by|for|from|with|then|now|indeed|to|consistent|confirmed|based|obtained|found|"
        "verified|correct|right|wrong|incorrect|valid|unique|reasonable|simplified|given|expressed|written|shown|"
        "integer between|as expected|of|between|supposed|required|requested|asked|looked|wanted|desired|the one|what",
    ),
    Entry(
        Role.RELATES,
        "a value that is only compared or referred to is not stated",
        "twice|half|double|triple|square|squares|cube|cubes|root|multiple|multiples|power|powers|factor|factors|less than|"
        "fewer than|more than|greater than|larger than|smaller than|higher than|lower than|other than|at least|at most|"
        "divisible by|divided by|multiplied by|increased by|decreased by|reduced by|theorem|lemma|equation|formula|"
        "figure|table|step|case|part|rule|section|example|problem|question|not|not be|can't be|cannot be|could be|"
        "might be|may be|above|below|between|up to|modulo|mod|base|reciprocal|inverse|opposite|negative|minus|divisor|"
        "divisors|log|odd|even|prime|any|all but|infinitely many|exceeds|exceed|over|under|line|method|chapter|"
        "isn't|aren't|wasn't|never|neither|no|bigger than|beyond|within|nearly|percent of|proportional to|third of|quarter of|fourth of|fifth of|sixth of|tenth of|fraction of|times",
    ),
    Entry(
        Role.CHANGES_LAST,
        "a word behind a number that makes another value of it",
        "squared|cubed|factorial|over|times|plus|minus|pi|choose|to the|percent of|out of|or more|or less|or fewer|"
        "or greater|and a half|and a quarter|less than|more than|halves|thirds|quarters|fourths|"
        "fifths|sixths|sevenths|eighths|ninths|tenths|hundredths|thousandths|hundred|thousand|million|billion|dozen|"
        "divided|to|mod|modulo|root|is impossible|score|multiplied|"
        "raised|fewer than|choose|percent|degrees|percentage",
    ),
    Entry(
        Role.REJECTS,
        "what is said of a value that is not the answer",
        "wrong|incorrect|impossible|not|n't|too|invalid|false|excluded|fails|fail|does not|doesn't|can't|cannot|"
        "ruled out|extraneous|rejected|discarded|isn't|eliminated|violates|contradicts|never|unlikely",
    ),
    Entry(
        Role.APPROVES,
        "what is said of a value that is the answer",
        "right|correct|answer|works|work|true|solution|result|value|fits|choice|the|our|my|your|only|final|required|desired|"
        "it|requested|what|we|wanted|one|sought|actual|real|true|exist|satisfies|remain|remains|is|best|possible|"
        "sought|want|seek|for|asked|need|correct|pairs|in",
    ),
    Entry(
        Role.RESULTS,
        "verbs that lead to a value",
        "is|are|was|were|be|equals|equal|gives|give|get|gets|obtain|have|has|yields|yield|becomes|become|leaves|leave|"
        "costs|cost|simplifies to|comes to|comes out to|works out to|turns out to be|evaluates to|amounts to|reduces to|"
        "makes|make|needs|takes|take|earns|pays|find|sum to|totals|total|measures|that's|it's|implies|means|"
        "comes out|find that|see that|conclude that|conclude|obtains|must be|will be|should be|factors as|follows that|"
        "adds up to|add up to|results in|rounds to|there's|goes to|tends to|converges to|counts|contains|spends|produces|arrive at|end up with|lies at|lies on|sits at|reach|be equal to|is equal to|are equal to",
    ),
    Entry(
        Role.CONCLUDES,
        "a plain number counts only in a sentence that concludes",
        "so|thus|hence|therefore|consequently|total|altogether|giving|leaving|there is|there are|we get|this gives|"
        "that gives|this leaves|that leaves|that makes|this makes|which means|that means|this means|simplifies|finally|"
        "conclude|maximum|minimum|this yields|in all|all in all|in total|we find|we obtain|it is|it's|overall|we have|"
        "it follows|exactly|we see|in conclusion|to conclude|comes to|answer|works out|turns out|ergo|in the end|sum|"
        "summing up|in summary|the number of|left with|which gives|it should|it must|it equals|should be|must be|that is|"
        "only|actual|in fact|real|true|correct|that's|required|requested|as a result|accordingly|in short|this is",
    ),
    Entry(
        Role.OTHER,
        "an answer that is not this one",
        "first|second|third|previous|initial|intermediate|partial|other|another|wrong|incorrect|tempting|mistaken|"
        "resulting|each|every|all|both|these|those|following|remaining|no|not|naive|check|verify|confirm|old|earlier|"
        "original|his|her|their|someone's|former|student's|check that|verify that|confirm that|depends|sample|example|"
        "check the|verify the|confirm the|checks the|confirms the|check that the|verify that the|confirm that the|"
        "checks that the|confirms that the|provisional|tentative|preliminary|expected|book's",
    ),
    Entry(Role.ANNOUNCES, "the nouns that announce an answer", "answer|answers|ans|final|final result|final value"),
    Entry(Role.WEAKLY, "nouns that announce steps, too", "result|results|solution|solutions|conclusion"),
)


def _index(table: tuple[Entry, ...]) -> dict[Role, dict[str, list[tuple[str, ...]]]]:
    """role -> first word -> phrases, the longest first."""
    index: dict[Role, dict[str, list[tuple[str, ...]]]] = {role: {} for role in Role}
    for entry in table:
        for phrase in entry.phrases.split("|"):
            words = tuple(phrase.split())
            index[entry.role].setdefault(words[0], []).append(words)
    for by_first in index.values():
        for phrases in by_first.values():
            phrases.sort(key=len, reverse=True)
    return index


_PHRASES = _index(TABLE)


def phrase_at(tokens: tuple[Word, ...], index: int, role: Role) -> int:
    """How many tokens from `index` on are a phrase of `role`; 0 for none."""
    if not 0 <= index < len(tokens):
        return 0
    for words in _PHRASES[role].get(tokens[index].text, ()):
        if len(words) == 1 or words == tuple(token.text for token in tokens[index : index + len(words)]):
            return len(words)
    return 0


def role_at(tokens: tuple[Word, ...], index: int, roles: tuple[Role, ...]) -> tuple[Role, int] | None:
    """The first of `roles` that has a phrase at `index`, by length, and how many tokens it is long."""
    best: tuple[Role, int] | None = None
    for role in roles:
        length = phrase_at(tokens, index, role)
        if length and (best is None or length > best[1]):
            best = role, length
    return best


def occurs(tokens: tuple[Word, ...], role: Role, start: int = 0, end: int | None = None) -> int | None:
    """The index of the first phrase of `role` between `start` and `end`; None without one."""
    for index in range(start, len(tokens) if end is None else end):
        if phrase_at(tokens, index, role):
            return index
    return None
