"""The child interpreter's side: read a pair per line, compare with sympy, answer on one line.

Limits: memory once at the start, CPU time anew for every pair. Exceeding the CPU limit ends the process (the default
action of SIGPROF), which no `except` inside the algebra system can stop.
"""

import json
import os
import resource
import signal
import sys
from functools import cache

from s1_tasks.answers.reading import needs_calculus, readings

MEMORY_BYTES = 280 * 1024 * 1024
"""Private memory (heap and anonymous mappings) that a worker may have."""


def main() -> None:
    """Serve until standard input closes."""
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # nothing that sympy prints may reach the protocol
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    sys.setrecursionlimit(3_000)
    import s1_tasks.answers.algebra  # noqa: F401 (an import that no comparison should pay for)

    replies.write("ready\n")
    replies.flush()
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_BYTES, MEMORY_BYTES))
    for line in sys.stdin:
        request = json.loads(line)
        if needs_calculus(request["answer"]) or needs_calculus(request["reference"]):
            _load_calculus_parser()
        signal.setitimer(signal.ITIMER_PROF, request["cpu_seconds"])
        try:
            reply = compare(request["answer"], request["reference"], symmetric=request["symmetric"])
        except MemoryError:
            reply = ("TIMED_OUT", "the comparison needs more than its memory")
        except Exception as failure:
            # sympy and mpmath fail in many ways; none of them shows that the answers are equal
            reply = ("INCORRECT", f"not shown to be equal ({type(failure).__name__} in the algebra system)")
        signal.setitimer(signal.ITIMER_PROF, 0)
        replies.write(json.dumps(reply) + "\n")
        replies.flush()


@cache
def _load_calculus_parser() -> None:
    """Import the LaTeX parser and let it build its tables: no comparison should pay for that, and few need it."""
    from latex2sympy2_extended import latex2sympy

    latex2sympy(r"\int_0^1 \frac{x}{2} dx + \sum_{k=1}^{2} k")


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
