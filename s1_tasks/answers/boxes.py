r"""Complete `\boxed{...}`, however nested, in one pass over the text."""

import re

_BOX = re.compile(r"\\(?:boxed|fbox|framebox|beginboxed|boxed\s*\\text|Boxed)(?![a-zA-Z])[ \t\n]{0,8}")
_BRACE = re.compile(r"\\.|[{}]", re.DOTALL)
_BARE = re.compile(r"-?\$?(?:\\[a-zA-Z]+|[^\s$\\{},;]+)")
_MAX_UNFINISHED = 50


def boxes(text: str) -> list[tuple[str, int, int]]:
    r"""(content, start, end) of every complete box, in order; of nested boxes the innermost that says all.

    `\boxed 5` counts, `\boxed{5` and `\boxed` do not.
    """
    found: list[tuple[str, int, int]] = []
    position = unfinished = 0
    while match := _BOX.search(text, position):
        position = match.end()
        if text[position : position + 1] != "{":
            bare = _BARE.match(text, position) if match.group()[-1].isspace() else None
            if bare:
                found.append((bare.group(), match.start(), bare.end()))
            continue
        end = closing_brace(text, position)
        if end is None:
            unfinished += 1
            if unfinished > _MAX_UNFINISHED:  # each costs a pass over the rest of the text
                break
            continue
        content = text[position + 1 : end].strip()
        inner = _BOX.match(content)
        if inner is None or closing_brace(content, inner.end()) != len(content) - 1:
            found.append((content, match.start(), end + 1))
            position = end + 1
    return found


def closing_brace(text: str, opening: int) -> int | None:
    """The index of the brace that closes the one at `opening`, or None; escaped braces do not count."""
    depth = 0
    for match in _BRACE.finditer(text, opening):
        if match.group() == "{":
            depth += 1
        elif match.group() == "}":
            depth -= 1
            if depth == 0:
                return match.start()
    return None
