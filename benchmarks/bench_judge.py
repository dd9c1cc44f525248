"""How often, and how fast, is the answer check right? Beside Math-Verify on the same labelled pairs.

    python -m benchmarks.bench_judge PAIRS.jsonl [MORE.jsonl ...] [--report NAME] [--only ours]

A pairs file has one JSON object a line: pred, gold, label (true: the same), and optionally kind ("answer": a bare
answer, "response": a model's whole output), qtype ("math" or "mcq"), task_kind ("math", "integer", "choice"), class,
source and id. Files are measured together, per class where a pair has one; accuracies come with a 95 % interval. The
last line of the output is JSON; `--report` writes the same as benchmarks/reports/judge_NAME.md. Run it on an idle
machine: times are wall-clock, save for the CPU time of this process.
"""

import argparse
import hashlib
import json
import statistics
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.report import write_report
from s1_report.stats import wilson

Row = dict[str, Any]
HARD = ("hardverify",)
SUITES = ("_tests", "issues")


def part_of(row: Row) -> str:
    """Which line of the table a pair counts in."""
    source = row.get("source", "")
    if "class" in row:
        return f"class: {row['class']}"
    if row.get("qtype") == "mcq":
        return "choice letters"
    if source in HARD:
        return "hard human-labelled pairs"
    if source.endswith(SUITES) or "tests" in source:
        return "upstream tests and issues"
    return "real outputs, whole responses" if row.get("kind") == "response" else "real outputs, extracted answers"


def ours() -> Callable[[Row], bool]:
    from s1_tasks.answers import equivalent, judge

    def check(row: Row) -> bool:
        if row.get("kind") == "response":
            return judge(row["pred"], row["gold"], kind=row.get("task_kind", "math")).correct
        return equivalent(row["pred"], row["gold"])

    return check


def ours_through_judge() -> Callable[[Row], bool]:
    from s1_tasks.answers import judge

    return lambda row: judge(row["pred"], row["gold"], kind=row.get("task_kind", "math")).correct


def math_verify() -> Callable[[Row], bool]:
    """Answers wrapped in a formula, as its documentation asks for."""
    import logging

    from math_verify import parse, verify

    logging.getLogger("math_verify").setLevel(logging.CRITICAL)

    def wrapped(text: str) -> str:
        return text if any(mark in text for mark in ("$", r"\boxed", r"\(", r"\[")) else f"${text}$"

    def check(row: Row) -> bool:
        gold = parse(wrapped(row["gold"]))
        prediction = row["pred"] if row.get("kind") == "response" else wrapped(row["pred"])
        return bool(verify(gold, parse(prediction)))

    return check


CHECKERS = {"s1": ours, "s1 (judge on everything)": ours_through_judge, "Math-Verify": math_verify}


def measure(
    rows: list[Row], make: Callable[[], Callable[[Row], bool]]
) -> tuple[dict[str, Any], list[tuple[Row, bool]]]:
    """Accuracy per part, times in seconds, and the rows judged otherwise than labelled."""
    check = make()
    check(rows[0])
    seconds, wrong = [], []
    began = time.process_time()
    parts: dict[str, dict[str, Any]] = defaultdict(lambda: {"pairs": 0, "false_accepts": 0, "false_rejects": 0})
    for row in rows:
        start = time.perf_counter()
        verdict = check(row)
        seconds.append(time.perf_counter() - start)
        choice = row.get("qtype") == "mcq" or row.get("task_kind") == "choice"
        names = [part_of(row), "all pairs"] + ([] if choice else ["all math pairs"])
        for name in names:
            parts[name]["pairs"] += 1
            parts[name]["false_accepts"] += verdict and not row["label"]
            parts[name]["false_rejects"] += row["label"] and not verdict
        if verdict != row["label"]:
            wrong.append((row, verdict))
    ordered = sorted(seconds)
    cpu = time.process_time() - began
    result = {
        "parts": {
            name: counts | accuracy(counts["pairs"], counts["false_accepts"] + counts["false_rejects"])
            for name, counts in sorted(parts.items())
        },
        "median_ms": round(1e3 * statistics.median(seconds), 3),
        "p99_ms": round(1e3 * ordered[int(0.99 * len(ordered))], 2),
        "slowest_s": round(ordered[-1], 2),
        "total_s": round(sum(seconds), 2),
        "cpu_s": round(cpu, 2),
    }
    return result, wrong


def accuracy(pairs: int, wrong: int) -> dict[str, Any]:
    """Accuracy in % and its 95 % interval (Wilson)."""
    interval = wilson(pairs - wrong, pairs)
    low, high = (round(100 * end, 1) for end in (interval.low, interval.high))
    return {"accuracy": round(100 - 100 * wrong / pairs, 2), "interval": [low, high]}


