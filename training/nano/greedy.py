"""A quick look at a nano model: greedy budget forcing in transformers, whole batch at once.

For training-time checks and for comparing engines; measurements that are reported come from `s1_vllm`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from s1_models.formats import S1, encode
from training.render import FINAL_ANSWER, prompt_ids

ANSWER = re.compile(re.escape(FINAL_ANSWER) + r"\s*(\d{1,3})\b")


@dataclass
class Attempt:
    """One question's run. ids: prompt, thinking and answer with everything forced, without the final end token."""

    ids: list[int]
    thinking: list[int] = field(default_factory=list)
    answer: str = ""
    waits_used: int = 0
    cut_off: bool = False

    @property
    def value(self) -> int | None:
        """The answer as a number, None when there is none."""
        found = ANSWER.search(self.answer)
        return int(found[1]) if found else None


@torch.no_grad()
def continue_greedily(
    model: LlamaForCausalLM, prefixes: Sequence[Sequence[int]], stops: Sequence[int], max_new_tokens: int
) -> list[tuple[list[int], bool]]:
    """New tokens of each prefix, up to (not including) a stop token, and whether a stop token ended them."""
    pad = model.config.pad_token_id
    longest = max(len(prefix) for prefix in prefixes)
    ids = torch.tensor([[pad] * (longest - len(prefix)) + list(prefix) for prefix in prefixes])
    mask = torch.tensor([[0] * (longest - len(prefix)) + [1] * len(prefix) for prefix in prefixes])
    output = model.generate(
        ids,
        attention_mask=mask,
        max_new_tokens=max_new_tokens,
        do_sample=False,
        eos_token_id=list(stops),
        pad_token_id=pad,
    )
    replies = []
    for row in output[:, longest:].tolist():
        end = next((at for at, token in enumerate(row) if token in stops), None)
        replies.append((row[:end], end is not None))
    return replies


def run(
    model: LlamaForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    questions: Sequence[str],
    num_waits: int = 0,
    wait_text: str = "Wait",
    max_thinking_tokens: int = 400,
) -> list[Attempt]:
    """Budget forcing for all questions, in rounds: s1's rules with one thinking budget per question, waits included."""
    stops = [tokenizer.convert_tokens_to_ids(text) for text in S1.stops]
    wait, newline = encode(tokenizer, wait_text), encode(tokenizer, "\n")
    attempts = [Attempt([*prompt_ids(tokenizer, question), *encode(tokenizer, S1.start)]) for question in questions]
    thinking = list(attempts)
    while thinking:
        left = max(max_thinking_tokens - len(attempt.thinking) for attempt in thinking)
        replies = continue_greedily(model, [attempt.ids for attempt in thinking], stops, left)
        going_on = []
        for attempt, (tokens, stopped) in zip(thinking, replies, strict=True):
            room = max_thinking_tokens - len(attempt.thinking)
            attempt.cut_off = len(tokens) > room or not stopped
            _think(attempt, tokens[:room])
            room -= len(tokens)
            if attempt.cut_off:
                missing = [] if attempt.ids[-1] in newline else newline
                attempt.ids += [*missing, *encode(tokenizer, f"{S1.end}\n{FINAL_ANSWER}")]
                attempt.answer = FINAL_ANSWER
            elif attempt.waits_used < num_waits and tokens and room > len(wait):
                _think(attempt, wait)
                attempt.waits_used += 1
                going_on.append(attempt)
            else:
                attempt.ids += encode(tokenizer, S1.end)
        thinking = going_on
    replies = continue_greedily(model, [attempt.ids for attempt in attempts], [tokenizer.eos_token_id], 16)
    for attempt, (tokens, _) in zip(attempts, replies, strict=True):
        attempt.ids += tokens
        attempt.answer += tokenizer.decode(tokens)
    return attempts


def _think(attempt: Attempt, tokens: Sequence[int]) -> None:
    attempt.ids += tokens
    attempt.thinking += tokens


def accuracy(attempts: Sequence[Attempt], answers: Sequence[int]) -> float:
    """Share of attempts with the right value, 0 to 1."""
    return sum(attempt.value == answer for attempt, answer in zip(attempts, answers, strict=True)) / len(attempts)
