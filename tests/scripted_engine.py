"""A scripted engine: a fake that keeps the same contract as the real ones (tests/models/test_conformance.py).

Tokens are a pure function of the prefix, as under greedy decoding, so a session's outcome can only depend on its own
prefix; the order in which replies come back is shuffled from a seed.
"""

import random
from collections.abc import Callable, Hashable, Sequence

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
        self._in_flight: dict[Hashable, Request] = {}
        self.most_in_flight = 0

    def submit(self, key: Hashable, request: Request) -> None:
        assert request.max_tokens >= 1, "a request must ask for a token"
        assert len(request.prefix) + request.max_tokens <= self.context_window, "a request must fit the context"
        assert key not in self._in_flight
        self.history.append(request)
        self._in_flight[key] = request
        self.most_in_flight = max(self.most_in_flight, len(self._in_flight))

    def poll(self) -> Sequence[tuple[Hashable, Reply]]:
        if self._polls_left is not None:
            self._polls_left -= 1
            if self._polls_left < 0 and self._failure is not None:
                raise self._failure
        keys = list(self._in_flight)
        self._random.shuffle(keys)
        return [(key, self._generate(self._in_flight.pop(key))) for key in keys[: self._at_a_time]]

    def cancel(self) -> None:
        self._in_flight.clear()
        self.cancelled = True

    def _generate(self, request: Request) -> Reply:
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
        known = tuple(token for token in written if token < self._known_ids)
        return Reply(known, finish, dropped=len(written) - len(known))
