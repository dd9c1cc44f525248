"""The stages that ask a model: traces, domains, grades, against a real HTTP server with scripted replies and faults."""

import json
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tests.conftest import NANO, ROOT
from tests.training.chat_server import NOW, ChatServer, Reply, serving
from training.curate.chat import Answer, Endpoint, Journal, Unusable, ask_all
from training.curate.domain import RUBRIC, SUBJECTS, classify, read_code
from training.curate.grading import Script, grade_by_checker, grader, read_grade
from training.curate.stage import CurationError, question_id
from training.curate.traces import read_trace, split_thinking, write_traces


def endpoint(server: ChatServer, **options) -> Endpoint:
    usual = {"model": "scripted", "base_url": server.url, "concurrency": 4, "attempts": 3, "network_retries": 2}
    return Endpoint(**{**usual, **options})


def rows(*questions: str) -> list[dict]:
    return [{"id": question_id(text), "question": text} for text in questions]


THOUGHT = Reply(content="The answer is 4.", reasoning_content="Two and two make four.")
TAGGED = Reply(content="<think>\nTwo and two make four.\n</think>\n\nThe answer is 4.")
OPENED = Reply(content="Two and two make four.\n</think>\nThe answer is 4.")  # the chat template wrote <think>
TWICE = Reply(content=TAGGED.content, reasoning_content="Two and two make four.")


@pytest.mark.parametrize("reply", [THOUGHT, TAGGED, OPENED, TWICE], ids=["apart", "tags", "opened", "both"])
def test_a_teachers_thinking_is_found_apart_and_between_tags(reply: Reply, tmp_path: Path, nano_tokenizer) -> None:
    with serving(lambda *_: reply) as server:
        [made] = write_traces(rows("2 + 2?"), endpoint(server), tmp_path / "j.jsonl", nano_tokenizer).rows
    assert (made["thinking"], made["answer"]) == ("Two and two make four.", "The answer is 4.")
    assert made["trace_error"] is None
    assert made["length"] == len(nano_tokenizer.encode("Two and two make four.", add_special_tokens=False))
    assert server.asked == [[{"role": "user", "content": "2 + 2?"}]]  # the bare question


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (Reply(content="The answer is 4."), "neither reasoning_content nor a closing think tag"),
        (Reply(content="", reasoning_content="Hm."), "the reply has no answer"),
        (Reply(content="</think>4"), "the reply has no thinking"),
        (replace(TAGGED, finish_reason="length"), "cut off at its token limit"),
    ],
)
def test_a_reply_that_is_no_trace_is_asked_for_again_and_then_says_why(
    reply: Reply, reason: str, tmp_path: Path, nano_tokenizer
) -> None:
    with serving(lambda *_: reply) as server:
        result = write_traces(rows("2 + 2?"), endpoint(server), tmp_path / "j.jsonl", nano_tokenizer)
    assert server.seen == {"2 + 2?": 3}
    [made] = result.rows
    assert reason in made["trace_error"]
    assert made["thinking"] is None
    assert result.figures["failed"] == 1
    assert result.figures["requests"] == 3
    assert result.figures["output_tokens"] == 300  # what was thrown away was paid for as well


def test_rows_that_bring_a_trace_cost_nothing(tmp_path: Path, nano_tokenizer) -> None:
    given = [{**rows("a")[0], "thinking": "t", "answer": "x"}]
    [made] = write_traces(given, None, tmp_path / "j.jsonl", nano_tokenizer).rows
    assert (made["thinking"], made["length"], made["trace_error"]) == ("t", 1, None)
    [without] = write_traces(rows("b"), None, tmp_path / "j.jsonl", nano_tokenizer).rows
    assert without["trace_error"] == "no teacher is configured"


def test_faults_of_the_network_are_retried_and_only_that_row_fails_in_the_end(tmp_path: Path, nano_tokenizer) -> None:
    def script(question: str, before: int, _: list) -> Reply:
        if question == "busy" and before < 2:
            return Reply(status=429, headers=NOW)
        if question == "down":
            return Reply(status=500, headers=NOW)
        if question == "garbled":
            return Reply(body=b'{"choices": [')
        if question == "empty":
            return Reply(body=b'{"choices": []}')
        return THOUGHT

    asked = rows("busy", "down", "garbled", "empty", "fine")
    with serving(script) as server:
        patient = endpoint(server, max_downtime_seconds=1.0)
        result = write_traces(asked, patient, tmp_path / "j.jsonl", nano_tokenizer)
    errors = {row["question"]: row["trace_error"] for row in result.rows}
    assert errors["busy"] is errors["fine"] is None
    assert errors["down"].startswith("InternalServerError")
    assert "JSON" in errors["garbled"]
    assert "no choices" in errors["empty"]
    assert server.seen["busy"] == 3
    assert server.seen["down"] >= 3


