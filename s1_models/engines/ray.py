"""N copies of an engine as Ray actors that stay up for the whole run (`data_parallel_size=N`).

Any engine can be copied: an actor makes its own from the name of a function, so this file knows none of them.
One call is under way per actor: it brings what is to be submitted and takes home what finished. A session's later
rounds go to the actor that holds its prefix; a new session goes to the one with the fewest in flight.
"""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import time
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import ray
from ray.exceptions import RayError

from s1_models.driver import EngineError
from s1_models.forcing import Reply, Request, S1Error, Tokens

logger = logging.getLogger(__name__)

# A call comes home when something finished, and at the latest after this: what the actor was given by others in the
# meantime waits no longer.
CALL_SECONDS = 1.0
# A call also brings what is half done, which is all copied each time: at most this share of the time goes into it.
PARTIAL_SHARE = 0.05
# A replica that died is started again this often; a machine that kills everything must not be fed for ever.
RESTARTS = 1


class _Report(NamedTuple):
    """What a call brings home, by the names of requests. partial: None when it was not time for it."""

    replies: list[tuple[str, Reply]]
    refused: list[tuple[str, str]]
    partial: list[tuple[str, Tokens]] | None


class _Actor:
    """The part that runs in an actor's process: an engine and what is needed to talk to it in few calls."""

    def __init__(self, factory: str, arguments: Mapping[str, Any]) -> None:
        # A run of vLLM's own data parallelism may have left its rank here, which would move our GPU.
        for name in [name for name in os.environ if name.startswith("VLLM_DP_")]:
            del os.environ[name]
        module, _, function = factory.partition(":")
        self._owner = getattr(importlib.import_module(module), function)(**arguments)
        self._engine = self._owner.engine
        self._next_partial = 0.0  # time

    def facts(self) -> dict[str, Any]:
        return {**self._owner.facts, "context_window": self._engine.context_window}

    def exchange(self, requests: list[tuple[str, Request]]) -> _Report:
        refused = []
        for name, request in requests:
            try:
                self._engine.submit(name, request)
            except S1Error as error:
                refused.append((name, str(error)))
        replies = [] if refused else list(self._engine.poll(CALL_SECONDS))
        partial, started = None, time.monotonic()
        if started >= self._next_partial:
            partial = list(self._engine.partial())
            ended = time.monotonic()
            self._next_partial = ended + (ended - started) / PARTIAL_SHARE
        return _Report(replies, refused, partial)

    def cancel(self) -> None:
        self._engine.cancel()

    def call(self, method: str, items: list[Any]) -> list[Any]:
        return list(getattr(self._owner, method)(items))


@dataclass(eq=False)
class _Replica:
    """One actor, seen from here. call: the answer that is under way, of `facts` while it starts, then of `exchange`."""

    number: int
    actor: Any
    call: Any
    starting: bool = True
    restarts: int = 0
    unsent: list[str] = field(default_factory=list)  # names of requests
    names: set[str] = field(default_factory=set)  # of requests, sent or not


@dataclass(slots=True)
class _Work:
    """A request on its way. sampled: what was last heard of it."""

    key: Hashable
    request: Request
    sampled: Tokens = ()


