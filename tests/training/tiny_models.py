"""Tiny random models of the families that can be fine-tuned, with the nano tokenizer, in folders for recipes."""

from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, LlamaConfig, PretrainedConfig, Qwen2Config, Qwen3Config

from training.nano import tokenizer

KINDS: dict[str, type[PretrainedConfig]] = {"qwen2": Qwen2Config, "qwen3": Qwen3Config, "llama": LlamaConfig}


def make(kind: str, folder: Path) -> Path:
    """A model of two layers, 64 wide, with biases that are not zero; qwen2 has tied embeddings, the others have not."""
    words = tokenizer.build()
    torch.manual_seed(0)
    config = KINDS[kind](
        vocab_size=len(words),
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=16,
        max_position_embeddings=512,
        tie_word_embeddings=kind == "qwen2",
        eos_token_id=words.eos_token_id,
        pad_token_id=words.pad_token_id,
        bos_token_id=None,
    )
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):
            torch.nn.init.normal_(parameter, std=0.1)
    model.save_pretrained(folder)
    tokenizer.save(words, folder)
    return folder
