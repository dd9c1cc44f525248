"""Replicas in Ray actors: the same results as one engine, whatever dies meanwhile, and nothing left behind."""

import logging
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from s1_models.driver import EngineError, Job, run, run_jobs
from s1_models.engines import ray as engine_ray
from s1_models.engines.ray import RayEngine
from s1_models.forcing import Budget, BudgetForcing, Marks, Phase, Request, Session
from tests.models.ray_engines import FACTORY, Scripted

MARKS = Marks(
    open=(1,),
    close=(2,),
    cut_off=(2, 3),
    wait=(4,),
    newline=(5,),
    ends=frozenset({0}),
    answer_ends=frozenset({0}),
)
POLICY = BudgetForcing(Budget(num_waits=2, max_thinking_tokens=60, max_answer_tokens=10), MARKS, context_window=256)
PROMPTS = [(100 + number, number) for number in range(30)]


@pytest.fixture(scope="module")
def pair(ray_here: None) -> Iterator[RayEngine]:
    """Two replicas that take their time, so that work is in flight when something happens to one of them."""
    engine = RayEngine(FACTORY, {"stop_rate": 0.05, "seconds_per_token": 0.01}, 2)
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def expected() -> list[Session]:
    """What one engine in this process makes of the prompts."""
    return run(POLICY, Scripted(stop_rate=0.05).engine, PROMPTS)


def test_two_replicas_share_the_sessions_and_make_of_them_what_one_engine_makes(
    pair: RayEngine, expected: list[Session]
) -> None:
    assert pair.facts["made_of"] == "script"
    assert run(POLICY, pair, PROMPTS) == expected
    first, second = pair.scatter("prompts_asked", [0, 1])
    assert len(first) > 5
    assert len(second) > 5
    assert first | second == {prompt[0] for prompt in PROMPTS}
    assert not first & second, "a session's later rounds go to the replica that has its prefix"


def test_what_an_engine_refuses_is_an_error_and_costs_no_replica(pair: RayEngine, expected: list[Session]) -> None:
    before = pair.scatter("process_ids", [0, 1])
    with pytest.raises(EngineError, match=r"999 is no token of this model \(.*question 1"):
        run(POLICY, pair, [PROMPTS[0], (999, 1), PROMPTS[2]])
    assert run(POLICY, pair, PROMPTS) == expected
    assert pair.scatter("process_ids", [0, 1]) == before


def test_what_was_generated_so_far_is_told_now_and_then(pair: RayEngine) -> None:
    request = Request((100, 1), 240, frozenset(), Phase.THINKING)
    pair.submit("a", request)
    deadline = time.monotonic() + 10
    while not dict(pair.partial())["a"] and time.monotonic() < deadline:
        assert pair.poll(timeout_seconds=0.1) == []
    part = dict(pair.partial())["a"]
    pair.cancel()
    alone = Scripted(stop_rate=0.05).engine
    alone.submit("a", request)
    ((_, reply),) = alone.poll()
    assert part
    assert reply.tokens[: len(part)] == part


def test_a_replica_killed_in_the_middle_loses_nothing(
    pair: RayEngine, expected: list[Session], caplog: pytest.LogCaptureFixture
) -> None:
    victim, other = pair.scatter("process_ids", [0, 1])

    class KillsAfterTenReplies:
        replies = 0

        def update(self, session: Session, reply: object, *, done: bool) -> None:
            self.replies += 1
            if self.replies == 10:
                os.kill(victim, signal.SIGKILL)

    jobs = [Job(POLICY, prompt, f"question {number}") for number, prompt in enumerate(PROMPTS)]
    with caplog.at_level(logging.WARNING):
        sessions = run_jobs(jobs, pair, progress=KillsAfterTenReplies())
    assert sessions == expected
    assert pair.resubmitted > 0
    assert f"its {pair.resubmitted} requests were given to others, and it is started again" in caplog.text
    restarted = set(pair.scatter("process_ids", [0, 1]))
    assert other in restarted
    assert len(restarted - {victim}) == 2
    assert run(POLICY, pair, PROMPTS) == expected


