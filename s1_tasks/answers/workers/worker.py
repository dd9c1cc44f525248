"""The worker's side: read a pair per line, compare with sympy in a fork, answer on one line.

The worker imports the algebra system once and then only waits: every pair is compared in a child forked from it. The
child has its own limits, and one that exceeds them dies alone: no later comparison waits for the imports again, and
none inherits what an earlier one left behind. The worker has one thread and holds no locks, so forking it is safe.
"""

import json
import os
import resource
import select
import signal
import sys
from functools import cache

from s1_tasks.answers.read.reading import needs_calculus, readings

MEMORY_BYTES = 280 * 1024 * 1024
"""Private memory (heap and anonymous mappings) that a comparison may have."""

WARM_UP = (
    (r"\sqrt{5+2\sqrt{6}}", r"\sqrt{2}+\sqrt{3}"),
    (r"\int_0^2 \frac{x}{2} dx", "1"),
    (r"\sum_{k=1}^{n} k^2", r"\frac{n(n+1)(2n+1)}{6}"),
    (r"\prod_{k=1}^{n} k", "n!"),
    ("x^2-4>0", "(-2,2)"),
)
"""One comparison of each sort, made while nothing is asked: sympy imports and builds much only when first used."""


def main() -> None:
    """Serve until standard input closes."""
    replies = os.dup(1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # nothing that sympy prints may reach the protocol
    _own_signals()
    sys.setrecursionlimit(3_000)
    import s1_tasks.answers.algebra.computer_algebra  # noqa: F401 (an import that no comparison should pay for)

    os.write(replies, b"ready\n")
    to_warm = list(WARM_UP)
    while True:
        while to_warm and not _asked():
            compare(*to_warm.pop(0), symmetric=False)
        line = sys.stdin.readline()
        if not line:
            return
        request = json.loads(line)
        if needs_calculus(request["answer"]) or needs_calculus(request["reference"]):
            _load_calculus_parser()
        try:
            child = os.fork()
        except OSError:  # no process is left: a comparison that exceeds its limits now ends this worker
            _send(replies, _limited(request))
            continue
        if child == 0:
            _send(replies, _limited(request))
            os._exit(0)  # no clean-up of what belongs to the worker
        _, status = os.waitpid(child, 0)
        if status:
            _send(replies, ("TIMED_OUT", "the comparison exceeded its CPU time or its memory"))


def _own_signals() -> None:
    """Whatever the parent ignores or blocks: children are waited for here, and the limit on CPU time ends them."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for number in (signal.SIGPROF, signal.SIGVTALRM, signal.SIGCHLD, signal.SIGXCPU):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _asked() -> bool:
    """Whether a request is waiting."""
    poll = select.poll()
    poll.register(sys.stdin, select.POLLIN)
    return bool(poll.poll(0))


@cache
def _load_calculus_parser() -> None:
    """Import the LaTeX parser and let it build its tables."""
    from latex2sympy2_extended import latex2sympy

    latex2sympy(r"\int_0^1 \frac{x}{2} dx + \sum_{k=1}^{2} k")


def _limited(request: dict[str, object]) -> tuple[str, str]:
    """The reply to a request, made under the limits.

    Exceeding the CPU limit ends the process (the default action of SIGPROF), which no `except` in the algebra system
    can stop.
    """
    hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
    allowed = MEMORY_BYTES if hard == resource.RLIM_INFINITY else min(MEMORY_BYTES, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (allowed, hard))
    signal.setitimer(signal.ITIMER_PROF, float(str(request["cpu_seconds"])))
    try:
        reply = compare(str(request["answer"]), str(request["reference"]), symmetric=bool(request["symmetric"]))
    except MemoryError:
        reply = ("TIMED_OUT", "the comparison needs more than its memory")
    except Exception as failure:
        # sympy and mpmath fail in many ways; none of them shows that the answers are equal
        reply = ("INCORRECT", f"not shown to be equal ({type(failure).__name__} in the algebra system)")
    signal.setitimer(signal.ITIMER_PROF, 0)
    resource.setrlimit(resource.RLIMIT_DATA, (hard, hard))
    return reply


def _send(replies: int, reply: tuple[str, str]) -> None:
    os.write(replies, json.dumps(reply).encode() + b"\n")


def compare(answer: str, reference: str, *, symmetric: bool) -> tuple[str, str]:
    """(name of the outcome, reason)."""
    from s1_tasks.answers.algebra.computer_algebra import Algebra, compare_calculus
    from s1_tasks.answers.compare.compare import Comparer

    algebra = Algebra()
    comparer = Comparer(algebra.decide, symmetric=symmetric, solver=algebra.solve)
    truth = comparer.same_readings(readings(answer), readings(reference))
    if truth is not True and (needs_calculus(answer) or needs_calculus(reference)):
        truth = compare_calculus(answer, reference)
        algebra.evidence = "equal: sympy evaluates both to the same"
    if truth is True:
        return "CORRECT", algebra.evidence
    return "INCORRECT", "different" if truth is False else "not shown to be equal"
