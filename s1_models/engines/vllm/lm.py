"""`s1_vllm`: budget forcing on vLLM, as lm_eval's own VLLM class with another `generate_until`.

A wait is one more request whose prefix vLLM still has in its prefix cache. No logits processor is used: their
interface differs between vLLM's model runners.
"""

from __future__ import annotations

import atexit
import dataclasses
import importlib.metadata
import inspect
import json
import logging
import multiprocessing
import multiprocessing.connection
import os
import threading
import time
import weakref
from collections.abc import Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from s1_models.driver import Engine, EngineError
from s1_models.engines.vllm.cpu_build import find_cpu_build
from s1_models.engines.vllm.orphans import end_with_us
from s1_models.forcing import Finish, Reply, Request, Tokens
from s1_models.harness.lm import BudgetForcingLM, default_options, end_ids
from s1_models.memo.fingerprint import fingerprint_model
from s1_models.options import OptionError, split_model_arguments, take_thinking_switch

find_cpu_build()  # before lm_eval, which asks for the version of vLLM

from lm_eval.models.vllm_causallms import VLLM  # noqa: E402
from vllm import LLM, EngineArgs, SamplingParams, TokensPrompt  # noqa: E402
from vllm.platforms import current_platform  # noqa: E402
from vllm.sampling_params import RequestOutputKind  # noqa: E402

