"""Difficulty: two reference models on an engine, their answers graded, what neither solves is kept; with the memo."""

from contextlib import contextmanager
from pathlib import Path

import pytest

from s1_models.driver import EngineError, stream_seed
from tests.scripted_engine import ScriptedEngine
from training.curate.difficulty import gather_attempts, keep_difficult
from training.curate.grading import Script, grade_by_checker
from training.curate.references import Attempt, Reference, attempt_all, started
from training.curate.stage import CurationError, question_id
from training.render import prompt_ids

QUESTIONS = {"1 + 1?": "2", "2 + 2?": "4", "3 + 3?": "6"}
ROWS = [
    {
        "id": question_id(question),
        "question": question,
        "reference": reference,
        "kind": "math",
        "answer": f"Answer: {reference}",
    }
    for question, reference in QUESTIONS.items()
]


class ScriptedLM:
    """What the difficulty stage needs of one of our model classes, on a scripted engine.

    replies: of a question, the text to write. fail_after: polls after which the engine dies.
    """

    max_in_flight = 2

    def __init__(self, tokenizer, replies: dict[str, str], fail_after: int | None = None, name: str = "one") -> None:
        self.name = name
        self.tokenizer = tokenizer
        self.eos_ids = frozenset({tokenizer.eos_token_id})
        scripts = [
            (tuple(prompt_ids(tokenizer, question)), tokenizer.encode(text, add_special_tokens=False))
            for question, text in replies.items()
        ]

        def write(prefix):
            prompt, text = next(one for one in scripts if prefix[: len(one[0])] == one[0])
            place = len(prefix) - len(prompt)
            return text[place] if place < len(text) else tokenizer.eos_token_id

        failure = EngineError("the machine went away")
        self.engine = ScriptedEngine(write, at_a_time=1, fail_after=fail_after, failure=failure)

    def model_identity(self) -> dict[str, str]:
        return {"engine": "scripted", "model": self.name}


def opener(lms: dict[str, ScriptedLM], closed: list[str]):
    @contextmanager
    def start(reference: Reference):
        yield lms[reference.name]
        closed.append(reference.name)

    return start


def test_what_neither_model_solves_is_kept(nano_tokenizer, tmp_path: Path) -> None:
    small = ScriptedLM(nano_tokenizer, {"1 + 1?": "Answer: 2", "2 + 2?": "Answer: 5", "3 + 3?": "Answer: 7"})
    large = ScriptedLM(nano_tokenizer, {"1 + 1?": "Answer: 2", "2 + 2?": "Answer: 4", "3 + 3?": "no idea"}, name="two")
    closed: list[str] = []
    references = (Reference("small", max_answer_tokens=40), Reference("large", max_answer_tokens=40))
    attempts = gather_attempts(
        ROWS, references, tmp_path / "memo.sqlite", opener({"small": small, "large": large}, closed)
    )
    result = keep_difficult(ROWS, attempts, grade_by_checker)
    assert closed == ["small", "large"]  # one after the other
    assert [row["question"] for row in result.rows] == ["3 + 3?"]
    assert result.rows[0]["teacher_correct"] is True
    assert result.rows[0]["attempts"]["small"] == {"correct": False, "tokens": 9, "cut_off": False}
    assert result.rules() == {"solved by small and large": 1, "solved by large": 1}
    assert result.figures["solved"] == {"small": 1, "large": 2}


def test_an_engine_that_dies_loses_nothing_that_was_answered(nano_tokenizer, tmp_path: Path) -> None:
    replies = {question: f"Answer: {reference}" for question, reference in QUESTIONS.items()}
    reference, memo = Reference("only", max_answer_tokens=40), tmp_path / "memo.sqlite"
    dying = ScriptedLM(nano_tokenizer, replies, fail_after=2)
    with pytest.raises(EngineError, match="the machine went away"):
        attempt_all(dying, reference, ROWS, memo)
    again = ScriptedLM(nano_tokenizer, replies)
    attempts = attempt_all(again, reference, ROWS, memo)
    assert {attempts[row["id"]].text for row in ROWS} == set(replies.values())
    assert len(again.engine.history) == 1  # two of three questions were remembered
    once_more = ScriptedLM(nano_tokenizer, replies)
    assert attempt_all(once_more, reference, ROWS, memo) == attempts
    assert once_more.engine.history == []


