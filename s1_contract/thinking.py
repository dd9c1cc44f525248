"""The delimiters that model families put around their thinking; nothing else in the project spells one."""

from __future__ import annotations

from typing import NamedTuple


class Delimiters(NamedTuple):
    """start opens the thinking, end closes it; both as text."""

    start: str
    end: str


S1 = Delimiters("<|im_start|>think", "<|im_start|>answer")
THINK = Delimiters("<think>", "</think>")
HARMONY = Delimiters("<|channel|>analysis<|message|>", "<|end|><|start|>assistant<|channel|>final<|message|>")
PROMPTED = Delimiters("<thinking>", "</thinking>")
