"""`s1_hf`: budget forcing on transformers, as lm_eval's own HFLM with another `generate_until`.

Model, tokenizer, chat template, adapters, quantization and loglikelihood are HFLM's; decoding is in `hf_decoding`.
"""

from __future__ import annotations

import importlib.metadata
import inspect
import json
import logging
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from lm_eval.models.huggingface import HFLM
from transformers import BitsAndBytesConfig, PreTrainedModel

from s1_models.engines.hf.decoding import HFEngine
from s1_models.engines.hf.positions import depend_on_length
from s1_models.engines.hf.sampling import SAMPLING_NAMES
from s1_models.harness.lm import BudgetForcingLM, end_ids
from s1_models.harness.loading import check_places, errors_as_sentences
from s1_models.memo.fingerprint import fingerprint_model
from s1_models.memo.store import MemoError
from s1_models.options import OptionError, at_least_one, take_thinking_switch

logger = logging.getLogger(__name__)

# What lm_eval hands on to `from_pretrained`, beside what stands in its signature.
_LOADING_NAMES = {
    *("attn_implementation", "device_map", "max_memory", "low_cpu_mem_usage", "torch_dtype", "variant"),
    *("offload_buffers", "use_kernels", "experts_implementation", "load_in_4bit", "load_in_8bit"),
    *("quantization_config", "rope_parameters", "code_revision"),
}
# Model args that leave the tokens as they are, and those that `identify` names one by one. Every other one a
# user gives is part of the identity.
_SAME_TOKENS = frozenset(
    {
        *("revision", "dtype", "torch_dtype", "tokenizer", "peft", "delta", "device", "device_map", "parallelize"),
        *("batch_size", "max_batch_size", "max_length", "max_memory", "max_memory_per_gpu", "max_cpu_memory"),
        *("offload_folder", "offload_buffers", "low_cpu_mem_usage", "cache_dir", "force_download", "local_files_only"),
        *("token", "use_safetensors", "weights_only", "truncation"),
        *("logits_cache", "softmax_dtype", "think_end_token"),
        # What the prompt is made with: the prompt's ids are in the key.
        *("add_bos_token", "prefix_token_id", "chat_template_args", "use_fast_tokenizer"),
    }
)
# Model args that name something else to load, beside the weights.
_ADDED = ("tokenizer", "peft", "delta")
_BITSANDBYTES = frozenset(inspect.signature(BitsAndBytesConfig.__init__).parameters) - {"self", "kwargs"}
MODEL_ARGUMENTS = frozenset(
    {
        *inspect.signature(HFLM.__init__).parameters,
        *inspect.signature(PreTrainedModel.from_pretrained).parameters,
        *inspect.signature(BitsAndBytesConfig.__init__).parameters,
        *_LOADING_NAMES,
        *("seed", "kv_cache_memory_bytes"),
    }
    - {"self", "kwargs", "model_args", "pretrained_model_name_or_path", "config"}
)


class S1HF(BudgetForcingLM, HFLM):  # type: ignore[misc]
    """lm_eval's HFLM with budget forcing (`--model s1_hf`).

    Takes everything HFLM takes, num_waits and the other options of README, "Options", and: seed (of sampling, 1234),
    kv_cache_memory_bytes (on each device; default: a part of what is free).
    """

    sampling_names = SAMPLING_NAMES
    model_arguments = MODEL_ARGUMENTS

    def load(
        self, pretrained: Any = None, seed: int = 1234, kv_cache_memory_bytes: int | None = None, **arguments: Any
    ) -> None:
        """Loads the model as HFLM does, and makes the engine that decodes with it."""
        if pretrained is None:
            raise OptionError("s1_hf needs to know its model: --model_args pretrained=MODEL")
        for name in arguments.keys() & {"truncation"}:
            logger.warning("%s has no effect on how s1_hf generates", name)
        self.default_seed = int(seed)
        self.template_thinks = take_thinking_switch(arguments)
        self._given = {"pretrained": pretrained, **arguments}
        places = {"pretrained": self._weights_place(), **{name: arguments.get(name) for name in _ADDED}}
        check_places(places)
        with self.identified_while_loading(*places.values()), errors_as_sentences("s1_hf", pretrained):
            # HFLM's own default is "cuda", also where there is none; "" is what there is.
            self.load_host(pretrained=pretrained, **{**arguments, "device": arguments.get("device") or ""})
        self.eos_ids = end_ids(self.tokenizer, getattr(self.model.generation_config, "eos_token_id", None))
        self.max_in_flight = self._choose_rows()
        self.engine = HFEngine(
            self.model,
            context_window=self.max_length,
            known_ids=max(self.tokenizer.get_vocab().values()) + 1,
            max_rows=self.max_in_flight,
            kv_cache_memory_bytes=None if kv_cache_memory_bytes is None else int(kv_cache_memory_bytes),
            device=self.device,
            autocast=self.mixed_precision_dtype,
        )

    def _create_model(self, pretrained: Any, *others: Any, quantization_config: Any = None, **arguments: Any) -> None:
        """The host's, with bitsandbytes' options as the one argument that transformers 5 takes for them."""
        asked = {name: arguments.pop(name) for name in _BITSANDBYTES & arguments.keys()}
        if asked.get("load_in_4bit") or asked.get("load_in_8bit"):
            if find_spec("bitsandbytes") is None:
                raise OptionError("load_in_4bit and load_in_8bit need bitsandbytes: pip install bitsandbytes")
            quantization_config = BitsAndBytesConfig(**asked)
        super()._create_model(pretrained, *others, quantization_config=quantization_config, **arguments)

    def _weights_place(self) -> Any:
        """Where the weights are: a name, or a folder, of which `subfolder` may be meant."""
        pretrained, subfolder = self._given["pretrained"], self._given.get("subfolder")
        if isinstance(pretrained, str) and subfolder and Path(pretrained).expanduser().is_dir():
            return str(Path(pretrained) / subfolder)
        return pretrained

    def identify(self) -> dict[str, str]:
        """Everything that changes the tokens: another value of any of these is served nothing from a memo."""
        given, config = self._given, self.model.config
        if not isinstance(given["pretrained"], str):
            raise MemoError("a model that was passed as an object cannot be told from another one: memo=off")
        others = {name: value for name, value in given.items() if name not in _SAME_TOKENS and name != "pretrained"}
        revision = given.get("revision")
        added = {name: given.get(name) for name in _ADDED}
        return {
            "engine": f"transformers {importlib.metadata.version('transformers')} on {self.device.type}",
            "weights": fingerprint_model(self._weights_place(), revision),
            **{name: fingerprint_model(value, revision) if value else "none" for name, value in added.items()},
            "dtype": f"{self.model.dtype}, mixed {self.mixed_precision_dtype}",
            "quantization": json.dumps(getattr(config, "quantization_config", None), sort_keys=True, default=repr),
            "other arguments": json.dumps(others, sort_keys=True, default=repr),
            **({"positions": f"of {self.max_length} tokens"} if depend_on_length(config) else {}),
        }

    def _choose_rows(self) -> int:
        """Sessions decoded at a time. lm_eval's default is batch_size=1, which nobody means here."""
        if self.batch_size_per_gpu not in (1, "auto"):
            return at_least_one("batch_size", self.batch_size_per_gpu)
        logger.info(
            "s1_hf decodes up to %d questions at a time (batch_size=%s; max_batch_size=N or batch_size=N for N)",
            self.max_batch_size,
            self.batch_size_per_gpu,
        )
        return at_least_one("max_batch_size", self.max_batch_size)
