"""The fine-tuning recipes: frozen values, each with its source; what a run changes is written into the model card.

s1's own values (its `train/sft.sh`, `sft_multinode.sh`, and appendix D of the paper) are the defaults of the class.
The global batch is part of the recipe; how many micro-batches make one step follows from the number of processes.
"""

from __future__ import annotations

import difflib
import math
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal

from s1_contract.errors import S1Error


class RecipeError(S1Error, ValueError):
    """A recipe, or a change to one, that cannot be run."""


class LossError(S1Error, RuntimeError):
    """Training that went wrong: a loss that is not a number."""


class ArtefactError(S1Error, RuntimeError):
    """What a run restored or wrote is not what it trained."""


@dataclass(frozen=True)
class Adapter:
    """Low-rank adapters on every linear layer of the decoder. four_bit: the frozen base is NF4 (QLoRA)."""

    rank: int = 64
    alpha: int = 64
    dropout: float = 0.0
    four_bit: bool = False


@dataclass(frozen=True)
class Recipe:
    """One fine-tuning run.

    name, model, data: of the recipe; the model's and the data's Hub names or paths (data may be left to the user).
    block_size: the longest sequence, tokens. over_long: what happens to longer ones: "error" asks, "drop" leaves them
        out, "truncate" cuts them on the right as s1 does, so that they teach no end.
    micro_batch_tokens: the most tokens of one forward pass; None is block_size.
    global_batch: sequences of one optimizer step, over all processes and micro-batches.
    loss_average: "sequence", every sequence of a step counts the same (s1: a mean per GPU of batch 1, then over the
        GPUs), or "token", every trained token does (what TRL does by itself).
    bf16: mixed precision, bf16 matrix products over float32 weights, gradients and optimizer.
    shard: FSDP over all processes. offload: FSDP keeps weights, gradients and optimizer in host memory.
    recompute: keep only each layer's input for the backward pass (gradient checkpointing).
    gpus: the number of 80 GB GPUs that it is written for; 0 is a CPU.
    """

    name: str
    model: str
    data: str | None
    block_size: int = 32768
    over_long: Literal["error", "drop", "truncate"] = "drop"
    micro_batch_tokens: int | None = None
    epochs: int = 5
    global_batch: int = 16
    learning_rate: float = 1e-5
    warmup_ratio: float = 0.05
    weight_decay: float = 1e-4
    adam_betas: tuple[float, float] = (0.9, 0.95)
    max_grad_norm: float = 1.0
    loss_average: Literal["sequence", "token"] = "sequence"
    bf16: bool = True
    shard: bool = False
    offload: bool = False
    recompute: bool = True
    adapter: Adapter | None = None
    seed: int = 42
    gpus: int = 1

    def __post_init__(self) -> None:
        for name in ("block_size", "epochs", "global_batch"):
            if getattr(self, name) < 1:
                raise RecipeError(f"{name} is {getattr(self, name)}; expected at least 1")
        for name, allowed in _CHOICES.items():
            if getattr(self, name) not in allowed:
                raise RecipeError(f"{name} is {getattr(self, name)!r}; expected one of {', '.join(allowed)}")
        if self.micro_batch_tokens is not None and self.micro_batch_tokens < 1:
            raise RecipeError(f"micro_batch_tokens is {self.micro_batch_tokens}; expected at least 1, or none")
        if self.offload and not self.shard:
            raise RecipeError("offload=true needs shard=true: it is FSDP that keeps the weights in host memory")

    @property
    def tokens_per_pass(self) -> int:
        """The most tokens of one forward pass; a longer sequence is a pass of its own."""
        return self.micro_batch_tokens or self.block_size

    def steps_per_epoch(self, sequences: int) -> int:
        """Optimizer steps of one epoch over so many sequences; the last one is filled up from the epoch's start."""
        return math.ceil(sequences / self.global_batch)

    def warmup_steps(self, steps: int) -> int:
        """s1: 16 of 315."""
        return math.ceil(self.warmup_ratio * steps)


_CHOICES = {"over_long": ("error", "drop", "truncate"), "loss_average": ("sequence", "token")}


def _lora(recipe: Recipe, name: str, *, gpus: int, shard: bool = False, four_bit: bool = False) -> Recipe:
    """A recipe with an adapter, which takes a larger rate than full fine-tuning."""
    return replace(
        recipe,
        name=name,
        over_long="drop",
        learning_rate=1e-4,
        adapter=Adapter(four_bit=four_bit),
        shard=shard,
        offload=False,
        gpus=gpus,
    )


