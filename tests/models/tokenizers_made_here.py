"""Small real tokenizers, byte-level as Qwen's and Llama's, with chosen special tokens and chat templates."""

from typing import Any

CHATML = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
# The shape of DeepSeek-R1's: the template itself opens the thinking.
OPENED = "{% for message in messages %}<User>{{ message.content }}{% endfor %}<Assistant><think>\n"


def make_tokenizer(special: list[str], eos: str, chat_template: str | None = CHATML) -> Any:
    """A byte-level tokenizer with these special tokens; encodes any text without loss."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    vocabulary = {piece: index for index, piece in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    core = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    core.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in special])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=core, eos_token=eos, pad_token=eos)
    tokenizer.chat_template = chat_template
    return tokenizer


def chatml() -> Any:
    return make_tokenizer(["<|im_start|>", "<|im_end|>"], "<|im_end|>")


def think_tags() -> Any:
    return make_tokenizer(["<think>", "</think>", "<eos>", "<|im_start|>", "<|im_end|>"], "<eos>", OPENED)


def plain() -> Any:
    return make_tokenizer(["<eos>"], "<eos>", None)
