"""From a trained model to a folder that `s1_vllm` loads without a guess: weights, tokenizer, format, record, card."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict
from torch.distributed.fsdp import FSDPModule
from transformers import AutoModelForCausalLM, GenerationConfig

from s1_contract.errors import DataError
from s1_contract.files import give_ordinary_modes, write_whole
from s1_models.formats import Format, as_option
from training.curate.decontaminate import summarize
from training.nano.make import versions
from training.sft import card, fingerprint
from training.sft.batches import Schedule
from training.sft.data import TrainingSet
from training.sft.job import Job
from training.sft.recipes import ArtefactError, Recipe

RECORD = "sft.json"  # beside the weights: how the checkpoint was made
ADAPTER = "adapter"
PROBE_TOKENS = 32  # on which the written model is compared with the one in memory
TOLERANCE, TOLERANCE_4_BITS = 0.05, 0.3  # of the logits' size: rounding to bf16; a base in 4 bits is not the merged one


def save(trainer: Any, tokenizer: Any, form: Format, recipe: Recipe, probe: Tensor, out: Path) -> None:
    """Write the trained model in bf16, adapters merged, and read it back; every process has to call this.

    probe: token ids [1, seq], on which the model in memory and the one on disk must agree. Raises ArtefactError where
    the folder does not hold what was trained.
    """
    model = trainer.accelerator.unwrap_model(trainer.model)
    names = {name for name, _ in fingerprint.trained(model)}
    state = _gathered(trainer, model, only_trained=recipe.adapter is not None)
    if recipe.adapter is not None:  # where embeddings are tied, the frozen head comes along
        state = {name: tensor for name, tensor in state.items() if name in names}
    logits = _logits(trainer, probe)
    if not trainer.accelerator.is_main_process:
        return
    lost = sorted(names - set(state))
    if lost:
        raise ArtefactError(f"{len(lost)} of {len(names)} trained tensors could not be gathered, such as {lost[0]}")
    if recipe.adapter is not None:
        model = _merged(recipe, model.peft_config["default"], state, out / ADAPTER)
        state = model.state_dict()
    _settle(model, tokenizer)
    if model.config.tie_word_embeddings:
        for name in model._tied_weights_keys or ():
            state.pop(name, None)
    state = {name: _narrow(tensor) for name, tensor in state.items()}
    model.save_pretrained(out, state_dict=state)
    # transformers writes down the type that the model was trained in.
    path = out / "config.json"
    write_whole(path, json.dumps({**json.loads(path.read_text()), "dtype": "bfloat16"}, indent=2) + "\n")
    write_tokenizer(tokenizer, form, out)
    give_ordinary_modes(out)
    check_written(out, state, probe, logits, TOLERANCE_4_BITS if _four_bits(recipe) else TOLERANCE)


def check_written(
    out: Path, state: Mapping[str, Tensor], probe: Tensor, logits: Tensor, tolerance: float = 0.05
) -> None:
    """Read a written model back. Raises ArtefactError where it is not, tensor by tensor, what was to be written.

    state: name -> bf16 tensor. logits: of the model in memory on the probe, [1, seq, vocabulary]; tolerance: how far
    those of the written model may be from them, as a share of their size.
    """
    advice = (
        f"the checkpoints in {out / 'checkpoints'} are kept: mend the cause and take the same command with --resume"
    )
    saved, found = AutoModelForCausalLM.from_pretrained(out, dtype=torch.bfloat16, output_loading_info=True)
    for what in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        if found.get(what):
            raise ArtefactError(
                f"the model written to {out} has {what.replace('_', ' ')}: {list(found[what])[:3]}; {advice}"
            )
    written = saved.state_dict()
    wrong = [name for name, tensor in state.items() if name not in written or not torch.equal(written[name], tensor)]
    if wrong:
        raise ArtefactError(
            f"{len(wrong)} of {len(state)} tensors in {out} are not what was trained, such as {wrong[0]}; {advice}"
        )
    with torch.no_grad():
        again = saved.eval()(input_ids=probe.cpu(), use_cache=False).logits.float()
    distance = float((again - logits).norm() / logits.norm())
    if not distance <= tolerance:
        raise ArtefactError(
            f"the model written to {out} does not compute what the trained one does: on {probe.shape[1]} tokens their "
            f"logits differ by {distance:.1%}, more than {tolerance:.0%}; {advice}"
        )


def check_trained(start: Mapping[str, list[float]], end: Mapping[str, list[float]], steps: int) -> None:
    """Raises ArtefactError where steps were taken and no weight moved. start, end: fingerprints, `end` without moments.

    The first step warms up at a rate of 0, so one step alone may change nothing.
    """
    if steps > 1 and not fingerprint.differing({name: start.get(name, []) for name in end}, end):
        raise ArtefactError(
            f"after {steps} steps none of the {len(end)} trained tensors differs from its beginning: the run trained "
            "nothing; look at learning_rate, and at whether the rows have tokens to train on"
        )


def _gathered(trainer: Any, model: Any, *, only_trained: bool) -> dict[str, Tensor]:
    """The weights of all processes on the first one's host, by their bare names; the others get nothing."""
    if isinstance(trainer.model, FSDPModule):
        options = StateDictOptions(full_state_dict=True, cpu_offload=True, ignore_frozen_params=only_trained)
        return {
            fingerprint.bare(name): one for name, one in get_model_state_dict(trainer.model, options=options).items()
        }
    if only_trained:
        return {name: parameter.detach().cpu() for name, parameter in fingerprint.trained(model)}
    return {fingerprint.bare(name): one for name, one in model.state_dict().items()}