def test_an_endpoint_that_is_busy_for_longer_than_a_few_tries_loses_no_question(tmp_path: Path) -> None:
    until = time.monotonic() + 4.0
    questions = {str(number): [{"role": "user", "content": str(number)}] for number in range(60)}

    def script(*_: object) -> Reply:
        return Reply(status=429) if time.monotonic() < until else THOUGHT

    with serving(script) as server:
        chat = endpoint(server, concurrency=16, attempts=1, network_retries=0)
        outcomes, usage = ask_all(chat, questions, read_trace, tmp_path / "j.jsonl", "x")
    assert [outcome.error for outcome in outcomes.values()] == [None] * 60
    assert usage.requests == 60, "a no is no attempt"


@pytest.mark.parametrize("status", [429, 500, 503])
def test_an_endpoint_that_answers_nobody_stops_the_run_after_a_time(status: int, tmp_path: Path) -> None:
    questions = {str(number): [{"role": "user", "content": str(number)}] for number in range(60)}
    with serving(lambda *_: Reply(status=status)) as server:
        chat = endpoint(server, max_downtime_seconds=1.0)
        with pytest.raises(CurationError, match=r"^http.*: no token came for \d s \(max_downtime=1\).*goes on from"):
            ask_all(chat, questions, read_trace, tmp_path / "j.jsonl", "x")
    assert not (tmp_path / "j.jsonl").read_text(), "no question failed"


def test_a_killed_run_asks_only_for_what_is_missing(tmp_path: Path, nano_tokenizer) -> None:
    journal = tmp_path / "j.jsonl"
    with serving(lambda question, *_: Reply(status=400) if question == "c" else THOUGHT) as server:
        write_traces(rows("a", "b", "c"), endpoint(server), journal, nano_tokenizer)
        assert set(server.seen) == {"a", "b", "c"}
    lines = journal.read_bytes().splitlines(keepends=True)
    first = json.loads(lines[0])["key"].split()[0]
    journal.write_bytes(lines[0] + lines[2] + lines[1][:40])  # killed in the middle of the last line
    with serving(lambda *_: THOUGHT) as server:
        result = write_traces(rows("a", "b", "c", "d"), endpoint(server), journal, nano_tokenizer)
    assert all(row["thinking"] for row in result.rows)
    asked_again = {question_id(question) for question in server.seen}
    assert first not in asked_again or json.loads(lines[0])["value"] is None
    assert question_id("c") in asked_again  # what failed is tried again
    assert question_id("d") in asked_again
    with serving(lambda *_: THOUGHT) as server:
        write_traces(rows("a", "b", "c", "d"), endpoint(server), journal, nano_tokenizer)
        assert server.seen == {}
        write_traces(rows("a"), endpoint(server, model="another"), journal, nano_tokenizer)
        assert server.seen == {"a": 1}  # another teacher's traces are not this one's


def test_a_journal_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "j.jsonl").write_text('{"some": "thing"}\n')
    with pytest.raises(CurationError, match=r"j.jsonl, line 1: not a line of a journal"):
        Journal(tmp_path / "j.jsonl", "settings")


@pytest.mark.parametrize("status", [401, 403, 404])
def test_an_endpoint_that_refuses_stops_the_run_at_once(status: int, tmp_path: Path) -> None:
    questions = {str(number): [{"role": "user", "content": str(number)}] for number in range(50)}
    with (
        serving(lambda *_: Reply(status=status)) as server,
        pytest.raises(CurationError, match="check the key in S1_TEST_KEY, the model's name and base_url"),
    ):
        ask_all(endpoint(server, api_key_env="S1_TEST_KEY"), questions, read_trace, tmp_path / "j.jsonl", "x")
    assert len(server.asked) <= 4


def test_an_endpoint_that_fails_on_everything_stops_the_run_and_keeps_what_came(tmp_path: Path) -> None:
    questions = {str(number): [{"role": "user", "content": str(number)}] for number in range(200)}

    def script(question: str, *_: object) -> Reply:
        return THOUGHT if int(question) < 10 else Reply(status=400, body=b'{"error": {"message": "out of credit"}}')

    with (
        serving(script) as server,
        pytest.raises(CurationError, match=r"20 questions in a row failed at .*out of credit.*goes on from there"),
    ):
        ask_all(endpoint(server), questions, read_trace, tmp_path / "j.jsonl", "x")
    kept = [json.loads(line) for line in (tmp_path / "j.jsonl").read_text().splitlines()]
    assert {line["key"].split()[0] for line in kept if line["value"]} == {str(number) for number in range(10)}
    assert len(server.asked) < 60


