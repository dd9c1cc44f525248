"""Decoding for `s1_hf`: the Engine protocol on a transformers model and one key-value cache.

Every decoding step feeds one token per session: the sampled one, or the next of those that budget forcing appended
("Wait", a delimiter). So a wait costs its few tokens in steps that happen anyway, and no other session stands still.
Why not transformers' own continuous batching: docs/decisions/0007.
"""

from __future__ import annotations

import contextlib
import inspect
import itertools
import time
from collections import deque
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers.cache_utils import DynamicCache, DynamicLayer, DynamicSlidingWindowLayer

from s1_models.driver import EngineError, reply_without_unknown
from s1_models.engines.hf.cache import RowCache, count_tokens_that_fit
from s1_models.engines.hf.positions import fix_positions
from s1_models.engines.hf.sampling import Sampler, choose_tokens, make_generator, make_sampler
from s1_models.forcing import Finish, Reply, Request, Tokens

# A continued session whose new tokens are more than this is prefilled again instead of fed token by token.
MOST_FORCED_TOKENS = 64
# Tokens of one prefill, padding included: bounds the memory of its activations.
PREFILL_TOKENS = 8192


@dataclass(slots=True, eq=False)
class _Row:
    """A request in flight. tokens: its prefix and what was sampled; fed: how many of them are in the cache."""

    key: Hashable
    request: Request
    sampler: Sampler
    generator: torch.Generator
    tokens: list[int]
    number: int  # of the request, in the order of submission
    fed: int = 0
    finished: bool = False

    @property
    def sampled(self) -> list[int]:
        return self.tokens[len(self.request.prefix) :]

    def take(self, token: int) -> Finish | None:
        """Adds a sampled token; returns why the request ended, if it did."""
        if token in self.request.stop:
            return Finish.STOP
        self.tokens.append(token)
        return Finish.LENGTH if len(self.tokens) - len(self.request.prefix) == self.request.max_tokens else None


