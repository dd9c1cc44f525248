"""A model's chat template: how it takes a question and an instruction, and which of its variables switch the thinking.

Templates are programs: what one does is found out by asking it, with questions that nobody else asks, and by reading
which variables its source uses.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

import jinja2
import jinja2.ext
import jinja2.meta
import jinja2.nodes

from s1_contract.options import ENABLE_THINKING
from s1_models.formats import FORMATS, NO_THINKING, Format, Opening, opening_of
from s1_models.options import OptionError

logger = logging.getLogger(__name__)

Message = Mapping[str, Any]
PROBE, PROBE_SYSTEM, PROBE_PREFIX = "s1-probe", "s1-instruction", "s1-beginning"
# What every template is given, and what no user switches.
_GIVEN = frozenset(
    {
        *("messages", "tools", "documents", "add_generation_prompt", "continue_final_message", "tokenize"),
        *("bos_token", "eos_token", "pad_token", "unk_token", "raise_exception", "strftime_now", "namespace", "range"),
    }
)
# How templates ask for the date.
_NOW = "strftime_now"
_SAYS_THINKING = re.compile(r"think|reason|thought|reflect", re.IGNORECASE)
_OFF_WORDS = frozenset({"off", "none", "no", "false", "disable", "disabled", "nothink", "no_think", "no-think"})


@dataclass(frozen=True, slots=True)
class Switch:
    """A variable of a chat template that switches thinking. on, off: its values. default_on: without the variable."""

    name: str
    on: Any
    off: Any
    default_on: bool


class _Generation(jinja2.ext.Extension):
    """transformers' own block, which marks what is trained on; here it is only read."""

    tags = frozenset({"generation"})  # type: ignore[assignment]

    def parse(self, parser: Any) -> Any:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


