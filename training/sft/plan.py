"""What a run will need, before it is launched: memory of a GPU, steps, hours.

Memory is counted piece by piece (docs/decisions/0031); the activations' formula is checked against PyTorch's own saved
tensors by a test. Hours follow from the model FLOPs and a utilisation, which is an assumption until somebody measures
it: 19 % is what s1's published 26 minutes on 16 H100 come to.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from training.sft.recipes import Recipe

GIB = 2**30
USUAL_GPU_MEMORY = 79.0 * GIB  # what an 80 GB GPU has for a process
PEAK_FLOPS = {"H100": 989e12, "H200": 989e12, "A100": 312e12}  # dense bf16, per second
PUBLISHED_UTILISATION = 0.19
S1K_ROWS, S1K_TOKENS = 1000, 4_700_000  # paper, 2.2: 4.7 M tokens in all
_CHUNK = 32768 * 1024 * 2  # the loss's tile of logits, bytes (trl.kernels.chunked_logprob)
_OVERHEAD = 3 * GIB  # CUDA context, NCCL buffers, cuBLAS work space, fragmentation


@dataclass(frozen=True)
class Shape:
    """What of a model's config decides memory and FLOPs; names as in transformers' configs."""

    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_key_value_heads: int
    vocab_size: int
    tie_word_embeddings: bool
    head_dim: int | None = None

    @classmethod
    def of(cls, config: Any) -> Shape:
        names: dict[str, Any] = {name: getattr(config, name, None) for name in cls.__dataclass_fields__}
        return cls(**names)

    @property
    def head_width(self) -> int:
        return self.head_dim or self.hidden_size // self.num_attention_heads

    @property
    def layer_parameters(self) -> int:
        attention = (2 * self.num_attention_heads + 2 * self.num_key_value_heads) * self.head_width
        return self.hidden_size * (attention + 3 * self.intermediate_size + 2)

    @property
    def embedding_parameters(self) -> int:
        return self.vocab_size * self.hidden_size

    @property
    def parameters(self) -> int:
        """All of them; biases, a few thousandths, are left out."""
        embeddings = self.embedding_parameters * (1 if self.tie_word_embeddings else 2)
        return embeddings + self.num_hidden_layers * self.layer_parameters

    def adapter_parameters(self, rank: int) -> int:
        """Low-rank pairs on the seven linear layers of every decoder layer."""
        wide, narrow = self.num_attention_heads * self.head_width, self.num_key_value_heads * self.head_width
        hidden, inner = self.hidden_size, self.intermediate_size
        ends = 2 * (hidden + wide) + 2 * (hidden + narrow) + 3 * (hidden + inner)
        return rank * ends * self.num_hidden_layers

    def flops_per_token(self, mean_length: float) -> float:
        """Forward and backward of one token: 6 per weight that it meets, and causal attention over its own sequence."""
        weights = self.num_hidden_layers * self.layer_parameters + self.embedding_parameters
        attention = 6 * self.num_hidden_layers * self.num_attention_heads * self.head_width * mean_length
        return 6 * weights + attention

    def layer_activations(self, bytes_each: int = 2) -> int:
        """Bytes per token that a layer's backward pass keeps, attention's own output and softmax sums included.

        In units of values: two norms keep their input in float32 and its scaled copy; queries, keys, values before and
        after rotation; attention's output; gate, up, their product and the activation; what residuals share is not
        counted twice.
        """
        queries, keys = self.num_attention_heads * self.head_width, self.num_key_value_heads * self.head_width
        narrow = 2 * self.hidden_size + 3 * queries + 4 * keys + 4 * self.intermediate_size
        return bytes_each * narrow + 4 * 4 * self.hidden_size + 4 * self.num_attention_heads


# The recipes' models, so that a plan needs no Hub.
SHAPES = {
    "Qwen/Qwen2.5-0.5B-Instruct": Shape(896, 4864, 24, 14, 2, 151936, True),
    "Qwen/Qwen2.5-1.5B-Instruct": Shape(1536, 8960, 28, 12, 2, 151936, True),
    "Qwen/Qwen2.5-7B-Instruct": Shape(3584, 18944, 28, 28, 4, 152064, False),
    "Qwen/Qwen2.5-32B-Instruct": Shape(5120, 27648, 64, 40, 8, 152064, False),
}


@dataclass(frozen=True)
class Plan:
    """pieces: bytes on each GPU by what they are. host: bytes of host memory for offloaded state."""

    recipe: Recipe
    gpus: int
    gpu_memory: float
    pieces: dict[str, float]
    host: float
    rows: int
    tokens: int
    steps: int
    hours: float
    utilisation: float

    @property
    def memory(self) -> float:
        return sum(self.pieces.values())

    @property
    def fits(self) -> bool:
        """Whether a GPU's memory holds it, and each GPU has a sequence of every step."""
        return self.memory <= self.gpu_memory and self.gpus <= self.recipe.global_batch

    def advice(self, shape: Shape) -> str:
        """What makes it fit, tried out; empty when it fits."""
        if self.fits:
            return ""
        if self.gpus > self.recipe.global_batch:
            return (
                f"{self.gpus} GPUs cannot share a global batch of {self.recipe.global_batch} sequences: at most --gpus "
                f"{self.recipe.global_batch}, or another recipe with --set global_batch={self.gpus}"
            )
        recipe, found = self.recipe, []
        changes: list[tuple[str, Recipe, int]] = [("--set recompute=true", replace(recipe, recompute=True), self.gpus)]
        changes += [(f"--gpus {n}", replace(recipe, shard=True), n) for n in (2, 4, 8, 16) if n > self.gpus]
        changes += [(f"--set block_size={n}", replace(recipe, block_size=n), self.gpus) for n in (20000, 12000, 8192)]
        for text, changed, gpus in changes:
            if changed == recipe and gpus == self.gpus:
                continue
            if estimate(changed, shape, gpus, self.gpu_memory, self.rows, self.tokens).fits:
                found.append(text)
        ways = ", or ".join(found[:3]) if found else "more GPUs together with recompute=true, or a LoRA recipe"
        return f"it would fit with {ways}"


