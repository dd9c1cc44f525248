"""Invariants of budget forcing over random budgets and random engines, and an independent reading of s1."""

from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from s1_models.driver import Job, run, run_jobs
from s1_models.forcing import Budget, BudgetForcing, Finish, Marks, Phase, Reply, Session, Tokens
from tests.scripted_engine import ScriptedEngine, random_writer

NEWLINE, END, EOS = 7, 8, 9
WINDOW = 300


@dataclass(frozen=True)
class Case:
    policy: BudgetForcing
    prompts: list[Tokens]
    stop_rate: float
    seed: int

    def engine(self, order_seed: int = 0, at_a_time: int = 3) -> ScriptedEngine:
        write = random_writer(self.seed, 8, self.stop_rate, [END, EOS])
        return ScriptedEngine(write, WINDOW, order_seed=order_seed, at_a_time=at_a_time)


texts = st.lists(st.integers(10, 20), max_size=3).map(tuple)
limits = st.none() | st.integers(0, 80)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    maximum = draw(limits)
    minimum = draw(st.integers(0, 40 if maximum is None else maximum))
    budget = Budget(
        num_waits=draw(st.integers(0, 6)),
        max_thinking_tokens=maximum,
        min_thinking_tokens=minimum,
        max_answer_tokens=draw(st.integers(1, 40)),
    )
    close = (*draw(texts), 30)
    marks = Marks(
        open=draw(texts),
        close=close,
        cut_off=close + draw(texts),
        wait=draw(texts),
        newline=(NEWLINE,),
        ends=frozenset({END, EOS}),
        answer_ends=frozenset({EOS}),
        line_ends=frozenset({NEWLINE}),
    )
    prompts = draw(st.lists(st.lists(st.integers(0, 6), max_size=30).map(tuple), min_size=1, max_size=5))
    return Case(
        BudgetForcing(budget, marks, WINDOW),
        prompts,
        draw(st.sampled_from([0.0, 0.05, 0.3, 0.9, 1.0])),
        draw(st.integers(0, 99)),
    )


@given(cases())
@settings(max_examples=300, deadline=None)
def test_budgets_hold_and_every_session_ends(case: Case) -> None:
    engine = case.engine()  # asserts that each request asks for a token and fits the context
    sessions = run(case.policy, engine, case.prompts)
    budget, marks = case.policy.budget, case.policy.marks
    for prompt, session in zip(case.prompts, sessions, strict=True):
        assert session.phase is Phase.DONE
        assert session.tokens[: len(prompt)] == prompt
        assert session.thinking_tokens <= session.thinking_limit
        assert session.answer_tokens <= budget.max_answer_tokens
        if budget.max_thinking_tokens is not None:
            assert session.thinking_limit <= budget.max_thinking_tokens
        if budget.min_thinking_tokens == 0:
            assert session.waits_used <= budget.num_waits
        reached = session.thinking_tokens >= budget.min_thinking_tokens
        no_room = session.thinking_tokens + len(marks.wait) >= session.thinking_limit
        stuck = not marks.wait
        assert reached or session.cut_off or no_room or stuck
        met = session.waits_used >= budget.num_waits
        assert met or session.cut_off or no_room or stuck
    starts = [prompt + (marks.open or ()) for prompt in case.prompts]
    for request in engine.history:
        assert any(request.prefix[: len(start)] == start for start in starts)
        assert request.phase is Phase.THINKING or not request.min_tokens
        assert request.min_tokens == 0 or request.prefix not in starts
        if not marks.wait:
            assert request.min_tokens == int(request.phase is Phase.THINKING and request.prefix not in starts)
        elif budget.min_thinking_tokens == 0:
            assert request.min_tokens == 0


@given(cases(), st.integers(0, 9), st.integers(1, 5), st.integers(1, 5))
@settings(max_examples=150, deadline=None)
def test_a_session_alone_equals_itself_in_any_batch_and_order(
    case: Case, order_seed: int, at_a_time: int, in_flight: int
) -> None:
    alone = [run(case.policy, case.engine(), [prompt])[0] for prompt in case.prompts]
    jobs = [Job(case.policy, prompt) for prompt in case.prompts]
    together = run_jobs(jobs, case.engine(order_seed, at_a_time), max_in_flight=in_flight)
    assert together == alone


@given(cases())
@settings(max_examples=300, deadline=None)
def test_it_does_what_an_independent_reading_of_s1_does(case: Case) -> None:
    for prompt, session in zip(case.prompts, run(case.policy, case.engine(), case.prompts), strict=True):
        assert _read_off(session) == _plain_s1(case, prompt)


def _read_off(session: Session) -> tuple[Tokens, int, bool]:
    return session.tokens, session.waits_used, session.cut_off


def _plain_s1(case: Case, prompt: Tokens) -> tuple[Tokens, int, bool]:
    """s1's loop written down from the article with one budget, as lists and a counter; shares no code with ours."""
    budget, marks = case.policy.budget, case.policy.marks
    write = random_writer(case.seed, 8, case.stop_rate, [END, EOS])
    frame = len(prompt) + len(marks.open) + max(len(marks.close), len(marks.newline) + len(marks.cut_off))
    left = WINDOW - frame - budget.max_answer_tokens
    if budget.max_thinking_tokens is not None:
        left = min(left, budget.max_thinking_tokens)
    ids = [*prompt, *marks.open]
    thought = waits = 0
    cut = False
    while True:
        in_round = 0
        stopped = False
        while left > 0:
            token = write(tuple(ids))
            forbidden = waits > (budget.num_waits if marks.wait else 0)
            if token in (END, EOS) and forbidden and not in_round:
                token = 0  # after an empty wait, and one that only the minimum asked for, it may not stop at once
            if token in (END, EOS):
                stopped = True
                break
            ids.append(token)
            left, thought, in_round = left - 1, thought + 1, in_round + 1
        if not stopped:
            cut = True
            break
        wants = waits < budget.num_waits or thought < budget.min_thinking_tokens
        if wants and left > len(marks.wait) and (in_round or marks.wait):
            ids += marks.wait
            left, thought, waits = left - len(marks.wait), thought + len(marks.wait), waits + 1
            continue
        break
    if cut:
        ids += marks.cut_off if ids and ids[-1] == NEWLINE else (NEWLINE, *marks.cut_off)
    else:
        ids += marks.close
    for _ in range(budget.max_answer_tokens):
        token = write(tuple(ids))
        if token == EOS:
            break
        ids.append(token)
    return tuple(ids), waits, cut


def test_a_limit_reply_without_any_token_still_asks_for_the_answer() -> None:
    marks = Marks((), (30,), (30, 31), (), (NEWLINE,), frozenset({END}), frozenset({EOS}), frozenset({NEWLINE}))
    machine = BudgetForcing(Budget(max_answer_tokens=5), marks, 100)
    session = machine.advance(machine.begin(()), Reply((), Finish.LENGTH))
    assert session.tokens == (NEWLINE, 30, 31)
    assert session.cut_off
