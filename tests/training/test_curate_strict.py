"""The stricter contamination rule: what is a benchmark's question in other clothes, and what is not."""

import pytest

from training.curate.benchmark_questions import BenchmarkQuestion
from training.curate.decontaminate import decontaminate
from training.curate.stage import CurationError, question_id
from training.curate.strict import Index, check_strictly, normal

QUESTIONS = [
    BenchmarkQuestion(
        "made up", "long", "A gardener plants tulips in 7 rows of 9 and gives away 13 of them. How many are left?"
    ),
    BenchmarkQuestion("made up", "short", "Simplify $3x + 4x$."),
    BenchmarkQuestion("made up", "tiny", "What is $2^{10}$?"),
    BenchmarkQuestion(
        "made up", "chinese", "小明有三个苹果，他又买了五个苹果，然后送给朋友两个，请问他现在还有多少个苹果？"
    ),
    BenchmarkQuestion(
        "made up",
        "accents",
        "Le père Noël a caché 12 œufs près de l'étang gelé, combien en reste-t-il après le dégel ?",
    ),
    BenchmarkQuestion(
        "made up", "formula", "Find $\\dfrac{a}{b}$ if $a = 3b$ and $b \\ne 0$, then compute $\\left(a - b\\right)^2$."
    ),
]


def found(text: str) -> tuple[str, str] | None:
    """Question and rule that a text is rejected for."""
    hit = Index(QUESTIONS).look(text)
    return hit and (QUESTIONS[hit.number].id, hit.rule)


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda one: one.id)
def test_every_question_is_found_in_itself_however_it_is_written(question: BenchmarkQuestion) -> None:
    for text in (
        question.text,
        f"  {question.text if chr(92) in question.text else question.text.upper()} ",
        "\u200b".join(question.text),
        question.text.replace(" ", "\u00a0"),
        question.text.replace("$", ""),
    ):
        assert found(text) == (question.id, "same question"), text


@pytest.mark.parametrize(
    ("text", "which", "rule"),
    [
        ("Hello! Please simplify 3x+4x, and show your work.", "short", "whole question"),
        ("老师问：小明有三个苹果，他又买了五个苹果，然后送给朋友两个。求答案。", "chinese", "run"),
        ("Le pere Noel a cache 12 œufs pres de l'etang gele, dit-on.", "accents", "run"),
        (r"Find $\frac{a}{b}$ if $a = 3b$ and $b \ne 0$, then compute $(a-b)^2$.", "formula", "same question"),
        ("A farmer plants tulips in 8 rows of 9 and gives away 14 of them. How many are left?", "long", "near"),
        ("Ａ ｇａｒｄｅｎｅｒ ｐｌａｎｔｓ ｔｕｌｉｐｓ ｉｎ ７ ｒｏｗｓ ｏｆ ９ ａｎｄ", "long", "run"),
    ],
)
def test_a_copy_with_other_characters_words_or_numbers_is_found(text: str, which: str, rule: str) -> None:
    assert found(text) == (which, rule)


@pytest.mark.parametrize(
    "text",
    [
        "What is $2^{11}$?",
        "What is $2^{10} + 1$?",
        "Simplify $3x + 5x$.",
        "How many tulips does a gardener need?",
        "小明有三个苹果。",
        "",
        "\u200b",
    ],
)
def test_another_question_is_not(text: str) -> None:
    assert found(text) is None


def test_what_s1s_rule_rejects_is_rejected() -> None:
    texts = [f"x y - {one.text} - z" for one in QUESTIONS]
    rows = [{"id": question_id(text), "question": text} for text in texts]
    strict, loose = check_strictly(rows, QUESTIONS), decontaminate(rows, QUESTIONS)
    assert {one.id for one in loose.rejected} <= {one.id for one in strict.rejected}
    assert len(strict.rejected) > len(loose.rejected) > 0
    assert strict.figures["report"]["rows_rejected"] == len(strict.rejected)
    assert "hits" not in strict.figures["contamination"]


def test_no_questions_and_a_share_of_nothing_are_refused() -> None:
    with pytest.raises(CurationError, match="no benchmark questions"):
        Index([])
    with pytest.raises(CurationError, match=r"near is 1\.5; expected a share"):
        Index(QUESTIONS, near=1.5)


def test_the_normal_form_has_no_case_no_accents_and_nothing_invisible() -> None:
    assert normal("É\u0301\u200bTÉ − ﬁn") == "ete - fin"
