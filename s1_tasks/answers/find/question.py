"""What the question's own text says about an answer that names several values: which of them was asked for."""

import re

_NAME = r"\\?[a-zA-Z]+(?:_\{?\w+\}?)?"
_ASKED = re.compile(
    rf"\b(?:find|determine|compute|calculate|what\sis|value\sof|solve\sfor)\s(?:the\svalue\sof\s)?\$?({_NAME})\$?(?=[\s.?,$]|$)",
    re.IGNORECASE,
)
_JOINED = re.compile(r"\s*(?:[,;]|\\q?quad|\\text\s?\{\s*(?:and|,)\s*\}|\band\b)\s*")
_EQUATION = re.compile(rf"[\s$]*({_NAME})\s*=\s*([^=]+?)[\s$.]*")
_MAX_CHARS = 300


def asked_value(answer: str, question: str) -> str:
    """5 of "x = 2, y = 5" where the question asks for y; any other answer as it stands."""
    pieces = [piece for piece in _JOINED.split(answer) if piece.strip(" $")] if len(answer) < _MAX_CHARS else []
    equations = [_EQUATION.fullmatch(piece) for piece in pieces]
    values = {equation[1]: equation[2] for equation in equations if equation is not None}
    asked = _ASKED.findall(question[-2_000:])
    if len(values) < 2 or len(values) != len(pieces) or not asked:
        return answer
    return values.get(asked[-1], answer)
