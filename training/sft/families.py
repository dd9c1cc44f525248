"""What fine-tuning has to know of a model family, and the refusal of families of which it does not know it.

A family is looked up by `model_type` of the model's config. Nothing is guessed: an unknown one is an error that says
what is missing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from s1_contract.errors import S1Error
from s1_models.formats import Format, FormatError, encode, parse_format, writable_format


class FamilyError(S1Error, ValueError):
    """A model that this code cannot fine-tune as it is."""


@dataclass(frozen=True)
class Family:
    """layer: class name of a decoder layer, the unit that FSDP shards and recomputation forgets."""

    layer: str


FAMILIES = {
    "llama": Family("LlamaDecoderLayer"),
    "mistral": Family("MistralDecoderLayer"),
    "qwen2": Family("Qwen2DecoderLayer"),
    "qwen3": Family("Qwen3DecoderLayer"),
}


def config_of(model: str) -> Any:
    """The transformers config of a folder or a Hub name. Raises FamilyError when there is none to be had."""
    from transformers import AutoConfig

    try:
        return AutoConfig.from_pretrained(model)
    except (OSError, ValueError) as error:
        raise FamilyError(
            f"the model {model!r} cannot be loaded ({str(error).splitlines()[0]}): give --model a folder with "
            "config.json, or a Hub name where the Hub can be reached"
        ) from error


def family_of(config: Any) -> Family:
    """The family of a transformers config. Raises FamilyError naming what is missing."""
    found = FAMILIES.get(config.model_type)
    if found is None:
        raise FamilyError(
            f"model_type {config.model_type!r} is not a family that can be fine-tuned here (known: "
            f"{', '.join(FAMILIES)}). Missing: the class of its decoder layer, to shard and recompute by, and a check "
            f"that its attention takes packed sequences. Add both as FAMILIES[{config.model_type!r}] in "
            "training/sft/families.py and to the packing test"
        )
    kinds = set(getattr(config, "layer_types", None) or ["full_attention"])
    if kinds != {"full_attention"} or getattr(config, "sliding_window", None):
        raise FamilyError(
            f"this {config.model_type} model attends in a window ({', '.join(sorted(kinds))}, sliding_window="
            f"{getattr(config, 'sliding_window', None)}); packed sequences are implemented for full attention only: "
            "choose a model without a window"
        )
    return found


def thinking_format(tokenizer: Any, wanted: str = "auto") -> Format:
    """The format that sequences are rendered in. Raises FamilyError when the tokenizer cannot write it."""
    if not getattr(tokenizer, "chat_template", None):
        raise FamilyError(
            "the tokenizer has no chat template, so a question cannot be asked: set tokenizer.chat_template"
        )
    if tokenizer.eos_token_id is None:
        raise FamilyError("the tokenizer has no eos token, so a sequence cannot end: set tokenizer.eos_token")
    try:
        form = parse_format(wanted) or writable_format(tokenizer)
    except FormatError as error:
        raise FamilyError(f"{error} (a base model without these tokens: add them to it first)") from error
    for stop in form.stops or (form.end,):
        if len(encode(tokenizer, stop)) != 1:
            raise FamilyError(
                f"the tokenizer has no single token for {stop!r}, which ends thinking in the format {form.name!r}: "
                "thinking could not be stopped at inference. Choose another --thinking-format or add the token"
            )
    return form