class RayEngine:
    """The Engine protocol over replicas of another engine.

    factory: "module:function", called with the arguments in every actor; what it returns has an `engine` and `facts`,
    a mapping of what can be known of an engine only once it runs. gpus: per replica, all on one node.
    Raises EngineError when not every replica can be started. One that dies is started once more; its requests go to
    the others meanwhile.
    """

    def __init__(self, factory: str, arguments: Mapping[str, Any], replicas: int, gpus: int = 0) -> None:
        connect()
        _check_gpus(replicas, gpus)
        self._factory, self._arguments = factory, arguments
        # Hardly any CPU: on a machine with fewer cores than replicas they would never start. But not none: Ray spreads
        # over the nodes only what asks for something.
        self._options = {"num_cpus": 0.01, "num_gpus": gpus, "scheduling_strategy": "SPREAD"}
        self._work: dict[str, _Work] = {}
        self._submitted = 0
        self._homes: dict[
            Hashable, tuple[_Replica, int, int]
        ] = {}  # key -> replica, length and hash of the last prefix
        self.resubmitted = 0
        self._replicas = [self._start(number) for number in range(replicas)]
        try:
            self.facts: dict[str, Any] = ray.get([replica.call for replica in self._replicas])[0]
        except RayError as error:
            self.close()
            raise EngineError(f"a replica could not be started: {_cause(error)}") from error
        except BaseException:  # Ctrl-C while models load
            self.close()
            raise
        for replica in self._replicas:
            replica.starting, replica.call = False, None
        self.context_window: int = self.facts["context_window"]

    def submit(self, key: Hashable, request: Request) -> None:
        self._submitted += 1
        name = f"{self._submitted}"
        self._work[name] = _Work(key, request)
        self._place(name)

    def poll(self, timeout_seconds: float | None = None) -> Sequence[tuple[Hashable, Reply]]:
        deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        while self._work:
            self._send()
            calls = {replica.call: replica for replica in self._replicas if replica.call is not None}
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            ready, _ = ray.wait(list(calls), num_returns=1, timeout=left)
            if ready:  # and whatever else is there by now
                ready, _ = ray.wait(list(calls), num_returns=len(calls), timeout=0)
            replies = [reply for call in ready for reply in self._receive(calls[call])]
            if replies or (deadline is not None and time.monotonic() >= deadline):
                return replies
        return []

    def _send(self) -> None:
        """Brings what is unsent to every replica that is not on its way already."""
        for replica in self._replicas:
            if replica.call is None and replica.names:
                unsent, replica.unsent = replica.unsent, []
                sent = [(name, self._work[name].request) for name in unsent]
                replica.call = replica.actor.exchange.remote(sent)

    def partial(self) -> Sequence[tuple[Hashable, Tokens]]:
        """Lags by the length of a call, and by more where much is in flight (PARTIAL_SHARE)."""
        return [(work.key, work.sampled) for work in self._work.values()]

    def cancel(self) -> None:
        self._work.clear()
        self._homes.clear()
        for replica in self._replicas:
            replica.names.clear()
            replica.unsent.clear()
            if not replica.starting:
                replica.actor.cancel.remote()

    def scatter(self, method: str, items: Sequence[Any]) -> list[Any]:
        """A method of what the factory made, on a share of the items in every replica; results in the items' order."""
        count = len(self._replicas)
        calls = [one.actor.call.remote(method, list(items[at::count])) for at, one in enumerate(self._replicas)]
        try:
            shares = ray.get(calls)
        except RayError as error:
            raise EngineError(f"a replica died: {_cause(error)}") from error
        results = [None] * len(items)
        for at, share in enumerate(shares):
            results[at::count] = share
        return results

    def close(self) -> None:
        """Ends the actors. Without it they end with this process."""
        for replica in self._replicas:
            _kill(replica.actor)
        self._replicas = []

    def _start(self, number: int) -> _Replica:
        actor = ray.remote(_Actor).options(**self._options).remote(self._factory, self._arguments)
        return _Replica(number, actor, actor.facts.remote())

    def _place(self, name: str) -> None:
        """Gives a request to a replica: to the one that has its prefix, or to the one with the least to do."""
        work = self._work[name]
        prefix = work.request.prefix
        replica, length, digest = self._homes.get(work.key, (None, 0, 0))
        if replica not in self._replicas or hash(prefix[:length]) != digest:
            # One that is starting again has time enough for work only when there is no other.
            replica = min(self._replicas, key=lambda one: (one.starting, len(one.names), one.number))
        self._homes[work.key] = replica, len(prefix), hash(prefix)
        replica.names.add(name)
        replica.unsent.append(name)

    def _receive(self, replica: _Replica) -> list[tuple[Hashable, Reply]]:
        """The replies a call brought home; if it never came home, its requests go elsewhere."""
        try:
            report = ray.get(replica.call)
        except RayError as error:  # the actor died, or its engine raised
            self._lose(replica, error)
            return []
        replica.call = None
        if replica.starting:
            replica.starting = False
            logger.warning("replica %d is up again", replica.number)
            return []
        for name, why in report.refused:
            if name in self._work:
                raise EngineError(why)
        for name, sampled in report.partial or ():
            if name in self._work:
                self._work[name].sampled = sampled
        replies = []
        for name, reply in report.replies:
            replica.names.discard(name)
            if name in self._work:  # not cancelled meanwhile
                replies.append((self._work.pop(name).key, reply))
        return replies

    def _lose(self, replica: _Replica, error: RayError) -> None:
        """Replaces a replica that died, once, and gives its requests to the others."""
        _kill(replica.actor)
        place = self._replicas.index(replica)
        again = replica.restarts < RESTARTS
        if again:
            self._replicas[place] = self._start(replica.number)
            self._replicas[place].restarts = replica.restarts + 1
        else:
            del self._replicas[place]
        if not self._replicas:
            raise EngineError(f"every replica died; the last one: {_cause(error)}")
        lost = sorted(replica.names & self._work.keys(), key=int)
        self.resubmitted += len(lost)
        logger.warning(
            "replica %d died (%s): its %d requests were given to others, and it is %s",
            replica.number,
            _cause(error),
            len(lost),
            "started again" if again else "not started again",
        )
        for name in lost:
            self._work[name].sampled = ()  # it begins again, and need not come out the same on every hardware
            self._place(name)


def connect() -> None:
    """Joins the Ray cluster that RAY_ADDRESS names or this process has joined already; otherwise starts one here."""
    if ray.is_initialized():
        return
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # Ray's future way with actors that ask for no GPU, and no warning about it.
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    address = os.environ.get("RAY_ADDRESS")
    if address:
        ray.init(address=address)
    else:
        ray.init(address="local", include_dashboard=False, num_cpus=1)


def _check_gpus(replicas: int, gpus: int) -> None:
    """Raises EngineError where actors would wait for GPUs for ever; a cluster that was joined may still grow."""
    there = int(ray.cluster_resources().get("GPU", 0))
    if replicas * gpus > there:
        lack = f"data_parallel_size={replicas} takes {gpus} GPUs per replica, and Ray has {there} in all"
        if not os.environ.get("RAY_ADDRESS"):
            raise EngineError(f"{lack}: lower data_parallel_size or tensor_parallel_size")
        logger.warning("%s: waiting for nodes to join", lack)


def _kill(actor: Any) -> None:
    with contextlib.suppress(RayError):  # it may be dead already
        ray.kill(actor)


def _cause(error: RayError) -> str:
    """The line of a Ray error that says what happened in the actor."""
    cause = getattr(error, "cause", None)
    if isinstance(cause, BaseException):
        return f"{type(cause).__name__}: {cause}"
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    # An actor that never came up: the traceback of its constructor, whose last line says what it was.
    return lines[-1] if "creation task" in lines[0] else lines[0]
