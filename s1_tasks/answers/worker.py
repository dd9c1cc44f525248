"""The child interpreter's side: read a pair per line, compare with sympy, answer on one line.

Limits: memory once at the start, CPU time anew for every pair. Exceeding the CPU limit ends the process (the default
action of SIGPROF), which no `except` inside the algebra system can stop.
"""

import json
import os
import resource
import signal
import sys
from typing import Any

MEMORY_BYTES = 1 << 30


def main() -> None:
    """Serve until standard input closes."""
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # nothing that sympy prints may reach the protocol
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    import sympy  # noqa: F401
    from latex2sympy2_extended import latex2sympy  # noqa: F401

    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    for line in sys.stdin:
        request = json.loads(line)
        signal.setitimer(signal.ITIMER_PROF, request["cpu_seconds"])
        reply = compare(request["answer"], request["reference"])
        signal.setitimer(signal.ITIMER_PROF, 0)
        replies.write(json.dumps(reply) + "\n")
        replies.flush()


def compare(answer: str, reference: str) -> tuple[str, str]:
    """(name of the outcome, reason)."""
    wanted, given = parse(reference), parse(answer)
    if given is None:
        return "UNREADABLE", "the answer cannot be parsed"
    if wanted is None:
        return "INCORRECT", "the texts differ and the reference cannot be parsed"
    same = equal(given, wanted)
    return ("CORRECT", "symbolically equal") if same else ("INCORRECT", "symbolically different")


def parse(text: str) -> Any:
    """A sympy object, or None."""
    from latex2sympy2_extended import latex2sympy

    try:
        return latex2sympy(text.strip().strip("$"))
    except Exception:
        # The parser raises many types on text that is no LaTeX; all mean the same here.
        return None


def equal(left: Any, right: Any) -> bool:
    import sympy

    if left == right:
        return True
    if not (isinstance(left, sympy.Expr) and isinstance(right, sympy.Expr)):
        return False
    return bool(sympy.simplify(left - right) == 0)
