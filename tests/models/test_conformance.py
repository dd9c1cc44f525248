"""One suite that every engine passes, the scripted fake included."""

import time
from collections.abc import Hashable, Iterator
from pathlib import Path

import pytest

from s1_models.driver import Engine
from s1_models.engines.openai.completions import Dialect
from s1_models.engines.openai.connection import Connection
from s1_models.engines.openai.engine import OpenAIEngine
from s1_models.engines.openai.lm import S1OpenAI
from s1_models.engines.ray import RayEngine
from s1_models.forcing import Finish, Phase, Reply, Request
from s1_models.memo.memo import Memo
from tests.models.ray_engines import FACTORY
from tests.scripted_engine import ScriptedEngine, random_writer
from tests.scripted_server import ScriptedServer
from tests.vllm_serve import VllmServe

GREEDY = (("temperature", 0.0),)


class Case:
    """An engine with what the suite needs to know about it: some prompts, and one past every id it knows."""

    def __init__(self, engine: Engine, prompts: list[tuple[int, ...]], known_ids: int) -> None:
        self.engine = engine
        self.prompts = prompts
        self.known_ids = known_ids

    def ask(
        self, prompts: list[tuple[int, ...]], max_tokens: int, stop: frozenset[int], min_tokens: int = 0
    ) -> list[Reply]:
        for key, prompt in enumerate(prompts):
            self.engine.submit(key, Request(prompt, max_tokens, stop, Phase.THINKING, min_tokens, GREEDY))
        replies: dict[Hashable, Reply] = {}
        while len(replies) < len(prompts):
            came = self.engine.poll()
            assert came, "poll must block until something finished"
            assert not replies.keys() & dict(came).keys(), "each request is answered once"
            replies.update(came)
        return [replies[key] for key in range(len(prompts))]


@pytest.fixture(scope="module")
def ray_engine(ray_here: None) -> Iterator[RayEngine]:
    engine = RayEngine(FACTORY, {"seconds_per_token": 0.0005}, 2)
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def openai_engine() -> Iterator[OpenAIEngine]:
    """A scripted completions server over real HTTP; `vllm serve` is in the slow suite."""
    write = random_writer(3, 60, 0.0, [0])
    # Slow enough that a reply is seen while it comes, on however fast a machine.
    server = ScriptedServer(write, context_window=256, token_seconds=0.004)
    connection = Connection(server.url)
    connection.start(connection.look(None)).result()
    dialect = Dialect("scripted", True, True, lambda _: (), lambda _: "", known_ids=50)
    yield OpenAIEngine(connection, dialect, server.context_window)
    connection.close()
    server.close()


@pytest.fixture(scope="module")
def served_lm(vllm_serve: VllmServe) -> Iterator[S1OpenAI]:
    lm = S1OpenAI(base_url=vllm_serve.url)
    yield lm
    lm.connection.close()


def scripted(seconds_per_token: float) -> ScriptedEngine:
    write = random_writer(3, 60, 0.0, [0])
    return ScriptedEngine(write, context_window=256, known_ids=50, seconds_per_token=seconds_per_token)


@pytest.fixture
def remembering_engine(tmp_path: Path) -> Iterator[Memo]:
    with Memo(scripted(seconds_per_token=0.0005), tmp_path / "memo.sqlite", {"model": "scripted"}) as memo:
        yield memo


SLOW = pytest.param("vllm serve", marks=pytest.mark.slow)


@pytest.fixture(params=["scripted", "paced", "memo", "ray", "vllm", "hf", "openai", SLOW])
def case(request: pytest.FixtureRequest) -> Case:
    if request.param == "ray":  # replicas of the scripted engine; of vLLM in test_engine_ray.py
        return Case(request.getfixturevalue("ray_engine"), [(n, n + 1) for n in range(12)], known_ids=50)
    if request.param == "memo":  # an engine inside a memo is an engine
        return Case(request.getfixturevalue("remembering_engine"), [(n, n + 1) for n in range(12)], known_ids=50)
    if request.param in ("scripted", "paced"):
        engine = scripted(seconds_per_token=0.0005 if request.param == "paced" else 0.0)
        return Case(engine, [(n, n + 1) for n in range(12)], known_ids=50)
    if request.param == "openai":
        return Case(request.getfixturevalue("openai_engine"), [(n, n + 1) for n in range(12)], known_ids=50)
    lm = request.getfixturevalue({"vllm": "s1_lm", "hf": "s1_hf_lm", "vllm serve": "served_lm"}[request.param])
    prompts = [tuple(lm.tok_encode(f"{n:03d} {n % 10}{n % 7}{n % 5}")) for n in range(12)]
    return Case(lm.engine, prompts, known_ids=len(lm.tokenizer))


def test_it_says_how_large_its_context_is(case: Case) -> None:
    assert case.engine.context_window >= 256


