"""One process of a fine-tuning run that a test starts with torchrun: OUT DATA MODE STOP_AFTER

accelerate wraps a model with FSDP on accelerators only. Here, and only here, it is told to do so on a CPU, so that two
processes with gloo go the way that sixteen GPUs go: wrapping, gathered and sharded checkpoints, resuming.
"""

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from accelerate.state import AcceleratorState
from accelerate.utils import DistributedType
from transformers import TrainerCallback

from training.sft import train
from training.sft.recipes import recipe_named

plugins: list[Any] = []
original = AcceleratorState.__init__


def with_fsdp_on_a_cpu(self: AcceleratorState, *arguments: Any, fsdp_plugin: Any = None, **options: Any) -> None:
    original(self, *arguments, fsdp_plugin=fsdp_plugin, **options)
    plugins.extend([fsdp_plugin] if fsdp_plugin is not None else [])
    if plugins:
        self.distributed_type = DistributedType.FSDP
        self.fsdp_plugin = plugins[0]
        if self._mixed_precision != "no":
            plugins[0].set_mixed_precision(self._mixed_precision)


class StopAfter(TrainerCallback):
    """What the first Ctrl-C does, at a step of the test's choice."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.global_step == self.step:
            control.should_save = control.should_training_stop = True


if __name__ == "__main__":
    out, data, mode, stop_after = Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])
    AcceleratorState.__init__ = with_fsdp_on_a_cpu
    sharded = mode in ("sharded", "bf16")
    recipe = recipe_named("nano", [f"data={data}", "epochs=1", "global_batch=4"])
    recipe = replace(recipe, shard=sharded, recompute=sharded, bf16=mode == "bf16")
    outcome = train.run(train.Job(recipe, out, resume=out.exists()), [StopAfter(stop_after)])
    if train.PartialState().is_main_process:
        out.with_suffix(".json").write_text(json.dumps([row["loss"] for row in outcome.history]))
