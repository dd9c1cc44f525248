"""Worker processes that do computer algebra under limits, and can be killed.

A worker is a fresh interpreter (never a fork of this one), so it is safe beside threads, asyncio, CUDA and any start
method. It limits its own CPU time and memory; this side adds a generous wall-clock limit for the case that the machine
stalls. A worker that exceeds a limit is killed and replaced. Workers end by themselves when this process ends.
"""

import atexit
import json
import os
import queue
import select
import subprocess
import sys
import threading
import time

from s1_tasks.answers.verdict import Outcome

_START = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from s1_tasks.answers.worker import main; main()"
_START_SECONDS = 120.0
_WALL_FACTOR = 20.0


class Worker:
    """One child interpreter; used by one thread at a time."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _START, json.dumps(sys.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
        )
        self._started = False

    def ask(self, request: dict[str, object], wall_seconds: float) -> list[str] | None:
        """The reply, or None when the worker died or was too slow; it must be closed then."""
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise RuntimeError("the worker process has no pipes")
        deadline = time.monotonic() + wall_seconds + (0.0 if self._started else _START_SECONDS)
        try:
            stdin.write(json.dumps(request).encode() + b"\n")
        except OSError:
            return None
        received = b""
        while not received.endswith(b"\n"):
            ready, _, _ = select.select([stdout], [], [], max(0.0, deadline - time.monotonic()))
            chunk = os.read(stdout.fileno(), 65536) if ready else b""
            if not chunk:
                return None
            received += chunk
        self._started = True
        reply: list[str] = json.loads(received)
        return reply

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()


class Pool:
    """At most `size` workers, started when first needed."""

    def __init__(self, size: int = 2) -> None:
        self.owner = os.getpid()
        self._idle: queue.LifoQueue[Worker | None] = queue.LifoQueue()
        for _ in range(size):
            self._idle.put(None)

    def compare(self, answer: str, reference: str, cpu_seconds: float, *, symmetric: bool) -> tuple[Outcome, str]:
        worker = self._idle.get()
        try:
            worker = worker or Worker()
            request = {"answer": answer, "reference": reference, "cpu_seconds": cpu_seconds, "symmetric": symmetric}
            reply = worker.ask(request, _WALL_FACTOR * cpu_seconds)
            if reply is None:
                worker.close()
                worker = None
                return Outcome.TIMED_OUT, f"the comparison took more than {cpu_seconds:g} s of CPU time or its memory"
            return Outcome[reply[0]], reply[1]
        finally:
            self._idle.put(worker)

    def close(self) -> None:
        while not self._idle.empty():
            worker = self._idle.get()
            if worker is not None:
                worker.close()


_lock = threading.Lock()
_pool: Pool | None = None


def shared_pool() -> Pool:
    """This process's pool; a forked child gets its own."""
    global _pool
    with _lock:
        if _pool is None or _pool.owner != os.getpid():
            _pool = Pool()
            atexit.register(_pool.close)
        return _pool
