"""What is written to a completions server, and which replies are taken: no server, no network"""

import random
from dataclasses import replace
from typing import Any

import pytest

from s1_models.engines.openai.completions import Dialect, ReplyReader, Untrusted
from s1_models.forcing import Finish, Phase, Reply, Request

WORDS = ["<s>", "</s>", "<end>", "a", "b", "c", "d", "e"]


def decode(tokens: tuple[int, ...]) -> str:
    return " ".join(WORDS[token] for token in tokens)


def encode(text: str) -> tuple[int, ...]:
    return tuple(WORDS.index(word) if word in WORDS else 3 for word in text.split())


BY_IDS = Dialect("m", token_ids=True, extensions=True, encode=encode, decode=decode, known_ids=8)
BY_TEXT = replace(BY_IDS, token_ids=False)
PLAIN = replace(BY_TEXT, extensions=False)
REQUEST = Request((0, 3, 4), 5, frozenset({1, 2}), Phase.THINKING, 0, (("temperature", 0.0),))


def chunks(ids: list[int], finish: str, **last: Any) -> list[dict[str, Any]]:
    """A streamed reply as vLLM sends it, two tokens at a time."""
    pieces = [ids[start : start + 2] for start in range(0, len(ids), 2)] or [[]]
    choices = [{"index": 0, "text": "", "finish_reason": None, "token_ids": piece} for piece in pieces]
    choices[0]["prompt_token_ids"] = list(REQUEST.prefix)
    choices[-1] |= {"finish_reason": finish, **last}
    usage = {"prompt_tokens": 3, "completion_tokens": len(ids)}
    return [*({"choices": [choice]} for choice in choices), {"choices": [], "usage": usage}]


def read(stream: list[Any], dialect: Dialect = BY_IDS, request: Request = REQUEST) -> Reply:
    reader = ReplyReader(dialect, request)
    for chunk in stream:
        reader.read(chunk)
    return reader.reply()


def text(words: str, finish: str) -> list[dict[str, Any]]:
    return [{"choices": [{"index": 0, "text": words, "finish_reason": finish}]}]


def test_a_reply_ends_at_its_limit_or_at_a_stop_which_is_not_in_it() -> None:
    assert read(chunks([3, 4, 5, 6, 7], "length")) == Reply((3, 4, 5, 6, 7), Finish.LENGTH)
    assert read(chunks([3, 4, 2], "stop", stop_reason=2)) == Reply((3, 4), Finish.STOP)
    assert read(chunks([2], "stop", stop_reason=2)) == Reply((), Finish.STOP)


def test_a_server_that_keeps_the_stop_to_itself_is_understood() -> None:
    stream = chunks([3, 4], "stop", matched_stop=2)
    assert read(stream) == Reply((3, 4), Finish.STOP)
    stream[-1]["usage"]["completion_tokens"] = 3
    assert read(stream) == Reply((3, 4), Finish.STOP)


def test_ids_nobody_knows_are_dropped_counted_and_end_what_is_known_so_far() -> None:
    reader = ReplyReader(BY_IDS, REQUEST)
    parts = []
    for chunk in chunks([3, 9, 4, 8, 5], "length"):
        reader.read(chunk)
        parts.append(reader.partial)
    assert parts == [(3,)] * len(parts)
    assert reader.reply() == Reply((3, 4, 5), Finish.LENGTH, dropped=2)


@pytest.mark.parametrize(
    ("stream", "complaint"),
    [
        (chunks([3, 4], "length"), "2 tokens are said to be the 5 allowed"),
        (chunks([3, 4, 5, 6, 7, 3], "length"), "more than the 5 tokens asked for"),
        (chunks([3, 4], "stop"), "it stopped at None, which is none of the stops"),
        (chunks([3, 6], "stop", stop_reason=6), "it stopped at 6, which is none of the stops"),
        (chunks([3, 2, 4, 5, 6], "length"), "a stop where none may be"),
        (chunks([3, 4], "abort"), "finish_reason is 'abort'"),
        (chunks([3, 4], "error"), "finish_reason is 'error'"),
        (chunks([3, 4, 2], "stop")[:1], "the stream ended early"),
        (chunks([3, 4, 2], "stop")[:-1], "counted otherwise: None"),
        ([chunks([3, 4, 2], "stop")[0], *chunks([3, 4, 2], "stop")], "counted otherwise"),
        ([*chunks([3, 2], "stop"), *chunks([3, 2], "stop")], "more than one completion"),
        ([{"choices": [{"index": 1, "token_ids": [3], "finish_reason": None}]}], "more than one completion"),
        ([{"choices": [{"index": 0, "prompt_token_ids": [0, 3], "finish_reason": None}]}], "a reply to another prompt"),
        ([{"choices": [{"index": 0, "token_ids": ["3"], "finish_reason": None}]}], "token ids that are none"),
        ([{"choices": [{"index": 0, "token_ids": [True], "finish_reason": None}]}], "token ids that are none"),
        ([{"error": {"message": "out of memory"}}], "a chunk without choices: .*out of memory"),
        ([["choices"]], "a chunk without choices"),
        (["<html>"], "a chunk without choices"),
        ([None], "a chunk without choices"),
    ],
)
def test_what_cannot_be_right_is_not_taken(stream: list[Any], complaint: str) -> None:
    with pytest.raises(Untrusted, match=complaint):
        read(stream)


