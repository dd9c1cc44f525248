"""`s1_vllm` with data_parallel_size=2 on real vLLM engines (slow: two start, and a third when one is killed)."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lm_eval.api.instance import Instance
from vllm import EngineArgs

from s1_models.engines import ray as engine_ray
from s1_models.engines.vllm import lm as engine_vllm
from s1_models.engines.vllm.arguments import parallel_sizes
from s1_models.engines.vllm.lm import S1VLLM
from s1_models.options import OptionError
from s1_tasks.nano_problems import held_out
from tests.conftest import NANO

PROBLEMS = [problem["problem"] for problem in held_out(60)]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"data_parallel_size": 0}, "data_parallel_size=0: expected a whole number of at least 1"),
        ({"tensor_parallel_size": "two"}, "tensor_parallel_size=two: expected a whole number"),
        (
            {"data_parallel_size": 2, "distributed_executor_backend": "ray"},
            "every replica is a Ray actor already",
        ),
    ],
)
def test_parallel_sizes_that_cannot_be_are_errors(arguments: dict[str, Any], expected: str) -> None:
    with pytest.raises(OptionError, match=expected):
        S1VLLM(pretrained=str(NANO), **arguments)


def test_parallel_sizes_are_read_from_model_args() -> None:
    assert parallel_sizes({"tensor_parallel_size": "4", "pipeline_parallel_size": 2}) == {
        "data_parallel_size": 1,
        "tensor_parallel_size": 4,
        "pipeline_parallel_size": 2,
    }


class _ReachedError(BaseException):
    """Raised in place of starting an engine, with what it was to be started with."""


def test_tensor_and_pipeline_sizes_reach_vllm(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(**arguments: Any) -> None:
        raise _ReachedError(EngineArgs(**arguments))

    monkeypatch.setattr("lm_eval.models.vllm_causallms.LLM", start)
    with pytest.raises(_ReachedError) as reached:
        S1VLLM(pretrained=str(NANO), tensor_parallel_size=2, pipeline_parallel_size=3)
    (engine,) = reached.value.args
    assert (engine.tensor_parallel_size, engine.pipeline_parallel_size, engine.data_parallel_size) == (2, 3, 1)


@pytest.mark.parametrize(("on_cpu", "gpus"), [(True, 0), (False, 6)])
def test_every_replica_takes_its_gpus_and_all_other_arguments(
    monkeypatch: pytest.MonkeyPatch, on_cpu: bool, gpus: int
) -> None:
    def start(*arguments: Any) -> None:
        raise _ReachedError(*arguments)

    monkeypatch.setattr(engine_ray, "RayEngine", start)
    monkeypatch.setattr(type(engine_vllm.current_platform), "is_cpu", lambda _: on_cpu)
    sizes = {"tensor_parallel_size": 2, "pipeline_parallel_size": 3, "data_parallel_size": 4}
    with pytest.raises(_ReachedError) as reached:
        S1VLLM._start_replicas(sizes, {"pretrained": str(NANO), "dtype": "float32", "memo": "x", **sizes})
    _, arguments, replicas, asked = reached.value.args
    assert (replicas, asked) == (4, gpus)
    assert arguments == {
        "pretrained": str(NANO),
        "dtype": "float32",
        "tensor_parallel_size": 2,
        "pipeline_parallel_size": 3,
        "memo": "off",  # what is remembered is remembered where the questions are
    }


def requests(**gen_kwargs: Any) -> list[Instance]:
    return [
        Instance("generate_until", {}, (problem, {"until": [], "max_gen_toks": 32, **gen_kwargs}), 0, ("nano", at, 1))
        for at, problem in enumerate(PROBLEMS)
    ]


def generate(lm: Any, **gen_kwargs: Any) -> list[Any]:
    return lm.generate_until(requests(**gen_kwargs), disable_tqdm=True)


@pytest.fixture(scope="module")
def two_lm(ray_here: None) -> Iterator[Any]:
    lm = S1VLLM(pretrained=str(NANO), dtype="float32", max_model_len=1024, data_parallel_size=2)
    yield lm
    lm.engine.close()


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("gen_kwargs", [{"num_waits": 2}, {"num_waits": 1, "temperature": 0.7, "seed": 5}])
def test_two_replicas_write_what_one_engine_writes(two_lm: Any, s1_lm: Any, gen_kwargs: dict[str, Any]) -> None:
    transcripts = generate(two_lm, **gen_kwargs)
    assert transcripts == generate(s1_lm, **gen_kwargs)
    assert transcripts[0].usage["waits_used"] == gen_kwargs["num_waits"]
    assert two_lm.max_in_flight == 2 * s1_lm.max_in_flight


@pytest.mark.slow
def test_what_replicas_generated_is_remembered(
    two_lm: Any, s1_lm: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(two_lm, "options", {**two_lm.options, "memo": str(tmp_path / "memo.sqlite")})
    first = generate(two_lm, num_waits=2)
    assert two_lm.reuse[0].generated_tokens > 0
    assert generate(two_lm, num_waits=2) == first == generate(s1_lm, num_waits=2)
    assert two_lm.reuse[0].generated_tokens == 0
    assert two_lm.model_identity() == s1_lm.model_identity() | {
        "other arguments": two_lm.model_identity()["other arguments"]
    }


@pytest.mark.slow
def test_loglikelihood_runs_on_the_replicas(two_lm: Any, s1_lm: Any) -> None:
    asked = [Instance("loglikelihood", {}, ("016 59738", end), 0, ("t", 0, 1)) for end in (" 604", " 605", " 1")]
    expected = s1_lm.loglikelihood(asked, disable_tqdm=True)
    for (score, greedy), (alone, alone_greedy) in zip(
        two_lm.loglikelihood(asked, disable_tqdm=True), expected, strict=True
    ):
        assert score == pytest.approx(alone, abs=1e-4)
        assert greedy == alone_greedy


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_killed_replica_loses_nothing_and_leaves_no_engine_behind(two_lm: Any) -> None:
    longer = {"num_waits": 2, "min_thinking_tokens": 600}
    expected = generate(two_lm, **longer)
    victim = actors()[0]
    cores = [child for child in children(victim) if "EngineCore" in name(child)]
    assert len(cores) == 1
    threading.Timer(1.0, os.kill, [victim, signal.SIGKILL]).start()
    assert generate(two_lm, **longer) == expected
    assert two_lm.engine.resubmitted > 0
    deadline = time.monotonic() + 20
    while name(cores[0]) and time.monotonic() < deadline:
        time.sleep(0.5)
    assert not name(cores[0]), "the engine process of a killed replica holds its memory"


def actors() -> list[int]:
    return [int(at.name) for at in Path("/proc").glob("[0-9]*") if "ray::_Actor" in name(int(at.name))]


def children(process: int) -> list[int]:
    return [int(text) for text in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def name(process: int) -> str:
    try:
        return Path(f"/proc/{process}/cmdline").read_text().replace("\0", " ")
    except (FileNotFoundError, ProcessLookupError):
        return ""
