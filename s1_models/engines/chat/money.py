"""What a run cost: tokens as the server counted them, and dollars by the user's own price table"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from s1_contract.printing import show
from s1_models.engines.chat.shapes import ChatReply
from s1_models.options import OptionError


@dataclass(frozen=True, slots=True)
class Prices:
    """US dollars per million tokens. cached: of prompt tokens that the server had; None: as input."""

    input: float
    output: float
    cached: float | None = None

    def of(self, reply: ChatReply) -> float | None:
        """What a reply cost in dollars; None where the server did not count."""
        if reply.prompt_tokens is None or reply.completion_tokens is None:
            return None
        cached = min(reply.cached_tokens or 0, reply.prompt_tokens)
        fresh = reply.prompt_tokens - cached
        for_cached = cached * (self.input if self.cached is None else self.cached)
        return (fresh * self.input + for_cached + reply.completion_tokens * self.output) / 1e6


def read_prices(given: object, model: str) -> Prices | None:
    """The model arg `prices`: a table, or a JSON file with one: {MODEL: {"input": 1.25, "output": 10, "cached": 0.1}}.

    One entry without models is for this model. Raises OptionError for a table without this model, or of another form.
    """
    if given in (None, ""):
        return None
    table = _table(given)
    entry = table if "input" in table else table.get(model)
    if entry is None:
        raise OptionError(
            f"prices: no price of {show(model)} in it, which has {show(', '.join(map(str, table)))}: add it"
        )
    try:
        numbers = {name: float(value) for name, value in entry.items()}
        prices = Prices(**numbers)
    except (TypeError, ValueError, AttributeError):
        raise _unclear() from None
    if min(numbers.values()) < 0:
        raise _unclear()
    return prices


def _table(given: object) -> Mapping[str, Any]:
    text = given if isinstance(given, str) else json.dumps(given)
    if isinstance(given, str) and not given.lstrip().startswith(("{", "[")):
        try:
            text = Path(given).expanduser().read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise OptionError(f"prices={show(given)}: cannot be read ({error}): name a JSON file") from None
    try:
        table = json.loads(text)
    except ValueError:
        raise _unclear() from None
    if not isinstance(table, dict):
        raise _unclear()
    return table


def _unclear() -> OptionError:
    return OptionError(
        'prices: expected dollars per million tokens as JSON, {"MODEL": {"input": 1.25, "output": 10, "cached": 0.1}}, '
        "or a file with that"
    )


def add_up(replies: Iterable[ChatReply], prices: Prices | None) -> dict[str, Any]:
    """Tokens and dollars of replies. usd: None where nobody knows; the user's prices win over what the server says."""
    told = list(replies)
    names = ("prompt_tokens", "completion_tokens", "reasoning_tokens", "cached_tokens")
    counts = {name: sum(getattr(reply, name) or 0 for reply in told) for name in names}
    costs = [reply.cost if prices is None else prices.of(reply) for reply in told]
    known = [cost for cost in costs if cost is not None]
    return {
        "replies": len(told),
        **counts,
        "usd": round(sum(known), 6) if known else None,
        "replies_without_a_cost": len(costs) - len(known),
    }
