"""The driver: everything in flight, order kept, errors that name the question, clean interrupts."""

from collections.abc import Hashable, Sequence

import pytest

from s1_models.driver import EngineError, Job, run, run_jobs, stream_seed
from s1_models.forcing import Budget, BudgetError, BudgetForcing, Finish, Marks, Reply, Request, Session
from s1_models.policies.rejection import Rejection, RejectionSampling
from tests.scripted_engine import ScriptedEngine, random_writer

MARKS = Marks((20,), (21,), (21, 22), (23,), (7,), frozenset({8}), frozenset({9}), frozenset({7}))


def policy(**budget: int) -> BudgetForcing:
    return BudgetForcing(Budget(max_answer_tokens=20, **budget), MARKS, 300)


def engine(**options: object) -> ScriptedEngine:
    return ScriptedEngine(random_writer(1, 7, 0.1, [8, 9]), 300, **options)  # type: ignore[arg-type]


def test_a_session_that_ends_a_round_continues_while_others_still_decode() -> None:
    class OneAtATime(ScriptedEngine):
        """Finishes the session with the highest key, over and over, as long as it is in flight."""

        def poll(self) -> Sequence[tuple[Hashable, Reply]]:
            key = max(self._in_flight)  # type: ignore[type-var]
            return [(key, self._generate(self._in_flight.pop(key)))]

    writer = OneAtATime(random_writer(1, 7, 0.1, [8, 9]), 300)
    finished: list[Session] = []

    class Seen:
        def update(self, session: Session, reply: Reply, *, done: bool) -> None:
            if done:
                finished.append(session)

    jobs = [Job(policy(num_waits=3), (n,)) for n in range(3)]
    sessions = run_jobs(jobs, writer, progress=Seen())
    assert finished == sessions[::-1], "the last session must run through all its rounds before the first one replies"


def test_results_come_in_the_order_of_the_prompts() -> None:
    prompts = [(n,) for n in range(20)]
    assert [session.prompt for session in run(policy(num_waits=2), engine(order_seed=5), prompts)] == prompts


def test_nothing_to_run_is_an_empty_result() -> None:
    assert run(policy(), engine(), []) == []


def test_no_more_than_allowed_are_in_flight() -> None:
    scripted = engine()
    jobs = [Job(policy(num_waits=2), (n,)) for n in range(30)]
    run_jobs(jobs, scripted, max_in_flight=4)
    assert scripted.most_in_flight == 4


def sampled_seeds(*jobs: tuple[int, tuple[int, ...], int], order_seed: int = 0) -> dict[object, list[int]]:
    """(seed of the run, prompt, sample) -> the seeds that its requests were sent with, round by round."""
    scripted = engine(order_seed=order_seed)
    sampled = [
        Job(policy(num_waits=2), prompt, sampling=(("seed", seed), ("temperature", 0.6)), sample=sample)
        for seed, prompt, sample in jobs
    ]
    sessions = run_jobs(sampled, scripted, max_in_flight=1)  # one after the other
    assert all(dict(request.sampling)["temperature"] == 0.6 for request in scripted.history)
    seeds = iter(dict(request.sampling)["seed"] for request in scripted.history)
    return {job: [next(seeds) for _ in range(session.replies)] for job, session in zip(jobs, sessions, strict=True)}


def test_every_run_prompt_sample_and_round_draws_from_a_stream_of_its_own() -> None:
    jobs = [
        (seed, prompt, sample)
        for seed in (7, 8, 7 + 2**31, 7 + 2**32, -7)
        for prompt in ((1,), (2,), (1, 2), (12,))
        for sample in range(4)
    ]
    streams = sampled_seeds(*jobs)
    everything = [seed for stream in streams.values() for seed in stream]
    assert len(set(everything)) == len(everything) > 3 * len(jobs)
    assert all(0 <= seed < 2**53 for seed in everything)


def test_a_stream_depends_on_nothing_that_runs_beside_it() -> None:
    ours = (7, (1, 2), 1)
    together = sampled_seeds((7, (3,), 0), (9, (1, 2), 1), ours, (7, (1, 2), 0), order_seed=3)
    assert together[ours] == sampled_seeds(ours)[ours]
    # The rule is documented (docs/seeds.md): memos are keyed by these numbers, so they must not change by accident.
    assert stream_seed(1234, (1, 2, 3), 0, 0) == 4503037983236534


