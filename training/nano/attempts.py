"""A nano model's answers in transformers: the one budget forcing, through the one driver, on the engine of `s1_hf`.

For the numbers on a checkpoint's card, for looking at a model and for its own slips. What is reported elsewhere comes
from `s1_vllm` (`training.nano.measure`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from s1_models.driver import Job, run_jobs
from s1_models.engines.hf.decoding import HFEngine
from s1_models.forcing import Budget, BudgetForcing, Phase, Policy, Session, Tokens
from s1_models.formats import S1, mark, stop_ids
from s1_models.policies.plain import PlainAnswer
from training.render import FINAL_ANSWER, prompt_ids

ANSWER = re.compile(re.escape(FINAL_ANSWER) + r"\s*(\d{1,3})\b")
ROWS_AT_ONCE = 256  # of the engine's cache; a nano model is too small for fewer to be as fast


def ask(
    model: LlamaForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    questions: Sequence[str],
    num_waits: int = 0,
    wait_text: str = "Wait",
    max_thinking_tokens: int = 400,
) -> list[Session]:
    """Greedy budget forcing for all questions, in their order."""
    budget = Budget(num_waits, wait_text, max_thinking_tokens, max_answer_tokens=16, final_answer_text=FINAL_ANSWER)
    window = model.config.max_position_embeddings
    marks = mark(tokenizer, S1, budget, frozenset({tokenizer.eos_token_id}))
    policy = BudgetForcing(budget, marks, window)
    return _run(model, tokenizer, policy, [tuple(prompt_ids(tokenizer, question)) for question in questions])


def continue_greedily(
    model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, prefixes: Sequence[Tokens], max_new_tokens: int
) -> list[str]:
    """What the model writes after each prefix (token ids) until it ends its thinking, as text."""
    policy = PlainAnswer(max_new_tokens, stop_ids(tokenizer, S1.stops), model.config.max_position_embeddings)
    sessions = _run(model, tokenizer, policy, prefixes)
    return [tokenizer.decode([token for span in session.spans for token in span.tokens]) for session in sessions]


def value_of(tokenizer: PreTrainedTokenizerFast, session: Session) -> int | None:
    """The number that a session answers, None when there is none."""
    answer = [token for span in session.spans if span.phase is Phase.ANSWERING for token in span.tokens]
    found = ANSWER.search(tokenizer.decode(answer))
    return int(found[1]) if found else None


def accuracy(tokenizer: PreTrainedTokenizerFast, sessions: Sequence[Session], answers: Sequence[int]) -> float:
    """Share of sessions with the right value, 0 to 1."""
    right = sum(value_of(tokenizer, one) == answer for one, answer in zip(sessions, answers, strict=True))
    return right / len(sessions)


def _run(
    model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, policy: Policy, prompts: Sequence[Tokens]
) -> list[Session]:
    jobs = [Job(policy, tuple(prompt), sampling=(("temperature", 0.0),)) for prompt in prompts]
    known = max(tokenizer.get_vocab().values()) + 1
    window = model.config.max_position_embeddings
    return run_jobs(jobs, HFEngine(model, context_window=window, known_ids=known, max_rows=ROWS_AT_ONCE))