def test_without_a_stop_a_reply_runs_to_its_limit(case: Case) -> None:
    for reply in case.ask(case.prompts, 7, frozenset()):
        assert reply.finish is Finish.LENGTH
        assert len(reply.tokens) + reply.dropped == 7


def test_a_stop_id_ends_the_reply_and_is_not_in_it(case: Case) -> None:
    free = case.ask(case.prompts, 12, frozenset())
    for prompt, reply in zip(case.prompts, free, strict=True):
        stop = frozenset({reply.tokens[-1]})
        expected = reply.tokens[: reply.tokens.index(reply.tokens[-1])]
        (stopped,) = case.ask([prompt], 12, stop)
        assert stopped.finish is Finish.STOP
        assert stopped.tokens == expected


def test_a_stop_at_once_is_an_empty_reply(case: Case) -> None:
    (free,) = case.ask(case.prompts[:1], 1, frozenset())
    (stopped,) = case.ask(case.prompts[:1], 5, frozenset(free.tokens))
    assert stopped == Reply((), Finish.STOP)


def test_a_stop_needs_a_token_of_its_own(case: Case) -> None:
    free = case.ask(case.prompts, 20, frozenset())
    prompt, tokens = next((p, r.tokens) for p, r in zip(case.prompts, free, strict=True) if len(set(r.tokens)) > 1)
    stop = frozenset({next(token for token in tokens if token != tokens[0])})
    (stopped,) = case.ask([prompt], 20, stop)
    assert stopped.finish is Finish.STOP
    (cut,) = case.ask([prompt], len(stopped.tokens) + stopped.dropped, stop)
    assert cut == Reply(stopped.tokens, Finish.LENGTH, stopped.dropped)


def test_a_stop_that_is_not_allowed_yet_does_not_come(case: Case) -> None:
    (free,) = case.ask(case.prompts[:1], 1, frozenset())
    (held,) = case.ask(case.prompts[:1], 5, frozenset(free.tokens), min_tokens=1)
    assert held.tokens
    assert held.tokens[0] not in free.tokens


def test_only_ids_the_tokenizer_knows_are_returned(case: Case) -> None:
    for reply in case.ask(case.prompts, 40, frozenset()):
        assert all(0 <= token < case.known_ids for token in reply.tokens)


def test_greedy_replies_do_not_depend_on_the_batch(case: Case) -> None:
    together = case.ask(case.prompts, 20, frozenset())
    alone = [case.ask([prompt], 20, frozenset())[0] for prompt in case.prompts]
    assert together == alone


def test_a_continued_reply_is_the_reply_in_one_go(case: Case) -> None:
    prompt = case.prompts[0]
    (whole,) = case.ask([prompt], 16, frozenset())
    (first,) = case.ask([prompt], 6, frozenset())
    if not whole.dropped:
        (second,) = case.ask([prompt + first.tokens], 10, frozenset())
        assert first.tokens + second.tokens == whole.tokens


def test_what_is_cancelled_never_replies(case: Case) -> None:
    for key, prompt in enumerate(case.prompts):
        case.engine.submit(key, Request(prompt, 30, frozenset(), Phase.THINKING, 0, GREEDY))
    case.engine.cancel()
    assert case.engine.poll() == []
    assert len(case.ask(case.prompts[:2], 3, frozenset())) == 2


def test_nothing_in_flight_is_an_empty_poll(case: Case) -> None:
    assert list(case.engine.poll()) == []
    assert list(case.engine.poll(timeout_seconds=0.01)) == []
    assert list(case.engine.partial()) == []


def test_what_was_generated_so_far_begins_the_reply(case: Case) -> None:
    for key, prompt in enumerate(case.prompts):
        case.engine.submit(key, Request(prompt, 150, frozenset(), Phase.THINKING, 0, GREEDY))
    seen: list[tuple[Hashable, tuple[int, ...]]] = []
    replies: dict[Hashable, Reply] = {}
    while len(replies) < len(case.prompts):
        replies.update(case.engine.poll(timeout_seconds=0.02))
        parts = list(case.engine.partial())
        assert {key for key, _ in parts} <= set(range(len(case.prompts))) - replies.keys()
        seen += parts
    for key, part in seen:
        assert replies[key].tokens[: len(part)] == part
    assert any(part for _, part in seen), "an engine that never says what it generated loses it when killed"


def test_a_timed_poll_returns(case: Case) -> None:
    case.engine.submit(0, Request(case.prompts[0], 200, frozenset(), Phase.THINKING, 0, GREEDY))
    started = time.monotonic()
    case.engine.poll(timeout_seconds=0.0)
    assert time.monotonic() - started < 2.0, "a poll must return at its timeout, give or take a decoding step"
    case.engine.cancel()
