"""What a run will need, before it is launched: memory of a GPU and of the host, disk, steps, hours.

Memory is counted piece by piece (docs/decisions/0031); the activations' formula is checked against PyTorch's own saved
tensors by a test. Hours follow from the model FLOPs and a utilisation, which is an assumption until somebody measures
it: s1 published two runs, and they come to 19 % and 11 % of the peak, so the hours are a range between the two.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from training.sft.recipes import Recipe

GIB = 2**30
USUAL_GPU_MEMORY = 79.0 * GIB  # what an 80 GB GPU has for a process
PEAK_FLOPS = {"H100": 989e12, "H200": 989e12, "A100": 312e12}  # dense bf16, per second
PUBLISHED_UTILISATION, SLOWER_UTILISATION = 0.19, 0.11
"""s1's runs: 26 minutes on 16 H100 (paper, appendix D); 5,268.8 s on 8 at 8 sequences a step (head of its sft.sh)."""
S1K_ROWS, S1K_TOKENS = 1000, 4_700_000  # paper, 2.2: 4.7 M tokens in all
S1K11_TOKENS = 9_500_000  # nobody publishes it: R1's traces taken as twice as long; --data counts
_CHUNK = 4096 * 32768 * 2  # the loss's tile of logits, bytes (trl.kernels.chunked_logprob)
_OVERHEAD = 3 * GIB  # CUDA context, NCCL buffers, cuBLAS work space, fragmentation
_BUS, _HOST = 25e9, 100e9  # bytes per second between host and GPU, and of a host's memory, as PCIe 4 and DDR5 give


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
    """pieces: bytes on each GPU by what they are. host: bytes of host memory for offloaded state, all processes.

    first_host: bytes of host memory that the first process needs to load and to write the model. checkpoint: bytes on
    disk of what a run is resumed from; written: of the finished model. longest: tokens of the longest row. hours: at
    the utilisation; slower: at the lower published one, or the same where a utilisation was given.
    """

    recipe: Recipe
    gpus: int
    gpu_memory: float
    pieces: dict[str, float]
    host: float
    first_host: float
    checkpoint: float
    written: float
    rows: int
    tokens: int
    longest: int
    steps: int
    hours: float
    slower: float
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
        found = [text for text, changed, gpus in self._changes() if self._would_fit(changed, gpus, shape)]
        ways = ", or ".join(found[:3]) if found else "more GPUs together with recompute=true, or a LoRA recipe"
        return f"it would fit with {ways}"

    def _changes(self) -> list[tuple[str, Recipe, int]]:
        """Changes that may help, as they are typed, each with the recipe and the number of GPUs that it means."""
        recipe, gpus = self.recipe, self.gpus
        changes = [("--set recompute=true", replace(recipe, recompute=True), gpus)]
        changes += [(f"--gpus {n}", replace(recipe, shard=True), n) for n in (2, 4, 8, 16) if n > gpus]
        changes += [(f"--set block_size={n}", replace(recipe, block_size=n), gpus) for n in (20000, 12000, 8192)]
        return [(text, changed, n) for text, changed, n in changes if (changed, n) != (recipe, gpus)]

    def _would_fit(self, recipe: Recipe, gpus: int, shape: Shape) -> bool:
        longest = min(self.longest, recipe.block_size)
        return estimate(recipe, shape, gpus, self.gpu_memory, self.rows, self.tokens, longest=longest).fits


def trained_parameters(recipe: Recipe, shape: Shape) -> int:
    """What the optimizer moves: all weights, or the adapter's."""
    return shape.adapter_parameters(recipe.adapter.rank) if recipe.adapter else shape.parameters


