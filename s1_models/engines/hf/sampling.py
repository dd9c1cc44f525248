"""Next tokens for the rows of `s1_hf`, by transformers' own logits processors.

Each request draws from a generator of its own, seeded by its own seed and held on the CPU: a sample depends neither
on what else is in the batch nor on the device's random numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers import generation

from s1_models.driver import EngineError

# name -> (type, value that changes nothing, transformers' class), in transformers' order of application. The first two
# look at the text so far, and apply to greedy decoding as well.
_HISTORY = {
    "repetition_penalty": (float, 1.0, generation.RepetitionPenaltyLogitsProcessor),
    "no_repeat_ngram_size": (int, 0, generation.NoRepeatNGramLogitsProcessor),
}
_WARPERS = {
    "temperature": (float, 1.0, generation.TemperatureLogitsWarper),
    "top_k": (int, 0, generation.TopKLogitsWarper),
    "top_p": (float, 1.0, generation.TopPLogitsWarper),
    "min_p": (float, 0.0, generation.MinPLogitsWarper),
    "typical_p": (float, 1.0, generation.TypicalLogitsWarper),
    "epsilon_cutoff": (float, 0.0, generation.EpsilonLogitsWarper),
    "eta_cutoff": (float, 0.0, generation.EtaLogitsWarper),
}
SAMPLING_NAMES = frozenset({*_HISTORY, *_WARPERS, "seed", "logit_bias"})


@dataclass(frozen=True, slots=True)
class Sampler:
    """One setting of the sampling options; rows with equal settings share it. greedy: temperature is 0.

    bias: token ids and what is added to their scores, or None.
    """

    greedy: bool
    history: tuple[Any, ...]
    warpers: tuple[Any, ...]
    bias: tuple[Any, Any] | None = None


def make_sampler(sampling: Iterable[tuple[str, Any]], device: Any) -> Sampler:
    """The sampler for (name, value) pairs; `seed` is ignored here. Raises EngineError for a value nobody can use."""
    given = {name: value for name, value in sampling if name != "seed" and value is not None}
    if unknown := sorted(given.keys() - SAMPLING_NAMES):
        raise EngineError(
            f"s1_hf cannot sample with {', '.join(unknown)}; it knows {', '.join(sorted(SAMPLING_NAMES))}"
        )
    greedy = given.get("temperature") in (0, "0", "0.0")
    try:
        history = [_build(name, given[name], _HISTORY, device) for name in _HISTORY if name in given]
        names = [] if greedy else [name for name in _WARPERS if name in given]
        warpers = [_build(name, given[name], _WARPERS, device) for name in names]
    except ValueError as error:
        raise EngineError(f"transformers refused a sampling option: {error}") from error
    return Sampler(
        greedy, tuple(filter(None, history)), tuple(filter(None, warpers)), _bias(given.get("logit_bias"), device)
    )


def _bias(pairs: Any, device: Any) -> tuple[Any, Any] | None:
    """(token ids, amounts) from a mapping or from pairs; None for nothing. Raises EngineError for something else."""
    if not pairs:
        return None
    try:
        listed = [
            (int(token), float(amount)) for token, amount in (pairs.items() if isinstance(pairs, dict) else pairs)
        ]
    except (TypeError, ValueError) as error:
        raise EngineError(f"logit_bias={pairs!r}: expected token ids with a number each ({error})") from error
    ids, amounts = zip(*listed, strict=True)
    return torch.tensor(ids, device=device), torch.tensor(amounts, device=device)


def _build(name: str, value: Any, table: dict[str, Any], device: Any) -> Any:
    kind, neutral, processor = table[name]
    number = kind(value)
    if number == neutral or (name == "top_k" and number < 0):  # vLLM writes "all tokens" as -1
        return None
    return processor(number, device=device) if name == "eta_cutoff" else processor(number)


def make_generator(seed: int | None) -> torch.Generator:
    """A generator for one request; without a seed it is a different one every time."""
    generator = torch.Generator()
    if seed is None:
        generator.seed()
    else:
        generator.manual_seed(int(seed))
    return generator


def choose_tokens(
    scores: Any, samplers: Sequence[Sampler], histories: Sequence[Sequence[int]], generators: Sequence[torch.Generator]
) -> list[int]:
    """One token id per row of scores [rows, vocabulary]; histories: the ids of each row so far."""
    first = samplers[0]
    if all(sampler is first for sampler in samplers):
        return _choose(scores, first, histories, generators)
    chosen: dict[int, int] = {}
    for sampler in {id(one): one for one in samplers}.values():
        rows = [row for row, one in enumerate(samplers) if one is sampler]
        tokens = _choose(scores[rows], sampler, [histories[row] for row in rows], [generators[row] for row in rows])
        chosen.update(zip(rows, tokens, strict=True))
    return [chosen[row] for row in range(len(samplers))]


def _choose(
    scores: Any, sampler: Sampler, histories: Sequence[Sequence[int]], generators: Sequence[torch.Generator]
) -> list[int]:
    if sampler.bias is not None:
        ids, amounts = sampler.bias
        scores = scores.index_add(1, ids, amounts.to(scores.dtype).expand(len(scores), -1))
    if sampler.history:  # row by row: padding would count as text
        processed = []
        for row, history in enumerate(histories):
            ids, one = torch.tensor([list(history)], device=scores.device), scores[row : row + 1]
            for processor in sampler.history:
                one = processor(ids, one)
            processed.append(one)
        scores = torch.cat(processed)
    if sampler.greedy:
        return scores.argmax(-1).tolist()  # type: ignore[no-any-return]
    for warper in sampler.warpers:
        scores = warper(None, scores)
    # The inverse of the cumulative distribution at one uniform number per row, in (0, 1]: the first token at which the
    # sum reaches it has a probability above 0.
    sums = scores.softmax(-1).cumsum(-1)
    drawn = torch.cat([1 - torch.rand(1, 1, generator=generator) for generator in generators]).to(sums.device)
    return (sums < drawn * sums[:, -1:]).sum(-1).tolist()  # type: ignore[no-any-return]
