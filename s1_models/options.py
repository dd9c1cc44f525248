"""What the user writes (model_args, gen_kwargs, a task's generation_kwargs) -> Settings.

Model args are the defaults of a run; the same names in gen_kwargs or in a task's generation_kwargs override them
for that task. Anything unknown is an error that names the nearest known name.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from s1_contract.options import ALIASES as SHORT_ALIASES
from s1_contract.options import (
    FINAL_ANSWER_TEXT,
    MAX_ANSWER_TOKENS,
    MAX_THINKING_TOKENS,
    MIN_TOKENS_THINKING,
    POLICY,
    PROMPT_STYLE,
    REJECTION_FALLBACK,
    REJECTION_SAMPLE,
    REJECTION_TRIES,
    RESPONSE,
    S1_FORMAT_OPTIONS,
    THINK_FOR,
    THINKING_END,
    THINKING_FORMAT,
    THINKING_N_IGNORE,
    THINKING_START,
    UNTIL_THINKING,
    UNTIL_THINKING_2,
    WAIT_TEXT,
)
from s1_models.forcing import Budget, S1Error
from s1_models.formats import S1, Format, custom, parse_format
from s1_models.policies.methods import DEFAULT, make_options, methods, option_owners
from s1_models.policies.rejection import DEFAULT_TRIES, Rejection

# Of s1_vllm, where no model is named.
DEFAULT_MODEL = "simplescaling/s1-32B"
CHAT_TEMPLATE_CHOICES = ("auto", "always", "never")
RESPONSE_CHOICES = ("auto", "whole", "answer")
BUDGET_OPTIONS = tuple(option.name for option in fields(Budget))
REJECTION_OPTIONS = (REJECTION_TRIES, REJECTION_FALLBACK)
_PROMPT_OPTIONS = (THINKING_FORMAT, "chat_template", PROMPT_STYLE, THINK_FOR)
OPTIONS = (*BUDGET_OPTIONS, *REJECTION_OPTIONS, *_PROMPT_OPTIONS, RESPONSE, POLICY, "memo")
# The memo of a run whose model args say nothing about it.
MEMO_VARIABLE = "S1_MEMO"

# s1's own names for the same things; its way of spelling a format out has no other names.
ALIASES = {**SHORT_ALIASES, **{name: name for name in S1_FORMAT_OPTIONS}}
# s1's requests for a length in the prompt (section 5.1 and appendix), and the variables that asked for them there.
LENGTH_REQUESTS = {
    "long": "Answer after a long amount of thinking. If you feel like you are finished early, spend the extra time "
    "trying to double-check your work until you are absolutely sure that you have the correct answer.",
    "short": "Answer after a short amount of thinking. Do not spend excessive time double-checking your work.",
}
PROMPT_VARIABLES = {"PROMPTSTEP": "{} steps", "PROMPTTOKEN": "{} tokens", "PROMPTLONG": "long", "PROMPTSHORT": "short"}
# What `prompt_style` puts after a question. s1 asks bare questions; most other models are measured with a request for
# a box, and answer worse without it.
PROMPT_STYLES = {
    "bare": "",
    "boxed": r"Reason through the problem one step after another. Give the final answer inside \boxed{}.",
}
# s1: temperature_thinking=... is the temperature of the thinking alone.
THINKING_SUFFIX = "_thinking"
# The harness's names for the limit of a generation, in its order of priority.
LENGTH_NAMES = ("max_gen_toks", "max_new_tokens", "max_tokens", "max_completion_tokens")
ONE_ONLY = ("num_beams", "num_beam_groups", "num_return_sequences")
HARNESS_NAMES = (*LENGTH_NAMES, "until", "do_sample", "n", "repeats", *ONE_ONLY)


class OptionError(S1Error, ValueError):
    """An unknown option, or a value it cannot have."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that decides how one request is generated.

    form: None means detect. samples: sessions per request. until: texts that cut the answer.
    sampling: (name, value) pairs of the engine's sampling parameters, without the seed of the session.
    thinking_sampling: the same for the thinking, where it is sampled differently. rejection: None is budget forcing.
    thinking_request, prompt_style: put after the question.
    plain_answer_tokens: limit of an answer without any thinking, which is as long as thinking and answer together.
    policy, policy_options: how thinking tokens are spent, and the options of that way.
    response: what a task is given: "whole", the "answer" alone, or "auto" (whole for tasks that s1_tasks scores).
    """

    budget: Budget
    form: Format | None
    chat_template: str
    samples: int
    until: tuple[str, ...]
    sampling: tuple[tuple[str, Any], ...]
    thinking_sampling: tuple[tuple[str, Any], ...] | None = None
    rejection: Rejection | None = None
    plain_answer_tokens: int = Budget().max_answer_tokens
    thinking_request: str = ""
    prompt_style: str = ""
    response: str = "auto"
    policy: str = DEFAULT
    policy_options: Any = None


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
        if canonical not in OPTIONS and canonical not in S1_FORMAT_OPTIONS and canonical not in option_owners():
            rest[name] = value
        elif canonical in ours:
            twice = OptionError(f"{canonical} is given twice, once as an alias: keep one of them")
            raise twice.mended_by("drop", next(alias for alias in arguments if ALIASES.get(alias) == canonical))
        else:
            ours[canonical] = _tries(value) if name == REJECTION_SAMPLE else value
    suppresses = arguments.keys() & {THINKING_N_IGNORE, MIN_TOKENS_THINKING}
    if suppresses and WAIT_TEXT not in {**(defaults or {}), **ours}:
        ours[WAIT_TEXT] = ""  # s1: without a string the end is only suppressed
    return ours, rest


def split_model_arguments(
    arguments: Mapping[str, Any], sampling_names: Collection[str], known: Collection[str]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Our model args under their canonical names, and the host's. Raises OptionError for one that neither knows.

    known: names of the host's model args.
    """
    ours, rest = split_options(arguments)
    for name in rest:
        if name in sampling_names and name not in known:
            wrong = OptionError(f"{name} is a sampling option: put it into --gen_kwargs {name}={rest[name]}")
            raise wrong.mended_by("move", name, "gen_kwargs")
    check_known(rest, [*OPTIONS, *option_owners(), *ALIASES, *sorted(known)], "model argument")
    return ours, rest


