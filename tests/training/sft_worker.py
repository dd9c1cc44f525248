"""Fine-tuning runs in one process of several, started by a test with torchrun:

    sft_worker.py jobs JOBS.json      a list of runs, one after the other; what they did goes to JOBS.out.json
    sft_worker.py run --recipe ...    the command line of `python -m training.sft`

accelerate wraps a model with FSDP on accelerators only. Here, and only here, it is told to do so on a CPU, so that two
processes with gloo go the way that sixteen GPUs go: wrapping, gathered and sharded checkpoints, resuming.
"""

import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch.distributed as dist
from accelerate.state import AcceleratorState
from accelerate.utils import DistributedType
from transformers import TrainerCallback

from s1_contract.errors import S1Error
from training.sft import launch, train
from training.sft.__main__ import main
from training.sft.recipes import Adapter, recipe_named

original = AcceleratorState.__init__


def with_fsdp_on_a_cpu(self: AcceleratorState, *arguments: Any, fsdp_plugin: Any = None, **options: Any) -> None:
    original(self, *arguments, fsdp_plugin=fsdp_plugin, **options)
    if fsdp_plugin is not None:
        self.fsdp_plugin = fsdp_plugin
        if self._mixed_precision != "no":
            fsdp_plugin.set_mixed_precision(self._mixed_precision)
    if getattr(self, "fsdp_plugin", None) is not None:
        self.distributed_type = DistributedType.FSDP


class StopAfter(TrainerCallback):
    """What the first Ctrl-C does, at a step of the test's choice."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.global_step == self.step:
            control.should_save = control.should_training_stop = True


class Watcher(TrainerCallback):
    """What this process held when it loaded its weights, and what environment it loaded them in."""

    def __init__(self) -> None:
        self.seen: dict[str, Any] = {}

    def loading(self, recipe: Any, state: Any) -> Any:
        model = LOAD(recipe, state)
        names = ("ACCELERATE_USE_FSDP", "FSDP_CPU_RAM_EFFICIENT_LOADING", "FSDP_OFFLOAD_PARAMS")
        self.seen = {
            "meta": sum(parameter.is_meta for parameter in model.parameters()),
            "parameters": sum(1 for _ in model.parameters()),
            "environment": {name: os.environ.get(name) for name in names},
        }
        return model


LOAD = launch.load


def run(job: dict[str, Any]) -> dict[str, Any]:
    """One run. job: recipe (a name), changes (fields), rank (of an adapter), out, resume, stop_after."""
    watcher = Watcher()
    launch.load = watcher.loading
    changes = dict(job["changes"])
    if job.get("rank"):
        changes["adapter"] = Adapter(rank=job["rank"], alpha=2 * job["rank"])
    recipe = replace(recipe_named(job.get("recipe", "nano")), **changes)
    try:
        outcome = train.run(
            train.Job(recipe, Path(job["out"]), resume=job.get("resume", False)), [StopAfter(job.get("stop_after", 99))]
        )
        found = {"finished": outcome.finished, "losses": [row["loss"] for row in outcome.history], **watcher.seen}
    except S1Error as error:
        if (
            dist.is_initialized() and dist.get_world_size() > 1
        ):  # the others may be waiting: as in a real launch, all end
            raise
        found = {"error": f"{type(error).__name__}: {error}", **watcher.seen}
    AcceleratorState._reset_state(reset_partial_state=True)
    return found


if __name__ == "__main__":
    AcceleratorState.__init__ = with_fsdp_on_a_cpu
    if sys.argv[1] != "jobs":
        sys.exit(main())
    jobs = Path(sys.argv[2])
    done = [run(job) for job in json.loads(jobs.read_text())]
    jobs.with_suffix(f".out{os.environ.get('RANK', '0')}.json").write_text(json.dumps(done))
