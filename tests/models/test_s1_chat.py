"""`s1_chat` against a scripted server in three protocols, with and without a fault proxy before it"""

import json
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from lm_eval.api.instance import Instance

from s1_models.driver import EngineError
from s1_models.engines.chat.lm import S1Chat, messages_of, without_ending
from s1_models.engines.chat.money import Prices, add_up, read_prices
from s1_models.engines.chat.options import read_settings
from s1_models.engines.chat.replies import Replies
from s1_models.engines.chat.shapes import SHAPES, Asked, ChatReply, choose_shape
from s1_models.engines.openai.patience import Trouble, Untrusted
from s1_models.options import OptionError
from tests.conftest import ROOT
from tests.fault_proxy import FAULTS, FaultProxy
from tests.scripted_chat import Said, ScriptedChat, question_of


def think(body: dict[str, Any]) -> Said:
    """An answer that belongs to its question, after a thought of as many words as the effort says."""
    question = question_of(body)
    words = {"low": 2, "medium": 4, "high": 8}.get(body.get("reasoning_effort", "medium"), 4)
    return Said(f"The answer to {question} is {sum(map(ord, question)) % 1000}.", " ".join(["hm"] * words))


def expected(question: str) -> str:
    return f"The answer to {question} is {sum(map(ord, question)) % 1000}."


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
def serve(opened: Any) -> Callable[..., tuple[ScriptedChat, S1Chat]]:
    def build(script: Any = think, server: dict[str, Any] | None = None, **arguments: Any) -> Any:
        served = opened(ScriptedChat(script, **(server or {})))
        lm = S1Chat(**{"base_url": served.url, "model": "m", "max_downtime": 3, "memo": "off", **arguments})
        opened(lm.connection)
        opened(lm.replies)
        return served, lm

    return build


def requests(count: int, **gen_kwargs: Any) -> list[Instance]:
    kwargs = {"until": [], **gen_kwargs}
    return [Instance("generate_until", {}, (f"question {n}", kwargs), n, ("t", n, 1)) for n in range(count)]


def test_a_reply_carries_its_thinking_and_says_that_it_was_not_ours(serve: Any) -> None:
    server, lm = serve(reasoning_effort="high")
    (response,) = lm.generate_until(requests(1), disable_tqdm=True)
    assert response.answer == expected("question 0")
    assert response.usage["thinking_tokens"] == 8
    assert response.usage["answer_tokens"] == len(expected("question 0").split())
    assert (response.usage["cut_off"], response.usage["answer_cut_off"]) == (0, 0)
    thinking, answer = response.spans
    assert (thinking["phase"], thinking["forced"], thinking["controlled"]) == ("thinking", False, False)
    assert thinking["text"] + answer["text"] == response
    assert server.asked[0]["reasoning_effort"] == "high"
    assert server.asked[0]["messages"] == [{"role": "user", "content": "question 0"}]


@pytest.mark.parametrize("server", [{"streams": False}, {"counts": False}, {}])
def test_servers_that_do_not_stream_or_count_are_understood(serve: Any, server: dict[str, Any]) -> None:
    _, lm = serve(server=server)
    responses = lm.generate_until(requests(3), disable_tqdm=True)
    assert [one.answer for one in responses] == [expected(f"question {n}") for n in range(3)]
    assert ("thinking_tokens" in responses[0].usage) == (server != {"counts": False})


def test_thinking_that_is_counted_and_not_shown(serve: Any) -> None:
    _, lm = serve(lambda _: Said("4", hidden=90))
    (response,) = lm.generate_until(requests(1), disable_tqdm=True)
    assert (response, response.usage["thinking_tokens"], response.usage["answer_tokens"]) == ("4", 90, 1)
    assert response.answer_start is None


def test_a_limit_that_ended_the_thinking_or_the_answer_is_told_apart(serve: Any) -> None:
    _, lm = serve(lambda _: Said("", "hm hm", "length"))
    (response,) = lm.generate_until(requests(1), disable_tqdm=True)
    assert (response.usage["cut_off"], response.usage["answer_cut_off"]) == (1, 0)
    _, lm = serve(lambda _: Said("so far", "hm hm", "length"))
    (response,) = lm.generate_until(requests(1), disable_tqdm=True)
    assert (response.usage["cut_off"], response.usage["answer_cut_off"]) == (0, 1)


