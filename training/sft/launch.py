"""The environment of a launch, set right before anything touches accelerate, and where the weights of each process lie.

accelerate and transformers read how a run shards from environment variables at the moment the first state object is
made and the weights are loaded. Set later, they change nothing and nobody says so; so they are set here, first.
"""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import timedelta
from importlib.util import find_spec
from typing import Any

import torch
import torch.distributed as dist
from accelerate import PartialState, init_empty_weights
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM

from training.sft import attention
from training.sft.plan import Shape, estimate
from training.sft.recipes import Recipe, RecipeError

PATIENCE = timedelta(hours=12)
"""How long processes wait for the first one while it merges, writes and checks the checkpoint."""


def check_start(recipe: Recipe) -> None:
    """What can be known before anything is loaded. Raises RecipeError with the command that would work."""
    alone = "LOCAL_RANK" not in os.environ
    if recipe.shard and alone:
        raise RecipeError(
            f"the recipe {recipe.name} shards with FSDP, and this process was started alone: start it with torchrun, "
            "on one GPU as `torchrun --nproc-per-node 1 --shutdown-timeout 900 -m training.sft run ...`"
        )
    gpus = torch.cuda.device_count()
    if alone and gpus > 1:
        raise RecipeError(
            f"this process was started alone and sees {gpus} GPUs, and one process trains on one GPU: use all of them "
            f"with `torchrun --nproc-per-node {gpus} --shutdown-timeout 900 -m training.sft run ...`, or one with "
            "CUDA_VISIBLE_DEVICES=0"
        )


def without_needless_offload(recipe: Recipe, shape: Shape, processes: int, gpu_memory: float) -> Recipe:
    """The recipe with its state on the GPUs where it fits there; gpu_memory in bytes, of one GPU."""
    kept = replace(recipe, offload=False)
    return kept if recipe.offload and estimate(kept, shape, processes, gpu_memory).fits else recipe


def start(recipe: Recipe) -> PartialState:
    """The process group of this launch, made with the environment that the recipe needs."""
    for name, value in environment(recipe).items():
        os.environ[name] = value
    if torch.cuda.is_available() and "LOCAL_RANK" in os.environ and not dist.is_initialized():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
        # accelerate picks NCCL alone for what does not offload; state on the host is gathered and clipped by gloo.
        dist.init_process_group("cuda:nccl,cpu:gloo")
    state = PartialState(cpu=not torch.cuda.is_available())
    if recipe.shard:
        assert_backends(state.device.type)
    return state


def environment(recipe: Recipe) -> dict[str, str]:
    """The variables that accelerate and transformers read, for this recipe."""
    return {
        "ACCELERATE_USE_FSDP": str(recipe.shard).lower(),
        "FSDP_VERSION": "2",
        "FSDP_CPU_RAM_EFFICIENT_LOADING": str(recipe.shard).lower(),
        "FSDP_OFFLOAD_PARAMS": str(recipe.offload).lower(),
    }


def assert_backends(device: str) -> None:
    """Raises RecipeError unless tensors of the device and of the host can be exchanged between the processes."""
    served = dist.get_backend_config() if dist.is_initialized() else "none"
    if not all(f"{kind}:" in str(served) for kind in {device, "cpu"}):
        raise RecipeError(
            f"the process group serves {served}; expected backends for {device} and cpu: start the run with torchrun "
            "and leave the process group to it"
        )


def load(recipe: Recipe, state: PartialState) -> Any:
    """The model: float32 weights for full fine-tuning, the frozen base of an adapter in bf16 or 4 bits.

    Sharded, only the first process reads weights; the others hold meta tensors, which take no memory, until FSDP sends
    each its share.
    """
    half = recipe.adapter is not None and recipe.bf16
    options: dict[str, Any] = {
        "attn_implementation": attention.register(),
        "dtype": torch.bfloat16 if half else torch.float32,
    }
    if recipe.shard and not state.is_main_process:
        with init_empty_weights(include_buffers=False):
            model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(recipe.model), **options)
        model.tie_weights()
        if any(not parameter.is_meta for parameter in model.parameters()):
            raise RecipeError(f"process {state.process_index} holds weights that only the first process should load")
        return model
    if recipe.adapter is not None and recipe.adapter.four_bit:
        options["quantization_config"] = _four_bits(recipe)
    return AutoModelForCausalLM.from_pretrained(recipe.model, **options)


def give_addresses(model: nn.Module) -> None:
    """Gives each meta parameter memory of its own that is never touched, and so takes none.

    accelerate finds the optimizer's parameters again after sharding by their addresses, and all meta tensors share one.
    """
    known: dict[int, nn.Parameter] = {}
    for module in model.modules():
        for name, parameter in module._parameters.items():
            if parameter is not None and parameter.is_meta:
                if id(parameter) not in known:
                    empty = torch.empty_like(parameter, device="cpu")
                    known[id(parameter)] = nn.Parameter(empty, requires_grad=parameter.requires_grad)
                module._parameters[name] = known[id(parameter)]


def waiting_room() -> Any:
    """A group in which processes can wait longer than a collective of a training step may take; None for one process.

    It is made while all of them are there: making one is itself something that they wait for.
    """
    several = dist.is_initialized() and dist.get_world_size() > 1
    return dist.new_group(backend="gloo", timeout=PATIENCE) if several else None


def wait_for_the_first(room: Any) -> None:
    """All processes wait here for the first one, which merges, writes and checks the model alone."""
    if room is not None:
        dist.barrier(group=room)


def _four_bits(recipe: Recipe) -> Any:
    if find_spec("bitsandbytes") is None:
        raise RecipeError(f"the recipe {recipe.name} keeps its base in 4 bits: pip install bitsandbytes")
    from transformers import BitsAndBytesConfig

    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
    )
