"""`s1_openai` against a scripted server over real HTTP, with and without a fault proxy before it"""

import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from lm_eval.api.instance import Instance

from s1_models.driver import EngineError, Job, run_jobs
from s1_models.engines.openai.completions import Dialect
from s1_models.engines.openai.connection import Connection, Patience
from s1_models.engines.openai.engine import OpenAIEngine
from s1_models.engines.openai.lm import S1OpenAI
from s1_models.forcing import Budget, BudgetForcing, Marks, Phase, Request
from s1_models.options import OptionError
from tests.conftest import NANO
from tests.fault_proxy import FAULTS, FaultProxy
from tests.scripted_engine import ScriptedEngine, random_writer
from tests.scripted_server import InThread, ScriptedServer

MARKS = Marks((20,), (21,), (21, 22), (23,), (7,), frozenset({8}), frozenset({9}), frozenset({7}))
WRITE = random_writer(1, 7, 0.1, [8, 9])
QUICK = Patience(timeout_seconds=30.0, max_retries=4, max_downtime_seconds=5.0)
# What is borne for a time; every other fault is a reply that came and is wrong, which is counted.
TROUBLE = ("429", "500", "reset")


def policy(**budget: int) -> BudgetForcing:
    return BudgetForcing(Budget(max_answer_tokens=20, **budget), MARKS, 300)


def jobs(count: int, **budget: int) -> list[Job]:
    return [Job(policy(**budget), (n % 6, n), f"aime24 question {n}", (("temperature", 0.0),)) for n in range(count)]


def in_process(many: list[Job]) -> list[Any]:
    return run_jobs(many, ScriptedEngine(WRITE, 300))


@pytest.fixture
def opened() -> Iterator[Callable[[Any], Any]]:
    """Closes, at the end of the test, what was passed to it."""
    closing: list[Any] = []

    def remember(resource: Any) -> Any:
        closing.append(resource)
        return resource

    yield remember
    for resource in reversed(closing):
        resource.close()


@pytest.fixture
def connect(opened: Callable[[Any], Any]) -> Callable[..., OpenAIEngine]:
    def build(server: InThread, patience: Patience = QUICK, num_concurrent: int = 64, known_ids: int = 10**9) -> Any:
        connection = opened(Connection(server.url, patience=patience, num_concurrent=num_concurrent))
        connection.start(connection.look("scripted")).result()
        dialect = Dialect("scripted", True, True, lambda _: (), lambda _: "", known_ids)
        return OpenAIEngine(connection, dialect, 300)

    return build


@pytest.fixture
def server(opened: Callable[[Any], Any]) -> ScriptedServer:
    served: ScriptedServer = opened(ScriptedServer(WRITE, 300))
    return served


def test_sessions_are_those_of_the_same_engine_in_process(server: ScriptedServer, connect: Any) -> None:
    many = jobs(40, num_waits=3)
    assert run_jobs(many, connect(server)) == in_process(many)


def test_no_more_than_num_concurrent_are_at_the_server(server: ScriptedServer, connect: Any) -> None:
    run_jobs(jobs(40), connect(server, num_concurrent=5))
    assert 1 < server.most_at_once <= 5


def test_a_tenth_of_a_thousand_requests_spoiled_loses_and_doubles_no_answer(
    server: ScriptedServer, connect: Any, opened: Any
) -> None:
    proxy = opened(FaultProxy(server.url, rate=0.1, seed=4))
    many = jobs(400, num_waits=2)
    # Which request meets which fault depends on timing: with five tries one of a thousand would fail all of them in
    # one run of a hundred.
    engine = connect(proxy, replace(QUICK, timeout_seconds=3.0, max_retries=11))
    sessions = run_jobs(many, engine, max_in_flight=64)
    assert sessions == in_process(many)
    replies = sum(session.replies for session in sessions)
    assert replies > 1000
    assert set(proxy.injected) == set(FAULTS), "every kind of fault must have happened"
    assert proxy.injected.total() > 100
    # On a busy machine a good reply may come too late as well.
    spoiled = proxy.injected.total() - sum(proxy.injected[fault] for fault in TROUBLE)
    assert engine.connection.failures >= spoiled, "no fault passes for a reply"


