"""The engine's processes: they end when we do, and we hear of it when they end.

A killed process cannot end its children, and vLLM's engine (0.32) does not notice that its parent is gone: it would
keep its memory, the GPU's included, for ever. A small process waits for the end of a pipe that only we hold open.
"""

from __future__ import annotations

import atexit
import multiprocessing.connection
import subprocess
import sys
import threading
import weakref
from collections.abc import Sequence
from typing import Any

from s1_models.driver import EngineError

# Runs without site-packages; it first leaves the engine the time to end by itself, as it does when we end in order.
_WATCH = """
import os, signal, sys, time

def born(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            state, *rest = file.read().rpartition(")")[2].split()
        return None if state == "Z" else rest[18]
    except OSError:
        return None

known = {int(pid): born(int(pid)) for pid in sys.argv[1:]}
sys.stdin.buffer.read()
for signals, seconds in ((None, 2), (signal.SIGTERM, 5), (signal.SIGKILL, 5)):
    left = [pid for pid, birth in known.items() if birth and born(pid) == birth]
    if not left:
        break
    for pid in left if signals else ():
        try:
            os.kill(pid, signals)
        except ProcessLookupError:
            pass
    until = time.monotonic() + seconds
    while time.monotonic() < until and any(born(pid) == known[pid] for pid in left):
        time.sleep(0.1)
"""


def end_with_us(pids: Sequence[int]) -> None:
    """Has these processes ended when this one is gone, however it went: told after 2 seconds, killed after 7.

    Linux only: a process is recognised by its time of birth in /proc, so that a reused number is left alone.
    """
    if pids and sys.platform == "linux":
        command = [sys.executable, "-S", "-E", "-c", _WATCH, *map(str, pids)]
        # A session of its own: Ctrl-C goes to everyone in the terminal's.
        watch = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)
        _watches.append(watch)  # its pipe stays open as long as we live


_watches: list[subprocess.Popen[bytes]] = []


def shut_down_at_exit(engine_core: Any) -> None:
    """Ends the engine before multiprocessing waits for its processes.

    vLLM's own finalizer may come after that wait, which then never ends: when a program that still holds its model
    used a finalizer (a TemporaryDirectory) before it first imported multiprocessing.
    """
    client = weakref.ref(engine_core)

    def shut_down() -> None:
        if (still := client()) is not None:
            still.shutdown()

    atexit.register(shut_down)


def report_death(engine_core: Any, processes: Sequence[Any]) -> None:
    """Makes vLLM's client raise when its engine process is killed from outside (out of memory, most often).

    vLLM notices such a death and closes its sockets, but `step` goes on waiting for a reply for ever (0.32).
    """
    replies = getattr(engine_core, "outputs_queue", None)
    sentinels = [process.sentinel for process in processes if "EngineCore" in process.name]
    if replies is None or not sentinels:
        return  # the engine runs in this process: it cannot die alone

    def watch() -> None:
        multiprocessing.connection.wait(sentinels)
        replies.put(EngineError("its engine process ended; was it killed for its memory?"))

    threading.Thread(target=watch, name="s1-engine-watch", daemon=True).start()