def judge_a_run(rows: list[Row], questions: int = 500, repeats: int = 64) -> dict[str, Any]:
    """Seconds for the verdicts of a whole benchmark run on the judging threads of one process.

    Every question has `repeats` responses of its own wording; three in four end in the gold answer, the rest in one of
    the answers that models gave to some question.
    """
    from s1_tasks.answers import judge_many

    pairs = [row for row in rows if row.get("kind") != "response" and row.get("qtype") != "mcq"]
    asked = []
    for question in range(questions):
        gold = pairs[question % len(pairs)]["gold"]
        for repeat in range(repeats):
            other = pairs[(question + repeat) % len(pairs)]["pred"]
            answer = other if repeat % 4 == 3 else gold
            asked.append((rf"Attempt {repeat} at question {question}. So the answer is $\boxed{{{answer}}}$.", gold))
    start = time.perf_counter()
    verdicts = judge_many(asked)
    seconds = time.perf_counter() - start
    return {
        "verdicts": len(verdicts),
        "correct": sum(verdict.correct for verdict in verdicts),
        "total_s": round(seconds, 2),
    }


def fingerprint(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]


def table(results: dict[str, dict[str, Any]]) -> list[str]:
    lines = ["| part | pairs | " + " | ".join(results) + " |", "| --- | --- |" + " --- |" * len(results)]
    first = next(iter(results.values()))
    for part, counts in first["parts"].items():
        cells = []
        for result in results.values():
            numbers = result["parts"][part]
            low, high = numbers["interval"]
            wrong = f"{numbers['false_accepts']} + {numbers['false_rejects']}"
            cells.append(f"{numbers['accuracy']:.2f} % [{low}, {high}] ({wrong})")
        lines.append(f"| {part} | {counts['pairs']} | " + " | ".join(cells) + " |")
    for name, unit in (("median_ms", "ms"), ("p99_ms", "ms"), ("slowest_s", "s"), ("total_s", "s"), ("cpu_s", "s")):
        lines.append(
            f"| {name.split('_')[0]} | | " + " | ".join(f"{result[name]} {unit}" for result in results.values()) + " |"
        )
    return lines


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("pairs", type=Path, nargs="+", metavar="PAIRS.jsonl")
    arguments.add_argument("--report", help="write benchmarks/reports/judge_NAME.md")
    arguments.add_argument("--only", choices=["ours", "all"], default="all")
    arguments.add_argument(
        "--show", type=int, default=0, help="print so many pairs that s1 judges otherwise than labelled"
    )
    arguments.add_argument("--run", action="store_true", help="also time the verdicts of 500 questions x 64 responses")
    options = arguments.parse_args()
    rows = [
        json.loads(line)
        for path in options.pairs
        for line in path.read_text(encoding="utf-8").splitlines()
        if line.strip()
    ]
    from s1_tasks.answers import CHECKER_VERSION

    results: dict[str, dict[str, Any]] = {}
    for name, make in CHECKERS.items():
        if options.only == "ours" and not name.startswith("s1"):
            continue
        try:
            results[name], wrong = measure(rows, make)
        except ModuleNotFoundError as missing:
            print(f"{name} left out: {missing} (pip install math-verify)")
            continue
        if name == "s1":
            for row, verdict in wrong[: options.show]:
                print("accepted" if verdict else "rejected", repr(row["pred"][-120:]), "for", repr(row["gold"]))
    lines = table(results)
    run = judge_a_run(rows) if options.run else None
    if run is not None:
        lines += [
            "",
            f"500 questions x 64 responses through `judge_many`: {run['verdicts']:,} verdicts in {run['total_s']} s.",
        ]
    print("\n".join(lines))
    if options.report:
        head = [
            f"Checker version {CHECKER_VERSION}; file sha256 {', '.join(map(fingerprint, options.pairs))}; "
            f"{len(rows)} pairs.",
            "The checker was developed on these pairs: they show where it fails, not how good it is. Cells: accuracy",
            "[95 % interval] (false accepts + false rejects). One process; the second column finds what the first",
            "compared symbolically in the cache; CPU time is this process's own, without workers.",
            "",
        ]
        title = "Answer check on " + " and ".join(path.name for path in options.pairs)
        write_report(f"judge_{options.report}", title, [*head, *lines])
    about = {"pairs": len(rows), "files": list(map(fingerprint, options.pairs)), "version": CHECKER_VERSION}
    print(json.dumps({**about, "results": results, "run": run}))


if __name__ == "__main__":
    main()
