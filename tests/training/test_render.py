"""Rendering: a training sequence is what budget forcing leaves at inference, and the mask says who wrote what."""

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s1_models.formats import S1, THINK, encode
from s1_tasks.nano_problems import training_problems
from tests.models.tokenizers_made_here import CHATML, think_tags
from training.nano import tokenizer, traces
from training.render import FINAL_ANSWER, Piece, prompt_ids, render, render_row, row_text

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


# Rows of a data set, as in simplescaling/s1K_tokenized.

# The shape of Qwen2.5-Instruct's chat template: a system turn of its own, a newline after every turn.
QWEN = (
    "{% if messages[0].role != 'system' %}<|im_start|>system\n"
    "You are Qwen, created by Alibaba Cloud. You are a helpful assistant.<|im_end|>\n{% endif %}" + CHATML
)


@pytest.fixture(scope="module")
def qwen():
    """A tokenizer that merges and splits like Qwen2.5's, small enough to be trained here."""
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    core = Tokenizer(models.BPE())
    # Qwen2.5's own pattern: a full stop takes the newlines after it, which is where joints could go wrong.
    words = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    pattern = words + r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    core.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(pattern), behavior="isolated"), pre_tokenizers.ByteLevel(False, use_regex=False)]
    )
    core.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=700, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    core.train_from_iterator(
        [QWEN, *(["So it is four.\n\nHence 4.\n", "think answer Answer: $x = 4$.\n"] * 50)], trainer
    )
    core.add_special_tokens(
        [AddedToken(token, normalized=False, special=True) for token in ("<|endoftext|>", "<|im_start|>", "<|im_end|>")]
    )
    words = PreTrainedTokenizerFast(tokenizer_object=core, eos_token="<|im_end|>", pad_token="<|endoftext|>")
    words.chat_template = QWEN
    return words


ROW = {"question": "What is 2 + 2?", "thinking": "\nSo it is four.\n\nHence 4. ", "answer": "$x = 4$.\n"}


def test_a_row_is_written_as_in_s1k_tokenized(qwen) -> None:
    assert row_text(qwen, ROW) == (
        "<|im_start|>system\nYou are Qwen, created by Alibaba Cloud. You are a helpful assistant.<|im_end|>\n"
        "<|im_start|>user\nWhat is 2 + 2?<|im_end|>\n"
        "<|im_start|>assistant\n<|im_start|>think\nSo it is four.\n\nHence 4.\n"
        "<|im_start|>answer\nAnswer: $x = 4$.<|im_end|>\n"
    )
    # As s1 makes it: one conversation through the chat template.
    turn = "<|im_start|>think\nSo it is four.\n\nHence 4.\n<|im_start|>answer\nAnswer: $x = 4$."
    messages = [{"role": "user", "content": ROW["question"]}, {"role": "assistant", "content": turn}]
    assert row_text(qwen, ROW) == qwen.apply_chat_template(messages, tokenize=False)


@pytest.mark.parametrize("attempt", ["\n\nThe value is 4.\n", "  4", "\nAnswer: 4 ", "4"])
def test_an_attempt_that_begins_with_white_space_is_written_as_s1_writes_it(qwen, attempt: str) -> None:
    # s1's tokenization.py: the prefix first, then strip().
    answer = "Answer: " + attempt if "Answer:" not in attempt else attempt
    turn = "<|im_start|>think\na\n<|im_start|>answer\n" + answer.strip()
    messages = [{"role": "user", "content": "q"}, {"role": "assistant", "content": turn}]
    row = {"question": "q", "thinking_trajectories": ["a"], "attempt": attempt}
    assert row_text(qwen, row) == qwen.apply_chat_template(messages, tokenize=False)
    assert qwen.decode(render_row(qwen, row).input_ids) == row_text(qwen, row)


def test_a_rows_tokens_are_its_texts_tokens_and_the_mask_begins_with_the_thinking(qwen) -> None:
    rendered = render_row(qwen, ROW)
    assert rendered.input_ids == list(encode(qwen, row_text(qwen, ROW)))
    prompt = len(prompt_ids(qwen, ROW["question"]))
    trained = len(rendered.input_ids) - prompt - 1  # without the newline after the last token
    assert rendered.loss_mask == [0] * prompt + [1] * trained + [0]
    assert qwen.decode(rendered.input_ids[prompt : prompt + 2]) == S1.start
    assert rendered.input_ids[-2] == qwen.eos_token_id


@given(st.text(max_size=60), st.text(max_size=60))
def test_a_rendered_row_says_what_its_text_says(thinking: str, answer: str) -> None:
    row = {"question": "q", "thinking": thinking, "answer": answer}
    if not thinking.strip() or not answer.strip():
        with pytest.raises(ValueError, match="is empty"):
            render_row(WORDS, row)
        return
    assert WORDS.decode(render_row(WORDS, row).input_ids) == row_text(WORDS, row)


@pytest.mark.parametrize(
    "row",
    [
        {"thinking_trajectories": ["a", "b"], "attempt": "Answer: 4"},
        {"attempt": "5", "deepseek_thinking_trajectory": "a\nb", "deepseek_attempt": "4"},
        {"thinking": "a\nb", "answer": "Answer: 4"},
    ],
    ids=["s1K", "s1K-1.1", "ours"],
)  # fmt: skip
def test_rows_of_s1k_s1k11_and_ours_read_alike(row: dict) -> None:
    assert row_text(WORDS, {"question": "q", **row}).endswith("think\na\nb\n<|im_start|>answer\nAnswer: 4<|im_end|>\n")


def test_a_template_that_opens_the_thinking_itself_gets_no_second_delimiter() -> None:
    words = think_tags()
    text = row_text(words, ROW, form=THINK)
    assert text.count("<think>") == 1
    assert words.decode(render_row(words, ROW, form=THINK).input_ids) == text
