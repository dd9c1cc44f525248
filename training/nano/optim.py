"""Muon for the weight matrices and AdamW for everything else, in float32, for a model of a few matrices.

Muon (Jordan et al. 2024, https://kellerjordan.github.io/posts/muon/) replaces the momentum of a matrix by the
nearest orthogonal one, found by a few Newton-Schulz iterations. On this model it reaches in six minutes what Adam
does not reach in an hour. Matrices of one shape are stacked and iterated together.
"""

from __future__ import annotations

from collections import defaultdict

import torch
from torch import Tensor, nn

# Coefficients of the quintic iteration, from the post cited above: they bring all singular values near 1 fast.
_A, _B, _C = 3.4445, -4.7750, 2.0315


def orthogonalize(stack: Tensor, iterations: int = 5) -> Tensor:
    """The nearly orthogonal matrices nearest to ``stack`` ([count, rows, columns], rows <= columns)."""
    x = stack / (stack.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(iterations):
        gram = x @ x.mT
        x = _A * x + (_B * gram + _C * gram @ gram) @ x
    return x


class Muon:
    """Nesterov momentum, orthogonalized, on 2-D parameters. ``lr`` is the step per unit of spectral norm."""

    def __init__(self, parameters: list[nn.Parameter], lr: float, momentum: float = 0.95) -> None:
        self.lr = lr
        self.momentum = momentum
        by_shape: defaultdict[tuple[int, int], list[nn.Parameter]] = defaultdict(list)
        for parameter in parameters:
            rows, columns = parameter.shape
            by_shape[min(rows, columns), max(rows, columns)].append(parameter)
        self.groups = list(by_shape.values())
        self.momenta = [torch.zeros(len(group), *shape) for shape, group in by_shape.items()]

    @torch.no_grad()
    def step(self) -> None:
        for group, momenta in zip(self.groups, self.momenta, strict=True):
            gradients = torch.stack([_wide(parameter.grad) for parameter in group])
            momenta.lerp_(gradients, 1 - self.momentum)
            updates = orthogonalize(gradients.lerp(momenta, self.momentum))
            for parameter, update in zip(group, updates, strict=True):
                rows, columns = parameter.shape
                scale = max(1.0, rows / columns) ** 0.5
                parameter.sub_(update if rows <= columns else update.mT, alpha=self.lr * scale)


def _wide(matrix: Tensor | None) -> Tensor:
    if matrix is None:
        raise ValueError("a matrix has no gradient: call backward() before step()")
    return matrix if matrix.shape[0] <= matrix.shape[1] else matrix.mT


class Optimizer:
    """Both optimizers as one; ``step(scale)`` takes a step with every learning rate times ``scale`` (0 to 1)."""

    def __init__(self, model: nn.Module, muon_lr: float, adam_lr: float) -> None:
        matrices, others = [], []
        for name, parameter in model.named_parameters():
            is_matrix = parameter.ndim == 2 and "embed" not in name and "lm_head" not in name
            (matrices if is_matrix else others).append(parameter)
        self.muon_lr, self.adam_lr = muon_lr, adam_lr
        self.muon = Muon(matrices, muon_lr)
        self.adam = torch.optim.AdamW(others, lr=adam_lr, betas=(0.9, 0.95), weight_decay=0.0)

    def step(self, scale: float) -> None:
        self.muon.lr = self.muon_lr * scale
        for group in self.adam.param_groups:
            group["lr"] = self.adam_lr * scale
        self.muon.step()
        self.adam.step()

    def zero_grad(self) -> None:
        self.adam.zero_grad(set_to_none=True)
        for group in self.muon.groups:
            for parameter in group:
                parameter.grad = None
