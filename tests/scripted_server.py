"""A scripted completions server: real HTTP and server-sent events around the writer of a scripted engine

Speaks as `vllm serve` 0.32 does (token ids both ways, its extra fields, its errors), and with `token_ids=False` as a
server that knows OpenAI's own fields only.
"""

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from s1_models.forcing import Finish, Phase, Request
from tests.scripted_engine import NextToken, ScriptedEngine

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class InThread:
    """An aiohttp application served on loopback by a thread of its own; `port` 0 takes a free one."""

    def __init__(self, routes: dict[str, Handler], port: int = 0) -> None:
        self.port = port
        self._routes = routes
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._runner: web.AppRunner = self._on_loop(self._begin())

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def close(self) -> None:
        if self._loop.is_closed():
            return
        self._on_loop(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _on_loop(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=30)

    async def _begin(self) -> web.AppRunner:
        application = web.Application(client_max_size=2**26)
        for path, handler in self._routes.items():
            application.router.add_route("*", path, handler)
        runner = web.AppRunner(application, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", self.port)
        await site.start()
        self.port = runner.addresses[0][1]
        return runner

    async def _end(self) -> None:
        await self._runner.cleanup()
        handlers = asyncio.all_tasks() - {asyncio.current_task()}
        for handler in handlers:
            handler.cancel()
        await asyncio.gather(*handlers, return_exceptions=True)
        await asyncio.sleep(0)  # transports close themselves in the next turn


class ScriptedServer(InThread):
    """One model whose next token `write` decides.

    tokenizer: for text, both ways. root: what it says it serves. fingerprint: what it says of its build and settings.
    answered: prompts of completed replies, in order. token_seconds: pause before each chunk. most_at_once: largest
    number of completions in progress at a time.
    """

    def __init__(
        self,
        write: NextToken,
        context_window: int = 512,
        tokenizer: Any = None,
        root: str = "scripted",
        token_ids: bool = True,
        port: int = 0,
        token_seconds: float = 0.0,
        fingerprint: str = "scripted-1",
    ) -> None:
        self.fingerprint = fingerprint
        self.root = root
        self.context_window = context_window
        self.answered: list[tuple[int, ...]] = []
        self.asked: list[dict[str, Any]] = []
        self.abandoned = 0
        self.most_at_once = 0
        self._at_once = 0
        self._write = write
        self._tokenizer = tokenizer
        self._token_ids = token_ids
        self._token_seconds = token_seconds
        super().__init__({"/v1/models": self._models, "/v1/completions": self._completions}, port)

    async def _models(self, _: web.Request) -> web.Response:
        card = {"id": "scripted", "object": "model", "created": 0, "owned_by": "tests", "root": self.root}
        return web.json_response({"object": "list", "data": [{**card, "max_model_len": self.context_window}]})

    async def _completions(self, http: web.Request) -> web.StreamResponse:
        body = await http.json()
        self.asked.append(body)
        try:
            request = self._read(body)
        except ValueError as error:
            return web.json_response({"error": {"message": str(error), "code": 400}}, status=400)
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        try:
            await response.prepare(http)
            for chunk in self._chunks(request, body):
                await asyncio.sleep(self._token_seconds)
                await response.write(f"data: {chunk if isinstance(chunk, str) else json.dumps(chunk)}\n\n".encode())
            self.answered.append(request.prefix)
        except ConnectionError:
            self.abandoned += 1
        finally:
            self._at_once -= 1
        return response

    def _read(self, body: dict[str, Any]) -> Request:
        prompt = body["prompt"]
        if isinstance(prompt, str):
            prompt = self._tokenizer.encode(prompt, add_special_tokens=False)
        elif not self._token_ids:
            raise ValueError("prompt must be a string")
        if body.get("temperature", 1.0) < 0:
            raise ValueError(f"temperature must be non-negative, got {body['temperature']}.")
        if len(prompt) + body["max_tokens"] > self.context_window:
            raise ValueError(f"the context holds {self.context_window} tokens")
        if not self._token_ids and "stop_token_ids" in body:
            raise ValueError("Unrecognized request argument supplied: stop_token_ids")
        stop = body.get("stop_token_ids") or [self._tokenizer.convert_tokens_to_ids(s) for s in body.get("stop", ())]
        return Request(tuple(prompt), body["max_tokens"], frozenset(stop), Phase.THINKING, body.get("min_tokens", 0))

    def _chunks(self, request: Request, body: dict[str, Any]) -> list[Any]:
        engine = ScriptedEngine(self._write, self.context_window)
        engine.submit(0, request)
        ((_, reply),) = engine.poll()
        stopped = reply.finish is Finish.STOP
        ids = list(reply.tokens)
        stop_reason = self._write(request.prefix + reply.tokens) if stopped else None
        if stopped:
            ids.append(stop_reason)
        chunks: list[Any] = []
        for start in range(0, len(ids), 4):
            last = start + 4 >= len(ids)
            piece = ids[start : start + 4]
            choice: dict[str, Any] = {
                "index": 0,
                "text": self._tokenizer.decode([i for i in piece if i != stop_reason]) if self._tokenizer else "",
                "finish_reason": ("stop" if stopped else "length") if last else None,
            }
            if body.get("return_token_ids"):
                choice |= {"token_ids": piece, "stop_reason": stop_reason if last else None}
                choice["prompt_token_ids"] = None if start else list(request.prefix)
            chunks.append({"object": "text_completion", "choices": [choice]})
        usage = {"prompt_tokens": len(request.prefix), "completion_tokens": len(ids)}
        return [*chunks, {"choices": [], "usage": usage, "system_fingerprint": self.fingerprint}, "[DONE]"]
