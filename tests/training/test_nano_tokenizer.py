"""The nano tokenizer: lossless on any text, one token for each word and digit, loadable by name."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoTokenizer

from training.nano import tokenizer, train

WORDS = tokenizer.build()


@given(st.text())
def test_any_text_comes_back_unchanged(text: str) -> None:
    ids = WORDS.encode(text, add_special_tokens=False)
    assert WORDS.decode(ids, skip_special_tokens=False) == text
    assert all(0 <= token < len(WORDS) for token in ids)


@given(st.text(st.sampled_from("WaitSoHmm done\nFinal Answer:0123<|im_start|>é漢😀")))
def test_text_full_of_its_own_words_comes_back_unchanged(text: str) -> None:
    assert WORDS.decode(WORDS.encode(text, add_special_tokens=False)) == text


@pytest.mark.parametrize("text", [*tokenizer.WORDS, *tokenizer.SPECIAL, *"0123456789 .,\n"])
def test_the_words_of_the_traces_are_single_tokens(text: str) -> None:
    assert len(WORDS.encode(text, add_special_tokens=False)) == 1


def test_the_chat_template_is_chatml_without_a_system_turn() -> None:
    messages = [{"role": "user", "content": "016 5"}]
    prompt = WORDS.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    assert prompt == "<|im_start|>user\n016 5<|im_end|>\n<|im_start|>assistant\n"
    assert WORDS.apply_chat_template(messages, tokenize=False) == "<|im_start|>user\n016 5<|im_end|>\n"


def test_a_tokenizer_saved_beside_its_model_is_found_by_name_and_the_same(tmp_path: Path) -> None:
    # The model's config matters: transformers picks another tokenizer class for some model types.
    train.new_model(WORDS, seed=0).config.save_pretrained(tmp_path)
    tokenizer.save(WORDS, tmp_path)
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    text = "<|im_start|>user\n016 59738<|im_end|>\nWait done. Sort e\u0301"
    assert loaded.encode(text) == WORDS.encode(text, add_special_tokens=False)
    assert loaded.decode(loaded.encode(text)) == text
    assert (loaded.eos_token, loaded.pad_token) == ("<|im_end|>", "<|endoftext|>")
    assert json.loads((tmp_path / "tokenizer_config.json").read_text())["tokenizer_class"] == "PreTrainedTokenizerFast"


def test_the_models_vocabulary_is_padded_to_a_multiple_of_64() -> None:
    assert tokenizer.model_vocabulary(WORDS) % 64 == 0
    assert 0 <= tokenizer.model_vocabulary(WORDS) - len(WORDS) < 64
