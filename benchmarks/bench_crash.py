"""What does `kill -9` cost a run? Kills it at random moments, resumes it, and counts every token twice generated.

A run of 200 questions with waits is killed again and again, each time some seconds after its engine began to decode,
and started again with the same memo; then it is left to finish. Its sessions are compared, token by token, with those
of a run that was never killed and had no memo. Every process logs what it asks of its engine and, twenty times a
second, how much the engine has generated (the log survives the kill), so that it is known

- how many tokens were generated of segments that had been handed on before: must be none;
- how long before the kill the last token was decoded that is not lost: at most the flush interval (and the longest time
  for which a busy machine did not let the process run, which is told as well);
- whether the killed process leaves processes behind.

`scripted` paces tokens as a slow model does; `vllm` is the embedded model, whose segments get imposed lengths (median
120 tokens) so that they last seconds. The last line of the output is JSON.

    python -m benchmarks.bench_crash [--engine scripted|vllm] [--kills 20] [--flush_seconds 5] [--report NAME]
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.report import write_report
from s1_models.driver import Engine, Job, run_jobs
from s1_models.forcing import Budget, BudgetForcing, Marks, Reply, Request, Session, Tokens
from s1_models.memo.memo import Memo

ROOT = Path(__file__).parents[1]
LOG_EVERY_SECONDS = 0.05
GREEDY = (("temperature", 0.0),)


@dataclass(frozen=True)
class Plan:
    """What a run is: its engine, questions, waits, sessions in flight, flush interval and pace."""

    engine: str = "scripted"
    questions: int = 200
    waits: int = 3
    in_flight: int = 40
    flush_seconds: float = 5.0
    seconds_per_token: float = 0.05  # of the scripted engine


class Logged(Engine):
    """An engine that writes down what it is asked for, what it has generated so far, and what it replies."""

    def __init__(self, inner: Engine, log: Path) -> None:
        self.context_window = inner.context_window
        self._inner = inner
        self._file = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        self._starts: dict[Hashable, int] = {}

    def submit(self, key: Hashable, request: Request) -> None:
        self._starts[key] = len(request.prefix)
        self._write({"asked": key, "at": len(request.prefix), "time": time.monotonic()})
        self._inner.submit(key, request)

    def poll(self, timeout_seconds: float | None = None) -> Sequence[tuple[Hashable, Reply]]:
        deadline = time.monotonic() + (1e9 if timeout_seconds is None else timeout_seconds)
        while True:
            replies = self._inner.poll(max(0.0, min(LOG_EVERY_SECONDS, deadline - time.monotonic())))
            parts = {str(key): self._starts[key] + len(tokens) for key, tokens in self._inner.partial()}
            ends = {str(key): self._starts[key] + len(reply.tokens) for key, reply in replies}
            self._write({"reached": parts | ends, "time": time.monotonic()})
            if replies or time.monotonic() >= deadline:
                return replies

    def partial(self) -> Sequence[tuple[Hashable, Tokens]]:
        return self._inner.partial()

    def cancel(self) -> None:
        self._inner.cancel()

    def _write(self, event: dict[str, Any]) -> None:
        os.write(self._file, json.dumps(event).encode() + b"\n")


class HandedOn(Engine):
    """Around the memo: writes down which segments were handed on to the driver, by question and start."""

    def __init__(self, memo: Memo, log: Path) -> None:
        self.context_window = memo.context_window
        self._memo = memo
        self._file = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        self._starts: dict[Hashable, int] = {}

    def submit(self, key: Hashable, request: Request) -> None:
        self._starts[key] = len(request.prefix)
        self._memo.submit(key, request)

    def poll(self, timeout_seconds: float | None = None) -> Sequence[tuple[Hashable, Reply]]:
        replies = self._memo.poll(timeout_seconds)
        for key, reply in replies:
            start = self._starts[key]
            event = {"handed_on": key, "from": start, "to": start + len(reply.tokens)}
            os.write(self._file, json.dumps(event).encode() + b"\n")
        return replies

    def partial(self) -> Sequence[tuple[Hashable, Tokens]]:
        return self._memo.partial()

    def cancel(self) -> None:
        self._memo.cancel()


# The process that is killed.


def make_engine(plan: Plan) -> tuple[Engine, list[Job]]:
    """The engine of a plan and the questions it is asked."""
    if plan.engine == "scripted":
        from tests.scripted_engine import ScriptedEngine, random_writer

        marks = Marks((20,), (21,), (21, 22), (23,), (7,), frozenset({8, 9}), frozenset({9}), frozenset({7}))
        policy = BudgetForcing(Budget(num_waits=plan.waits, max_answer_tokens=20), marks, 600)
        prompts = [(n % 7, n // 7) for n in range(plan.questions)]
        jobs = [Job(policy, prompt, f"question {n}", GREEDY) for n, prompt in enumerate(prompts)]
        write = random_writer(1, 7, 0.02, [8, 9])
        return ScriptedEngine(write, 600, at_a_time=1000, seconds_per_token=plan.seconds_per_token), jobs

    from benchmarks.bench_forcing import NANO, ImposedLengths
    from s1_models.engines.vllm.lm import S1VLLM
    from s1_models.formats import S1, mark
    from s1_tasks.nano_problems import held_out

    lm = S1VLLM(pretrained=str(NANO), dtype="float32", max_model_len=4096)
    budget = Budget(num_waits=plan.waits, max_answer_tokens=16)
    forcing = BudgetForcing(budget, mark(lm.tokenizer, S1, budget, lm.eos_ids), lm.engine.context_window)
    draw = random.Random(0)
    jobs = []
    for number, row in enumerate(held_out(plan.questions)):
        lengths = tuple(min(600, round(120 * draw.lognormvariate(0.0, 0.7)) + 1) for _ in range(plan.waits + 1))
        prompt = tuple(lm.tok_encode(row["problem"]))
        jobs.append(Job(ImposedLengths(forcing, lengths), prompt, f"question {number}", GREEDY))
    return lm.engine, jobs


def run_child(plan: Plan, folder: Path, number: int, *, remember: bool) -> None:
    """One process: runs the plan to its end, unless it is killed, and writes what came out."""
    engine, jobs = make_engine(plan)
    log = folder / f"log{number}.jsonl"
    (folder / f"started{number}").touch()
    if remember:
        path, identity = folder / "memo.sqlite", {"model": plan.engine}
        with Memo(Logged(engine, log), path, identity, flush_seconds=plan.flush_seconds) as memo:
            sessions = run_jobs(jobs, HandedOn(memo, log), max_in_flight=plan.in_flight)
    else:
        sessions = run_jobs(jobs, Logged(engine, log), max_in_flight=plan.in_flight)
    (folder / f"sessions{number}.json").write_text(json.dumps([_told(session) for session in sessions]))


def _told(session: Session) -> list[Any]:
    return [session.tokens, session.waits_used, session.cut_off]


# The process that kills.


def start_child(plan: Plan, folder: Path, number: int, *, remember: bool) -> "subprocess.Popen[bytes]":
    program = (
        "from pathlib import Path; from benchmarks.bench_crash import Plan, run_child\n"
        "if __name__ == '__main__':\n"
        f"    run_child({plan!r}, Path({str(folder)!r}), {number}, remember={remember})\n"
    )
    script = folder / f"child{number}.py"  # a file: vLLM's engine process imports the main module again
    script.write_text(program)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "VLLM_LOGGING_LEVEL": "ERROR"}
    with (folder / f"output{number}.txt").open("wb") as output:
        return subprocess.Popen([sys.executable, str(script)], cwd=ROOT, env=environment, stdout=output, stderr=output)


def wait_for_start(child: "subprocess.Popen[bytes]", folder: Path, number: int) -> None:
    """Until the child's engine decodes."""
    deadline = time.monotonic() + 300
    while not (folder / f"started{number}").exists():
        if child.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"the run did not start:\n{(folder / f'output{number}.txt').read_text()[-2000:]}")
        time.sleep(0.01)


