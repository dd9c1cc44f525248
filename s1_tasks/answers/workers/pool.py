"""Worker processes that do computer algebra under limits, and can be killed.

A worker is a fresh interpreter (never a fork of this one), so it is safe beside threads, asyncio, CUDA and any start
method. It forks a child for each comparison, which limits its own CPU time and memory, so one that exceeds them costs
nothing but itself; this side adds a generous wall-clock limit for a machine that stalls, so load does not turn right
into wrong. Workers end when this process ends, however it ends: their input closes.

The surroundings may be odd: more than 1,023 open files here (so `poll` and not `select`), signals that this process
ignores or blocks (a worker sets its own), no process left to start (then a running worker is waited for).
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time

from s1_tasks.answers.tree.verdict import Outcome

WORKERS = 2
_START = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from s1_tasks.answers.workers.worker import main; main()"
)
_START_SECONDS = 120.0
_PATIENCE_SECONDS = 20.0
"""How long a comparison waits for a worker while no process can be started."""
_KEPT_SETTINGS = ("PYTHONHOME", "PYTHONPATH", "PYTHONNOUSERSITE")
"""Of Python's environment variables: others, such as PYTHONWARNINGS=error, are meant for this process."""
_WALL_SECONDS = 30.0
"""Wall-clock limit of one comparison beyond twenty times its CPU limit: only a stalled machine reaches it."""


class Worker:
    """One child interpreter; used by one thread at a time."""

    def __init__(self) -> None:
        environment = {
            name: value
            for name, value in os.environ.items()
            if name in _KEPT_SETTINGS or not name.startswith(("COV_", "PYTHON"))
        }
        self._process = subprocess.Popen(
            [sys.executable, "-c", _START, json.dumps(sys.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            env=environment,
            start_new_session=True,  # Ctrl-C in the terminal is for the parent to handle
        )
        self.started = False

    @property
    def pid(self) -> int:
        return self._process.pid

    def ask(self, request: dict[str, object], wall_seconds: float) -> list[str] | None:
        """[outcome, reason], or None when the worker died or was too slow; it must be closed then."""
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise RuntimeError("the worker process has no pipes")
        if not self.started:
            # it says hello when its imports are done: they are no part of the comparison
            if self._line(stdout.fileno(), time.monotonic() + _START_SECONDS) is None:
                raise RuntimeError(
                    f"an answer-checking worker did not start within {_START_SECONDS:g} s: "
                    f"try `{sys.executable} -c 'import s1_tasks.answers.algebra.computer_algebra'` to see why"
                )
            self.started = True
        try:
            stdin.write(json.dumps(request).encode() + b"\n")
        except OSError:
            return None
        line = self._line(stdout.fileno(), time.monotonic() + wall_seconds)
        if line is None:
            return None
        reply: list[str] = json.loads(line)
        return reply

    @staticmethod
    def _line(descriptor: int, deadline: float) -> bytes | None:
        received = b""
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        while not received.endswith(b"\n"):
            ready = poll.poll(1e3 * max(0.0, deadline - time.monotonic()))
            chunk = os.read(descriptor, 65536) if ready else b""
            if not chunk:
                return None
            received += chunk
        return received

    def close(self) -> None:
        with contextlib.suppress(ProcessLookupError):  # it ended by itself, and its last child with it
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()


class NoWorker(Exception):
    """No process could be started; the message says why."""


def _new_worker() -> Worker | None:
    """A worker for later comparisons; None when it cannot be started now."""
    with contextlib.suppress(OSError):
        return Worker()
    return None


class Pool:
    """At most `size` workers, started when first needed; threads wait for a free one."""

    def __init__(self, size: int = WORKERS) -> None:
        self.owner = os.getpid()
        self._closed = False
        self._free: list[Worker | None] = [None] * size
        self._freed = threading.Condition()

    def _take(self) -> Worker | None:
        """A free place: a worker that is ready if there is one, else one that is starting, else none yet (None)."""
        with self._freed:
            while not self._free:
                self._freed.wait()
            best = max(self._free, key=lambda worker: 0 if worker is None else 2 if worker.started else 1)
            self._free.remove(best)
            return best

    def _put(self, worker: Worker | None) -> None:
        with self._freed:
            self._free.append(worker)
            self._freed.notify()

    def _worker(self) -> Worker:
        """A free worker, or a new one; raises NoWorker when none comes free and none can be started for a while."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while True:
            worker = self._take()
            if worker is not None:
                return worker
            try:
                return Worker()
            except OSError as failure:  # the limit of processes or of open files is reached
                self._put(None)
                if time.monotonic() > deadline:
                    raise NoWorker(str(failure)) from failure
                time.sleep(0.1)

    def start(self) -> None:
        """Let the workers begin to start, without waiting for them."""
        with self._freed:
            self._free = [worker or _new_worker() for worker in self._free]

    def compare(self, answer: str, reference: str, cpu_seconds: float, *, symmetric: bool) -> tuple[Outcome, str]:
        """The outcome and its reason; TIMED_OUT when the worker exceeded a limit."""
        worker: Worker | None
        try:
            worker = self._worker()
        except NoWorker as failure:
            return Outcome.TIMED_OUT, f"no process could be started for the comparison ({failure}): raise the limit"
        try:
            request = {"answer": answer, "reference": reference, "cpu_seconds": cpu_seconds, "symmetric": symmetric}
            try:
                reply = worker.ask(request, _WALL_SECONDS + 20 * cpu_seconds)
            except BaseException:
                # an interrupted conversation (Ctrl-C) cannot be continued
                worker.close()
                worker = None
                raise
            if reply is None:
                worker.close()
                worker = None if self._closed else _new_worker()
                return Outcome.TIMED_OUT, f"the comparison exceeded {cpu_seconds:g} s of CPU time or its memory"
            return Outcome[reply[0]], reply[1]
        finally:
            self._put(worker)

    def workers(self) -> list[Worker]:
        """The idle workers that exist."""
        with self._freed:
            return [worker for worker in self._free if worker is not None]

    def close(self) -> None:
        """End all idle workers."""
        self._closed = True
        with self._freed:
            for worker in self._free:
                if worker is not None:
                    worker.close()
            self._free = [None] * len(self._free)


_lock = threading.Lock()
_pool: Pool | None = None


def shared_pool() -> Pool:
    """This process's pool; a forked child gets its own (and a fresh lock, see below)."""
    global _pool
    with _lock:
        if _pool is None or _pool.owner != os.getpid():
            _pool = Pool()
            atexit.register(close_shared_pool)
        return _pool


def close_shared_pool() -> None:
    """End this process's workers; the next comparison that needs one starts it again."""
    global _pool
    with _lock:
        if _pool is not None and _pool.owner == os.getpid():
            _pool.close()
        _pool = None


def _after_fork() -> None:
    global _lock, _pool
    _lock = threading.Lock()
    _pool = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
