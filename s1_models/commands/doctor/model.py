"""Can this model think and stop: its tokenizer, chat template, delimiters, stops, and its context against the budgets?

Loads tokenizer and configuration only, never the weights.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from s1_contract.options import MAX_ANSWER_TOKENS, MAX_THINKING_TOKENS, MIN_THINKING_TOKENS
from s1_models.commands.doctor.findings import Asked, Finding, Status, mend_all, one_line
from s1_models.forcing import Budget, BudgetError
from s1_models.formats import (
    NO_THINKING,
    Detection,
    Format,
    FormatError,
    Opening,
    detect,
    encode,
    how_to_force,
    opening_of,
    stop_ids,
    stop_texts,
)
from s1_models.harness.prompts import refuse_mistral_tokenizer
from s1_models.harness.templates import ChatTemplate
from s1_models.nano_model import find_model
from s1_models.options import (
    DEFAULT_MODEL,
    OPTIONS,
    OptionError,
    Settings,
    resolve,
    split_options,
    take_thinking_switch,
)
from s1_models.policies.choose import Policies

logger = logging.getLogger(__name__)

PROBE = "s1-probe"
USUAL_PROMPT = 512  # tokens; nearly every question of the tasks is shorter


def check(asked: Asked) -> Iterator[Finding]:
    name = named(asked)
    if name is None:
        yield _unnamed(asked)
        return
    name = str(find_model(name))
    loaded = load(name, asked)
    if isinstance(loaded, Finding):
        yield loaded
        return
    tokenizer, length, eos_ids = loaded
    template = template_of(tokenizer, asked)
    yield _question(template, asked)
    if not eos_ids:
        yield Finding(
            "model",
            Status.FIX,
            "neither tokenizer nor generation config names an end-of-text token: answers would run to their limit",
            _set_eos(name, "END_OF_TEXT_ID"),
        )
    errors, mended = mend_all(asked, lambda run: read_run(run, tokenizer, name))
    for error in errors:
        yield Finding(
            "model", Status.FIX, str(error), (mended.command(),) if mended.options() != asked.options() else ()
        )
    if errors:
        return
    settings, found = read_run(asked, tokenizer, name)
    yield _thinking(tokenizer, found, eos_ids, asked)
    yield from _turn_end(name, tokenizer, found.form, eos_ids)
    policies = Policies(tokenizer, eos_ids, window_of(asked, length), template.off_by, found.why)
    yield from _budget(asked, length, settings, policies, found, template)


def named(asked: Asked) -> str | None:
    """The model whose tokenizer a run loads; s1_vllm's default where none was named."""
    given = (asked.model_args.get(key) for key in ("tokenizer", "pretrained", "model"))
    default = DEFAULT_MODEL if asked.model == "s1_vllm" else None
    return next((str(name) for name in given if name), default)


def _unnamed(asked: Asked) -> Finding:
    if asked.model == "s1_hf":
        mend = asked.command(pretrained="MODEL") + "  # a name on the Hub, or a folder"
        return Finding("model", Status.FIX, "s1_hf needs to know its model, and none was named", (mend,))
    return Finding(
        "model",
        Status.SKIP,
        "no model was named, so neither template nor stops nor budgets were checked",
        (f"s1-eval doctor --model {asked.model} --model_args tokenizer=MODEL",),
    )


def read_run(asked: Asked, tokenizer: Any, name: str) -> tuple[Settings, Detection]:
    """The settings and the format of a run. Raises S1Error as the run would."""
    refuse_mistral_tokenizer(mode=asked.model_args.get("tokenizer_mode"))
    ours, _ = split_options(asked.model_args)
    settings = resolve(ours, asked.gen_kwargs, set(asked.gen_kwargs) - set(OPTIONS))
    found = Detection(settings.form, "chosen") if settings.form else detect(tokenizer, name)
    template = template_of(tokenizer, asked)
    if template.text and settings.chat_template != "never":
        template.check_switch(found.form)
    return settings, found


