"""The loop that keeps every session in flight, and the protocol of the engines it drives.

There are no rounds: a session whose reply came is advanced and resubmitted at once while the others keep
decoding, so nobody waits for the slowest.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from itertools import islice
from typing import Any, Protocol, TypeVar

from s1_models.forcing import BudgetError, Finish, Phase, Policy, Reply, Request, S1Error, Session, Tokens

Sampling = tuple[tuple[str, Any], ...]
T = TypeVar("T")

# Seeds are below this: every engine takes such a number, and JSON carries it exactly.
_SEEDS = 2**53


class EngineError(S1Error, RuntimeError):
    """The engine died or broke its contract while questions were in flight."""

    def __init__(self, message: str, *, key: Hashable | None = None) -> None:
        super().__init__(message)
        self.key = key


class Interrupted(KeyboardInterrupt):
    """Ctrl-C while questions were in flight; the message says how many were finished."""


class Engine(Protocol):
    """Generates tokens. The contract (one conformance suite runs against every engine):

    a reply has at most `request.max_tokens` tokens; no stop id is inside it; STOP only if a stop id ended it; only
    ids the tokenizer knows (others are left out, and told in `Reply.dropped` and `Reply.sampled`); greedy replies do
    not depend on what else is in flight (as far as the engine's kernels are batch-invariant). A stop id needs a token
    of its own: where it would have been token `max_tokens + 1` the reply ends with LENGTH.
    """

    context_window: int  # tokens

    def submit(self, key: Hashable, request: Request) -> None: ...

    def poll(self, timeout_seconds: float | None = None) -> Sequence[tuple[Hashable, Reply]]:
        """Blocks until something finished, at most about `timeout_seconds`; returns all that did.

        Without a timeout empty only when nothing is in flight.
        """
        ...

    def partial(self) -> Sequence[tuple[Hashable, Tokens]]:
        """What was generated so far for each request in flight: a beginning of its later reply.

        It may lag behind, ends before the first dropped id, and is empty for an engine that cannot say. Never blocks.
        """
        ...

    def cancel(self) -> None:
        """Drops everything in flight."""
        ...


def reply_without_unknown(sampled: Tokens, finish: Finish, known_ids: int) -> Reply:
    """The reply for what was sampled, without the ids from `known_ids` on, which the tokenizer does not know."""
    known = tuple(token for token in sampled if token < known_ids)
    dropped = len(sampled) - len(known)
    return Reply(known, finish, dropped, sampled if dropped else ())


@dataclass(frozen=True, slots=True)
class Job:
    """A question to run: its policy, its prompt (token ids), a label for people, and how to sample.

    sampling: (name, value) pairs for the engine; `seed`, when given, is the run's: each request gets its own from it.
    thinking_sampling: the same for the thinking, where it is sampled differently from the answer.
    sample: which of a question's samples this is, counted from 0.
    """

    policy: Policy
    prompt: Tokens
    label: str = "question"
    sampling: Sampling = ()
    thinking_sampling: Sampling | None = None
    sample: int = 0


class Progress(Protocol):
    """Told after every reply; `done` says that this reply finished its question."""

    def update(self, session: Session, reply: Reply, *, done: bool) -> None: ...


def run(policy: Policy, engine: Engine, prompts: Sequence[Tokens]) -> list[Session]:
    """Runs one policy over prompts (token ids); returns finished sessions in the order of the prompts."""
    jobs = [Job(policy, tuple(prompt), f"question {number}") for number, prompt in enumerate(prompts)]
    return run_jobs(jobs, engine)


def run_jobs(
    jobs: Sequence[Job], engine: Engine, *, max_in_flight: int | None = None, progress: Progress | None = None
) -> list[Session]:
    """Runs jobs to their end; returns their finished sessions in the same order. Otherwise as `run_each`."""
    return run_each(jobs, engine, lambda _, session: session, max_in_flight=max_in_flight, progress=progress)


def run_each(
    jobs: Sequence[Job],
    engine: Engine,
    finish: Callable[[int, Session], T],
    *,
    max_in_flight: int | None = None,
    progress: Progress | None = None,
) -> list[T]:
    """Runs jobs to their end; returns what `finish(number of the job, session)` made of each, in the same order.

    finish: called as soon as a session has ended, which is let go then. max_in_flight: sessions in the engine at a time
    (None: all). A waiting session starts when another ends, so a session that continues finds its prefix still cached.
    Raises ValueError for a max_in_flight below one, BudgetError before anything is generated when a prompt leaves no
    room, EngineError when the engine fails; the last two name the question. On an error and on Ctrl-C (Interrupted) the
    engine is told to drop what is in flight.
    """
    if max_in_flight is not None and max_in_flight < 1:
        raise ValueError(f"max_in_flight={max_in_flight}: expected at least 1, or nothing is ever asked")
    going = _Run(jobs, engine, finish, progress)
    try:
        going.start(len(jobs) if max_in_flight is None else max_in_flight)
        while going.in_flight:
            going.receive()
    except BaseException as error:
        engine.cancel()  # a later run must not get replies to this one's requests
        if isinstance(error, S1Error):
            raise _named(error, jobs, going.in_flight) from error
        if isinstance(error, KeyboardInterrupt):
            done = f"{len(going.finished)} of {len(jobs)} questions were finished"
            raise Interrupted(f"interrupted: {done}") from error
        raise
    return [going.finished[number] for number in range(len(jobs))]


class _Run:
    """Jobs under way. in_flight: what is asked now, by the number of the job; finished: what was made of the others."""

    def __init__(
        self, jobs: Sequence[Job], engine: Engine, finish: Callable[[int, Session], Any], progress: Progress | None
    ) -> None:
        self.in_flight: dict[int, Request] = {}
        self.finished: dict[int, Any] = {}
        self._jobs, self._engine, self._finish, self._progress = jobs, engine, finish, progress
        self._sessions = {number: _begin(job) for number, job in enumerate(jobs)}
        self._waiting = iter(range(len(jobs)))
        self._ledgers = [_Ledger() for _ in jobs]

    def start(self, count: int) -> None:
        """Starts up to `count` waiting sessions; one that needs no request is done already and does not count."""
        started: Iterator[int] = (number for number in self._waiting if self._submit(number))
        for _ in islice(started, count):
            pass

    def receive(self) -> None:
        """Waits for replies, and goes on with their sessions."""
        replies = self._engine.poll()
        if not replies:
            raise EngineError("the engine says nothing is in flight")
        for key, reply in replies:
            if not isinstance(key, int) or key not in self.in_flight:
                raise EngineError(f"the engine replied to {key!r}, which is not in flight")
            self._advance(key, reply)

    def _advance(self, number: int, reply: Reply) -> None:
        try:
            request = self.in_flight[number]
            _check(request, reply)
            self._ledgers[number].add(request, reply)
            session = self._sessions[number] = self._jobs[number].policy.advance(self._sessions[number], reply)
        except S1Error as error:
            error.key = number
            raise
        del self.in_flight[number]
        goes_on = self._submit(number)
        if self._progress is not None:
            self._progress.update(session, reply, done=not goes_on)
        if not goes_on:
            self.start(1)

    def _submit(self, number: int) -> bool:
        """Asks the next request of a session; False when there is none, and the session is finished."""
        job, session = self._jobs[number], self._sessions[number]
        request = job.policy.request(session)
        ledger = self._ledgers[number]
        if request is None:
            self.finished[number] = self._finish(number, ledger.write_into(self._sessions.pop(number)))
            return False
        request = _with_sampling(request, job, session)
        if ledger.goes_round(request):
            raise EngineError(
                f"{type(job.policy).__name__} asks for the same again after a reply of nothing: it would go on for ever"
            )
        self.in_flight[number] = request
        self._engine.submit(number, request)
        return True


class _Ledger:
    """What one session has cost so far, and what it asked for last."""

    __slots__ = ("_last", "asked", "generated", "read")

    def __init__(self) -> None:
        self.asked = self.read = self.generated = 0
        self._last: tuple[Request, bool] | None = None  # and whether anything came

    def add(self, request: Request, reply: Reply) -> None:
        came = len(reply.tokens) + reply.dropped
        self.asked += 1
        self.read += len(request.prefix)
        self.generated += came
        self._last = request, came > 0

    def goes_round(self, request: Request) -> bool:
        """Whether this is the last request again, to which nothing came, or the same will come (it is greedy)."""
        if self._last is None:
            return False
        last, came = self._last
        # Lengths first: prefixes grow, and comparing two long ones is what would cost something.
        if len(last.prefix) != len(request.prefix) or (came and dict(request.sampling).get("temperature") != 0):
            return False
        return replace(last, sampling=()) == replace(request, sampling=())

    def write_into(self, session: Session) -> Session:
        """The finished session with what it cost."""
        return replace(session, requests=self.asked, read_tokens=self.read, generated_tokens=self.generated)


def _begin(job: Job) -> Session:
    try:
        return job.policy.begin(job.prompt)
    except BudgetError as error:
        raise BudgetError(f"{job.label}: {error}") from error


def _with_sampling(request: Request, job: Job, session: Session) -> Request:
    """The request with the run's sampling, and over it the policy's own; greedy needs no seed."""
    thinks = request.phase is Phase.THINKING and job.thinking_sampling is not None
    sampling = job.thinking_sampling if thinks else job.sampling
    if not sampling and not request.sampling:
        return request
    own = dict(request.sampling)
    merged = {**dict(_with_seed(sampling or (), job, session)), **own}
    if own.get("temperature") == 0:
        merged.pop("seed", None)
    return replace(request, sampling=tuple(sorted(merged.items())))


def _with_seed(sampling: Sampling, job: Job, session: Session) -> Sampling:
    """The sampling with this request's own seed where the run has one."""
    return tuple(
        (
            name,
            stream_seed(value, job.prompt, job.sample, session.replies)
            if name == "seed" and value is not None
            else value,
        )
        for name, value in sampling
    )


def stream_seed(seed: int, prompt: Tokens, sample: int, round_number: int) -> int:
    """The seed of one request: its own for every (seed of the run, prompt, sample, round), below 2**53.

    A keyed hash (BLAKE2b of the four, docs/seeds.md): draws of different questions, samples, rounds and runs are
    independent, and the same on every engine, in whatever order, batch or task list they are asked.
    """
    where = f"{seed} {sample} {round_number} ".encode()
    digest = blake2b(where, digest_size=8, person=b"s1 seed")
    digest.update(" ".join(map(str, prompt)).encode())
    return int.from_bytes(digest.digest(), "little") % _SEEDS


def _check(request: Request, reply: Reply) -> None:
    """Raises EngineError where a reply breaks the contract: a budget must never be exceeded in silence."""
    if len(reply.tokens) > request.max_tokens:
        raise EngineError(f"the engine returned {len(reply.tokens)} tokens where {request.max_tokens} were allowed")
    if not request.stop.isdisjoint(reply.tokens):
        raise EngineError("the engine returned a stop id inside a reply")


def _named(error: S1Error, jobs: Sequence[Job], in_flight: Mapping[int, Request]) -> S1Error:
    """The error with the questions that were in flight; three names are enough to find them."""
    if isinstance(error.key, int) and error.key in in_flight:
        return type(error)(f"{jobs[error.key].label}: {error}")
    labels = [jobs[key].label for key in in_flight]
    if not labels:
        return error
    more = f" and {len(labels) - 3} more" if len(labels) > 3 else ""
    thinking = sum(request.phase is Phase.THINKING for request in in_flight.values())
    return type(error)(f"{error} ({len(labels)} in flight, {thinking} of them thinking: {', '.join(labels[:3])}{more})")
