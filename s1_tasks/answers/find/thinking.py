"""Where the answer begins: after the last end-of-thinking delimiter of whatever model family wrote the text."""

import re

from s1_contract.thinking import ANSWERS, BARE_ANALYSIS, BARE_FINAL, FAMILIES, TURN_ENDS, TURN_START

MAX_TEXT_CHARS = 2_000_000
"""Longer outputs are read from their end only."""
_OPENINGS = {pair.start: family for family, pair in enumerate(FAMILIES)}
_ENDS = {pair.end: family for family, pair in enumerate(FAMILIES)}
_ANSWERS = frozenset(pair.start for pair in ANSWERS)
_TURN_ENDS = (*TURN_ENDS, *(pair.end for pair in ANSWERS))


def _any_of(marks: list[str]) -> str:
    return "|".join(re.escape(mark) for mark in sorted(marks, key=len, reverse=True))


def _by_first_character() -> list[tuple[str, re.Pattern[str]]]:
    """One pattern for each first character: a pattern that begins with a literal is found fast."""
    marks = [*_OPENINGS, *_ENDS, *_ANSWERS, TURN_START]
    return [
        (first, re.compile(re.escape(first) + f"(?:{_any_of([mark[1:] for mark in marks if mark[0] == first])})"))
        for first in sorted({mark[0] for mark in marks})
    ]


_MARKS = _by_first_character()
_STEPS_LEFT = re.compile(r"<\|im_start\|>\d{1,7} (?:steps|tokens) left")
"""s1's step control: the thinking is cut into counted pieces, and what ends the last one is the answer's delimiter."""
_STEP_START = "<|im_start|>"
_ANALYSIS = re.compile(rf"\s{{0,20}}{BARE_ANALYSIS}(?=[^\s\w.,:;!?'-]|[A-Z\d])")
_NEXT_TURN = re.compile(_any_of(list(_TURN_ENDS)))
_CLOSING = re.compile(rf"(?:{_any_of(list(_ENDS))}|</(?P<tag>\w{{1,20}})>)\s{{0,20}}\Z")
_SAID_FINALLY = re.compile(r"(?:^|\n)[*#_ ]{0,6}final answer[*_ ]{0,4}[:：][^\n]*\s*$", re.IGNORECASE)


def final_part(text: str) -> str | None:
    """What follows the last end of thinking, up to the end of the turn; None when the thinking is unfinished.

    A response that says where its answer begins (`answer_start`) is taken at its word.
    """
    start = getattr(text, "answer_start", None)
    if start is not None:
        return _without_last_end(_turn(str(text)[start:]))
    text = text[-MAX_TEXT_CHARS:]
    start = _answer_start(text)
    if start is None:
        return None
    if _ANALYSIS.match(text):
        final = text.rfind(BARE_FINAL)
        if final < 0:
            return None
        start = max(start, final + len(BARE_FINAL))
    if _STEP_START in text and any(step.start() >= start for step in _STEPS_LEFT.finditer(text)):
        return None
    return _without_last_end(_turn(text[start:]))


def _answer_start(text: str) -> int | None:
    """The index behind the delimiter that the answer follows; None when thinking opens and does not end."""
    opened: dict[int, int] = {}
    ended: dict[int, int] = {}
    starts = [0]
    answer = 0
    for first, pattern in _MARKS:
        if first not in text:
            continue
        for match in pattern.finditer(text):
            mark = match.group()
            if mark in _OPENINGS:
                if text[max(0, match.start() - 1)] != "`":  # in backticks it is talked about, not used
                    opened[_OPENINGS[mark]] = match.start()
            elif mark in _ENDS:
                ended[_ENDS[mark]] = match.start()
                starts.append(match.end())
            else:
                answer = max(answer, match.end())
    if any(place > ended.get(family, -1) for family, place in opened.items()):
        return None
    start = max(starts)
    if answer < start and not _turn(text[start:]).strip():  # nothing follows: the model has closed once more
        closed = _closed_again(text, start, sorted(starts), bool(opened))
        return closed if closed is not None else start
    return max(start, answer)


def _closed_again(text: str, end: int, starts: list[int], opened: bool) -> int | None:
    """Where the answer begins that the last delimiter, with nothing behind it, ends; None when there is none.

    Behind an earlier end stands the answer. Without one all is thinking, unless it says its final answer.
    """
    before = [start for start in starts if 0 < start < end]
    if before:
        return before[-1] if _without_last_end(text[before[-1] : end]).strip() else None
    return 0 if not opened and _SAID_FINALLY.search(_without_last_end(text)[-2_000:]) else None


def _without_last_end(part: str) -> str:
    """Without an end of thinking at the very end."""
    closing = _CLOSING.search(part, max(0, len(part) - 60))
    if closing is None or (closing["tag"] and f"<{closing['tag']}>" in part):
        return part
    return part[: closing.start()]


def _turn(part: str) -> str:
    """The first turn of `part` that says something; "" when none does."""
    start = 0
    for match in _NEXT_TURN.finditer(part):
        turn = part[start : match.start()]
        if turn.strip():
            return turn
        start = match.end()
    return part[start:]
