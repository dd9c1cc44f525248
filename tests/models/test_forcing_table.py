"""The transition table in `forcing.__doc__` is the code: every row is parsed and driven."""

from dataclasses import replace

import pytest

from s1_models import forcing
from s1_models.forcing import (
    Budget,
    BudgetError,
    BudgetForcing,
    Finish,
    Marks,
    Phase,
    Reply,
    Session,
    Span,
)

OPEN, CLOSE, FINAL, WAIT, BLANK, NEWLINE, END, EOS = 101, 102, 103, 104, 109, 110, 120, 121
MARKS = Marks(
    open=(OPEN,),
    close=(CLOSE,),
    cut_off=(CLOSE, FINAL),
    wait=(WAIT,),
    newline=(NEWLINE,),
    ends=frozenset({END, EOS}),
    answer_ends=frozenset({EOS}),
    line_ends=frozenset({NEWLINE}),
    ask=(FINAL,),
    blank=frozenset({NEWLINE, BLANK}),
)
NOT_ASKED = replace(MARKS, ask=())  # final_answer_text=""
FORCED = {
    "wait": (WAIT,),
    "close": (CLOSE,),
    "cut_off": (CLOSE, FINAL),
    "newline + cut_off": (NEWLINE, CLOSE, FINAL),
    "ask": (FINAL,),
    "nothing": (),
}


def table_rows() -> list[list[str]]:
    lines = [line for line in (forcing.__doc__ or "").splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def policy(**budget: object) -> BudgetForcing:
    return BudgetForcing(Budget(max_answer_tokens=10, **budget), MARKS, context_window=200)  # type: ignore[arg-type]


def answering(of: BudgetForcing) -> Session:
    return of.advance(of.begin((1, 2)), Reply((5,), Finish.STOP))


# For each phase and row's "when": policies in whose first thinking reply it holds, and that reply's tokens.
WHEN = {
    "(waits left or below the minimum) and room and progress": [
        (policy(num_waits=1), (5,)),
        (policy(num_waits=1), ()),
        (policy(min_thinking_tokens=5), (5,)),
        (policy(num_waits=1, max_thinking_tokens=3), (5,)),
    ],
    "THINKING otherwise": [
        (policy(), (5,)),
        (policy(min_thinking_tokens=2), (5, 6)),
        (policy(num_waits=1, max_thinking_tokens=2), (5,)),
        (
            BudgetForcing(
                Budget(num_waits=1), Marks((), (CLOSE,), (CLOSE, FINAL), (), (), frozenset({END}), frozenset()), 2000
            ),
            (),
        ),
    ],
    "the answer is empty and was not asked for": [
        (policy(), ()),
        (policy(), (NEWLINE, BLANK)),
        (policy(num_waits=0), (BLANK,)),
    ],
    "ANSWERING otherwise": [(policy(), (5,)), (policy(), (NEWLINE, 5)), (BudgetForcing(Budget(), NOT_ASKED, 2000), ())],
    "thinking does not end a line": [(policy(max_thinking_tokens=2), (5, 6))],
    "thinking ends a line": [(policy(max_thinking_tokens=2), (5, NEWLINE))],
    "always": [(policy(), (5,)), (policy(), ())],
}


@pytest.mark.parametrize("row", table_rows(), ids=lambda row: " ".join(row[:3]))
def test_every_row_of_the_table_is_what_the_code_does(row: list[str]) -> None:
    phase, finish, when, append, following = row
    when = f"{phase} {when}" if when == "otherwise" else when
    assert WHEN[when], "a row nobody drives proves nothing"
    for machine, tokens in WHEN[when]:
        before = machine.begin((1, 2)) if Phase[phase] is Phase.THINKING else answering(machine)
        assert before.phase is Phase[phase]
        after = machine.advance(before, Reply(tokens, Finish[finish]))
        sampled = (Span(tokens, Phase[phase], forced=False),) if tokens else ()
        forced_phase = Phase.THINKING if append == "wait" else Phase.ANSWERING
        forced = (Span(FORCED[append], forced_phase, forced=True),) if FORCED[append] else ()
        assert after.spans == before.spans + sampled + forced
        assert after.phase is Phase[following]
        assert after.waits_used == before.waits_used + (append == "wait")
        assert after.cut_off == ("cut_off" in append)
        assert after.answer_asked == (append == "ask")


def test_the_table_has_a_row_for_every_phase_and_finish() -> None:
    covered = {(row[0], row[1]) for row in table_rows()}
    assert covered == {(phase, finish) for phase in ("THINKING", "ANSWERING") for finish in ("STOP", "LENGTH")}


def test_an_answer_is_asked_for_once_and_within_its_limit() -> None:
    machine = policy()
    asked = machine.advance(answering(machine), Reply((NEWLINE, BLANK), Finish.STOP))
    request = machine.request(asked)
    assert request is not None
    assert request.prefix[-3:] == (NEWLINE, BLANK, FINAL)
    assert request.max_tokens == 10 - 2
    assert machine.advance(asked, Reply((), Finish.STOP)).phase is Phase.DONE
    answered = machine.advance(asked, Reply((7,), Finish.STOP))
    assert (answered.phase, answered.answer_asked, answered.answer_tokens) == (Phase.DONE, True, 3)


def test_an_answer_that_a_cut_asked_for_is_not_asked_for_again() -> None:
    machine = policy(max_thinking_tokens=2)
    cut = machine.advance(machine.begin((1, 2)), Reply((5, 6), Finish.LENGTH))
    assert machine.advance(cut, Reply((), Finish.STOP)).phase is Phase.DONE


def test_accounting_counts_sampled_thinking_and_waits_but_no_delimiter() -> None:
    machine = policy(num_waits=1)
    session = machine.advance(machine.begin((1, 2)), Reply((5, 6), Finish.STOP))
    session = machine.advance(session, Reply((7,), Finish.STOP))
    session = machine.advance(session, Reply((8, 9), Finish.LENGTH))
    assert session.tokens == (1, 2, OPEN, 5, 6, WAIT, 7, CLOSE, 8, 9)
    assert (session.thinking_tokens, session.answer_tokens, session.waits_used) == (4, 2, 1)
    assert (session.cut_off, session.answer_cut_off) == (False, True)
    assert machine.request(session) is None


def test_one_budget_covers_all_rounds() -> None:
    machine = policy(num_waits=4, max_thinking_tokens=10)
    session = machine.begin((1,))
    asked = []
    while session.phase is Phase.THINKING:
        request = machine.request(session)
        assert request is not None
        asked.append(request.max_tokens)
        fits = request.max_tokens >= 3
        session = machine.advance(
            session, Reply((5, 6, 7)[: request.max_tokens], Finish.STOP if fits else Finish.LENGTH)
        )
    assert asked == [10, 6, 2]
    assert session.thinking_tokens == 10
    assert session.cut_off


def test_auto_is_what_the_context_leaves_after_prompt_delimiters_and_answer() -> None:
    # 200 - 5 prompt - 1 open - 3 (newline, close, final) - 10 answer
    assert policy().begin((1,) * 5).thinking_limit == 181


def test_a_budget_above_the_room_is_lowered_to_it() -> None:
    assert policy(max_thinking_tokens=199).begin((1,) * 5).thinking_limit == 181


def test_no_thinking_at_all_asks_for_the_answer_at_once() -> None:
    session = policy(max_thinking_tokens=0).begin((1, 2))
    assert session.phase is Phase.ANSWERING
    assert session.cut_off
    assert session.tokens == (1, 2, OPEN, NEWLINE, CLOSE, FINAL)


def test_a_prompt_without_room_is_an_error_with_the_three_numbers() -> None:
    with pytest.raises(BudgetError, match=r"prompt has 186 tokens; with max_answer_tokens=10, .* 200-token context"):
        policy().begin((1,) * 186)


@pytest.mark.parametrize("name", ["max_thinking_tokens", "min_thinking_tokens"])
def test_a_budget_larger_than_the_context_is_an_error(name: str) -> None:
    with pytest.raises(BudgetError, match=rf"{name}=200 does not fit a context of 200 tokens"):
        policy(**{name: 200})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("num_waits", -1),
        ("max_thinking_tokens", -5),
        ("min_thinking_tokens", -1),
        ("max_answer_tokens", 0),
        ("num_waits", True),
    ],
)
def test_an_impossible_number_names_the_option_and_what_was_expected(name: str, value: int) -> None:
    with pytest.raises(BudgetError, match=rf"{name}={value!r}: expected a whole number"):
        Budget(**{name: value})  # type: ignore[arg-type]


