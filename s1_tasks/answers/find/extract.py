"""The final answer in a model's output: every candidate is collected, and one table says which beats which.

Only what follows the end of the thinking counts. There, boxes, answer tags, announcements, headings and the closing
sentence are candidates (`candidates`), each with a stance; what the text takes back is revoked, and of what stands the
strongest rule wins, the last of equals (`ranking`).
"""

import itertools
import re
from dataclasses import dataclass, field

from s1_tasks.answers.find.announcements import announced, parts
from s1_tasks.answers.find.boxes import last_boxes
from s1_tasks.answers.find.choices import SEVERAL, find_choice
from s1_tasks.answers.find.closing import concluded, trim, turns
from s1_tasks.answers.find.frames import breaks_off, own_turn, unframed, without_ornaments, without_programs
from s1_tasks.answers.find.languages import in_english
from s1_tasks.answers.find.pages import Page, page
from s1_tasks.answers.find.ranking import Candidate, Stance, best, settle
from s1_tasks.answers.find.stance import sets_up
from s1_tasks.answers.find.thinking import final_part
from s1_tasks.answers.find.values import MAX_STATED_CHARS, bare, closed, tidy
from s1_tasks.answers.read.prose import emphasised
from s1_tasks.answers.read.reading import is_formula
from s1_tasks.answers.tree.verdict import Kind

