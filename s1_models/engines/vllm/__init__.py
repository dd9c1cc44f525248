"""s1_vllm: budget forcing on vLLM, in this process."""
