"""Published ways of spending thinking tokens, each a recipe of a few lines: `--model_args policy=NAME`.

A package of your own adds one through the entry-point group `s1.policies` (docs/policies.md).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from functools import cache
from importlib.metadata import entry_points
from typing import Any

from s1_contract.errors import S1Error
from s1_models.policies.recipe import Asks, Pen, PolicyError

GROUP = "s1.policies"
DEFAULT = "budget_forcing"


@dataclass(frozen=True, slots=True)
class Method:
    """A policy that can be chosen by its name.

    recipe: the generator. options: a frozen dataclass, every field with a default and a description (`option`).
    paper: where it comes from. leads: of several settings the one with the largest value runs first in a sweep,
    because the others are beginnings of it.
    """

    recipe: Callable[[Pen, Any], Asks[None]]
    options: type
    paper: str = ""
    leads: Callable[[Any], Any] = lambda _: 0

    @property
    def summary(self) -> str:
        """The first line of the recipe's docstring."""
        return (self.recipe.__doc__ or "").strip().splitlines()[0] if self.recipe.__doc__ else ""


def option(default: Any, help: str) -> Any:
    """A field of a policy's options, with a description for `s1-eval policies`."""
    return field(default=default, metadata={"help": help})


@cache
def methods() -> Mapping[str, Method]:
    """All policies by name: ours, and those of installed packages. Raises PolicyError for two with one name."""
    found = dict(OURS)
    for entry in entry_points(group=GROUP):
        method = entry.load()
        if entry.name in found or not isinstance(method, Method):
            package = entry.dist.name if entry.dist else entry.value
            why = "there is one already" if entry.name in found else "it is no s1_models.policies.methods.Method"
            raise PolicyError(f"the policy {entry.name!r} of {package} cannot be used: {why}")
        found[entry.name] = method
    return found


@cache
def option_owners() -> Mapping[str, tuple[str, ...]]:
    """Option -> the policies that have it."""
    owners: dict[str, tuple[str, ...]] = {}
    for name, method in methods().items():
        for one in fields(method.options):
            owners[one.name] = (*owners.get(one.name, ()), name)
    return owners


class PolicyOptionError(S1Error, ValueError):
    """An option that the policy does not have, or a value that it cannot have."""


def make_options(name: str, given: Mapping[str, Any]) -> Any:
    """A policy's options from what the user wrote. Raises PolicyOptionError for a wrong one, naming whose it is."""
    method = methods()[name]
    known = {one.name: one for one in fields(method.options)}
    values: dict[str, Any] = {}
    for key, value in given.items():
        if key not in known:
            owners = " or ".join(f"policy={owner}" for owner in option_owners().get(key, ()))
            raise PolicyOptionError(
                f"{key} is an option of {owners or 'no policy'}, not of policy={name}: leave it out"
            )
        values[key] = _typed(key, value, known[key])
    try:
        return method.options(**values)
    except (TypeError, ValueError) as error:
        raise PolicyOptionError(f"policy={name}: {error}") from None


def _typed(key: str, value: Any, one: Any) -> Any:
    kind: type = type(one.default) if one.default is not MISSING else str
    try:
        if kind is bool:
            return {"true": True, "1": True, "false": False, "0": False}[str(value).strip().lower()]
        if kind is int and float(value) != int(float(value)):
            raise ValueError("a fraction")
        return int(float(value)) if kind is int else kind(value)
    except (KeyError, TypeError, ValueError):
        expected = {bool: "true or false", int: "a whole number", float: "a number"}.get(kind, "a text")
        raise PolicyOptionError(f"{key}={value!r}: expected {expected}") from None


def _at_least(least: float, **values: float) -> None:
    for name, value in values.items():
        if value < least:
            raise ValueError(f"{name}={value}: expected at least {least}")


@dataclass(frozen=True, slots=True)
class NoOptions:
    """A policy without options of its own."""


def budget_forcing(pen: Pen, _: NoOptions) -> Asks[None]:
    """Writes a wait where the model would stop, and cuts where the budget ends. This is s1."""
    yield from pen.thinking()
    yield from pen.answer()


@dataclass(frozen=True, slots=True)
class Graceful:
    """Options of `graceful`."""

    cut_message: str = option(
        "\n\nTime is short, so I answer now with what I have found out so far.\n",
        "written before the end of thinking when the budget is used up; its tokens come out of the budget",
    )
    hint: str = option("", "written once when the share hint_at of the budget is used up; empty: no hint")
    hint_at: float = option(0.8, "share of the budget after which the hint comes")
    grace_tokens: int = option(0, "tokens that the model may still think after the hint before it is cut; 0: all")

    def __post_init__(self) -> None:
        _at_least(0, grace_tokens=self.grace_tokens)
        if not 0 < self.hint_at < 1:
            raise ValueError(f"hint_at={self.hint_at}: expected a share between 0 and 1")


def graceful(pen: Pen, o: Graceful) -> Asks[None]:
    """Writes a sentence before the cut, and optionally a hint earlier, so that the model can finish."""
    limit = pen.room - len(pen.encode(o.cut_message))
    if limit < 1:
        raise PolicyOptionError(f"cut_message leaves none of the {pen.room} thinking tokens: raise max_thinking_tokens")
    ended = yield from pen.thinking(int(o.hint_at * limit) if o.hint else limit)
    if o.hint and not ended:
        pen.force(o.hint)
        left = pen.room - len(pen.encode(o.cut_message))
        ended = yield from pen.thinking(min(left, o.grace_tokens) if o.grace_tokens else left)
    if not ended:
        pen.force(o.cut_message)
    yield from pen.answer()


