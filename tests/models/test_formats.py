"""Formats on real tokenizers: marks, detection, and errors for vocabularies that lack the delimiters."""

import pytest

from s1_models.forcing import Budget
from s1_models.formats import (
    NO_THINKING,
    S1,
    THINK,
    Format,
    FormatError,
    detect,
    detect_format,
    mark,
    parse_format,
    writable_format,
)
from tests.models.tokenizers_made_here import chatml, make_tokenizer, plain, think_tags


def text(tokenizer: object, tokens: tuple[int, ...]) -> str:
    return tokenizer.decode(list(tokens), skip_special_tokens=False)  # type: ignore[attr-defined, no-any-return]


def test_s1_marks_are_the_texts_of_the_article() -> None:
    tokenizer = chatml()
    marks = mark(tokenizer, S1, Budget(num_waits=1), frozenset({tokenizer.eos_token_id}))
    assert text(tokenizer, marks.open) == "<|im_start|>think"
    assert text(tokenizer, marks.close) == "<|im_start|>answer"
    assert text(tokenizer, marks.cut_off) == "<|im_start|>answer\nFinal Answer:"
    assert text(tokenizer, marks.wait) == "Wait"
    assert text(tokenizer, marks.newline) == "\n"
    assert {text(tokenizer, (end,)) for end in marks.ends} == {"<|im_start|>", "<|im_end|>"}
    assert {text(tokenizer, (end,)) for end in marks.answer_ends} == {"<|im_end|>"}


def test_line_ends_are_the_tokens_whose_text_ends_in_a_newline() -> None:
    tokenizer = chatml()
    marks = mark(tokenizer, S1, Budget(), frozenset())
    assert marks.line_ends == {token for token in range(len(tokenizer)) if text(tokenizer, (token,)).endswith("\n")}
    assert marks.newline[-1] in marks.line_ends


def test_empty_wait_and_final_answer_texts_append_nothing() -> None:
    marks = mark(chatml(), S1, Budget(wait_text="", final_answer_text=""), frozenset())
    assert marks.wait == ()
    assert marks.cut_off == marks.close


def test_the_format_is_detected_from_the_vocabulary() -> None:
    assert detect_format(chatml()) is S1
    assert detect_format(think_tags()) is THINK, "think tags come first where a vocabulary has both"


def test_a_vocabulary_without_delimiters_does_not_think_and_cannot_be_trained_to_as_it_is() -> None:
    found = detect(plain())
    assert (found.form, found.candidates) == (NO_THINKING, ())
    with pytest.raises(FormatError, match=r"found no way of thinking.*thinking_format= one of s1 .*START\.\.\.END"):
        writable_format(plain())


def test_delimiters_of_several_tokens_are_forced_whole_and_are_no_stop_ids() -> None:
    marks = mark(plain(), S1, Budget(), frozenset({7}))
    assert text(plain(), marks.open) == "<|im_start|>think"
    assert len(marks.open) == len("<|im_start|>think")
    assert marks.ends == {7}, "what is no token of its own is found in the text"


def test_a_cut_ends_the_thinking_as_the_family_does() -> None:
    marks = mark(think_tags(), THINK, Budget(), frozenset())
    assert text(think_tags(), marks.cut_off) == "</think>\n\nFinal Answer:"
    forms = parse_format({"start": "<a>", "end": "<b>Final Answer:"})
    assert forms is not None
    cut = mark(think_tags(), forms, Budget(), frozenset()).cut_off
    assert text(think_tags(), cut) == "<b>Final Answer:", "an end that asks already is not followed by the request"


def test_a_token_for_everything_unknown_is_no_delimiter() -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    core = Tokenizer(models.WordLevel({"<unk>": 0, "word": 1, "<eos>": 2}, unk_token="<unk>"))
    core.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=core, unk_token="<unk>", eos_token="<eos>")
    assert detect(tokenizer).candidates == ()
    assert detect_format(tokenizer) == NO_THINKING


def test_an_s1_answer_ends_with_its_turn_also_where_that_is_not_the_end_of_text() -> None:
    tokenizer = make_tokenizer(["<|im_start|>", "<|im_end|>", "<|endoftext|>"], "<|endoftext|>")
    ends = mark(tokenizer, S1, Budget(), frozenset({tokenizer.eos_token_id})).answer_ends
    assert {text(tokenizer, (end,)) for end in ends} == {"<|im_end|>", "<|endoftext|>"}


def test_a_spelt_out_format_stops_at_its_one_token_end() -> None:
    tokenizer = think_tags()
    form = parse_format("<think>...</think>")
    assert form == Format("custom", "<think>", "</think>", ("</think>",))
    ends = mark(tokenizer, form, Budget(), frozenset()).ends
    assert {text(tokenizer, (end,)) for end in ends} == {"</think>"}
