"""Stops that are texts: found in whatever tokens spell them, cut where they begin, within every budget."""

import random
from functools import cache
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from s1_models.driver import run
from s1_models.forcing import Budget, BudgetForcing, Finish, Marks, Phase, Policy, Reply, Tokens
from s1_models.formats import encode, stop_ids, stop_texts
from s1_models.policies.stop_texts import StopAtTexts
from tests.models.tokenizers_made_here import make_tokenizer
from tests.scripted_engine import ScriptedEngine

END = "</think>"
# Pieces that hold a part of the delimiter together with what stands before or after it.
MERGES = (
    *((".", "<"), ("<", "/"), (".<", "/"), (">", "Ċ"), ("t", "h"), ("i", "n"), ("in", "k"), ("th", "ink")),
    *(("think", ">"), ("think", ">Ċ"), ("</", "think"), ("Ã", "©"), ("Ã©", "<")),
)
PIECES = [
    *("<", "/", "</", ".<", ".</", "th", "ink", "think", "think>", "think>Ċ", "</think", ">", ">Ċ", "i", "n", "k"),
    *("t", "h", ".", "a", "Ċ", "Ã", "©", "Ã©", "Ã©<"),
]


@cache
def tokenizer() -> Any:
    return make_tokenizer(["<eos>"], "<eos>", None, MERGES)


def decode(tokens: Tokens) -> str:
    return tokenizer().decode(list(tokens), skip_special_tokens=False)  # type: ignore[no-any-return]


def ids(pieces: list[str]) -> Tokens:
    return tuple(tokenizer().convert_tokens_to_ids(pieces))


def policy(limit: int, chunk: int, waits: int = 0) -> StopAtTexts:
    marks = Marks((), encode(tokenizer(), END), encode(tokenizer(), END), (5,), (), frozenset(), frozenset({0}))
    forcing = BudgetForcing(Budget(num_waits=waits, max_thinking_tokens=limit, max_answer_tokens=5), marks, 1000)
    return StopAtTexts(forcing, (END,), (), decode, lambda text: encode(tokenizer(), text), chunk)


def think(of: Policy, written: Tokens) -> tuple[Any, int]:
    """The session after its first thinking, of a model that writes these tokens; how many requests it took."""
    session, requests = of.begin(()), 0
    while (request := of.request(session)) is not None and request.phase is Phase.THINKING:
        assert request.max_tokens >= 1
        assert request.prefix == written[: len(request.prefix)]
        came = written[len(request.prefix) :][: request.max_tokens]
        session = of.advance(session, Reply(came, Finish.LENGTH))
        requests += 1
    return session, requests


runs = st.lists(
    st.sampled_from(PIECES).map(lambda piece: [piece])
    | st.sampled_from(
        [[".</", "think>"], ["</think", ">Ċ"], ["Ã©<", "/", "th", "i", "n", "k", ">"], ["<", "/", "think"]]
    ),
    max_size=50,
)


@given(runs, st.integers(1, 60), st.integers(1, 70))
@settings(max_examples=60, deadline=None)
def test_the_text_before_the_first_stop_is_kept_however_it_is_spelt(
    pieces: list[list[str]], limit: int, chunk: int
) -> None:
    written = ids([*(piece for run in pieces for piece in run), *["a"] * 60])
    session, requests = think(policy(limit, chunk), written)
    text = decode(written[:limit])
    thinking = tuple(token for span in session.spans if span.phase is Phase.THINKING for token in span.tokens)
    assert session.thinking_tokens <= limit
    assert requests <= -(-limit // chunk)
    assert session.cut_off == (END not in text)
    kept = decode(thinking)
    expected = text.partition(END)[0]
    # What is left of a token that also held a part of the stop may need more tokens than there were: then it is cut.
    assert kept == expected or (expected.startswith(kept) and len(expected) - len(kept) <= 3)


@given(st.integers(0, 40), st.randoms(use_true_random=False), st.integers(1, 64))
@settings(max_examples=60, deadline=None)
def test_a_delimiter_in_any_tokenization_ends_the_thinking(before: int, draw: random.Random, chunk: int) -> None:
    spelt: list[str] = []
    rest = END + "\n"
    while rest:
        begins = [piece for piece in PIECES if rest.startswith(piece.replace("Ċ", "\n"))]
        spelt.append(draw.choice(begins))
        rest = rest[len(spelt[-1]) :]
    written = ids(["a"] * before + spelt + ["k"] * 70)
    session, _ = think(policy(100, chunk), written)
    assert not session.cut_off
    assert session.thinking_tokens == before


def test_characters_of_several_tokens_are_read_whole_whatever_the_chunks() -> None:
    written = ids(["Ã", "©"] * 10 + ["Ã", "©", ".</", "think>Ċ", "a"])
    for chunk in range(1, 30):
        session, _ = think(policy(60, chunk), written)
        assert decode(session.spans[0].tokens) == "é" * 11 + "."


def test_a_stop_in_the_prompt_or_the_wait_is_not_found_in_the_reply() -> None:
    session = policy(20, 4).advance(policy(20, 4).begin(encode(tokenizer(), END)), Reply(ids(["a"] * 4), Finish.LENGTH))
    assert session.phase is Phase.THINKING
    assert len(session.pending) == 1


def test_dropped_ids_count_towards_the_limit_so_that_every_session_ends() -> None:
    of = policy(10, 4)
    session = of.begin(())
    asked = []
    while (request := of.request(session)) is not None and request.phase is Phase.THINKING:
        asked.append(request.max_tokens)
        session = of.advance(session, Reply((), Finish.LENGTH, dropped=request.max_tokens))
    assert asked == [4, 4, 2]
    assert session.dropped_tokens == 10
    assert session.cut_off


def test_a_whole_run_waits_at_texts_and_each_chunk_is_seeded_anew() -> None:
    story = ids(["a", "a", ".</", "think>Ċ", "a"])

    def write(prefix: Tokens) -> int:
        return story[len(prefix) % len(story)]

    engine = ScriptedEngine(write, 400)
    sessions = run(policy(30, 3, waits=2), engine, [()] * 2)
    assert sessions[0] == sessions[1]
    assert sessions[0].waits_used == 2
    assert sessions[0].replies > 3
    assert all(request.max_tokens <= 3 for request in engine.history if request.phase is Phase.THINKING)


def test_which_stops_are_texts() -> None:
    tags = make_tokenizer(["</think>", "<eos>"], "<eos>", None, MERGES)
    assert stop_texts(tags, ("</think>", "<eos>", "think", "two words")) == ("think", "two words")
    assert stop_ids(tags, ("</think>", "two words")) == {tags.convert_tokens_to_ids("</think>")}


def test_an_engine_whose_replies_hold_nothing_is_not_asked_for_ever() -> None:
    of = policy(limit=20, chunk=4)
    session, requests = of.begin(()), 0
    while of.request(session) is not None and requests < 50:
        session = of.advance(session, Reply((), Finish.LENGTH))
        requests += 1
    assert session.phase is Phase.DONE
    assert session.cut_off
