"""What a response says about its own cost. The same names in traces, samples, result tables and records."""

from __future__ import annotations

from typing import TypedDict


class Usage(TypedDict, total=False):
    """The accounting of one response. Counts are tokens unless the name says otherwise.

    thinking_tokens: sampled thinking plus forced waits. answer_tokens: sampled answer. waits_used: how often the end of
    thinking was suppressed. cut_off, answer_cut_off: 1 when the limit ended the thinking or the answer, else 0.
    thinking_limit: what the thinking was allowed, after the prompt took its room. dropped_tokens: sampled ids that the
    tokenizer does not know. tries, rejected_tokens: rejection sampling only; thinkings drawn, and tokens thrown away.
    """

    thinking_tokens: int
    answer_tokens: int
    waits_used: int
    cut_off: int
    answer_cut_off: int
    thinking_limit: int
    dropped_tokens: int
    tries: int
    rejected_tokens: int


FORMER_NAMES = {"waits": "waits_used"}
"""Names in files of version 0.1.0 -> the name of today."""
