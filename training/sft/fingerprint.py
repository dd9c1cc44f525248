"""What a run trains, in a few numbers per tensor: cheap to compare, the same whatever the number of processes.

A checkpoint that can be resumed from has its fingerprint beside it, written last: it says that the checkpoint is whole,
and a resumed run compares what it restored with it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

from s1_contract.files import write_whole
from training.sft.recipes import ArtefactError

FILE = "trained.json"
MOMENTS = ("exp_avg", "exp_avg_sq")
Fingerprint = dict[str, list[float]]
"""Name of a trained tensor, or of a moment of it -> sum and sum of squares, both float64."""


def trained(model: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
    """The parameters that are trained, by the names that they have without wrappers."""
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            yield bare(name), parameter


def bare(name: str) -> str:
    """The name of a parameter without what recomputation and data parallelism put into it."""
    return name.replace("_checkpoint_wrapped_module.", "").removeprefix("module.")


def take(model: nn.Module, optimizer: Any = None) -> Fingerprint:
    """The fingerprint of the trained parameters and of the optimizer's moments; every process has to call this."""
    tensors = _tensors(model, optimizer)
    sharded = any(isinstance(one, DTensor) for one in tensors.values())
    local = [one.to_local() if isinstance(one, DTensor) else one for one in tensors.values()]
    sums = torch.tensor([_sums(one) for one in local], dtype=torch.float64)
    if sharded and dist.is_initialized():
        sums = sums.to(next(iter(tensors.values())).device)
        dist.all_reduce(sums)
    return dict(zip(tensors, sums.tolist(), strict=True))


def _tensors(model: nn.Module, optimizer: Any) -> dict[str, Tensor]:
    """The trained parameters and, where there is an optimizer with a state, their moments."""
    tensors: dict[str, Tensor] = {}
    state = getattr(optimizer, "state", None) or {}
    for name, parameter in trained(model):
        tensors[name] = parameter.detach()
        tensors |= {
            f"{moment} of {name}": state[parameter][moment] for moment in MOMENTS if moment in state.get(parameter, {})
        }
    return tensors


def _sums(tensor: Tensor) -> tuple[float, float]:
    if not tensor.numel():
        return 0.0, 0.0
    return float(tensor.sum(dtype=torch.float64)), float(torch.linalg.vector_norm(tensor, dtype=torch.float64)) ** 2


def differing(one: Mapping[str, list[float]], other: Mapping[str, list[float]]) -> list[str]:
    """The names that only one of the two has, or whose numbers differ by more than the order of a sum can change."""
    names = list(dict.fromkeys([*one, *other]))
    return [name for name in names if name not in one or name not in other or not _equal(one[name], other[name])]


def _equal(one: list[float], other: list[float]) -> bool:
    size = math.sqrt(max(one[1], other[1]))
    return math.isclose(one[1], other[1], rel_tol=1e-9) and math.isclose(
        one[0], other[0], rel_tol=1e-9, abs_tol=1e-9 * size
    )


def write(path: Path, fingerprint: Fingerprint) -> None:
    write_whole(path, json.dumps(fingerprint) + "\n")


def read(path: Path) -> Fingerprint:
    found: Fingerprint = json.loads(path.read_text(encoding="utf-8"))
    return found


def check_restored(folder: Path, now: Fingerprint) -> None:
    """Raises ArtefactError where a resumed run holds something else than the checkpoint was written from."""
    path = folder / FILE
    if not path.exists():  # version 0.1.0 wrote none
        return
    wrong = differing(read(path), now)
    if wrong:
        raise ArtefactError(
            f"{folder} was not restored: {len(wrong)} of {len(now)} trained tensors and moments differ from what was "
            f"stored ({wrong[0]} first); resume with the versions that wrote it, or start anew in another --out"
        )


def last_whole(checkpoints: Path) -> Path | None:
    """The newest checkpoint that was written to its end; where none has a fingerprint, the newest (version 0.1.0)."""
    found = [path for path in checkpoints.glob("checkpoint-*") if path.name.removeprefix("checkpoint-").isdecimal()]
    found.sort(key=lambda path: int(path.name.removeprefix("checkpoint-")))
    whole = [path for path in found if (path / FILE).exists()]
    newest = whole or found
    return newest[-1] if newest else None
