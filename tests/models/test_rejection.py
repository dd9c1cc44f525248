"""Rejection sampling: bounded, seeded per try, alone as in any batch; the table in its docstring is the code."""

import random
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from s1_models.driver import Job, run_jobs, stream_seed
from s1_models.forcing import Budget, BudgetError, BudgetForcing, Finish, Marks, Phase, Reply, Request, Tokens
from s1_models.formats import S1
from s1_models.options import OptionError
from s1_models.policies import rejection
from s1_models.policies.rejection import Rejection, RejectionSampling
from s1_tasks.scoring import process_results
from tests.models.scripted_lm import ScriptedLM, forced, thinker
from tests.models.tokenizers_made_here import chatml
from tests.scripted_engine import ScriptedEngine

END, EOS, NEWLINE, CLOSE, FINAL = 8, 9, 7, 30, 31
MARKS = Marks((20,), (CLOSE,), (CLOSE, FINAL), (40,), (NEWLINE,), frozenset({END}), frozenset({EOS}), frozenset({7}))
WINDOW = 300


class SeededEngine(ScriptedEngine):
    """A model that samples: its tokens are a function of the prefix and the request's seed."""

    def __init__(self, stop_rate: float, order_seed: int = 0, at_a_time: int = 3) -> None:
        super().__init__(lambda prefix: 0, WINDOW, order_seed=order_seed, at_a_time=at_a_time)
        self.stop_rate = stop_rate

    def _write_out(self, request: Request) -> tuple[Tokens, Finish]:
        self._write = lambda prefix: draw(dict(request.sampling)["seed"], self.stop_rate, prefix)
        return super()._write_out(request)


def draw(seed: Any, stop_rate: float, prefix: Tokens) -> int:
    chance = random.Random(hash((seed, len(prefix), prefix[-6:])))
    return chance.choice([END, EOS]) if chance.random() < stop_rate else chance.randrange(7)


@dataclass(frozen=True)
class Case:
    policy: RejectionSampling
    jobs: list[Job]
    stop_rate: float

    @property
    def limit(self) -> int:
        assert self.policy.forcing.budget.max_thinking_tokens is not None
        return self.policy.forcing.budget.max_thinking_tokens


@st.composite
def cases(draw: st.DrawFn) -> Case:
    budget = Budget(max_thinking_tokens=draw(st.integers(1, 30)), max_answer_tokens=draw(st.integers(1, 20)))
    policy = RejectionSampling(BudgetForcing(budget, MARKS, WINDOW), Rejection(draw(st.integers(1, 12))))
    prompts = draw(st.lists(st.lists(st.integers(0, 6), max_size=9).map(tuple), min_size=1, max_size=5))
    sampling = (("seed", draw(st.integers(0, 99))), ("temperature", 1.0))
    jobs = [Job(policy, prompt, sampling=sampling) for prompt in prompts]
    return Case(policy, jobs, draw(st.sampled_from([0.0, 0.03, 0.1, 0.4, 1.0])))


@given(cases())
@settings(max_examples=60, deadline=None)
def test_it_does_what_an_independent_reading_of_s1_does_and_ends(case: Case) -> None:
    engine = SeededEngine(case.stop_rate)
    for job, session in zip(case.jobs, run_jobs(case.jobs, engine), strict=True):
        assert session.phase is Phase.DONE
        read_off = (session.tokens, session.tries, session.rejected_tokens, session.cut_off)
        assert read_off == _plain_rejection(case, job)
        assert session.thinking_tokens <= case.limit
        assert 1 <= session.tries <= case.policy.rejection.tries
        assert session.rejected_tokens == (session.tries - 1) * case.limit
        assert session.waits_used == 0
    seeds = [(request.prefix, dict(request.sampling)["seed"]) for request in engine.history]
    asked_twice = len(seeds) - len(set(seeds))
    assert asked_twice <= len(seeds) * (len(case.jobs) - len({job.prompt for job in case.jobs})), "a try drawn twice"


def _plain_rejection(case: Case, job: Job) -> tuple[Tokens, int, int, bool]:
    """The article's loop for one question, as lists; shares the rule of seeds with ours, and nothing else."""
    start = [*job.prompt, 20]
    first = dict(job.sampling)["seed"]
    for attempt in range(case.policy.rejection.tries):
        ids, stopped = list(start), False
        for _ in range(case.limit):
            token = draw(stream_seed(first, job.prompt, 0, attempt), case.stop_rate, tuple(ids))
            if token == END:
                stopped = True
                break
            ids.append(token)
        if stopped:
            break
    ids += [CLOSE] if stopped else ([CLOSE, FINAL] if ids[-1] == NEWLINE else [NEWLINE, CLOSE, FINAL])
    for _ in range(case.policy.forcing.budget.max_answer_tokens):
        token = draw(stream_seed(first, job.prompt, 0, attempt + 1), case.stop_rate, tuple(ids))
        if token == EOS:
            break
        ids.append(token)
    return tuple(ids), attempt + 1, attempt * case.limit, not stopped


