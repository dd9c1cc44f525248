"""The final answer in a model's output, and the rule that found it.

Only what follows the last end-of-thinking delimiter counts; a text whose thinking never ended has no answer. In that
final part, in this order:

1. "final answer": what an explicit "Final Answer:" after the last box states;
2. "boxed": the last complete box (an empty or unfinished last box is no answer, if there is no complete one);
3. "answer:", "answer is", "heading": what the last such marker states;
4. "whole text": a text that is nothing but an answer;
5. "conclusion": the formula that the last sentence states;
6. "display math": the last displayed formula;
7. "bold": the words set in bold in the last sentence;
8. "last line": the last line as it stands.
"""

import itertools
import re
from dataclasses import dataclass

from s1_tasks.answers.boxes import boxes
from s1_tasks.answers.choices import find_choice
from s1_tasks.answers.reading import answer_in_prose, emphasised, is_formula
from s1_tasks.answers.thinking import final_part
from s1_tasks.answers.verdict import Kind

MAX_TEXT_CHARS = 2_000_000
"""Longer outputs are read from their end only."""
_TAIL_CHARS = 20_000
"""Rules other than boxes look at this much of the end."""
_MAX_STATED_CHARS = 3_000


@dataclass(frozen=True, slots=True)
class Extraction:
    """An answer as the model wrote it, and the name of the rule that found it."""

    answer: str
    rule: str


_GAP = r"[\s*_`#]{0,8}"
_COLON = re.compile(rf"(final\s)?answer{_GAP}(?:\([^()\n]{{0,40}}\){_GAP})?(?:is|are)?{_GAP}[:：]{_GAP}", re.IGNORECASE)
_IS = re.compile(
    rf"(final\s)?(?:answer|result|solution)(?:\s(?:to|for|of)\s[^.:\n]{{0,80}}?)?\s{{1,3}}(?:is|are){_GAP}"
    rf"(?:simply|just|thus|then|therefore|given by)?{_GAP}[:：]?",
    re.IGNORECASE,
)
_ALIGNED = re.compile(
    r"\\begin\{(?:align|aligned|gather|equation|eqnarray)\*?\}((?:(?!\\begin).)*?)\\end\{\w+\*?\}[\s.$\]\\]*$",
    re.DOTALL,
)
_HASHES = re.compile(r"^####[ \t]", re.MULTILINE)
_REASON = re.compile(
    r"\s{0,3}[,;(]?\s{0,3}\b(?:because|since|as|which|so|when|after|due|given)\b|\s{0,3}[,;(]\s{0,3}(?:and\s)?not\b",
    re.IGNORECASE,
)
_HEADING = re.compile(r"^[ \t#*_>-]{0,8}(?:the\s)?(final\s)?answer[ \t*_:.]{0,8}$", re.IGNORECASE | re.MULTILINE)
_HOPE = re.compile(r"\s*I hope (?:it|this) is correct[.!]?\s*$", re.IGNORECASE)
_SENTENCE_END = re.compile(r"(?<=[.?])[ \t]+(?=[A-Z\\$<*(\[])|(?<=[.?])\s*\n+|\n\s*\n")
_OPEN_DISPLAY = (("$$", "$$"), (r"\[", r"\]"), (r"\(", r"\)"), (r"\begin{", r"\end{"))
_NO_ANSWERS = frozenset({"", "n/a", "null", "nan", "i don't know", "unknown"})


def extract(text: str, kind: Kind = "math", *, items: int = 1) -> Extraction | None:
    """The final answer in `text`, or None; `kind="choice"` gives a bare upper-case letter.

    With `items` > 1 (the reference is a list of so many values), as many boxes at the end count as one list.
    """
    part = final_part(text[-MAX_TEXT_CHARS:])
    if part is None or not part.strip():
        return None
    if kind == "choice":
        choice = find_choice(part[-_TAIL_CHARS:])
        return Extraction(*choice) if choice else None
    found = _boxed(part, items) or _stated(part[-_TAIL_CHARS:])
    if found is None or found.answer[:200].strip(" .$*_`\\{}()[]?\n").lower() in _NO_ANSWERS:
        return None
    return found


