r"""Complete `\boxed{...}`, however nested, in one pass over the text."""

import re

_BOX = re.compile(
    r"(?:\\(?:boxed|fbox|framebox|beginboxed|boxed\s*\\text|Boxed)(?![a-zA-Z])[ \t\n]{0,8}|(?<![\\\w])boxed(?=\{))"
)
_BRACE = re.compile(r"\\.|[{}]", re.DOTALL)
_BARE = re.compile(r"-?\$?(?:\\[a-zA-Z]+|[^\s$\\{},;]+)")


_MAX_BOXES = 64


def last_boxes(text: str) -> list[tuple[str, int, int]]:
    """The last boxes of a text: as `boxes`, for a text that may hold thousands."""
    start = len(text)
    for _ in range(_MAX_BOXES):
        earlier = text.rfind("box", 0, start)
        if earlier < 0:
            break
        start = earlier
    start = max(0, start - 10)
    return [(content, first + start, end + start) for content, first, end in boxes(text[start:])]


def boxes(text: str) -> list[tuple[str, int, int]]:
    r"""(content, start, end) of every complete box, in order; of nested boxes the innermost that says all.

    `\boxed 5` and `\boxed5` count, `\boxed{5` and `\boxed` do not.
    """
    first = _BOX.search(text)
    if first is None:
        return []
    closing = _closing_braces(text, first.start())
    found: list[tuple[str, int, int]] = []
    position = first.start()
    while match := _BOX.search(text, position):
        position = match.end()
        if text[position : position + 1] != "{":
            apart = match.group()[-1].isspace() or text[position : position + 1].isdecimal()
            bare = _BARE.match(text, position) if apart else None
            if bare:
                found.append((bare.group(), match.start(), bare.end()))
            continue
        end = closing.get(position)
        if end is None:
            continue
        inner = _BOX.match(text, position + 1)
        if inner is None or text[closing.get(inner.end(), end) + 1 : end].strip():
            found.append((text[position + 1 : end].strip(), match.start(), end + 1))
            position = end + 1
    return found


def _closing_braces(text: str, start: int) -> dict[int, int]:
    """opening -> closing of every brace pair from `start` on; escaped braces do not count."""
    pairs: dict[int, int] = {}
    opened: list[int] = []
    for match in _BRACE.finditer(text, start):
        if match.group() == "{":
            opened.append(match.start())
        elif match.group() == "}" and opened:
            pairs[opened.pop()] = match.start()
    return pairs