@pytest.mark.parametrize("fault", FAULTS)
def test_a_server_that_only_fails_ends_the_run_with_an_error_that_names_it(
    server: ScriptedServer, connect: Any, opened: Any, fault: str
) -> None:
    proxy = opened(FaultProxy(server.url, rate=1.0, faults=(fault,)))
    patience = Patience(0.3 if fault == "stall" else 30.0, max_retries=1, max_downtime_seconds=0.5)
    engine = connect(proxy, patience)
    with pytest.raises(EngineError) as error:
        run_jobs(jobs(2), engine)
    said = {
        "429": "429, slow down",
        "500": "500, EngineCore encountered an issue",
        "reset": "ServerDisconnectedError",
        "stall": "no token came for 0.3 s (timeout)",
        "truncated": "",
        "not_json": "JSONDecodeError",
        "too_many": "more than the",
        "wrong_end": "finish_reason is 'abort'",
        "no_ids": "",
        "twice": "counted otherwise",
    }
    if fault in TROUBLE:
        assert re.search(r"no token came for \d s \(max_downtime=0.5\), at last: ", str(error.value))
    else:
        assert "gave no usable reply in 2 tries, at last: " in str(error.value)
    assert proxy.url in str(error.value)
    assert said[fault] in str(error.value)
    assert re.search(r"aime24 question [01]: ", str(error.value))


def test_the_whole_run_has_a_budget_of_failures(server: ScriptedServer, connect: Any, opened: Any) -> None:
    proxy = opened(FaultProxy(server.url, rate=0.5, faults=("truncated",)))
    with pytest.raises(EngineError, match=r"1\d replies could not be taken \(max_failures=10\), at last: "):
        run_jobs(jobs(60), connect(proxy, Patience(max_retries=50, max_failures=10)))


def test_a_server_that_comes_back_is_waited_for_and_nothing_is_lost(
    server: ScriptedServer, connect: Any, opened: Any
) -> None:
    engine = connect(server, replace(QUICK, max_retries=1, max_downtime_seconds=60.0))
    many = jobs(60, num_waits=3)

    def restart() -> None:
        while len(server.answered) < 30:
            time.sleep(0.01)
        server.close()
        time.sleep(1.0)
        opened(ScriptedServer(WRITE, 300, port=server.port))

    restarting = threading.Thread(target=restart)
    restarting.start()
    sessions = run_jobs(many, engine)
    restarting.join()
    assert sessions == in_process(many)
    assert engine.connection.failures <= 60, "an outage costs a request one try at most, however long it lasts"


def test_a_server_that_stays_away_ends_the_run(server: ScriptedServer, connect: Any) -> None:
    engine = connect(server, replace(QUICK, max_downtime_seconds=0.5))
    server.close()
    with pytest.raises(
        EngineError, match=rf"aime24 question 0: {server.url}: no token came for . s .* at last: ClientConnectorError"
    ):
        run_jobs(jobs(1), engine)


def test_a_server_that_comes_back_with_another_model_ends_the_run(
    server: ScriptedServer, connect: Any, opened: Any
) -> None:
    engine = connect(server, replace(QUICK, max_downtime_seconds=60.0))
    server.close()
    opened(ScriptedServer(WRITE, 400, port=server.port))
    proxy = opened(FaultProxy(server.url, rate=1.0, faults=("500",)))
    engine.connection.base_url = proxy.url
    with pytest.raises(EngineError, match=r"served .*max_model_len=300.* and came back serving .*max_model_len=400"):
        run_jobs(jobs(1), engine)


def test_what_a_server_refuses_ends_the_run_at_once(server: ScriptedServer, connect: Any) -> None:
    refused = [Job(policy(), (1,), "aime24 question 0", (("temperature", -1.0),))]
    with pytest.raises(
        EngineError, match=f"{server.url}/completions refused a request: 400, temperature must be non-negative"
    ):
        run_jobs(refused, connect(server))
    assert len(server.asked) == 1, "asking again would not help"


def test_what_is_cancelled_is_stopped_at_the_server(connect: Any, opened: Any) -> None:
    slow = opened(ScriptedServer(random_writer(1, 7, 0.0, [8]), 300, token_seconds=0.05))
    engine = connect(slow)
    for key in range(4):
        engine.submit(key, Request((key,), 200, frozenset({8}), Phase.THINKING))
    while len(slow.asked) < 4:
        time.sleep(0.01)
    engine.cancel()
    assert engine.poll() == []
    deadline = time.monotonic() + 10
    while slow.abandoned < 4 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert slow.abandoned == 4
    assert slow.answered == []


def test_what_came_so_far_is_a_beginning_of_the_reply(connect: Any, opened: Any) -> None:
    slow = opened(ScriptedServer(len, 300, token_seconds=0.02))  # writes 1, 2, 3, ... after a prompt of one token
    engine = connect(slow, known_ids=80)
    engine.submit("one", Request((3,), 100, frozenset(), Phase.THINKING))
    parts = []
    while not (replies := engine.poll(0.05)):
        parts += [tokens for _, tokens in engine.partial()]
    ((key, reply),) = replies
    assert key == "one"
    assert reply.dropped == 21
    assert len(set(parts)) > 2
    assert all(reply.tokens[: len(part)] == part for part in parts)
    assert list(engine.partial()) == []