def _logits(trainer: Any, probe: Tensor) -> Tensor:
    """Logits of the model in memory, float32 on the host, [1, seq, vocabulary]; a collective where it is sharded."""
    trainer.model.eval()
    with torch.no_grad(), trainer.accelerator.autocast():
        logits: Tensor = trainer.model(input_ids=probe.to(trainer.accelerator.device), use_cache=False).logits
    return logits.float().cpu()


def _merged(recipe: Recipe, config: Any, trained: Mapping[str, Tensor], folder: Path) -> Any:
    """Write the adapter and read it back; the base model, loaded anew, with the adapter's products in its weights.

    trained: the adapter's tensors by the names of the model in training, [rank, in] and [out, rank].
    """
    from peft import PeftModel, get_peft_model

    base = AutoModelForCausalLM.from_pretrained(recipe.model, dtype=torch.bfloat16, device_map={"": "cpu"})
    fresh = get_peft_model(base, config)
    places = dict(fingerprint.trained(fresh))
    if set(places) != set(trained):
        odd = sorted(set(places) ^ set(trained))
        raise ArtefactError(
            f"the trained adapter has other tensors than a new one: {len(odd)} differ, such as {odd[0]}"
        )
    for name, parameter in places.items():
        parameter.data = trained[name].detach().clone()
    fresh.save_pretrained(folder)
    base = fresh.unload()
    merged = PeftModel.from_pretrained(base, folder)
    for name, parameter in merged.named_parameters():
        if name in trained and not torch.equal(parameter.detach(), trained[name].to(parameter.dtype)):
            raise ArtefactError(f"the adapter written to {folder} is not the trained one: {name} differs")
    if not any(name in trained for name, _ in merged.named_parameters()):
        raise ArtefactError(f"the adapter written to {folder} is empty")
    return merged.merge_and_unload()


def _four_bits(recipe: Recipe) -> bool:
    return recipe.adapter is not None and recipe.adapter.four_bit


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
    write_whole(path, json.dumps(config, indent=2, sort_keys=True, ensure_ascii=False) + "\n")


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
    write_whole(job.out / RECORD, json.dumps(record, indent=2) + "\n")
    write_whole(job.out / "README.md", card.text(record))
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