def test_a_prompt_without_room_is_named_before_anything_is_generated() -> None:
    scripted = engine()
    jobs = [Job(policy(), (1,), "aime24 question 0"), Job(policy(), (1,) * 299, "aime24 question 1")]
    with pytest.raises(BudgetError, match="aime24 question 1: prompt has 299 tokens"):
        run_jobs(jobs, scripted)
    assert scripted.history == []


def test_an_engine_that_dies_is_an_error_that_names_the_questions_in_flight() -> None:
    scripted = engine(fail_after=2, failure=EngineError("vLLM died: out of memory"))
    jobs = [Job(policy(num_waits=4), (n,), f"aime24 question {n}") for n in range(9)]
    with pytest.raises(
        EngineError, match=r"vLLM died: out of memory \(\d in flight, .*aime24 question \d, .* and \d more"
    ):
        run_jobs(jobs, scripted)
    assert scripted.cancelled


def test_an_interrupt_drops_what_is_in_flight() -> None:
    scripted = engine(fail_after=2, failure=KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt, match=r"interrupted: \d of 9 questions were finished"):
        run_jobs([Job(policy(num_waits=4), (n,)) for n in range(9)], scripted)
    assert scripted.cancelled


def test_after_any_failure_nothing_of_the_run_is_left_in_the_engine() -> None:
    class Broken:
        def update(self, session: Session, reply: Reply, *, done: bool) -> None:
            raise RuntimeError("no terminal")

    scripted = engine()
    with pytest.raises(RuntimeError, match="no terminal"):
        run_jobs([Job(policy(), (n,)) for n in range(5)], scripted, progress=Broken())
    assert run(policy(), scripted, [(6,)]) == run(policy(), engine(), [(6,)])


@pytest.mark.parametrize(
    ("reply", "complaint"),
    [
        (lambda request: Reply((1,) * (request.max_tokens + 1), Finish.LENGTH), "tokens where"),
        (lambda request: Reply((1, next(iter(request.stop))), Finish.STOP), "stop id inside a reply"),
        (lambda request: Reply((next(iter(request.stop)), 1, 1), Finish.STOP), "stop id inside a reply"),
    ],
)
def test_an_engine_that_breaks_its_contract_is_caught(reply: object, complaint: str) -> None:
    class Broken(ScriptedEngine):
        def _generate(self, request: Request) -> Reply:
            return reply(request)  # type: ignore[operator, no-any-return]

    with pytest.raises(EngineError, match=complaint):
        run(policy(max_thinking_tokens=5), Broken(random_writer(1, 7, 0.1, [8])), [(1,)])


def test_an_engine_that_forgets_a_request_is_caught() -> None:
    class Forgetful(ScriptedEngine):
        def poll(self) -> Sequence[tuple[Hashable, Reply]]:
            return []

    with pytest.raises(EngineError, match=r"nothing is in flight \(1 in flight"):
        run(policy(), Forgetful(random_writer(1, 7, 0.1, [8])), [(1,)])


def test_an_engine_that_invents_a_reply_is_caught() -> None:
    class Inventive(ScriptedEngine):
        def poll(self) -> Sequence[tuple[Hashable, Reply]]:
            return [("nobody", Reply((), Finish.STOP))]

    with pytest.raises(EngineError, match="'nobody', which is not in flight"):
        run(policy(), Inventive(random_writer(1, 7, 0.1, [8])), [(1,)])


def test_an_error_about_one_question_names_that_one() -> None:
    cut = policy(max_thinking_tokens=3)
    jobs = [
        Job(one, (n,), f"aime24 question {n}")
        for n, one in enumerate([cut, RejectionSampling(cut, Rejection(1, "error")), cut])
    ]
    never_stops = ScriptedEngine(random_writer(1, 7, 0.0, [8]), 300)
    with pytest.raises(BudgetError, match=r"^aime24 question 1: none of 1 tries ended"):
        run_jobs(jobs, never_stops)


def test_a_place_for_no_session_is_an_error_and_no_empty_result() -> None:
    with pytest.raises(ValueError, match="max_in_flight=0: expected at least 1"):
        run_jobs([Job(policy(), (1,))], engine(), max_in_flight=0)