@pytest.mark.parametrize(("api", "path"), [("anthropic", "/v1/messages"), ("gemini", "/v1beta"), ("openai", "/v1")])
def test_each_protocol_asks_in_its_own_words(serve: Any, api: str, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ANTHROPIC_API_KEY", "GEMINI_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.setenv(name, f"key-of-{name}\n")
    server, _ = serve()
    budget = {} if api == "openai" else {"max_thinking_tokens": 500}
    lm = S1Chat(base_url=f"http://127.0.0.1:{server.port}{path}", model="m", api=api, memo="off", **budget)
    system = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "question 0"}]
    asked = requests(1, max_gen_toks=2000, temperature=0.6)
    asked[0].arguments = (lm.apply_chat_template(system), asked[0].args[1])
    (response,) = lm.generate_until(asked, disable_tqdm=True)
    lm.connection.close()
    assert response.answer == expected("question 0")
    (body,), (headers,) = server.asked, server.heard
    if api == "anthropic":
        assert headers["x-api-key"] == "key-of-ANTHROPIC_API_KEY"
        assert body["thinking"] == {"type": "enabled", "budget_tokens": 500}
        assert (body["system"], body["max_tokens"], "temperature" in body) == ("Be brief.", 2000, False)
    elif api == "gemini":
        assert headers["x-goog-api-key"] == "key-of-GEMINI_API_KEY"
        assert body["generationConfig"]["thinkingConfig"] == {"includeThoughts": True, "thinkingBudget": 500}
        assert body["systemInstruction"]["parts"][0]["text"] == "Be brief."
        assert response.usage["thinking_tokens"] == 4
    else:
        assert headers["Authorization"] == "Bearer key-of-OPENAI_API_KEY"
        assert (body["max_completion_tokens"], body["temperature"]) == (2000, 0.6)


def test_budgets_where_the_api_has_them_and_an_error_where_it_has_not() -> None:
    asked = Asked([{"role": "user", "content": "?"}], effort="low", budget=9, max_tokens=99)
    assert SHAPES["openrouter"].body("m", asked)["reasoning"] == {"effort": "low", "max_tokens": 9}
    assert SHAPES["server"].body("m", asked)["thinking_token_budget"] == 9
    gemini = SHAPES["gemini-openai"].body("m", asked)["extra_body"]["google"]["thinking_config"]
    assert gemini["thinking_budget"] == 9
    for api in ("openai", "deepseek"):
        with pytest.raises(OptionError, match=f"the {api} API has no thinking budget in tokens; use reasoning_effort"):
            SHAPES[api].body("m", asked)
    with pytest.raises(OptionError, match="leaves nothing of max_gen_toks=5"):
        SHAPES["anthropic"].body("m", replace(asked, max_tokens=5))
    with pytest.raises(OptionError, match="give --gen_kwargs max_gen_toks=TOKENS"):
        SHAPES["anthropic"].body("m", replace(asked, max_tokens=None))


def test_the_protocol_is_known_by_the_address() -> None:
    known = {
        "https://api.openai.com/v1": "openai",
        "https://openrouter.ai/api/v1/chat/completions": "openrouter",
        "https://api.deepseek.com": "deepseek",
        "https://api.anthropic.com/v1/messages": "anthropic",
        "https://generativelanguage.googleapis.com/v1beta/openai": "gemini",
        "http://127.0.0.1:8000/v1": "server",
        "https://api.openai.com.evil.example/v1": "server",
    }
    for url, name in known.items():
        host, _, path = url.partition("//")[2].partition("/")
        assert choose_shape("auto", host.partition(":")[0], f"/{path}").name == name
    assert without_ending("http://h/v1/chat/completions/") == "http://h/v1"
    with pytest.raises(OptionError, match="api=opnai: expected auto, openai"):
        choose_shape("opnai", "h", "/")


# Waits: only where the server goes on with a message.


def continuing(body: dict[str, Any]) -> Said:
    """Goes on with the message of the assistant; thinks one more step each time."""
    last = body["messages"][-1]
    if last["role"] != "assistant":
        return Said("<think>")
    text = last["content"]
    return Said(f" answer {text.count('step')}") if "</think>" in text else Said(f" step{text.count('step') + 1}")


@pytest.mark.parametrize(("api", "field"), [("server", "continue_final_message"), ("deepseek", "prefix")])
def test_waits_are_forced_where_a_message_can_go_on(serve: Any, api: str, field: str) -> None:
    server, lm = serve(continuing, api=api, num_waits=2)
    (response,) = lm.generate_until(requests(1), disable_tqdm=True)
    assert response == "<think> step1Wait step2Wait step3</think> answer 3"
    assert response.answer == " answer 3"
    assert [span["text"] for span in response.spans if span["forced"]] == ["<think>", "Wait", "Wait", "</think>"]
    assert (response.usage["waits_used"], response.usage["thinking_tokens"]) == (2, 3)
    body = server.asked[0]
    assert body["stop"] == ["</think>"]
    assert body.get(field) or body["messages"][-1].get(field)