class HFEngine:
    """The Engine protocol on a transformers model that decodes from a key-value cache.

    known_ids: token ids below this are known to the tokenizer; others are dropped. max_rows: requests decoded at a
    time; fewer where the cache would not fit its memory (kv_cache_memory_bytes on each device; None: from what is
    free): the newest are then put back and prefilled again later. autocast: dtype of mixed precision, or None.
    Raises EngineError for a model whose sessions cannot be rows of one key-value cache.
    """

    def __init__(
        self,
        model: Any,
        *,
        context_window: int,
        known_ids: int,
        max_rows: int = 64,
        kv_cache_memory_bytes: int | None = None,
        device: Any = None,
        autocast: Any = None,
    ) -> None:
        self.context_window = context_window
        self._model = model
        self._known_ids = known_ids
        self._max_rows = max_rows
        self._device = torch.device(device) if device is not None else model.device
        self._autocast = autocast
        _check_cache(model)
        fix_positions(model, context_window)
        # Where a model can, it makes the logits of the last position only.
        base = model.get_base_model() if hasattr(model, "get_base_model") else model
        takes = inspect.signature(base.forward).parameters
        self._last_only = {"logits_to_keep": 1} if "logits_to_keep" in takes else {}
        self._takes_positions = "position_ids" in takes  # not where attention itself counts the distance (ALiBi)
        self._rows: list[_Row] = []  # row i of the cache
        self._waiting: deque[_Row] = deque()
        self._replies: list[tuple[Hashable, Reply]] = []
        self._samplers: dict[tuple[tuple[str, Any], ...], Sampler] = {}
        self._numbers = itertools.count()
        sample = self._prefill([(0,)])[1]
        if not sample.layers:
            raise _refusal(model, "no layer that keeps keys and values")
        self._cache = RowCache(sample)
        self._most_tokens = count_tokens_that_fit(self._cache.bytes_per_token(), kv_cache_memory_bytes)

    def submit(self, key: Hashable, request: Request) -> None:
        if not request.prefix:
            raise EngineError("s1_hf cannot continue an empty prompt: it needs at least one token")
        setting = tuple(pair for pair in request.sampling if pair[0] != "seed")
        if setting not in self._samplers:
            self._samplers[setting] = make_sampler(setting, self._device)
        generator = make_generator(dict(request.sampling).get("seed"))  # type: ignore[arg-type]
        tokens = list(request.prefix)
        self._waiting.append(_Row(key, request, self._samplers[setting], generator, tokens, next(self._numbers)))

    def poll(self, timeout_seconds: float | None = None) -> Sequence[tuple[Hashable, Reply]]:
        deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        with self._errors_as_sentences():
            while not self._replies and (self._waiting or any(not row.finished for row in self._rows)):
                self._admit()
                if not self._replies:
                    self._decode()
                if deadline is not None and time.monotonic() >= deadline:
                    break
        replies, self._replies = self._replies, []
        return replies

    def partial(self) -> Sequence[tuple[Hashable, Tokens]]:
        rows = [row for row in (*self._rows, *self._waiting) if not row.finished]
        return [(row.key, tuple(itertools.takewhile(self._knows, row.sampled))) for row in rows]

    def cancel(self) -> None:
        self._rows, self._replies = [], []
        self._waiting.clear()
        self._cache.clear()

    # From requests to rows.

    def _admit(self) -> None:
        """Gives rows to waiting requests: a session that continues keeps its own, the others take what is free."""
        parked = {row.key: place for place, row in enumerate(self._rows) if row.finished}
        for row in list(self._waiting):
            if row.key in parked and self._continue(parked[row.key], row):
                del parked[row.key]
                self._waiting.remove(row)
        for place in sorted(parked.values(), reverse=True):
            self._drop(place)
        joining: list[_Row] = []
        width = self._cache.width
        while self._waiting and len(self._rows) + len(joining) < self._max_rows:
            width = max(width, len(self._waiting[0].tokens))
            if not self._fits(len(self._rows) + len(joining) + 1, width):
                break
            joining.append(self._waiting.popleft())
        if joining:
            self._join(joining)

    def _continue(self, place: int, row: _Row) -> bool:
        """Gives a session the row of its last reply; what the cache holds beyond the common beginning is removed."""
        held = self._rows[place].tokens[: self._rows[place].fed]
        kept = next((n for n, (a, b) in enumerate(zip(held, row.tokens, strict=False)) if a != b), len(held))
        kept = min(kept, len(row.tokens) - 1)  # one token must be fed, to know what comes after it
        if len(row.tokens) - kept > MOST_FORCED_TOKENS:
            return False
        self._cache.take_back(place, len(held) - kept)
        row.fed = kept
        self._rows[place] = row
        return True

    def _join(self, joining: list[_Row]) -> None:
        """Prefills rows, those of about one length together, and equal prefixes once."""
        joining = sorted(joining, key=lambda row: len(row.tokens))
        self._cache.reserve(len(self._rows) + len(joining), len(joining[-1].tokens))
        while joining:
            prefixes: dict[Tokens, int] = {}
            count = 0
            for row in joining:
                prefix = tuple(row.tokens)
                if prefixes and (len(prefixes) + (prefix not in prefixes)) * len(prefix) > PREFILL_TOKENS:
                    break
                prefixes.setdefault(prefix, len(prefixes))
                count += 1
            group, joining = joining[:count], joining[count:]
            logits, prefilled = self._prefill(list(prefixes))
            places = [prefixes[tuple(row.tokens)] for row in group]
            self._cache.join(prefilled, [len(row.tokens) for row in group], places)
            for row in group:
                row.fed = len(row.tokens)
            self._rows += group
            self._choose(group, logits[places])

    def _prefill(self, prefixes: list[Tokens]) -> tuple[Any, DynamicCache]:
        """Logits [rows, vocabulary] after prefixes of mixed lengths, padded on the left, and their cache."""
        longest = max(map(len, prefixes))
        ids = torch.tensor([(0,) * (longest - len(prefix)) + prefix for prefix in prefixes], device=self._device)
        lengths = torch.tensor([[len(prefix)] for prefix in prefixes], device=self._device)
        positions = torch.arange(longest, device=self._device) - (longest - lengths)
        # Without a configuration every layer keeps all its tokens: rows of a sliding window could not be moved.
        cache = DynamicCache()
        return self._forward(ids, (positions >= 0).long(), positions.clamp(min=0), cache), cache

    def _drop(self, place: int) -> _Row:
        self._cache.drop(place)
        row, self._rows[place] = self._rows[place], self._rows[-1]
        self._rows.pop()
        return row

    def _fits(self, rows: int, width: int) -> bool:
        return rows == 1 or rows * self._cache.columns_for(width) <= self._most_tokens

    def _make_room(self) -> None:
        """Makes room for a column more; where memory does not suffice, the newest requests wait until it does."""
        while not self._fits(len(self._rows), self._cache.width):
            row = self._drop(max(range(len(self._rows)), key=lambda place: self._rows[place].number))
            row.fed = 0
            self._waiting.appendleft(row)
        self._cache.reserve(len(self._rows), self._cache.width)

    # From rows to tokens.

    def _decode(self) -> None:
        """One token for every row: the sampled one, or the next forced one."""
        if self._cache.needs_room():
            self._make_room()
        ids = torch.tensor([[row.tokens[row.fed]] for row in self._rows], device=self._device)
        mask, positions = self._cache.next_inputs(self._device)
        logits = self._forward(ids, mask, positions, self._cache)
        self._cache.step()
        for row in self._rows:
            row.fed += 1
        ready = [place for place, row in enumerate(self._rows) if row.fed == len(row.tokens)]
        if ready:
            everyone = len(ready) == len(self._rows)
            self._choose([self._rows[place] for place in ready], logits if everyone else logits[ready])

    def _forward(self, ids: Any, mask: Any, positions: Any, cache: Any) -> Any:
        """Logits [rows, vocabulary] of the last position, float32."""
        options = {**self._last_only, **({"position_ids": positions} if self._takes_positions else {})}
        with torch.no_grad(), torch.autocast(self._device.type, dtype=self._autocast, enabled=bool(self._autocast)):
            output = self._model(input_ids=ids, attention_mask=mask, past_key_values=cache, use_cache=True, **options)
        return output.logits[:, -1].float()

    def _choose(self, rows: list[_Row], logits: Any) -> None:
        for place, row in enumerate(rows):
            if len(row.tokens) - len(row.request.prefix) < row.request.min_tokens:
                logits[place, list(row.request.stop)] = -torch.inf
        chosen = choose_tokens(
            logits, [row.sampler for row in rows], [row.tokens for row in rows], [row.generator for row in rows]
        )
        for row, token in zip(rows, chosen, strict=True):
            finish = row.take(token)
            if finish is not None:
                self._replies.append((row.key, reply_without_unknown(tuple(row.sampled), finish, self._known_ids)))
                row.finished = True

    def _knows(self, token: int) -> bool:
        return token < self._known_ids

    @contextlib.contextmanager
    def _errors_as_sentences(self) -> Iterator[None]:
        try:
            yield
        except torch.OutOfMemoryError as error:
            raise EngineError(
                f"out of memory with {len(self._rows)} sessions of up to {self._cache.width} tokens: give a smaller "
                f"max_batch_size, kv_cache_memory_bytes or max_length ({error})"
            ) from error


def _check_cache(model: Any) -> None:
    kinds = {type(layer) for layer in DynamicCache(config=model.config).layers}
    other = sorted(kind.__name__ for kind in kinds - {DynamicLayer, DynamicSlidingWindowLayer})
    if other or getattr(model.config, "is_encoder_decoder", False):
        raise _refusal(model, ", ".join(other) or "an encoder")
    if getattr(getattr(model, "active_peft_config", None), "is_prompt_learning", False):
        raise EngineError("s1_hf cannot use an adapter that learned a prompt: merge it, or use a LoRA adapter")


def _refusal(model: Any, what: str) -> EngineError:
    return EngineError(
        f"s1_hf keeps sessions as rows of one key-value cache, and this model ({type(model).__name__}) has {what}: "
        f"use s1_vllm"
    )