def test_when_every_replica_dies_the_questions_are_named(ray_here: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_ray, "RESTARTS", 0)
    engine = RayEngine(FACTORY, {"fail_after": 1, "failure": "the script ends here"}, 2)
    died = r"every replica died; the last one: EngineError: the script ends here \(\d+ in flight.*question"
    with pytest.raises(EngineError, match=died):
        run(POLICY, engine, PROMPTS)


def test_a_replica_that_cannot_start_says_why(ray_here: None) -> None:
    with pytest.raises(EngineError, match=r"a replica could not be started: .*unexpected keyword argument 'speed'"):
        RayEngine(FACTORY, {"speed": 1}, 2)


def test_gpus_that_are_not_there_are_not_waited_for(ray_here: None) -> None:
    with pytest.raises(EngineError, match="data_parallel_size=2 takes 4 GPUs per replica, and Ray has 0 in all"):
        RayEngine(FACTORY, {}, 2, gpus=4)


INTERRUPTED = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from s1_models.driver import run
from s1_models.engines.ray import RayEngine
from tests.models.ray_engines import FACTORY
from tests.models.test_engine_ray import POLICY, PROMPTS
engine = RayEngine(FACTORY, {"seconds_per_token": 1.0}, 2)
print("running", flush=True)
run(POLICY, engine, PROMPTS)
"""


def test_ctrl_c_ends_the_run_and_every_process_of_ray() -> None:
    root = Path(__file__).parents[2]
    mark = uuid.uuid4().hex
    variables = {**os.environ, "PYTHONPATH": str(root), "S1_TEST_MARK": mark}
    variables.pop("RAY_ADDRESS", None)
    process = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED],
        env=variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with process:
        assert process.stdout is not None
        for line in process.stdout:
            if line == "running\n":
                break
        assert len(processes_with(mark)) > 3, "Ray's own and the actors"
        time.sleep(1)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does
        _, errors = process.communicate(timeout=60)
    assert "interrupted: 0 of 30 questions were finished" in errors
    deadline = time.monotonic() + 20
    while processes_with(mark) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert not processes_with(mark)


TWO_NODES = """
import logging, os
import ray
from ray.cluster_utils import Cluster
cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
second = cluster.add_node(num_cpus=1)
os.environ["RAY_ADDRESS"] = cluster.address
from s1_models.driver import Job, run, run_jobs
from s1_models.engines.ray import RayEngine
from tests.models.ray_engines import FACTORY, Scripted
from tests.models.test_engine_ray import POLICY, PROMPTS
expected = run(POLICY, Scripted(stop_rate=0.05).engine, PROMPTS)
engine = RayEngine(FACTORY, {"stop_rate": 0.05, "seconds_per_token": 0.02}, 2)
print("nodes", len(set(engine.scatter("nodes", [0, 1]))))
class LosesANode:
    replies = 0
    def update(self, *_, **__):
        self.replies += 1
        if self.replies == 10:
            cluster.remove_node(second, allow_graceful=False)
jobs = [Job(POLICY, prompt) for prompt in PROMPTS]
print("same", run_jobs(jobs, engine, progress=LosesANode()) == expected)
print("resubmitted", engine.resubmitted > 0)
engine.close()
ray.shutdown()
cluster.shutdown()
"""


@pytest.mark.slow
def test_replicas_spread_over_the_nodes_of_ray_address_and_a_lost_node_loses_nothing() -> None:
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", TWO_NODES]
    variables = {**os.environ, "PYTHONPATH": str(root), "RAY_USAGE_STATS_ENABLED": "0"}
    done = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    printed = [line for line in done.stdout.splitlines() if line.startswith(("nodes", "same", "resubmitted"))]
    assert printed == ["nodes 2", "same True", "resubmitted True"]


def processes_with(mark: str) -> list[str]:
    """Command lines of the processes whose environment holds a mark."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (folder / "environ").read_bytes():
                found.append((folder / "cmdline").read_text().replace("\0", " "))
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue  # it ended, or is another user's
    return found
