"""`s1_chat` against the chat endpoints of a real `vllm serve`: waits by continued messages, both of its protocols"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from lm_eval.api.instance import Instance

from s1_models.engines.chat.lm import S1Chat
from s1_models.engines.openai.lm import S1OpenAI
from tests.conftest import NANO
from tests.fault_proxy import FaultProxy
from tests.vllm_serve import VllmServe

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

PROBLEMS = [f"{n:03d} {10**5 // (n + 2):05d}" for n in range(24)]


def requests(**gen_kwargs: Any) -> list[Instance]:
    kwargs = {"until": [], "temperature": 0.0, **gen_kwargs}
    return [
        Instance("generate_until", {}, (problem, kwargs), n, ("s1_nano", n, 1)) for n, problem in enumerate(PROBLEMS)
    ]


@pytest.fixture
def served(vllm_serve: VllmServe) -> Iterator[Callable[..., S1Chat]]:
    made: list[S1Chat] = []

    def build(**arguments: Any) -> S1Chat:
        made.append(S1Chat(**{"base_url": vllm_serve.url, "model": str(NANO), "memo": "off", **arguments}))
        return made[-1]

    yield build
    for lm in made:
        lm.connection.close()


def test_waits_in_a_continued_message_are_those_of_token_ids(
    vllm_serve: VllmServe, served: Callable[..., S1Chat]
) -> None:
    by_ids = S1OpenAI(base_url=vllm_serve.url)
    for waits in (1, 3):
        expected = by_ids.generate_until(requests(num_waits=waits, max_answer_tokens=32), disable_tqdm=True)
        lm = served(num_waits=waits, thinking_format="s1", max_answer_tokens=32)
        found = lm.generate_until(requests(), disable_tqdm=True)
        assert found == expected
        assert [one.answer for one in found] == [one.answer for one in expected]
        assert all(one.usage["waits_used"] == waits for one in found)
    by_ids.connection.close()


def test_replies_of_both_protocols_are_counted(vllm_serve: VllmServe, served: Callable[..., S1Chat]) -> None:
    chat = served(reasoning_effort="low")
    replies = chat.generate_until(requests(max_gen_toks=40), disable_tqdm=True)
    assert all(replies)
    assert chat.costs()["all"]["completion_tokens"] > 0
    assert chat.get_model_info()["s1"]["identity"]["server"], "vLLM says which build it is"
    messages = served(base_url=f"{vllm_serve.url}/messages")
    assert messages.shape.name == "anthropic"
    assert messages.generate_until(requests(max_gen_toks=40), disable_tqdm=True) == replies


def test_spoiled_replies_of_a_real_server_change_nothing(vllm_serve: VllmServe, served: Callable[..., S1Chat]) -> None:
    expected = served().generate_until(requests(max_gen_toks=40), disable_tqdm=True)
    proxy = FaultProxy(vllm_serve.url, rate=0.3, seed=1)
    try:
        lm = served(base_url=proxy.url, timeout=5)
        assert lm.generate_until(requests(max_gen_toks=40), disable_tqdm=True) == expected
        assert proxy.injected.total() > 3
    finally:
        proxy.close()