def descendants(pid: int) -> list[int]:
    """Process ids of all children of a process, and of theirs (Linux)."""
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += [int(child), *descendants(int(child))]
    return found


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def kill(child: "subprocess.Popen[bytes]") -> tuple[float, float]:
    """Kills a process; returns when, and how many seconds its children outlived it (30 and more: they stayed)."""
    children = descendants(child.pid)
    moment = time.monotonic()
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    while any(map(is_alive, children)) and time.monotonic() - moment < 30:
        time.sleep(0.1)
    outlived = time.monotonic() - moment
    for pid in filter(is_alive, children):
        os.kill(pid, signal.SIGKILL)
    return moment, outlived


def events(folder: Path, number: int) -> Iterator[dict[str, Any]]:
    log = folder / f"log{number}.jsonl"
    for line in log.read_text().splitlines() if log.exists() else ():
        try:
            yield json.loads(line)
        except json.JSONDecodeError:
            return  # the kill came in the middle of the last line


def crash(plan: Plan, kills: int, seconds: tuple[float, float], seed: int = 0) -> dict[str, Any]:
    """Kills runs `kills` times, each `seconds` (least, most) after its start, and says what that cost.

    A run that is over before its kills are used up leaves them to another one, from an empty memo. Raises RuntimeError
    for a plan whose runs are over before their first kill.
    """
    draw = random.Random(seed)
    delays = [draw.uniform(*seconds) for _ in range(kills)]
    tolls: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as name:
        unbroken = Path(name) / "unbroken"
        unbroken.mkdir()
        if start_child(plan, unbroken, 0, remember=False).wait(timeout=1800):
            raise RuntimeError((unbroken / "output0.txt").read_text()[-2000:])
        expected = json.loads((unbroken / "sessions0.json").read_text())
        while delays:
            folder = Path(name) / f"run{len(tolls)}"
            folder.mkdir()
            tolls.append(crash_one_run(plan, folder, delays, expected))
            if not tolls[-1]["kills"]:
                raise RuntimeError(f"the run was over before it could be killed: give {plan} more work, or kill sooner")
    told = {figure: (max if "seconds" in figure else sum)(toll[figure] for toll in tolls) for figure in tolls[0]}
    return {**told, "runs": len(tolls), "flush_seconds": plan.flush_seconds}


