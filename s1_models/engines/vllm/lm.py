"""`s1_vllm`: budget forcing on vLLM, as lm_eval's own VLLM class with another `generate_until`.

A wait is one more request whose prefix vLLM still has in its prefix cache. No logits processor is used: their
interface differs between vLLM's model runners.
"""

from __future__ import annotations

import importlib.metadata
import json
import logging
import multiprocessing
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from lm_eval.models.vllm_causallms import VLLM
from vllm import LLM
from vllm.platforms import current_platform

from s1_models.driver import EngineError
from s1_models.engines.vllm.arguments import MODEL_ARGUMENTS, SAME_TOKENS, SAMPLING_NAMES, cpu_defaults, parallel_sizes
from s1_models.engines.vllm.engine import VLLMEngine
from s1_models.engines.vllm.processes import end_with_us, shut_down_at_exit
from s1_models.engines.vllm.start_up import CURES, Overheard
from s1_models.harness.lm import BudgetForcingLM, end_ids
from s1_models.harness.loading import check_places, errors_as_sentences, explain
from s1_models.harness.prompts import refuse_mistral_tokenizer
from s1_models.memo.fingerprint import fingerprint_model
from s1_models.options import DEFAULT_MODEL, take_thinking_switch

if TYPE_CHECKING:
    from s1_models.engines.ray import RayEngine

logger = logging.getLogger(__name__)


class S1VLLM(BudgetForcingLM, VLLM):  # type: ignore[misc]
    """lm_eval's VLLM with budget forcing (`--model s1_vllm`).

    Takes everything VLLM takes, and num_waits, wait_text, max_thinking_tokens, min_thinking_tokens,
    max_answer_tokens, final_answer_text, thinking_format and chat_template (see README, "Options").
    """

    sampling_names = SAMPLING_NAMES
    model_arguments = MODEL_ARGUMENTS

    def load(self, pretrained: str = DEFAULT_MODEL, **arguments: Any) -> None:
        """Starts vLLM, or its replicas, and connects the driver to it."""
        sizes = parallel_sizes(arguments)
        refuse_mistral_tokenizer(mode=arguments.get("tokenizer_mode"))
        for name in arguments.keys() & {"max_gen_toks", "truncation_side"}:
            logger.warning("%s has no effect on how s1_vllm generates (max_answer_tokens limits the answer)", name)
        self.template_thinks = take_thinking_switch(arguments)
        self._given = {"pretrained": pretrained, **arguments}
        started_with = {**(cpu_defaults(arguments) if current_platform.is_cpu() else {}), **arguments}
        places = {"pretrained": pretrained, **{name: arguments.get(name) for name in ("tokenizer", "lora_local_path")}}
        check_places(places)
        with self.identified_while_loading(*places.values()):
            others = multiprocessing.active_children()
            self._start(pretrained, started_with)
            if sizes["data_parallel_size"] > 1:
                replicas = self._start_replicas(sizes, self._given)
                self.engine, self.facts = replicas, replicas.facts
            else:
                engine_processes = [child for child in multiprocessing.active_children() if child not in others]
                end_with_us([process.pid for process in engine_processes if process.pid])
                shut_down_at_exit(self.model.llm_engine.engine_core)
                self.facts = _facts(self.tokenizer, self.model)
                known_ids = max(self.tokenizer.get_vocab().values()) + 1
                self.engine = VLLMEngine(self.model, known_ids, self.lora_request, engine_processes)
        self.default_seed = int(self.model_args["seed"])
        self.eos_ids = self.facts["eos_ids"]
        # A few more than the engine decodes at a time, so that a place that becomes free is taken at once; not
        # all, so that a continuing session finds its prefix in the cache.
        capacity = self.facts["capacity"]
        self.max_in_flight = sizes["data_parallel_size"] * (capacity + max(1, capacity // 8))

    def _start(self, pretrained: str, arguments: Mapping[str, Any]) -> None:
        """Starts vLLM as lm_eval does. Raises EngineError: one sentence, with the engine process's own cause."""
        listening = Overheard()
        try:
            with errors_as_sentences("s1_vllm", pretrained, CURES), listening:
                self.load_host(pretrained=pretrained, **arguments)
        except EngineError as error:
            if cause := listening.cause():
                raise EngineError(f"s1_vllm could not load {pretrained}: {explain(cause, CURES)}") from error
            raise

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
        others = {name: value for name, value in given.items() if name not in SAME_TOKENS and name != "pretrained"}
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