def test_a_budget_over_waits_cuts_and_asks_for_the_answer(serve: Any) -> None:
    _, lm = serve(continuing, api="server", num_waits=9, max_thinking_tokens=2)
    (response,) = lm.generate_until(requests(1), disable_tqdm=True)
    assert response.usage["cut_off"] == 1
    assert "Final Answer:" in response
    assert response.usage["thinking_tokens"] == 2


def test_waits_elsewhere_are_an_error_that_says_why(serve: Any) -> None:
    for api in ("openai", "gemini"):
        with pytest.raises(OptionError, match=f"num_waits=2: the {api} API thinks out of our reach"):
            serve(api=api, num_waits=2)


# Faults, and what is remembered.


def test_a_thousand_questions_in_ten_kinds_of_faults_lose_and_double_none(
    serve: Any, opened: Any, tmp_path: Path
) -> None:
    server, _ = serve()
    faults = tuple(fault for fault in FAULTS if fault != "twice")
    proxy = opened(FaultProxy(server.url, rate=0.1, seed=3, faults=(*faults, "twice")))
    memo = {"memo": str(tmp_path / "memo.sqlite"), "num_concurrent": 64, "timeout": 3, "max_downtime": 60}
    lm = S1Chat(base_url=proxy.url, model="m", **memo)
    opened(lm.connection)
    many = requests(1000, max_gen_toks=60)
    responses = lm.generate_until(many, disable_tqdm=True)
    assert [one.answer for one in responses] == [expected(f"question {n}") for n in range(1000)]
    assert set(proxy.injected) == set(FAULTS)
    assert lm.costs()["this_run"]["replies"] == 1000
    lm.replies.close()
    asked = len(server.asked)
    again = S1Chat(base_url=proxy.url, model="m", **memo)
    opened(again.connection)
    assert again.generate_until(many, disable_tqdm=True) == responses
    assert len(server.asked) == asked, "what is on file is not asked again"
    assert again.costs()["this_run"]["replies"] == 0
    again.replies.close()


def test_a_killed_run_goes_on_and_repeats_are_replies_of_their_own(serve: Any, opened: Any, tmp_path: Path) -> None:
    drawn = random.Random(1)
    server, _ = serve(lambda _: Said(f"draw {drawn.random()}"))
    code = """
import os, sys
from s1_models.engines.chat.lm import S1Chat
from tests.models.test_s1_chat import requests
lm = S1Chat(base_url=sys.argv[1], model="m", memo=sys.argv[2], num_concurrent=1)
keep, kept = lm.replies.keep, []
def count(*given):
    keep(*given); kept.append(1)
    if len(kept) == 7: os.kill(os.getpid(), 9)
lm.replies.keep = count
lm.generate_until(requests(10, n=2, temperature=0.7), disable_tqdm=True)
"""
    memo = str(tmp_path / "memo.sqlite")
    killed = subprocess.run([sys.executable, "-c", code, server.url, memo], cwd=ROOT, timeout=120, check=False)
    assert killed.returncode == -9
    lm = S1Chat(base_url=server.url, model="m", memo=memo)
    opened(lm.connection)
    asked = requests(10, n=2, temperature=0.7)
    responses = lm.generate_until(asked, disable_tqdm=True)
    everything = [*responses, *(request.resps[0] for request in asked)]
    assert len(set(everything)) == 20, "two samples of a question are two replies"
    assert (len(lm.asker.reused), len(lm.asker.spent)) == (7, 13)
    assert len({body["seed"] for body in server.asked}) == 2
    lm.replies.close()


