"""Attention over packed sequences: each one attends to itself only, and what lies between them is never computed.

transformers can mask packed sequences for PyTorch's attention by a dense [seq, seq] mask, which costs the whole square
in time and memory; its FlashAttention path needs a package of its own. Here the packed row is split at the sequence
boundaries and each piece takes PyTorch's causal kernel: the same numbers, on a CPU and a GPU alike.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

NAME = "per_sequence"  # for `attn_implementation`


def attend(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    sequence_lengths: list[int] | None = None,
    **options: Any,
) -> tuple[Tensor, None]:
    """Causal attention inside each packed sequence.

    query: [1, heads, seq, head_dim]; key, value: [1, key_value_heads, seq, head_dim]. sequence_lengths adds up to
    seq; without it this is transformers' own attention. Returns [1, seq, heads, head_dim].
    """
    if sequence_lengths is None:
        whole: Tensor = sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, **options
        )[0]
        return whole, None
    pieces = zip(*(one.split(sequence_lengths, dim=2) for one in (query, key, value)), strict=True)
    grouped = query.shape[1] != key.shape[1]
    attended = [
        scaled_dot_product_attention(q, k, v, dropout_p=dropout, is_causal=True, scale=scaling, enable_gqa=grouped)
        for q, k, v in pieces
    ]
    return torch.cat(attended, dim=2).transpose(1, 2).contiguous(), None


def _mask(*arguments: Any, attention_mask: Tensor | None = None, **options: Any) -> Tensor | None:
    """No mask for packed rows, whose boundaries come as lengths; padded rows get transformers' own."""
    if attention_mask is None:
        return None
    mask: Tensor | None = sdpa_mask(*arguments, attention_mask=attention_mask, **options)
    return mask


def register() -> str:
    """Make the name known to transformers; returns it."""
    AttentionInterface.register(NAME, attend)
    AttentionMaskInterface.register(NAME, _mask)
    return NAME
