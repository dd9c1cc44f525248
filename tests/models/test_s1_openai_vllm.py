"""`s1_openai` against a real `vllm serve`: the same tokens as in process, and a server that is killed under a run"""

import threading
from collections.abc import Callable, Hashable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from lm_eval.api.instance import Instance

from s1_models.driver import EngineError
from s1_models.engines.openai.lm import S1OpenAI
from s1_models.forcing import Reply
from tests.fault_proxy import FaultProxy
from tests.vllm_serve import VllmServe

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

PROBLEMS = [f"{n:03d} {10**5 // (n + 2):05d}" for n in range(24)]
LONG = {"num_waits": 3, "min_thinking_tokens": 500}


def requests(**gen_kwargs: Any) -> list[Instance]:
    kwargs = {"until": [], "max_gen_toks": 32, **gen_kwargs}
    return [
        Instance("generate_until", {}, (problem, kwargs), n, ("s1_nano", n, 1)) for n, problem in enumerate(PROBLEMS)
    ]


def generate(lm: Any, **gen_kwargs: Any) -> list[str]:
    transcripts: list[str] = lm.generate_until(requests(**gen_kwargs), disable_tqdm=True)
    return transcripts


@pytest.fixture
def served(vllm_serve: VllmServe) -> Iterator[Callable[..., S1OpenAI]]:
    made = []

    def build(**arguments: Any) -> S1OpenAI:
        made.append(S1OpenAI(**{"base_url": vllm_serve.url, **arguments}))
        return made[-1]

    yield build
    for lm in made:
        lm.connection.close()


def kill_in_the_middle(lm: S1OpenAI, server: VllmServe, then: Callable[[], None]) -> threading.Thread:
    """Kills the server once each question of a LONG run has been answered twice on average, of some forty times."""
    enough = threading.Event()
    poll, answered = lm.engine.poll, 0

    def count(timeout_seconds: float | None = None) -> Sequence[tuple[Hashable, Reply]]:
        nonlocal answered
        replies = poll(timeout_seconds)
        answered += len(replies)
        if answered >= 2 * len(PROBLEMS):
            enough.set()
        return replies

    def work() -> None:
        enough.wait()
        server.kill()
        then()

    lm.engine.poll = count  # type: ignore[method-assign]

    thread = threading.Thread(target=work)
    thread.start()
    return thread


def test_greedy_transcripts_are_those_of_s1_vllm(s1_lm: Any, served: Callable[..., S1OpenAI]) -> None:
    lm = served()
    assert lm.dialect.token_ids
    assert generate(lm) == generate(s1_lm)
    in_process, over_http = generate(s1_lm, **LONG), generate(lm, **LONG)
    assert over_http == in_process
    assert [transcript.usage for transcript in over_http] == [transcript.usage for transcript in in_process]
    assert generate(lm, num_waits=2, wait_text="") == generate(s1_lm, num_waits=2, wait_text="")
    assert generate(lm, max_thinking_tokens=7) == generate(s1_lm, max_thinking_tokens=7)


def test_sampled_transcripts_are_those_of_s1_vllm_as_well(s1_lm: Any, served: Callable[..., S1OpenAI]) -> None:
    sampling = {"temperature": 0.8, "top_p": 0.9, "seed": 5, "num_waits": 1}
    assert generate(served(), **sampling) == generate(s1_lm, **sampling)


def test_a_server_that_is_told_text_writes_the_same(s1_lm: Any, served: Callable[..., S1OpenAI]) -> None:
    lm = served(tokenized_requests=False)
    assert not lm.dialect.token_ids
    assert generate(lm, num_waits=2) == generate(s1_lm, num_waits=2)


def test_loglikelihood_is_the_harness_s_and_agrees_with_s1_vllm(s1_lm: Any, served: Callable[..., S1OpenAI]) -> None:
    asked = [Instance("loglikelihood", {}, ("016 59738", end), 0, ("t", 0, 1)) for end in (" 604", " 605")]
    expected = s1_lm.loglikelihood(asked, disable_tqdm=True)
    for arguments in ({}, {"tokenized_requests": False}):
        scores = served(**arguments).loglikelihood(asked)
        assert [score for score, _ in scores] == pytest.approx([score for score, _ in expected], abs=1e-3)


def test_a_tenth_of_the_replies_spoiled_changes_nothing(
    s1_lm: Any, vllm_serve: VllmServe, served: Callable[..., S1OpenAI]
) -> None:
    proxy = FaultProxy(vllm_serve.url, rate=0.1, seed=1)
    try:
        lm = served(base_url=proxy.url, timeout=5, max_retries=11)
        for waits in range(6):
            assert generate(lm, num_waits=waits) == generate(s1_lm, num_waits=waits)
        assert proxy.injected.total() > 30
        # 429, 500 and a lost connection are borne for a time; the others are replies that came and are wrong.
        trouble = sum(proxy.injected[fault] for fault in ("429", "500", "reset"))
        assert lm.connection.failures >= proxy.injected.total() - trouble
    finally:
        proxy.close()


def test_a_server_killed_and_started_again_costs_only_time(
    s1_lm: Any, vllm_serve: VllmServe, served: Callable[..., S1OpenAI]
) -> None:
    lm = served()
    killing = kill_in_the_middle(lm, vllm_serve, then=vllm_serve.start)
    transcripts = generate(lm, **LONG)
    killing.join()
    assert lm.connection.failures <= len(PROBLEMS), "an outage costs a request one try at most"
    assert transcripts == generate(s1_lm, **LONG)


def test_a_server_killed_for_good_ends_the_run_which_goes_on_later(
    s1_lm: Any, vllm_serve: VllmServe, served: Callable[..., S1OpenAI], tmp_path: Path
) -> None:
    memo = {"memo": str(tmp_path / "memo.sqlite")}
    lm = served(max_downtime=1, **memo)
    generate(lm)
    killing = kill_in_the_middle(lm, vllm_serve, then=lambda: None)
    with pytest.raises(EngineError, match=rf"s1_nano question \d+: {vllm_serve.url}.* \d+ s \(max_downtime=1\)"):
        generate(lm, **LONG)
    killing.join()
    (broken,) = lm.reuse
    vllm_serve.start()
    vllm_serve.wait()
    again = served(**memo)
    assert again.model_identity() == lm.model_identity(), "a restarted server must be known again"
    transcripts = generate(again, **LONG)
    assert broken.generated_tokens > 0
    assert again.reuse[0].reused_tokens >= broken.reused_tokens + broken.generated_tokens, "no reply is generated again"
    assert transcripts == generate(s1_lm, **LONG)