def _boxed(part: str, items: int) -> Extraction | None:
    found = boxes(part)
    if not found:
        return Extraction("", "boxed") if re.search(r"\\boxed(?![a-zA-Z])", part[-_TAIL_CHARS:]) else None
    after = part[found[-1][2] :][-_TAIL_CHARS:]
    for pattern in (_COLON, _IS):
        for match in reversed(list(pattern.finditer(after))):
            if match.group(1):
                stated = _what_follows(after[match.end() :])
                if stated and is_formula(stated):
                    return Extraction(stated, "final answer")
    if items > 1 and len(found) >= items and _belong_together(part, found[-items:]):
        return Extraction(", ".join(content for content, _, _ in found[-items:]), "boxed list")
    return Extraction(found[-1][0], "boxed")


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
    part = _HOPE.sub("", _without_figures(part).rstrip())
    candidates = [(match.end(), "answer:") for match in _COLON.finditer(part)]
    candidates += [(match.end(), "heading") for match in _HEADING.finditer(part)]
    candidates += [(match.end(), "heading") for match in _HASHES.finditer(part)]
    candidates += [(match.end(), "answer is") for match in _IS.finditer(part)]
    for end, rule in sorted(candidates, reverse=True)[:20]:
        stated = _what_follows(part[end:])
        if stated:
            return Extraction(stated, rule)
    whole = part.strip()
    if len(whole) < _MAX_STATED_CHARS and is_formula(whole):
        return Extraction(whole, "whole text")
    sentences = [piece for piece in _SENTENCE_END.split(whole[-_MAX_STATED_CHARS:]) if piece.strip(" *_$\\[](){}.")]
    if sentences and not _ALIGNED.search(part[-_MAX_STATED_CHARS:]):
        concluded = answer_in_prose(sentences[-1])
        if concluded:
            return Extraction(concluded, "conclusion")
    aligned = _ALIGNED.search(part[-_MAX_STATED_CHARS:])
    displayed = aligned.group(1).split(r"\\")[-1].replace("&", "").strip() if aligned else _last_display(part)
    if displayed:
        return Extraction(displayed, "display math")
    lines = [line for line in whole.splitlines() if line.strip()]
    bold = emphasised(sentences[-1]) if sentences else ""
    if bold:
        return Extraction(bold, "bold")
    return Extraction(_tidy(lines[-1]), "last line") if lines else None


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


def _what_follows(rest: str) -> str:
    """The answer that a marker announces: the rest of its line, or the next line or display; "" for none."""
    rest = rest[:_MAX_STATED_CHARS].lstrip(" \t\r\n*_`#>:}")
    if not rest:
        return ""
    line = rest.split("\n", 1)[0]
    for opening, closing in _OPEN_DISPLAY:
        start = line.rfind(opening)
        if start >= 0 and closing not in line[start + len(opening) :]:
            end = rest.find(closing, start + len(opening))
            if end >= 0:
                line = rest[: end + len(closing)]
                if opening == r"\begin{":
                    line = rest[: rest.find("}", end) + 1]
                break
    sentences = _SENTENCE_END.split(_HOPE.sub("", line))
    stated = _tidy(sentences[0])
    if is_formula(stated):
        return stated
    reason = _REASON.search(stated)
    if reason and is_formula(stated[: reason.start()]):
        return stated[: reason.start()].strip()
    return answer_in_prose(stated) or stated


def _tidy(line: str) -> str:
    line = line.strip().strip("*_`").strip()
    line = re.sub(
        r"^(?:(?:so|thus|hence|therefore),?\s)?(?:the\s)?(?:final\s)?answer(?:\sis)?\s?[:：]?\s?",
        "",
        line,
        flags=re.IGNORECASE,
    )
    return line.rstrip(".").strip()
