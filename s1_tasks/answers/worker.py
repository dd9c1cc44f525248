"""The worker's side: read a pair per line, compare with sympy in a fork, answer on one line.

The worker imports the algebra system once and then only waits: every pair is compared in a child forked from it. The
child has its own limits, and one that exceeds them dies alone: no later comparison waits for the imports again, and
none inherits what an earlier one left behind. The worker has one thread and holds no locks, so forking it is safe.
"""

import json
import os
import resource
import signal
import sys
from typing import NoReturn

from s1_tasks.answers.reading import needs_calculus, readings

MEMORY_BYTES = 280 * 1024 * 1024
"""Private memory (heap and anonymous mappings) that a comparison may have."""


def main() -> None:
    """Serve until standard input closes."""
    replies = os.dup(1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # nothing that sympy prints may reach the protocol
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    sys.setrecursionlimit(3_000)
    _load()
    os.write(replies, b"ready\n")
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            _answer(json.loads(line), replies)
        _, status = os.waitpid(child, 0)
        if status:
            _send(replies, ("TIMED_OUT", "the comparison exceeded its CPU time or its memory"))


def _load() -> None:
    """What no comparison should pay for: the algebra system, and the LaTeX parser with the tables it builds."""
    from latex2sympy2_extended import latex2sympy

    import s1_tasks.answers.algebra  # noqa: F401

    latex2sympy(r"\int_0^1 \frac{x}{2} dx + \sum_{k=1}^{2} k")


def _answer(request: dict[str, object], replies: int) -> NoReturn:
    """In the child: compare under the limits, send the reply, end.

    Exceeding the CPU limit ends the process (the default action of SIGPROF), which no `except` in the algebra system
    can stop.
    """
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_BYTES, MEMORY_BYTES))
    signal.setitimer(signal.ITIMER_PROF, float(str(request["cpu_seconds"])))
    try:
        reply = compare(str(request["answer"]), str(request["reference"]), symmetric=bool(request["symmetric"]))
    except MemoryError:
        reply = ("TIMED_OUT", "the comparison needs more than its memory")
    except Exception as failure:
        # sympy and mpmath fail in many ways; none of them shows that the answers are equal
        reply = ("INCORRECT", f"not shown to be equal ({type(failure).__name__} in the algebra system)")
    signal.setitimer(signal.ITIMER_PROF, 0)
    _send(replies, reply)
    os._exit(0)  # no clean-up of what belongs to the worker


def _send(replies: int, reply: tuple[str, str]) -> None:
    os.write(replies, json.dumps(reply).encode() + b"\n")


def compare(answer: str, reference: str, *, symmetric: bool) -> tuple[str, str]:
    """(name of the outcome, reason)."""
    from s1_tasks.answers.algebra import Algebra, compare_calculus
    from s1_tasks.answers.compare import Comparer

    algebra = Algebra()
    comparer = Comparer(algebra.decide, symmetric=symmetric, solver=algebra.solve)
    truth = comparer.same_readings(readings(answer), readings(reference))
    if truth is not True and (needs_calculus(answer) or needs_calculus(reference)):
        truth = compare_calculus(answer, reference)
        algebra.evidence = "equal: sympy evaluates both to the same"
    if truth is True:
        return "CORRECT", algebra.evidence
    return "INCORRECT", "different" if truth is False else "not shown to be equal"
