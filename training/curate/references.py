"""The reference models' attempts: each answers every question once, on any engine of s1_models, remembered in a memo.

No thinking is forced: the chat template with a user turn, then the model's own text (s1: temperature 0.05, up to 32,768
tokens). With a memo, a run that is killed goes on where it was, inside a reply as well.
"""

from __future__ import annotations

import gc
import importlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tqdm import tqdm

from s1_models.driver import Engine, Job, run_jobs
from s1_models.forcing import BudgetError, Reply, Session
from s1_models.harness.plugin import MODELS
from s1_models.memo.memo import Memo
from s1_models.policies.plain import PlainAnswer
from training.curate.stage import CurationError, Row
from training.render import prompt_ids


@dataclass(frozen=True, slots=True)
class Reference:
    """A model that a question must be too hard for. model: one of our model names; model_args: its arguments."""

    name: str
    model: str = "s1_vllm"
    model_args: Mapping[str, Any] = field(default_factory=dict)
    max_answer_tokens: int = 32_768
    temperature: float = 0.05
    seed: int = 0


DEFAULT_REFERENCES = (
    Reference("qwen2.5-7b", model_args={"pretrained": "Qwen/Qwen2.5-7B-Instruct"}),
    Reference("qwen2.5-32b", model_args={"pretrained": "Qwen/Qwen2.5-32B-Instruct", "tensor_parallel_size": 2}),
)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One answer: its text, its tokens, and whether the token limit cut it off."""

    text: str
    tokens: int
    cut_off: bool


def attempt_all(lm: Any, reference: Reference, rows: Sequence[Row], memo: Path | None) -> dict[str, Attempt]:
    """The attempts of one model at all rows, by row id. A question too long for its context is a failed attempt.

    lm: one of our model classes, started: `engine`, `tokenizer`, `eos_ids`, `max_in_flight`, and for a memo
    `model_identity`.
    """
    with ExitStack() as stack:
        engine: Engine = lm.engine
        if memo is not None:
            memo.parent.mkdir(parents=True, exist_ok=True)
            engine = stack.enter_context(Memo(engine, memo, lm.model_identity()))
        policy = PlainAnswer(reference.max_answer_tokens, frozenset(lm.eos_ids), engine.context_window)
        sampling = (("seed", reference.seed), ("temperature", reference.temperature))
        asked, jobs = [], []
        attempts = {}
        for row in rows:
            job = Job(policy, tuple(prompt_ids(lm.tokenizer, row["question"])), f"question {row['id']}", sampling)
            try:
                policy.begin(job.prompt)
            except BudgetError:
                attempts[row["id"]] = Attempt("", 0, cut_off=True)
                continue
            asked.append(row["id"])
            jobs.append(job)
        with _Bar(reference.name, len(jobs)) as bar:
            sessions = run_jobs(jobs, engine, max_in_flight=lm.max_in_flight, progress=bar)
    for key, session in zip(asked, sessions, strict=True):
        tokens = [token for span in session.spans for token in span.tokens]
        text = lm.tokenizer.decode(tokens, skip_special_tokens=False)
        attempts[key] = Attempt(text, len(tokens), session.answer_cut_off)
    return attempts


@contextmanager
def started(reference: Reference) -> Iterator[Any]:
    """A reference model, running; its memory is free again afterwards, so that the next one has room."""
    if reference.model not in MODELS:
        raise CurationError(f"reference {reference.name}: model is {reference.model!r}; expected {', '.join(MODELS)}")
    module, _, name = MODELS[reference.model].partition(":")
    lm = getattr(importlib.import_module(module), name)(**reference.model_args)
    try:
        yield lm
    finally:
        # Replicas on Ray are closed by their engine, vLLM in this process by its core; the others hold nothing else.
        core = getattr(getattr(getattr(lm, "model", None), "llm_engine", None), "engine_core", None)
        for stop in (getattr(lm.engine, "close", None), getattr(core, "shutdown", None)):
            if stop is not None:
                stop()
        del lm
        gc.collect()


Opener = Callable[[Reference], Any]
"""Of a reference model: a context manager that gives its running model."""


class _Bar:
    """A progress bar over questions with the tokens so far."""

    def __init__(self, name: str, total: int) -> None:
        self._bar = tqdm(total=total, desc=f"Attempts of {name}", unit="question", smoothing=0.05)
        self._tokens = 0

    def update(self, session: Session, reply: Reply, *, done: bool) -> None:
        self._tokens += len(reply.tokens)
        self._bar.set_postfix_str(f"{self._tokens:,} tokens", refresh=False)
        self._bar.update(int(done))

    def __enter__(self) -> _Bar:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()
