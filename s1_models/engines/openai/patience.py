"""How much is borne of a server, and how fast it is asked. Limits are in time; all who ask one server share them.

No HTTP here, so that every client can use it: `Patience` is what the user sets, `Pace` is kept per server. A server
that says "too many requests", answers 5xx or cannot be reached is in *trouble*. Trouble lasts until a token comes from
the server; when it lasts longer than `max_downtime_seconds`, the run ends. How often a server says no does not count.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import logging
import math
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

logger = logging.getLogger(__name__)

# HTTP statuses of a server that has too much to do: Too Many Requests, Service Unavailable, Anthropic's "overloaded".
BUSY_STATUSES = frozenset({429, 503, 529})
# Statuses below 500 that may be gone the next time as well: timeout, conflict, too early.
PASSING_STATUSES = frozenset({408, 409, 425}) | BUSY_STATUSES

_FIRST_PAUSE_SECONDS = 0.4
_LONGEST_PAUSE_SECONDS = 15.0
_PAUSE_GROWTH = 1.5
# Trouble, or a pause, of so many seconds is something that a person at the console should hear of.
_TOLD_SECONDS = 3.0
_FASTEST_GROWTH = 8  # replies after which the limit has grown by one, however high it is


@dataclass(frozen=True, slots=True)
class Patience:
    """What is borne before a run ends with an error.

    timeout_seconds: without a token. max_retries: replies to one request that came and cannot be right.
    max_failures: such replies in the whole run; None is no limit. max_downtime_seconds: of trouble without a token.
    """

    timeout_seconds: float = 600.0
    max_retries: int = 10
    max_failures: int | None = None
    max_downtime_seconds: float = 600.0


class Trouble(Exception):
    """A try that the server did not take, or that the network lost. The same request may be sent again.

    status: of HTTP, 0 where none came. retry_after: seconds, where the server asks for a pause.
    """

    def __init__(self, reason: str, *, status: int = 0, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.busy = status in BUSY_STATUSES  # it has too much to do
        self.retry_after = retry_after


class Untrusted(Exception):
    """A reply that came and cannot be right; the message says what is wrong with it. It is asked for again."""


class OutOfPatience(Exception):
    """Trouble that lasted too long; the message says how long and what the server said at last."""


class Pace:
    """How many requests one server has at a time, and when the next may start: one object for all who ask it.

    The limit falls by half when the server is in trouble, and grows again with every reply (additive increase,
    multiplicative decrease). After trouble all wait together; the request that was asked first goes first.
    most: requests at a time when all is well. name: of the server, for the log.
    """

    def __init__(
        self, most: int, patience: Patience, name: str = "", clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.patience = patience
        self.limit = float(most)
        self.last_token = 0.0  # when it came, on the clock
        self._most = most
        self._name = name
        self._clock = clock
        self._in_flight = 0
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._tickets = itertools.count()
        self._epoch = 0  # counts how often the limit fell
        self._slow_start_below = 1.0
        self._failing = False  # since the last reply
        self._trouble_since: float | None = None
        self._paused_until = 0.0
        self._next_pause = _FIRST_PAUSE_SECONDS
        self._told = False
        self._timer: asyncio.TimerHandle | None = None  # wakes the waiting when the pause ends

    def order(self) -> int:
        """A place in the line, for a request that is new."""
        return next(self._tickets)

    @asynccontextmanager
    async def turn(self, order: int) -> AsyncIterator[int]:
        """Waits for a turn to send one try; gives what `bear` wants to know about it."""
        await self._enter(order)
        try:
            yield self._epoch
        finally:
            self._in_flight -= 1
            self._admit()

    def alive(self) -> None:
        """A token came."""
        self._trouble_since = None
        self.last_token = self._clock()

    def answered(self) -> None:
        """A whole reply was taken."""
        self.alive()
        self._failing = False
        self._next_pause = _FIRST_PAUSE_SECONDS
        growth = 1.0 if self.limit < self._slow_start_below else max(1 / self.limit, 1 / _FASTEST_GROWTH)
        self.limit = min(float(self._most), self.limit + growth)
        if self._told:
            self._told = False
            logger.warning("%s answers again", self._name)
        self._admit()

    def bear(self, trouble: Trouble, epoch: int) -> None:
        """Takes note of trouble that a try met; all wait. Raises OutOfPatience when it has lasted too long."""
        now = self._clock()
        if self._trouble_since is None:
            self._trouble_since = now
        lasted, most = now - self._trouble_since, self.patience.max_downtime_seconds
        if lasted >= most:
            self._trouble_since = None  # whoever asks again starts anew
            raise OutOfPatience(f"no token came for {lasted:.0f} s (max_downtime={most:g}), at last: {trouble}")
        again, self._failing = self._failing, True
        pause = 0.0
        if epoch == self._epoch and (trouble.busy or again):  # once for all tries that were in flight together
            pause = self._slow_down(first=not again)
        pause = max(pause, trouble.retry_after or 0.0)
        self._paused_until = max(self._paused_until, now + min(pause, most - lasted))
        if max(lasted, self._paused_until - now) >= _TOLD_SECONDS:
            self._tell(trouble, most - lasted)

    def _slow_down(self, first: bool) -> float:
        """Halves the limit; returns the seconds to wait. first: of a row of failures."""
        self._epoch += 1
        self.limit = max(1.0, self.limit / 2)
        if first:
            self._slow_start_below = self.limit
        pause, self._next_pause = self._next_pause, min(_PAUSE_GROWTH * self._next_pause, _LONGEST_PAUSE_SECONDS)
        return pause

    def _tell(self, trouble: Trouble, left: float) -> None:
        if not self._told:
            self._told = True
            logger.warning("%s: %s; waiting up to %.0f s for it to come back", self._name, trouble, left)

    async def _enter(self, order: int) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (order, next(self._tickets), turn))
        self._admit()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # it had its turn already
                self._in_flight -= 1
                self._admit()
            raise

    def _admit(self) -> None:
        """Gives turns to those who have waited longest, as far as limit and pause allow."""
        while self._waiting and self._in_flight < int(self.limit):
            *_, turn = self._waiting[0]
            if turn.done():  # cancelled
                heapq.heappop(self._waiting)
                continue
            if self._paused_until > self._clock():
                self._wake_later(turn.get_loop())
                return
            heapq.heappop(self._waiting)
            self._in_flight += 1
            turn.set_result(None)

    def _wake_later(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._timer is None:
            self._timer = loop.call_later(self._paused_until - self._clock(), self._wake)

    def _wake(self) -> None:
        self._timer = None
        self._admit()


def pause_after(tries: int) -> float:
    """Seconds that one request waits by itself after its failed try number `tries` (from 1), whatever others do."""
    return min(0.1 * 2.0 ** min(tries - 1, 10), _LONGEST_PAUSE_SECONDS)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that the server asks to wait, from Retry-After as seconds or as a date, or retry-after-ms.

    A date is compared with the server's own Date, so that the two clocks need not agree. None: it does not say.
    """
    given = {name.lower(): value.strip() for name, value in headers.items()}
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        if name in given and (seconds := _number(given[name])) is not None:
            return seconds * unit
    until = _date(given.get("retry-after", ""))
    return None if until is None else max(0.0, until - (_date(given.get("date", "")) or time.time()))


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None


def _date(text: str) -> float | None:
    """Seconds since 1970 of an HTTP date."""
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
