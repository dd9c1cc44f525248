"""A proxy before a completions server that spoils a share of the replies, in every way a network and a server can"""

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import aiohttp
from aiohttp import web

from tests.scripted_server import InThread

FAULTS = ("429", "500", "reset", "stall", "truncated", "not_json", "too_many", "wrong_end", "no_ids", "twice")


class BusyProxy(InThread):
    """Forwards to `upstream` (with /v1) what `says_no` lets through; the rest gets the answer it gives.

    says_no: of the completions let through so far, in seconds since the proxy began; None lets one through.
    refused: how many were not. most_at_once: completions here at a time.
    """

    def __init__(self, upstream: str, says_no: Callable[[list[float]], web.Response | None]) -> None:
        self.upstream = upstream.removesuffix("/v1")
        self.through: list[float] = []
        self.refused: list[float] = []
        self._says_no = says_no
        self._session: aiohttp.ClientSession | None = None
        self._began = time.monotonic()
        super().__init__({"/{path:.*}": self._forward}, 0)

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._began

    async def _forward(self, http: web.Request) -> web.StreamResponse:
        if self._session is None:
            self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
        if http.path.endswith("/completions"):
            if (answer := self._says_no(self.through)) is not None:
                self.refused.append(self.seconds)
                return answer
            self.through.append(self.seconds)
        asked = {"data": await http.read(), "headers": {"Content-Type": "application/json"}}
        async with self._session.request(http.method, self.upstream + http.path_qs, **asked) as answer:
            return web.Response(status=answer.status, body=await answer.read(), content_type=answer.content_type)

    async def _end(self) -> None:
        if self._session is not None:
            await self._session.close()
        await super()._end()


class FaultProxy(InThread):
    """Forwards to `upstream` (with /v1); spoils a completion with probability `rate`, drawn from `seed`.

    faults: the kinds to draw from. injected: how many of each there were. stall_seconds: how long a stalled reply is
    silent after its first bytes.
    """

    def __init__(
        self,
        upstream: str,
        rate: float,
        faults: tuple[str, ...] = FAULTS,
        seed: int = 0,
        stall_seconds: float = 30.0,
        port: int = 0,
    ) -> None:
        self.upstream = upstream.removesuffix("/v1")
        self.injected: Counter[str] = Counter()
        self.rate = rate
        self.abandoned = 0
        self._session: aiohttp.ClientSession | None = None
        self._faults = faults
        self._random = random.Random(seed)
        self._stall_seconds = stall_seconds
        super().__init__({"/{path:.*}": self._forward}, port)

    async def _forward(self, http: web.Request) -> web.StreamResponse:
        fault = ""
        if http.path.endswith("/completions") and self._random.random() < self.rate:
            fault = self._random.choice(self._faults)
            self.injected[fault] += 1
        if fault == "429":
            return web.json_response({"error": {"message": "slow down"}}, status=429, headers={"Retry-After": "0.05"})
        if fault == "500":
            return web.json_response({"error": {"message": "EngineCore encountered an issue"}}, status=500)
        if fault == "reset":
            assert http.transport is not None
            http.transport.abort()
            return web.Response()
        return await self._pass_on(http, fault)

    async def _pass_on(self, http: web.Request, fault: str) -> web.StreamResponse:
        if self._session is None:
            self._session = aiohttp.ClientSession(auto_decompress=False, connector=aiohttp.TCPConnector(limit=0))
        asked = {"data": await http.read(), "headers": {"Content-Type": "application/json"}}
        async with self._session.request(http.method, self.upstream + http.path_qs, **asked) as answer:
            whole = await answer.read() if fault else b""
            response = web.StreamResponse(status=answer.status, headers={"Content-Type": answer.content_type})
            try:
                await response.prepare(http)
                if not fault:
                    async for piece in answer.content.iter_any():
                        await response.write(piece)
                elif fault == "stall":
                    await response.write(whole[:40])
                    await asyncio.sleep(self._stall_seconds)
                else:
                    await response.write(spoil(whole, fault))
            except ConnectionError:
                self.abandoned += 1  # the client had enough of waiting, or was told to stop
            return response

    async def _end(self) -> None:
        if self._session is not None:
            await self._session.close()
        await super()._end()


def spoil(whole: bytes, fault: str) -> bytes:
    """A streamed reply with one thing wrong with it; every one of these has been seen on a real server or proxy."""
    if fault == "truncated":
        return whole[: len(whole) * 2 // 3]
    if fault == "not_json":
        return b"data: <html><body>502 Bad Gateway</body></html>\n\ndata: [DONE]\n\n"
    if b'"delta"' in whole:
        return _spoil_chat(whole, fault)
    events = [event.removeprefix("data: ") for event in whole.decode().split("\n\n") if event]
    chunks: list[Any] = [event if event == "[DONE]" else json.loads(event) for event in events]
    choices = [choice for chunk in chunks if isinstance(chunk, dict) for choice in chunk["choices"]]
    if fault == "too_many":
        choices[0]["token_ids"] = [*(choices[0].get("token_ids") or []), *[5] * 2000]
    elif fault == "wrong_end":
        choices[-1]["finish_reason"] = "abort"
    elif fault == "no_ids":
        for choice in choices:
            choice.pop("token_ids", None)
            choice.pop("stop_reason", None)
    elif fault == "twice":
        chunks.insert(0, chunks[0])
    else:
        raise ValueError(f"unknown fault {fault!r}")
    return "".join(f"data: {c if isinstance(c, str) else json.dumps(c)}\n\n" for c in chunks).encode()


def _spoil_chat(whole: bytes, fault: str) -> bytes:
    """The same for a chat reply, in which only the text can be wrong."""
    events = [event.removeprefix("data: ") for event in whole.decode().split("\n\n") if event]
    chunks: list[Any] = [event if event == "[DONE]" else json.loads(event) for event in events]
    choices = [choice for chunk in chunks if isinstance(chunk, dict) for choice in chunk["choices"]]
    if fault == "too_many":
        choices[0]["delta"]["content"] = "so " * 100_000
    elif fault == "wrong_end":
        choices[-1]["finish_reason"] = "error"
    elif fault == "no_ids":
        choices[-1]["finish_reason"] = None
    elif fault == "twice":
        chunks[1:1] = [chunk for chunk in chunks if isinstance(chunk, dict) and chunk["choices"]]
    else:
        raise ValueError(f"unknown fault {fault!r}")
    return "".join(f"data: {c if isinstance(c, str) else json.dumps(c)}\n\n" for c in chunks).encode()
