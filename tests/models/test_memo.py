"""The memo: what is generated once is not generated again, whatever is asked next and whenever the run is killed."""

from collections.abc import Hashable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from s1_models.driver import EngineError, Job, run_jobs
from s1_models.forcing import Budget, BudgetForcing, Finish, Marks, Phase, Reply, Request, Tokens
from s1_models.memo.memo import Memo
from tests.scripted_engine import ScriptedEngine, random_writer

GREEDY = (("temperature", 0.0),)
END, EOS = 8, 9
MARKS = Marks((20,), (21,), (21, 22), (23,), (7,), frozenset({END, EOS}), frozenset({EOS}), frozenset({7}))
MODEL = {"weights": "one", "dtype": "float32"}


def engine(stop_rate: float = 0.1, **options: object) -> ScriptedEngine:
    return ScriptedEngine(random_writer(1, 7, stop_rate, [END, EOS]), 300, **options)  # type: ignore[arg-type]


def jobs(*, prompts: int = 6, sampling: tuple[tuple[str, object], ...] = GREEDY, **budget: object) -> list[Job]:
    policy = BudgetForcing(Budget(**{"max_answer_tokens": 20, **budget}), MARKS, 300)  # type: ignore[arg-type]
    return [Job(policy, (n,), f"question {n}", sampling) for n in range(prompts)]


def ask(memo: Memo, *requests: Request) -> list[Reply]:
    for key, request in enumerate(requests):
        memo.submit(key, request)
    replies: dict[Hashable, Reply] = {}
    while came := memo.poll():
        replies.update(came)
    return [replies[key] for key in range(len(requests))]


def request(limit: int, prefix: Tokens = (1, 2), *, stop: Sequence[int] = (END,), **more: object) -> Request:
    more = {"sampling": GREEDY, **more}
    return Request(prefix, limit, frozenset(stop), Phase.THINKING, **more)  # type: ignore[arg-type]


def asked_tokens(scripted: ScriptedEngine) -> int:
    """Tokens that the engine was made to generate: the stop id of a reply is none."""
    return sum(len(scripted._generate(one).tokens) for one in scripted.history)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "memo.sqlite"


# What a request is answered with.


def test_the_same_run_again_asks_nothing(path: Path) -> None:
    with Memo(engine(), path, MODEL) as memo:
        first = run_jobs(jobs(num_waits=3), memo)
        generated = memo.generated_tokens
    again = engine()
    with Memo(again, path, MODEL) as memo:
        assert run_jobs(jobs(num_waits=3), memo) == first
        assert (memo.reused_tokens, memo.generated_tokens) == (generated, 0)
    assert again.history == []


def test_more_than_is_asked_for_is_cut(path: Path) -> None:
    with Memo(engine(0.0), path, MODEL) as memo:
        (long,) = ask(memo, request(50))
        assert ask(memo, request(20)) == [Reply(long.tokens[:20], Finish.LENGTH)]
        assert ask(memo, request(50)) == [long]
    assert memo.generated_tokens == 50


def test_of_less_than_is_asked_for_only_the_tail_is_generated(path: Path) -> None:
    scripted = engine(0.0)
    with Memo(scripted, path, MODEL) as memo:
        (short,) = ask(memo, request(20))
        (long,) = ask(memo, request(50))
    assert scripted.history[1] == request(30, (1, 2, *short.tokens))
    assert [long] == ask(Memo(engine(0.0), path, {"another": "model"}), request(50))


def test_what_a_stop_ended_is_complete_and_a_stop_needs_a_token_of_its_own(path: Path) -> None:
    scripted = engine(0.2)
    with Memo(scripted, path, MODEL) as memo:
        (stopped,) = ask(memo, request(200))
        length = len(stopped.tokens)
        assert stopped.finish is Finish.STOP
        assert length > 1
        for limit in (length + 1, 100):
            assert ask(memo, request(limit)) == [stopped]
        for limit in (1, length - 1, length):
            assert ask(memo, request(limit)) == [Reply(stopped.tokens[:limit], Finish.LENGTH)]
    assert len(scripted.history) == 1


def test_a_stop_found_in_the_tail_completes_what_is_known(path: Path) -> None:
    whole = engine(0.2)._generate(request(200))
    with Memo(engine(0.2), path, MODEL) as memo:
        for limit in range(1, len(whole.tokens) + 2):
            ask(memo, request(limit))
        assert memo.generated_tokens == len(whole.tokens)
    with Memo(engine(0.2), path, MODEL) as memo:
        assert ask(memo, request(200)) == [whole]
        assert memo.generated_tokens == 0