def test_a_minimum_above_the_maximum_is_an_error() -> None:
    with pytest.raises(BudgetError, match="min_thinking_tokens=9 is above max_thinking_tokens=8"):
        Budget(min_thinking_tokens=9, max_thinking_tokens=8)


def test_a_finished_session_takes_no_reply() -> None:
    machine = policy()
    done = machine.advance(answering(machine), Reply((5,), Finish.STOP))
    with pytest.raises(ValueError, match="DONE takes no reply"):
        machine.advance(done, Reply((), Finish.STOP))


def test_a_model_that_stops_at_once_says_something_between_the_waits_of_a_minimum() -> None:
    """Without that it would think "WaitWaitWait"; waits that were asked for are another matter."""
    machine = policy(num_waits=1, min_thinking_tokens=6)
    session = machine.begin((1, 2))
    held = []
    while session.phase is Phase.THINKING:
        request = machine.request(session)
        assert request is not None
        held.append(request.min_tokens)
        session = machine.advance(session, Reply((5,) * request.min_tokens, Finish.STOP))
    assert held == [0, 0, 1, 1, 1]
    assert session.tokens == (1, 2, OPEN, WAIT, WAIT, 5, WAIT, 5, WAIT, 5, CLOSE)


def test_the_answer_begins_behind_the_delimiter_whoever_ended_the_thinking() -> None:
    machine = policy(num_waits=1)
    closed = answering(policy())
    assert closed.tokens[len(closed.prompt) + (closed.answer_at or 0) - 1] == CLOSE
    marks = replace(MARKS, closing=1)  # what follows CLOSE asks for the answer, and is part of it
    cut = BudgetForcing(Budget(max_answer_tokens=10, max_thinking_tokens=2), marks, 200)
    session = cut.advance(cut.begin((1, 2)), Reply((5, 6), Finish.LENGTH))
    assert session.tokens[len(session.prompt) + (session.answer_at or 0) :] == (FINAL,)
    assert machine.begin((1, 2)).answer_at is None
