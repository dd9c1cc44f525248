"""The key-value cache of `s1_hf`: one row per session, rows come and go while the others keep decoding.

All rows end at the same column, so that one decoding step writes one column for everybody: a row of n tokens lies in
the n columns before `end`, and what is left of it is masked (left padding). transformers' own DynamicCache copies the
whole cache at every step and can neither take in a row nor give one back; this one writes in place.

    columns   first                          end
    row 0       |  . . . . a b c d e f g h i  |
    row 1       |  . . . . . . . . . p q r s  |      a row that leaves: the last row is copied into its place
    row 2       |  k l m n o p q r s t u v w  |      a row that joins: prefilled apart, copied to the right edge
"""

from __future__ import annotations

from typing import Any

import psutil
import torch
from transformers.cache_utils import Cache, DynamicCache, DynamicLayer

# Columns that are allocated ahead: at least this many, and a part of the width, so that a long session is copied
# seldom and wastes little.
SLACK_COLUMNS = 128
SLACK_PART = 4


class _Layer(DynamicLayer):  # type: ignore[misc]
    """One layer of a RowCache; keys and values are buffers of shape [rows, heads, columns, dimensions]."""

    def __init__(self, cache: RowCache, keys: Any, values: Any) -> None:
        super().__init__()
        self._cache = cache
        self.lazy_initialization(keys, values)
        self.keys, self.values = _empty_like(keys, 0, 0), _empty_like(values, 0, 0)

    def update(self, key_states: Any, value_states: Any, *_: Any, **__: Any) -> tuple[Any, Any]:
        """Writes one column ([rows, heads, 1, dimensions]); returns what the rows hold, from the first column on."""
        rows, first, end = len(self._cache.starts), self._cache.first, self._cache.end
        self.keys[:rows, :, end : end + 1] = key_states
        self.values[:rows, :, end : end + 1] = value_states
        return self.keys[:rows, :, first : end + 1], self.values[:rows, :, first : end + 1]

    def get_seq_length(self) -> int:
        """Columns in use."""
        return self._cache.end - self._cache.first


class RowCache(Cache):  # type: ignore[misc]
    """A transformers cache whose rows join and leave one by one.

    sample: a cache of any prompt, made by the model: it says which layers there are, on which devices and in which
    types. starts: the first column of each row; first, end: the columns in use.
    """

    def __init__(self, sample: DynamicCache) -> None:
        super().__init__(layers=[_Layer(self, layer.keys, layer.values) for layer in sample.layers])
        self.starts: list[int] = []
        self.first = self.end = self._columns = self._rows = 0
        self._device_starts: Any = None

    @property
    def width(self) -> int:
        """Columns in use: tokens of the longest row."""
        return self.end - self.first

    def bytes_per_token(self) -> dict[Any, int]:
        """Device -> bytes that one token of one row takes there."""
        sizes: dict[Any, int] = {}
        for layer in self.layers:
            for buffer in (layer.keys, layer.values):
                one = buffer.shape[1] * buffer.shape[3] * buffer.element_size()
                sizes[buffer.device] = sizes.get(buffer.device, 0) + one
        return sizes

    def columns_for(self, width: int) -> int:
        """Columns that are allocated for rows of `width` tokens."""
        return int(width + max(SLACK_COLUMNS, width // SLACK_PART))

    def needs_room(self) -> bool:
        """Whether the next column needs an allocation."""
        return self.end >= self._columns

    def reserve(self, rows: int, width: int) -> None:
        """Makes room for `rows` rows of up to `width` tokens and a column more; keeps what is there."""
        width = max(width, self.width)
        if rows <= self._rows and width <= self.end < self._columns:
            return
        columns, rows, used = self.columns_for(width), max(rows, len(self.starts)), len(self.starts)
        for layer in self.layers:  # one after the other: old and new exist together for one layer only
            for name in ("keys", "values"):
                old = getattr(layer, name)
                new = _empty_like(old, rows, columns)
                new[:used, :, width - self.width : width] = old[:used, :, self.first : self.end]
                setattr(layer, name, new)
        self._rows, self._columns = rows, columns
        self._move([start + width - self.end for start in self.starts], width)

    def join(self, prefilled: DynamicCache, lengths: list[int], rows: list[int]) -> None:
        """Adds rows: row `rows[i]` of a prefilled, left-padded cache, `lengths[i]` tokens. Needs `reserve` before."""
        used = len(self.starts)
        for layer, source in zip(self.layers, prefilled.layers, strict=True):
            for buffer, made in ((layer.keys, source.keys), (layer.values, source.values)):
                buffer[used : used + len(rows), :, self.end - made.shape[2] : self.end] = made[rows]
        self._move([*self.starts, *(self.end - length for length in lengths)], self.end)

    def step(self) -> None:
        """Counts the column that a forward pass has written in every layer."""
        self.end += 1

    def drop(self, row: int) -> None:
        """Removes a row; the last row takes its number."""
        last = len(self.starts) - 1
        start = self.starts[last]
        if row != last:
            for buffer in self._buffers():
                buffer[row, :, start : self.end] = buffer[last, :, start : self.end]
        self._move([*self.starts[:row], start, *self.starts[row + 1 : last]][:last], self.end)

    def take_back(self, row: int, tokens: int) -> None:
        """Removes the last tokens of a row: what is left of it moves to the right edge."""
        if not tokens:
            return
        start = self.starts[row]
        for buffer in self._buffers():
            buffer[row, :, start + tokens : self.end] = buffer[row, :, start : self.end - tokens].clone()
        self._move([*self.starts[:row], start + tokens, *self.starts[row + 1 :]], self.end)

    def clear(self) -> None:
        """Drops every row and gives the memory back."""
        for layer in self.layers:
            layer.keys, layer.values = _empty_like(layer.keys, 0, 0), _empty_like(layer.values, 0, 0)
        self._rows = self._columns = 0
        self._move([], 0)

    def next_inputs(self, device: Any) -> tuple[Any, Any]:
        """For one more token per row: attention mask [rows, width + 1] (left padding 0) and position ids [rows, 1]."""
        if self._device_starts is None or self._device_starts.device != device:
            self._device_starts = torch.tensor(self.starts, device=device).unsqueeze(1)
        columns = torch.arange(self.first, self.end + 1, device=device).unsqueeze(0)
        return (columns >= self._device_starts).long(), self.end - self._device_starts

    def _move(self, starts: list[int], end: int) -> None:
        self.starts, self.end = starts, end
        self.first = min(starts, default=end)
        self._device_starts = None

    def _buffers(self) -> list[Any]:
        return [buffer for layer in self.layers for buffer in (layer.keys, layer.values)]


def _empty_like(buffer: Any, rows: int, columns: int) -> Any:
    """Zeros, not whatever lies in memory: a masked NaN would still spoil the attention's weighted sum."""
    return torch.zeros((rows, buffer.shape[1], columns, buffer.shape[3]), dtype=buffer.dtype, device=buffer.device)


def count_tokens_that_fit(bytes_per_token: dict[Any, int], memory_bytes: int | None = None) -> int:
    """Tokens of all rows together for which there is memory; memory_bytes: how much to take on each device.

    Without it a part of what is free now: the rest is for activations, logits and, on a CPU, for other programs.
    """
    return min((memory_bytes or _free_bytes(device)) // size for device, size in bytes_per_token.items())


def _free_bytes(device: Any) -> int:
    if device.type == "cuda":
        unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(0.8 * (torch.cuda.mem_get_info(device)[0] + unused))
    if device.type == "mps":
        return int(0.6 * (torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory()))
    return int(0.5 * psutil.virtual_memory().available)
