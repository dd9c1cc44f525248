"""The loop that keeps every session in flight, and the protocol of the engines it drives.

There are no rounds: a session whose reply came is advanced and resubmitted at once while the others keep
decoding, so nobody waits for the slowest.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Protocol

from s1_models.forcing import BudgetError, Phase, Policy, Reply, Request, S1Error, Session, Tokens

# Rounds of one session get seeds this far apart, so that they collide with no other repeat's.
_ROUND_SEED_STRIDE = 1_000_003


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
    ids the tokenizer knows (others are left out and counted in `Reply.dropped`); greedy replies do not depend on
    what else is in flight (as far as the engine's kernels are batch-invariant). A stop id needs a token of its own:
    where it would have been token `max_tokens + 1` the reply ends with LENGTH.
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


@dataclass(frozen=True, slots=True)
class Job:
    """A question to run: its policy, its prompt (token ids), a label for people, and how to sample.

    sampling: (name, value) pairs for the engine; `seed`, when given, is the seed of the first round.
    thinking_sampling: the same for the thinking, where it is sampled differently from the answer.
    keep: whether its session is wanted at the end; if not (only a memo's sake is it run for), its text is let go.
    """

    policy: Policy
    prompt: Tokens
    label: str = "question"
    sampling: tuple[tuple[str, Any], ...] = ()
    thinking_sampling: tuple[tuple[str, Any], ...] | None = None
    keep: bool = True


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
    """Runs jobs to their end; returns their finished sessions in the same order.

    max_in_flight: sessions in the engine at a time (None: all). A waiting session starts when another ends, so a
    session that continues finds its prefix still cached. Raises ValueError for a max_in_flight below one, BudgetError
    before anything is generated when a prompt leaves no room, EngineError when the engine fails; the last two name the
    question. On an error and on Ctrl-C (Interrupted) the engine is told to drop what is in flight.
    """
    if max_in_flight is not None and max_in_flight < 1:
        raise ValueError(f"max_in_flight={max_in_flight}: expected at least 1, or nothing is ever asked")
    sessions = [_begin(job) for job in jobs]
    waiting = iter(range(len(jobs)))
    in_flight: dict[int, Request] = {}

    def submit(key: int) -> bool:
        job, session = jobs[key], sessions[key]
        request = job.policy.request(session)
        if request is None:
            return False
        thinks = request.phase is Phase.THINKING and job.thinking_sampling is not None
        sampling = job.thinking_sampling if thinks else job.sampling
        if sampling:
            request = replace(request, sampling=_seed_round(sampling, session))
        in_flight[key] = request
        engine.submit(key, request)
        return True

    try:
        _fill(submit, waiting, len(jobs) if max_in_flight is None else max_in_flight)
        while in_flight:
            replies = engine.poll()
            if not replies:
                raise EngineError("the engine says nothing is in flight")
            for key, reply in replies:
                if not isinstance(key, int) or key not in in_flight:
                    raise EngineError(f"the engine replied to {key!r}, which is not in flight")
                try:
                    _check(in_flight[key], reply)
                    sessions[key] = jobs[key].policy.advance(sessions[key], reply)
                except S1Error as error:
                    error.key = key
                    raise
                del in_flight[key]
                done = not submit(key)
                if progress is not None:
                    progress.update(sessions[key], reply, done=done)
                if done:
                    if not jobs[key].keep:
                        sessions[key] = replace(sessions[key], prompt=(), spans=())
                    _fill(submit, waiting, 1)
    except BaseException as error:
        engine.cancel()  # a later run must not get replies to this one's requests
        if isinstance(error, S1Error):
            raise _named(error, jobs, in_flight) from error
        if isinstance(error, KeyboardInterrupt):
            finished = sum(session.phase is Phase.DONE for session in sessions)
            raise Interrupted(f"interrupted: {finished} of {len(jobs)} questions were finished") from error
        raise
    return sessions


def _begin(job: Job) -> Session:
    try:
        return job.policy.begin(job.prompt)
    except BudgetError as error:
        raise BudgetError(f"{job.label}: {error}") from error


def _fill(submit: Any, waiting: Iterable[int], count: int) -> None:
    """Starts up to `count` waiting sessions; one that needs no request is done already and does not count."""
    started = (key for key in waiting if submit(key))
    for _ in islice(started, count):
        pass


def _seed_round(sampling: tuple[tuple[str, Any], ...], session: Session) -> tuple[tuple[str, Any], ...]:
    """The sampling with a seed of this round's own: restarting one seed would repeat the same draws every round."""
    shift = session.replies * _ROUND_SEED_STRIDE
    return tuple(
        (name, (value + shift) % 2**31 if name == "seed" and value is not None else value) for name, value in sampling
    )


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
