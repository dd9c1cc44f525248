"""What is written to a chat endpoint, and how its reply is read: one class per protocol, no network

Three protocols cover what is hosted: OpenAI's chat completions (with what OpenRouter, DeepSeek, vLLM and SGLang add),
Anthropic's messages, Gemini's generateContent. Each says how an effort or a budget is asked for, and whether the server
can go on with a message that we began.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol
from urllib.parse import quote

from s1_contract.printing import show
from s1_contract.redaction import redact_text
from s1_models.engines.openai.patience import BUSY_STATUSES, Trouble, Untrusted
from s1_models.options import OptionError

Messages = Sequence[Mapping[str, Any]]
"""Roles (system, user, assistant) and contents, oldest first."""

LONGEST_TEXT = 2**26
"""Characters of one reply, where no limit in tokens says less."""
_LONGEST_TOKEN = 256


@dataclass(frozen=True, slots=True)
class Asked:
    """One request, in no server's words yet.

    effort, budget: how much thinking is asked for, as a word or in tokens. max_tokens: thinking and answer together.
    continued: a message of the assistant that we began, for the server to go on with. stop: texts that end the reply.
    extra: further fields of the body.
    """

    messages: Messages
    effort: str | None = None
    budget: int | None = None
    max_tokens: int | None = None
    sampling: tuple[tuple[str, Any], ...] = ()
    stop: tuple[str, ...] = ()
    continued: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ChatReply:
    """One reply. thinking: what the server showed of it. finish: stop, length, or what the server calls its refusal.

    Counts are the server's, None where it gives none; completion_tokens hold reasoning_tokens. cost: in US dollars, as
    the server says. fingerprint: what it says of its own build.
    """

    text: str
    thinking: str
    finish: str
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    reasoning_tokens: int | None = None
    cached_tokens: int | None = None
    cost: float | None = None
    fingerprint: str = ""


class Shape(Protocol):
    """A protocol. continues: how it goes on with a message of ours; "" when it cannot."""

    @property
    def name(self) -> str: ...
    @property
    def key_variable(self) -> str: ...
    @property
    def continues(self) -> str: ...

    def path(self, model: str) -> str: ...
    def headers(self, key: str) -> dict[str, str]: ...
    def body(self, model: str, asked: Asked) -> dict[str, Any]: ...
    def reader(self, asked: Asked) -> Collector: ...


class Collector:
    """Puts a streamed reply together; `read` is each protocol's own."""

    def __init__(self, asked: Asked) -> None:
        self._most = LONGEST_TEXT if asked.max_tokens is None else _LONGEST_TOKEN * (asked.max_tokens + 1)
        self._text: list[str] = []
        self._thinking: list[str] = []
        self._characters = 0
        self._finish = ""
        self._counts: dict[str, Any] = {}
        self._fingerprint = ""

    def read(self, event: Any) -> bool:
        """Takes one event (parsed JSON); says whether a token came with it. Raises Untrusted or Trouble."""
        if not isinstance(event, Mapping):
            raise Untrusted(f"an event that is no object: {_beginning(event)}")
        if event.get("error"):
            raise _error(event["error"])
        try:
            return self._read(event)
        except (KeyError, TypeError, AttributeError, ValueError, IndexError) as error:
            raise Untrusted(f"an event of another protocol ({type(error).__name__}): {_beginning(event)}") from None

    def _read(self, event: Mapping[str, Any]) -> bool:
        raise NotImplementedError

    def reply(self) -> ChatReply:
        """The whole reply. Raises Untrusted for one that broke off."""
        if not self._finish:
            raise Untrusted("the stream ended early")
        if self._finish == "error":
            raise Untrusted("the server ended it with an error")
        text, thinking = "".join(self._text), "".join(self._thinking)
        return ChatReply(text, thinking, self._finish, **self._counts, fingerprint=self._fingerprint)

    def _take(self, text: object, thinking: object) -> bool:
        for given, kept in ((text, self._text), (thinking, self._thinking)):
            if given is None or given == "":
                continue
            if not isinstance(given, str):
                raise Untrusted(f"a text that is none: {_beginning(given)}")
            self._characters += len(given)
            if self._characters > self._most:
                raise Untrusted("a text far longer than the tokens asked for")
            kept.append(given)
        return bool(text or thinking)

    def _end(self, finish: object, names: Mapping[str, str]) -> None:
        if finish is None:
            return
        if self._finish:
            raise Untrusted("it ended twice")
        self._finish = names.get(str(finish), str(finish)[:40])