_TAIL_CHARS = 20_000
"""Rules other than boxes look at this much of the end."""
_SHOWN, _SHOWN_CHARS = 3, 60
"""So many of the candidates that were beaten are named in a verdict, and so much of each."""
_NO_ANSWERS = frozenset({"", "n/a", "null", "nan", "i don't know", "unknown"})
_WORDS = re.compile(r"[^\W\d_]{2}|</?[a-z]|[\"']\s*:|\d")
_PROSE = re.compile(r"(?<![\\a-zA-Z{])(?!and\b|or\b)[a-zA-Z]{2,}\s")
_MAX_PROSE = 6
"""A text with more words is no formula, whatever a parser makes of it."""
_OPEN_BOX = re.compile(r"\\boxed(?![a-zA-Z])")
_HOPE = re.compile(r"(?<!\s)\s{0,9}I hope (?:it|this) is correct[.!]?\s*$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Extraction:
    """An answer as the model wrote it, the rule that found it, and every other candidate with its stance."""

    answer: str
    rule: str
    stance: str = Stance.ASSERTED.value
    candidates: tuple[Candidate, ...] = field(default=(), compare=False, repr=False)

    @property
    def beat(self) -> tuple[str, ...]:
        """The last other candidates, each as "6 (boxed, revoked)"."""
        others = [one for one in self.candidates if (one.answer, one.rule) != (self.answer, self.rule)]
        return tuple(f"{one.answer[:_SHOWN_CHARS]} ({one.rule}, {one.stance.value})" for one in others[-_SHOWN:])


def extract(text: str, kind: Kind = "math", *, items: int = 1) -> Extraction | None:
    """The final answer in `text`, or None; `kind="choice"` gives a bare upper-case letter.

    With `items` > 1 (the reference is a list of so many values), as many boxes at the end count as one list.
    """
    return extract_from(final_part(text), kind, items=items)


def extract_from(part: str | None, kind: Kind = "math", *, items: int = 1) -> Extraction | None:
    """The same from the part of a text in which the answer stands, None where there is no such part."""
    if part is None or not part.strip():
        return None
    part = own_turn(part)
    found = find_choice(part[-_TAIL_CHARS:]) if kind == "choice" else candidates_of(part, kind, items)
    winner = best(found)
    if (
        winner is None
        or winner.answer == SEVERAL
        or winner.answer[:200].strip(" .$*_`\\{}()[]?\n").lower() in _NO_ANSWERS
    ):
        return None
    return Extraction(winner.answer, winner.rule, winner.stance.value, tuple(found))


def candidates_of(part: str, kind: Kind, items: int) -> list[Candidate]:
    """Every candidate of a text, with its stance, in order."""
    boxed = last_boxes(part)
    if not boxed:
        tail = part[-_TAIL_CHARS:]
        found = _stated(tail, kind, items)
        open_box = _OPEN_BOX.search(tail)
        return (
            []
            if open_box and not any(one.start < open_box.start() and one.rule != "last line" for one in found)
            else found
        )
    found = [Candidate(start, end, without_ornaments(content), "boxed") for content, start, end in boxed[-8:]]
    if items > 1 and len(boxed) >= items and _belong_together(part, boxed[-items:]):
        listed = ", ".join(content for content, _, _ in boxed[-items:])
        found.append(Candidate(boxed[-1][1], boxed[-1][2], listed, "boxed list"))
    behind = boxed[-1][2]
    after = part[behind:][-_TAIL_CHARS:]
    if not _WORDS.search(after):
        return found
    return _behind_box(found, after, behind, kind)


def _behind_box(found: list[Candidate], after: str, behind: int, kind: Kind) -> list[Candidate]:
    """The candidates with those of the text behind the last box."""
    shift = behind
    framed = unframed(after)
    if framed is not None:
        found.append(_tagged(framed, shift, kind))
        return settle(found, [])
    text = page(in_english(without_ornaments(after)), kind)
    revised, instead = turns(text, 0)
    said = announced(text)
    if not revised:
        said = [one for one in said if one.rule == "final answer"]
    moved = [
        Candidate(one.start + shift, one.end + shift, one.answer, one.rule, one.stance, one.weak)
        for one in [*said, *instead]
    ]
    return settle(
        sorted([*found, *moved], key=lambda one: one.start),
        [type(turn)(turn.start + shift, turn.fault, turn.confirms) for turn in revised],
    )


def _belong_together(part: str, found: list[tuple[str, int, int]]) -> bool:
    """Whether boxes stand close to one another, as the parts of one answer do."""
    return all(later[1] - earlier[2] < 80 for earlier, later in itertools.pairwise(found))


def _tagged(content: str, place: int, kind: Kind) -> Candidate:
    content = content.strip()
    if not is_formula(content) and (inner := best(_stated(content, kind))):
        content = inner.answer
    return Candidate(place, place + len(content), content, "tag")


def _stated(tail: str, kind: Kind, items: int = 1) -> list[Candidate]:
    """The candidates of a text without boxes."""
    framed = unframed(tail)
    if framed is not None and framed != tail:
        return [_tagged(framed, 0, kind)]
    prepared = in_english(without_ornaments(_HOPE.sub("", without_programs(_without_figures(tail)).rstrip())))
    text = page(prepared, kind)
    if not text.spans:
        return []
    trim(text)
    if items > 1 and (listed := parts(text, items)):
        return listed
    found = announced(text)
    start = min((one.start for one in found), default=len(prepared))
    revised, instead = turns(text, start)
    found = _without_steps(text, found)
    if not found or revised:
        found += instead
    settled = settle(sorted(found, key=lambda one: one.start), revised)
    if best(settled) is None and not any(one.stance is Stance.REVOKED for one in settled):
        settled += _closing(text)
    return settled


def _without_steps(text: Page, found: list[Candidate]) -> list[Candidate]:
    """Results and solutions behind which figures follow were steps on the way."""
    last = text.spans[-1][1]
    return [one for one in found if not (one.weak and re.search(r"[\d$]", text.text[one.end : last]))]


def _closing(text: Page) -> list[Candidate]:
    """What a text without an announcement ends with."""
    whole = text.text[: text.spans[-1][1]].strip()
    if breaks_off(whole) or (len(text.spans) == 1 and sets_up(text.tokens(0))):
        return []
    prose = len(_PROSE.findall(whole)) if len(whole) < MAX_STATED_CHARS else _MAX_PROSE + 1
    formula = prose <= _MAX_PROSE and is_formula(whole)
    if formula and not prose:
        return [Candidate(0, len(whole), closed(whole), "whole text")]
    concluding = concluded(text)
    if concluding:
        return concluding
    if formula:
        return [Candidate(0, len(whole), whole, "whole text")]
    start, end = text.spans[-1]
    last = text.text[start:end]
    if last.rstrip(" *_").endswith("?"):
        return []
    displays = [
        span for span in text.formulas if span[1] <= end and text.text.startswith(("\\[", "$$", "\\begin"), span[0])
    ]
    if displays:
        return [Candidate(*displays[-1], bare(text.text[slice(*displays[-1])]), "display math")]
    if bold := emphasised(last):
        return [Candidate(start, end, bold, "bold")]
    words = tidy(last)
    if not words or (re.search(r"\d", words) and not is_formula(words)):
        return []
    return [Candidate(start, end, words, "last line")]


def _without_figures(part: str) -> str:
    """Without Asymptote code, which is no part of an answer."""
    while (start := part.rfind("[asy]")) >= 0:
        end = part.find("[/asy]", start)
        part = part[:start] + "\n\n" + (part[end + 6 :] if end >= 0 else "")
    return part
