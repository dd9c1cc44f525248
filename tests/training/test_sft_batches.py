"""Packing: the global batch on any number of processes, the loss of unpacked sequences, nothing seen across them."""

import random
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from transformers import AutoModelForCausalLM, Qwen2Config, Qwen2ForCausalLM
from trl.trainer.utils import add_fused_lm_head

from training.sft import attention
from training.sft.batches import Collator, Encoded, MicroBatch, schedule
from training.sft.recipes import NANO, Recipe, RecipeError


def sequences(lengths: list[int], vocabulary: int = 300) -> list[Encoded]:
    draw = np.random.default_rng(0)
    found = []
    for length in lengths:
        mask = np.ones(length, dtype=np.int32)
        mask[: length // 3] = 0
        found.append(Encoded(draw.integers(3, vocabulary, length, dtype=np.int32), mask))
    return found


@given(
    lengths=st.lists(st.integers(2, 60), min_size=1, max_size=40),
    batch=st.integers(1, 12),
    processes=st.integers(1, 4),
    average=st.sampled_from(["sequence", "token"]),
)
@settings(max_examples=60, deadline=None)
def test_every_step_is_the_global_batch_and_its_weights_add_up_to_one(
    lengths: list[int], batch: int, processes: int, average: Any
) -> None:
    recipe = replace(
        NANO, global_batch=batch * processes, epochs=2, micro_batch_tokens=64, block_size=64, loss_average=average
    )
    data = sequences(lengths)
    plan = schedule(data, recipe, processes)
    assert plan.steps == 2 * -(-len(lengths) // recipe.global_batch)
    assert len(plan.rows) == plan.steps * plan.accumulation * processes
    for step in range(plan.steps):
        rows = plan.step_rows(step)
        assert sum(len(row.members) for row in rows) == recipe.global_batch
        assert all(row.members for row in rows)
        total = sum(
            weight * data[n].trained_tokens for row in rows for n, weight in zip(row.members, row.weights, strict=True)
        )
        assert total == pytest.approx(1.0)
        assert max(sum(lengths[n] for n in row.members) for row in rows) <= 64
    seen = [n for row in plan.rows for n in row.members]
    assert set(seen) == set(range(len(lengths)))


def test_s1s_own_numbers_come_out() -> None:
    recipe = replace(NANO, block_size=32768, micro_batch_tokens=None)
    plan = schedule(sequences([9] * 1000), recipe, processes=16)
    assert (plan.steps, plan.accumulation) == (315, 1)
    assert recipe.warmup_steps(plan.steps) == 16
    assert all(len(row.members) == 1 for row in plan.rows)


def test_what_cannot_be_dealt_is_an_error_with_the_numbers() -> None:
    with pytest.raises(RecipeError, match=r"32 processes cannot share a global batch of 16"):
        schedule(sequences([5] * 40), NANO, processes=32)
    tight = replace(NANO, global_batch=16, micro_batch_tokens=10, block_size=10)
    with pytest.raises(RecipeError, match=r"16 sequences on 3 processes need passes of more than 10 tokens"):
        schedule(sequences([9] * 16), tight, processes=3)


def nano() -> Any:
    return AutoModelForCausalLM.from_pretrained(
        "training/nano/checkpoints/base", dtype=torch.float32, attn_implementation=attention.register()
    )


def grouped() -> Any:
    """A small Qwen2 with two key-value heads for four query heads, and biases, as the real ones have."""
    torch.manual_seed(0)
    config = Qwen2Config(
        vocab_size=320,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
    )
    return Qwen2ForCausalLM._from_config(config, attn_implementation=attention.register(), dtype=torch.float32)


def losses_and_gradients(model: Any, recipe: Recipe, processes: int) -> tuple[list[float], list[Tensor]]:
    """The loss of every step and the gradients of the last, as training sums them."""
    data = sequences([random.Random(n).randint(8, 90) for n in range(16)])
    plan = schedule(data, recipe, processes)
    collate = Collator(data, plan.rows)
    found = []
    for step in range(plan.steps):
        model.zero_grad()
        loss = torch.zeros(())
        for number in range(step * len(plan.step_rows(0)), (step + 1) * len(plan.step_rows(0))):
            batch: dict[str, Any] = collate([{"row": number}])
            weights = batch.pop("loss_weights")
            loss = loss - (model(**batch, use_cache=False, fused_lm_head=True).log_probs * weights[:, 1:]).sum()
        loss.backward()
        found.append(float(loss.detach()))
    return found, [parameter.grad.clone() for parameter in model.parameters()]


def test_long_sequences_are_dealt_first_so_that_no_process_waits() -> None:
    # Shortest first would put the long one on top of a short one: passes of 20 and 40 tokens for 30 and 30.
    data = sequences([10, 10, 10, 30])
    recipe = replace(NANO, epochs=1, global_batch=4, block_size=40, micro_batch_tokens=40)
    dealt = schedule(data, recipe, processes=2)
    assert dealt.accumulation == 1
    assert [sum(len(data[n]) for n in row.members) for row in dealt.step_rows(0)] == [30, 30]
    # And one more micro-batch would be needed where a pass may hold 30.
    assert schedule(data, replace(recipe, block_size=30, micro_batch_tokens=30), processes=2).accumulation == 1


@pytest.mark.parametrize("make", [nano, grouped])
@pytest.mark.parametrize("average", ["sequence", "token"])
def test_packed_loss_and_gradients_are_those_of_one_sequence_at_a_time(make: Any, average: Any) -> None:
    model = make()
    add_fused_lm_head(model)
    recipe = replace(NANO, epochs=1, global_batch=8, loss_average=average)
    alone, its_gradients = losses_and_gradients(model, replace(recipe, micro_batch_tokens=1), processes=1)
    packed, gradients = losses_and_gradients(model, replace(recipe, micro_batch_tokens=1024), processes=1)
    dealt, _ = losses_and_gradients(model, replace(recipe, micro_batch_tokens=256), processes=2)
    assert packed == pytest.approx(alone, abs=1e-5)
    assert dealt == pytest.approx(alone, abs=1e-5)
    for one, other in zip(gradients, its_gradients, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)


def test_the_weighted_loss_is_the_mean_over_sequences_of_their_mean_loss() -> None:
    model = nano()
    data = sequences([30, 11, 57])
    recipe = replace(NANO, epochs=1, global_batch=3)
    batch: dict[str, Any] = Collator(data, schedule(data, recipe).rows)([{"row": 0}])
    means = []
    for one in data:
        ids = torch.from_numpy(one.input_ids).long()[None]
        labels = torch.where(torch.from_numpy(one.loss_mask)[None] == 1, ids, -100)
        means.append(float(model(input_ids=ids, labels=labels).loss.detach()))
    add_fused_lm_head(model)
    weights = batch.pop("loss_weights")
    loss = -(model(**batch, fused_lm_head=True).log_probs * weights[:, 1:]).sum()
    assert float(loss.detach()) == pytest.approx(sum(means) / 3, abs=1e-5)


def test_a_sequence_does_not_see_its_neighbours() -> None:
    model = grouped().eval()
    first, second, other = sequences([20, 33, 20])
    collated = [
        Collator(pair, [MicroBatch((0, 1), (1.0, 1.0))])([{"row": 0}]) for pair in ([first, second], [other, second])
    ]
    with torch.no_grad():
        logits = []
        for batch in collated:
            kept: dict[str, Any] = {name: batch[name] for name in ("input_ids", "position_ids", "sequence_lengths")}
            logits.append(model(**kept, use_cache=False).logits)
    assert torch.equal(logits[0][:, 20:], logits[1][:, 20:])
    assert not torch.allclose(logits[0][:, :20], logits[1][:, :20])


def test_it_is_the_attention_that_transformers_computes_with_a_mask() -> None:
    ours = grouped().eval()
    theirs = Qwen2ForCausalLM._from_config(ours.config, attn_implementation="eager", dtype=torch.float32).eval()
    theirs.load_state_dict(ours.state_dict())
    data = sequences([20, 33])
    batch: dict[str, Any] = Collator(data, [MicroBatch((0, 1), (1.0, 1.0))])([{"row": 0}])
    kept = {name: batch[name] for name in ("input_ids", "position_ids")}
    with torch.no_grad():
        masked = theirs(**kept, use_cache=False).logits
        split = ours(**kept, sequence_lengths=batch["sequence_lengths"], use_cache=False).logits
    torch.testing.assert_close(split, masked, atol=1e-5, rtol=1e-5)
