"""How slow does a hostile answer make the check, and how much memory does it take?

    python -m benchmarks.bench_hostile [--report NAME]

Every hostile answer is asked in four ways: compared bare, compared from the other side, judged bare, judged in a box.
Slowest: wall-clock seconds, so run it on an idle machine. Memory: the largest resident size of any worker process or of
its children, and how much this process grew. The last line of the output is JSON.
"""

import argparse
import json
import os
import resource
import tempfile
import time
from pathlib import Path

from benchmarks.report import write_report
from s1_tasks.answers import CHECKER_VERSION, Outcome, equivalent, judge
from s1_tasks.answers.workers.pool import close_shared_pool
from tests.tasks.hostile_answers import HOSTILE

REFERENCE = r"\sqrt{26}"


def megabytes(who: int) -> float:
    return round(resource.getrusage(who).ru_maxrss / 1024, 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--report", help="write benchmarks/reports/hostile_NAME.md")
    options = parser.parse_args()
    planted = Path(tempfile.mkdtemp()) / "planted"
    payload = f"__import__('os').system('touch {planted}')"
    inputs = {**HOSTILE, "planted code": payload, "planted in a sum": rf"\sum_{{k=1}}^{{{payload}}} k"}
    before = megabytes(resource.RUSAGE_SELF)
    seconds: dict[str, float] = {}
    accepted = []
    for name, text in inputs.items():
        ways = {
            "bare": lambda text=text: equivalent(text, REFERENCE),
            "other side": lambda text=text: equivalent(REFERENCE, text),
            "judged": lambda text=text: judge(text, REFERENCE).outcome is Outcome.CORRECT,
            "boxed": lambda text=text: judge(rf"So \boxed{{{text}}}", "17").outcome is Outcome.CORRECT,
        }
        for way, ask in ways.items():
            start = time.perf_counter()
            if ask():
                accepted.append(f"{name}, {way}")
            seconds[f"{name}, {way}"] = time.perf_counter() - start
    close_shared_pool()
    try:
        left_behind = os.waitpid(-1, os.WNOHANG) != (0, 0)
    except ChildProcessError:
        left_behind = False
    slowest = sorted(seconds.items(), key=lambda item: -item[1])[:5]
    result = {
        "inputs": len(seconds),
        "slowest_s": round(slowest[0][1], 2),
        "slowest": [[name, round(value, 2)] for name, value in slowest],
        "total_s": round(sum(seconds.values()), 1),
        "worker_peak_mb": megabytes(resource.RUSAGE_CHILDREN),
        "this_process_mb": [before, megabytes(resource.RUSAGE_SELF)],
        "accepted": accepted,
        "code_executed": planted.exists(),
        "processes_left": left_behind,
        "version": CHECKER_VERSION,
        "load_average": round(os.getloadavg()[0], 2),
    }
    lines = [f"| {name} | {value:.2f} |" for name, value in slowest]
    print("\n".join(lines))
    if options.report:
        head = [
            f"Checker {CHECKER_VERSION}: {result['inputs']} verdicts in {result['total_s']} s.",
            f"Largest worker: {result['worker_peak_mb']} MB; "
            f"this process {before} MB before, {result['this_process_mb'][1]} MB after.",
            f"Accepted: {accepted or 'none'}; code executed: {result['code_executed']}; "
            f"processes left behind: {left_behind}.",
            "",
            "| slowest | seconds |",
            "| --- | --- |",
        ]
        write_report(f"hostile_{options.report}", "Hostile answers", [*head, *lines])
    print(json.dumps(result))


if __name__ == "__main__":
    main()
