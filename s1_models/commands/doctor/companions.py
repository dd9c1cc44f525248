"""Do torch's companions import? A torchvision that belongs to another torch stops transformers from loading models."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from importlib.util import find_spec

from s1_models.commands.doctor.findings import Asked, Finding, Status, one_line, pip

COMPANIONS = ("torchvision", "torchaudio", "torchcodec")


def check(asked: Asked) -> Iterator[Finding]:
    present = [name for name in COMPANIONS if find_spec(name) is not None]
    broken = False
    for name in present:
        try:
            importlib.import_module(name)
        except Exception as error:  # they raise RuntimeError and OSError as well as ImportError
            broken = True
            yield Finding(
                "companions",
                Status.FIX,
                f"{name} is installed but does not import ({one_line(error, 160)}): its build belongs to another "
                f"torch, and transformers imports it; nothing here needs it",
                (pip("uninstall", "--yes", name),),
            )
    if not broken:
        absent = [name for name in COMPANIONS if name not in present]
        said = " and ".join(
            filter(None, (f"{', '.join(present)} import" if present else "", "absent: " + ", ".join(absent)))
        )
        yield Finding(
            "companions", Status.OK, f"torch's companions: {said if absent else ', '.join(present) + ' import'}"
        )
