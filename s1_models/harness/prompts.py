"""From what the harness hands over to the prompt as it is sent: chat template, thinking switch, texts added.

The harness applies the chat template when it is told to (`--apply_chat_template`); otherwise we do. Either way a system
instruction is a turn of its own, and an answer that begins with words of the task (`gen_prefix`) begins with them after
the thinking: a prefix belongs to the answer, and thinking opens where the assistant's turn does.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any, NamedTuple

from s1_models.driver import Job, run_jobs
from s1_models.forcing import S1Error, Tokens
from s1_models.formats import (
    NO_THINKING,
    Detection,
    Format,
    Opening,
    detect,
    format_begun_with,
    how_to_force,
    opening_of,
    without_additions,
)
from s1_models.harness.asked import Asked
from s1_models.harness.templates import ChatTemplate, Message
from s1_models.options import OptionError, Settings
from s1_models.policies.plain import PlainAnswer

logger = logging.getLogger(__name__)

# What a model is asked once, when nothing else says whether it thinks; and how many tokens it may answer with.
PROBE_QUESTION = "What is 17 times 3?"
PROBE_TOKENS = 12


@dataclass(frozen=True, slots=True)
class Prompt:
    """A question as it is sent. opening: what it has done about thinking.

    answer_prefix: what the answer begins with, after the thinking; empty where it stands in the prompt already.
    """

    text: str
    tokens: Tokens
    opening: Opening
    answer_prefix: str = ""


class _Parts(NamedTuple):
    """A question taken apart. templated: the prompt up to the answer, where the harness made it; else None."""

    question: str
    system: str = ""
    gap: str = ""
    prefix: str = ""
    templated: str | None = None


class Prompts:
    """Makes the prompts of one model. template: its chat template. encode_plain: how the host encodes a bare text.

    add_bos: whether the user wants a BOS in front of every prompt; None leaves it to the chat template.
    """

    def __init__(
        self, tokenizer: Any, template: ChatTemplate, encode_plain: Any = None, add_bos: bool | None = None
    ) -> None:
        refuse_mistral_tokenizer(tokenizer)
        self.tokenizer = tokenizer
        self.template = template
        self._encode_plain = encode_plain
        self._add_bos = add_bos
        self._made: dict[str, _Parts] = {}

    def make(self, context: str, settings: Settings, form: Format) -> Prompt:
        """The prompt for a question of the harness. Raises OptionError where the chat template loses the question."""
        self._check(settings)
        parts = self._take_apart(context, settings.chat_template)
        use_template = bool(self.template.text) and settings.chat_template != "never"
        if use_template or not self.template.thinks:
            self.template.check_switch(form)
        added = "\n\n".join(filter(None, (settings.prompt_style, settings.thinking_request, form.instruction)))
        text = self._text(parts, added, use_template=use_template)
        templated = use_template or parts.templated is not None
        opening = Opening.CLOSED if templated and self.template.switched_off() else opening_of(form, text)
        prefix = parts.prefix
        if prefix and (form == NO_THINKING or opening is Opening.CLOSED):
            text, prefix = text + ("" if templated else parts.gap) + prefix, ""
        return Prompt(text, self._encode(text, templated=templated), opening, prefix)

    def _check(self, settings: Settings) -> None:
        """Raises OptionError for a chat template that is asked for and not there; warns where there is none."""
        if self.template.text:
            return
        if settings.chat_template == "always":
            raise OptionError("chat_template=always, but this model's tokenizer has no chat template")
        _warn_once("this model's tokenizer has no chat template: prompts are sent as they are")

    def remember(self, messages: list[dict[str, str]], *, begun: bool) -> str:
        """The harness's own prompt for its messages: they must not be wrapped a second time.

        begun: the last message is the beginning of the answer. The text is the template's own, for the harness's other
        requests; what a generation is asked with comes from `make`.
        """
        if not begun or messages[-1]["role"] != "assistant":
            text = self.template.render(messages)
            self._made[text] = _Parts("", templated=text)
            return text
        *asked, last = messages
        turns: list[Message] = list(asked)
        text = self.template.begin_answer(turns, last["content"])
        self._made[text] = _Parts("", prefix=last["content"], templated=self.template.render(turns))
        return text

    def answer_prefix(self, context: str, choice: str) -> str:
        """The first words of the answer that a question of the harness comes with."""
        return self._take_apart(context, choice).prefix

    def _take_apart(self, context: str, choice: str) -> _Parts:
        if choice != "always" and self.template.text:
            if context in self._made:
                return self._made[context]
            if (framed := self._framed(context)) is not None:
                return framed
        if isinstance(context, Asked):
            return _Parts(context.question, context.system, context.gap, context.prefix)
        return _Parts(context)

    def _framed(self, context: str) -> _Parts | None:
        """The parts of a prompt that the harness made with the template (as in its request cache); None for others."""
        before, after = self.template.frame
        if after.strip() and context.endswith(after):
            return _Parts("", templated=context)
        begun = self.template.answer_opening
        if begun.strip() and before.strip() and context.startswith(before) and begun in context:
            asked, _, prefix = context.rpartition(begun)
            return _Parts("", prefix=prefix, templated=asked + after)
        if before.strip() and context.startswith(before):
            return _Parts("", templated=context)
        return None

    def _text(self, parts: _Parts, added: str, *, use_template: bool) -> str:
        """The prompt up to the thinking, with `added` after the question."""
        if parts.templated is not None:
            return self._with_added(parts.templated, added)
        question = "\n\n".join(filter(None, (parts.question, added)))
        if use_template:
            return self.template.ask(question, parts.system)
        return "\n\n".join(filter(None, (parts.system, question)))

    def _with_added(self, templated: str, added: str) -> str:
        after = self.template.frame[1]
        if not added:
            return templated
        if not (after.strip() and templated.endswith(after)):
            raise OptionError(
                "prompt_style, think_for and thinking_format=prompted put a text after the question, and cannot find "
                "its place in prompts that the harness made with the chat template: run without --apply_chat_template"
            )
        return f"{templated.removesuffix(after)}\n\n{added}{after}"

    def _encode(self, text: str, *, templated: bool) -> Tokens:
        """Token ids. A template writes its special tokens itself, and none that it does not write ends a prompt."""
        bare = without_additions(self.tokenizer, text)
        bos = getattr(self.tokenizer, "bos_token_id", None)
        if templated or self._encode_plain is None:
            return (bos, *bare) if self._add_bos and bos is not None and bare[:1] != (bos,) else bare
        return _without_more_behind(tuple(self._encode_plain(text)), bare)


def _without_more_behind(hosts: Tokens, bare: Tokens) -> Tokens:
    """What a host encodes, BOS and all, without what it puts behind the text: thinking would open after an EOS."""
    for more in range(len(hosts) - len(bare) + 1):
        if hosts[len(hosts) - more - len(bare) : len(hosts) - more] == bare:
            return hosts[: len(hosts) - more]
    return hosts


def refuse_mistral_tokenizer(tokenizer: Any = None, mode: Any = None) -> None:
    """Raises OptionError for vLLM's tokenizer of mistral-common, which makes ids of messages and none of their text.

    mode: vLLM's tokenizer_mode, for before a model is loaded.
    """
    if mode == "mistral" or type(tokenizer).__name__ == "MistralTokenizer":
        raise OptionError(
            "tokenizer_mode=mistral turns messages straight into token ids, so [INST] and [THINK] cannot be written as "
            "text here: give tokenizer_mode=hf, and tokenizer=NAME of a repository that has a tokenizer.json"
        ).mended_by("set", "tokenizer_mode", "hf")


class Prompting:
    """Mixin for a harness model class: what is asked, and how the model thinks. The host provides the tokenizer."""

    enable_thinking: bool | None  # the host's own, where it has one
    template_thinks: bool = True  # what chat templates that can switch thinking off are told
    tokenizer: Any
    engine: Any
    eos_ids: frozenset[int]
    _detection: Detection | None = None
    _prompts: Prompts | None = None

    @property
    def prompts(self) -> Prompts:
        """What makes this model's prompts."""
        source = getattr(self, "hf_chat_template", None)  # vLLM's host knows which of several was chosen
        made = self._prompts
        if made is None or made.template.source != source:
            template = ChatTemplate(
                self.tokenizer,
                thinks=self.template_thinks,
                arguments=getattr(self, "chat_template_args", None),
                source=source,
            )
            host = self.tok_encode  # type: ignore[attr-defined]
            self._prompts = made = Prompts(self.tokenizer, template, host, getattr(self, "add_bos_token", None))
        return made

    def apply_chat_template(self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True) -> str:
        """The prompt for the harness's messages. Raises OptionError where the template cannot take them."""
        return self.prompts.remember(chat_history, begun=not add_generation_prompt)

    def model_name(self) -> str:
        """The model's name or path, as far as it is known."""
        return str(getattr(self, "_given", {}).get("pretrained") or getattr(self.tokenizer, "name_or_path", ""))

    def detection(self) -> Detection:
        """The model's format of thinking, and why: found out once, in its files or by asking it. Raises FormatError."""
        if self._detection is None:
            found = detect(self.tokenizer, self.model_name())
            if found.form == NO_THINKING and found.candidates:
                found = self._ask_the_model(found)
            self._detection = found
            _say(found)
        return self._detection

    @property
    def detected(self) -> Format | None:
        """The format that was detected, if it was looked for."""
        return self._detection.form if self._detection else None

    def detected_format(self) -> Format:
        """The format of `detection`."""
        return self.detection().form

    def _ask_the_model(self, found: Detection) -> Detection:
        """Whether the model opens thinking by itself, asked once. An engine that cannot be asked decides nothing."""
        template = self.prompts.template
        text = template.ask(PROBE_QUESTION) if template.text else PROBE_QUESTION
        job = Job(
            PlainAnswer(PROBE_TOKENS, self.eos_ids, self.engine.context_window),
            without_additions(self.tokenizer, text),
            "the question that shows whether the model thinks",
            sampling=(("temperature", 0.0),),
        )
        try:
            (session,) = run_jobs([job], self.engine)
        except S1Error as error:
            logger.warning("the model could not be asked whether it thinks: %s", error)
            return found
        begun = self.tokenizer.decode([t for span in session.spans for t in span.tokens], skip_special_tokens=False)
        form = format_begun_with(found.candidates, begun)
        if form is not None:
            return Detection(form, f"asked a question, the model began with {form.start}")
        return Detection(NO_THINKING, f"{found.why}; asked a question, it began with {begun[:40]!r}", found.candidates)


def _say(found: Detection) -> None:
    form = found.form
    if form == NO_THINKING:
        logger.warning(
            "thinking format none, so nothing is forced: %s. If it thinks, say how with thinking_format= one of %s",
            found.why,
            how_to_force(),
        )
        return
    logger.info(
        "thinking format %s (%s): %s ... %s (override with thinking_format)", form.name, found.why, form.start, form.end
    )


_warned: set[str] = set()


def _warn_once(message: str) -> None:
    if message not in _warned:
        _warned.add(message)
        logger.warning(message)