def test_replies_of_other_efforts_models_and_keys(tmp_path: Path, serve: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    memo = {"memo": str(tmp_path / "memo.sqlite")}
    server, lm = serve(reasoning_effort="low", **memo)
    lm.generate_until(requests(1), disable_tqdm=True)
    for arguments, asks in (({"reasoning_effort": "high"}, 1), ({"reasoning_effort": "low"}, 0)):
        monkeypatch.setenv("OPENAI_API_KEY", "another key")
        other = S1Chat(base_url=server.url, model="m", **memo, **arguments)
        before = len(server.asked)
        other.generate_until(requests(1), disable_tqdm=True)
        other.connection.close()
        other.replies.close()
        assert len(server.asked) - before == asks


def test_a_file_that_cannot_hold_replies_is_named(tmp_path: Path) -> None:
    (tmp_path / "memo.replies.sqlite").write_text("something else" * 100)
    with pytest.raises(OptionError, match=r"memo\.replies\.sqlite: replies cannot be kept there"):
        Replies(tmp_path / "memo.replies.sqlite")


def test_a_field_that_a_model_refuses_is_left_out_and_said(opened: Any, caplog: pytest.LogCaptureFixture) -> None:
    from aiohttp import web

    from tests.scripted_server import InThread

    server = ScriptedChat(think)

    async def picky(http: web.Request) -> web.StreamResponse:
        if "temperature" in await http.json():
            said = "Unsupported value: 'temperature' does not support 0.6 with this model."
            return web.json_response({"error": {"message": said}}, status=400)
        return await server._chat(http)

    router = opened(InThread({"/v1/chat/completions": picky}))
    opened(server)
    lm = S1Chat(base_url=router.url, model="m", memo="off")
    opened(lm.connection)
    responses = lm.generate_until(requests(5, temperature=0.6), disable_tqdm=True)
    assert [one.answer for one in responses] == [expected(f"question {n}") for n in range(5)]
    assert caplog.text.count("m does not take temperature") == 1
    assert lm.get_model_info()["s1"]["left_out"] == ["temperature"]


def test_an_address_where_nobody_answers_ends_the_run_at_once() -> None:
    lm = S1Chat(base_url="http://127.0.0.1:9/v1", model="scripted")
    began = time.monotonic()
    with pytest.raises(
        EngineError, match=r"http://127\.0\.0\.1:9/v1 cannot be reached: .*Start the server, or correct"
    ):
        lm.generate_until(requests(2), disable_tqdm=True)
    assert time.monotonic() - began < 30, "max_downtime is for servers that were there"
    lm.connection.close()


def test_what_a_server_refuses_names_the_question_and_the_address(serve: Any) -> None:
    server, _ = serve()
    with pytest.raises(OptionError, match="s1_chat needs a server and a model"):
        S1Chat(base_url=server.url)
    lm = S1Chat(base_url=server.url.removesuffix("/v1"), model="m", memo="off")
    with pytest.raises(EngineError, match=r"t question 0: .* asked http://[\d.:]+/chat/completions in the protocol"):
        lm.generate_until(requests(1), disable_tqdm=True)
    lm.connection.close()
    with pytest.raises(OptionError, match="unknown model argument 'reasoning_efort': did you mean 'reasoning_effort'"):
        S1Chat(base_url=server.url, model="m", reasoning_efort="low")
    with pytest.raises(OptionError, match="a chat endpoint gives no likelihoods"):
        serve()[1].loglikelihood([])


@pytest.mark.parametrize("api", ["server", "anthropic", "gemini"])
def test_no_event_makes_a_reader_raise_anything_else(api: str) -> None:
    draw = random.Random(2)
    leaves: list[Any] = [None, True, -1, 3, 2.5, "", "stop", "x", [], {}, [3], {"a": 1}, 10**30]
    names = ["choices", "delta", "message", "content", "reasoning", "reasoning_details", "finish_reason", "usage"]
    names += ["type", "content_block", "candidates", "parts", "text", "thought", "finishReason", "usageMetadata"]
    names += ["index", "error", "code", "completion_tokens_details", "stop_reason", "promptFeedback", "tool_calls"]
    kinds = ["message", "message_start", "content_block_delta", "message_delta", "content_block_start"]

    def grow(depth: int) -> Any:
        if depth == 0 or draw.random() < 0.2:
            return draw.choice([*leaves, *kinds])
        if draw.random() < 0.3:
            return [grow(depth - 1) for _ in range(draw.randrange(3))]
        return {name: grow(depth - 1) for name in draw.sample(names, 5)}

    for _ in range(4000):
        reader = SHAPES[api].reader(Asked([]))
        try:
            for _ in range(3):
                reader.read(grow(4))
            assert isinstance(reader.reply(), ChatReply)
        except (Untrusted, Trouble):
            continue


# Money and settings.


def test_costs_are_counted_by_the_users_prices_or_the_servers_word(serve: Any, tmp_path: Path) -> None:
    table = tmp_path / "prices.json"
    table.write_text(json.dumps({"m": {"input": 1.0, "output": 10.0, "cached": 0.5}}))
    _, lm = serve(prices=str(table))
    lm.generate_until(requests(4), disable_tqdm=True)
    told = lm.get_model_info()["s1"]["cost"]["this_run"]
    words = len(expected("question 0").split())
    assert (told["prompt_tokens"], told["completion_tokens"], told["reasoning_tokens"]) == (28, 4 * (words + 4), 16)
    assert told["usd"] == pytest.approx((28 * 1.0 + 4 * (words + 4) * 10.0) / 1e6, abs=1e-6)
    reply = ChatReply("", "", "stop", 1000, 100, 50, 400, cost=0.25)
    assert Prices(1.0, 10.0, 0.5).of(reply) == pytest.approx((600 + 200 + 1000) / 1e6)
    assert add_up([reply, replace(reply, cost=None)], None)["usd"] == 0.25
    with pytest.raises(OptionError, match="no price of other in it, which has m: add it"):
        read_prices(str(table), "other")
    for wrong in ("[1]", "{", {"m": {"in": 1}}, {"m": {"input": -1, "output": 1}}, '{"m": 3}'):
        with pytest.raises(OptionError, match="expected dollars per million tokens"):
            read_prices(wrong, "m")


def test_settings_are_read_from_both_places() -> None:
    settings = read_settings({"reasoning_effort": "low"}, {"reasoning_effort": "high", "max_gen_toks": 9, "n": 3})
    assert (settings.effort, settings.max_tokens, settings.samples) == ("high", 9, 3)
    assert read_settings({"max_tokens_thinking": "auto"}, {}).budget is None
    for wrong, said in (
        ({"num_waits": -1}, "num_waits=-1: expected a whole number"),
        ({"reasoning_effort": "very much"}, "reasoning_effort=very much: expected a word"),
        ({"temprature": 1}, "unknown generation option 'temprature': did you mean 'temperature'"),
    ):
        with pytest.raises(OptionError, match=said):
            read_settings({}, wrong)


def test_prompts_of_lm_eval_become_messages(serve: Any) -> None:
    _, lm = serve()
    turns = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}, {"role": "user", "content": "c"}]
    assert messages_of(lm.apply_chat_template(turns), "boxed") == [
        *turns[:2],
        {"role": "user", "content": "c\n\nboxed"},
    ]
    assert messages_of("plain", "") == [{"role": "user", "content": "plain"}]


