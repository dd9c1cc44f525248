"""Rendering: a training sequence is what budget forcing leaves at inference, and the mask says who wrote what."""

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s1_models.formats import S1, encode
from s1_tasks.nano_problems import training_problems
from training.nano import tokenizer, traces
from training.render import FINAL_ANSWER, Piece, prompt_ids, render

WORDS = tokenizer.build()


def _ids(text: str) -> list[int]:
    return list(encode(WORDS, text))


def test_natural_thinking_is_put_together_as_at_inference() -> None:
    rendered = render(WORDS, "016 59", "085 9\n434\nSo 434.\n", "Final Answer: 434")
    prompt = _ids("<|im_start|>user\n016 59<|im_end|>\n<|im_start|>assistant\n")
    assert prompt == prompt_ids(WORDS, "016 59")
    sampled = _ids("\n085 9\n434\nSo 434.\n")
    assert rendered.input_ids == [
        *prompt, *_ids(S1.start), *sampled, *_ids(S1.end), *_ids("\nFinal Answer: 434"), *_ids("<|im_end|>")
    ]  # fmt: skip
    assert rendered.loss_mask == [0] * len(prompt) + [1] * (len(rendered.input_ids) - len(prompt))


def test_a_forced_wait_is_one_piece_without_newline_and_not_in_the_loss() -> None:
    pieces = [Piece("434\nSo 434.\n"), Piece("Wait", forced=True), Piece(" done.\nSo 434.\n")]
    rendered = render(WORDS, "016 59", pieces, "Final Answer: 434")
    at = rendered.input_ids.index(_ids("Wait")[0])
    assert rendered.input_ids[at - 1] == _ids("\n")[0]
    assert rendered.loss_mask[at - 1 : at + 2] == [1, 0, 1]


@pytest.mark.parametrize(("written", "newline"), [("085 9", "\n"), ("085 9\n", ""), ("", "")])
def test_a_budget_that_ran_out_gets_a_newline_only_where_one_is_missing(written: str, newline: str) -> None:
    rendered = render(WORDS, "016 59", written, "085", cut_off=True)
    forced = _ids(newline) + _ids("<|im_start|>answer\nFinal Answer:")
    kept = [*prompt_ids(WORDS, "016 59"), *_ids(S1.start), *_ids("\n"), *_ids(written)]
    assert rendered.input_ids == [*kept, *forced, *_ids(" 085"), *_ids("<|im_end|>")]
    assert rendered.loss_mask[len(kept) : len(kept) + len(forced)] == [0] * len(forced)
    assert rendered.loss_mask[-5:] == [1] * 5


@given(st.lists(st.tuples(st.text(max_size=20), st.booleans()), max_size=6), st.booleans())
def test_ids_and_mask_are_equally_long_and_hold_the_text(parts: list[tuple[str, bool]], cut_off: bool) -> None:
    pieces = [Piece(text, forced) for text, forced in parts]
    thinking = "".join(piece.text for piece in pieces)
    if not cut_off and not any(piece.text.strip() for piece in pieces):
        with pytest.raises(ValueError, match="the thinking is empty"):
            render(WORDS, "q", pieces, "Final Answer: 1")
        return
    rendered = render(WORDS, "q", pieces, "1" if cut_off else "Final Answer: 1", cut_off=cut_off)
    assert len(rendered.input_ids) == len(rendered.loss_mask)
    text = WORDS.decode(rendered.input_ids)
    assert text.startswith(f"<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\n{S1.start}\n{thinking}")
    assert text.endswith(f"{S1.end}\n{FINAL_ANSWER} 1<|im_end|>")


def test_an_empty_answer_is_refused() -> None:
    with pytest.raises(ValueError, match="the answer is empty"):
        render(WORDS, "q", "thinking", " \n")


def test_traces_render_to_the_same_tokens_as_their_text() -> None:
    # No merges in this tokenizer: pieces tokenized alone and the text tokenized whole must agree.
    rng = random.Random(2)
    for problem in itertools.islice(training_problems(rng), 100):
        trace = traces.write(problem, traces.base_habits(rng), rng)
        rendered = trace.rendered(WORDS)
        assert rendered.input_ids == _ids(WORDS.decode(rendered.input_ids))