def test_a_prompt_that_was_cut_by_the_server_is_noticed() -> None:
    stream = chunks([3, 4, 2], "stop")
    stream[-1]["usage"]["prompt_tokens"] = 2
    with pytest.raises(Untrusted, match="a prompt of 3 tokens is counted otherwise"):
        read(stream)


def test_a_stop_before_the_minimum_is_not_taken() -> None:
    held = replace(REQUEST, min_tokens=1)
    with pytest.raises(Untrusted, match="a stop where none may be"):
        read(chunks([2], "stop", stop_reason=2), request=held)
    with pytest.raises(Untrusted, match="a stop where none may be"):
        read(text("", "stop"), BY_TEXT, held)


def test_no_chunk_makes_the_reader_raise_anything_else() -> None:
    draw = random.Random(1)
    leaves: list[Any] = [None, True, -1, 3, 2.5, "", "stop", "x", [], {}, [3, 4], {"prompt_tokens": 3}]
    wanted = {"index": 0, "finish_reason": "stop", "token_ids": [3, 4], "text": "a b"}

    def grow(depth: int) -> Any:
        if depth == 0 or draw.random() < 0.3:
            return draw.choice(leaves)
        if draw.random() < 0.4:
            return [grow(depth - 1) for _ in range(draw.randrange(3))]
        names = ("choices", "usage", "index", "token_ids", "prompt_token_ids", "finish_reason", "text", "stop_reason")
        return {name: grow(depth - 1) for name in draw.sample(names, 4)}

    outcomes = set()
    for _ in range(6_000):
        choice = {name: value if draw.random() < 0.7 else grow(2) for name, value in wanted.items()}
        choice |= {"stop_reason": grow(1)}
        stream = [
            {
                "choices": [choice if draw.random() < 0.9 else grow(2)],
                "usage": {"prompt_tokens": 3, "completion_tokens": grow(1)},
            }
        ]
        try:
            outcomes.add(type(read(stream, draw.choice([BY_IDS, BY_TEXT]))))
        except Untrusted:
            outcomes.add(Untrusted)
    assert outcomes == {Reply, Untrusted}


def test_over_text_the_reply_is_the_text_s_own_encoding_cut_to_what_was_allowed() -> None:
    assert read(text("a b", "stop"), BY_TEXT) == Reply((3, 4), Finish.STOP)
    assert read(text("a b c", "length"), BY_TEXT) == Reply((3, 4, 5), Finish.LENGTH)
    assert read(text("a b <end> c", "length"), BY_TEXT) == Reply((3, 4), Finish.STOP)
    assert read(text("a b c d e a", "length"), BY_TEXT) == Reply((3, 4, 5, 6, 7), Finish.LENGTH)
    # A stop needs a token of its own: where it would be one more than allowed, the limit came first.
    assert read(text("a b c d e", "stop"), BY_TEXT) == Reply((3, 4, 5, 6, 7), Finish.LENGTH)


def test_what_is_asked_is_said_in_each_server_s_own_way() -> None:
    body = BY_IDS.body(REQUEST)
    assert body["prompt"] == [0, 3, 4]
    assert body["stop_token_ids"] == [1, 2]
    assert "stop" not in body
    body = replace(BY_TEXT, bos="<s>").body(REQUEST)
    assert body["prompt"].split() == ["a", "b"], "this server adds the BOS itself"
    assert body["stop"] == ["</s>", "<end>"]
    body = PLAIN.body(REQUEST)
    assert body["prompt"] == "<s> a b"
    assert body["stop"] == ["</s>", "<end>"]
    assert "stop_token_ids" not in body


def test_what_a_plain_server_cannot_do_is_said() -> None:
    with pytest.raises(ValueError, match="does not take min_p, top_k"):
        PLAIN.body(replace(REQUEST, sampling=(("min_p", 0.1), ("top_k", 5))))
    with pytest.raises(ValueError, match="cannot be told to go on after an empty wait"):
        PLAIN.body(replace(REQUEST, min_tokens=1))
