"""A connection to an OpenAI-compatible server: a request is sent again until its reply can be trusted

aiohttp does HTTP, tenacity the retries, as in lm_eval's own class for such servers (the openai package took six times
the processor time per request: docs/decisions/0008). A server may also be away for minutes, and a run may bear only so
much of all this: `Patience`.
"""

from __future__ import annotations

import asyncio
import json
import logging
import ssl
import threading
import weakref
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeVar

from s1_models.driver import EngineError
from s1_models.engines.openai.completions import Dialect, ReplyReader, Untrusted
from s1_models.forcing import Reply, Request

try:
    import aiohttp
    import tenacity
except ImportError as missing:
    raise EngineError(f'{missing.name} is not installed: pip install "lm-eval-s1[openai]"') from missing

logger = logging.getLogger(__name__)

T = TypeVar("T")

_CONNECT_SECONDS = 10.0
_PATIENCE_AT_THE_START_SECONDS = 2.0
_BACKOFF = tenacity.wait_random_exponential(multiplier=0.5, max=30.0)
_LONGEST_RETRY_AFTER_SECONDS = 120.0
# Client errors (4xx) that may be gone the next time: timeout, conflict, too many requests.
_PASSING = (408, 409, 429)
# vLLM repeats the prompt's token ids in the first line of a reply.
_LONGEST_LINE_BYTES = 2**24


