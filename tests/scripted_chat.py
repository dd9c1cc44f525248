"""A scripted chat server that speaks three protocols: real HTTP around a function from a question to what is said"""

import json
from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple

from aiohttp import web

from tests.scripted_server import InThread


class Said(NamedTuple):
    """A reply. thinking: shown apart. hidden: reasoning tokens that are counted and not shown."""

    text: str
    thinking: str = ""
    finish: str = "stop"
    hidden: int = 0


Script = Callable[[dict[str, Any]], Said]


class ScriptedChat(InThread):
    """asked: every body. seen: how often each question came. counts: whether replies come with usage."""

    def __init__(self, script: Script, streams: bool = True, counts: bool = True) -> None:
        self.asked: list[dict[str, Any]] = []
        self.heard: list[dict[str, str]] = []
        self.seen: Counter[str] = Counter()
        self._script = script
        self._streams = streams
        self._counts = counts
        routes = {
            "/v1/chat/completions": self._chat,
            "/v1/messages": self._messages,
            "/v1beta/models/{model}:streamGenerateContent": self._gemini,
        }
        super().__init__(routes)

    async def _take(self, http: web.Request) -> tuple[dict[str, Any], Said]:
        body = await http.json()
        self.asked.append(body)
        self.heard.append(dict(http.headers))
        turns = body.get("messages") or body["contents"]
        self.seen[json.dumps(turns)] += 1
        return body, self._script(body)

    async def _chat(self, http: web.Request) -> web.StreamResponse:
        _, said = await self._take(http)
        words = len(said.text.split())
        thought = len(said.thinking.split()) + said.hidden
        details = {"completion_tokens_details": {"reasoning_tokens": thought}}
        usage = {"prompt_tokens": 7, "completion_tokens": words + thought, **details}
        told = {"usage": usage} if self._counts else {}
        if not self._streams:
            message = {"role": "assistant", "content": said.text, "reasoning_content": said.thinking or None}
            choice = {"index": 0, "message": message, "finish_reason": said.finish}
            return web.json_response({"choices": [choice], **told})
        deltas = [{"role": "assistant", "content": ""}]
        deltas += [{"reasoning_content": piece} for piece in _pieces(said.thinking)]
        deltas += [{"content": piece} for piece in _pieces(said.text)]
        chunks = [{"choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
        chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": said.finish}]})
        return await _stream(http, [*chunks, *([{"choices": [], **told}] if told else []), "[DONE]"])

    async def _messages(self, http: web.Request) -> web.StreamResponse:
        _, said = await self._take(http)
        stop = {"stop": "end_turn", "length": "max_tokens"}[said.finish]
        events: list[Any] = [{"type": "message_start", "message": {"usage": {"input_tokens": 7, "output_tokens": 1}}}]
        events.append({"type": "ping"})
        for kind, text in (("thinking", said.thinking), ("text", said.text)):
            events.append({"type": "content_block_start", "content_block": {"type": kind, kind: ""}})
            for piece in _pieces(text):
                events.append({"type": "content_block_delta", "delta": {"type": f"{kind}_delta", kind: piece}})
        usage = {"output_tokens": len(said.text.split()) + len(said.thinking.split())}
        events += [{"type": "message_delta", "delta": {"stop_reason": stop}, "usage": usage}, {"type": "message_stop"}]
        return await _stream(http, events)

    async def _gemini(self, http: web.Request) -> web.StreamResponse:
        _, said = await self._take(http)
        finish = {"stop": "STOP", "length": "MAX_TOKENS"}[said.finish]
        parts = [{"text": piece, "thought": True} for piece in _pieces(said.thinking)]
        parts += [{"text": piece} for piece in _pieces(said.text)]
        events: list[Any] = [{"candidates": [{"content": {"role": "model", "parts": [part]}}]} for part in parts]
        usage = {"promptTokenCount": 7, "candidatesTokenCount": len(said.text.split())}
        usage["thoughtsTokenCount"] = len(said.thinking.split())
        events.append({"candidates": [{"finishReason": finish}], "usageMetadata": usage})
        return await _stream(http, events)


def _pieces(text: str) -> list[str]:
    return [text[start : start + 5] for start in range(0, len(text), 5)]


async def _stream(http: web.Request, events: list[Any]) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(http)
    for event in events:
        await response.write(f"data: {event if isinstance(event, str) else json.dumps(event)}\n\n".encode())
    return response


def question_of(body: dict[str, Any]) -> str:
    """The last thing that the user said."""
    if "contents" in body:
        return str(body["contents"][-1]["parts"][0]["text"])
    return str(next(turn["content"] for turn in reversed(body["messages"]) if turn["role"] == "user"))
