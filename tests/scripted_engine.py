"""A scripted engine: a fake that keeps the same contract as the real ones (tests/models/test_conformance.py).

Tokens are a pure function of the prefix, as under greedy decoding, so a session's outcome can only depend on its own
prefix; the order in which replies come back is shuffled from a seed.
"""

import random
import time
from collections.abc import Callable, Hashable, Sequence
from itertools import takewhile

from s1_models.driver import reply_without_unknown
from s1_models.forcing import Finish, Reply, Request, Tokens

NextToken = Callable[[Tokens], int]


def random_writer(seed: int, vocabulary: int, stop_rate: float, stops: Sequence[int]) -> NextToken:
    """A writer whose next token is drawn from a generator seeded with the prefix; stops with probability stop_rate."""

    def write(prefix: Tokens) -> int:
        draw = random.Random(hash((seed, len(prefix), prefix[-8:])))
        return draw.choice(list(stops)) if draw.random() < stop_rate else draw.randrange(vocabulary)

    return write


class ScriptedEngine:
    """Engine protocol over a `NextToken` function.

    context_window: tokens. known_ids: ids from here on are dropped and counted. order_seed: shuffles replies.
    seconds_per_token: 0 generates at once; otherwise every request gets its tokens at this pace.
    history: every request in the order of submission. fail_after: polls until `failure` is raised.
    """

    def __init__(
        self,
        write: NextToken,
        context_window: int = 512,
        known_ids: int = 10**9,
        order_seed: int = 0,
        at_a_time: int = 3,
        fail_after: int | None = None,
        failure: BaseException | None = None,
        seconds_per_token: float = 0.0,
    ) -> None:
        self.context_window = context_window
        self.history: list[Request] = []
        self.cancelled = False
        self._write = write
        self._known_ids = known_ids
        self._random = random.Random(order_seed)
        self._at_a_time = at_a_time
        self._polls_left = fail_after
        self._failure = failure
        self._seconds_per_token = seconds_per_token
        self._in_flight: dict[Hashable, Request] = {}
        self._started: dict[Hashable, float] = {}
        self._written: dict[Hashable, tuple[Tokens, Finish]] = {}  # by requests that are paced
        self.most_in_flight = 0

    def submit(self, key: Hashable, request: Request) -> None:
        assert request.max_tokens >= 1, "a request must ask for a token"
        assert len(request.prefix) + request.max_tokens <= self.context_window, "a request must fit the context"
        assert key not in self._in_flight
        self.history.append(request)
        self._in_flight[key] = request
        self._started[key] = time.monotonic()
        self._written.pop(key, None)
        self.most_in_flight = max(self.most_in_flight, len(self._in_flight))

    def poll(self, timeout_seconds: float | None = None) -> Sequence[tuple[Hashable, Reply]]:
        if self._polls_left is not None:
            self._polls_left -= 1
            if self._polls_left < 0 and self._failure is not None:
                raise self._failure
        self._wait(timeout_seconds)
        now = time.monotonic()
        keys = [key for key in self._in_flight if self._end(key) <= now]
        self._random.shuffle(keys)
        return [(key, self._generate(self._in_flight.pop(key))) for key in keys[: self._at_a_time]]

    def partial(self) -> Sequence[tuple[Hashable, Tokens]]:
        now = time.monotonic()
        parts = []
        for key, request in self._in_flight.items():
            written = self._write_out(request)[0] if key not in self._written else self._written[key][0]
            if self._seconds_per_token:
                reached = int((now - self._started[key]) / self._seconds_per_token)
            else:
                reached = self._random.randint(0, len(written))
            parts.append((key, tuple(takewhile(lambda token: token < self._known_ids, written[:reached]))))
        return parts

    def cancel(self) -> None:
        self._in_flight.clear()
        self.cancelled = True

    def _wait(self, timeout_seconds: float | None) -> None:
        """Sleeps until the first request is due, at most for the timeout."""
        if not self._seconds_per_token:
            return
        due = min(map(self._end, self._in_flight), default=0.0) - time.monotonic()
        time.sleep(max(0.0, due if timeout_seconds is None else min(due, timeout_seconds)))

    def _end(self, key: Hashable) -> float:
        """When a request is due; at once where nothing is paced."""
        if not self._seconds_per_token:
            return 0.0
        if key not in self._written:
            self._written[key] = self._write_out(self._in_flight[key])
        written, finish = self._written[key]
        return self._started[key] + (len(written) + (finish is Finish.STOP)) * self._seconds_per_token

    def _generate(self, request: Request) -> Reply:
        written, finish = self._write_out(request)
        return reply_without_unknown(written, finish, self._known_ids)

    def _write_out(self, request: Request) -> tuple[Tokens, Finish]:
        written: list[int] = []  # a writer may write what nobody knows
        finish = Finish.LENGTH
        while len(written) < request.max_tokens:
            token = self._write(request.prefix + tuple(written))
            if token in request.stop and len(written) < request.min_tokens:
                token = next(other for other in range(len(request.stop) + 1) if other not in request.stop)
            if token in request.stop:
                finish = Finish.STOP
                break
            written.append(token)
        return tuple(written), finish