def _error(error: Any) -> Exception:
    """An error inside a stream that began well."""
    message = error.get("message", error) if isinstance(error, Mapping) else error
    code = error.get("code", error.get("status")) if isinstance(error, Mapping) else None
    kind = str(error.get("type", "")) if isinstance(error, Mapping) else ""
    said = show(redact_text(str(message)[:200]))
    status = code if isinstance(code, int) else {"overloaded_error": 529, "rate_limit_error": 429}.get(kind, 0)
    if status in BUSY_STATUSES or status >= 500:
        return Trouble(f"{status}, {said}", status=status)
    return Untrusted(f"an error in the reply: {said}")


def _beginning(value: object) -> str:
    return show(redact_text(repr(value)[:80]))


def _count(value: object) -> int | None:
    """A number of tokens that can be one."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**40 else None


def _system(messages: Messages) -> str:
    """The system messages, for protocols that have a field for them."""
    return "\n\n".join(str(one["content"]) for one in messages if one["role"] == "system")


# OpenAI's chat completions, as OpenAI and everybody else has them.


@dataclass(frozen=True, slots=True)
class ChatCompletions:
    """`POST .../chat/completions`. name: whose: openai, openrouter, deepseek, gemini (its OpenAI side) or server."""

    name: str = "server"
    key_variable: str = "OPENAI_API_KEY"
    continues: str = ""

    def path(self, model: str) -> str:
        return "/chat/completions"

    def headers(self, key: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {key}"} if key else {}

    def body(self, model: str, asked: Asked) -> dict[str, Any]:
        """The JSON body. Raises OptionError for a budget that this API has no field for."""
        limit = "max_completion_tokens" if self.name == "openai" else "max_tokens"
        body: dict[str, Any] = {
            "model": model,
            "messages": [dict(message) for message in asked.messages],
            "stream": True,
            "stream_options": {"include_usage": True},
            **dict(asked.sampling),
            **({limit: asked.max_tokens} if asked.max_tokens is not None else {}),
            **({"stop": list(asked.stop)} if asked.stop else {}),
            **self._thinking(asked),
        }
        if asked.continued:
            message = {"role": "assistant", "content": asked.continued}
            if self.continues == "prefix":
                message["prefix"] = True  # type: ignore[assignment]
            body["messages"].append(message)
            if self.continues == "continue_final_message":
                body |= {"continue_final_message": True, "add_generation_prompt": False}
        return body | dict(asked.extra)

    def _thinking(self, asked: Asked) -> dict[str, Any]:
        if self.name == "openrouter":
            given = {"effort": asked.effort, "max_tokens": asked.budget}
            reasoning = {name: value for name, value in given.items() if value is not None}
            return {"reasoning": reasoning, "usage": {"include": True}} if reasoning else {"usage": {"include": True}}
        fields: dict[str, Any] = {"reasoning_effort": asked.effort} if asked.effort is not None else {}
        if asked.budget is None:
            return fields
        if self.name == "gemini":
            config = {"thinking_budget": asked.budget, "include_thoughts": True}
            return {**fields, "extra_body": {"google": {"thinking_config": config}}}
        if self.name == "server":
            return {**fields, "thinking_token_budget": asked.budget}
        raise OptionError(
            f"max_thinking_tokens={asked.budget}: the {self.name} API has no thinking budget in tokens; use "
            "reasoning_effort"
        )

    def reader(self, asked: Asked) -> Collector:
        return _ChatCollector(asked)


class _ChatCollector(Collector):
    _FINISH: ClassVar = {"stop": "stop", "length": "length", "max_tokens": "length", "eos": "stop", "end_turn": "stop"}

    def _read(self, event: Mapping[str, Any]) -> bool:
        self._fingerprint = str(event.get("system_fingerprint") or self._fingerprint)[:200]
        if isinstance(usage := event.get("usage"), Mapping):
            self._counts = _openai_counts(usage)
        came, choices = False, event["choices"]
        if not isinstance(choices, list):
            raise TypeError
        for choice in choices:
            came |= self._read_choice(choice)
        return came or bool(self._finish)

    def _read_choice(self, choice: Mapping[str, Any]) -> bool:
        message = choice.get("message") or choice.get("delta") or {}
        if choice.get("index", 0) != 0:
            raise Untrusted("more than one completion for one question")
        if self._finish and message.get("content"):
            raise Untrusted("text after its end")
        if message.get("tool_calls"):
            raise Untrusted("a call of a tool that it was not given")
        came = self._take(message.get("content"), _reasoning_of(message))
        self._end(choice.get("finish_reason"), self._FINISH)
        return came


def _reasoning_of(message: Mapping[str, Any]) -> object:
    """Two names for the same: DeepSeek, vLLM and SGLang say reasoning_content, OpenRouter and newer vLLM reasoning."""
    given = message.get("reasoning_content") or message.get("reasoning")
    if given:
        return given
    details = message.get("reasoning_details") or ()
    return "".join(str(one.get("text") or one.get("summary") or "") for one in details)


def _openai_counts(usage: Mapping[str, Any]) -> dict[str, Any]:
    of_completion = usage.get("completion_tokens_details") or {}
    of_prompt = usage.get("prompt_tokens_details") or {}
    cost = usage.get("cost")
    return {
        "prompt_tokens": _count(usage.get("prompt_tokens")),
        "completion_tokens": _count(usage.get("completion_tokens")),
        "reasoning_tokens": _count(of_completion.get("reasoning_tokens", usage.get("reasoning_tokens"))),
        "cached_tokens": _count(of_prompt.get("cached_tokens", usage.get("prompt_cache_hit_tokens"))),
        "cost": float(cost) if isinstance(cost, int | float) and not isinstance(cost, bool) else None,
    }


# Anthropic's messages, which vLLM serves as well.


@dataclass(frozen=True, slots=True)
class AnthropicMessages:
    """`POST .../messages`. A budget is `thinking.budget_tokens`, an effort `output_config.effort`."""

    name: str = "anthropic"
    key_variable: str = "ANTHROPIC_API_KEY"
    continues: str = "prefill"

    def path(self, model: str) -> str:
        return "/messages"

    def headers(self, key: str) -> dict[str, str]:
        return {"anthropic-version": "2023-06-01", **({"x-api-key": key} if key else {})}

    def body(self, model: str, asked: Asked) -> dict[str, Any]:
        """The JSON body. Raises OptionError where no limit is given, which this API needs, or one below the budget."""
        if asked.max_tokens is None:
            raise OptionError("the anthropic API needs a limit of its replies: give --gen_kwargs max_gen_toks=TOKENS")
        if asked.budget is not None and asked.budget >= asked.max_tokens:
            raise OptionError(
                f"max_thinking_tokens={asked.budget} leaves nothing of max_gen_toks={asked.max_tokens} for the answer: "
                "raise max_gen_toks"
            )
        turns = [dict(one) for one in asked.messages if one["role"] != "system"]
        if asked.continued:
            turns.append({"role": "assistant", "content": asked.continued})
        body = {"model": model, "messages": turns, "max_tokens": asked.max_tokens, "stream": True}
        return {**body, **self._thinking(asked), **self._given(asked), **asked.extra}

    @staticmethod
    def _thinking(asked: Asked) -> dict[str, Any]:
        budget = {"thinking": {"type": "enabled", "budget_tokens": asked.budget}} if asked.budget else {}
        effort = {} if asked.effort is None else {"output_config": {"effort": asked.effort}}
        return {**budget, **effort}

    @staticmethod
    def _given(asked: Asked) -> dict[str, Any]:
        """System message, sampling and stops. There are no seeds, and no temperature beside thinking."""
        refused = {"seed", "temperature"} if asked.budget else {"seed"}
        system = _system(asked.messages)
        given: dict[str, Any] = {name: value for name, value in asked.sampling if name not in refused}
        if asked.stop:
            given["stop_sequences"] = list(asked.stop)
        return {**given, **({"system": system} if system else {})}

    def reader(self, asked: Asked) -> Collector:
        return _MessagesCollector(asked)


class _MessagesCollector(Collector):
    _FINISH: ClassVar = {
        "end_turn": "stop",
        "stop_sequence": "stop",
        "max_tokens": "length",
        "model_context_window_exceeded": "length",
    }

    def _read(self, event: Mapping[str, Any]) -> bool:
        kind = event["type"]
        if kind == "message":  # not streamed
            self._use(event.get("usage"))
            for block in event["content"]:
                self._take(block.get("text"), block.get("thinking"))
            self._end(event["stop_reason"], self._FINISH)
            return True
        if kind == "message_start":
            self._use(event["message"].get("usage"))
        elif kind == "content_block_start":
            block = event["content_block"]
            return self._take(block.get("text"), block.get("thinking"))
        elif kind == "content_block_delta":
            if self._finish:
                raise Untrusted("text after its end")
            return self._take(event["delta"].get("text"), event["delta"].get("thinking"))
        elif kind == "message_delta":
            self._use(event.get("usage"))
            self._end(event["delta"].get("stop_reason"), self._FINISH)
            return bool(self._finish)
        return False

    def _use(self, usage: object) -> None:
        if not isinstance(usage, Mapping):
            return
        names = {"prompt_tokens": "input_tokens", "completion_tokens": "output_tokens"}
        names["cached_tokens"] = "cache_read_input_tokens"
        found = {ours: _count(usage.get(theirs)) for ours, theirs in names.items()}
        self._counts |= {name: value for name, value in found.items() if value is not None}


# Gemini's own protocol.


@dataclass(frozen=True, slots=True)
class GeminiContents:
    """`POST .../models/MODEL:streamGenerateContent`. A budget is `thinkingConfig.thinkingBudget`."""

    name: str = "gemini"
    key_variable: str = "GEMINI_API_KEY"
    continues: str = ""

    def path(self, model: str) -> str:
        return f"/models/{quote(model, safe='')}:streamGenerateContent?alt=sse"

    def headers(self, key: str) -> dict[str, str]:
        return {"x-goog-api-key": key} if key else {}

    def body(self, model: str, asked: Asked) -> dict[str, Any]:
        """The JSON body."""
        roles = {"user": "user", "assistant": "model"}
        turns = [one for one in asked.messages if one["role"] in roles]
        contents = [{"role": roles[one["role"]], "parts": [{"text": one["content"]}]} for one in turns]
        system = _system(asked.messages)
        instruction = {"systemInstruction": {"parts": [{"text": system}]}} if system else {}
        return {"contents": contents, **instruction, "generationConfig": self._config(asked), **asked.extra}

    @staticmethod
    def _config(asked: Asked) -> dict[str, Any]:
        names = {"top_p": "topP", "top_k": "topK"}
        config: dict[str, Any] = {names.get(name, name): value for name, value in asked.sampling}
        thinking = {"includeThoughts": True, "thinkingBudget": asked.budget, "thinkingLevel": asked.effort}
        config["thinkingConfig"] = {name: value for name, value in thinking.items() if value is not None}
        limits = {"maxOutputTokens": asked.max_tokens, "stopSequences": list(asked.stop) or None}
        return config | {name: value for name, value in limits.items() if value is not None}

    def reader(self, asked: Asked) -> Collector:
        return _GeminiCollector(asked)


class _GeminiCollector(Collector):
    _FINISH: ClassVar = {"STOP": "stop", "MAX_TOKENS": "length", "OTHER": "error", "MALFORMED_FUNCTION_CALL": "error"}

    def _read(self, event: Mapping[str, Any]) -> bool:
        if isinstance(usage := event.get("usageMetadata"), Mapping):
            self._counts = _gemini_counts(usage)
        came = False
        for candidate in event.get("candidates") or ():
            for part in (candidate.get("content") or {}).get("parts") or ():
                text = part.get("text")
                came |= self._take(None, text) if part.get("thought") else self._take(text, None)
            self._end(candidate.get("finishReason"), self._FINISH)
        blocked = (event.get("promptFeedback") or {}).get("blockReason")
        if blocked and not self._finish:
            self._finish = str(blocked)[:40]
        return came or bool(self._finish)


def _gemini_counts(usage: Mapping[str, Any]) -> dict[str, Any]:
    thoughts, answer = _count(usage.get("thoughtsTokenCount")), _count(usage.get("candidatesTokenCount"))
    return {
        "prompt_tokens": _count(usage.get("promptTokenCount")),
        "completion_tokens": None if answer is None else answer + (thoughts or 0),
        "reasoning_tokens": thoughts,
        "cached_tokens": _count(usage.get("cachedContentTokenCount")),
    }


SHAPES: dict[str, Shape] = {
    "openai": ChatCompletions("openai"),
    "openrouter": ChatCompletions("openrouter", "OPENROUTER_API_KEY", "prefill"),
    "deepseek": ChatCompletions("deepseek", "DEEPSEEK_API_KEY", "prefix"),
    "gemini": GeminiContents(),
    "gemini-openai": ChatCompletions("gemini", "GEMINI_API_KEY"),
    "anthropic": AnthropicMessages(),
    "server": ChatCompletions("server", "OPENAI_API_KEY", "continue_final_message"),
}
"""The model arg `api`; `server` is vLLM, SGLang and whatever else speaks chat completions."""
_HOSTS = {
    r"api\.openai\.com": "openai",
    r"(.*\.)?openrouter\.ai": "openrouter",
    r"api\.deepseek\.com": "deepseek",
    r"generativelanguage\.googleapis\.com": "gemini",
    r"api\.anthropic\.com": "anthropic",
}
ENDINGS = ("/chat/completions", "/completions", "/messages")


def choose_shape(api: str, host: str, path: str) -> Shape:
    """The protocol by name, or by the address (`auto`). Raises OptionError for a name that is none."""
    if api == "auto":
        if path.endswith("/messages"):
            return SHAPES["anthropic"]
        found = next((name for pattern, name in _HOSTS.items() if re.fullmatch(pattern, host)), "server")
        return SHAPES["gemini-openai" if found == "gemini" and "/openai" in path else found]
    if api not in SHAPES:
        raise OptionError(f"api={show(api)}: expected auto, {', '.join(SHAPES)}")
    return SHAPES[api]