class ChatTemplate:
    """The template of one tokenizer.

    thinks: whether it is told to let the model think. arguments: variables that the user sets (chat_template_args),
    which win. source: one of several templates, by its text; None is the tokenizer's own.
    """

    def __init__(
        self,
        tokenizer: Any,
        *,
        thinks: bool = True,
        arguments: Mapping[str, Any] | None = None,
        source: str | None = None,
    ) -> None:
        self.tokenizer = tokenizer
        self.thinks = thinks
        self.arguments = _with_fixed_date(
            {name: value for name, value in (arguments or {}).items() if name != ENABLE_THINKING}
        )
        self.source = source

    @cached_property
    def text(self) -> str:
        """The template's source; empty when there is none."""
        template = self.source or getattr(self.tokenizer, "chat_template", None) or ""
        if isinstance(template, Mapping):
            return str(template.get("default") or next(iter(template.values()), ""))
        return str(template)

    def ask(self, question: str, system: str = "") -> str:
        """The prompt for one question. Raises OptionError where the template cannot take it, or loses it."""
        return self.render([*([_message("system", system)] if system else []), _message("user", question)])

    def render(self, messages: Sequence[Message]) -> str:
        """The prompt for a conversation that ends in a question. Raises as `ask` does."""
        manner = self._manner(messages)
        try:
            text = self._apply(manner(messages), **self._switched)
        except Exception as error:  # whatever a template's own code raises
            raise _refused(f"fails on a question of this task ({error})") from error
        asked = next(message for message in reversed(messages) if message["role"] == "user")
        for message in (asked, *(message for message in messages if message["role"] == "system")):
            said = str(message["content"])
            if _squeezed(said) not in _squeezed(text):
                raise _refused(f"loses the {message['role']} message {said[:60]!r}: it writes {text[-160:]!r}")
        return text

    def render_bare(self) -> str:
        """A question with none of the template's variables given, as the template writes it; empty if it fails."""
        return self._try({}) or ""

    def begin_answer(self, messages: Sequence[Message], prefix: str) -> str:
        """The prompt for a conversation with the first words of its answer, in the template's own way."""
        manner = self._manner(messages)
        try:
            turns = manner([*messages, _message("assistant", prefix)])
            return self._apply(turns, begun=True, **self._switched)
        except Exception as error:  # templates that cut or change an answer of theirs
            logger.debug("the chat template does not go on with an answer that has begun: %s", error)
            return self.render(messages) + prefix

    @cached_property
    def frame(self) -> tuple[str, str]:
        """What the template puts before and after a user's message; the same for every question. Empty if it fails."""
        try:
            before, _, after = self.ask(PROBE).partition(PROBE)
        except OptionError:
            return "", ""
        return before, after

    @cached_property
    def answer_opening(self) -> str:
        """What the template puts between a question and an answer that has begun; empty if it does not take one."""
        try:
            text = self.begin_answer([_message("user", PROBE)], PROBE_PREFIX)
        except OptionError:
            return ""
        return text.partition(PROBE)[2].rpartition(PROBE_PREFIX)[0]

    # Thinking.

    @cached_property
    def switch(self) -> Switch | None:
        """The variable that switches thinking on and off; None where no variable does."""
        return find_switch(self.text, self._try) if self.text else None

    @property
    def off_by(self) -> str:
        """The setting that switches thinking off, for messages."""
        return f"{self.switch.name}={self.switch.off}" if self.switch else "enable_thinking=False"

    def switched_off(self) -> bool:
        """Whether the template was told, through its switch, that the model must not think."""
        if self.switch is None:
            return False
        given = self.arguments.get(self.switch.name, self._switched.get(self.switch.name))
        return bool(given == self.switch.off) if given is not None else not self.switch.default_on

    def check_switch(self, form: Format) -> None:
        """Raises OptionError where thinking is to be off and nothing switches it off; warns for a model without any."""
        if self.thinks or self.switch is not None:
            return
        why = (
            "this model's chat template reads no variable that switches thinking"
            if self.text
            else ("this model has no chat template that could switch thinking off")
        )
        if form == NO_THINKING:
            _warn_once(f"enable_thinking=False changes nothing: {why}")
            return
        if opening_of(form, self.frame[1]) is not Opening.CLOSED:
            raise OptionError(
                f"enable_thinking=False has no effect: {why}, so the model would think all the same: leave it out, or "
                f"max_thinking_tokens=0 cuts the thinking at once"
            ).mended_by("drop", ENABLE_THINKING)

    @cached_property
    def _switched(self) -> dict[str, Any]:
        """The variables that the template gets: the switch as it is wanted, and the user's."""
        variables: dict[str, Any] = {ENABLE_THINKING: self.thinks}
        if self.switch is not None:
            variables = {self.switch.name: self.switch.on if self.thinks else self.switch.off}
        return {**variables, **self.arguments}

    def dates(self) -> tuple[str, ...]:
        """The dates that the template writes into a prompt today, as it writes them; prompts change with them."""
        seen: list[str] = []
        write = self.arguments.get(_NOW, lambda form: datetime.now().strftime(form))  # noqa: DTZ005  (as transformers)

        def now(form: str) -> str:
            seen.append(write(form))
            return seen[-1]

        if _NOW in self.text:
            self._try({**self._switched, _NOW: now})
        return tuple(dict.fromkeys(seen))

    # How the template wants its messages.

    def _manner(self, messages: Sequence[Message]) -> _Manner:
        """How to hand over messages of this kind. Raises OptionError when the template takes them in no way."""
        found = self._with_system if any(message["role"] == "system" for message in messages) else self._without_system
        if isinstance(found, str):
            raise _refused(found)
        if found.note:
            _warn_once(found.note)
        return found

    @cached_property
    def _with_system(self) -> _Manner | str:
        return self._find([_message("system", PROBE_SYSTEM), _message("user", PROBE)], self._switched)

    @cached_property
    def _without_system(self) -> _Manner | str:
        return self._find([_message("user", PROBE)], self._switched)

    def _find(self, messages: Sequence[Message], variables: Mapping[str, Any]) -> _Manner | str:
        """The first way to hand over probes in which the template writes all of them; or what it does to them."""
        failure = ""
        for manner in _MANNERS:
            try:
                text = self._apply(manner(messages), **variables)
            except Exception as error:  # whatever a template's own code raises
                failure = failure or f"fails on a plain question ({error})"
                continue
            if all(message["content"] in text for message in messages):
                return manner
            failure = failure or f"loses the question: it writes {text[:120]!r}"
        return failure

    def _try(self, variables: Mapping[str, Any]) -> str | None:
        """A question with these variables, as the template writes it; None when it fails."""
        question = [_message("user", PROBE)]
        manner = self._find(question, self.arguments)
        if isinstance(manner, str):
            return None
        try:
            return self._apply(manner(question), **{**self.arguments, **variables})
        except Exception as error:  # a value that the template refuses
            logger.debug("the chat template refuses %s: %s", variables, error)
            return None

    def _apply(self, messages: Sequence[Message], *, begun: bool = False, **variables: Any) -> str:
        chosen = {"chat_template": self.source} if self.source else {}
        return str(
            self.tokenizer.apply_chat_template(
                [dict(message) for message in messages],
                tokenize=False,
                add_generation_prompt=not begun,
                continue_final_message=begun,
                **chosen,
                **variables,
            )
        )


