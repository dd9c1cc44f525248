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
THOUGHT = Delimiters("<thought>", "</thought>")
SEED = Delimiters("<seed:think>", "</seed:think>")
MISTRAL = Delimiters("[THINK]", "[/THINK]")
KIMI = Delimiters("◁think▷", "◁/think▷")
OPEN_THOUGHTS = Delimiters("<|begin_of_thought|>", "<|end_of_thought|>")
COMMAND = Delimiters("<|START_THINKING|>", "<|END_THINKING|>")
GEMMA = Delimiters("<|channel>thought", "<channel|>")
MINIMAX = Delimiters("<mm:think>", "</mm:think>")
GRANITE = Delimiters("Here is my thought process:", "Here is my response:")
"""Ordinary words, so they are not looked for in a text of unknown origin."""

FAMILIES = (
    *(S1, THINK, PROMPTED, THOUGHT, SEED, MISTRAL, KIMI, OPEN_THOUGHTS, COMMAND, GEMMA, MINIMAX),
    Delimiters("<reasoning>", "</reasoning>"),
    Delimiters("<reflection>", "</reflection>"),
    Delimiters("<|channel|>analysis", "<|channel|>final<|message|>"),  # HARMONY, as looser templates print it
)
"""Every pair that is looked for in a text of unknown origin."""

COMMAND_ANSWER = Delimiters("<|START_RESPONSE|>", "<|END_RESPONSE|>")
OPEN_THOUGHTS_ANSWER = Delimiters("<|begin_of_solution|>", "<|end_of_solution|>")
ANSWERS = (
    Delimiters("<response>", "</response>"),
    COMMAND_ANSWER,
    OPEN_THOUGHTS_ANSWER,
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