def crash_one_run(plan: Plan, folder: Path, delays: list[float], expected: list[Any]) -> dict[str, Any]:
    """Kills a run after each of `delays` (seconds), which it takes from the list, lets it end and says what it cost."""
    moments: list[float] = []
    outlived: list[float] = []
    number = 0
    while True:
        number += 1
        child = start_child(plan, folder, number, remember=True)
        wait_for_start(child, folder, number)
        try:
            child.wait(delays[0] if delays else 1800)
        except subprocess.TimeoutExpired:
            if not delays:
                raise
            delays.pop(0)
            moment, stayed = kill(child)
            moments.append(moment)
            outlived.append(stayed)
            print(f"killed, {len(delays)} kills to go; its children were gone after {stayed:.1f} s", flush=True)
            continue
        if child.returncode:
            raise RuntimeError((folder / f"output{number}.txt").read_text()[-2000:])
        break
    sessions = json.loads((folder / f"sessions{number}.json").read_text())
    return {
        **count(folder, number, moments),
        "kills": len(moments),
        "different_sessions": sum(one != other for one, other in zip(sessions, expected, strict=True)),
        "seconds_children_outlived": round(max(outlived, default=0.0), 1),
    }


def count(folder: Path, last: int, moments: Sequence[float]) -> dict[str, Any]:
    """What the logs say about work done twice: `last` processes, all but the last one killed at `moments`.

    Tokens are known by their question and their place in its transcript.
    """
    generated: dict[int, list[Interval]] = {}
    handed_on: dict[int, list[Interval]] = {}
    cut_short: dict[int, tuple[Reached, float]] = {}  # in flight at a kill: what was reached when, and the kill
    told = {"generated_tokens": 0, "generated_twice": 0, "finished_generated_twice": 0}
    losses: list[float] = []
    stalls: list[float] = []  # between two moments of a process, which logs every LOG_EVERY_SECONDS when it may run

    def generate(question: int, reached: Reached) -> None:
        interval = reached[0][0], reached[-1][0]
        told["generated_tokens"] += interval[1] - interval[0]
        told["generated_twice"] += overlap(interval, generated.get(question, ()))
        told["finished_generated_twice"] += overlap(interval, before.get(question, ()))
        generated.setdefault(question, []).append(interval)

    for number in range(1, last + 1):
        before = {question: list(intervals) for question, intervals in handed_on.items()}
        asked: dict[int, Reached] = {}
        moment = None
        for event in events(folder, number):
            if "time" in event:
                stalls.append(event["time"] - (moment or event["time"]))
                moment = event["time"]
            if "asked" in event:
                question, start = event["asked"], event["at"]
                if question in asked:
                    generate(question, asked[question])
                asked[question] = [(start, event["time"])]
                reached, killed = cut_short.pop(question, ([], 0.0))
                if reached and reached[-1][0] > start:
                    losses.append(killed - max(when for place, when in reached if place <= start))
            elif "handed_on" in event:
                handed_on.setdefault(event["handed_on"], []).append((event["from"], event["to"]))
            else:
                for question, place in event["reached"].items():
                    asked[int(question)].append((place, event["time"]))
        if number < last and moment is not None:
            stalls.append(moments[number - 1] - moment)
        for question, reached in asked.items():
            generate(question, reached)
            if number < last:
                cut_short[question] = reached, moments[number - 1]
    return {
        **told,
        "worst_loss_seconds": round(max(losses, default=0.0), 2),
        "worst_stall_seconds": round(max(stalls, default=0.0), 2),
    }