@dataclass(frozen=True, slots=True)
class NoThinking:
    """Options of `no_thinking`."""

    dummy_thinking: str = option("\nI have thought about this long enough.\n", "what stands in place of the thinking")


def no_thinking(pen: Pen, o: NoThinking) -> Asks[None]:
    """Replaces the thinking with a fixed sentence, and the model answers."""
    pen.force(o.dummy_thinking)
    pen.end()
    yield from pen.answer()


@dataclass(frozen=True, slots=True)
class Converge:
    """Options of `converge`."""

    probe_every: int = option(64, "thinking tokens between two trial answers")
    probe_after: str = option("", "a text after which a trial answer is asked for, in place of probe_every")
    agree: int = option(3, "so many trial answers in a row must be equal for thinking to end")
    probe_tokens: int = option(32, "limit of a trial answer")

    def __post_init__(self) -> None:
        _at_least(1, probe_every=self.probe_every, agree=self.agree, probe_tokens=self.probe_tokens)


def converge(pen: Pen, o: Converge) -> Asks[None]:
    """Thinking ends when trial answers agree."""
    said: list[str] = []
    while not (yield from _to_the_next_probe(pen, o.probe_every, o.probe_after)):
        said.append((yield from pen.probe(o.probe_tokens)))
        if len(said) >= o.agree and len(set(said[-o.agree :])) == 1:
            break
    yield from pen.answer()


@dataclass(frozen=True, slots=True)
class Record:
    """Options of `record`."""

    probe_every: int = option(64, "thinking tokens between two trial answers")
    probe_after: str = option("", "a text after which a trial answer is asked for, in place of probe_every")
    probe_tokens: int = option(32, "limit of a trial answer")

    def __post_init__(self) -> None:
        _at_least(1, probe_every=self.probe_every, probe_tokens=self.probe_tokens)


def record(pen: Pen, o: Record) -> Asks[None]:
    """Budget forcing that also records trial answers, for comparing stopping rules. They change nothing."""
    while not (yield from _to_the_next_probe(pen, o.probe_every, o.probe_after)):
        yield from pen.probe(o.probe_tokens)
    yield from pen.answer()


def _to_the_next_probe(pen: Pen, every: int, after: str) -> Asks[bool]:
    """Thinks up to where the next trial answer is due. Returns whether thinking has ended instead."""
    ended = yield from (pen.think_until([after]) if after else pen.thinking(every))
    return ended or pen.room <= 0


@dataclass(frozen=True, slots=True)
class NoWait:
    """Options of `no_wait`."""

    banned: str = option(
        "Wait|wait|Alternatively|Hmm|But|However|Another|Check|Actually",
        "words, with | between them, that thinking is kept from",
    )
    penalty: float = option(100.0, "how much their logits are lowered: 100 bans them, 3 makes them rarer")

    def __post_init__(self) -> None:
        _at_least(0, penalty=self.penalty)


def no_wait(pen: Pen, o: NoWait) -> Asks[None]:
    """Bans words such as "wait" while the model thinks, or makes them less likely."""
    spelt = {form for word in o.banned.split("|") if word for form in (word, f" {word}", f"\n{word}")}
    firsts = sorted({tokens[0] for text in spelt if len(tokens := pen.encode(text)) == 1})
    if not firsts:
        raise PolicyOptionError(f"banned={o.banned!r}: none of these words is one token of this model's vocabulary")
    pen.sample_thinking(logit_bias=tuple((token, -o.penalty) for token in firsts))
    yield from pen.thinking()
    yield from pen.answer()


@dataclass(frozen=True, slots=True)
class ScheduledWaits:
    """Options of `scheduled_waits`."""

    alpha: float = option(1.4, "waits come up to alpha times mean_thinking_tokens")
    mean_thinking_tokens: int = option(2048, "how long this model thinks on average")
    paragraph: str = option("\n\n", "a text after which a wait may come")
    coin_seed: int = option(0, "seed of the coin that decides whether one comes")

    def __post_init__(self) -> None:
        _at_least(1, mean_thinking_tokens=self.mean_thinking_tokens)
        _at_least(0, alpha=self.alpha)


def scheduled_waits(pen: Pen, o: ScheduledWaits) -> Asks[None]:
    """Writes waits after paragraphs, less and less often, up to alpha times the usual length."""
    coin = random.Random(o.coin_seed)
    moment = min(pen.room, int(o.alpha * o.mean_thinking_tokens))
    while pen.thinking_tokens < moment:
        if (yield from pen.think_until([o.paragraph])) or pen.room <= 0:
            break
        share = 1 - pen.thinking_tokens / moment
        if coin.random() < share and not pen.wait():
            break
    yield from pen.thinking()
    yield from pen.answer()


OURS: Mapping[str, Method] = {
    DEFAULT: Method(budget_forcing, NoOptions, "s1, arXiv 2501.19393, section 3.1"),
    "graceful": Method(graceful, Graceful, "Qwen3, arXiv 2505.09388, section 4.3 (the sentence)"),
    "no_thinking": Method(no_thinking, NoThinking, "NoThinking, arXiv 2504.09858"),
    "converge": Method(
        converge, Converge, "Dynasor, arXiv 2412.20993; ES-CoT, arXiv 2509.14004", leads=lambda options: options.agree
    ),
    "record": Method(record, Record, "the probes of Dynasor, arXiv 2412.20993"),
    "no_wait": Method(no_wait, NoWait, "NoWait, arXiv 2506.08343; thought-switch penalty, arXiv 2501.18585"),
    "scheduled_waits": Method(scheduled_waits, ScheduledWaits, "AlphaOne, arXiv 2505.24863, section 3"),
}