def split_generation_options(
    gen_kwargs: Mapping[str, Any], sampling_names: Collection[str], defaults: Mapping[str, Any] | None = None
) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Our generation options under their canonical names; the engine's and the harness's; those of the thinking alone.

    Raises OptionError for one that nobody knows.
    """
    ours, rest = split_options(gen_kwargs, defaults)
    if "memo" in ours:
        wrong = OptionError("memo belongs to the whole run: put it into --model_args memo=PATH")
        raise wrong.mended_by("move", "memo", "model_args")
    of_thinking = {
        name.removesuffix(THINKING_SUFFIX): rest.pop(name)
        for name in list(rest)
        if name.removesuffix(THINKING_SUFFIX) in sampling_names and name not in sampling_names
    }
    check_known(rest, (*sampling_names, *HARNESS_NAMES, *OPTIONS, *option_owners()), "generation option")
    return ours, rest, of_thinking


def take_thinking_switch(arguments: dict[str, Any]) -> bool:
    """Takes lm_eval's `enable_thinking` out of model args (or their chat_template_args); True unless it is false.

    Given as true, lm_eval asks for a think_end_token, which is of no use here; not given, it tells templates None,
    which some take for false.
    """
    given = [arguments.pop("enable_thinking", None)]
    if isinstance(template_arguments := arguments.get("chat_template_args"), dict):
        arguments["chat_template_args"] = {k: v for k, v in template_arguments.items() if k != "enable_thinking"}
        given.append(template_arguments.get("enable_thinking"))
    return all(str(value).strip().lower() not in ("false", "0") for value in given)


def resolve(defaults: Mapping[str, Any], gen_kwargs: Mapping[str, Any], sampling_names: Collection[str]) -> Settings:
    """Settings of a request: model args (`defaults`, canonical names) overridden by its gen_kwargs.

    sampling_names: what the engine can sample with. Raises OptionError, BudgetError or FormatError.

    `max_gen_toks` bounds the answer, as in s1: a task's value below `max_answer_tokens`' default lowers it; an
    explicit `max_answer_tokens` wins. A `temperature` that is given wins over `do_sample: false`.
    """
    ours, rest, of_thinking = split_generation_options(gen_kwargs, sampling_names, defaults)
    options = {**defaults, **ours}
    budget = {name: _number_or_text(name, options[name]) for name in BUDGET_OPTIONS if name in options}
    if budget.get(MAX_THINKING_TOKENS) == "auto":
        budget[MAX_THINKING_TOKENS] = None
    limit = next((rest[name] for name in LENGTH_NAMES if rest.get(name) is not None), None)
    plain_answer_tokens = _whole_number("max_gen_toks", Budget().max_answer_tokens if limit is None else limit)
    if MAX_ANSWER_TOKENS in budget:
        plain_answer_tokens = budget[MAX_ANSWER_TOKENS]
    else:
        budget[MAX_ANSWER_TOKENS] = min(Budget().max_answer_tokens, plain_answer_tokens)

    _refuse_beams(rest)
    samples = _whole_number("n", rest.get("n", rest.get("repeats", 1)))
    if samples < 1:
        wrong = OptionError(f"n={samples}: expected at least 1 sample per question")
        raise wrong.mended_by("set", "n" if "n" in rest else "repeats", 1)
    until = rest.get("until") or ()
    sampling = _sampling(rest)
    rejection = _rejection(options, rest | of_thinking, sampling)
    return Settings(
        budget=Budget(**budget),
        form=_format(options),
        chat_template=_choice("chat_template", options, CHAT_TEMPLATE_CHOICES),
        samples=samples,
        until=(until,) if isinstance(until, str) else tuple(until),
        sampling=sampling,
        thinking_sampling=_sampling(rest | of_thinking) if of_thinking else None,
        rejection=rejection,
        plain_answer_tokens=plain_answer_tokens,
        thinking_request=_thinking_request(options.get(THINK_FOR)),
        prompt_style=_prompt_style(options.get(PROMPT_STYLE, "bare")),
        response=_choice(RESPONSE, options, RESPONSE_CHOICES),
        policy=(policy := _policy(options)),
        policy_options=make_options(policy, {name: options[name] for name in options if name in option_owners()}),
    )


def _policy(options: Mapping[str, Any]) -> str:
    """The name of the policy. Raises OptionError for an unknown one, and for two ways of spending tokens at once."""
    name = str(options.get(POLICY, DEFAULT))
    if name not in methods():
        wrong = OptionError(f"policy={name}: expected one of {', '.join(methods())} (s1-eval policies lists them)")
        raise wrong.mended_by("set", POLICY, nearest(name, tuple(methods())))
    if name != DEFAULT and _whole_number(REJECTION_TRIES, options.get(REJECTION_TRIES, 0)):
        raise OptionError(f"policy={name} and rejection_tries both say how thinking is drawn: keep one of them")
    return name


def _choice(name: str, options: Mapping[str, Any], choices: Collection[str]) -> str:
    """The value of an option that has a few; "auto" where it is not given."""
    value = options.get(name, "auto")
    if value not in choices:
        wrong = OptionError(f"{name}={value!r}: expected one of {', '.join(choices)}")
        raise wrong.mended_by("set", name, nearest(value, tuple(choices)))
    return str(value)


def _refuse_beams(rest: Mapping[str, Any]) -> None:
    """Raises OptionError for more than one beam: what several beams think cannot be interrupted."""
    for name in ONE_ONLY:
        if rest.get(name) is not None and str(rest[name]) != "1":
            raise OptionError(
                f"{name}={rest[name]!r}: one text is written at a time here, so that its thinking can be continued or "
                f"cut: give --gen_kwargs {name}=1 (n=K asks for K samples)"
            ).mended_by("set", name, 1)


def _thinking_request(wanted: Any) -> str:
    """What is asked for in the prompt: "64 steps", "2048 tokens", "long" or "short"; in s1's words."""
    if wanted in (None, ""):
        for name, meaning in PROMPT_VARIABLES.items():
            if value := os.environ.get(name):
                raise OptionError(
                    f"{name}={value} is set, but prompts are not read from the environment here: unset it, and give "
                    f"--gen_kwargs 'think_for={meaning.format(value)}' (as JSON where another value has a comma)"
                )
        return ""
    amount = re.fullmatch(r"([1-9]\d*)[ _-]?(steps|tokens)", str(wanted).strip())
    if amount:
        return f"Think for up to {amount[1]} {amount[2]}."
    if wanted not in LENGTH_REQUESTS:
        count = re.search(r"[1-9]\d*", str(wanted))
        unit = nearest(wanted, ("steps", "tokens"))
        raise OptionError(f"think_for={wanted!r}: expected '64 steps', '2048 tokens', long or short").mended_by(
            "set", THINK_FOR, f"{count[0]}_{unit}" if count else nearest(wanted, tuple(LENGTH_REQUESTS))
        )
    return LENGTH_REQUESTS[wanted]