def test_a_question_too_long_for_the_model_is_a_failed_attempt(nano_tokenizer) -> None:
    long = {**ROWS[0], "id": "long", "question": "so " * 300}
    lm = ScriptedLM(nano_tokenizer, {"1 + 1?": "Answer: 2"})
    attempts = attempt_all(lm, Reference("only", max_answer_tokens=10**6), [long, ROWS[0]], None)
    assert attempts["long"] == Attempt("", 0, cut_off=True)
    assert attempts[ROWS[0]["id"]].text == "Answer: 2"


def test_a_reply_that_is_cut_off_says_so(nano_tokenizer) -> None:
    lm = ScriptedLM(nano_tokenizer, {"1 + 1?": "Answer: 2"})
    [attempt] = attempt_all(lm, Reference("only", max_answer_tokens=3), ROWS[:1], None).values()
    assert attempt == Attempt("Ans", 3, cut_off=True)


def test_sampling_is_as_in_s1_and_has_a_seed(nano_tokenizer) -> None:
    lm = ScriptedLM(nano_tokenizer, {"1 + 1?": "Answer: 2"})
    attempt_all(lm, Reference("only", max_answer_tokens=10), ROWS[:1], None)
    prompt = tuple(prompt_ids(nano_tokenizer, "1 + 1?"))
    assert dict(lm.engine.history[0].sampling) == {"temperature": 0.05, "seed": stream_seed(0, prompt, 0, 0)}
    assert lm.engine.history[0].prefix == prompt


def test_what_nobody_can_grade_is_rejected_by_name() -> None:
    proof = {**ROWS[0], "reference": None, "source_type": "a/b"}
    result = keep_difficult([proof], {"small": {proof["id"]: Attempt("It follows.", 3, False)}}, grade_by_checker)
    assert result.rows == []
    assert [(one.rule, one.detail) for one in result.rejected] == [("no reference answer to grade by", "a/b")]


def test_given_attempts_are_not_graded_again() -> None:
    given = {**ROWS[0], "attempts": {"small": {"correct": False}}, "teacher_correct": True, "answer": "wrong"}
    solved = {**ROWS[1], "attempts": {"small": {"correct": True}}, "teacher_correct": True}
    result = keep_difficult([given, solved], {}, grade_by_checker)
    assert result.rows == [given]
    assert result.rules() == {"solved by small": 1}


def test_a_model_of_an_unknown_kind_is_a_sentence() -> None:
    with (
        pytest.raises(CurationError, match=r"reference x: model is 'gpt'; expected s1_vllm"),
        started(Reference("x", "gpt")),
    ):
        pass


@pytest.mark.parametrize(
    ("text", "reference", "right"),
    [
        (r"Thus \boxed{A, B, D}", "ABD", True),
        ("Answer: (A), (B), (D)", "ABD", True),
        ("Answer: D and B and A", "ABD", True),
        (r"\boxed{\text{A and C}}", "AC", True),
        (r"\boxed{ABD}", "ABD", True),
        (r"\boxed{A, B}", "ABD", False),
        (r"\boxed{A, B, C, D}", "ABD", False),
        (r"\boxed{A}", "AC", False),
        ("Answer: a cab", "ABC", False),
        (r"\boxed{B}", "B", True),
        (r"\boxed{3, 4}", "34", False),
    ],
)
def test_several_right_choices_are_compared_as_a_set(text: str, reference: str, right: bool) -> None:
    grades, _ = grade_by_checker([Script("1", "Which hold?", text, reference, None)])
    assert grades == {"1": right}
