"""The final answer in a model's output, and the rule that found it.

Only what follows the last end-of-thinking delimiter counts; a text whose thinking never ended has no answer. In that
final part, in this order:

1. "boxed": the last complete box (an empty or unfinished last box is no answer, if there is no complete one), unless
   an answer tag, a JSON "answer" or an explicit "Final Answer:" follows it;
2. "tag": what an answer tag or a JSON "answer" holds;
3. "answer:", "answer is", "heading": what the last announcement states that is meant and is no step on the way;
4. "whole text": a text that is nothing but an answer;
5. "conclusion": the value that the last sentence states;
6. "display math": the last displayed formula;
7. "bold": the words set in bold in the last sentence;
8. "last line": the last line as it stands, if it is words.

For rules 3 to 8, closing words, notes and checks that follow the answer are left out, and from rule 5 on a text that
breaks off has no answer.
"""

import itertools
import re
from dataclasses import dataclass

from s1_tasks.answers.find.boxes import boxes
from s1_tasks.answers.find.choices import find_choice
from s1_tasks.answers.find.claims import COLON, IS, claims, goes_on, is_meant, is_statement
from s1_tasks.answers.find.framing import (
    breaks_off,
    sentences,
    supposes,
    unframed,
    without_afterwords,
    without_ornaments,
)
from s1_tasks.answers.find.languages import in_english
from s1_tasks.answers.find.stated import HOPE, MAX_STATED_CHARS, conclusion, what_follows
from s1_tasks.answers.find.thinking import final_part
from s1_tasks.answers.read.prose import emphasised
from s1_tasks.answers.read.reading import is_formula
from s1_tasks.answers.tree.verdict import Kind

_TAIL_CHARS = 20_000
"""Rules other than boxes look at this much of the end."""


@dataclass(frozen=True, slots=True)
class Extraction:
    """An answer as the model wrote it, and the name of the rule that found it."""

    answer: str
    rule: str


_ALIGNED = re.compile(
    r"\\begin\{(?:align|aligned|gather|equation|eqnarray)\*?\}((?:(?!\\begin).)*?)\\end\{\w+\*?\}[\s.$\]\\]*$",
    re.DOTALL,
)
_NO_ANSWERS = frozenset({"", "n/a", "null", "nan", "i don't know", "unknown"})


def extract(text: str, kind: Kind = "math", *, items: int = 1) -> Extraction | None:
    """The final answer in `text`, or None; `kind="choice"` gives a bare upper-case letter.

    With `items` > 1 (the reference is a list of so many values), as many boxes at the end count as one list.
    """
    return extract_from(final_part(text), kind, items=items)


def extract_from(part: str | None, kind: Kind = "math", *, items: int = 1) -> Extraction | None:
    """The same from the part of a text in which the answer stands, None where there is no such part."""
    if part is None or not part.strip():
        return None
    if kind == "choice":
        choice = find_choice(part[-_TAIL_CHARS:])
        return Extraction(*choice) if choice else None
    found = _boxed(part, items) or _framed(part[-_TAIL_CHARS:]) or _stated(part[-_TAIL_CHARS:])
    if found is None or found.answer[:200].strip(" .$*_`\\{}()[]?\n").lower() in _NO_ANSWERS:
        return None
    return found


def _framed(tail: str) -> Extraction | None:
    content = unframed(tail)
    if content is None:
        return None
    content = content.strip()
    return Extraction(content, "tag") if is_formula(content) else _stated(content)