def memory_pieces(recipe: Recipe, shape: Shape, gpus: int) -> tuple[dict[str, float], float]:
    """Bytes on each GPU at the fullest moment, by piece, and bytes in host memory over all processes of the run."""
    share = gpus if recipe.shard else 1
    adapter = recipe.adapter
    trained = shape.adapter_parameters(adapter.rank) if adapter else shape.parameters
    state = {"weights, float32": 4.0 * trained, "gradients, float32": 4.0 * trained, "Adam, float32": 8.0 * trained}
    host = sum(state.values()) if recipe.offload else 0.0
    pieces = {name: 0.0 if recipe.offload else size / share for name, size in state.items()}
    if adapter:
        # NF4 with its scales, or bf16; accelerate's FSDP casts what it shards to float32.
        layers = shape.num_hidden_layers * shape.layer_parameters
        each = 0.57 if adapter.four_bit else 4.0 if recipe.shard else 2.0
        pieces["frozen weights"] = (layers * each + (shape.parameters - layers) * max(each, 2.0)) / share
    # FSDP holds the embeddings and two layers in bf16, autocast a copy of every float32 weight.
    ends = shape.embedding_parameters * (1 if shape.tie_word_embeddings else 2)
    copied = ends + 2 * shape.layer_parameters if recipe.shard else trained
    pieces["bf16 copies"] = 2.0 * copied if recipe.bf16 else 0.0
    if recipe.shard and not adapter:
        pieces["unsharded gradients"] = 2.0 * (shape.embedding_parameters + 2 * shape.layer_parameters)
    tokens, width, layers = recipe.tokens_per_pass, 2 if recipe.bf16 else 4, shape.num_hidden_layers
    a_layer = float(shape.layer_activations(width) * tokens)
    pieces["activations"] = layers * (width * shape.hidden_size * tokens if recipe.recompute else a_layer)
    # The loss is over when the first layer goes back, so only the greater of the two counts.
    loss = _CHUNK + (0 if adapter else 4.0 * shape.embedding_parameters) + 3 * 4.0 * shape.hidden_size * tokens
    pieces["loss, or one layer's backward"] = max(loss, a_layer)
    pieces["overhead"] = float(_OVERHEAD)
    return pieces, host


def estimate(
    recipe: Recipe,
    shape: Shape,
    gpus: int,
    gpu_memory: float = USUAL_GPU_MEMORY,
    rows: int = S1K_ROWS,
    tokens: int = S1K_TOKENS,
    utilisation: float = PUBLISHED_UTILISATION,
    peak_flops: float = PEAK_FLOPS["H100"],
) -> Plan:
    """The plan of a run. gpu_memory: bytes of one GPU; tokens: of all rows; utilisation: 0 to 1 of peak_flops."""
    pieces, host = memory_pieces(recipe, shape, gpus)
    steps = recipe.epochs * recipe.steps_per_epoch(rows)
    mean = tokens / rows
    seen = steps * recipe.global_batch * mean
    # Frozen weights need no gradient of their own: a third of the products falls away.
    flops = seen * shape.flops_per_token(mean) * (2 / 3 if recipe.adapter else 1)
    hours = flops / (gpus * peak_flops * utilisation) / 3600
    return Plan(recipe, gpus, gpu_memory, pieces, host, rows, tokens, steps, hours, utilisation)
