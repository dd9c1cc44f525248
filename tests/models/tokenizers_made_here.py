"""Small real tokenizers, byte-level as Qwen's and Llama's, with chosen special tokens and chat templates.

Each family's has its real special tokens and a chat template of its real shape, in few words.
"""

from typing import Any

CHATML = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
# QwQ's shape: the template opens the thinking.
CHATML_OPENED = CHATML.replace("assistant\n{% endif %}", "assistant\n<think>\n{% endif %}")
# Qwen3's: thinking that is switched off is an empty pair of tags in the prompt.
CHATML_SWITCHED = CHATML.replace(
    "assistant\n{% endif %}",
    "assistant\n{% if enable_thinking is defined and enable_thinking is false %}<think>\n\n</think>\n\n{% endif %}"
    "{% endif %}",
)
# The shape of DeepSeek-R1's, whose template opens the thinking as well.
OPENED = "{% for message in messages %}<User>{{ message.content }}{% endfor %}<Assistant><think>\n"
DEEPSEEK = (
    "{{ bos_token }}{% for message in messages %}{% if message.role == 'user' %}<｜User｜>{{ message.content }}"
    "{% else %}<｜Assistant｜>{{ message.content.split('</think>')[-1] }}<｜end▁of▁sentence｜>{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<｜Assistant｜><think>\n{% endif %}"
)
HARMONY = (
    "<|start|>system<|message|>Reasoning: medium<|end|>"
    "{% for message in messages %}<|start|>{{ message.role }}<|message|>{{ message.content }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|start|>assistant{% endif %}"
)
LLAMA = (
    "{% for message in messages %}<|start_header_id|>{{ message.role }}<|end_header_id|>\n\n{{ message.content }}"
    "<|eot_id|>{% endfor %}"
    "{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}"
)
# A model tuned on tags that its vocabulary does not have.
LLAMA_TAGS = LLAMA.replace("assistant<|end_header_id|>\n\n{% endif", "assistant<|end_header_id|>\n\n<think>\n{% endif")


def make_tokenizer(
    special: list[str],
    eos: str,
    chat_template: str | None = CHATML,
    merges: tuple[tuple[str, str], ...] = (),
    **config: object,
) -> Any:
    """A byte-level tokenizer with these special tokens; encodes any text without loss. merges: of the BPE, in order."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    pieces = [*sorted(pre_tokenizers.ByteLevel.alphabet()), *dict.fromkeys(left + right for left, right in merges)]
    core = Tokenizer(models.BPE(vocab={piece: index for index, piece in enumerate(pieces)}, merges=list(merges)))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    core.decoder = decoders.ByteLevel()
    core.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in special])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=core, eos_token=eos, pad_token=eos, **config)
    tokenizer.chat_template = chat_template
    return tokenizer


def chatml() -> Any:
    """What training on s1's data leaves: ChatML, and a tokenizer config that says how the model thinks."""
    return make_tokenizer(["<|im_start|>", "<|im_end|>"], "<|im_end|>", thinking_format="s1")


def qwen2_instruct() -> Any:
    """ChatML and nothing that says that the model thinks (Qwen2.5-Instruct, SmolLM2-Instruct, ...)."""
    return make_tokenizer(["<|im_start|>", "<|im_end|>"], "<|im_end|>")


def think_tags() -> Any:
    return make_tokenizer(["<think>", "</think>", "<eos>", "<|im_start|>", "<|im_end|>"], "<eos>", OPENED)


def plain() -> Any:
    return make_tokenizer(["<eos>"], "<eos>", None)


def deepseek_r1() -> Any:
    special = [
        "<｜begin▁of▁sentence｜>",
        "<｜end▁of▁sentence｜>",
        "<｜User｜>",
        "<｜Assistant｜>",
        "<think>",
        "</think>",
    ]
    return make_tokenizer(special, "<｜end▁of▁sentence｜>", DEEPSEEK, bos_token="<｜begin▁of▁sentence｜>")


def qwq() -> Any:
    return make_tokenizer(["<|im_start|>", "<|im_end|>", "<think>", "</think>"], "<|im_end|>", CHATML_OPENED)


def qwen3() -> Any:
    return make_tokenizer(["<|im_start|>", "<|im_end|>", "<think>", "</think>"], "<|im_end|>", CHATML_SWITCHED)


def qwen3_instruct() -> Any:
    """The vocabulary of the thinking models, and a template that never thinks."""
    return make_tokenizer(["<|im_start|>", "<|im_end|>", "<think>", "</think>"], "<|im_end|>")


def gpt_oss() -> Any:
    special = ["<|start|>", "<|end|>", "<|message|>", "<|channel|>", "<|constrain|>", "<|return|>", "<|call|>"]
    return make_tokenizer(special, "<|return|>", HARMONY)


def llama_instruct() -> Any:
    return make_tokenizer(["<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"], "<|eot_id|>", LLAMA)


def llama_with_tags_as_text() -> Any:
    return make_tokenizer(["<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"], "<|eot_id|>", LLAMA_TAGS)