def fullest_pass(recipe: Recipe, gpus: int, longest: int) -> int:
    """Tokens of the fullest forward pass: packed up to the limit, but no GPU gets more than its share of a step."""
    most = longest * -(-recipe.global_batch // gpus)
    return max(longest, min(recipe.tokens_per_pass, most))


def memory_pieces(
    recipe: Recipe, shape: Shape, gpus: int, longest: int | None = None
) -> tuple[dict[str, float], float]:
    """Bytes on each GPU at the fullest moment, by piece, and bytes in host memory over all processes of the run.

    longest: tokens of the longest row; the block where it is not known.
    """
    share, trained = gpus if recipe.shard else 1, trained_parameters(recipe, shape)
    state = {"weights, float32": 4.0 * trained, "gradients, float32": 4.0 * trained, "Adam, float32": 8.0 * trained}
    pieces = {name: 0.0 if recipe.offload else size / share for name, size in state.items()}
    if recipe.adapter:
        pieces["frozen weights"] = _frozen(recipe, shape) / share
    pieces |= _copies(recipe, shape, trained)
    pieces |= _of_tokens(recipe, shape, fullest_pass(recipe, gpus, longest or recipe.block_size))
    pieces["overhead"] = float(_OVERHEAD)
    return pieces, sum(state.values()) if recipe.offload else 0.0


def _frozen(recipe: Recipe, shape: Shape) -> float:
    """Bytes of the base of an adapter: bf16, sharded or not, or NF4 with its scales; embeddings are never in 4 bits."""
    layers = shape.num_hidden_layers * shape.layer_parameters
    whole = 2.0 if recipe.bf16 else 4.0
    each = 0.57 if recipe.adapter and recipe.adapter.four_bit else whole
    return layers * each + (shape.parameters - layers) * whole


def _copies(recipe: Recipe, shape: Shape, trained: int) -> dict[str, float]:
    """FSDP holds the embeddings and two layers whole, in bf16, and their gradients; autocast copies what it trains."""
    ends = shape.embedding_parameters * (1 if shape.tie_word_embeddings else 2)
    copied = ends + 2 * shape.layer_parameters if recipe.shard else trained
    pieces = {"bf16 copies": 2.0 * copied if recipe.bf16 else 0.0}
    if recipe.shard and not recipe.adapter:
        pieces["unsharded gradients"] = 2.0 * (shape.embedding_parameters + 2 * shape.layer_parameters)
    return pieces


def _of_tokens(recipe: Recipe, shape: Shape, tokens: int) -> dict[str, float]:
    """What grows with the tokens of a pass."""
    width, layers = 2 if recipe.bf16 else 4, shape.num_hidden_layers
    a_layer = float(shape.layer_activations(width) * tokens)
    kept = layers * (width * shape.hidden_size * tokens if recipe.recompute else a_layer)
    # The loss is over when the first layer goes back, so only the greater of the two counts.
    loss = _CHUNK + (0 if recipe.adapter else 4.0 * shape.embedding_parameters) + 3 * 4.0 * shape.hidden_size * tokens
    return {"activations": kept, "loss, or one layer's backward": max(loss, a_layer)}


def offload_hours(recipe: Recipe, shape: Shape, gpus: int, steps: int, mean: float) -> float:
    """Hours that state in host memory adds: weights to the GPU twice a pass, gradients back, Adam on the host."""
    if not recipe.offload:
        return 0.0
    passes = max(1, round(recipe.global_batch * mean / gpus / recipe.tokens_per_pass + 0.5))
    trained = trained_parameters(recipe, shape) / gpus
    seconds = passes * 12 * trained / _BUS + 28 * trained * gpus / _HOST
    return steps * seconds / 3600


def published_rows(recipe: Recipe) -> tuple[int, int, str]:
    """Rows and tokens of the recipe's data, and where the numbers come from."""
    if recipe.data and "s1K-1.1" in recipe.data:
        return S1K_ROWS, S1K11_TOKENS, "s1K-1.1 (1,000 rows; 9.5 M tokens are assumed, --data counts them)"
    return S1K_ROWS, S1K_TOKENS, "s1K (paper: 1,000 rows, 4.7 M tokens)"


def estimate(
    recipe: Recipe,
    shape: Shape,
    gpus: int,
    gpu_memory: float = USUAL_GPU_MEMORY,
    rows: int | None = None,
    tokens: int | None = None,
    utilisation: float | None = None,
    peak_flops: float = PEAK_FLOPS["H100"],
    longest: int | None = None,
) -> Plan:
    """The plan of a run. gpu_memory: bytes of one GPU; tokens: of all rows; utilisation: 0 to 1 of peak_flops.

    rows, tokens: of the recipe's own data where not given. longest: tokens of the longest row, the block where not
    given. Without a utilisation both published ones are used.
    """
    known_rows, known_tokens, _ = published_rows(recipe)
    rows, tokens, longest = rows or known_rows, tokens or known_tokens, longest or recipe.block_size
    pieces, host = memory_pieces(recipe, shape, gpus, longest)
    steps, mean = recipe.epochs * recipe.steps_per_epoch(rows), tokens / rows
    seen = steps * recipe.global_batch * mean
    # Frozen weights need no gradient of their own: a third of the products falls away.
    flops = seen * shape.flops_per_token(mean) * (2 / 3 if recipe.adapter else 1)
    moved = offload_hours(recipe, shape, gpus, steps, mean)
    share = utilisation or PUBLISHED_UTILISATION
    hours, slower = (
        flops / (gpus * peak_flops * one) / 3600 + moved for one in (share, utilisation or SLOWER_UTILISATION)
    )
    read = 2.0 if recipe.adapter and recipe.bf16 else 4.0
    # Read, then gathered; at the end written from a bf16 copy and read back.
    first_host = (max(read, 4.0) if recipe.adapter else read + 4.0) * shape.parameters
    return Plan(
        recipe,
        gpus,
        gpu_memory,
        pieces,
        host,
        first_host,
        12.0 * trained_parameters(recipe, shape),
        2.0 * shape.parameters + (4.0 * trained_parameters(recipe, shape) if recipe.adapter else 0.0),
        rows,
        tokens,
        longest,
        steps,
        hours,
        slower,
        share,
    )
