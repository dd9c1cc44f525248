"""Hostile answers: each gets a verdict within the limit, runs no code, and leaves no process behind."""

import asyncio
import multiprocessing
import os
import resource
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from s1_tasks.answers import Outcome, equivalent, judge
from s1_tasks.answers.pool import Pool, close_shared_pool, shared_pool

SECONDS = 6.0
"""Far above what the slowest takes (under two seconds on an idle machine): tests run on busy ones."""

MILLION = 10**6
HOSTILE = {
    "nested parentheses": "(" * 10_000 + "1" + ")" * 10_000,
    "nested fractions": r"\frac{1}{" * 150 + "2" + "}" * 150,
    "nested roots": r"\sqrt{" * 300 + "2" + "}" * 300,
    "open fractions": r"\frac{1}{" * 10_000,
    "power tower": "9^{9^{9^{9}}}",
    "large power": "2^{10^9}",
    "negative tower": "0.1^{-9^9}",
    "factorial": "100000!",
    "large factorial": "(10^6)!",
    "factorial of a factorial": "((100!)!)!",
    "binomial": r"\binom{10^9}{5\cdot 10^8}",
    "many digits": "7" * 100_000,
    "a million digits": "7" * MILLION,
    "many decimals": "0." + "3" * 100_000,
    "long sum": "+".join(["x"] * 50_000),
    "many variables": "*".join(f"(x_{index}+1)" for index in range(200)),
    "power of a sum": "(a+b+c+d+e+f+g+h)^{100}",
    "power of powers": "((a+b)^{50}+(c+d)^{50})^{50}",
    "null bytes": "\x00" * 1000 + "6",
    "lone surrogates": "\ud800\udc00 6 \ud800",
    "unbalanced braces": "}}}}{{{{6",
    "file reading": r"\input{/etc/passwd}",
    "shell escape": r"\write18{touch /tmp/x}",
    "a million letters": "a" * MILLION + "!",
    "a million spaces": "answer" + " " * MILLION,
    "repeated markers": "answer is " * 100_000,
    "open boxes": "\\boxed{" * 100_000,
    "many boxes": "\\boxed{1}" * 100_000,
    "dollar signs": "$" * MILLION,
    "open displays": "\\[" * 500_000,
    "asterisks": "**" * 500_000,
    "commas": "1," * 500_000,
    "open texts": "\\text{" * 100_000,
    "open thinking": "<think>" * 100_000,
    "turn ends": "<|im_end|>" * 100_000,
    "signs": "+-" * 4_000,
    "bars": "|" * 1_000,
    "carets": "x^" * 1_000,
    "subscripts": "x_{" * 1_000,
    "primes": "f" + "'" * 9_000,
    "long sine": r"\sin(10^{10^{10}})",
    "sum of many roots": "+".join(rf"\sqrt{{{root}}}" for root in (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37)),
    "large angle field": r"\cos\frac{\pi}{1000003}",
    "endless sum": r"\sum_{k=1}^{10^{9}} \sin k",
    "endless product": r"\prod_{k=1}^{10^{8}} k",
    "hard integral": r"\int_0^1 \frac{\sin(x^x)}{\ln x} dx",
    "hard inequality": r"x^{20}-3x^{7}+x-1<0",
    "large matrix": r"\begin{pmatrix}" + r"\\".join(["&".join(["1"] * 40)] * 40) + r"\end{pmatrix}",
    "many signs": "+".join(rf"\pm {index}" for index in range(1, 21)),
    "division by zero": r"\frac{1}{0}",
    "huge exponent numeral": "1e999999",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_answer_gets_a_verdict_in_bounded_time(name: str) -> None:
    start = time.monotonic()
    verdict = judge(HOSTILE[name], r"(-\infty, 5)" if "inequality" in name else r"\sqrt{26}")
    assert verdict.outcome is not Outcome.CORRECT
    assert not equivalent(HOSTILE[name], "x^2+1")
    assert time.monotonic() - start < 2 * SECONDS


def test_code_in_an_answer_never_runs(tmp_path: Path) -> None:
    planted = tmp_path / "planted"
    payload = f"__import__('os').system('touch {planted}')"
    shapes = [
        "{}", r"\pi.__class__({})", "[{}]", r"\text{{{}}}", r"\frac{{{}}}{{1}}", r"\sum_{{k=1}}^{{{}}} k",
        "${}$", r"\boxed{{{}}}", "x={}", "({},1)", r"\sqrt{{{}}}", r"\begin{{pmatrix}}{}\end{{pmatrix}}", "5+{}",
        r"\int_0^1 {} dx", "lambda: {}", "exec({!r})", "eval({!r})", r"\lim_{{x\to 0}} {}", r"\{{{}\}}", "1_{{{}}}",
        r"\operatorname{{{}}}(1)",
    ]  # fmt: skip
    for shape in shapes:
        text = shape.format(payload)
        for reference in ("5", r"\sum_{k=1}^{3} k", r"\sqrt{2}"):
            assert not judge(text, reference).correct
            assert not equivalent(text, reference)
    assert not planted.exists()


def test_limits_hold_in_threads_and_under_asyncio() -> None:
    pairs = [(r"\int_0^1 \frac{\sin(x^x)}{\ln x} dx", str(number)) for number in range(2)]
    pairs += [(rf"\sqrt{{{number}+2\sqrt{{{number - 1}}}}}", rf"1+\sqrt{{{number - 1}}}") for number in (3, 6, 11)]
    found: list[bool] = []
    threads = [threading.Thread(target=lambda p=pair: found.append(judge(*p).correct)) for pair in pairs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [False, False, True, True, True]

    async def ask() -> list[bool]:
        return await asyncio.gather(
            *(asyncio.to_thread(equivalent, r"\sqrt{8+2\sqrt{7}}", r"1+\sqrt{7}") for _ in range(3))
        )

    assert asyncio.run(ask()) == [True, True, True]


def fork_and_judge(queue: "multiprocessing.SimpleQueue[bool]") -> None:
    queue.put(judge(r"\sqrt{9+2\sqrt{8}}", r"1+\sqrt{8}").correct)


@pytest.mark.parametrize("method", ["fork", "spawn"])
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_or_spawned_child_has_its_own_workers(method: str) -> None:
    assert judge(r"\sqrt{3+2\sqrt{2}}", r"1+\sqrt{2}").correct
    context = multiprocessing.get_context(method)
    queue = context.SimpleQueue()
    child = context.Process(target=fork_and_judge, args=(queue,))
    child.start()
    assert queue.get() is True
    child.join(30)
    assert child.exitcode == 0


def test_a_comparison_that_exceeds_its_time_is_killed_and_the_next_one_does_not_wait() -> None:
    pool = Pool(1)
    hard = r"\int_0^1 \frac{\sin(x^x)}{\ln x} dx"
    outcome, reason = pool.compare(hard, "1", 0.3, symmetric=False)
    assert outcome is Outcome.TIMED_OUT
    assert "CPU time" in reason
    (worker,) = pool.workers()
    easy = pool.compare(r"\sqrt{3+2\sqrt{2}}", r"1+\sqrt{2}", 1.0, symmetric=False)
    assert easy[0] is Outcome.CORRECT
    assert pool.workers() == [worker]  # only its child was killed
    pool.close()


def test_workers_end_with_the_process_that_started_them() -> None:
    code = (
        "import os, sys; from s1_tasks.answers import judge; from s1_tasks.answers.pool import shared_pool;"
        "assert judge(r'\\sqrt{3+2\\sqrt{2}}', r'1+\\sqrt{2}').correct;"
        "print(*(worker.pid for worker in shared_pool().workers()), flush=True);"
        "os._exit(0) if sys.argv[1] == 'abrupt' else None"
    )
    for ending in ("orderly", "abrupt"):
        done = subprocess.run([sys.executable, "-c", code, ending], capture_output=True, text=True, check=True)
        workers = [int(pid) for pid in done.stdout.split()]
        assert workers
        deadline = time.monotonic() + 10
        while (
            any(Path(f"/proc/{pid}").exists() and not is_zombie(pid) for pid in workers) and time.monotonic() < deadline
        ):
            time.sleep(0.05)
        assert not any(Path(f"/proc/{pid}").exists() and not is_zombie(pid) for pid in workers)


def is_zombie(pid: int) -> bool:
    try:
        return ") Z" in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return True


def test_a_worker_and_this_process_stay_small_under_hostile_input() -> None:
    close_shared_pool()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for name in ("endless product", "large factorial", "many variables", "sum of many roots", "hard inequality"):
        judge(HOSTILE[name], "x^3-7<0")
    peaks = [peak_kilobytes(worker.pid) for worker in shared_pool().workers()]
    assert peaks
    assert max(peaks) < 300_000
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000


def peak_kilobytes(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def test_load_does_not_turn_right_into_timed_out() -> None:
    code = "while True: pass"
    burners = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(2 * (os.cpu_count() or 1))]
    try:
        assert judge(r"- \tan\frac{4\pi}{9} + 4\cos\frac{\pi}{18}", r"-\sqrt{3}").correct
    finally:
        for burner in burners:
            burner.kill()
            burner.wait()
