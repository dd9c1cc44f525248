"""What s1_models writes, s1_tasks can split and s1_report can read: the rooms do not import one another."""

import pytest

from s1_contract.response import Response
from s1_contract.usage import USAGE_FIELDS
from s1_models.forcing import Budget, BudgetForcing, Finish, Reply, Session
from s1_models.formats import FORMATS, Format, mark
from s1_models.policies.plain import PlainAnswer
from s1_models.trace import transcribe
from s1_tasks.answers import judge
from s1_tasks.scoring import process_results
from tests.models.tokenizers_made_here import make_tokenizer

STEPS = Format("steps", "<|im_start|>", "<|im_start|>answer\nFinal Answer:", ())  # s1's step-conditional control


@pytest.mark.parametrize("form", [*FORMATS.values(), STEPS], ids=lambda form: form.name)
@pytest.mark.parametrize("finish", list(Finish))
def test_the_answer_is_found_after_the_thinking_of_every_format(form: Format, finish: Finish) -> None:
    """Thinking names 7 as boxed; the answer says 42: only what comes after the end of thinking counts."""
    harmony = ["<|start|>", "<|end|>", "<|message|>", "<|channel|>", "<|return|>", "<|call|>"]
    tokenizer = make_tokenizer(["<|im_start|>", "<|im_end|>", "<think>", "</think>", *harmony], "<|im_end|>")
    marks = mark(tokenizer, form, Budget(), frozenset({tokenizer.eos_token_id}))
    policy = BudgetForcing(Budget(), marks, context_window=4096)

    def tokens(text: str) -> tuple[int, ...]:
        return tuple(tokenizer.encode(text, add_special_tokens=False))

    session = policy.advance(policy.begin(tokens("?")), Reply(tokens("\nmaybe \\boxed{7}\n"), finish))

    def transcript_of(session: Session) -> Response:
        return transcribe(session, lambda ids: tokenizer.decode(list(ids)))

    unanswered = transcript_of(policy.advance(session, Reply((), Finish.STOP)))
    assert judge(unanswered, "7").answer != "7"
    answer = " 42" if finish is Finish.LENGTH else "\nFinal Answer: 42"
    session = policy.advance(session, Reply(tokens(answer), Finish.STOP))
    transcript = transcript_of(session)
    assert transcript[transcript.answer_start :] == transcript.answer
    assert "7" not in transcript.answer
    for text in (transcript, str(transcript)):
        assert judge(text, "42").correct
        assert not judge(text, "7").correct


def test_an_answer_without_thinking_begins_at_its_beginning() -> None:
    """Thinking closed by the chat template, and models that do not think: the text is the answer alone."""
    policy = PlainAnswer(100, frozenset({1}), context_window=400)
    tokenizer = make_tokenizer(["<|im_end|>"], "<|im_end|>")
    reply = Reply(tuple(tokenizer.encode("First 7.\nAnswer: 42", add_special_tokens=False)), Finish.STOP)
    session = policy.advance(policy.begin((2,)), reply)
    transcript = transcribe(session, lambda ids: tokenizer.decode(list(ids)))
    assert judge(transcript, "42").correct
    assert set(USAGE_FIELDS) - {"tries", "rejected_tokens"} == set(transcript.usage)


def test_scoring_reads_the_usage_a_transcript_carries() -> None:
    tokenizer = make_tokenizer(["<|im_start|>", "<|im_end|>"], "<|im_end|>")
    marks = mark(tokenizer, FORMATS["s1"], Budget(num_waits=1), frozenset({tokenizer.eos_token_id}))
    policy = BudgetForcing(Budget(num_waits=1), marks, context_window=4096)
    session = policy.begin((1,))
    for reply in (Reply((5, 6), Finish.STOP), Reply((7,), Finish.STOP), Reply((8,), Finish.STOP)):
        session = policy.advance(session, reply)
    transcript = transcribe(session, lambda ids: tokenizer.decode(list(ids)))
    assert set(USAGE_FIELDS) - {"tries", "rejected_tokens"} == set(transcript.usage)
    metrics = process_results({"answer": "604", "answer_kind": "integer"}, [[transcript]])
    assert metrics["thinking_tokens"] == 3 + len(marks.wait)
    assert (metrics["waits_used"], metrics["cut_off"], metrics["answer_tokens"]) == (1, 0, 1)
