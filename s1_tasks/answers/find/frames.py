r"""What models put around an answer: answer tags, JSON, ornaments, programs, the turn of another speaker."""

import json
import re

_TAG = re.compile(
    r"<(?P<tag>(?:final_?)?(?:answer|solution|conclusion|result|output)|final)>|\[(?P<square>(?:final )?answer)\]|"
    r"(?P<box><\|begin_of_box\|>)",
    re.IGNORECASE,
)
_KEY = re.compile(
    r"[\"'](?:final|correct)?[_ ]?(?:answer|choice|option|letter)[\"']\s{0,9}:\s{0,9}"
    r"(?:(?P<double>\"(?:[^\"\\]|\\.){0,3000}\")|'(?P<single>[^'\n]{0,3000})'|"
    r"(?P<bare>\[[^\[\]\n]{0,3000}\]|[^\s,{}\"']{1,300}))",
    re.IGNORECASE,
)
_HTML = re.compile(r"</?(?:b|i|strong|em|u|p|center|span)>|<br ?/?>", re.IGNORECASE)
_CALCULATOR = re.compile(r"<<[^<>\n]{0,200}>>")
"""<<9*2=18>> in GSM8K"""
_ORNAMENT = re.compile("[\U0001f000-\U0001faff\u2700-\u2775\u2794-\u27bf\u2611\u2b50\ufe0f]+")
_QED = re.compile(
    r"[\s$.]*(?:\\q?quad|\\;|\\,)?\s{0,3}"
    r"(?:\\(?:blacksquare|square|qed|Box)(?![a-zA-Z])|[∎■□◼]|\bQ\.?E\.?D\b\.?)(?P<math>[\s$\])\\]*)$"
)
_RULE = re.compile(r"\n[-*_]{3,20}$")
_OPEN_FORMULA = re.compile(r"(?:^|\s)\$(?=[^\s\d])[^$]*$")
_OPEN_END = re.compile(
    r"(?:[=+/^,(<:&-]|\ban?|"
    r"\b(?i:then|so|the|and|or|is|are|of|to|with|that|by|for|we|which|where|if|as|at|from|than|has|have|be|"
    r"this|since|because|thus|therefore|hence|when|would|gives?|get|require|into))\s*$"
)


def unframed(part: str, after: int = 0) -> str | None:
    """What the last answer tag or JSON "answer" key holds, if it begins at or behind `after`; None without one."""
    tags = list(_TAG.finditer(part, after))
    if tags:
        last = tags[-1]
        rest = part[last.end() :]
        closing = "<|end_of_box|>" if last["box"] else f"</{last['tag']}>" if last["tag"] else f"[/{last['square']}]"
        end = rest.lower().find(closing.lower())
        content = rest if end < 0 else rest[:end]
        return content if content.strip() else None
    keys = list(_KEY.finditer(part, after))
    if not keys:
        return None
    key = keys[-1]
    return _json_text(key["double"]) if key["double"] else key["single"] or key["bare"]


def _json_text(quoted: str) -> str:
    try:
        text = json.loads(quoted, strict=False)
    except ValueError:  # "\frac" with a single backslash is no JSON, but plain enough
        return quoted[1:-1]
    # "\frac" and "\boxed" are JSON with a form feed and a backspace, which nobody meant
    return str(text).replace("\f", r"\f").replace("\b", r"\b").replace("\t", r"\t")


def without_ornaments(part: str) -> str:
    """Without HTML emphasis, calculator notes, emoji, check marks and end-of-proof signs."""
    if "<" in part:
        part = _CALCULATOR.sub("", _HTML.sub("", part))
    if not part.isascii():
        part = _ORNAMENT.sub(" ", part)
    part = _RULE.sub("", part.rstrip())
    qed = _QED.search(part, max(0, len(part) - 60))
    return part[: qed.start()] + qed["math"] if qed else part


def breaks_off(part: str) -> bool:
    """Whether a text ends in the middle of a formula or of a sentence."""
    end = part.rstrip()
    if end[-1:] in ".!?" or not end:
        return False
    paragraph = end[end.rfind("\n\n") + 1 :][-2_000:]
    if paragraph.replace(r"\$", "").count("$") % 2 and _OPEN_FORMULA.search(paragraph):
        return True
    return _OPEN_END.search(end[-20:]) is not None


_PROGRAMS = frozenset(
    {"python", "py", "sympy", "cpp", "c", "java", "javascript", "js", "sage", "asy", "bash", "sh", "r"}
)


def without_programs(part: str) -> str:
    """Without the code of programs, and without the fences around what they print."""
    pieces = part.split("```")
    for index in range(1, len(pieces), 2):
        name, _, content = pieces[index].partition("\n")
        if name.strip().lower() in _PROGRAMS:
            pieces[index] = "\n"
        elif index + 1 < len(pieces) or content.strip():
            pieces[index] = "\n" + (content if name.strip().isalpha() or not name.strip() else pieces[index])
    return "".join(pieces) if len(pieces) > 1 else part


_NEXT_SPEAKER = re.compile(r"\n\s{0,9}(?:Human|User|Question|Problem|Q)\s?:")


def own_turn(part: str) -> str:
    """Without the turn of another speaker, or the next question, that a model goes on to write."""
    speaker = _NEXT_SPEAKER.search(part)
    return part[: speaker.start()] if speaker and part[: speaker.start()].strip() else part