def _boxed(part: str, items: int) -> Extraction | None:
    found = boxes(part)
    if not found:
        return Extraction("", "boxed") if re.search(r"\\boxed(?![a-zA-Z])", part[-_TAIL_CHARS:]) else None
    after = part[found[-1][2] :][-_TAIL_CHARS:]
    framed = _framed(after)
    if framed is not None:
        return framed
    for pattern in (COLON, IS):
        for match in reversed(list(pattern.finditer(after))):
            if match["final"]:
                stated = what_follows(after[match.end() :], "answer:")
                if stated and is_formula(stated):
                    return Extraction(stated, "final answer")
    if items > 1 and len(found) >= items and _belong_together(part, found[-items:]):
        return Extraction(", ".join(content for content, _, _ in found[-items:]), "boxed list")
    return Extraction(without_ornaments(found[-1][0]), "boxed")


def _belong_together(part: str, found: list[tuple[str, int, int]]) -> bool:
    """Whether boxes stand close to one another, as the parts of one answer do."""
    return all(
        later[1] - earlier[2] < 80 and "\n\n" not in part[earlier[2] : later[1]]
        for earlier, later in itertools.pairwise(found)
    )


def _without_figures(part: str) -> str:
    """Without Asymptote code, which is no part of an answer."""
    while (start := part.rfind("[asy]")) >= 0:
        end = part.find("[/asy]", start)
        part = part[:start] + (part[end + 6 :] if end >= 0 else "")
    return part


def _stated(part: str) -> Extraction | None:
    part = without_ornaments(HOPE.sub("", _without_figures(part).rstrip()))
    part = without_afterwords(in_english(part))
    return _claimed(part) or _concluded(part)


def _claimed(part: str) -> Extraction | None:
    """What the last announcement that is meant states; words only where no earlier one states a value."""
    words: Extraction | None = None
    for claim in reversed(claims(part)[-20:]):
        stated = what_follows(part[claim.end :], claim.rule)
        if not stated or not is_meant(part, claim.start):
            continue
        if claim.rule == "answer is" and not is_statement(part[claim.end :]):
            continue
        if is_formula(stated):
            if words is not None and claim.rule == "answer is":
                break
            if not (claim.weak and goes_on(part, claim)):
                return Extraction(stated, claim.rule)
        elif words is None and not claim.weak:
            words = Extraction(stated, claim.rule)
            if claim.rule != "answer is":
                break
    return words


def _concluded(part: str) -> Extraction | None:
    """What a text without an announcement ends with."""
    whole = part.strip()
    listed = [piece for piece in sentences(whole[-MAX_STATED_CHARS:]) if piece.strip(" *_$\\[](){}.")]
    if breaks_off(whole) or (listed and supposes(listed[-1])):
        return None
    if len(whole) < MAX_STATED_CHARS and is_formula(whole):
        return Extraction(whole, "whole text")
    aligned = _ALIGNED.search(part[-MAX_STATED_CHARS:])
    if listed and not aligned:
        concluded = conclusion(listed[-1])
        if concluded:
            return Extraction(concluded, "conclusion")
    displayed = aligned.group(1).split(r"\\")[-1].replace("&", "").strip() if aligned else _last_display(part)
    if displayed:
        return Extraction(displayed, "display math")
    bold = emphasised(listed[-1]) if listed else ""
    if bold:
        return Extraction(bold, "bold")
    lines = [line for line in (listed[-1] if listed else whole).splitlines() if line.strip()]
    last = lines[-1].strip().strip("*_`").strip().rstrip(".") if lines else ""
    if not last or (re.search(r"\d", last) and not is_formula(last)):  # figures that the sentence does not state
        return None
    return Extraction(last, "last line")


def _last_display(part: str) -> str:
    r"""The content of the last complete $$...$$ or \[...\]."""
    end = part.rfind(r"\]")
    start = part.rfind(r"\[", 0, max(end, 0))
    bracketed = (start, part[start + 2 : end]) if 0 <= start < end else (-1, "")
    pieces = part.split("$$")
    if len(pieces) >= 3:
        closed = len(pieces) - 2 if len(pieces) % 2 else len(pieces) - 3
        position = len("$$".join(pieces[:closed]))
        bracketed = max(bracketed, (position, pieces[closed]))
    return bracketed[1].strip()