def test_questions_that_failed_before_may_all_fail_again(tmp_path: Path) -> None:
    hard = {f"hard {number}": [{"role": "user", "content": f"hard {number}"}] for number in range(15)}
    more = {f"more {number}": [{"role": "user", "content": f"hard {number + 15}"}] for number in range(15)}
    fine = {"fine": [{"role": "user", "content": "fine"}]}
    journal = tmp_path / "j.jsonl"
    with serving(lambda question, *_: THOUGHT if question == "fine" else Reply(status=400)) as server:
        ask_all(endpoint(server), hard, read_trace, journal, "x")
        ask_all(endpoint(server), more, read_trace, journal, "x")
        outcomes, _ = ask_all(endpoint(server), {**hard, **more, **fine}, read_trace, journal, "x")
        # What was never asked is among the first four, which are in flight together.
        assert "fine" in [messages[0]["content"] for messages in server.asked[30:34]]
    assert [key for key, outcome in outcomes.items() if outcome.value] == ["fine"]


def test_another_text_under_the_same_key_is_another_question(tmp_path: Path) -> None:
    with serving(lambda *_: Reply(content="It is.\nYes")) as server:
        grade = grader(endpoint(server), "always", tmp_path / "j.jsonl")
        for text in ("4", "5", "4"):
            grade([script_of("row small", text, "4", solution="4")])
        assert len(server.asked) == 2


def test_costs_are_counted_over_all_runs_of_a_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("S1_TEST_KEY", "secret")
    prices = {"usd_per_million_input": 1.0, "usd_per_million_output": 10.0, "api_key_env": "S1_TEST_KEY"}
    questions = {key: [{"role": "user", "content": key}] for key in "ab"}
    with serving(lambda *_: THOUGHT) as server:
        chat = endpoint(server, temperature=0.5, extra={"top_k": 3}, **prices)
        ask_all(chat, {"a": questions["a"]}, read_trace, tmp_path / "j.jsonl", "x")
        _, usage = ask_all(chat, questions, read_trace, tmp_path / "j.jsonl", "x")
        assert (server.bodies[0]["temperature"], server.bodies[0]["top_k"]) == (0.5, 3)
    assert (usage.input_tokens, usage.output_tokens, usage.requests) == (20, 200, 2)
    assert usage.usd == pytest.approx(20e-6 + 2000e-6, abs=1e-4)
    assert server.keys == {"Bearer secret"}
    assert "secret" not in (tmp_path / "j.jsonl").read_text()


def test_think_tags_are_split_at_the_first_end() -> None:
    assert split_thinking("<think>a</think>b</think>c") == ("a", "b</think>c")
    assert split_thinking("no tags") is None


@pytest.mark.parametrize(
    ("text", "code"),
    [("About circles.\n51", "51"), ("Primes.\n\n**11**\n", "11"), ("x\nCode: 68.", "68"), ("x\nMSC 05", "05")],
)
def test_a_subjects_code_is_read_from_the_last_line(text: str, code: str) -> None:
    assert read_code(text) == code


@pytest.mark.parametrize("text", ["", "51 or so, I think it is 51 degrees", "About circles.\n02", "51\nI hope so."])
def test_a_reply_without_a_code_of_the_list_is_unusable(text: str) -> None:
    with pytest.raises(Unusable):
        read_code(text)


def test_a_domain_off_the_list_is_asked_again_told_why_and_then_rejected(tmp_path: Path) -> None:
    def script(question: str, before: int, conversation: list) -> Reply:
        if question == "slow":
            return Reply(content="Circles.\n51" if before == 2 else "Circles.\n99")
        return Reply(content="I would rather not.")

    asked = [*rows("slow", "never"), {**rows("given")[0], "domain": "Geometry"}]
    with serving(script) as server:
        result = classify(asked, endpoint(server), tmp_path / "j.jsonl")
    assert [(row["question"], row["domain"]) for row in result.rows] == [
        ("slow", SUBJECTS["51"]),
        ("given", "Geometry"),
    ]
    [rejected] = result.rejected
    assert rejected.rule == "no domain"
    assert "no code on the last line: 'I would rather not.'" in rejected.detail
    again = next(one for one in server.asked if len(one) == 4 and one[1]["content"] == "slow")
    assert again[0] == {"role": "system", "content": RUBRIC}
    assert again[2] == {"role": "assistant", "content": "Circles.\n99"}
    assert "99 is not on the list" in again[3]["content"]


