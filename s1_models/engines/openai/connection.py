"""A connection to an OpenAI-compatible server: a request is sent again until its reply can be trusted

`patience` decides how long to wait after failures and how many requests run at the same time. `transport` decides what
the server may send. One loop, `Connection.exchange`, uses both for every kind of endpoint.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import threading
import time
import weakref
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import aiohttp

from s1_contract.printing import show
from s1_models.driver import EngineError
from s1_models.engines.openai import transport
from s1_models.engines.openai.arguments import clean_header
from s1_models.engines.openai.completions import Dialect, ReplyReader
from s1_models.engines.openai.patience import OutOfPatience, Pace, Patience, Trouble, Untrusted, pause_after
from s1_models.engines.openai.transport import Refused
from s1_models.forcing import Reply, Request

logger = logging.getLogger(__name__)

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

PATIENCE = Patience()
# One server decodes some hundred at a time; what it cannot take yet waits here.
NUM_CONCURRENT = 128
_PATIENCE_AT_THE_START_SECONDS = 2.0
_START_IT = "Start the server, or correct base_url"
_LONGEST_PAUSE_FOR_ONE_SECONDS = 2.0
_GOES_ON = "Look at its log; the same command takes up the run again"
# Stalls of one request that are borne while the server has no token for anybody else either.
_STALLS = 2
_NO_LIST = (404, 405, 501)


class Reader(Protocol[T_co]):
    """Puts one reply together."""

    def read(self, event: Any) -> bool:
        """Takes one event (parsed JSON); says whether a token came with it. Raises Untrusted."""
        ...

    def reply(self) -> T_co:
        """The whole reply, after the last event. Raises Untrusted."""
        ...


@dataclass(frozen=True, slots=True)
class Served:
    """What a server says it serves. root: where its weights come from. max_model_len: tokens, if it says so."""

    model: str
    root: str | None
    max_model_len: int | None


class _Stalled(Untrusted):
    """No token came for as long as `timeout` says."""


@dataclass
class _Tries:
    """What has become of one request so far. began, troubled_seconds: on the clock of the event loop's machine."""

    began: float = field(default_factory=time.monotonic)
    spoiled: int = 0
    stalled: int = 0
    troubled: int = 0
    troubled_seconds: float = 0.0


