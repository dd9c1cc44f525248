"""What the user writes (model_args, gen_kwargs, a task's generation_kwargs) -> Settings.

Model args are the defaults of a run; the same names in gen_kwargs or in a task's generation_kwargs override them
for that task. Anything unknown is an error that names the nearest known name.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from typing import Any

from s1_models.forcing import Budget, S1Error
from s1_models.formats import Format, parse_format

CHAT_TEMPLATE_CHOICES = ("auto", "always", "never")
BUDGET_OPTIONS = tuple(option.name for option in fields(Budget))
OPTIONS = (*BUDGET_OPTIONS, "thinking_format", "chat_template")

# s1's own names for the same things (its lm-evaluation-harness fork, vllm_causallms.py).
ALIASES = {
    "max_tokens_thinking": "max_thinking_tokens",
    "min_tokens_thinking": "min_thinking_tokens",
    "thinking_n_ignore": "num_waits",
    "thinking_n_ignore_str": "wait_text",
}
# The harness's names for the limit of a generation, in its order of priority.
LENGTH_NAMES = ("max_gen_toks", "max_new_tokens", "max_tokens", "max_completion_tokens")
HARNESS_NAMES = (*LENGTH_NAMES, "until", "do_sample", "n", "repeats")


class OptionError(S1Error, ValueError):
    """An unknown option, or a value it cannot have."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that decides how one request is generated.

    form: None means detect. samples: sessions per request. until: texts that cut the answer.
    sampling: (name, value) pairs of the engine's sampling parameters, without the seed of the session.
    """

    budget: Budget
    form: Format | None
    chat_template: str
    samples: int
    until: tuple[str, ...]
    sampling: tuple[tuple[str, Any], ...]


def split_options(
    arguments: Mapping[str, Any], defaults: Mapping[str, Any] | None = None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Our arguments under their canonical names, and the rest. Raises OptionError for a name that is given twice.

    defaults: options that hold where `arguments` say nothing.
    """
    ours: dict[str, Any] = {}
    rest: dict[str, Any] = {}
    for name, value in arguments.items():
        canonical = ALIASES.get(name, name)
        if canonical not in OPTIONS:
            rest[name] = value
        elif canonical in ours:
            raise OptionError(f"{canonical} is given twice, once as an alias: keep one of them")
        else:
            ours[canonical] = value
    if "thinking_n_ignore" in arguments and "wait_text" not in {**(defaults or {}), **ours}:
        ours["wait_text"] = ""  # s1: thinking_n_ignore without a string only suppresses the end
    return ours, rest


def resolve(defaults: Mapping[str, Any], gen_kwargs: Mapping[str, Any], sampling_names: Collection[str]) -> Settings:
    """Settings of a request: model args (`defaults`, canonical names) overridden by its gen_kwargs.

    sampling_names: what the engine can sample with. Raises OptionError, BudgetError or FormatError.

    `max_gen_toks` bounds the answer, as in s1: a task's value below `max_answer_tokens`' default lowers it; an
    explicit `max_answer_tokens` wins. A `temperature` that is given wins over `do_sample: false`.
    """
    ours, rest = split_options(gen_kwargs, defaults)
    options = {**defaults, **ours}
    check_known(rest, (*sampling_names, *HARNESS_NAMES, *OPTIONS), "generation option")

    budget = {name: _number_or_text(name, options[name]) for name in BUDGET_OPTIONS if name in options}
    if budget.get("max_thinking_tokens") == "auto":
        budget["max_thinking_tokens"] = None
    harness_limit = next((rest[name] for name in LENGTH_NAMES if rest.get(name) is not None), None)
    if "max_answer_tokens" not in budget and harness_limit is not None:
        default = Budget().max_answer_tokens
        budget["max_answer_tokens"] = min(default, _whole_number("max_gen_toks", harness_limit))

    chat_template = options.get("chat_template", "auto")
    if chat_template not in CHAT_TEMPLATE_CHOICES:
        raise OptionError(f"chat_template={chat_template!r}: expected one of {', '.join(CHAT_TEMPLATE_CHOICES)}")
    samples = _whole_number("n", rest.get("n", rest.get("repeats", 1)))
    if samples < 1:
        raise OptionError(f"n={samples}: expected at least 1 sample per question")
    until = rest.get("until") or ()
    return Settings(
        budget=Budget(**budget),
        form=parse_format(options.get("thinking_format", "auto")),
        chat_template=chat_template,
        samples=samples,
        until=(until,) if isinstance(until, str) else tuple(until),
        sampling=_sampling(rest),
    )


def check_known(given: Collection[str], known: Collection[str], kind: str) -> None:
    """Raises OptionError for the first name that is not known, naming the nearest one that is."""
    for name in given:
        if name not in known:
            # Our own names first: a near one of ours is likelier to be meant than a nearer one among vLLM's hundreds.
            (nearest,) = difflib.get_close_matches(name, OPTIONS, n=1, cutoff=0.75) or difflib.get_close_matches(
                name, list(known), n=1, cutoff=0
            )
            raise OptionError(f"unknown {kind} {name!r}: did you mean {nearest!r}?")


def _sampling(rest: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    chosen = {name: value for name, value in rest.items() if name not in HARNESS_NAMES}
    if chosen.get("seed") is None:
        chosen.pop("seed", None)
    else:
        chosen["seed"] = _whole_number("seed", chosen["seed"])
    if "temperature" not in chosen and not rest.get("do_sample"):
        chosen["temperature"] = 0.0
    # Lists (such as bad_words) become tuples so that settings can be compared and hashed.
    return tuple(sorted((name, tuple(v) if isinstance(v, list) else v) for name, v in chosen.items()))


def _number_or_text(name: str, value: Any) -> Any:
    if name in ("wait_text", "final_answer_text"):
        return "" if value is None else str(value)
    if name == "max_thinking_tokens" and value in (None, "auto"):
        return "auto"
    return _whole_number(name, value)


def _whole_number(name: str, value: Any) -> int:
    text = str(value).strip()
    if isinstance(value, bool) or not text.removeprefix("-").isdecimal():
        expected = "a whole number or auto" if name == "max_thinking_tokens" else "a whole number"
        raise OptionError(f"{name}={value!r}: expected {expected}")
    return int(text)