def _with_fixed_date(arguments: dict[str, Any]) -> dict[str, Any]:
    """A date that the user gives in place of today's, as the function that templates call. Raises OptionError."""
    given = arguments.get(_NOW)
    if given is None:
        return arguments
    try:
        fixed = datetime.fromisoformat(str(given))
    except ValueError:
        raise OptionError(f"chat_template_args: {_NOW}={given!r}: expected a date such as 2026-01-31") from None
    return {**arguments, _NOW: fixed.strftime}


def _message(role: str, content: str) -> Message:
    return {"role": role, "content": content}


@dataclass(frozen=True, slots=True)
class _Manner:
    """A way to hand messages to a template. in_parts: content as a list of parts. note: what a user must know of it."""

    change: Callable[[Sequence[Message]], list[Message]]
    in_parts: bool = False
    note: str = ""

    def __call__(self, messages: Sequence[Message]) -> list[Message]:
        return [_in_parts(message) if self.in_parts else message for message in self.change(messages)]


def _system_in_question(messages: Sequence[Message]) -> list[Message]:
    """The instruction before the first question, in the user's turn."""
    system = "\n\n".join(str(message["content"]) for message in messages if message["role"] == "system")
    first, *others = (message for message in messages if message["role"] != "system")
    return [_message(first["role"], "\n\n".join(filter(None, (system, first["content"])))), *others]


def _system_added(text: str) -> Callable[[Sequence[Message]], list[Message]]:
    return lambda messages: [_message("system", text), *_system_in_question(messages)]


def _in_parts(message: Message) -> Message:
    return {**message, "content": [{"type": "text", "text": message["content"]}]}


_IN_QUESTION = (
    "this model's chat template takes no system message: the instruction is put before the question, in the user's turn"
)
_ADDED = (
    "this model's chat template requires a system message, and none was given: it gets %s; --system_instruction TEXT "
    "gives it yours"
)
_NEUTRAL = "You are a helpful assistant."
_MANNERS = tuple(
    _Manner(change, in_parts, note)
    for change, note in (
        (list, ""),
        (_system_in_question, _IN_QUESTION),
        (_system_added(""), _ADDED % "an empty one"),
        (_system_added(_NEUTRAL), _ADDED % repr(_NEUTRAL)),
    )
    for in_parts in (False, True)
)


def _refused(what: str) -> OptionError:
    refused = OptionError(f"this model's chat template {what}: chat_template=never sends prompts without it")
    return refused.mended_by("set", "chat_template", "never")


def _squeezed(text: str) -> str:
    return "".join(text.split())