def test_replies_with_dropped_ids_are_remembered_as_any_other(path: Path) -> None:
    def fresh() -> ScriptedEngine:
        return ScriptedEngine(random_writer(3, 60, 0.0, [0]), 300, known_ids=50)

    generated = []
    for limit in (20, 40, 20, 40, 10, 100, 40, 20, 100):
        with Memo(fresh(), path, MODEL) as memo:
            (reply,) = ask(memo, request(limit, stop=()))
            expected = fresh()._generate(request(limit, stop=()))
            assert (reply, reply.sampled) == (expected, expected.sampled)
            assert reply.dropped > 0
            generated.append(memo.generated_tokens)
    # An engine cannot go on behind an id that was dropped, so a larger budget is generated from its beginning.
    assert generated == [20, 40, 0, 0, 0, 100, 0, 0, 0]


def test_what_was_returned_stays_when_the_engine_says_something_else_behind_a_dropped_id(path: Path) -> None:
    """On a GPU the same prompt may come out differently in another batch: neither of two replies may be forgotten."""

    def engine_of(seed: int) -> ScriptedEngine:
        return ScriptedEngine(random_writer(seed, 60, 0.0, [0]), 300, known_ids=50)

    with Memo(engine_of(3), path, MODEL) as memo:
        (short,) = ask(memo, request(20, stop=()))
    other = engine_of(4)
    with Memo(other, path, MODEL) as memo:
        (long,) = ask(memo, request(40, stop=()))
    assert short.dropped > 0
    assert long.sampled[:20] == short.sampled
    assert len(long.sampled) == 40
    assert other.history[-1].prefix == (1, 2, *short.tokens)
    assert all(token < 50 for one in other.history for token in one.prefix), "an engine reads back known ids only"
    with Memo(engine_of(5), path, MODEL, read_only=True) as memo:
        assert ask(memo, request(20, stop=()), request(40, stop=())) == [short, long]
        assert memo.generated_tokens == 0


def test_a_server_that_only_counts_what_it_dropped_is_answered_whole_or_generated_again(path: Path) -> None:
    class Text(ScriptedEngine):
        def _generate(self, request: Request) -> Reply:
            return replace(super()._generate(request), sampled=())

    def fresh() -> ScriptedEngine:
        return Text(random_writer(3, 60, 0.0, [0]), 300, known_ids=50)

    for limit in (40, 40, 10, 100, 100, 40):
        with Memo(fresh(), path, MODEL) as memo:
            assert ask(memo, request(limit, stop=())) == [fresh()._generate(request(limit, stop=()))]
    assert memo.generated_tokens == 40, "where ids were left out is not known, so it cannot be cut"


def test_min_tokens_holds_in_the_tail_as_well(path: Path) -> None:
    scripted = engine(1.0)
    with Memo(scripted, path, MODEL) as memo:
        (held,) = ask(memo, request(1, stop=(END, EOS), min_tokens=1))
        ask(memo, request(9, stop=(END, EOS), min_tokens=1))
        assert ask(memo, request(9, stop=(END, EOS))) == [Reply((), Finish.STOP)], (
            "without min_tokens another reply is right"
        )
    assert len(held.tokens) == 1
    assert [one.min_tokens for one in scripted.history] == [1, 0, 0]


@pytest.mark.parametrize(
    "other",
    [
        request(30, stop=(EOS,)),
        request(30, (1, 2, 3)),
        request(30, sampling=(("temperature", 0.0), ("top_p", 0.9))),
        request(30, sampling=(("seed", 1), ("temperature", 0.7))),
    ],
    ids=["stop ids", "prefix", "sampling", "seed"],
)
def test_another_request_is_served_nothing(path: Path, other: Request) -> None:
    with Memo(engine(), path, MODEL) as memo:
        ask(memo, request(30))
        ask(memo, other)
        assert memo.reused_tokens == 0


