"""The delimiters that model families put around their thinking; nothing else in the project spells one."""

from __future__ import annotations

from typing import NamedTuple


class Delimiters(NamedTuple):
    """start opens the thinking (or the answer), end closes it; both as text."""

    start: str
    end: str


S1 = Delimiters("<|im_start|>think", "<|im_start|>answer")
THINK = Delimiters("<think>", "</think>")
HARMONY = Delimiters("<|channel|>analysis<|message|>", "<|end|><|start|>assistant<|channel|>final<|message|>")
PROMPTED = Delimiters("<thinking>", "</thinking>")

FAMILIES = (
    S1,
    THINK,
    PROMPTED,
    Delimiters("<thought>", "</thought>"),
    Delimiters("<reasoning>", "</reasoning>"),
    Delimiters("<reflection>", "</reflection>"),
    Delimiters("<seed:think>", "</seed:think>"),
    Delimiters("[THINK]", "[/THINK]"),
    Delimiters("◁think▷", "◁/think▷"),
    Delimiters("<|begin_of_thought|>", "<|end_of_thought|>"),
    Delimiters("<|START_THINKING|>", "<|END_THINKING|>"),
    Delimiters("<|channel|>analysis", "<|channel|>final<|message|>"),  # HARMONY, as looser templates print it
    Delimiters("<|channel|>thought", "<channel|>"),
)
"""Every pair that is looked for in a text of unknown origin."""

ANSWERS = (
    Delimiters("<response>", "</response>"),
    Delimiters("<|START_RESPONSE|>", "<|END_RESPONSE|>"),
    Delimiters("<|begin_of_solution|>", "<|end_of_solution|>"),
)
"""Pairs that some families (Granite, Command, Sky-T1) put around the answer itself."""
TURN_START = "<|im_start|>assistant"
TURN_ENDS = (
    "<|im_end|>", "<|endoftext|>", "<|eot_id|>", "<|end|>", "<|return|>", "<|eom_id|>", "<|end_of_text|>",
    "<|im_start|>", "<end_of_turn>", "</s>", "<eos>", "[/INST]", "<｜end▁of▁sentence｜>", "<turn|>",
)  # fmt: skip
"""Texts that end a turn: what follows one is not the model's answer."""
BARE_ANALYSIS, BARE_FINAL = "analysis", "assistantfinal"
"""Harmony decoded without its special tokens: "analysisWe add ...assistantfinalThe answer is"."""