def test_lm_eval_finds_it_by_its_name(opened: Any) -> None:
    import lm_eval

    server = opened(ScriptedChat(lambda body: Said(f"Final Answer: {len(question_of(body))}", "hm")))
    arguments = {"base_url": server.url, "model": "m", "reasoning_effort": "low", "memo": "off"}
    for chat in (False, True):
        results = lm_eval.simple_evaluate(
            model="s1_chat",
            model_args=arguments,
            tasks=["s1_nano"],
            limit=3,
            bootstrap_iters=0,
            apply_chat_template=chat,
        )
        assert len(results["samples"]["s1_nano"]) == 3
        assert results["config"]["s1"]["budget"]["reasoning_effort"] == "low"
    assert all(body["messages"][0]["role"] == "user" for body in server.asked)


@pytest.mark.timeout(600)
def test_efforts_are_swept_on_the_same_axis(opened: Any, tmp_path: Path) -> None:
    server = opened(ScriptedChat(lambda body: Said(f"Final Answer: {len(question_of(body))}", think(body).thinking)))
    arguments = ["sweep", "--model", "s1_chat", "--model_args", f"base_url={server.url},model=m", "--tasks", "s1_nano"]
    arguments += ["--limit", "2", "--reasoning_effort", "low,high", "--output_path", str(tmp_path)]
    code = f"import sys; sys.argv = {['s1-eval', *arguments]!r}; from s1_models.commands.cli import main; main()"
    for _ in range(2):
        done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=280)
        assert done.returncode == 0, done.stderr[-3000:]
    assert len(server.asked) == 4, "the second run finds everything finished"
    rows = json.loads((tmp_path / "sweep.json").read_text())["settings"]
    assert [(row["reasoning_effort"], row["tasks"]["s1_nano"]["thinking_tokens"]) for row in rows] == [
        ("low", 2.0),
        ("high", 8.0),
    ]
    assert {body["reasoning_effort"] for body in server.asked} == {"low", "high"}
    traces = [path for path in tmp_path.rglob("traces.jsonl") if "effort-low" in str(path)]
    (first, _) = [json.loads(line) for line in traces[0].read_text().splitlines()]
    assert first["spans"][0]["controlled"] is False
