"""Formulas with a slip of the pen: a brace too many or too few, a lost backslash. For what cannot be read as it is."""

import re

_LOST_BACKSLASH = re.compile(r"(?<![\\a-zA-Z])([dt]?frac|sqrt|text|mathrm|binom)(?=\s?\{)")
_BRACE = re.compile(r"\\.|[{}]", re.DOTALL)


def mended(text: str) -> str:
    """`text` with backslashes before braces where a command was meant, and with as many braces closed as opened."""
    if "{" not in text and "}" not in text:
        return text
    text = _LOST_BACKSLASH.sub(r"\\\1", text)
    kept: list[str] = []
    depth = position = 0
    for match in _BRACE.finditer(text):
        if match.group() == "}" and not depth:
            kept.append(text[position : match.start()])
            position = match.end()
        depth = max(0, depth + {"{": 1, "}": -1}.get(match.group(), 0))
    return "".join(kept) + text[position:] + "}" * depth