# s1's two models: 16 H100, FSDP. They truncate, as s1 does. block 20000: s1.1 ran out of memory at 32768.
S1_32B = Recipe(
    "s1_32b",
    "Qwen/Qwen2.5-32B-Instruct",
    "simplescaling/s1K_tokenized",
    over_long="truncate",
    shard=True,
    gpus=16,
)
S11_32B = replace(S1_32B, name="s11_32b", data="simplescaling/s1K-1.1_tokenized", block_size=20000)

# One 80 GB GPU. s1's author: at least 20K tokens a block (issue 115). 7B: 16 bytes a weight do not fit beside
# the activations, so they stay in host memory (about 122 GB); weights in bf16 alone would lose updates of 1e-5.
S1_7B = Recipe(
    "s1_7b",
    "Qwen/Qwen2.5-7B-Instruct",
    "simplescaling/s1K-1.1",
    block_size=20000,
    shard=True,
    offload=True,
)
S1_1_5B = Recipe("s1_1_5b", "Qwen/Qwen2.5-1.5B-Instruct", "simplescaling/s1K-1.1")
S1_0_5B = replace(S1_1_5B, name="s1_0_5b", model="Qwen/Qwen2.5-0.5B-Instruct")

# The frozen base stays in bf16, also where FSDP shards it.
S1_32B_LORA = _lora(S1_32B, "s1_32b_lora", gpus=2, shard=True)
S1_32B_QLORA = replace(_lora(S1_32B, "s1_32b_qlora", gpus=1, four_bit=True), block_size=20000)
S1_7B_LORA = _lora(S1_7B, "s1_7b_lora", gpus=1)
S1_7B_QLORA = _lora(S1_7B, "s1_7b_qlora", gpus=1, four_bit=True)

# The embedded model on a CPU: a larger rate for half a million weights, float32 (bf16 is slow there).
NANO = Recipe(
    "nano",
    "training/nano/checkpoints/base",
    None,
    block_size=4096,
    micro_batch_tokens=1024,
    learning_rate=1e-3,
    bf16=False,
    recompute=False,
    gpus=0,
)
RECIPES = {
    recipe.name: recipe
    for recipe in (
        *(S1_32B, S11_32B, S1_7B, S1_1_5B, S1_0_5B),
        *(S1_32B_LORA, S1_32B_QLORA, S1_7B_LORA, S1_7B_QLORA, NANO),
    )
}


def recipe_named(name: str, changes: list[str] | None = None) -> Recipe:
    """A recipe with changes, each ``field=value``. Raises RecipeError naming the nearest known name."""
    if name not in RECIPES:
        raise RecipeError(f"no recipe {name!r}{_nearest(name, RECIPES)}; there are: {', '.join(RECIPES)}")
    known = {field.name: str(field.type) for field in fields(Recipe) if field.name not in ("name", "adapter", "gpus")}
    found: dict[str, Any] = {}
    for change in changes or []:
        key, equals, text = change.partition("=")
        if not equals or key not in known:
            raise RecipeError(f"--set {change}: expected FIELD=VALUE{_nearest(key, known)}; fields: {', '.join(known)}")
        found[key] = _parse(key, text, known[key])
    return replace(RECIPES[name], **found)


def changes_of(recipe: Recipe) -> dict[str, Any]:
    """What a run changed of the recipe of its name."""
    original, now = asdict(RECIPES[recipe.name]), asdict(recipe)
    return {key: value for key, value in now.items() if value != original[key]}


def _nearest(name: str, known: Any) -> str:
    near = difflib.get_close_matches(name, list(known), n=1)
    return f" (did you mean {near[0]}?)" if near else ""


def _parse(key: str, text: str, kind: str) -> Any:
    """The value of a field from the command line, by the field's type."""
    if "None" in kind and text.lower() == "none":
        return None
    try:
        if kind.startswith("bool"):
            return {"true": True, "false": False}[text.lower()]
        if kind.startswith("tuple"):
            first, second = (float(part) for part in text.split(","))
            return (first, second)
        if kind.startswith("int"):
            return int(text)
        return float(text) if kind.startswith("float") else text
    except (KeyError, ValueError) as error:
        raise RecipeError(f"--set {key}={text}: expected {kind}") from error