class Connection:
    """One server, its pooled HTTP connections, and the thread their event loop runs in.

    base_url: with or without /completions; user and password in it are sent as a header, and shown nowhere.
    num_concurrent: requests at the server at a time, when it is well. Every EngineError raised here begins with the
    server's address.
    """

    def __init__(
        self,
        base_url: str,
        api_key: str = "",
        patience: Patience = PATIENCE,
        headers: Mapping[str, str] | None = None,
        verify: bool | ssl.SSLContext = True,
        num_concurrent: int = NUM_CONCURRENT,
    ) -> None:
        address, basic = transport.split_address(base_url)
        self.base_url = address.removesuffix("/completions")
        self.patience = patience
        self.failures = 0  # replies that came and were wrong
        self.headers = {**({"Authorization": basic} if basic else {}), **_authorization(api_key), **(headers or {})}
        self.pace = Pace(num_concurrent, patience, self.base_url)
        self._served: Served | None = None
        self._looked = 0.0
        self._reached = False  # it has answered something, whatever it was
        self._missed_since: float | None = None  # since when it could not be reached, before it ever was
        self._looking = asyncio.Lock()
        self._loop = asyncio.new_event_loop()
        thread = threading.Thread(target=_run, args=(self._loop,), name="s1-connection", daemon=True)
        thread.start()
        self._http = self.start(self._open(verify)).result()
        self.close = weakref.finalize(self, _close, self._loop, thread, self._http)

    def start(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Starts a coroutine in the connection's thread."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    async def look(self, model: str | None, otherwise: Served | None = None) -> Served:
        """What is served under this name, or the only model there is. otherwise: where the server has no list."""
        try:
            served = {card.model: card for card in await self._list_patiently()}
        except EngineError as error:
            if otherwise is not None and isinstance(error, Refused) and error.status:
                return otherwise
            raise
        if model is None and len(served) == 1:
            (model,) = served
        if model is None or model not in served:
            asked = "which one is meant?" if model is None else f"not {model}"
            names = ", ".join(show(name) for name in list(served)[:20]) + (", ..." if len(served) > 20 else "")
            raise EngineError(f"{self.base_url} serves {names or 'nothing'}: give model=NAME ({asked})")
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

        def new_reader() -> ReplyReader:
            reader = ReplyReader(dialect, request)
            reading(reader)
            return reader

        return await self.exchange("/completions", body, new_reader, dialect.longest_line(request))

    async def exchange(
        self, path: str, body: Mapping[str, Any], new_reader: Callable[[], Reader[T]], longest: int
    ) -> T:
        """Sends a body to an endpoint until a reader takes the reply. longest: bytes of a line of it.

        Raises Refused for what would be the same every time, EngineError when patience ends.
        """
        order, tries = self.pace.order(), _Tries()
        while True:
            failure: Untrusted | Trouble
            async with self.pace.turn(order) as epoch:
                began = time.monotonic()
                try:
                    reply = await self._try(f"{self.base_url}{path}", body, new_reader(), longest)
                except (Untrusted, Trouble) as error:
                    failure = error
                else:
                    self.pace.answered()
                    return reply
            logger.debug("%s: %s", self.base_url, failure)
            if isinstance(failure, Untrusted):
                pause = self._bear_spoiled(failure, tries)
            else:
                pause = self._bear_trouble(failure, epoch, tries, began)
                if not failure.busy:
                    await self._check_that_it_is_the_same(began)
            await asyncio.sleep(pause)

    async def _try(self, url: str, body: Mapping[str, Any], reader: Reader[T], longest: int) -> T:
        """One try. Raises Untrusted, Trouble or Refused."""
        seconds, now, came = self.patience.timeout_seconds, asyncio.get_running_loop().time, False
        try:
            async with asyncio.timeout(seconds) as limit:
                async with await transport.post(self._http, url, body) as response:
                    self._reached = True
                    await transport.check_status(response, url)
                    async for event in transport.events(response, longest):
                        if reader.read(event):
                            came = True
                            limit.reschedule(now() + seconds)
                            self.pace.alive()
                    await _finish(response)
        except transport.NETWORK_ERRORS as error:
            if cure := transport.of_certificates(error):
                raise Refused(f"{url}: {cure} ({transport.reason(error)})") from error
            if not limit.expired():
                said = transport.reason(error)
                raise (Untrusted(f"it broke off, {said}") if came else Trouble(said)) from error
            with suppress(Untrusted):
                return reader.reply()  # whole, on a connection that was never closed
            raise _Stalled(f"no token came for {seconds:g} s (timeout)") from error
        return reader.reply()

    def _bear_spoiled(self, failure: Untrusted, tries: _Tries) -> float:
        """Counts a reply that cannot be right; returns the seconds to wait. Raises EngineError for one too many."""
        self.failures += 1
        tries.spoiled += 1
        most = self.patience.max_failures
        if most is not None and self.failures > most:
            raise EngineError(
                f"{self.base_url}: {self.failures} replies could not be taken (max_failures={most}), at last: "
                f"{failure}. {_GOES_ON}"
            ) from failure
        tries.stalled += isinstance(failure, _Stalled)
        silent = tries.stalled >= _STALLS and self.pace.last_token < tries.began
        if silent or tries.spoiled > self.patience.max_retries:
            kind = EngineError if isinstance(failure, _Stalled) else Refused
            raise kind(
                f"{self.base_url} gave no usable reply in {tries.spoiled} tries, at last: {failure}. {_GOES_ON}"
            ) from failure
        return min(pause_after(tries.spoiled), _LONGEST_PAUSE_FOR_ONE_SECONDS)

    def _bear_trouble(self, failure: Trouble, epoch: int, tries: _Tries, began: float) -> float:
        """Lets all wait; returns the seconds that this request waits by itself. Raises EngineError."""
        self._bear_nobody_there(failure)
        try:
            self.pace.bear(failure, epoch)
        except OutOfPatience as error:
            raise EngineError(f"{self.base_url}: {error}. {_GOES_ON}") from failure
        if failure.busy:
            return 0.0
        tries.troubled += 1
        pause = pause_after(tries.troubled)
        # The server may be well, and this request what it cannot bear.
        tries.troubled_seconds += time.monotonic() - began + pause
        if tries.troubled_seconds > self.patience.max_downtime_seconds:
            raise EngineError(
                f"{self.base_url} failed on this request {tries.troubled} times in {tries.troubled_seconds:.0f} s "
                f"(max_downtime={self.patience.max_downtime_seconds:g}), at last: {failure}. {_GOES_ON}"
            ) from failure
        return pause

    def _bear_nobody_there(self, failure: Trouble) -> None:
        """Raises EngineError for an address where nobody ever answered. A server that went away is waited for."""
        if self._reached or not isinstance(failure.__cause__, aiohttp.ClientConnectorError):
            return
        now = time.monotonic()
        self._missed_since = self._missed_since or now
        if now - self._missed_since >= min(_PATIENCE_AT_THE_START_SECONDS, self.patience.max_downtime_seconds):
            raise EngineError(f"{self.base_url} cannot be reached: {failure}. {_START_IT}") from failure

    async def _check_that_it_is_the_same(self, since: float) -> None:
        """Raises EngineError when the server came back with another model. One look serves all that failed together."""
        async with self._looking:
            if self._served is None or self._looked > since:
                return
            try:
                served = await self._list_models()
            except (EngineError, Trouble, Untrusted):
                return  # it is not back yet
            finally:
                self._looked = time.monotonic()
        if self._served not in served:
            raise EngineError(f"{self.base_url} served {self._served} and came back serving {served}: start a new run")

    async def _list_patiently(self) -> list[Served]:
        """What the server lists. A busy one is waited for, one that is not there only a moment. Raises EngineError."""
        began, tries = time.monotonic(), 0
        while True:
            tries += 1
            try:
                return await self._list_models()
            except Refused as error:
                raise _without_list(self.base_url, str(error), error.status) from error
            except Untrusted as error:
                raise _without_list(self.base_url, f"{self.base_url}/models: {error}", 200) from error
            except Trouble as trouble:
                most = self.patience.max_downtime_seconds if trouble.busy else _PATIENCE_AT_THE_START_SECONDS
                if time.monotonic() - began > most:
                    raise _without_list(self.base_url, str(trouble), trouble.status) from trouble
                await asyncio.sleep(min(max(trouble.retry_after or 0.0, pause_after(tries)), most))

    async def _list_models(self) -> list[Served]:
        """One try. Raises Refused, Trouble or Untrusted."""
        url = f"{self.base_url}/models"
        try:
            async with asyncio.timeout(transport.CONNECT_SECONDS):
                async with await transport.get(self._http, url) as response:
                    self._reached = True
                    await transport.check_status(response, url)
                    cards = (await transport.read_json(response, transport.LONGEST_LIST_BYTES))["data"]
                    return [_card(card) for card in cards]
        except (LookupError, TypeError, AttributeError) as error:
            raise Untrusted("it lists no models as OpenAI's API does") from error
        except transport.NETWORK_ERRORS as error:
            if cure := transport.of_certificates(error):
                raise Refused(f"{self.base_url}: {cure} ({transport.reason(error)})") from error
            raise Trouble(transport.reason(error)) from error

    async def _open(self, verify: bool | ssl.SSLContext) -> aiohttp.ClientSession:
        return transport.open_session(self.headers, verify)


def _authorization(api_key: str) -> dict[str, str]:
    key = clean_header("OPENAI_API_KEY", api_key)
    return {"Authorization": f"Bearer {key}"} if key else {}


def _card(card: Mapping[str, Any]) -> Served:
    root, length = card.get("root"), card.get("max_model_len")
    return Served(str(card["id"]), root if isinstance(root, str) else None, length if isinstance(length, int) else None)


def _without_list(base_url: str, said: str, status: int) -> EngineError:
    """Why a server does not say what it serves, and what to do about it. status: of HTTP, 0 where none came."""
    cure = f". {_START_IT}"
    if status in _NO_LIST and not base_url.endswith("/v1"):
        cure = f". Addresses of such servers end in /v1 mostly: give base_url={base_url}/v1/completions"
    elif status:
        cure = ". For a server without that list give model=NAME, max_length=TOKENS and tokenizer=NAME_OR_DIRECTORY"
    return Refused(f"{base_url} does not say what it serves: {said}{cure}", status=status)


async def _finish(response: aiohttp.ClientResponse) -> None:
    """Reads the last bytes of a reply that is complete, so that its connection can be used again."""
    with suppress(*transport.NETWORK_ERRORS):
        async with asyncio.timeout(1.0):
            while not response.content.at_eof():
                await response.content.readany()


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