def test_the_rubric_lists_every_subject_once() -> None:
    assert len(set(SUBJECTS.values())) == len(SUBJECTS) == 63
    assert all(f"{code} {title}\n" in RUBRIC for code, title in SUBJECTS.items())


def script_of(key: str, text: str, reference: str | None, **more) -> Script:
    return Script(key, "What is it?", text, reference, more.pop("solution", None), **more)


def test_the_checker_grades_what_has_a_reference() -> None:
    grades, _ = grade_by_checker(
        [
            script_of("right", r"So it is $\boxed{\frac12}$.", "0.5"),
            script_of("wrong", r"$\boxed{3}$", "0.5"),
            script_of("letter", "The answer is (B).", "B", kind="choice"),
            script_of("proof", "It follows.", None, solution="It follows."),
            script_of("empty", "4", " "),
        ]
    )
    assert grades == {"right": True, "wrong": False, "letter": True, "proof": None, "empty": None}


def test_a_model_grades_only_what_the_checker_cannot(tmp_path: Path) -> None:
    scripts = [
        script_of("plain", "4", "4", solution="2+2=4"),
        script_of("proof", "It follows from A.", None, solution="By A."),
        script_of("nothing", "x", None),
    ]
    asked: list[str] = []

    def script(question: str, before: int, _: list) -> Reply:
        asked.append(question)
        return Reply(content="Sound.\n**Yes**." if before else "Maybe")

    with serving(script) as server:
        grades, figures = grader(endpoint(server), "ungradable", tmp_path / "j.jsonl")(scripts)
        assert grades == {"plain": True, "proof": True, "nothing": None}
        assert len(asked) == 2  # "Maybe" was not taken
        assert "# Correct solution\n\nBy A." in asked[0]
        assert "# Attempt\n\nIt follows from A." in asked[0]
        assert figures["graded_by"] == "ungradable: scripted"
        grades, _ = grader(endpoint(server), "always", tmp_path / "all.jsonl")(scripts)
        assert grades == {"plain": True, "proof": True, "nothing": None}
        assert len(asked) == 5
    with pytest.raises(Unusable):
        read_grade(Answer("Yes, but also no", None, "stop"))


RUN_AND_WAIT = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # also where the parent ignores interrupts
sys.argv[0] = "training.curate"
from training.curate.__main__ import app
app()
"""


@pytest.mark.slow
def test_ctrl_c_keeps_what_was_answered(tmp_path: Path) -> None:
    release = threading.Event()

    def script(question: str, *_: object) -> Reply:
        if question.startswith("slow"):
            release.wait(30)
        return THOUGHT

    given = [{"question": f"{'fast' if number < 5 else 'slow'} {number}", "solution": "4"} for number in range(9)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in given))
    fixtures = Path(__file__).parent / "fixtures" / "benchmarks"
    with serving(script) as server:
        settings = {
            "out": str(tmp_path / "out"),
            "collect": {"rows": str(tmp_path / "rows.jsonl")},
            "decontaminate": {"questions": str(fixtures)},
            "traces": {"teacher": {"model": "scripted", "base_url": server.url, "concurrency": 4}},
            "render": {"tokenizer": str(NANO)},
        }
        (tmp_path / "my.json").write_text(json.dumps(settings))  # JSON is YAML
        command = [
            sys.executable,
            "-c",
            RUN_AND_WAIT,
            "run",
            "--config",
            str(tmp_path / "my.json"),
            "--until",
            "traces",
        ]
        running = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        journal = tmp_path / "out" / "journals" / "traces.jsonl"
        deadline = time.monotonic() + 240
        while not journal.exists() or len(journal.read_text().splitlines()) < 5:
            assert time.monotonic() < deadline, "the run answered nothing"
            assert running.poll() is None, running.communicate()
            time.sleep(0.05)
        running.send_signal(signal.SIGINT)
        _, said = running.communicate(timeout=60)
        release.set()
    assert running.returncode == 130, said
    assert "What is finished is kept; the same command goes on from there." in said
    kept = [json.loads(line) for line in journal.read_text().splitlines()]
    assert len(kept) == 5
    assert all(line["value"] for line in kept)