if TYPE_CHECKING:
    from s1_models.engines.ray import RayEngine

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
# Model args that leave the tokens as they are (or change their rounding only, as the batch does), and those that
# `identify` names one by one. Every other one a user gives is part of the identity.
_SAME_TOKENS = frozenset(
    {
        *("revision", "dtype", "quantization", "tokenizer", "tokenizer_revision", "lora_local_path", "max_model_len"),
        *("max_length", "device", "batch_size", "max_batch_size", "max_gen_toks", "max_num_seqs", "seed", "swap_space"),
        *("gpu_memory_utilization", "kv_cache_memory_bytes", "block_size", "max_num_batched_tokens", "enforce_eager"),
        *("enable_prefix_caching", "enable_chunked_prefill", "tensor_parallel_size", "pipeline_parallel_size"),
        *("distributed_executor_backend", "data_parallel_size", "cpu_offload_gb", "disable_log_stats", "download_dir"),
        *("max_lora_rank", "max_loras", "enable_lora", "hf_token", "compilation_config"),
        # What the prompt is made with: the prompt's ids are in the key.
        *("add_bos_token", "prefix_token_id", "enable_thinking", "chat_template_args", "tokenizer_mode"),
        *("think_end_token", "truncation_side"),
    }
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
PARTIAL_EVERY_TOKENS = 4


@dataclasses.dataclass(slots=True)
class _InFlight:
    """A request in vLLM, the ids it sampled so far, and how many of its first ids are known to the tokenizer."""

    key: Hashable
    request: Request
    sampled: list[int] = dataclasses.field(default_factory=list)
    known: int = 0


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
        ours, rest = split_model_arguments(arguments, SAMPLING_NAMES, MODEL_ARGUMENTS)
        sizes = parallel_sizes(rest)
        for name in rest.keys() & {"max_gen_toks", "think_end_token", "truncation_side"}:
            logger.warning("%s has no effect on how s1_vllm generates (max_answer_tokens limits the answer)", name)
        self.budget_defaults = default_options(ours, self.sampling_names)
        self.template_thinks = take_thinking_switch(rest)
        self._given = {"pretrained": pretrained, **rest}
        if current_platform.is_cpu():
            rest = {**_cpu_defaults(rest), **rest}
        self.engine: Engine
        with self.identified_while_loading(pretrained, rest.get("tokenizer"), rest.get("lora_local_path")):
            others = multiprocessing.active_children()
            super().__init__(pretrained=pretrained, **rest)
            if sizes["data_parallel_size"] > 1:
                self.engine = self._start_replicas(sizes, {**arguments, "pretrained": pretrained})
                self.facts = self.engine.facts
            else:
                engine_processes = [child for child in multiprocessing.active_children() if child not in others]
                end_with_us([process.pid for process in engine_processes if process.pid])
                _shut_down_at_exit(self.model.llm_engine.engine_core)
                self.facts = _facts(self.tokenizer, self.model)
                known_ids = max(self.tokenizer.get_vocab().values()) + 1
                self.engine = VLLMEngine(self.model, known_ids, self.lora_request, engine_processes)
        self.default_seed = int(self.model_args["seed"])
        self.eos_ids = self.facts["eos_ids"]
        # A few more than the engine decodes at a time, so that a place that becomes free is taken at once; not
        # all, so that a continuing session finds its prefix in the cache.
        capacity = self.facts["capacity"]
        self.max_in_flight = sizes["data_parallel_size"] * (capacity + max(1, capacity // 8))

    @staticmethod
    def _start_replicas(sizes: Mapping[str, int], arguments: Mapping[str, Any]) -> RayEngine:
        """One engine per replica, each this class again in an actor's process."""
        try:
            from s1_models.engines.ray import RayEngine
        except ImportError as error:
            raise EngineError('data_parallel_size > 1 needs Ray: pip install "lm-eval-s1[ray]"') from error
        gpus = 0 if current_platform.is_cpu() else sizes["tensor_parallel_size"] * sizes["pipeline_parallel_size"]
        one = {name: value for name, value in arguments.items() if name != "data_parallel_size"}
        one["memo"] = "off"  # what is remembered is remembered here: a replica may be on another machine
        return RayEngine("s1_models.engines.vllm.lm:S1VLLM", one, sizes["data_parallel_size"], gpus)

    def _model_generate(self, requests: list[list[int]], generate: bool = False, sampling_params: Any = None) -> Any:
        """The host's, for loglikelihood; with replicas on those: the host would start engines beside them."""
        if self.data_parallel_size == 1:
            return super()._model_generate(requests, generate, sampling_params)
        return cast("RayEngine", self.engine).scatter("_model_generate", requests)

    def identify(self) -> dict[str, str]:
        """Everything that changes the tokens: another value of any of these is served nothing from a memo.

        The length of the context is part of it only where positions are scaled, which may depend on it.
        """
        given, facts = self._given, self.facts
        tokenizer, lora = given.get("tokenizer"), given.get("lora_local_path")
        others = {name: value for name, value in given.items() if name not in _SAME_TOKENS and name != "pretrained"}
        return {
            "engine": f"vllm {importlib.metadata.version('vllm')} on {current_platform.device_type}",
            "weights": fingerprint_model(given["pretrained"], given.get("revision")),
            "tokenizer": fingerprint_model(tokenizer, given.get("tokenizer_revision")) if tokenizer else "the model's",
            "dtype": facts["dtype"],
            "quantization": facts["quantization"],
            "lora": fingerprint_model(lora) if lora else "none",
            "max_model_len": str(self.engine.context_window) if facts["positions_scaled"] else "any",
            "other arguments": json.dumps(others, sort_keys=True, default=repr),
        }


def _shut_down_at_exit(engine_core: Any) -> None:
    """Ends the engine before multiprocessing waits for its processes.

    vLLM's own finalizer may come after that wait, which then never ends: when a program that still holds its model
    used a finalizer (a TemporaryDirectory) before it first imported multiprocessing.
    """
    client = weakref.ref(engine_core)

    def shut_down() -> None:
        if (still := client()) is not None:
            still.shutdown()

    atexit.register(shut_down)


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


def parallel_sizes(arguments: Mapping[str, Any]) -> dict[str, int]:
    """The three parallel sizes among model args, as numbers. Raises OptionError."""
    sizes = {}
    for name in ("data_parallel_size", "tensor_parallel_size", "pipeline_parallel_size"):
        text = str(arguments.get(name, 1))
        if not text.isdecimal() or text == "0":
            raise OptionError(f"{name}={text}: expected a whole number of at least 1")
        sizes[name] = int(text)
    if sizes["data_parallel_size"] > 1 and arguments.get("distributed_executor_backend") == "ray":
        raise OptionError(
            "data_parallel_size > 1 with distributed_executor_backend=ray: every replica is a Ray actor already, and "
            "vLLM's own Ray executor inside it would wait for the same GPUs: leave distributed_executor_backend out"
        )
    return sizes


def _facts(tokenizer: Any, llm: LLM) -> dict[str, Any]:
    """What is known of an engine only once it runs, wherever it runs.

    eos_ids: ids that end a generation. capacity: requests decoded at a time. positions_scaled: the model's positions
    depend on the context's length.
    """
    config = llm.llm_engine.model_config
    scaling: Any = getattr(config.hf_config, "rope_parameters", getattr(config.hf_config, "rope_scaling", None))
    return {
        "eos_ids": end_ids(tokenizer, config.try_get_generation_config().get("eos_token_id")),
        "capacity": llm.llm_engine.vllm_config.scheduler_config.max_num_seqs,
        "dtype": str(config.dtype),
        "quantization": str(config.quantization),
        "positions_scaled": bool(scaling) and scaling.get("rope_type", scaling.get("type")) != "default",
    }


def _cpu_defaults(given: Mapping[str, Any]) -> dict[str, Any]:
    """CPU_DEFAULTS, less the size of the cache where the user says how much memory to take."""
    sized = "gpu_memory_utilization" in given or os.environ.get("VLLM_CPU_KVCACHE_SPACE")
    return {name: value for name, value in CPU_DEFAULTS.items() if not (sized and name == "kv_cache_memory_bytes")}
