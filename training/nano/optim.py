"""Muon for the weight matrices and AdamW for everything else: both PyTorch's, as one optimizer with one schedule.

Muon (Jordan et al. 2024, https://kellerjordan.github.io/posts/muon/) replaces the momentum of a matrix by the nearest
orthogonal one. On this model it reaches in six minutes what Adam does not reach in an hour.
"""

from __future__ import annotations

from torch import nn
from torch.optim import AdamW, Muon


class Optimizer:
    """Both optimizers as one; ``step(scale)`` takes a step with every learning rate times ``scale`` (0 to 1)."""

    def __init__(self, model: nn.Module, muon_lr: float, adam_lr: float) -> None:
        matrices: list[nn.Parameter] = []
        others: list[nn.Parameter] = []
        for name, parameter in model.named_parameters():
            is_matrix = parameter.ndim == 2 and "embed" not in name and "lm_head" not in name
            (matrices if is_matrix else others).append(parameter)
        self._each = (
            (muon_lr, Muon(matrices, lr=muon_lr, momentum=0.95, weight_decay=0.0)),
            (adam_lr, AdamW(others, lr=adam_lr, betas=(0.9, 0.95), weight_decay=0.0)),
        )

    def step(self, scale: float) -> None:
        for rate, optimizer in self._each:
            for group in optimizer.param_groups:
                group["lr"] = rate * scale
            optimizer.step()

    def zero_grad(self) -> None:
        for _, optimizer in self._each:
            optimizer.zero_grad(set_to_none=True)
