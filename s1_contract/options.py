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
PROMPT_STYLE: Final = "prompt_style"
THINK_FOR: Final = "think_for"
REASONING_EFFORT: Final = "reasoning_effort"
"""How much a hosted model is asked to think, in a word of its own."""
RESPONSE: Final = "response"
MEMO: Final = "memo"
POLICY: Final = "policy"

MIN_TOKENS_THINKING: Final = "min_tokens_thinking"
THINKING_N_IGNORE: Final = "thinking_n_ignore"
REJECTION_SAMPLE: Final = "rejection_sample"
ALIASES: Final[Mapping[str, str]] = {
    "max_tokens_thinking": MAX_THINKING_TOKENS,
    MIN_TOKENS_THINKING: MIN_THINKING_TOKENS,
    THINKING_N_IGNORE: NUM_WAITS,
    "thinking_n_ignore_str": WAIT_TEXT,
    REJECTION_SAMPLE: REJECTION_TRIES,
}
"""s1's own names (its lm-evaluation-harness fork, vllm_causallms.py) -> ours."""

MAX_GEN_TOKS: Final = "max_gen_toks"
ENABLE_THINKING: Final = "enable_thinking"
THINKING_START: Final = "thinking_start"
THINKING_END: Final = "thinking_end"
UNTIL_THINKING: Final = "until_thinking"
UNTIL_THINKING_2: Final = "until_thinking_2"
S1_FORMAT_OPTIONS: Final = (THINKING_START, THINKING_END, UNTIL_THINKING, UNTIL_THINKING_2)
"""s1's way of spelling a thinking format out."""

BUDGET_OPTIONS: Final = (
    *(NUM_WAITS, WAIT_TEXT, MAX_THINKING_TOKENS, MIN_THINKING_TOKENS, MAX_ANSWER_TOKENS, FINAL_ANSWER_TEXT),
    *(REJECTION_TRIES, REJECTION_FALLBACK, MAX_GEN_TOKS, POLICY),
)
"""How long the model may think and answer."""
PROMPT_OPTIONS: Final = (THINKING_FORMAT, CHAT_TEMPLATE, ENABLE_THINKING, PROMPT_STYLE, THINK_FOR, *S1_FORMAT_OPTIONS)
"""What is put around the question."""

SAME_TOKENS: Final = frozenset(
    {
        # Where and how fast: batches, parallel engines, memory, connections.
        *("batch_size", "max_batch_size", "max_in_flight", "max_num_seqs", "max_num_batched_tokens", "num_concurrent"),
        *("tensor_parallel_size", "pipeline_parallel_size", "data_parallel_size", "distributed_executor_backend"),
        *("gpu_memory_utilization", "kv_cache_memory_bytes", "block_size", "swap_space", "cpu_offload_gb", "device"),
        *("device_map", "parallelize", "max_memory", "max_memory_per_gpu", "max_cpu_memory", "offload_folder"),
        *("offload_buffers", "low_cpu_mem_usage", "enforce_eager", "enable_prefix_caching", "enable_chunked_prefill"),
        *("compilation_config", "replicas", "ray_address", "max_retries", "timeout", "eos_string", "header"),
        # Loading and logging.
        *("cache_dir", "download_dir", "force_download", "local_files_only", "use_safetensors", "weights_only"),
        *("token", "hf_token", "api_key", "trust_remote_code", "disable_log_stats", "logits_cache", "softmax_dtype"),
        *("use_fast_tokenizer", "tokenizer_backend", "enable_lora", "max_loras", "max_lora_rank", MEMO),
    }
)
"""Model args that leave the tokens alone, or change no more of them than another machine does.

Every other model arg belongs to what a run is: two runs that differ in one are two runs.
"""
