"""The Engine protocol on a connection: one coroutine per request, in the connection's thread"""

from __future__ import annotations

import queue
from collections.abc import Hashable, Sequence
from concurrent.futures import Future

from s1_models.driver import EngineError
from s1_models.engines.openai.completions import Dialect, ReplyReader
from s1_models.engines.openai.connection import Connection
from s1_models.forcing import Reply, Request, Tokens


class OpenAIEngine:
    """The Engine protocol on a connection, which bounds how many requests are at the server at a time.

    fingerprint: what the server says of its own build and settings, where every reply has to come from that one.
    """

    def __init__(self, connection: Connection, dialect: Dialect, context_window: int, fingerprint: str = "") -> None:
        self.context_window = context_window
        self._fingerprint = fingerprint
        self.connection = connection
        self.dialect = dialect
        self._in_flight: dict[Hashable, _Asked] = {}
        self._done: queue.SimpleQueue[_Asked] = queue.SimpleQueue()
        self._failure: EngineError | None = None

    def submit(self, key: Hashable, request: Request) -> None:
        asked = self._in_flight[key] = _Asked(key)
        asked.future = self.connection.start(self._ask(asked, request))

    def poll(self, timeout_seconds: float | None = None) -> Sequence[tuple[Hashable, Reply]]:
        replies: list[tuple[Hashable, Reply]] = []
        while self._in_flight and self._failure is None:
            try:
                asked = self._done.get_nowait() if replies else self._done.get(timeout=timeout_seconds)
            except queue.Empty:
                break
            if self._in_flight.get(asked.key) is not asked:
                continue  # cancelled while its reply was on the way
            if isinstance(asked.outcome, Reply):
                del self._in_flight[asked.key]
                replies.append((asked.key, asked.outcome))
            else:
                self._failure = asked.outcome
        if self._failure is not None and not replies:  # what came before the failure is told first
            raise self._failure
        return replies

    def partial(self) -> Sequence[tuple[Hashable, Tokens]]:
        """Starts again at nothing when a request is sent a second time."""
        return [(key, asked.reader.partial) for key, asked in list(self._in_flight.items()) if asked.reader]

    def cancel(self) -> None:
        asked, self._in_flight, self._failure = list(self._in_flight.values()), {}, None
        for one in asked:
            if one.future is not None:
                one.future.cancel()  # closes its connection, which tells the server to stop

    async def _ask(self, asked: _Asked, request: Request) -> None:
        try:
            reply = await self.connection.ask(self.dialect, request, asked.read_by)
            self._check_fingerprint(asked.reader)
            asked.outcome = reply
        except EngineError as error:
            error.key = asked.key
            asked.outcome = error
        except Exception as error:  # a mistake of ours must end the poll that waits for this reply, not hang it
            asked.outcome = EngineError(f"{type(error).__name__}: {error}", key=asked.key)
            asked.outcome.__cause__ = error
        self._done.put(asked)

    def _check_fingerprint(self, reader: ReplyReader | None) -> None:
        """Raises EngineError for a reply of another server than the one that was asked at the start."""
        now = reader.fingerprint if reader else None
        if self._fingerprint and now and now != self._fingerprint:
            raise EngineError(
                f"{self.connection.base_url} called itself {self._fingerprint} at the start and {now} now: it came "
                f"back with another version or configuration, or stands for servers that differ, and the memo must "
                f"not hold their tokens as one model's. Start the run again, with memo=off if they differ for good"
            )


class _Asked:
    """A request on its way: its key, the reader of its latest try, and what became of it."""

    def __init__(self, key: Hashable) -> None:
        self.key = key
        self.reader: ReplyReader | None = None
        self.future: Future[None] | None = None
        self.outcome: Reply | EngineError = EngineError("no reply yet")

    def read_by(self, reader: ReplyReader) -> None:
        self.reader = reader