def load(name: str, asked: Asked) -> tuple[Any, int, frozenset[int]] | Finding:
    """Tokenizer, positions (tokens) of the model and the ids that end a generation; or why there are none."""
    source = str(find_model(asked.model_args.get("pretrained") or name))
    revision = asked.model_args.get("revision")
    try:
        tokenizer = _tokenizer(name, asked)
        config = read_json(source, "config.json", revision)
        generation = read_json(source, "generation_config.json", revision)
    except Exception as error:  # of many types: no such name, no network, gated, a file that is broken
        mend = (
            (f"ls {name}  # config.json, tokenizer.json and tokenizer_config.json have to be there",)
            if Path(name).exists()
            else (
                f"hf download {name} config.json tokenizer.json tokenizer_config.json",
                "hf auth login  # if it is gated",
            )
        )
        return Finding("model", Status.FIX, f"the tokenizer of {name} cannot be loaded: {one_line(error)}", mend)
    text_config = config.get("text_config") or config
    named = (text_config.get(key) for key in ("max_position_embeddings", "n_positions", "n_ctx"))
    length = next((int(value) for value in named if value), int(tokenizer.model_max_length))
    configured = generation.get("eos_token_id")
    ids = [tokenizer.eos_token_id, *(configured if isinstance(configured, list) else [configured])]
    return tokenizer, length, frozenset(int(i) for i in ids if i is not None)


def _tokenizer(name: str, asked: Asked) -> Any:
    """The tokenizer; by way of AutoTokenizer, whose import takes five seconds, only where it must be."""
    from transformers import PreTrainedTokenizerFast

    revision = asked.model_args.get("revision")
    remote_code = str(asked.model_args.get("trust_remote_code", False)).lower() == "true"
    if not remote_code:
        try:
            return PreTrainedTokenizerFast.from_pretrained(name, revision=revision)
        except Exception as error:  # no tokenizer.json, for one; the next way says what is wrong if it fails as well
            logger.debug("not a fast tokenizer: %s", error)
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(name, revision=revision, trust_remote_code=remote_code)


def read_json(name: str, file: str, revision: str | None) -> dict[str, Any]:
    """A JSON file of a model, local or from the Hub; empty when the model has none."""
    from transformers.utils import cached_file

    path = cached_file(name, file, revision=revision, _raise_exceptions_for_missing_entries=False)
    return dict(json.loads(Path(path).read_text(encoding="utf-8"))) if path else {}


def template_of(tokenizer: Any, asked: Asked) -> ChatTemplate:
    """The chat template as a run uses it."""
    rest = dict(asked.model_args)
    thinks = take_thinking_switch(rest)
    return ChatTemplate(tokenizer, thinks=thinks, arguments=rest.get("chat_template_args"))


def _question(template: ChatTemplate, asked: Asked) -> Finding:
    """What is to be said about the chat template."""
    if not template.text:
        return Finding(
            "model",
            Status.WARN,
            "the tokenizer has no chat template: questions are sent as they are, as to a base model",
            ("# use the instruction-tuned model, or put its chat_template.jinja beside tokenizer_config.json",),
        )
    if asked.model_args.get("chat_template") == "never":
        return Finding("model", Status.OK, "there is a chat template, which chat_template=never leaves out")
    try:
        text = template.ask(PROBE)
    except OptionError as error:
        command = asked.command(chat_template="never") + "  # sends questions without it"
        return Finding("model", Status.FIX, str(error), (command,))
    switch = f"; {template.switch.name} switches thinking" if template.switch else ""
    return Finding("model", Status.OK, f"chat template: a question ends in {text.partition(PROBE)[2][-60:]!r}{switch}")


def _thinking(tokenizer: Any, found: Detection, eos_ids: frozenset[int], asked: Asked) -> Finding:
    form = found.form
    if form == NO_THINKING and found.why != "chosen":
        asks = "; a run asks the model once" if found.candidates else ""
        return Finding(
            "model",
            Status.WARN,
            f"thinking format none, so answers only: {found.why}{asks}. If it thinks, say how with thinking_format= "
            f"one of {how_to_force()}",
            (asked.command(thinking_format="prompted") + "  # or another of these formats",),
        )
    if form == NO_THINKING:
        return Finding("model", Status.OK, f"thinking format none ({found.why}): answers only, no budget applies")
    ids = stop_ids(tokenizer, form.stops) | eos_ids
    tokens = ", ".join(repr(tokenizer.decode([i], skip_special_tokens=False)) for i in sorted(ids))
    texts = ", ".join(map(repr, stop_texts(tokenizer, form.stops)))
    said = f"thinking format {form.name} ({found.why}): {form.start!r} … {form.end!r}; thinking stops at {tokens}"
    return Finding("model", Status.OK, said + (f" and, found in the text, {texts}" if texts else ""))


