"""One question to a chat endpoint: asked, remembered, and with waits continued

Where the thinking is the server's own, we ask for an effort or a budget and take what it says about its thinking.
Where it goes on with a message that we began, the end of thinking is held back and "Wait" appended, as everywhere.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from s1_contract.response import Response
from s1_contract.usage import ANSWER_TOKENS, THINKING_TOKENS, Usage
from s1_models.engines.chat.options import ChatSettings
from s1_models.engines.chat.replies import Replies, key_of
from s1_models.engines.chat.shapes import Asked, ChatReply, Messages, Shape
from s1_models.engines.openai.connection import Connection
from s1_models.engines.openai.transport import Refused

logger = logging.getLogger(__name__)

# Fields that some models refuse: the reply is another draw without them, the question is the same.
_OPTIONAL = ("temperature", "top_p", "seed", "presence_penalty", "frequency_penalty", "stream_options")
# Beside the texts themselves, a line holds names and times; a whole reply may come in one.
_LONGEST_LINE = 2**22


@dataclass
class Asker:
    """Asks one model at one address. spent: replies that were paid for in this run; reused: those on file already."""

    connection: Connection
    shape: Shape
    model: str
    replies: Replies
    extra: Mapping[str, Any] = field(default_factory=dict)
    spent: list[ChatReply] = field(default_factory=list)
    reused: list[ChatReply] = field(default_factory=list)
    left_out: set[str] = field(default_factory=set)

    async def ask(self, asked: Asked, repeat: int) -> ChatReply:
        """The reply, from the file or from the server. repeat: which sample of the question. Raises EngineError."""
        body = self.shape.body(self.model, replace(asked, extra={**asked.extra, **self.extra}))
        path = self.shape.path(self.model)
        key = key_of(f"{self.connection.base_url}{path}", body, repeat)
        if (known := self.replies.find(key)) is not None:
            self.reused.append(known)
            return known
        reply = await self._send(path, body, asked)
        self.replies.keep(key, reply)
        self.spent.append(reply)
        return reply

    async def _send(self, path: str, body: Mapping[str, Any], asked: Asked) -> ChatReply:
        longest = _LONGEST_LINE + 8 * 256 * (asked.max_tokens or 2**15)
        while True:
            sent = {name: value for name, value in body.items() if name not in self.left_out}
            try:
                return await self.connection.exchange(path, sent, lambda: self.shape.reader(asked), longest)
            except Refused as error:
                name = self._refused_field(error, sent)
                if name is None:
                    raise
                if name not in self.left_out:
                    self.left_out.add(name)
                    logger.warning(
                        "%s does not take %s: it is left out, and sampled as the server wants", self.model, name
                    )

    @staticmethod
    def _refused_field(error: Refused, sent: Mapping[str, Any]) -> str | None:
        """The optional field that a server names when it refuses a request."""
        if error.status not in (400, 422):
            return None
        return next((name for name in _OPTIONAL if name in sent and re.search(rf"\b{name}\b", str(error))), None)


async def respond(asker: Asker, settings: ChatSettings, messages: Messages, repeat: int) -> Response:
    """The response to a question, with its accounting. Raises EngineError."""
    begun = ""
    if messages and messages[-1]["role"] == "assistant":
        *messages, last = messages
        begun = str(last["content"])
    sampling = settings.sampling
    if dict(sampling).get("temperature") != 0 and settings.seed is not None:
        sampling = (*sampling, ("seed", settings.seed + repeat))
    asked = Asked(messages, settings.effort, settings.budget, settings.max_tokens, sampling, continued=begun)
    if settings.num_waits:
        return await _wait(asker, settings, asked, repeat)
    return _response_of(await asker.ask(asked, repeat), settings)


def _response_of(reply: ChatReply, settings: ChatSettings) -> Response:
    """What the server showed of its thinking, and its answer. The thinking was not ours to control, and says so."""
    answer = _cut(reply.text, settings.until)
    thinking = f"{settings.form.start}\n{reply.thinking}\n{settings.form.end}\n\n" if reply.thinking else ""
    spans: list[dict[str, Any]] = []
    if thinking:
        spans.append({"phase": "thinking", "forced": False, "text": thinking, "tokens": [], "controlled": False})
    spans.append({"phase": "answering", "forced": False, "text": answer, "tokens": []})
    nothing_said = not reply.text.strip()
    usage = Usage(
        waits_used=0,
        cut_off=int(reply.finish == "length" and nothing_said),
        answer_cut_off=int(reply.finish == "length" and not nothing_said),
    )
    if reply.reasoning_tokens is not None:
        usage[THINKING_TOKENS] = reply.reasoning_tokens
        if reply.completion_tokens is not None:
            usage[ANSWER_TOKENS] = max(0, reply.completion_tokens - reply.reasoning_tokens)
    elif not reply.thinking and reply.completion_tokens is not None and settings.form.end not in reply.text:
        usage |= Usage(thinking_tokens=0, answer_tokens=reply.completion_tokens)
    return Response(thinking + answer, usage, spans, len(thinking) if thinking else None)


def _cut(text: str, until: tuple[str, ...]) -> str:
    """The answer up to the first text that ends it, after its leading white space."""
    begins = len(text) - len(text.lstrip())
    found = [at for stop in until if stop and (at := text.find(stop, begins)) >= 0]
    return text[: min(found)] if found else text


class _Session:
    """A message of the assistant in the making."""

    def __init__(self, begun: str) -> None:
        self.spans: list[dict[str, Any]] = []
        self.text = begun

    def add(self, phase: str, text: str, forced: bool) -> None:
        if text:
            self.text += text
            self.spans.append({"phase": phase, "forced": forced, "text": text, "tokens": []})


async def _wait(asker: Asker, settings: ChatSettings, asked: Asked, repeat: int) -> Response:
    """Budget forcing in one message that the server goes on with, round by round."""
    form, said, used, waits = settings.form, _Session(asked.continued), 0, 0
    # Delimiters may be special tokens, which a server would keep to itself otherwise.
    extra = {"skip_special_tokens": False} if asker.shape.continues == "continue_final_message" else {}
    thinking = replace(asked, effort=None, budget=None, stop=form.stops or (form.end,), extra=extra)
    said.add("opening", form.start, forced=True)
    cut_off = False
    while True:
        left = asked.max_tokens if settings.budget is None else settings.budget - used
        if left is not None and left < 1:
            cut_off = True
            break
        reply = await asker.ask(replace(thinking, continued=said.text, max_tokens=left), repeat)
        said.add("thinking", reply.thinking + reply.text, forced=False)
        used += reply.completion_tokens or 0
        if reply.finish == "length":
            cut_off = True
            break
        if waits == settings.num_waits:
            break
        waits += 1
        said.add("thinking", settings.wait_text, forced=True)
    said.add("answering", form.end + (f"{form.after_end}Final Answer:" if cut_off else ""), forced=True)
    before = len("".join(span["text"] for span in said.spans))
    answering = replace(thinking, continued=said.text, stop=form.answer_stops, max_tokens=settings.max_answer_tokens)
    reply = await asker.ask(answering, repeat)
    said.add("answering", _cut(reply.thinking + reply.text, settings.until), forced=False)
    usage = Usage(
        thinking_tokens=used,
        answer_tokens=reply.completion_tokens or 0,
        waits_used=waits,
        cut_off=int(cut_off),
        answer_cut_off=int(reply.finish == "length"),
    )
    return Response("".join(span["text"] for span in said.spans), usage, said.spans, before)
