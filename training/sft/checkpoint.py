"""From a trained model to a folder that `s1_vllm` loads without a guess: weights, tokenizer, format, record, card."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from transformers import AutoModelForCausalLM, GenerationConfig

from s1_models.formats import Format, as_option
from training.curate.decontaminate import summarize
from training.nano.make import versions
from training.sft import card
from training.sft.data import DataError

if TYPE_CHECKING:
    from training.sft.batches import Schedule
    from training.sft.data import TrainingSet
    from training.sft.train import Job

RECORD = "sft.json"  # beside the weights: how the checkpoint was made
ADAPTER = "adapter"


def save(trainer: Any, tokenizer: Any, form: Format, out: Path) -> None:
    """Gather the weights of all processes and write them in bf16, adapters merged; every process has to call this."""
    recipe_model = trainer.accelerator.unwrap_model(trainer.model)
    state = trainer.accelerator.get_state_dict(trainer.model)
    if not trainer.accelerator.is_main_process:
        return
    if hasattr(recipe_model, "peft_config"):
        recipe_model.save_pretrained(out / ADAPTER, state_dict=state)
        model = _merged(recipe_model, out / ADAPTER)
        state = model.state_dict()
    else:
        model = recipe_model
    _settle(model, tokenizer)
    if model.config.tie_word_embeddings:
        for name in model._tied_weights_keys or ():
            state.pop(name, None)
    model.save_pretrained(out, state_dict={name: _narrow(tensor) for name, tensor in state.items()})
    # transformers writes down the type that the model was trained in.
    path = out / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "dtype": "bfloat16"}, indent=2) + "\n")
    write_tokenizer(tokenizer, form, out)


def _merged(model: Any, adapter: Path) -> Any:
    """The base model with the adapter's products added to its weights; loaded anew, whatever it was trained in."""
    from peft import PeftModel

    base = AutoModelForCausalLM.from_pretrained(
        model.get_base_model().config._name_or_path, dtype=torch.bfloat16, device_map={"": "cpu"}
    )
    return PeftModel.from_pretrained(base, adapter).merge_and_unload()


def _narrow(tensor: Tensor) -> Tensor:
    return tensor.to(torch.bfloat16).contiguous() if tensor.is_floating_point() else tensor


def _settle(model: Any, tokenizer: Any) -> None:
    """Config and generation config: the end that training taught; the base's sampling habits are left out."""
    pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
    model.config.eos_token_id = tokenizer.eos_token_id
    model.config.pad_token_id = pad
    model.config.use_cache = True
    model.generation_config = GenerationConfig(do_sample=False, eos_token_id=tokenizer.eos_token_id, pad_token_id=pad)


def write_tokenizer(tokenizer: Any, form: Format, out: Path) -> None:
    """The tokenizer with its chat template; `thinking_format` in tokenizer_config.json says how the model thinks."""
    tokenizer.save_pretrained(out)
    path = out / "tokenizer_config.json"
    config = json.loads(path.read_text())
    config["thinking_format"] = as_option(form)
    if config.get("tokenizer_class") == "TokenizersBackend":  # the name of transformers 5 for what 4 calls:
        config["tokenizer_class"] = "PreTrainedTokenizerFast"
        config.pop("backend", None)
    path.write_text(json.dumps(config, indent=2, sort_keys=True, ensure_ascii=False) + "\n")


def describe(
    job: Job,
    trained: TrainingSet,
    plan: Schedule,
    history: Sequence[Mapping[str, float]],
    tokens_per_second: int,
    device: str,
    contaminated: dict[str, Any] | None,
) -> dict[str, Any]:
    """Write the record and the model card made from it; returns the record. contaminated: of `contamination`."""
    steps = len(history)
    record = {
        "stage": "sft",
        "recipe": asdict(job.recipe),
        "base": job.recipe.model,
        "data": {
            "source": trained.source,
            "sha256": trained.sha256,
            "rows": trained.rows,
            "sequences": len(trained.sequences),
            "over_long_rows": trained.over_long,
            "lost_token_share": round(trained.lost_tokens / max(1, trained.all_tokens), 6),
            "trained_tokens_an_epoch": trained.trained_tokens,
        },
        "contamination": contaminated,
        "training": {
            "steps": steps,
            "processes": plan.processes,
            "accumulation": plan.accumulation,
            "tokens": sum(plan.tokens[:steps]),
            "first_loss": round(history[0]["loss"], 4),
            "last_loss": round(sum(row["loss"] for row in history[-10:]) / len(history[-10:]), 4),
            "device": device,
            "tokens_per_second": tokens_per_second,
        },
        "versions": {**versions(), **{name: version(name) for name in ("trl", "accelerate", "peft")}},
    }
    (job.out / RECORD).write_text(json.dumps(record, indent=2) + "\n")
    (job.out / "README.md").write_text(card.text(record))
    return record


def contamination(report: Path | None, manifest: Mapping[str, Any]) -> dict[str, Any] | None:
    """What is known of the data's contamination: the report given, or what the curation's manifest says of its own.

    None when nobody looked. A report has the same hash here as in `training.curate check` and in a manifest. Raises
    DataError where the file is none.
    """
    if report is None:
        found: dict[str, Any] | None = manifest.get("contamination")
        return found
    try:
        content = json.loads(report.read_text(encoding="utf-8"))
        return {"report": report.name, **summarize(content)}
    except (OSError, ValueError, AttributeError) as error:
        raise DataError(
            f"{report} is no contamination report ({error}): expected contamination.json of a curation, or what "
            "`python -m training.curate check DATA --report FILE` wrote"
        ) from error
