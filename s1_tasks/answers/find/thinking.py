"""Where the answer begins: after the last end-of-thinking delimiter of whatever model family wrote the text."""

import re

# (opening of the thinking, its end); an opening without a later end is unfinished thinking.
_DELIMITERS = (
    ("<|im_start|>think", "<|im_start|>answer"),
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("<thought>", "</thought>"),
    ("<reasoning>", "</reasoning>"),
    ("<seed:think>", "</seed:think>"),
    ("[THINK]", "[/THINK]"),
    ("◁think▷", "◁/think▷"),
    ("<|begin_of_thought|>", "<|end_of_thought|>"),
    ("<|START_THINKING|>", "<|END_THINKING|>"),
    ("<|channel|>analysis", "<|channel|>final<|message|>"),
    ("<|channel>thought", "<channel|>"),
)
_STEPS_LEFT = re.compile(r"<\|im_start\|>\d{1,7} (?:steps|tokens) left")
"""s1's step control: the thinking is cut into counted pieces, and what ends the last one is the answer's delimiter."""
_BARE_ANALYSIS = re.compile(r"\s*analysis(?=[^\s\w.,:;!?'-]|[A-Z\d])")
"""gpt-oss decoded without its special tokens: "analysisWe add ... assistantfinalThe answer is"."""
_BARE_FINAL = "assistantfinal"
_TURN_START = "<|im_start|>assistant"
_NEXT_TURN = re.compile(
    r"<\|(?:im_end|endoftext|eot_id|end|return|eom_id|end_of_text|end_of_solution|END_RESPONSE)\|>|<\|im_start\|>|"
    r"<end_of_turn>|</s>|<｜end▁of▁sentence｜>|<turn\|>"
)


def final_part(text: str) -> str | None:
    """What follows the last end of thinking, up to the end of the turn; None when the thinking is unfinished."""
    start = 0
    for opening, end in _DELIMITERS:
        last_end = text.rfind(end)
        if _last_opening(text, opening) > last_end:
            return None
        if last_end >= 0:
            start = max(start, last_end + len(end))
    steps = [match.start() for match in _STEPS_LEFT.finditer(text)]
    if steps and steps[-1] >= start:
        return None
    if _BARE_ANALYSIS.match(text):
        final = text.rfind(_BARE_FINAL)
        if final < 0:
            return None
        start = max(start, final + len(_BARE_FINAL))
    turn = text.rfind(_TURN_START)
    if turn >= start:
        start = turn + len(_TURN_START)
    part = text[start:]
    for match in _NEXT_TURN.finditer(part):
        if part[: match.start()].strip():
            return part[: match.start()]
    return part


def _last_opening(text: str, opening: str) -> int:
    """Where thinking opens last, or -1; a delimiter in backticks is talked about, not used."""
    last = text.rfind(opening)
    while last > 0 and text[last - 1] == "`":
        last = text.rfind(opening, 0, last)
    return last
