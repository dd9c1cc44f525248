"""`s1_hf`: budget forcing on transformers, as lm_eval's own HFLM with another `generate_until`.

Model, tokenizer, chat template, adapters, quantization and loglikelihood are HFLM's; decoding is in `hf_decoding`.
"""

from __future__ import annotations

import inspect
import logging
from typing import Any

from lm_eval.models.huggingface import HFLM
from transformers import BitsAndBytesConfig, PreTrainedModel

from s1_models.hf_decoding import HFEngine
from s1_models.hf_sampling import SAMPLING_NAMES
from s1_models.lm import BudgetForcingLM, default_options
from s1_models.options import ALIASES, OPTIONS, OptionError, check_known, split_options

logger = logging.getLogger(__name__)

# What lm_eval hands on to `from_pretrained`, beside what stands in its signature.
_LOADING_NAMES = {
    *("attn_implementation", "device_map", "max_memory", "low_cpu_mem_usage", "torch_dtype", "variant"),
    *("offload_buffers", "use_kernels", "experts_implementation", "load_in_4bit", "load_in_8bit"),
    *("quantization_config", "rope_parameters", "code_revision"),
}
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

    def __init__(
        self, pretrained: Any = None, seed: int = 1234, kv_cache_memory_bytes: int | None = None, **arguments: Any
    ) -> None:
        if pretrained is None:
            raise OptionError("s1_hf needs to know its model: --model_args pretrained=MODEL")
        ours, rest = split_options(arguments)
        for name in rest.keys() & SAMPLING_NAMES:
            raise OptionError(f"{name} is a sampling option: put it into --gen_kwargs {name}={rest[name]}")
        check_known(rest, [*OPTIONS, *ALIASES, *sorted(MODEL_ARGUMENTS)], "model argument")
        self.budget_defaults = default_options(ours, self.sampling_names)
        self.default_seed = int(seed)
        super().__init__(pretrained=pretrained, **rest)
        self.eos_ids = _eos_ids(self.tokenizer, self.model)
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

    def _choose_rows(self) -> int:
        """Sessions decoded at a time. lm_eval's default is batch_size=1, which nobody means here."""
        if self.batch_size_per_gpu not in (1, "auto"):
            return int(self.batch_size_per_gpu)
        logger.info(
            "s1_hf decodes up to %d questions at a time (batch_size=%s; max_batch_size=N or batch_size=N for N)",
            self.max_batch_size,
            self.batch_size_per_gpu,
        )
        return int(self.max_batch_size)


def _eos_ids(tokenizer: Any, model: Any) -> frozenset[int]:
    """Ids that end a generation: the tokenizer's, and those of the model's generation config (may be a list)."""
    configured = getattr(model.generation_config, "eos_token_id", None)
    ids = [tokenizer.eos_token_id, *(configured if isinstance(configured, list) else [configured])]
    return frozenset(int(i) for i in ids if i is not None)