def _prompt_style(wanted: Any) -> str:
    """The text of a prompt style: a known one's, or the user's own."""
    if not isinstance(wanted, str) or not wanted.strip():
        raise OptionError(
            f"prompt_style={wanted!r}: expected {', '.join(PROMPT_STYLES)}, or a text to put after questions"
        ).mended_by("set", PROMPT_STYLE, "bare")
    return PROMPT_STYLES.get(wanted, wanted)


def _format(options: Mapping[str, Any]) -> Format | None:
    """The format as named, or as spelt out with s1's own options: then what is missing is as in s1's code."""
    given = {name: str(options[name]) for name in S1_FORMAT_OPTIONS if options.get(name) is not None}
    named = parse_format(options.get(THINKING_FORMAT, "auto"))
    if not given:
        return named
    if named is not None:
        both = f"thinking_format and {', '.join(given)}"
        wrong = OptionError(f"{both} both say how thinking is written: keep one of them")
        raise wrong.mended_by("drop", THINKING_FORMAT)
    end = given.get(THINKING_END, S1.end)
    stops = [given.get(UNTIL_THINKING, S1.stops[0]), given.get(UNTIL_THINKING_2), *S1.answer_stops]
    # The model may go on to its answer by itself, without the stop that was named: it will then write s1's end, but
    # not what the user puts behind it ("Final Answer:").
    written = S1.end if end.startswith(S1.end) else end
    form = custom(given.get(THINKING_START, S1.start), written, filter(None, stops))
    return replace(form, end=end, answer_stops=S1.answer_stops)