class _Failed(Exception):
    """A try that failed and may be repeated. retry_after: seconds, where the server asks for that."""

    def __init__(self, reason: str, status: int = 0, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.retry_after = retry_after


class Refused(EngineError):
    """A request that the server does not take (4xx), or answers unusably however often it is asked."""


@dataclass(frozen=True, slots=True)
class Served:
    """What a server says it serves. root: where its weights come from. max_model_len: tokens, if it says so."""

    model: str
    root: str | None
    max_model_len: int | None


@dataclass(frozen=True, slots=True)
class Patience:
    """What is borne before a run ends with an error.

    timeout_seconds: without a single byte of a reply. max_retries: per request. max_failures: replies that could not
    be taken, over the whole life of the connection ("too many requests" is none). max_downtime_seconds: of a server
    that does not answer at all.
    """

    timeout_seconds: float = 600.0
    max_retries: int = 5
    max_failures: int = 1000
    max_downtime_seconds: float = 600.0


PATIENCE = Patience()


class Connection:
    """One server, its pooled HTTP connections, and the thread their event loop runs in.

    base_url: with or without /completions. Every EngineError raised here begins with the server's address.
    """

    def __init__(
        self,
        base_url: str,
        api_key: str = "",
        patience: Patience = PATIENCE,
        headers: Mapping[str, str] | None = None,
        verify: bool | ssl.SSLContext = True,
    ) -> None:
        self.base_url = base_url.rstrip("/").removesuffix("/completions")
        self.patience = patience
        self.failures = 0
        self._served: Served | None = None
        self._loop = asyncio.new_event_loop()
        self._back = asyncio.Lock()  # one request at a time looks whether the server is back
        thread = threading.Thread(target=_run, args=(self._loop,), name="s1-connection", daemon=True)
        thread.start()
        key = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._http = self.start(self._open({**key, **(headers or {})}, verify)).result()
        self.close = weakref.finalize(self, _close, self._loop, thread, self._http)

    def start(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Starts a coroutine in the connection's thread."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    async def look(self, model: str | None) -> Served:
        """What is served under this name, or the only model there is."""
        served = {card.model: card for card in await self._list_models(_PATIENCE_AT_THE_START_SECONDS)}
        if model is None and len(served) == 1:
            (model,) = served
        if model is None or model not in served:
            asked = "which one is meant?" if model is None else f"not {model}"
            raise EngineError(f"{self.base_url} serves {', '.join(served) or 'nothing'}: give model=NAME ({asked})")
        self._served = served[model]
        return self._served

    async def ask(self, dialect: Dialect, request: Request, reading: Callable[[ReplyReader], None]) -> Reply:
        """The reply to a request; the same request again, same seed, as long as none can be taken and patience lasts.

        reading: told of the reader of each try, which knows what came so far. Raises EngineError.
        """
        try:
            body = dialect.body(request)
        except ValueError as error:
            raise Refused(f"{self.base_url}: {error}") from error
        tries = tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception_type(_Failed),
            stop=tenacity.stop_after_attempt(self.patience.max_retries + 1),
            wait=_pause,
            reraise=True,
        )

        async def ask_once() -> Reply:
            reader = ReplyReader(dialect, request)
            reading(reader)
            try:
                return await self._stream(body, reader)
            except _Failed as failure:
                self._count(failure)
                await self._wait_until_back()
                raise

        try:
            return await tries(ask_once)
        except _Failed as failure:
            kind = Refused if isinstance(failure.__cause__, Untrusted) else EngineError
            raise kind(
                f"{self.base_url} gave no usable reply in {self.patience.max_retries + 1} tries, at last: {failure}. "
                f"Look at its log; the same command takes up the run again"
            ) from failure

    async def _stream(self, body: dict[str, Any], reader: ReplyReader) -> Reply:
        """One try: server-sent events into the reader. Raises _Failed, and EngineError for what is refused."""
        try:
            async with self._http.post(f"{self.base_url}/completions", json=body) as response:
                await self._check_status(response)
                async for line in response.content:
                    if line.startswith(b"data:") and (data := line[5:].strip()) != b"[DONE]":
                        reader.read(json.loads(data))
            return reader.reply()
        except (
            aiohttp.ClientError,
            TimeoutError,
            ValueError,
            Untrusted,
        ) as error:  # ValueError: neither JSON nor UTF-8
            raise _Failed(_reason(error)) from error

    async def _check_status(self, response: aiohttp.ClientResponse) -> None:
        if response.status == 200:
            return
        said = (await response.text(errors="replace"))[:1000]
        try:
            said = json.loads(said)["error"]["message"]
        except (ValueError, LookupError, TypeError):
            said = " ".join(said.split())[:200]
        reason = f"{response.status}, {said}"
        if response.status < 500 and response.status not in _PASSING:
            advice = "set OPENAI_API_KEY. " if response.status in (401, 403) else ""
            raise Refused(f"{self.base_url} refused a request: {advice}{reason}")
        after = response.headers.get("Retry-After", "")
        raise _Failed(reason, response.status, float(after) if after.replace(".", "", 1).isdecimal() else None)

    def _count(self, failure: _Failed) -> None:
        """Counts a failed try. Raises EngineError for one too many."""
        logger.debug("%s: %s", self.base_url, failure)
        if failure.status == 429:
            return
        self.failures += 1
        if self.failures > self.patience.max_failures:
            raise EngineError(
                f"{self.base_url}: {self.failures} replies could not be taken (max_failures="
                f"{self.patience.max_failures}), at last: {failure}. Look at its log; the same command takes up the "
                f"run again"
            ) from failure

    async def _wait_until_back(self) -> None:
        """Returns once the server answers: a restart of minutes costs each request in flight one try, not all."""
        async with self._back:
            try:
                served = await self._list_models(0.0)
            except EngineError as error:
                limit = self.patience.max_downtime_seconds
                logger.warning("%s: waiting up to %.0f s for it to come back", error, limit)
                served = await self._list_models(limit)
                logger.warning("%s answers again", self.base_url)
        if self._served is not None and self._served not in served:
            raise EngineError(f"{self.base_url} served {self._served} and came back serving {served}: start a new run")

    async def _list_models(self, patience_seconds: float) -> list[Served]:
        tries = tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception_type(_Failed),
            stop=tenacity.stop_after_delay(patience_seconds),
            wait=tenacity.wait_random_exponential(multiplier=0.5, max=5.0),
            reraise=True,
        )

        async def list_once() -> list[Served]:
            timeout = aiohttp.ClientTimeout(total=_CONNECT_SECONDS)
            try:
                async with self._http.get(f"{self.base_url}/models", timeout=timeout) as response:
                    await self._check_status(response)
                    cards = (await response.json())["data"]
                    return [Served(card["id"], card.get("root"), card.get("max_model_len")) for card in cards]
            except (aiohttp.ClientError, TimeoutError, ValueError, LookupError, TypeError) as error:
                raise _Failed(_reason(error)) from error

        try:
            return await tries(list_once)
        except _Failed as failure:
            raise EngineError(f"{self.base_url} does not say what it serves: {failure}") from failure

    async def _open(self, headers: Mapping[str, str], verify: bool | ssl.SSLContext) -> aiohttp.ClientSession:
        patience = aiohttp.ClientTimeout(
            total=None, sock_connect=_CONNECT_SECONDS, sock_read=self.patience.timeout_seconds
        )
        pool = aiohttp.TCPConnector(limit=0, ssl=verify)  # the engine bounds how many there are
        return aiohttp.ClientSession(
            connector=pool, headers=headers, timeout=patience, read_bufsize=_LONGEST_LINE_BYTES
        )


def _pause(state: tenacity.RetryCallState) -> float:
    """Seconds before the next try: what the server asks for, otherwise longer from try to try."""
    failure = state.outcome.exception() if state.outcome else None
    if isinstance(failure, _Failed) and failure.retry_after is not None:
        return min(failure.retry_after, _LONGEST_RETRY_AFTER_SECONDS)
    return _BACKOFF(state)


def _reason(error: Exception) -> str:
    """What went wrong, in a line: some of these errors have no text of their own."""
    return f"{error}" if isinstance(error, Untrusted) else f"{type(error).__name__}: {error}".removesuffix(": ")


def _run(loop: asyncio.AbstractEventLoop) -> None:
    loop.run_forever()
    loop.close()


def _close(loop: asyncio.AbstractEventLoop, thread: threading.Thread, http: aiohttp.ClientSession) -> None:
    async def finish() -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await http.close()
        await asyncio.sleep(0)  # transports close themselves in the next turn
        loop.stop()

    asyncio.run_coroutine_threadsafe(finish(), loop)
    if threading.current_thread() is thread:
        return  # the garbage collector ran there: nobody may wait for the loop inside the loop
    thread.join(timeout=10)
