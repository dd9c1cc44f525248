"""What vLLM and lm_eval's class for it take, and which of it changes tokens."""

from __future__ import annotations

import inspect
import os
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from lm_eval.models.vllm_causallms import VLLM
from vllm import LLM, EngineArgs, SamplingParams

from s1_models.options import OptionError

# vLLM's own defaults on a CPU compile the model and claim 92 % of the memory; with these it starts in half the time
# and beside other programs. Anything the user says wins.
# Small blocks because only whole ones stay in the prefix cache: with vLLM's 128 tokens a short session would be read
# again from its start after every wait.
CPU_DEFAULTS = {"enforce_eager": True, "kv_cache_memory_bytes": 2**30, "block_size": 32}

# Decided by the session (or able to break its budget), not by the user's sampling options.
_OURS = {
    *("max_tokens", "min_tokens", "stop", "stop_token_ids", "ignore_eos", "detokenize", "output_kind", "n"),
    "skip_clone",
    *("thinking_token_budget", "repetition_detection", "stream_interval", "include_stop_str_in_output"),
}
SAMPLING_NAMES = frozenset(
    name for name in inspect.signature(SamplingParams).parameters if not name.startswith("_") and name not in _OURS
)
# Model args that leave the tokens as they are (or change their rounding only, as the batch does), and those that
# `identify` names one by one. Every other one a user gives is part of the identity.
SAME_TOKENS = frozenset(
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
        *(argument.name for argument in fields(EngineArgs)),
        "device",  # the harness's CLI always passes it
    }
    - {"self", "kwargs", "model"}
)


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


def cpu_defaults(given: Mapping[str, Any]) -> dict[str, Any]:
    """CPU_DEFAULTS, less the size of the cache where the user says how much memory to take."""
    sized = "gpu_memory_utilization" in given or os.environ.get("VLLM_CPU_KVCACHE_SPACE")
    return {name: value for name, value in CPU_DEFAULTS.items() if not (sized and name == "kv_cache_memory_bytes")}