def test_a_poll_with_a_timeout_ends_without_a_reply(connect: Any, opened: Any) -> None:
    engine = connect(opened(ScriptedServer(WRITE, 300, token_seconds=0.15)))
    engine.submit("one", Request((3,), 9, frozenset(), Phase.THINKING))
    assert engine.poll(0.01) == []
    assert [key for key, _ in engine.poll()] == ["one"]


# The language model: options, prompts and texts, on the embedded model's tokenizer.


PROBLEMS = [f"{n:03d} 59738" for n in range(6)]


def requests(**gen_kwargs: Any) -> list[Instance]:
    kwargs = {"until": [], "max_gen_toks": 12, **gen_kwargs}
    return [
        Instance("generate_until", {}, (problem, kwargs), n, ("s1_nano", n, 1)) for n, problem in enumerate(PROBLEMS)
    ]


def writer_of_digits(tokenizer: Any) -> Callable[..., int]:
    """Digits, whose text encodes to the same tokens again, and now and then an end of thinking or of text."""
    digits = tokenizer.encode("0123456789", add_special_tokens=False)
    ends = [*tokenizer.encode("<|im_start|>", add_special_tokens=False), tokenizer.eos_token_id]
    draw = random_writer(5, len(digits), 0.15, [len(digits), len(digits) + 1])
    return lambda prefix: [*digits, *ends][draw(prefix)]


@pytest.fixture
def serve_nano(opened: Any, nano_tokenizer: Any) -> Callable[..., tuple[ScriptedServer, S1OpenAI]]:
    def build(token_ids: bool = True, **arguments: Any) -> tuple[ScriptedServer, S1OpenAI]:
        write = writer_of_digits(nano_tokenizer)
        server = opened(ScriptedServer(write, 512, nano_tokenizer, root=str(NANO), token_ids=token_ids))
        lm = S1OpenAI(base_url=f"{server.url}/completions", **{"max_retries": 1, **arguments})
        opened(lm.connection)
        return server, lm

    return build


def test_a_server_says_its_model_tokenizer_and_context_itself(serve_nano: Any, nano_tokenizer: Any) -> None:
    _, lm = serve_nano()
    assert lm.model == "scripted"
    assert lm.engine.context_window == 512
    assert lm.tokenizer.get_vocab() == nano_tokenizer.get_vocab()
    assert nano_tokenizer.eos_token_id in lm.eos_ids
    assert lm.dialect.token_ids


def test_budget_forcing_over_http_is_budget_forcing(serve_nano: Any) -> None:
    _, lm = serve_nano(num_waits=2, max_thinking_tokens=30)
    for transcript in lm.generate_until(requests(), disable_tqdm=True):
        assert transcript.startswith("<|im_start|>think")
        assert transcript.usage["thinking_tokens"] <= 30
        assert transcript.usage["waits_used"] == 2 or transcript.usage["cut_off"]
        assert "<|im_start|>answer" in transcript


def test_the_same_transcripts_come_by_token_ids_and_by_text(serve_nano: Any) -> None:
    by_ids = serve_nano(num_waits=2)[1].generate_until(requests(), disable_tqdm=True)
    server, lm = serve_nano(num_waits=2, tokenized_requests=False)
    assert lm.generate_until(requests(), disable_tqdm=True) == by_ids
    assert all(isinstance(body["prompt"], str) for body in server.asked)
    server, lm = serve_nano(token_ids=False, num_waits=2)
    assert not lm.dialect.token_ids, "a server that takes no token ids is found out"
    assert not lm.dialect.extensions
    assert lm.generate_until(requests(), disable_tqdm=True) == by_ids
    assert server.asked[-1].keys() <= {
        *("model", "prompt", "max_tokens", "stop", "stream", "stream_options"),
        *("temperature", "top_p", "presence_penalty", "frequency_penalty", "seed"),
    }


def test_sampling_is_what_the_user_says_and_not_what_the_model_recommends(serve_nano: Any) -> None:
    server, lm = serve_nano()
    lm.generate_until(requests(temperature=0.6, top_p=0.95, seed=3), disable_tqdm=True)
    body = server.asked[-1]
    assert (body["temperature"], body["top_p"]) == (0.6, 0.95)
    assert (body["top_k"], body["min_p"], body["repetition_penalty"], body["presence_penalty"]) == (-1, 0.0, 1.0, 0.0)
    assert "seed" in body


def test_a_spoiled_reply_is_asked_for_again_with_the_same_seed(serve_nano: Any, opened: Any) -> None:
    server, lm = serve_nano(max_retries=20)
    proxy = opened(FaultProxy(server.url, rate=0.5, faults=("truncated", "twice")))
    lm.connection.base_url = proxy.url
    lm.generate_until(requests(temperature=0.6, seed=3), disable_tqdm=True)
    seeds: dict[tuple[int, ...], set[int]] = {}
    for body in server.asked[1:]:
        seeds.setdefault(tuple(body["prompt"]), set()).add(body["seed"])
    assert proxy.injected
    assert len(server.asked) > len(seeds) + 1
    assert all(len(used) == 1 for used in seeds.values())


