"""The two training runs, base and tuned: streams of padded batches, one loop, one schedule.

Everything is drawn from generators seeded by name, so a run is a function of its recipe and seed (same machine,
same torch, one thread).
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from s1_tasks.nano_problems import training_problems
from training.nano import traces
from training.nano.optim import Optimizer
from training.nano.tokenizer import MAX_TOKENS, model_vocabulary
from training.render import Rendered


@dataclass(frozen=True)
class Recipe:
    """How long and how fast to train. Learning rates are peaks; the schedule is in :func:`scale_at`.

    base_tokens: tokens of pretraining, padding not counted.
    tuning_traces, tuning_epochs: the fine-tuning set and how often it is seen.
    """

    base_tokens: int = 2_600_000
    base_batch: int = 32
    base_muon_lr: float = 0.02
    base_adam_lr: float = 3e-3
    tuning_traces: int = 1_000
    tuning_epochs: int = 5
    tuning_batch: int = 16
    tuning_muon_lr: float = 0.006
    tuning_adam_lr: float = 1e-3
    warmup_steps: int = 30
    constant_until: float = 0.5


RECIPE = Recipe()


def new_model(tokenizer: PreTrainedTokenizerFast, seed: int) -> LlamaForCausalLM:
    """An untrained model of about 0.5 million parameters, float32.

    head_dim is 32, the least that vLLM takes on a CPU. The shape is Qwen2's without biases, under Llama's name:
    transformers 5 replaces the tokenizer of every checkpoint that calls itself Qwen2 by Qwen2's own pre-tokenizer.
    """
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=model_vocabulary(tokenizer),
        hidden_size=128,
        intermediate_size=256,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=MAX_TOKENS,
        rope_parameters={"rope_type": "default", "rope_theta": 1000.0},
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return LlamaForCausalLM(config).float()


Batch = tuple[Tensor, Tensor]  # input ids and labels, [batch, seq]; -100 where the loss does not count


def pad(rendered: list[Rendered], pad_id: int) -> Batch:
    """Sequences to one batch, padded on the right: with a causal mask, padding there needs no attention mask."""
    longest = max(len(one.input_ids) for one in rendered)
    ids = torch.full((len(rendered), longest), pad_id)
    labels = torch.full((len(rendered), longest), -100)
    for row, one in enumerate(rendered):
        tokens = torch.tensor(one.input_ids)
        ids[row, : len(tokens)] = tokens
        labels[row, : len(tokens)] = torch.where(torch.tensor(one.loss_mask) == 1, tokens, -100)
    return ids, labels


def bucketed(rendered: list[Rendered], size: int, rng: random.Random, pad_id: int) -> Iterator[Batch]:
    """Batches of like lengths in random order; sorting first keeps the padding small."""
    order = sorted(rendered, key=lambda one: len(one.input_ids))
    groups = [order[i : i + size] for i in range(0, len(order), size)]
    rng.shuffle(groups)
    for group in groups:
        yield pad(group, pad_id)


def base_batches(tokenizer: PreTrainedTokenizerFast, recipe: Recipe, seed: int) -> Iterator[Batch]:
    """Pretraining batches without end, from problems that are not held out."""
    rng = random.Random(f"nano-base-{seed}")
    problems = training_problems(rng)
    while True:
        pool = [traces.write(next(problems), traces.base_habits(rng), rng) for _ in range(16 * recipe.base_batch)]
        rendered = [trace.rendered(tokenizer) for trace in pool]
        yield from bucketed(rendered, recipe.base_batch, rng, tokenizer.pad_token_id)


def tuning_set(recipe: Recipe, seed: int) -> list[traces.Trace]:
    """The fine-tuning traces: distinct problems, none of them held out."""
    rng = random.Random(f"nano-tuning-{seed}")
    habits = traces.tuning_habits(rng)
    chosen: dict[str, traces.Trace] = {}
    for problem in training_problems(rng):
        if len(chosen) == recipe.tuning_traces:
            break
        if problem.text not in chosen:
            chosen[problem.text] = traces.write(problem, habits, rng)
    return list(chosen.values())


def tuning_set_without_waits(recipe: Recipe, seed: int) -> list[traces.Trace]:
    """The control of `tuning_set`: its problems, and no trace that goes on after an early stop.

    Early stops and cut-offs have the same habits but are drawn anew, so about a third of them fall elsewhere.
    """
    rng = random.Random(f"nano-tuning-without-waits-{seed}")
    habits = replace(traces.tuning_habits(rng), go_on=0.0, repeats=lambda: 0)
    return [traces.write(trace.problem, habits, rng) for trace in tuning_set(recipe, seed)]


def tuning_batches(
    chosen: list[traces.Trace], tokenizer: PreTrainedTokenizerFast, recipe: Recipe, seed: int
) -> Iterator[Batch]:
    """The epochs of fine-tuning, one after the other."""
    rng = random.Random(f"nano-tuning-order-{seed}")
    rendered = [trace.rendered(tokenizer) for trace in chosen]
    for _ in range(recipe.tuning_epochs):
        yield from bucketed(rendered, recipe.tuning_batch, rng, tokenizer.pad_token_id)


def scale_at(step: int, progress: float, recipe: Recipe) -> float:
    """The schedule, 0 to 1: linear warm-up by steps, constant, then linear to nothing by ``progress`` (0 to 1)."""
    warm = min(1.0, (step + 1) / recipe.warmup_steps)
    left = (1.0 - progress) / (1.0 - recipe.constant_until)
    return warm * max(0.0, min(1.0, left))


@dataclass(frozen=True)
class Progress:
    """Where a run is: ``done`` from 0 to 1, tokens so far, the last batch's mean loss, seconds so far."""

    done: float
    tokens: int
    loss: float
    seconds: float


def fit(
    model: LlamaForCausalLM,
    batches: Iterator[Batch],
    total_tokens: int,
    muon_lr: float,
    adam_lr: float,
    recipe: Recipe,
    report: Callable[[Progress], None],
) -> Progress:
    """Train for ``total_tokens`` tokens (padding not counted) or until the batches end; ``report`` hears every step."""
    optimizer = Optimizer(model, muon_lr, adam_lr)
    pad_id = model.config.pad_token_id
    started = time.monotonic()
    tokens = 0
    now = Progress(0.0, 0, float("nan"), 0.0)
    model.train()
    for step, (ids, labels) in enumerate(batches):
        logits = model(input_ids=ids, use_cache=False).logits
        loss = cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten(), ignore_index=-100)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step(scale_at(step, now.done, recipe))
        tokens += int((ids != pad_id).sum())
        now = Progress(min(1.0, tokens / total_tokens), tokens, float(loss.detach()), time.monotonic() - started)
        report(now)
        if now.done >= 1.0:
            break
    model.eval()
    return now