def _rejection(
    options: Mapping[str, Any], rest: Mapping[str, Any], sampling: tuple[tuple[str, Any], ...]
) -> Rejection | None:
    tries = _whole_number(REJECTION_TRIES, options.get(REJECTION_TRIES, 0))
    if not tries:
        return None
    temperature = rest.get("temperature", dict(sampling).get("temperature"))
    if temperature is not None and float(temperature) == 0:
        raise OptionError(
            "rejection sampling at temperature 0 draws the same thinking in every try: give temperature=1, say"
        ).mended_by("set", "temperature", 1)
    return Rejection(tries, options.get(REJECTION_FALLBACK, "cut_off"))


def _tries(wanted: Any) -> int:
    """s1's `rejection_sample`, which is on or off."""
    switch = str(wanted).strip().lower()
    if switch not in ("true", "1", "false", "0", "none"):
        wrong = OptionError(f"rejection_sample={wanted!r}: expected true or false (rejection_tries=N bounds the tries)")
        raise wrong.mended_by("set", REJECTION_SAMPLE, nearest(wanted, ("true", "false")))
    return DEFAULT_TRIES if switch in ("true", "1") else 0


def memo_path(options: Mapping[str, Any]) -> Path | None:
    """Where the model args (or the environment variable S1_MEMO) say that tokens are remembered; None: nowhere."""
    value = options.get("memo", os.environ.get(MEMO_VARIABLE) or "off")
    if value in ("off", None, False):
        return None
    if not isinstance(value, str) or not value:
        raise OptionError(f"memo={value!r}: expected the path of a file, or off").mended_by("set", "memo", "off")
    return Path(value).expanduser()


