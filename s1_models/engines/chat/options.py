"""Model args and generation options of `s1_chat` -> what one request asks for"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from s1_contract.options import (
    MAX_ANSWER_TOKENS,
    MAX_THINKING_TOKENS,
    NUM_WAITS,
    PROMPT_STYLE,
    REASONING_EFFORT,
    THINKING_FORMAT,
    WAIT_TEXT,
)
from s1_contract.printing import show
from s1_models.formats import THINK, Format, parse_format
from s1_models.options import (
    ALIASES,
    HARNESS_NAMES,
    LENGTH_NAMES,
    PROMPT_STYLES,
    OptionError,
    at_least_one,
    check_known,
)

CHAT_OPTIONS = (
    REASONING_EFFORT,
    MAX_THINKING_TOKENS,
    NUM_WAITS,
    WAIT_TEXT,
    MAX_ANSWER_TOKENS,
    THINKING_FORMAT,
    PROMPT_STYLE,
)
"""Model args that change what is asked; the same names in gen_kwargs win."""
SAMPLING_NAMES = frozenset(
    {
        *("temperature", "top_p", "top_k", "min_p", "seed", "presence_penalty", "frequency_penalty"),
        *("repetition_penalty", "logit_bias"),
    }
)


@dataclass(frozen=True, slots=True)
class ChatSettings:
    """Everything that decides how one question is asked.

    effort: a word of the server's own, such as low or high. budget: thinking, in tokens. num_waits: how often the end
    of thinking is suppressed and wait_text appended. max_tokens: thinking and answer together; None is the server's
    limit. max_answer_tokens: of the answer after waits. sampling: without the seed of the repeat. until: texts that
    cut the answer. request: put after the question.
    """

    effort: str | None = None
    budget: int | None = None
    num_waits: int = 0
    wait_text: str = "Wait"
    max_tokens: int | None = None
    max_answer_tokens: int = 1024
    form: Format = THINK
    sampling: tuple[tuple[str, Any], ...] = ()
    seed: int | None = None
    samples: int = 1
    until: tuple[str, ...] = ()
    request: str = ""

    @property
    def told(self) -> dict[str, Any]:
        """As it stands in results files; what is not asked for is left out."""
        named = {REASONING_EFFORT: self.effort, MAX_THINKING_TOKENS: self.budget, NUM_WAITS: self.num_waits}
        return {name: value for name, value in named.items() if value is not None}


def split_chat_options(arguments: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Our options under their own names, and the rest. Raises OptionError for one that is given twice."""
    ours: dict[str, Any] = {}
    rest: dict[str, Any] = {}
    for name, value in arguments.items():
        canonical = ALIASES.get(name, name)
        if canonical in ours:
            raise OptionError(f"{canonical} is given twice, once as an alias: keep one of them")
        (ours if canonical in CHAT_OPTIONS else rest)[canonical if canonical in CHAT_OPTIONS else name] = value
    return ours, rest


def read_settings(defaults: Mapping[str, Any], gen_kwargs: Mapping[str, Any]) -> ChatSettings:
    """Settings of a request: model args (`defaults`) overridden by its gen_kwargs. Raises OptionError, FormatError."""
    ours, rest = split_chat_options(gen_kwargs)
    check_known(rest, (*SAMPLING_NAMES, *HARNESS_NAMES, *CHAT_OPTIONS), "generation option")
    options = {**defaults, **ours}
    limit = next((rest[name] for name in LENGTH_NAMES if rest.get(name) is not None), None)
    until = rest.get("until") or ()
    sampling = {name: rest[name] for name in sorted(SAMPLING_NAMES & rest.keys()) if rest[name] is not None}
    seed = sampling.pop("seed", None)
    return ChatSettings(
        effort=_effort(options.get(REASONING_EFFORT)),
        budget=_tokens(MAX_THINKING_TOKENS, options.get(MAX_THINKING_TOKENS)),
        num_waits=_whole(NUM_WAITS, options.get(NUM_WAITS, 0)),
        wait_text=str(options.get(WAIT_TEXT, "Wait")),
        max_tokens=None if limit is None else at_least_one("max_gen_toks", limit),
        max_answer_tokens=at_least_one(MAX_ANSWER_TOKENS, options.get(MAX_ANSWER_TOKENS, 1024)),
        form=parse_format(options.get(THINKING_FORMAT, "auto")) or THINK,
        sampling=tuple(sampling.items()),
        seed=None if seed is None else _whole("seed", seed),
        samples=at_least_one("n", rest.get("n", rest.get("repeats", 1))),
        until=(until,) if isinstance(until, str) else tuple(until),
        request=_request(options.get(PROMPT_STYLE, "bare")),
    )


def _effort(value: Any) -> str | None:
    """None and "auto" are the server's own."""
    if value is None or value in ("", "auto"):
        return None
    if not isinstance(value, str) or not value.replace("-", "").replace("_", "").isalnum():
        raise OptionError(
            f"{REASONING_EFFORT}={show(value)}: expected a word of the server's own, such as low, medium or high"
        )
    return value


def _request(style: Any) -> str:
    return PROMPT_STYLES.get(str(style), str(style))


def _tokens(name: str, value: Any) -> int | None:
    return None if value in (None, "auto") else _whole(name, value)


def _whole(name: str, value: Any) -> int:
    text = str(value).strip()
    if isinstance(value, bool) or not text.isdecimal():
        raise OptionError(f"{name}={show(value)}: expected a whole number of at least 0")
    return int(text)
