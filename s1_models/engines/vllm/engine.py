"""The Engine protocol on a running vLLM: requests in, token ids out."""

from __future__ import annotations

import logging
import time
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

from vllm import LLM, SamplingParams, TokensPrompt
from vllm.sampling_params import RequestOutputKind

from s1_models.driver import EngineError, reply_without_unknown
from s1_models.engines.vllm.processes import report_death
from s1_models.forcing import Finish, Reply, Request, Tokens

logger = logging.getLogger(__name__)

# vLLM hands over what a request has generated this often, in tokens: often enough to lose little when killed, seldom
# enough to cost nothing (benchmarks/bench_memo.py).
PARTIAL_EVERY_TOKENS = 4


@dataclass(slots=True)
class _InFlight:
    """A request in vLLM, the ids it sampled so far, and how many of its first ids are known to the tokenizer."""

    key: Hashable
    request: Request
    sampled: list[int] = field(default_factory=list)
    known: int = 0


def _sampling_of(request: Request) -> dict[str, Any]:
    """The request's sampling as vLLM spells it."""
    given = dict(request.sampling)
    if given.get("logit_bias"):
        given["logit_bias"] = dict(given["logit_bias"])  # type: ignore[call-overload]
    return given


class VLLMEngine:
    """The Engine protocol on a running `vllm.LLM`.

    known_ids: token ids below this are known to the tokenizer; others are dropped (a model's embedding may be larger
    than its vocabulary, and vLLM refuses to read back what it sampled from the rest). processes: the engine's own
    child processes, watched for their death.
    """

    def __init__(self, llm: LLM, known_ids: int, lora_request: Any = None, processes: Sequence[Any] = ()) -> None:
        self._engine = llm.llm_engine
        self._known_ids = known_ids
        self._lora_request = lora_request
        self._in_flight: dict[str, _InFlight] = {}
        self._submitted = 0
        self.context_window: int = self._engine.model_config.max_model_len
        report_death(self._engine.engine_core, processes)

    def submit(self, key: Hashable, request: Request) -> None:
        self._submitted += 1
        name = f"s1-{self._submitted}"
        self._in_flight[name] = _InFlight(key, request)  # first, so that an interrupt from here on cancels it
        try:
            params = SamplingParams(
                max_tokens=request.max_tokens,
                min_tokens=request.min_tokens,
                stop_token_ids=list(request.stop),
                ignore_eos=True,  # the end-of-text ids are among the stops, where they are wanted
                detokenize=False,
                output_kind=RequestOutputKind.DELTA,
                stream_interval=PARTIAL_EVERY_TOKENS,
                **_sampling_of(request),
            )
            prompt = TokensPrompt(prompt_token_ids=list(request.prefix))
            self._engine.add_request(name, prompt, params, lora_request=self._lora_request)
        except Exception as error:  # vLLM's own errors share no base class
            del self._in_flight[name]
            raise EngineError(f"vLLM refused a request: {error}") from error

    def poll(self, timeout_seconds: float | None = None) -> Sequence[tuple[Hashable, Reply]]:
        deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        while self._in_flight:
            try:
                outputs = self._engine.step()  # blocks for one decoding step
            except Exception as error:
                raise EngineError(f"vLLM died: {error}") from error
            # After a cancel vLLM may still hand out what it had generated.
            ours = [output for output in outputs if output.request_id in self._in_flight]
            for output in ours:
                self._in_flight[output.request_id].sampled += output.outputs[0].token_ids
            finished = [output for output in ours if output.finished]
            if finished or (deadline is not None and time.monotonic() >= deadline):
                return [self._reply(output) for output in finished]
        return []

    def partial(self) -> Sequence[tuple[Hashable, Tokens]]:
        for one in self._in_flight.values():
            while one.known < len(one.sampled) and self._knows(one.sampled[one.known]):
                one.known += 1
        return [(one.key, tuple(one.sampled[: one.known])) for one in self._in_flight.values()]

    def cancel(self) -> None:
        names, self._in_flight = list(self._in_flight), {}
        try:
            self._engine.abort_request(names)
        except Exception as error:  # an engine that died has nothing left to abort
            logger.debug("vLLM could not abort %d requests: %s", len(names), error)

    def _reply(self, output: Any) -> tuple[Hashable, Reply]:
        done = self._in_flight.pop(output.request_id)
        reason = output.outputs[0].finish_reason
        if reason not in ("stop", "length"):
            raise EngineError(f"vLLM ended a request with {reason!r} ({output.request_id})")
        stopped = reason == "stop"
        if stopped and done.sampled and done.sampled[-1] in done.request.stop:
            done.sampled.pop()
        finish = Finish.STOP if stopped else Finish.LENGTH
        return done.key, reply_without_unknown(tuple(done.sampled), finish, self._known_ids)

    def _knows(self, token: int) -> bool:
        return token < self._known_ids
