"""The final answer in a model's output, and the rule that found it.

Only what follows the last end-of-thinking delimiter counts; a text whose thinking never ended has no answer. In that
final part the rules are tried in this order: the last complete box, the last "Final Answer:" or "Answer:", the last
"the answer is", the last displayed formula, the last line.
"""

import re
from dataclasses import dataclass

from s1_tasks.answers.verdict import Kind

MAX_TEXT_CHARS = 2_000_000
"""Longer outputs are read from their end only."""


@dataclass(frozen=True, slots=True)
class Extraction:
    """An answer as the model wrote it, and the name of the rule that found it."""

    answer: str
    rule: str


# (opening of the thinking, end of the thinking); an opening without a later end is unfinished thinking.
_THINKING = (
    ("<|im_start|>think", "<|im_start|>answer"),
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("<thought>", "</thought>"),
    ("<seed:think>", "</seed:think>"),
    ("[THINK]", "[/THINK]"),
    ("◁think▷", "◁/think▷"),
    ("<|begin_of_thought|>", "<|end_of_thought|>"),
    ("<|channel|>analysis", "<|channel|>final<|message|>"),
    ("<|channel>thought", "<channel|>"),
)
_TURN_END = re.compile(r"<\|(?:im_end|endoftext|eot_id|end|return|eom_id|end_of_text)\|>|<\|im_start\|>user")


def final_part(text: str) -> str | None:
    """What follows the last end-of-thinking delimiter; None when the thinking is unfinished."""
    start = 0
    for opening, end in _THINKING:
        last_end = text.rfind(end)
        last_opening = text.rfind(opening)
        if last_opening >= 0 and last_opening > last_end:
            return None
        if last_end >= 0:
            start = max(start, last_end + len(end))
    part = text[start:]
    if start == 0 and (turn := part.rfind("<|im_start|>assistant")) >= 0:
        part = part[turn + len("<|im_start|>assistant") :]
    cut = _TURN_END.search(part)
    return part[: cut.start()] if cut and part[: cut.start()].strip() else part


def boxes(text: str) -> list[str]:
    r"""The contents of every complete `\boxed{...}`, `\fbox{...}` or `\boxed 5`, in order; nested boxes count once."""
    found = []
    position = 0
    pattern = re.compile(r"\\(?:boxed|fbox)\s*")
    while match := pattern.search(text, position):
        position = match.end()
        if position >= len(text):
            break
        if text[position] != "{":
            bare = re.compile(r"[^\s$\\{}]+").match(text, position)
            if bare and match.group() != match.group().rstrip():
                found.append(bare.group())
            continue
        end = closing_brace(text, position)
        if end is None:
            continue
        found.append(text[position + 1 : end])
        position = end + 1
    return found


def closing_brace(text: str, opening: int) -> int | None:
    """The index of the brace that closes the one at `opening`, or None; escaped braces do not count."""
    depth = 0
    for match in re.compile(r"\\.|[{}]", re.DOTALL).finditer(text, opening):
        if match.group() == "{":
            depth += 1
        elif match.group() == "}":
            depth -= 1
            if depth == 0:
                return match.start()
    return None


_FINAL = re.compile(r"(?:final\s+)?answer\W{0,6}?\s*(?:\bis\b)?\s*[:：]\W{0,3}", re.IGNORECASE)
_IS = re.compile(r"answer\s+is\b\s*:?", re.IGNORECASE)
_DISPLAY = re.compile(r"\$\$([^$]+)\$\$|\\\[(.+?)\\\]", re.DOTALL)
_LETTER = re.compile(r"(?:\\text\w*\{\s*)?\(?\b([A-J])\b\)?")


def extract(text: str, kind: Kind = "math") -> Extraction | None:
    """The final answer in `text`, or None; `kind="choice"` gives a bare upper-case letter."""
    part = final_part(text[-MAX_TEXT_CHARS:])
    if part is None or not part.strip():
        return None
    found = _extract(part)
    if found is None or kind != "choice":
        return found
    letter = _LETTER.search(found.answer) or re.fullmatch(r"\W*([a-j])\W*", found.answer)
    return Extraction(letter.group(1).upper(), found.rule) if letter else None


def _extract(part: str) -> Extraction | None:
    contents = boxes(part)
    if contents:
        return Extraction(contents[-1].strip(), "boxed") if contents[-1].strip() else None
    if "\\boxed" in part:
        return None
    for rule, pattern in (("answer:", _FINAL), ("answer is", _IS)):
        starts = [match.end() for match in pattern.finditer(part)]
        for start in reversed(starts):
            lines = [line for line in part[start:].splitlines() if line.strip(" *_$\\[](){}")]
            if lines:
                return Extraction(_tidy(lines[0]), rule)
    displayed = [match.group(1) or match.group(2) for match in _DISPLAY.finditer(part)]
    if displayed:
        return Extraction(displayed[-1].strip(), "display math")
    lines = [line for line in part.splitlines() if line.strip()]
    return Extraction(_tidy(lines[-1]), "last line") if lines else None


def _tidy(line: str) -> str:
    line = re.sub(r"\s*I hope (?:it|this) is correct\.?\s*$", "", line.strip())
    line = line.strip().strip("*_`").strip()
    line = re.sub(r"^(?:the\s+)?(?:final\s+)?answer\s+is:?\s*", "", line, flags=re.IGNORECASE)
    maths = re.findall(r"\$([^$]+)\$|\\\((.+?)\\\)|\\\[(.+?)\\\]", line)
    if maths:
        return next(group for group in maths[-1] if group).strip()
    return line.rstrip(".").strip()
