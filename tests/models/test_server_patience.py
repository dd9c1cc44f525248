"""How much is borne of a server: limits are in time, everybody waits together, and life is tokens, not bytes"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterator
from email.utils import formatdate
from typing import Any

import pytest
from aiohttp import web

from s1_models.driver import EngineError, Job, run_jobs
from s1_models.engines.openai.completions import Dialect
from s1_models.engines.openai.connection import Connection
from s1_models.engines.openai.engine import OpenAIEngine
from s1_models.engines.openai.patience import OutOfPatience, Pace, Patience, Trouble, pause_after, retry_after
from s1_models.forcing import Budget, BudgetForcing, Marks
from tests.fault_proxy import BusyProxy
from tests.scripted_engine import ScriptedEngine, random_writer
from tests.scripted_server import InThread, ScriptedServer

MARKS = Marks((20,), (21,), (21, 22), (23,), (7,), frozenset({8}), frozenset({9}), frozenset({7}))
WRITE = random_writer(1, 7, 0.1, [8, 9])


def jobs(count: int) -> list[Job]:
    policy = BudgetForcing(Budget(max_answer_tokens=20), MARKS, 300)
    return [Job(policy, (n % 6, n), f"question {n}", (("temperature", 0.0),)) for n in range(count)]


def too_many(**headers: str) -> web.Response:
    return web.json_response({"error": {"message": "slow down"}}, status=429, headers=headers)


@pytest.fixture
def opened() -> Iterator[Callable[[Any], Any]]:
    closing: list[Any] = []

    def remember(resource: Any) -> Any:
        closing.append(resource)
        return resource

    yield remember
    for resource in reversed(closing):
        resource.close()


@pytest.fixture
def server(opened: Callable[[Any], Any]) -> ScriptedServer:
    served: ScriptedServer = opened(ScriptedServer(WRITE, 300))
    return served


@pytest.fixture
def connect(opened: Callable[[Any], Any]) -> Callable[..., OpenAIEngine]:
    def build(url: str, **patience: Any) -> OpenAIEngine:
        connection = opened(Connection(url, patience=Patience(**patience), num_concurrent=64))
        return OpenAIEngine(connection, Dialect("scripted", True, True, lambda _: (), lambda _: "", 10**9), 300)

    return build


def run_against(proxy: BusyProxy, connect: Any, count: int, **patience: Any) -> Any:
    engine = connect(proxy.url, **{"max_downtime_seconds": 5.0, "max_retries": 2, **patience})
    assert run_jobs(jobs(count), engine) == run_jobs(jobs(count), ScriptedEngine(WRITE, 300))
    return engine.connection


def test_a_server_that_takes_so_many_a_second_is_asked_so_many_a_second(
    server: ScriptedServer, connect: Any, opened: Any
) -> None:
    def says_no(through: list[float]) -> web.Response | None:
        return too_many() if sum(proxy.seconds - at < 1.0 for at in through) >= 20 else None

    proxy = opened(BusyProxy(server.url, says_no))
    connection = run_against(proxy, connect, 60)
    assert len(server.answered) >= 120, "two requests a question"
    assert connection.failures == 0
    first = 60  # all are in flight before the first no comes: nobody can know of the limit earlier
    assert len(proxy.refused) - first < len(proxy.through), "a no is heeded, not asked again at once"
    assert proxy.seconds < 25, "twenty a second are six seconds"


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_hundreds_of_questions_at_five_requests_a_second(server: ScriptedServer, connect: Any, opened: Any) -> None:
    def says_no(through: list[float]) -> web.Response | None:
        return too_many() if sum(proxy.seconds - at < 1.0 for at in through[-5:]) >= 5 else None

    proxy = opened(BusyProxy(server.url, says_no))
    policy = BudgetForcing(Budget(max_thinking_tokens=0, max_answer_tokens=20), MARKS, 300)
    many = [Job(policy, (n % 6, n), f"question {n}") for n in range(300)]
    engine = connect(proxy.url, max_downtime_seconds=30.0)
    assert run_jobs(many, engine) == run_jobs(many, ScriptedEngine(WRITE, 300))
    assert len(proxy.through) == len(server.answered) == 300, "none is lost and none doubled"
    assert proxy.seconds < 180, "five a second are 60 seconds"


def test_a_window_that_is_used_up_is_waited_for_by_all(server: ScriptedServer, connect: Any, opened: Any) -> None:
    def says_no(through: list[float]) -> web.Response | None:
        window = proxy.seconds // 2
        return too_many(**{"Retry-After": "1"}) if sum(at // 2 == window for at in through) >= 25 else None

    proxy = opened(BusyProxy(server.url, says_no))
    connection = run_against(proxy, connect, 40, max_retries=0)
    assert connection.failures == 0
    # At most the requests that were in flight together hear of it, then a few at a time.
    assert len(proxy.refused) < 64 + 40


def test_a_router_whose_list_answers_while_its_replicas_start(
    server: ScriptedServer, connect: Any, opened: Any, caplog: pytest.LogCaptureFixture
) -> None:
    def says_no(_: list[float]) -> web.Response | None:
        return web.Response(status=503, text="no replica is ready") if proxy.seconds < 6 else None

    proxy = opened(BusyProxy(server.url, says_no))
    with caplog.at_level(logging.WARNING):
        run_against(proxy, connect, 10, max_retries=0, max_downtime_seconds=30.0)
    assert "503, no replica is ready; waiting up to " in caplog.text
    assert "answers again" in caplog.text


@pytest.mark.parametrize("status", [429, 500, 503, 529])
def test_trouble_that_does_not_end_ends_the_run_after_max_downtime(
    server: ScriptedServer, connect: Any, opened: Any, status: int
) -> None:
    proxy = opened(BusyProxy(server.url, lambda _: web.json_response({"error": {"message": "no"}}, status=status)))
    engine = connect(proxy.url, max_downtime_seconds=2.0)
    began = time.monotonic()
    with pytest.raises(
        EngineError, match=rf"{proxy.url}: no token came for \d s \(max_downtime=2\), at last: {status}"
    ):
        run_jobs(jobs(20), engine)
    assert 2.0 <= time.monotonic() - began < 8.0


def test_one_request_that_a_healthy_server_cannot_bear_ends_the_run_as_well(
    server: ScriptedServer, connect: Any, opened: Any
) -> None:
    async def poisoned(http: web.Request) -> web.StreamResponse:
        if (await http.json())["prompt"][:2] == [3, 3]:
            return web.json_response({"error": {"message": "CUDA error"}}, status=500)
        return await server._completions(http)

    router = opened(InThread({"/v1/completions": poisoned}))
    slow = [*jobs(5), *(job for _ in range(80) for job in jobs(3))]
    engine = connect(router.url, max_downtime_seconds=1.0)
    with pytest.raises(EngineError, match=r"question 3: .* (failed on this request|no token came).* 500, CUDA error"):
        run_jobs(slow, engine)


FOR_EVER = {
    "pings": b": ping\n\n",
    "empty choices": b'data: {"choices":[]}\n\n',
    "empty texts": b'data: {"choices":[{"index":0,"text":"","token_ids":[],"finish_reason":null}]}\n\n',
    "usage only": b'data: {"choices":[],"usage":{"prompt_tokens":2,"completion_tokens":0}}\n\n',
}


@pytest.mark.parametrize("kind", FOR_EVER)
def test_bytes_are_no_sign_of_life(connect: Any, opened: Any, kind: str) -> None:
    async def talk(http: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(http)
        while True:
            await response.write(FOR_EVER[kind])
            await asyncio.sleep(0.02)

    talking = opened(InThread({"/v1/completions": talk}))
    engine = connect(talking.url, timeout_seconds=0.5)
    began = time.monotonic()
    with pytest.raises(EngineError, match=r"no usable reply in 2 tries, at last: no token came for 0.5 s \(timeout\)"):
        run_jobs(jobs(1), engine)
    assert time.monotonic() - began < 5.0


def test_a_reply_that_is_whole_is_taken_although_its_stream_never_ends(
    server: ScriptedServer, connect: Any, opened: Any
) -> None:
    async def never_end(http: web.Request) -> web.StreamResponse:
        body = await http.json()
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(http)
        for chunk in server._chunks(server._read(body), body)[:-1]:
            await response.write(b"data: " + web.json_response(chunk).body + b"\n\n")  # type: ignore[operator]
        await asyncio.sleep(30)
        return response

    endless = opened(InThread({"/v1/completions": never_end}))
    assert run_jobs(jobs(2), connect(endless.url, timeout_seconds=0.5)) == run_jobs(jobs(2), ScriptedEngine(WRITE, 300))


def test_both_forms_of_retry_after_are_read() -> None:
    assert retry_after({"Retry-After": "7"}) == 7.0
    assert retry_after({"retry-after": "0.25"}) == 0.25
    assert retry_after({"Retry-After-Ms": "1500", "Retry-After": "9"}) == 1.5
    assert retry_after({"Retry-After": formatdate(time.time() + 30, usegmt=True)}) == pytest.approx(30, abs=2)
    wrong = {"Date": formatdate(10_000, usegmt=True), "Retry-After": formatdate(10_012, usegmt=True)}
    assert retry_after(wrong) == 12.0, "the server's own clock says how long"
    for nonsense in ("", "soon", "-3", "nan", "inf", "1e999", "Wed, 99 Foo"):
        assert retry_after({"Retry-After": nonsense}) is None


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_the_limit_falls_by_half_and_recovers_and_one_flight_lowers_it_once() -> None:
    clock = Clock()
    pace = Pace(64, Patience(), clock=clock)
    for _ in range(10):  # ten tries that were sent together
        pace.bear(Trouble("429", status=429), 0)
    assert pace.limit == 32
    pace.bear(Trouble("429", status=429), 1)
    assert pace.limit == 16
    for _ in range(16):
        pace.answered()
    assert pace.limit == 32, "up to where trouble began it grows by one a reply"
    for _ in range(8 * 32):
        pace.answered()
    assert pace.limit == 64


def test_a_single_failure_of_a_server_that_answers_slows_nobody_down() -> None:
    pace = Pace(64, Patience(), clock=Clock())
    for _ in range(5):
        pace.bear(Trouble("500", status=500), 0)
        pace.answered()
    assert pace.limit == 64


def test_trouble_is_measured_from_the_last_token() -> None:
    clock = Clock()
    pace = Pace(4, Patience(max_downtime_seconds=10.0), clock=clock)
    for _ in range(20):
        pace.bear(Trouble("503", status=503), 0)
        clock.now += 9.0
        pace.alive()
    pace.bear(Trouble("503", status=503), 0)
    clock.now += 10.0
    with pytest.raises(OutOfPatience, match=r"no token came for 10 s \(max_downtime=10\), at last: 503"):
        pace.bear(Trouble("503", status=503), 0)


def test_a_pause_is_no_longer_than_patience_and_the_oldest_goes_first() -> None:
    async def scene() -> list[int]:
        pace = Pace(1, Patience(max_downtime_seconds=0.3))
        orders = [pace.order() for _ in range(4)]
        went: list[int] = []

        async def one(order: int) -> None:
            async with pace.turn(order):
                went.append(order)
                await asyncio.sleep(0)

        pace.bear(Trouble("429", status=429, retry_after=10**6), 0)
        began = time.monotonic()
        await asyncio.gather(*(one(order) for order in (orders[2], orders[0], orders[3], orders[1])))
        assert 0.2 < time.monotonic() - began < 3.0
        return went

    went = asyncio.run(scene())
    assert went == sorted(went)


def test_a_turn_that_is_cancelled_is_given_to_the_next() -> None:
    async def scene() -> None:
        pace = Pace(1, Patience())
        async with pace.turn(pace.order()):
            waiting = [asyncio.create_task(_take(pace)) for _ in range(3)]
            await asyncio.sleep(0)
            waiting[0].cancel()
        waiting[1].cancel()  # its turn has come, and it does not know yet
        done = await asyncio.gather(*waiting, return_exceptions=True)
        assert [isinstance(one, asyncio.CancelledError) for one in done] == [True, True, False]
        async with asyncio.timeout(1):
            await _take(pace)

    asyncio.run(scene())


async def _take(pace: Pace) -> None:
    async with pace.turn(pace.order()):
        await asyncio.sleep(0)


def test_pauses_of_one_request_grow_to_a_bound() -> None:
    pauses = [pause_after(tries) for tries in range(1, 40)]
    assert pauses == sorted(pauses)
    assert (pauses[0], pauses[-1]) == (0.1, 15.0)
