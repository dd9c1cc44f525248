"""`s1-eval serve`: `vllm serve` that starts with either build of vLLM, set as `s1_vllm` sets its engine"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from s1_models.driver import EngineError
from s1_models.engines.vllm.cpu_build import find_cpu_build
from s1_models.nano_model import find_model

DESCRIPTION = """\
Serves a model with vLLM, for s1_openai and s1_chat: the `vllm serve` of the installed build. Beside it stands what
vLLM's CPU build needs to start at all, and on a CPU the settings of s1_vllm (no graph compilation, 1 GiB of cache).
Every option of `vllm serve` can be added and wins.
"""
EXAMPLES = """\
examples:
  s1-eval serve nano --port 8000 --dtype float32        # the embedded model
  s1-eval serve simplescaling/s1.1-7B --max-model-len 32768 --tensor-parallel-size 2
  s1-eval --model s1_openai --model_args base_url=http://127.0.0.1:8000/v1/completions,num_waits=2 --tasks s1_nano
"""


def main(arguments: Sequence[str]) -> None:
    """Runs `s1-eval serve` with these arguments, until it is stopped."""
    parser = argparse.ArgumentParser(
        prog="s1-eval serve",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        usage="s1-eval serve MODEL [options of vllm serve]",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", metavar="MODEL", help="a name on the Hub, a folder, or nano")
    given, options = parser.parse_known_args(list(arguments))
    try:
        find_cpu_build()
    except EngineError as error:
        sys.exit(f"error: {error}")
    from vllm.entrypoints.cli.main import main as serve
    from vllm.platforms import current_platform

    sys.argv = ["vllm", "serve", str(find_model(given.model)), *options]
    if current_platform.is_cpu():
        sys.argv += on_a_cpu(options)
    serve()


def on_a_cpu(options: Sequence[str]) -> list[str]:
    """The settings of `s1_vllm` on a CPU as options of `vllm serve`, without those that are given already."""
    from s1_models.engines.vllm.arguments import cpu_defaults

    given = {option.partition("=")[0].replace("_", "-") for option in options if option.startswith("--")}
    added: list[str] = []
    for name, value in cpu_defaults({name.strip("-").replace("-", "_"): True for name in given}).items():
        option = f"--{name.replace('_', '-')}"
        if option not in given:
            added += [option] if value is True else [option, str(value)]
    return added