def check_known(given: Collection[str], known: Collection[str], kind: str) -> None:
    """Raises OptionError for the first name that is not known, naming the nearest one that is."""
    for name in given:
        if name not in known:
            # Our own names first: a near one of ours is likelier to be meant than a nearer one among vLLM's hundreds.
            (known_name,) = difflib.get_close_matches(name, OPTIONS, n=1, cutoff=0.75) or difflib.get_close_matches(
                name, list(known), n=1, cutoff=0
            )
            wrong = OptionError(f"unknown {kind} {name!r}: did you mean {known_name!r}?")
            raise wrong.mended_by("rename", name, known_name)


def nearest(given: object, choices: Sequence[str]) -> str:
    """The choice that is spelt most like what was given; the first one when none is like it."""
    return (difflib.get_close_matches(str(given).strip().lower(), choices, n=1, cutoff=0.3) or choices)[0]


def at_least_one(name: str, value: Any) -> int:
    """How many at a time. Raises OptionError for less than one: then nothing would ever be asked."""
    number = _whole_number(name, value)
    if number < 1:
        raise OptionError(f"{name}={number}: expected at least 1").mended_by("set", name, 1)
    return number


def _sampling(rest: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    chosen = {name: value for name, value in rest.items() if name not in HARNESS_NAMES}
    if chosen.get("seed") is None:
        chosen.pop("seed", None)
    else:
        chosen["seed"] = _whole_number("seed", chosen["seed"])
    if "temperature" not in chosen and not rest.get("do_sample"):
        chosen["temperature"] = 0.0
    if chosen.get("temperature") == 0:
        chosen["temperature"] = 0.0  # one spelling: it is compared with
    # Lists (such as bad_words) become tuples so that settings can be compared and hashed.
    return tuple(sorted((name, tuple(v) if isinstance(v, list) else v) for name, v in chosen.items()))


def _number_or_text(name: str, value: Any) -> Any:
    if name in (WAIT_TEXT, FINAL_ANSWER_TEXT):
        return "" if value is None else str(value)
    if name == MAX_THINKING_TOKENS and value in (None, "auto"):
        return "auto"
    return _whole_number(name, value)


def _whole_number(name: str, value: Any) -> int:
    text = str(value).strip()
    if isinstance(value, bool) or not text.removeprefix("-").isdecimal():
        expected = "a whole number or auto" if name == MAX_THINKING_TOKENS else "a whole number"
        raise OptionError(f"{name}={value!r}: expected {expected}").mended_by("set", name, _likely_number(name, value))
    return int(text)


def _likely_number(name: str, value: Any) -> Any:
    """The whole number that a wrong value was likely meant to be ("4.0", "2k", "1,000"); else the option's default."""
    found = re.fullmatch(r"\s*(\d[\d,_]*)(?:\.0*)?\s*(k?)\s*(?:tokens)?\s*", str(value), re.IGNORECASE)
    if found and not isinstance(value, bool):
        return int(re.sub(r"\D", "", found[1])) * (1000 if found[2] else 1)
    default = getattr(Budget(), name, 1)
    return "auto" if default is None else default
