"""From what the harness hands over to the prompt as it is sent: chat template, thinking switch, texts added.

`Prompting` stands before the host's class: the template is the host's, when it is used is decided here.
"""

from __future__ import annotations

import logging
from functools import cached_property
from typing import Any

from s1_models.formats import S1, Format, detect_format
from s1_models.options import OptionError

logger = logging.getLogger(__name__)


class Prompting:
    """Mixin for a harness model class that provides `tokenizer` and `apply_chat_template`."""

    enable_thinking: bool | None  # the host's own, where it has one
    template_thinks: bool = True  # what chat templates that can switch thinking off are told (`enable_thinking`)

    tokenizer: Any
    _format: Format | None = None

    def apply_chat_template(self, *arguments: Any, **options: Any) -> str:
        """The host's, remembering what it made: the harness's own prompts must not be wrapped a second time."""
        text = self._host_template(*arguments, **options)
        self._templated().add(text)
        return text

    def detected_format(self) -> Format:
        """The model's format of thinking, found out once. Raises FormatError."""
        if self._format is None:
            self._format = detect_format(self.tokenizer)
            logger.info(
                "thinking format %s, detected from chat template and vocabulary: %s ... %s (override with "
                "thinking_format%s)",
                self._format.name,
                self._format.start,
                self._format.end,
                "; a model that was never tuned to think needs prompted or none" if self._format is S1 else "",
            )
        return self._format

    def prompt_text(self, context: str, choice: str, instruction: str) -> str:
        """The prompt text: the context in the model's chat template, unless the harness applied it already.

        instruction: put after the question, inside the user's turn.
        """
        templated = choice != "always" and bool(self._chat_template()) and self._is_templated(context)
        if instruction and templated:
            after = self._template_frame[1]
            if not (after.strip() and context.endswith(after)):
                raise OptionError(
                    "think_for and thinking_format=prompted put a text after the question, and cannot find its place "
                    "in prompts that the harness made with the chat template: run without --apply_chat_template"
                )
            return f"{context.removesuffix(after)}\n\n{instruction}{after}"
        context = f"{context}\n\n{instruction}" if instruction else context
        if choice == "never":
            return context
        if not self._chat_template():
            if choice == "always":
                raise OptionError("chat_template=always, but this model's tokenizer has no chat template")
            _warn_once("this model's tokenizer has no chat template: prompts are sent as they are")
            return context
        return context if templated else self._user_turn(context)

    def _chat_template(self) -> object:
        return getattr(self.tokenizer, "chat_template", None) or getattr(self, "hf_chat_template", None)

    def _is_templated(self, context: str) -> bool:
        """Whether the harness made this prompt with the chat template (also when it took it from its request cache)."""
        before, after = self._template_frame
        framed = (bool(before.strip()) and context.startswith(before)) or (
            bool(after.strip()) and context.endswith(after)
        )
        return framed or context in self._templated()

    @cached_property
    def _template_frame(self) -> tuple[str, str]:
        """What the chat template puts before and after a user's message; the same for every question."""
        probe = "s1-probe"
        before, _, after = self._user_turn(probe).partition(probe)
        return before, after

    def _user_turn(self, text: str) -> str:
        try:
            turn = [{"role": "user", "content": text}]
            return self._host_template(turn)
        except Exception as error:  # whatever a template's own code raises
            raise OptionError(
                f"this model's chat template fails on a plain question ({error}): chat_template=never sends prompts "
                f"without it"
            ) from error

    def _host_template(self, *arguments: Any, **options: Any) -> str:
        """The host's chat template, told whether to let the model think.

        Its own attribute says so only here: with it lm_eval refuses loglikelihood tasks.
        """
        kept = getattr(self, "enable_thinking", None)
        self.enable_thinking = self.template_thinks
        try:
            return super().apply_chat_template(*arguments, **options)  # type: ignore[misc, no-any-return]
        finally:
            self.enable_thinking = kept

    def _templated(self) -> set[str]:
        return self.__dict__.setdefault("_templated_prompts", set())  # type: ignore[no-any-return]


_warned: set[str] = set()


def _warn_once(message: str) -> None:
    if message not in _warned:
        _warned.add(message)
        logger.warning(message)