def test_options_that_cannot_be_are_errors_of_one_sentence(serve_nano: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OptionError, match="s1_openai needs a server: base_url=http"):
        S1OpenAI()
    with pytest.raises(OptionError, match="unknown model argument 'num_concurent': did you mean 'num_concurrent'"):
        serve_nano(num_concurent=3)
    with pytest.raises(OptionError, match="num_concurrent=0: expected at least 1"):
        serve_nano(num_concurrent=0)
    with pytest.raises(OptionError, match="temperature is a sampling option: put it into --gen_kwargs"):
        serve_nano(temperature=0.5)
    with pytest.raises(OptionError, match="tokenizer_backend: s1_openai works on token ids"):
        serve_nano(tokenizer_backend="tiktoken")
    with pytest.raises(OptionError, match="no tokenizer at '/nowhere': give tokenizer=NAME_OR_DIRECTORY"):
        serve_nano(tokenizer="/nowhere")
    with pytest.raises(EngineError, match=r"serves scripted: give model=NAME \(not gpt-5\)"):
        serve_nano(model="gpt-5")
    with pytest.raises(EngineError, match="prompt must be a string"):
        serve_nano(token_ids=False, tokenized_requests=True)
    with pytest.raises(
        EngineError,
        match=r"http://127\.0\.0\.1:9/v1 does not say what it serves: ClientConnectorError.*\. "
        "Start the server, or correct base_url$",
    ):
        S1OpenAI(base_url="http://127.0.0.1:9/v1/completions")


def test_what_identifies_the_tokens_is_told_for_the_memo(serve_nano: Any) -> None:
    _, lm = serve_nano()
    identity = lm.model_identity()
    assert identity["model"] == "scripted"
    assert identity["server"] == "scripted-1"
    assert all(isinstance(value, str) and value for value in identity.values())


@pytest.mark.parametrize("remembers", [True, False])
def test_a_server_that_comes_back_with_another_build_does_not_share_a_memo(
    serve_nano: Any, tmp_path: Path, remembers: bool
) -> None:
    server, lm = serve_nano(memo=str(tmp_path / "memo.sqlite") if remembers else "off")
    lm.generate_until(requests(), disable_tqdm=True)
    server.fingerprint = "scripted-2"
    if remembers:
        with pytest.raises(EngineError, match="called itself scripted-1 at the start and scripted-2 now"):
            lm.generate_until(requests(num_waits=2), disable_tqdm=True)
    else:
        lm.generate_until(requests(num_waits=2), disable_tqdm=True)


def test_how_a_server_is_spoken_to_is_not_decided_by_a_bad_moment(serve_nano: Any, opened: Any) -> None:
    server, _ = serve_nano()
    failing = opened(FaultProxy(server.url, rate=1.0, faults=("500",)))
    with pytest.raises(EngineError, match=r"500, EngineCore .*token ids that it fails on: tokenized_requests=false"):
        S1OpenAI(base_url=failing.url, max_retries=1, max_downtime=0.5)
    forgetful = opened(FaultProxy(server.url, rate=1.0, faults=("no_ids",)))
    lm = S1OpenAI(base_url=forgetful.url, max_retries=0)
    opened(lm.connection)
    assert not lm.dialect.token_ids, "one that never sends ids back is told text"


def test_lm_eval_finds_it_by_its_name_and_reads_its_arguments(opened: Any, nano_tokenizer: Any) -> None:
    import lm_eval

    server = opened(ScriptedServer(writer_of_digits(nano_tokenizer), 1024, nano_tokenizer, root=str(NANO)))
    arguments = f"base_url={server.url}/completions,num_waits=1,num_concurrent=2,timeout=30,max_retries=2"
    results = lm_eval.simple_evaluate(
        model="s1_openai", model_args=arguments, tasks=["s1_nano"], limit=3, bootstrap_iters=0, batch_size="auto"
    )
    assert len(results["samples"]["s1_nano"]) == 3
    assert server.most_at_once <= 2
    assert len(server.answered) >= 1 + 3 * 2


def test_a_connection_that_is_forgotten_ends_by_itself_wherever_the_collector_runs(server: ScriptedServer) -> None:
    before = {thread for thread in threading.enumerate() if thread.name == "s1-connection"}
    connection = Connection(server.url)
    (thread,) = {thread for thread in threading.enumerate() if thread.name == "s1-connection"} - before
    held = [connection]
    closed = connection.close
    del connection

    async def forget() -> None:
        held.clear()

    held[0].start(forget())
    thread.join(timeout=10)
    assert not thread.is_alive()
    assert not closed.alive