def _turn_end(name: str, tokenizer: Any, form: Format, eos_ids: frozenset[int]) -> Iterator[Finding]:
    """Whether the token with which the chat template ends a turn also ends an answer."""
    if not getattr(tokenizer, "chat_template", None):
        return
    try:
        turns = [{"role": "user", "content": "?"}, {"role": "assistant", "content": PROBE}]
        text = str(tokenizer.apply_chat_template(turns, tokenize=False))
    except Exception as error:  # a template that fails on a question was reported; some take no answers
        logger.debug("the chat template takes no answers: %s", error)
        return
    after = encode(tokenizer, text.rpartition(PROBE)[2].strip())
    if not after or after[0] not in set(tokenizer.all_special_ids) | set(tokenizer.get_added_vocab().values()):
        return
    end = tokenizer.decode([after[0]], skip_special_tokens=False)
    if after[0] not in stop_ids(tokenizer, form.answer_stops) | eos_ids:
        yield Finding(
            "model",
            Status.FIX,
            f"the chat template ends a turn with {end!r} (id {after[0]}), which is no end-of-text token of this model: "
            f"answers would run on to max_answer_tokens",
            _set_eos(name, str(after[0])),
        )


def _set_eos(name: str, token: str) -> tuple[str, ...]:
    """Commands that add an end-of-text id to a model's generation config."""
    local = Path(name).is_dir()
    folder = name if local else "MODEL_DIR"
    program = (
        f"import json, pathlib; p = pathlib.Path('{folder}/generation_config.json'); "
        f"c = json.loads(p.read_text()) if p.exists() else {{}}; e = c.get('eos_token_id'); "
        f"c['eos_token_id'] = [*(e if isinstance(e, list) else [] if e is None else [e]), {token}]; "
        f"p.write_text(json.dumps(c, indent=1))"
    )
    fetch = () if local else (f"hf download {name} --local-dir MODEL_DIR  # then pretrained=MODEL_DIR",)
    return (*fetch, f'python -c "{program}"')


def window_of(asked: Asked, model_length: int) -> int:
    """The context window of the run, tokens: what was asked for, at most what the model has."""
    length = asked.model_args.get("max_model_len") or asked.model_args.get("max_length")
    return min(int(length), model_length) if length else model_length


def _budget(
    asked: Asked, model_length: int, settings: Settings, policies: Policies, found: Detection, template: ChatTemplate
) -> Iterator[Finding]:
    """The budgets against the context window, by starting a session as a run would."""
    budget, window = settings.budget, policies.context_window
    length = asked.model_args.get("max_model_len") or asked.model_args.get("max_length")
    if length and int(length) > model_length:
        message = (
            f"max_model_len={int(length):,} is above the {model_length:,} positions of this model: vLLM refuses it"
        )
        yield Finding("model", Status.FIX, message, (asked.command(max_model_len=model_length),))
    prompt = (0,) * min(USUAL_PROMPT, window // 4)
    try:
        opening = _opening(template, found.form, settings)
        limit = policies.policy(settings, found.form, opening).begin(prompt).thinking_limit
    except (FormatError, OptionError) as error:
        mend = (asked.mended(error.mend).command(),) if error.mend else ()
        yield Finding("model", Status.FIX, str(error), mend)
        return
    except BudgetError as error:
        yield Finding("model", Status.FIX, str(error), (asked.command(**_smaller(budget, window)),))
        return
    wanted = budget.max_thinking_tokens
    context = f"context of {window:,} tokens"
    if found.form == NO_THINKING or opening is Opening.CLOSED:
        yield Finding("model", Status.OK, f"{context}: an answer has at most {settings.plain_answer_tokens:,}")
        return
    if wanted is not None and limit < wanted:
        yield Finding(
            "model",
            Status.WARN,
            f"{context}: max_thinking_tokens={wanted:,} is lowered to {limit:,} for a question of {len(prompt)} tokens "
            f"(max_answer_tokens={budget.max_answer_tokens} stays free)",
            (asked.command(max_thinking_tokens=limit),),
        )
        return
    thinking = f"auto leaves {limit:,}" if wanted is None else f"{limit:,}"
    said = f"{thinking} for thinking after a question of {len(prompt)}, {budget.max_answer_tokens:,} for the answer"
    yield Finding("model", Status.OK, f"{context}: {said}")


def _opening(template: ChatTemplate, form: Format, settings: Settings) -> Opening:
    """What a prompt of this run has done about thinking."""
    if not template.text or settings.chat_template == "never":
        return Opening.NONE
    # A template that fails was reported; its frame is empty.
    return Opening.CLOSED if template.switched_off() else opening_of(form, template.frame[1])


def _smaller(budget: Budget, window: int) -> dict[str, Any]:
    """Model args that fit this window: thinking on auto, at most a quarter for each of the others."""
    least = {name: min(getattr(budget, name), window // 4) for name in (MAX_ANSWER_TOKENS, MIN_THINKING_TOKENS)}
    return {MAX_THINKING_TOKENS: "auto"} | {name: n for name, n in least.items() if n != getattr(budget, name)}
