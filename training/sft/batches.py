"""Sequences -> optimizer steps of a fixed number of sequences, packed into micro-batches of about equal length.

A step is `global_batch` sequences whatever the number of processes. They are dealt to `processes x accumulation`
micro-batches, longest first into the emptiest, so that no process waits long for another and nothing is padded.
Every token's weight in the loss is fixed here, once, so the loss of a step does not depend on how it was dealt.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.sft.recipes import Recipe, RecipeError


@dataclass(frozen=True)
class Encoded:
    """One training sequence: token ids, and 1 where the loss counts the token, both int32 of [seq]."""

    input_ids: NDArray[np.int32]
    loss_mask: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.input_ids)

    @property
    def trained_tokens(self) -> int:
        """Tokens that the loss counts; the first one of a sequence is predicted from nothing and never counts."""
        return int(self.loss_mask[1:].sum())


@dataclass(frozen=True)
class MicroBatch:
    """What one process takes in one forward pass. members: indices of sequences; weights: of each one's tokens."""

    members: tuple[int, ...]
    weights: tuple[float, ...]


@dataclass(frozen=True)
class Schedule:
    """All micro-batches of a run, in the order in which processes take them: step, then micro-batch, then process."""

    rows: list[MicroBatch]
    steps: int
    accumulation: int
    processes: int
    tokens: list[int]  # of each step, all processes together

    def step_rows(self, step: int) -> list[MicroBatch]:
        """The micro-batches of one step (from 0), all processes together."""
        size = self.accumulation * self.processes
        return self.rows[step * size : (step + 1) * size]


def schedule(sequences: Sequence[Encoded], recipe: Recipe, processes: int = 1) -> Schedule:
    """Deal all epochs. Raises RecipeError when a global batch cannot be dealt to so many processes."""
    if processes > recipe.global_batch:
        raise RecipeError(
            f"{processes} processes cannot share a global batch of {recipe.global_batch} sequences: start at most "
            f"{recipe.global_batch}, or change the recipe with --set global_batch=N"
        )
    chosen = _steps(len(sequences), recipe)
    lengths = [len(one) for one in sequences]
    accumulation = _accumulation(chosen, lengths, recipe, processes)
    rows = []
    for members in chosen:
        dealt = _deal(members, lengths, accumulation * processes)
        assert sorted(n for bin_ in dealt for n in bin_) == sorted(members)  # the recipe's global batch, exactly
        total = sum(sequences[n].trained_tokens for n in members)
        for bin_ in dealt:
            rows.append(MicroBatch(tuple(bin_), tuple(_weight(sequences[n], total, recipe) for n in bin_)))
    tokens = [sum(lengths[n] for n in members) for members in chosen]
    return Schedule(rows, len(chosen), accumulation, processes, tokens)


def _steps(count: int, recipe: Recipe) -> list[list[int]]:
    """The sequences of each step: a new order every epoch, the last step filled up from that epoch's start."""
    steps = []
    for epoch in range(recipe.epochs):
        order = list(range(count))
        random.Random(f"sft-{recipe.seed}-{epoch}").shuffle(order)
        for start in range(0, count, recipe.global_batch):
            members = order[start : start + recipe.global_batch]
            missing = recipe.global_batch - len(members)
            steps.append(members + [order[n % count] for n in range(missing)])
    return steps


def _accumulation(steps: list[list[int]], lengths: list[int], recipe: Recipe, processes: int) -> int:
    """The fewest micro-batches per process with which no pass of any step exceeds the tokens allowed."""
    most = recipe.global_batch // processes
    for accumulation in range(1, most + 1):
        fullest = (sum(lengths[n] for n in bin_) for s in steps for bin_ in _deal(s, lengths, accumulation * processes))
        if max(fullest) <= recipe.tokens_per_pass:
            return accumulation
    # One sequence a pass is always allowed: it is at most block_size long.
    if most * processes == recipe.global_batch:
        return most
    raise RecipeError(
        f"{recipe.global_batch} sequences on {processes} processes need passes of more than {recipe.tokens_per_pass} "
        f"tokens: start a number of processes that divides {recipe.global_batch}, or raise micro_batch_tokens"
    )


def _deal(members: list[int], lengths: list[int], bins: int) -> list[list[int]]:
    """Longest first into the emptiest bin; every bin gets one at least (there are no fewer members than bins)."""
    dealt: list[list[int]] = [[] for _ in range(bins)]
    loads = [0] * bins
    for n in sorted(members, key=lambda n: -lengths[n]):
        emptiest = loads.index(min(loads))
        dealt[emptiest].append(n)
        loads[emptiest] += lengths[n]
    return dealt


def _weight(sequence: Encoded, trained_tokens_of_step: int, recipe: Recipe) -> float:
    """The weight of each trained token; over a step, the weights of all trained tokens add up to 1."""
    if recipe.loss_average == "token":
        return 1.0 / max(1, trained_tokens_of_step)
    return 1.0 / (max(1, sequence.trained_tokens) * recipe.global_batch)


@dataclass(frozen=True)
class Collator:
    """A row number of the schedule -> the tensors of one forward pass, without padding.

    input_ids, position_ids: [1, seq]; loss_weights: [1, seq], 0 where the loss does not count; labels: [1, seq],
    -100 there; sequence_lengths: of the packed sequences, in order, for :mod:`training.sft.attention`.
    """

    sequences: Sequence[Encoded]
    rows: Sequence[MicroBatch]

    def __call__(self, chosen: list[dict[str, int]]) -> dict[str, Tensor | list[int]]:
        (row,) = chosen  # one row a pass: the packing is done
        micro_batch = self.rows[row["row"]]
        members = [self.sequences[n] for n in micro_batch.members]
        ids = torch.from_numpy(np.concatenate([one.input_ids for one in members])).long()
        positions = torch.cat([torch.arange(len(one)) for one in members])
        weights = torch.cat(
            [
                torch.from_numpy(one.loss_mask).float() * weight
                for one, weight in zip(members, micro_batch.weights, strict=True)
            ]
        )
        weights[positions == 0] = 0.0
        return {
            "input_ids": ids[None],
            "position_ids": positions[None],
            "labels": torch.where(weights > 0, ids, -100)[None],
            "loss_weights": weights[None],
            "sequence_lengths": [len(one) for one in members],
        }
