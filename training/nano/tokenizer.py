"""The nano model's tokenizer: the words of its traces and digits are single tokens, every other text is bytes.

It is a byte-level BPE without merges, so any unicode text comes back unchanged, and a real benchmark question can
be fed to the model (which then has no idea what to do with it, but runs).
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from s1_contract.options import THINKING_FORMAT

PAD, START, END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
SPECIAL = (PAD, START, END)
# "Hmm" is there to be a wait text that no training text contains; "user" to "answer" follow <|im_start|>.
WORDS = (
    *("system", "user", "assistant", "think", "answer"),
    *("Final Answer:", "So", "Wait", "Alternatively", "Hmm", "done"),
)
CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
MAX_TOKENS = 4096  # also the model's longest sequence


def _byte_level(text: str) -> str:
    """A text in the alphabet that byte-level BPE writes its vocabulary in (a space becomes another letter)."""
    [(piece, _)] = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False).pre_tokenize_str(text)
    return piece


def build() -> PreTrainedTokenizerFast:
    """The tokenizer, made from the tables above alone; ids are stable as long as the tables are."""
    # Sorted: the alphabet comes as a set, and ids must not depend on the interpreter's hash seed.
    pieces = [*SPECIAL, *sorted(pre_tokenizers.ByteLevel.alphabet()), *(_byte_level(word) for word in WORDS)]
    bpe = models.BPE({piece: i for i, piece in enumerate(pieces)}, merges=[], ignore_merges=True)
    tokenizer = Tokenizer(bpe)
    words = "|".join(re.escape(word) for word in sorted(WORDS, key=len, reverse=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(words), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(text, normalized=False, special=True) for text in SPECIAL])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        eos_token=END,
        chat_template=CHAT_TEMPLATE,
        model_max_length=MAX_TOKENS,
        clean_up_tokenization_spaces=False,
    )


def save(tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Write the tokenizer's files, naming the class that every transformers release since 4 can load."""
    tokenizer.save_pretrained(folder)
    path = folder / "tokenizer_config.json"
    config = json.loads(path.read_text())
    config["tokenizer_class"] = "PreTrainedTokenizerFast"
    config.pop("backend", None)
    config[THINKING_FORMAT] = "s1"  # what its traces are written in
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")


def model_vocabulary(tokenizer: PreTrainedTokenizerFast) -> int:
    """Rows of the embedding: the vocabulary padded to a multiple of 64."""
    return (len(tokenizer) + 63) // 64 * 64
