"""The model card of a fine-tuned checkpoint, written from its record so that no number is typed by hand."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from training.sft.recipes import RECIPES


def text(record: Mapping[str, Any]) -> str:
    """The card in Markdown. record: what `training.sft.checkpoint.describe` writes."""
    recipe, data, training = record["recipe"], record["data"], record["training"]
    versions = record["versions"]
    original = RECIPES[recipe["name"]]
    changed = [
        f"{key}={value}"
        for key, value in recipe.items()
        if key not in ("name", "model", "data") and json.dumps(value) != json.dumps(_plain(getattr(original, key)))
    ]
    lost = f", {data['over_long_rows']} over-long ({data['lost_token_share']:.1%} of the tokens lost)"
    kept = f"{data['source']}: {data['sequences']:,} of {data['rows']:,} rows"
    contamination = record["contamination"]
    checked = (
        "not checked: no report was given"
        if contamination is None
        else ", ".join(f"{key} {value}" for key, value in contamination.items())
    )
    rows = {
        "base model": record["base"],
        "data": kept + (lost if data["over_long_rows"] else ""),
        "data hash": f"sha256 {data['sha256']} (token ids and loss masks, in order)",
        "contamination": checked,
        "recipe": f"{recipe['name']}{', changed: ' + ', '.join(changed) if changed else ', unchanged'}",
        "optimizer": (
            f"AdamW, peak rate {recipe['learning_rate']:g}, cosine to 0, {recipe['warmup_ratio']:.0%} warm-up, weight "
            f"decay {recipe['weight_decay']:g}, betas {recipe['adam_betas'][0]:g} and {recipe['adam_betas'][1]:g}"
        ),
        "batch": f"{recipe['global_batch']} sequences a step, mean over {recipe['loss_average']}s",
        "training": (
            f"{training['steps']} steps, {training['tokens']:,} tokens, {training['processes']} process(es) x "
            f"{training['accumulation']} micro-batches on {training['device']}, "
            f"{training['tokens_per_second']:,} tokens/s"
        ),
        "loss": f"{training['first_loss']} at the first step, {training['last_loss']} over the last ten",
        "code": f"commit {versions['commit']}, torch {versions['torch']}, transformers {versions['transformers']}, "
        f"trl {versions['trl']}",
    }
    lines = [
        "---",
        "library_name: transformers",
        f"base_model: {record['base']}",
        "tags: [test-time-scaling, budget-forcing, s1]",
        "---",
        "# A model fine-tuned to think, in the manner of s1",
        "",
        "It thinks before it answers, and how long can be controlled (budget forcing):",
        "",
        "```",
        "lm_eval --model s1_vllm --model_args pretrained=THIS_FOLDER,num_waits=2 --tasks aime24",
        "```",
        "",
        "`thinking_format` in tokenizer_config.json says how it delimits thinking. The base model's licence holds.",
        "",
        "| | |",
        "| --- | --- |",
        *(f"| {name} | {value} |" for name, value in rows.items()),
        "",
        "![Loss and learning rate](loss.png)",
    ]
    return "\n".join(lines) + "\n"


def _plain(value: Any) -> Any:
    """A recipe's value as it is in the record, which went through JSON."""
    return value if not hasattr(value, "__dataclass_fields__") else vars(value)