@given(cases(), st.integers(0, 9), st.integers(1, 5), st.integers(1, 5))
@settings(max_examples=25, deadline=None)
def test_a_session_alone_equals_itself_in_any_batch_and_order(
    case: Case, order_seed: int, at_a_time: int, in_flight: int
) -> None:
    alone = [run_jobs([job], SeededEngine(case.stop_rate))[0] for job in case.jobs]
    together = SeededEngine(case.stop_rate, order_seed, at_a_time)
    assert run_jobs(case.jobs, together, max_in_flight=in_flight) == alone


def policy(tries: int = 3, fallback: Any = "cut_off", **budget: Any) -> RejectionSampling:
    budget.setdefault("max_thinking_tokens", 4)
    return RejectionSampling(BudgetForcing(Budget(**budget), MARKS, WINDOW * 10), Rejection(tries, fallback))


LAST_TRY = policy(tries=1)
WHEN = {
    ("THINKING", "STOP", "always"): (policy(), (1,), (CLOSE,)),
    ("THINKING", "LENGTH", "tries left"): (policy(), (1, 2, 3, 4), ()),
    ("THINKING", "LENGTH", "no tries left"): (LAST_TRY, (1, 2, 3, 4), (NEWLINE, CLOSE, FINAL)),
    ("ANSWERING", "any", "always"): (policy(), (1,), ()),
}


def test_every_row_of_the_table_is_what_the_code_does() -> None:
    lines = [line for line in (rejection.__doc__ or "").splitlines() if line.startswith("|")][2:]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert {tuple(row[:3]) for row in rows} == set(WHEN)
    for phase, finish, when, append, following in rows:
        machine, tokens, forced_tokens = WHEN[phase, finish, when]
        before = machine.begin((1,))
        if phase == "ANSWERING":
            before = machine.advance(before, Reply((), Finish.STOP))
        for each in [Finish[finish]] if finish != "any" else list(Finish):
            after = machine.advance(before, Reply(tokens, each))
            assert after.phase is Phase[following]
            forgotten = "forgotten" in append
            assert after.tokens == before.tokens + (() if forgotten else tokens + forced_tokens)
            assert after.rejected_tokens == (len(tokens) if forgotten else 0)
            assert after.tries == before.tries + (phase == "THINKING")


def test_when_nothing_fits_it_is_an_error_if_that_was_asked_for() -> None:
    jobs = [Job(policy(tries=3, fallback="error"), (1,), "aime24 question 5", (("seed", 1), ("temperature", 1.0)))]
    with pytest.raises(BudgetError, match=r"none of 3 tries ended within max_thinking_tokens=4: raise it or"):
        run_jobs(jobs, SeededEngine(0.0))


@pytest.mark.parametrize(
    ("budget", "message"),
    [
        ({"max_thinking_tokens": None}, "needs max_thinking_tokens as a number of at least 1 .it is auto"),
        ({"max_thinking_tokens": 0}, "as a number of at least 1 .it is 0"),
        ({"num_waits": 2}, "num_waits=2 with rejection sampling"),
        ({"min_thinking_tokens": 2}, "min_thinking_tokens=2 with rejection sampling"),
    ],
)
def test_budgets_that_mean_nothing_here_are_errors(budget: dict[str, Any], message: str) -> None:
    with pytest.raises(BudgetError, match=message):
        policy(**budget)


@pytest.mark.parametrize(("tries", "fallback"), [(0, "cut_off"), (True, "cut_off"), (3, "forever")])
def test_tries_and_fallback_are_checked(tries: Any, fallback: Any) -> None:
    with pytest.raises(BudgetError, match="expected"):
        Rejection(tries, fallback)


def test_through_the_harness_tries_and_their_tokens_are_accounted_for() -> None:
    tokenizer = chatml()
    lm = ScriptedLM(tokenizer, thinker(tokenizer, S1))
    (fits, cut) = (lm.ask(["?"], rejection_tries=3, max_thinking_tokens=limit, temperature=1)[0] for limit in (100, 5))
    assert (fits.usage["tries"], fits.usage["rejected_tokens"], fits.usage["cut_off"]) == (1, 0, 0)
    assert (cut.usage["tries"], cut.usage["rejected_tokens"], cut.usage["cut_off"]) == (3, 10, 1)
    assert cut.usage["thinking_tokens"] == 5
    assert forced(cut)[-1] == "\n<|im_start|>answer\nFinal Answer:"
    plain = lm.ask(["?"])[0]
    assert "tries" not in plain.usage
    metrics = process_results({"answer": "42", "answer_kind": "integer"}, [[fits, cut]])
    assert (metrics["tries"], metrics["rejected_tokens"], metrics["cut_off"]) == (2, 5, 0.5)
    assert "tries" not in process_results({"answer": "42", "answer_kind": "integer"}, [[plain]])


@pytest.mark.parametrize("options", [{}, {"temperature": 0.0}, {"temperature": 1, "temperature_thinking": 0}])
def test_greedy_tries_would_all_be_the_same(options: dict[str, float]) -> None:
    lm = ScriptedLM(chatml(), lambda prefix: 0)
    with pytest.raises(OptionError, match="at temperature 0 draws the same thinking in every try"):
        lm.ask(["?"], rejection_sample=True, max_tokens_thinking=5, **options)