Interval = tuple[int, int]  # places of tokens in a transcript: from, and up to
Reached = list[tuple[int, float]]  # the place reached, and when


def overlap(interval: Interval, others: Sequence[Interval]) -> int:
    """How many places of an interval are in one of the others."""
    return len(set(range(*interval)) & set().union(*(range(*other) for other in others)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", choices=("scripted", "vllm"), default="scripted")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--questions", type=int, default=200)
    parser.add_argument("--flush_seconds", type=float, default=5.0)
    parser.add_argument("--report", metavar="NAME", help="also write benchmarks/reports/NAME.md")
    options = parser.parse_args()
    plan = Plan(options.engine, options.questions, flush_seconds=options.flush_seconds)
    result = {"engine": plan.engine, "questions": plan.questions, **crash(plan, options.kills, (0.5, 6.0))}
    if options.report:
        _report(options.report, result)
    print(json.dumps(result))


def _report(name: str, result: dict[str, Any]) -> None:
    lines = [
        f"{result['questions']} questions with waits on the {result['engine']} engine, killed {result['kills']} times "
        f"({result['runs']} run{'s' * (result['runs'] > 1)} from an empty memo to the end).",
        "",
        "| figure | goal | measured |",
        "| --- | --- | --- |",
        f"| sessions that differ from an unbroken run | 0 | **{result['different_sessions']}** |",
        f"| tokens of finished segments generated again | 0 | **{result['finished_generated_twice']:,}** |",
        f"| most decoding lost by a kill | {result['flush_seconds']} s | **{result['worst_loss_seconds']} s** |",
        f"| longest stall of a process | | {result['worst_stall_seconds']} s |",
        f"| tokens generated in all, and twice | | {result['generated_tokens']:,}, {result['generated_twice']:,} |",
        f"| processes of a killed run live on for | | {result['seconds_children_outlived']} s |",
    ]
    write_report(name, "kill -9, again and again", lines)


if __name__ == "__main__":
    main()
