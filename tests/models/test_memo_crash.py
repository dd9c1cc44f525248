"""kill -9 in the middle of a run: the same command goes on, gives the same sessions, and generates nothing twice."""

import pytest

from benchmarks.bench_crash import Plan, crash


def test_a_run_killed_at_random_moments_goes_on_where_it_was() -> None:
    plan = Plan(questions=50, in_flight=20, waits=2, flush_seconds=0.5, seconds_per_token=0.004)
    told = crash(plan, 3, (0.2, 0.7))
    assert told["kills"] == 3
    assert told["different_sessions"] == 0
    assert told["finished_generated_twice"] == 0
    assert told["worst_loss_seconds"] <= plan.flush_seconds + told["worst_stall_seconds"]


def test_a_run_too_short_to_be_killed_is_an_error() -> None:
    plan = Plan(questions=2, in_flight=2, waits=0, seconds_per_token=0.0)
    with pytest.raises(RuntimeError, match="over before it could be killed"):
        crash(plan, 1, (60.0, 60.0))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_twenty_kills_change_nothing() -> None:
    plan = Plan(flush_seconds=1.0, seconds_per_token=0.02)
    told = crash(plan, 20, (0.2, 2.5))
    assert told["kills"] == 20
    assert told["different_sessions"] == 0
    assert told["finished_generated_twice"] == 0
    assert told["worst_loss_seconds"] <= plan.flush_seconds + told["worst_stall_seconds"]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_vllm_killed_goes_on_where_it_was_and_leaves_no_process_behind() -> None:
    plan = Plan("vllm", questions=60, flush_seconds=2.0)
    told = crash(plan, 2, (3.0, 6.0))
    assert told["kills"] == 2
    assert told["different_sessions"] == 0
    assert told["finished_generated_twice"] == 0
    assert told["worst_loss_seconds"] <= plan.flush_seconds + told["worst_stall_seconds"]
    assert told["seconds_children_outlived"] < 20