def find_switch(template: str, render: Callable[[Mapping[str, Any]], str | None]) -> Switch | None:
    """The variable of a template that switches thinking.

    template: its source. render: a question with these variables, or None where the template refuses them.
    A variable whose values decide whether the prompt closes the thinking is a switch; else one that decides whether the
    prompt opens it; else one that changes the prompt, is tested and not just printed, and has to do with thinking by
    its name or by what it writes.
    """
    plain = render({})
    found: list[tuple[int, Switch]] = []
    for name, values in switchable(template).items():
        texts = {value: text for value in values if (text := render({name: value})) is not None}
        rated = _rate(name, texts, plain)
        if rated is not None:
            found.append(rated)
    return min(found, key=lambda one: one[0], default=(0, None))[1]


def _rate(name: str, texts: Mapping[Any, str], plain: str | None) -> tuple[int, Switch] | None:
    """How surely a variable switches thinking (0: most), with what it then is; None when it does not."""
    states = {value: _state(text) for value, text in texts.items()}
    for rank, off_states, on_states in (
        (0, {Opening.CLOSED}, {Opening.NONE, Opening.OPENED}),
        (1, {Opening.NONE}, {Opening.OPENED}),
    ):
        # False before a text that means it, so the usual value is given.
        off = sorted((value for value in states if states[value] in off_states), key=lambda value: value is not False)
        on = [value for value in states if states[value] in on_states]
        if off and on:
            return rank, Switch(name, on[0], off[0], plain is not None and _state(plain) in on_states)
    return _rate_words(name, texts, plain)


def _rate_words(name: str, texts: Mapping[Any, str], plain: str | None) -> tuple[int, Switch] | None:
    """As `_rate`, for a variable that opens and closes nothing but changes what the model is told."""
    off = next((value for value in texts if str(value).lower() in _OFF_WORDS), None)
    on = next((value for value in texts if str(value).lower() not in _OFF_WORDS), None)
    if off is None or on is None or texts[off] == texts[on]:
        return None
    printed = texts[on].replace(str(on), str(off)) == texts[off]  # not tested
    about = _SAYS_THINKING.search(name) or _SAYS_THINKING.search(_difference(texts[on], texts[off]))
    return None if printed or not about else (2, Switch(name, on, off, plain != texts[off]))


def _difference(one: str, other: str) -> str:
    """What follows the beginning that two texts share, up to 200 characters of each."""
    pairs = enumerate(zip(one, other, strict=False))
    same = next((place for place, (first, second) in pairs if first != second), min(len(one), len(other)))
    return f"{one[same : same + 200]} {other[same : same + 200]}"


def _state(text: str) -> Opening:
    """What a prompt has done about thinking, in whatever format."""
    states = {opening_of(form, text) for form in FORMATS.values()}
    return Opening.CLOSED if Opening.CLOSED in states else Opening.OPENED if Opening.OPENED in states else Opening.NONE


def switchable(template: str) -> dict[str, list[Any]]:
    """The variables that a template reads and nobody is bound to give, with values worth trying.

    Values: true, false, and every text that the template compares the variable with. Empty for a broken template.
    """
    environment = jinja2.Environment(extensions=["jinja2.ext.loopcontrols", _Generation])
    try:
        tree = environment.parse(template)
        names = jinja2.meta.find_undeclared_variables(tree) - _GIVEN
    except jinja2.TemplateError as error:
        logger.debug("the chat template cannot be read: %s", error)
        return {}
    values: dict[str, list[Any]] = {name: [True, False] for name in sorted(names)}
    for comparison in tree.find_all(jinja2.nodes.Compare):
        compared = {node.name for node in comparison.find_all(jinja2.nodes.Name)} & names
        texts = [node.value for node in comparison.find_all(jinja2.nodes.Const) if isinstance(node.value, str)]
        for name in compared:
            values[name] += [text for text in texts if text not in values[name]]
    return values


_warned: set[str] = set()


def _warn_once(message: str) -> None:
    if message not in _warned:
        _warned.add(message)
        logger.warning(message)
