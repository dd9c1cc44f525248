"""s1_vllm: budget forcing on vLLM in this process. May import vllm, lm_eval's class for it, and harness, memo, driver.

Importing this room makes lm_eval find vLLM's CPU build, where that is the one that is installed.
"""

from s1_models.engines.vllm.cpu_build import find_cpu_build

find_cpu_build()  # before lm_eval's class, which asks for the version of vLLM