def test_another_model_is_served_nothing_and_the_difference_is_said(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    with Memo(engine(), path, MODEL) as memo:
        run_jobs(jobs(), memo)
    with Memo(engine(), path, {**MODEL, "dtype": "bfloat16"}) as memo:
        run_jobs(jobs(), memo)
        assert memo.reused_tokens == 0
    assert "another model's tokens, which are not used (dtype: float32, now bfloat16)" in caplog.text


def test_equal_requests_in_flight_are_generated_once(path: Path) -> None:
    scripted = engine(0.0)
    with Memo(scripted, path, MODEL) as memo:
        replies = ask(memo, request(30), request(30), request(10), request(40))
    assert [len(reply.tokens) for reply in replies] == [30, 30, 10, 40]
    assert all(replies[3].tokens[: len(reply.tokens)] == reply.tokens for reply in replies)
    assert asked_tokens(scripted) == 40


# Sampling.


class Sampling(ScriptedEngine):
    """Its tokens depend on the seed as well, and on where the request began: as an engine's draws do."""

    def _write_out(self, request: Request) -> tuple[Tokens, Finish]:
        write = random_writer(hash((dict(request.sampling)["seed"], len(request.prefix))), 7, 0.05, [END, EOS])
        return ScriptedEngine(write, 300)._write_out(request)


def sampling_engine() -> Sampling:
    return Sampling(random_writer(0, 7, 0.0, []), 300)


def test_every_repeat_is_remembered_with_its_own_seed(path: Path) -> None:
    repeats = [jobs(num_waits=2, sampling=(("seed", 40 + n), ("temperature", 0.7)))[1] for n in range(4)]
    with Memo(sampling_engine(), path, MODEL) as memo:
        first = run_jobs(repeats, memo)
    assert len({session.tokens for session in first}) == 4, "every repeat draws its own sample"
    with Memo(sampling_engine(), path, MODEL) as memo:
        assert run_jobs(repeats, memo) == first
        assert memo.generated_tokens == 0


def test_a_sample_known_in_part_is_continued_with_a_seed_of_its_own(path: Path) -> None:
    scripted = sampling_engine()
    sampled = (("seed", 7), ("temperature", 0.7))
    with Memo(scripted, path, MODEL) as memo:
        (part,) = ask(memo, request(5, sampling=sampled, stop=()))
        (whole,) = ask(memo, request(50, sampling=sampled, stop=()))
        assert whole.tokens[:5] == part.tokens
        assert ask(memo, request(50, sampling=sampled, stop=())) == [whole]
    seeds = [dict(one.sampling)["seed"] for one in scripted.history]
    assert seeds[0] == 7
    assert seeds[1] != 7
    with Memo(scripted, path, MODEL) as memo:  # a further tail is no repetition of the one before
        ask(memo, request(80, sampling=sampled, stop=()))
    seeds = [dict(one.sampling)["seed"] for one in scripted.history]
    assert len(set(seeds)) == len(seeds) == 3
    assert all(isinstance(seed, int) and 0 <= seed < 2**31 for seed in seeds)


def test_what_depends_on_where_the_output_began_is_not_continued(path: Path) -> None:
    scripted = engine(0.0)
    penalty = (("presence_penalty", 0.5), ("temperature", 0.0))
    with Memo(scripted, path, MODEL) as memo:
        for limit in (20, 50, 10):
            ask(memo, request(limit, sampling=penalty))
    assert scripted.history == [request(20, sampling=penalty), request(50, sampling=penalty)]


@pytest.mark.parametrize("sampling", [(), (("temperature", 0.7),)], ids=["engine's defaults", "no seed"])
def test_unseeded_samples_are_drawn_anew(path: Path, sampling: tuple[tuple[str, object], ...]) -> None:
    scripted = engine(0.0)
    with Memo(scripted, path, MODEL) as memo:
        ask(memo, request(20, sampling=sampling), request(20, sampling=sampling))
        ask(memo, request(20, sampling=sampling))
        assert memo.reused_tokens == 0
    assert len(scripted.history) == 3


# A session with the memo equals one without.

budgets = st.fixed_dictionaries(
    {
        "num_waits": st.integers(0, 5),
        "max_thinking_tokens": st.none() | st.integers(0, 80),
        "max_answer_tokens": st.integers(1, 40),
        "wait_text": st.booleans(),
    }
)


@st.composite
def forcings(draw: st.DrawFn) -> BudgetForcing:
    chosen = draw(budgets)
    wait = (23,) if chosen.pop("wait_text") else ()
    marks = Marks((20,), (21,), (21, 22), wait, (7,), frozenset({END, EOS}), frozenset({EOS}), frozenset({7}))
    most = chosen["max_thinking_tokens"]
    least = draw(st.integers(0, 30 if most is None else most))
    return BudgetForcing(Budget(**chosen, min_thinking_tokens=least), marks, 300)


@given(
    st.lists(forcings(), min_size=1, max_size=4),
    st.sampled_from([0.0, 0.05, 0.3, 1.0]),
    st.integers(0, 99),
    st.sampled_from([10**9, 6]),
)
@settings(max_examples=25, deadline=None)
def test_settings_in_any_order_give_the_sessions_of_an_empty_memo(
    tmp_path_factory: pytest.TempPathFactory, policies: list[BudgetForcing], stop_rate: float, seed: int, known_ids: int
) -> None:
    def fresh(order_seed: int = 0) -> ScriptedEngine:
        write = random_writer(seed, 8, stop_rate, [END, EOS])
        return ScriptedEngine(write, 300, known_ids=known_ids, order_seed=order_seed)

    path = tmp_path_factory.mktemp("memo") / "memo.sqlite"
    prompts = [(1,), (2, 3), (1,)]
    for number, policy in enumerate(policies):
        todo = [Job(policy, prompt, sampling=GREEDY) for prompt in prompts]
        # Stored in small pieces and interrupted: what was generated until then is continued.
        stopped = ScriptedEngine(
            random_writer(seed, 8, stop_rate, [END, EOS]), 300, known_ids, number, 1, 1 + number, KeyboardInterrupt()
        )
        with Memo(stopped, path, MODEL, flush_seconds=0.0) as memo:
            try:
                run_jobs(todo, memo)
            except KeyboardInterrupt:
                assert stopped.cancelled
        with Memo(fresh(number), path, MODEL, flush_seconds=0.0) as memo:
            assert run_jobs(todo, memo) == run_jobs(todo, fresh())
            generated = memo.generated_tokens
            run_jobs(todo, memo)
            assert memo.generated_tokens == generated


def test_after_the_longest_setting_smaller_ones_cost_their_answers_only(path: Path) -> None:
    with Memo(engine(), path, MODEL) as memo:
        run_jobs(jobs(num_waits=4), memo)
        for smaller in ({"num_waits": 2}, {"num_waits": 0}, {"num_waits": 4, "max_thinking_tokens": 30}):
            before = memo.generated_tokens
            sessions = run_jobs(jobs(**smaller), memo)
            assert memo.generated_tokens - before <= sum(session.answer_tokens for session in sessions)


# Interrupts and errors.


def test_an_interrupt_loses_nothing_that_was_generated(path: Path) -> None:
    paced = engine(0.0, seconds_per_token=0.002, fail_after=1, failure=KeyboardInterrupt())
    with Memo(paced, path, MODEL) as memo:
        memo.submit(0, request(10))
        memo.submit(1, request(200, (3,)))
        assert [key for key, _ in memo.poll()] == [0]
        with pytest.raises(KeyboardInterrupt):
            memo.poll()
        memo.cancel()
    with Memo(engine(0.0), path, MODEL) as memo:
        ask(memo, request(10), request(200, (3,)))
        assert memo.reused_tokens >= 20


def test_what_is_in_flight_is_stored_while_it_runs(path: Path) -> None:
    memo = Memo(engine(0.0, seconds_per_token=0.002), path, MODEL, flush_seconds=0.05)
    memo.submit(0, request(200))
    assert memo.poll(timeout_seconds=0.25) == []
    with Memo(engine(0.0), path, MODEL) as other:  # as after a kill: the first one was never closed
        ask(other, request(200))
        assert other.reused_tokens >= 50
        assert other.generated_tokens == 200 - other.reused_tokens
    memo.close()


def test_a_timed_poll_returns_and_says_what_is_in_flight(path: Path) -> None:
    with Memo(engine(0.0), path, MODEL) as memo:
        (known,) = ask(memo, request(50))
    with Memo(engine(0.0, seconds_per_token=0.005), path, MODEL) as memo:
        memo.submit("long", request(100))
        assert memo.poll(timeout_seconds=0.02) == []
        ((key, part),) = memo.partial()
        assert key == "long"
        assert part[:50] == known.tokens
        ((_, reply),) = memo.poll()
        assert reply.tokens[: len(part)] == part


def test_an_engine_that_forgets_a_request_is_still_caught(path: Path) -> None:
    class Forgetful(ScriptedEngine):
        def poll(self, timeout_seconds: float | None = None) -> Sequence[tuple[Hashable, Reply]]:
            return []

    with (
        Memo(Forgetful(random_writer(1, 7, 0.1, [END]), 300), path, MODEL) as memo,
        pytest.raises(EngineError, match="nothing is in flight"),
    ):
        run_jobs(jobs(), memo)


def test_numbers_that_are_equal_are_one_key_in_whatever_order_they_are_asked(path: Path) -> None:
    def ask_for(temperature: float, top_p: float) -> int:
        sampling = (("seed", 5), ("temperature", temperature), ("top_p", top_p))
        memo.reused.clear()
        ask(memo, request(30, sampling=sampling))
        return memo.reused_tokens

    with Memo(engine(stop_rate=0.0), path, MODEL) as memo:
        assert ask_for(1, 0.5) == 0
        assert ask_for(0.7, 0.5) == 0
        assert ask_for(1.0, 0.5) == 30
        assert ask_for(0, 0.9) == 0
        assert ask_for(0.7, 0.5) == 30
        assert ask_for(0.0, 0.9) == 30


def test_seeds_too_large_for_a_float_are_seeds_of_their_own(path: Path) -> None:
    with Memo(engine(stop_rate=0.0), path, MODEL) as memo:
        for seed in (2**60, 2**60 + 1):
            ask(memo, request(30, sampling=(("seed", seed), ("temperature", 0.7))))
        assert memo.reused_tokens == 0
