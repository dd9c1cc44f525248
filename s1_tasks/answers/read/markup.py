r"""TeX that says something by how it is set: `\text{ m/s}` after a number, `\quad` between equations, bars, vectors.

These rewrites come before `normalise` drops spaces, fonts and sizes, and with them what they say. Each is linear.
"""

import re

_TEXT = r"\\(?:text|mathrm|textrm|mbox)\s*\{[\s~]*"
_NOT = re.compile(r"\\not\s*(=|\\(?:in|equiv)(?![a-zA-Z]))")
_NEGATED = {"=": r"\ne ", r"\in": r"\notin ", r"\equiv": r"\ne "}
_CLOCK = re.compile(rf"(?<=\d)[\s~]*{_TEXT}([ap])\.?\s?m\.?\s*\}}\.?", re.IGNORECASE)
_COLON = re.compile(r"(?<=\d)\s*\\text\s*\{:\}\s*(?=\d)")
_UNIT = r"(?!(?:e|i|d|x|pi)\b)[a-zA-Z]{1,3}"
_UNIT_TEXT = re.compile(
    rf"(?<=[\d}})])[\s~]*{_TEXT}({_UNIT}(?:\s?/\s?{_UNIT}(?:\^\d)?)?)\.?\s*\}}(?=\^|\s*(?:[.,;$]|$))"
)
_UNIT_FRACTION = re.compile(
    rf"\\[dt]?frac\s*\{{\s*{_TEXT}({_UNIT})\s*\}}\s*\}}\s*\{{\s*{_TEXT}({_UNIT})\s*\}}(\^\{{?\d\}}?)?\s*\}}"
)
_BAR = r"(?:\\[rl]?vert(?![a-zA-Z])|\||\\mid(?![a-zA-Z]))"
_SUCH_THAT = re.compile(rf"\\left\s?\.([^|]{{1,80}}?)\\right\s?{_BAR}|\\left\s?{_BAR}([^|]{{1,300}}?)\\right\s?\.")
_BOLD_SET = re.compile(r"(?:\\(?:mathbf|boldsymbol|bm)|(?<=\\in)\s?\\mathrm|(?<=\\in )\\mathrm)\s*\{\s*([RZNQ])\s*\}")
_QUAD = re.compile(r"\\q?quad(?![a-zA-Z])")
_VECTOR = r"\\(?:vec|overrightarrow|mathbf|bm|boldsymbol)(?![a-zA-Z])"
_RAY = re.compile(r"\\(?:vec|overrightarrow)\s*\{\s*([A-Z])\s*([A-Z])\s*\}")
_CROSS = re.compile(rf"({_VECTOR}\s*(?:\{{[^{{}}]{{1,20}}\}}|[a-zA-Z])\s*)\\times(?=\s*{_VECTOR})")
_SYSTEM = re.compile(r"\\left\s?\\\{\s*\\begin\s?\{(?:array|aligned|matrix)\}")
_SYSTEM_END = re.compile(r"\\end\s?\{(?:array|aligned|matrix)\}\s*\\right\s?\.")
_NORM = re.compile(r"\\\|([^|]{1,200}?)\\\|")
_MAPS = re.compile(r"([a-zA-Z])\s*(?::|\\colon)\s*([a-zA-Z])\s*\\mapsto(?![a-zA-Z])")
_UNITS_SET = re.compile(r"(?<=[\d}])(?:[\s~]|\\[ ,;:])*\\mathrm\s*\{([^{}]*\^\{-?\d\}[^{}]*)\}")
_CURRENCY = re.compile(r"^\s*(?:\\text\s*\{\s*)?(USD|US\$|Rs\.?|INR|EUR|GBP)\s*\}?\s*(?=\d)")
_CURRENCIES = {"U": r"\dollar ", "R": r"\rupee ", "I": r"\rupee ", "E": r"\euro ", "G": r"\pound "}
_ABBREVIATION = re.compile(r"\b(sq|cu|ft|in|yd|hr|min|sec|no|approx)\.(?=\s+[a-z])")
_ROW_END = re.compile(r"\\\\(?=\s*[a-zA-Z](?:_\{?\w{1,3}\}?)?\s*=)")


def meaningful(text: str) -> str:
    """`text` with what its typesetting says spelled out: units, clock times, bars, vectors, gaps between equations."""
    if r"\left" in text and _SYSTEM.search(text):
        text = _SYSTEM_END.sub(r"\\end{cases}", _SYSTEM.sub(r"\\begin{cases}", text))
    if r"\|" in text:
        text = _NORM.sub(r"\\lvert \1 \\rvert ", text)
    if r"\mapsto" in text:
        text = _MAPS.sub(r"\1(\2) = ", text)
    if r"\not" in text:
        text = _NOT.sub(lambda match: _NEGATED[match.group(1)], text)
    if r"\left" in text and r"\{" in text:
        text = _SUCH_THAT.sub(lambda match: f"{match[1]} \\mid " if match[1] else f"\\mid {match[2]}", text)
    if r"\text" in text or r"\mathrm" in text or r"\mbox" in text:
        text = _COLON.sub(":", text)
        text = _CLOCK.sub(r" \\word{\1m}", text)
        text = _ABBREVIATION.sub(r"\1", text)
        text = _UNITS_SET.sub(r" \1", text)
        text = _UNIT_FRACTION.sub(r"\\text{ \1/\2}\3", text)
        text = _UNIT_TEXT.sub(_unit_words, text)
    if r"\math" in text or r"\b" in text:
        text = _BOLD_SET.sub(r"\\mathbb{\1}", text)
    if r"\vec" in text or r"\overrightarrow" in text:
        text = _RAY.sub(r"\\ray{\1\2}", text)
    if r"\times" in text:
        text = _CROSS.sub(r"\1\\cross ", text)
    if "quad" in text:
        pieces = _QUAD.split(text)
        text = (" , " if all("=" in piece for piece in pieces) else " ").join(pieces)
    return text


def currency_first(text: str) -> str:
    """`USD 20`, `Rs. 500`"""
    return _CURRENCY.sub(lambda match: _CURRENCIES[match[1][0]], text)


def separate_rows(text: str) -> str:
    r"""`a = 3 \\ b = 4` outside an environment: the row end separates, and is no doubled backslash."""
    return text if r"\begin" in text else _ROW_END.sub(" , ", text)


def _unit_words(match: re.Match[str]) -> str:
    return re.sub(r"([a-zA-Z]+)", r"\\word{\1}", f" {match.group(1)}")
