"""Transcripts and traces.jsonl."""

import copy
import json
import pickle
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from s1_models.forcing import Budget, BudgetForcing, Finish, Phase, Reply, Session, Span
from s1_models.formats import FORMATS, encode, mark
from s1_models.trace import TRACES_FILE, transcribe, write_traces
from tests.models.tokenizers_made_here import make_tokenizer


@cache
def family_tokenizer() -> Any:
    harmony = ["<|start|>", "<|end|>", "<|message|>", "<|channel|>", "<|return|>", "<|call|>"]
    return make_tokenizer(["<|im_start|>", "<|im_end|>", "<think>", "</think>", *harmony], "<|im_end|>")


def decode(tokens: tuple[int, ...]) -> str:
    return bytes(tokens).decode("utf-8", errors="replace")


def session(*spans: tuple[str, Phase, bool]) -> Session:
    return Session(
        prompt=(1, 2),
        spans=tuple(Span(tuple(text.encode()), phase, forced) for text, phase, forced in spans),
        phase=Phase.DONE,
        thinking_limit=99,
        waits_used=1,
        cut_off=True,
    )


FULL = session(
    ("<t>", Phase.OPENING, True),
    ("abc", Phase.THINKING, False),
    ("Wait", Phase.THINKING, True),
    ("</t>", Phase.ANSWERING, True),
    ("42\n\nQuestion: next", Phase.ANSWERING, False),
)


def test_a_transcript_is_the_whole_text_with_its_accounting() -> None:
    transcript = transcribe(FULL, decode)
    assert transcript == "<t>abcWait</t>42\n\nQuestion: next"
    assert transcript.usage == {
        "thinking_tokens": 7,
        "answer_tokens": 18,
        "waits_used": 1,
        "cut_off": 1,
        "answer_cut_off": 0,
        "answer_asked": 0,
        "thinking_limit": 99,
        "dropped_tokens": 0,
        "forced_tokens": 11,
        "wasted_tokens": 0,
        "generated_tokens": 0,
        "requests": 0,
        "read_tokens": 0,
    }
    assert [(span["text"], span["forced"]) for span in transcript.spans][1:3] == [("abc", False), ("Wait", True)]


def test_until_cuts_the_answer_and_never_the_thinking() -> None:
    assert transcribe(FULL, decode, until=["Question:", "\n\n"]) == "<t>abcWait</t>42"
    assert transcribe(FULL, decode, until=["abc"]) == "<t>abcWait</t>42\n\nQuestion: next"
    assert transcribe(FULL, decode, until=["</t>"]) == "<t>abcWait</t>42\n\nQuestion: next", "nor what was forced"


def test_the_newline_that_opens_an_answer_does_not_end_it() -> None:
    asked = session(("</t>\nFinal Answer:", Phase.ANSWERING, True), ("\n 42\nQuestion", Phase.ANSWERING, False))
    assert transcribe(asked, decode, until=["\n"]) == "</t>\nFinal Answer:\n 42"


def test_characters_are_decoded_from_all_tokens_together() -> None:
    euro = "€".encode()
    split = Session(
        (), (Span(tuple(euro[:1]), Phase.THINKING, False), Span(tuple(euro[1:]), Phase.THINKING, True)), Phase.DONE, 9
    )
    assert transcribe(split, decode) == "€"


def test_a_transcript_survives_copying_and_pickling() -> None:
    transcript = transcribe(FULL, decode)
    for again in (copy.deepcopy(transcript), pickle.loads(pickle.dumps(transcript))):
        assert again == transcript
        assert again.usage == transcript.usage
        assert again.spans == transcript.spans


def test_traces_are_one_line_a_response_and_runs_into_one_folder_are_kept_apart(tmp_path: Path) -> None:
    transcript = transcribe(FULL, decode)
    samples = [{"doc_id": 3, "doc_hash": "h", "resps": [[transcript, transcript]]}, {"doc_id": 4, "resps": [["plain"]]}]
    assert write_traces(tmp_path / "new", "aime24", "run-1", samples) == 2
    assert write_traces(tmp_path / "new", "aime24", "run-2", samples) == 2
    lines = [json.loads(line) for line in (tmp_path / "new" / TRACES_FILE).read_text().splitlines()]
    assert [(line["run"], line["doc_id"], line["repeat"]) for line in lines] == [
        ("run-1", 3, 0),
        ("run-1", 3, 1),
        ("run-2", 3, 0),
        ("run-2", 3, 1),
    ]
    assert "".join(span["text"] for span in lines[0]["spans"]) == transcript
    assert lines[0]["thinking_tokens"] == 7


def test_a_response_logged_under_two_filters_is_traced_once(tmp_path: Path) -> None:
    sample = {"doc_id": 3, "doc_hash": "h", "resps": [[transcribe(FULL, decode)]]}
    assert (
        write_traces(tmp_path, "gsm8k", "run", [{**sample, "filter": "strict"}, {**sample, "filter": "flexible"}]) == 1
    )


def test_plain_responses_leave_no_file(tmp_path: Path) -> None:
    assert write_traces(tmp_path, "aime24", "run", [{"doc_id": 0, "resps": [["plain"]]}]) == 0
    assert not (tmp_path / TRACES_FILE).exists()


def test_a_transcript_says_where_its_answer_begins_also_when_it_is_cut() -> None:
    begun = replace(FULL, answer_at=3 + 3 + 4 + 4)  # behind </t>
    whole, cut = transcribe(begun, decode), transcribe(begun, decode, until=["Question:"])
    assert whole.answer == "42\n\nQuestion: next"
    assert cut.answer == "42\n\n"
    assert transcribe(FULL, decode).answer_start is None


@settings(deadline=None)
@given(
    st.text(max_size=9),
    st.text(min_size=1, max_size=9).filter(str.strip),
    st.booleans(),
    st.lists(st.text(max_size=2), max_size=2),
)
def test_the_answer_begins_behind_the_delimiter_of_every_format(
    thought: str, answer: str, cut_off: bool, until: list[str]
) -> None:
    """Whatever is thought and answered (delimiters as text as well), in real tokens of a real tokenizer."""
    tokenizer = family_tokenizer()
    for form in FORMATS.values():
        marks = mark(tokenizer, form, Budget(), frozenset({tokenizer.eos_token_id}))
        policy = BudgetForcing(Budget(), marks, context_window=4096)
        if policy.is_empty(encode(tokenizer, answer)):
            continue
        session = policy.advance(
            policy.begin((1,)), Reply(encode(tokenizer, thought), Finish.LENGTH if cut_off else Finish.STOP)
        )
        session = policy.advance(session, Reply(encode(tokenizer, answer), Finish.STOP))
        response = transcribe(session, lambda ids: tokenizer.decode(list(ids)), until)
        begun = response[: response.answer_start]
        assert begun.endswith(form.end)
        asked = f"{form.after_end}Final Answer:" if cut_off else ""
        assert response.answer.startswith(asked)
        assert answer.startswith(response.answer.removeprefix(asked))
        assert until or response.answer == asked + answer
