"""The answer check is right and bounded whatever surrounds it: signals, open files, no process left, many callers."""

import json
import os
import resource
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from s1_tasks.answers import equivalent, judge

ROOT = Path(__file__).parents[2]
HARD = (
    r"('\\frac{1}{\\sin 10^\\circ}-\\frac{\\sqrt3}{\\cos 10^\\circ}','4'), "
    r"('-\\tan(4\\pi/9)+4\\cos(\\pi/18)','-\\sqrt3'), ('\\sum_{k=1}^{10} k','55'), "
    r"('\\int_0^1 x dx','\\frac12'), ('x^2-4<0','(-2,2)')"
)
VERDICTS = f"from s1_tasks.answers import equivalent; print([equivalent(a, b) for a, b in ({HARD})])"
ALL_RIGHT = "[True, True, True, True, True]\n"


def run(code: str, *before: str, seconds: float = 120) -> str:
    done = subprocess.run(
        [*before, sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=seconds, check=False
    )
    assert not done.stderr, done.stderr[-2000:]
    return done.stdout


def test_every_verdict_is_right_where_children_are_not_waited_for() -> None:
    assert run("import signal; signal.signal(signal.SIGCHLD, signal.SIG_IGN); " + VERDICTS) == ALL_RIGHT


def test_every_verdict_is_right_and_the_limit_holds_where_the_timer_signal_is_blocked() -> None:
    blocked = "import signal; signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGPROF, signal.SIGVTALRM}); "
    assert run(blocked + VERDICTS) == ALL_RIGHT
    slow = r"from s1_tasks.answers import judge; judge(r'\boxed{\sum_{k=1}^{n} \frac{k!}{k^k+\sin k}}', r'\frac{n}{3}')"
    began = time.monotonic()
    run(blocked + slow, seconds=60)
    assert time.monotonic() - began < 40


def test_every_verdict_is_right_with_more_than_a_thousand_open_files() -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard != resource.RLIM_INFINITY and hard < 1_500:
        pytest.skip(f"this machine allows {hard} open files only")
    many = "import os, resource; resource.setrlimit(resource.RLIMIT_NOFILE, (1500, 1500)); "
    many += "kept = [os.open(os.devnull, os.O_RDONLY) for _ in range(1200)]; "
    assert run(many + VERDICTS) == ALL_RIGHT


def test_settings_of_python_that_are_meant_for_the_parent_do_not_reach_the_workers() -> None:
    assert run(VERDICTS, "env", "PYTHONWARNINGS=error", "PYTHONINSPECT=") == ALL_RIGHT


def test_no_process_left_to_start_is_a_verdict_with_a_reason_and_no_exception() -> None:
    code = (
        "import subprocess; from s1_tasks.answers.workers import pool; from s1_tasks.answers import Outcome, judge\n"
        "pool._PATIENCE_SECONDS = 0.3\n"
        "def refuse(*_, **__): raise BlockingIOError(11, 'Resource temporarily unavailable')\n"
        "real, subprocess.Popen = subprocess.Popen, refuse\n"
        r"v = judge(r'\boxed{-\tan(4\pi/9)+4\cos(\pi/18)}', r'-\sqrt3')" + "\n"
        "print(v.outcome is Outcome.TIMED_OUT, 'no process could be started' in v.reason)\n"
        "subprocess.Popen = real\n"
        r"print(judge(r'\boxed{-\tan(\frac{4\pi}{9})+4\cos(\frac{\pi}{18})}', r'-\sqrt3').correct)"
    )
    assert run(code) == "True True\nTrue\n"


@pytest.mark.skipif(os.getuid() != 0, reason="only root may become a user whose limit of processes is reached")
def test_a_reached_limit_of_processes_costs_no_run() -> None:
    code = (
        "import os, resource; from s1_tasks.answers import judge, judge_many\n"
        "from s1_tasks.answers.workers import pool\n"
        "pool._PATIENCE_SECONDS = 0.3\n"
        "os.setgid(65534); os.setuid(65534); resource.setrlimit(resource.RLIMIT_NPROC, (1, 1))\n"
        r"print(judge(r'\boxed{-\tan(4\pi/9)+4\cos(\pi/18)}', r'-\sqrt3').outcome.value)" + "\n"
        r"print([v.correct for v in judge_many([(r'\boxed{1}', '1'), (r'\boxed{2}', '3')])])"
    )
    assert run(code) == "timed out\n[True, False]\n"


def test_a_worker_that_cannot_fork_compares_by_itself() -> None:
    code = (
        "import os, sys; from s1_tasks.answers.workers import worker\n"
        "def refuse(): raise BlockingIOError(11, 'Resource temporarily unavailable')\n"
        "os.fork = refuse\n"
        "worker.main()"
    )
    pair = {"answer": r"\sqrt{5+2\sqrt{6}}", "reference": r"\sqrt{2}+\sqrt{3}"}
    request = json.dumps({**pair, "cpu_seconds": 5, "symmetric": False}) + "\n"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        input=request * 2,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.count('["CORRECT"') == 2


def test_two_hundred_callers_at_once_all_get_their_verdict() -> None:
    texts = (r"\sin N x", r"2\sin M x\cos M x")  # only a worker knows
    pairs = [[text.replace("N", str(2 * n)).replace("M", str(n)) for text in texts] for n in range(2, 42)] * 5
    with ThreadPoolExecutor(max_workers=200) as callers:
        assert all(callers.map(lambda pair: equivalent(*pair), pairs))


def test_ten_thousand_digits_in_a_stated_base_take_no_longer_than_their_length() -> None:
    began = time.process_time()
    assert not judge(r"\boxed{" + "1" * 9_900 + "_{2}}", "1_2").correct
    assert not judge(r"\boxed{" + "f" * 9_900 + "_{16}}", "1_2").correct
    assert time.process_time() - began < 0.3


def test_the_pool_belongs_to_the_process_that_started_it() -> None:
    code = "import os\n" + VERDICTS + "\nchild = os.fork()\nif not child:\n    " + VERDICTS.replace("; ", "\n    ")
    code += "\n    import sys; sys.stdout.flush(); os._exit(0)\nos.waitpid(child, 0)"
    assert run(code).count(ALL_RIGHT) >= 2
    assert os.getpid() > 0
