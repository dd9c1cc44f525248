"""Policies as recipes: the adapter is pure, keeps every rule, and budget forcing as a recipe is the table."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any

import pytest

from s1_models.driver import EngineError, Job, run_jobs
from s1_models.forcing import Budget, BudgetError, BudgetForcing, Finish, Marks, Phase, Policy, Reply, Request, Session
from s1_models.policies.methods import OURS, NoOptions, PolicyOptionError, make_options, methods
from s1_models.policies.recipe import Asks, Pen, PolicyError, Recipe
from s1_models.trace import usage_of

STOP, EOS, CLOSE, WAIT, COLON, NEWLINE = 90, 91, 92, 87, 58, 10
LETTERS = "abcdefgh \n."


def encode(text: str) -> tuple[int, ...]:
    return tuple(map(ord, text))


def decode(tokens: tuple[int, ...]) -> str:
    return "".join(map(chr, tokens))


MARKS = Marks(
    open=(1,),
    close=(CLOSE,),
    cut_off=(CLOSE, COLON),
    wait=(WAIT,),
    newline=(NEWLINE,),
    ends=frozenset({STOP, EOS}),
    answer_ends=frozenset({EOS}),
    line_ends=frozenset({NEWLINE}),
    ask=(COLON,),
    blank=frozenset({32, NEWLINE}),
)


@dataclass
class HashEngine:
    """A model whose next token is a hash of all before it: greedy, so every chunking says the same. It counts."""

    seed: int
    stops: int = 12  # one token in so many ends a reply
    context_window: int = 300
    generated: int = 0
    requests: int = 0
    read: int = 0

    def __post_init__(self) -> None:
        self.replies: list[tuple[Any, Reply]] = []

    def next_token(self, prefix: tuple[int, ...], ends: list[int]) -> int:
        drawn = int.from_bytes(blake2b(repr((self.seed, prefix)).encode(), digest_size=4).digest(), "little")
        if drawn % self.stops == 0:
            return ends[drawn // self.stops % len(ends)]
        return ord(LETTERS[drawn // self.stops % len(LETTERS)])

    def reply(self, request: Request) -> Reply:
        tokens: list[int] = []
        ends = sorted(request.stop)
        while len(tokens) < request.max_tokens:
            token = self.next_token((*request.prefix, *tokens), ends)
            if token in request.stop:
                if len(tokens) >= request.min_tokens:
                    return Reply(tuple(tokens), Finish.STOP)
                token = ord("a")
            tokens.append(token)
        return Reply(tuple(tokens), Finish.LENGTH)

    def submit(self, key: Any, request: Request) -> None:
        reply = self.reply(request)
        self.requests += 1
        self.read += len(request.prefix)
        self.generated += len(reply.tokens)
        self.replies.append((key, reply))

    def poll(self, timeout_seconds: float | None = None) -> list[tuple[Any, Reply]]:
        replies, self.replies = self.replies, []
        return replies

    def partial(self) -> list[tuple[Any, tuple[int, ...]]]:
        return []

    def cancel(self) -> None:
        self.replies.clear()


def random_budget(draw: random.Random) -> Budget:
    most = draw.choice([None, 0, 1, 7, 30, 80])
    least = draw.choice([0, 0, 5, 20])
    return Budget(
        num_waits=draw.choice([0, 0, 1, 2, 5]),
        max_thinking_tokens=most,
        min_thinking_tokens=least if most is None else min(least, most),
        max_answer_tokens=draw.choice([1, 4, 20]),
    )


def run_one(policy: Policy, engine: HashEngine, prompt: tuple[int, ...]) -> Session:
    (session,) = run_jobs([Job(policy, prompt)], engine)
    return session


def recipe_of(name: str, forcing: BudgetForcing, **options: Any) -> Recipe:
    method = methods()[name]
    return Recipe(name, method.recipe, make_options(name, options), forcing, encode, decode)


def outside(session: Session) -> tuple[Any, ...]:
    """What a session says, joined over spans that follow one another: a chunk is no span of its own."""
    text = [(span.phase, span.forced, token) for span in session.spans for token in span.tokens]
    return text, session.phase, session.waits_used, session.cut_off, session.answer_cut_off, session.answer_at


def chunked(pen: Pen, _: NoOptions) -> Asks[None]:
    """Budget forcing, three tokens at a time."""
    while not (yield from pen.thinking(3)) and pen.room > 0:
        pass
    yield from pen.answer()


def looking(pen: Pen, _: NoOptions) -> Asks[None]:
    """Budget forcing that looks up after every full stop."""
    while not (yield from pen.think_until(["."])) and pen.room > 0:
        pass
    yield from pen.answer()


@pytest.mark.parametrize("recipe", [OURS["budget_forcing"].recipe, chunked, looking])
def test_budget_forcing_as_a_recipe_is_the_table_chunked_or_not(recipe: Any) -> None:
    draw = random.Random(7)
    for case in range(400):
        forcing = BudgetForcing(random_budget(draw), MARKS, context_window=300)
        prompt = tuple(draw.randrange(97, 105) for _ in range(draw.randrange(1, 12)))
        stops = draw.choice([2, 6, 15, 60])
        expected = run_one(forcing, HashEngine(case, stops), prompt)
        policy = Recipe("test", recipe, NoOptions(), forcing, encode, decode)
        assert outside(run_one(policy, HashEngine(case, stops), prompt)) == outside(expected), case


CASES: dict[str, dict[str, Any]] = {
    "budget_forcing": {},
    "graceful": {"cut_message": "now.", "hint": "soon", "hint_at": 0.5},
    "no_thinking": {"dummy_thinking": "ok"},
    "converge": {"probe_every": 6, "agree": 2, "probe_tokens": 3},
    "record": {"probe_after": ".", "probe_tokens": 2},
    "no_wait": {"banned": "a|b"},
    "scheduled_waits": {"mean_thinking_tokens": 40, "paragraph": "."},
}


def sessions_of(name: str, seed: int, cases: int) -> Iterator[tuple[Session, HashEngine, BudgetForcing]]:
    draw = random.Random(seed)
    for case in range(cases):
        budget = replace(random_budget(draw), max_thinking_tokens=draw.choice([None, 30, 60]), min_thinking_tokens=0)
        forcing = BudgetForcing(budget, MARKS, context_window=300)
        engine = HashEngine(case, draw.choice([3, 8, 40]))
        yield run_one(recipe_of(name, forcing, **CASES[name]), engine, encode("abc")), engine, forcing


def test_every_policy_of_ours_is_tried_here() -> None:
    assert set(CASES) == set(OURS)


@pytest.mark.parametrize("name", CASES)
def test_a_policy_ends_within_its_budget_and_its_ledger_is_what_the_engine_counted(name: str) -> None:
    for session, engine, _ in sessions_of(name, 3, 60):
        assert session.phase is Phase.DONE
        assert session.thinking_tokens <= session.thinking_limit
        assert (session.generated_tokens, session.requests, session.read_tokens) == (
            engine.generated,
            engine.requests,
            engine.read,
        )
        sampled = sum(len(span.tokens) for span in session.spans if not span.forced)
        beside = sum(side.generated_tokens for side in session.side)
        assert sampled + beside + session.wasted_tokens == session.generated_tokens
        usage = usage_of(session)
        assert (usage["probes"], usage["probe_tokens"]) == (len(session.side), beside), "0 is told as well"


@pytest.mark.parametrize("name", CASES)
def test_advance_is_pure_whatever_is_advanced_twice_or_late(name: str) -> None:
    forcing = BudgetForcing(Budget(num_waits=1, max_thinking_tokens=40, max_answer_tokens=5), MARKS, 300)
    policy, engine = recipe_of(name, forcing, **CASES[name]), HashEngine(5, 8)
    stages = [policy.begin(encode("abc"))]
    replies = []
    while (request := policy.request(stages[-1])) is not None:
        replies.append(engine.reply(request))
        stages.append(policy.advance(stages[-1], replies[-1]))
    for stage, reply, after in reversed(list(zip(stages[:-1], replies, stages[1:], strict=True))):
        assert policy.advance(stage, reply) == after
        assert policy.request(policy.advance(stage, reply)) == policy.request(after)


def test_converge_stops_where_an_independent_simulation_stops() -> None:
    for case in range(40):
        forcing = BudgetForcing(Budget(max_thinking_tokens=60, max_answer_tokens=6), MARKS, 300)
        session = run_one(
            recipe_of("converge", forcing, probe_every=5, agree=2, probe_tokens=3), HashEngine(case, 30), encode("ab")
        )
        engine, text = HashEngine(case, 30), (*encode("ab"), 1)
        said: list[tuple[int, ...]] = []
        thought = 0
        while True:
            reply = engine.reply(Request(text, min(5, 60 - thought), MARKS.ends, Phase.THINKING))
            text, thought = text + reply.tokens, thought + len(reply.tokens)
            if reply.finish is Finish.STOP or thought >= 60:
                break
            newline = () if text[-1] == NEWLINE else (NEWLINE,)
            asked = Request((*text, *newline, CLOSE, COLON), 3, MARKS.answer_ends, Phase.PROBING)
            said.append(tuple(decode(engine.reply(asked).tokens).strip().encode()))
            if len(said) > 1 and said[-1] == said[-2]:
                break
        assert session.thinking_tokens == thought, case
        assert len(session.side) == len(said)


def test_graceful_writes_its_sentence_before_the_end_mark_and_within_the_budget() -> None:
    forcing = BudgetForcing(Budget(max_thinking_tokens=20, max_answer_tokens=5), MARKS, 300)
    session = run_one(recipe_of("graceful", forcing, cut_message="now."), HashEngine(1, 10_000), encode("abc"))
    thinking = [span for span in session.spans if span.phase is Phase.THINKING]
    assert [(span.forced, len(span.tokens)) for span in thinking] == [(False, 16), (True, 4)]
    assert session.cut_off
    assert session.thinking_tokens == 20


def test_what_is_drawn_beyond_a_text_is_kept_when_thinking_goes_on() -> None:
    plain = BudgetForcing(Budget(max_thinking_tokens=60, max_answer_tokens=5), MARKS, 300)
    expected = run_one(plain, HashEngine(2, 50), encode("abc"))
    recorded = run_one(recipe_of("record", plain, probe_after=".", probe_tokens=2), HashEngine(2, 50), encode("abc"))
    assert outside(recorded) == outside(expected)
    assert len(recorded.side) == decode(expected.tokens).count(".") - decode(expected.tokens[-6:]).count(".")
    assert recorded.wasted_tokens == 0


def broken(kind: str) -> Any:
    def recipe(pen: Pen, _: NoOptions) -> Asks[None]:
        """A recipe that breaks a rule."""
        yield from pen.thinking(2)
        if kind == "raises":
            raise KeyError("oh")
        if kind == "ends early":
            return
        if kind == "asks too much":
            yield Request((1,), 10_000, frozenset(), Phase.THINKING)
        if kind == "yields something else":
            yield "think"  # type: ignore[misc]
        pen.force("x" * 500)

    return recipe


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("raises", "policy=mine raised KeyError"),
        ("ends early", "policy=mine ended without an answer"),
        ("asks too much", "policy=mine asked for 10000 tokens"),
        ("yields something else", "policy=mine yielded 'think'"),
        ("forces too much", "policy=mine: 'xxx"),
    ],
)
def test_a_recipe_that_breaks_a_rule_is_named(kind: str, says: str) -> None:
    forcing = BudgetForcing(Budget(max_thinking_tokens=20, max_answer_tokens=5), MARKS, 300)
    policy = Recipe("mine", broken(kind), NoOptions(), forcing, encode, decode)
    with pytest.raises((PolicyError, BudgetError), match=says.replace("(", r"\(")):
        run_one(policy, HashEngine(1, 10_000), encode("abc"))


def test_a_policy_that_goes_round_in_circles_ends_with_an_error() -> None:
    class Silent(HashEngine):
        def reply(self, request: Request) -> Reply:
            return Reply((), Finish.LENGTH)

    def circles(pen: Pen, _: NoOptions) -> Asks[None]:
        while pen.room > 0:
            yield from pen.thinking(4)
        yield from pen.answer()

    forcing = BudgetForcing(Budget(max_thinking_tokens=20, max_answer_tokens=5), MARKS, 300)
    with pytest.raises(EngineError, match="asks for the same again after a reply of nothing"):
        run_one(Recipe("mine", circles, NoOptions(), forcing, encode, decode), Silent(1), encode("abc"))


@pytest.mark.parametrize(
    ("name", "given", "says"),
    [
        ("converge", {"hint": "x"}, "hint is an option of policy=graceful, not of policy=converge"),
        ("converge", {"agree": "many"}, "agree='many': expected a whole number"),
        ("converge", {"agree": 0}, "policy=converge: agree=0: expected at least 1"),
        ("graceful", {"hint_at": 2}, "expected a share between 0 and 1"),
        ("no_wait", {"nothing": 1}, "nothing is an option of no policy"),
    ],
)
def test_wrong_options_are_sentences(name: str, given: dict[str, Any], says: str) -> None:
    with pytest.raises(PolicyOptionError, match=says):
        make_options(name, given)


def test_options_are_typed_as_their_defaults() -> None:
    options = make_options("converge", {"agree": "4", "probe_every": 16.0, "probe_after": "\n"})
    assert (options.agree, options.probe_every, options.probe_after) == (4, 16, "\n")
