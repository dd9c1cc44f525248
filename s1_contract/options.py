"""Names of the options that change what a model says: model args, generation options, budgets in records."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

NUM_WAITS: Final = "num_waits"
WAIT_TEXT: Final = "wait_text"
MAX_THINKING_TOKENS: Final = "max_thinking_tokens"
MIN_THINKING_TOKENS: Final = "min_thinking_tokens"
MAX_ANSWER_TOKENS: Final = "max_answer_tokens"
FINAL_ANSWER_TEXT: Final = "final_answer_text"
REJECTION_TRIES: Final = "rejection_tries"
REJECTION_FALLBACK: Final = "rejection_fallback"
THINKING_FORMAT: Final = "thinking_format"
CHAT_TEMPLATE: Final = "chat_template"
THINK_FOR: Final = "think_for"
MEMO: Final = "memo"

ALIASES: Final[Mapping[str, str]] = {
    "max_tokens_thinking": MAX_THINKING_TOKENS,
    "min_tokens_thinking": MIN_THINKING_TOKENS,
    "thinking_n_ignore": NUM_WAITS,
    "thinking_n_ignore_str": WAIT_TEXT,
    "rejection_sample": REJECTION_TRIES,
}
"""s1's own names (its lm-evaluation-harness fork, vllm_causallms.py) -> ours."""
