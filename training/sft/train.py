"""One fine-tuning run: model, data and recipe -> a complete checkpoint, on one process or many.

TRL's SFTTrainer does the training (its fused head never builds the [tokens, vocabulary] logits); packing, attention and
the weights of the loss are ours, so that a step is the recipe's global batch on any number of processes.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import datasets
import torch
from accelerate import PartialState
from torch import Tensor
from tqdm import tqdm
from transformers import AutoModelForCausalLM, AutoTokenizer, PrinterCallback, TrainerCallback, set_seed
from transformers.trainer_utils import get_last_checkpoint
from trl import SFTConfig, SFTTrainer

from training.sft import attention, checkpoint, data
from training.sft.batches import Collator, Schedule, schedule
from training.sft.families import Family, config_of, family_of, thinking_format
from training.sft.progress import Watch, draw
from training.sft.recipes import Recipe, RecipeError

RUN = "run.json"  # in the output folder from the first step on: what is trained on what, for a run that is resumed

REPORT_TO = ("none", "trackio", "wandb")


@dataclass(frozen=True)
class Job:
    """A recipe with everything a run needs beside it. out: becomes the checkpoint's folder."""

    recipe: Recipe
    out: Path
    resume: bool = False
    max_steps: int | None = None
    save_every: int | None = None  # steps; None is once an epoch
    thinking_format: str = "auto"
    contamination_report: Path | None = None
    report_to: str = "none"


@dataclass(frozen=True)
class Outcome:
    """history: step, loss, learning_rate, grad_norm of every step. finished: False when Ctrl-C ended it early."""

    finished: bool
    history: list[dict[str, float]]
    plan: Schedule
    trained: data.TrainingSet


class PackedTrainer(SFTTrainer):
    """SFTTrainer whose loss is the weighted sum of log probabilities that :mod:`training.sft.batches` laid down."""

    loss_is_scaled_for_ga = True

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """Summed over a step's micro-batches and processes, the weights are 1; DDP and FSDP average gradients."""
        weights: Tensor = inputs.pop("loss_weights")
        outputs = model(**inputs, use_cache=False, fused_lm_head=True)
        loss = -(outputs.log_probs * weights[:, 1:]).sum() * self.accelerator.num_processes
        return (loss, outputs) if return_outputs else loss


def run(job: Job, callbacks: Sequence[TrainerCallback] = ()) -> Outcome:
    """Train, or go on training; write the checkpoint with its card. Raises the errors of recipe, family and data."""
    recipe = job.recipe
    _check_start(job)
    state = PartialState(cpu=not torch.cuda.is_available())
    main = state.is_main_process
    family = family_of(config_of(recipe.model))
    tokenizer = AutoTokenizer.from_pretrained(recipe.model)
    form = thinking_format(tokenizer, job.thinking_format)
    if recipe.data is None:
        raise data.DataError(f"the recipe {recipe.name} leaves the data to you: --data FILE or a Hub name")
    rows, manifest = data.load_rows(recipe.data)
    contaminated = checkpoint.contamination(job.contamination_report, manifest)
    quiet = not (main and sys.stderr.isatty())

    def bar(every: Iterable[data.Row]) -> Iterable[data.Row]:
        return tqdm(every, desc="tokenizing", disable=quiet, leave=False)

    trained = data.build(rows, tokenizer, recipe, form, recipe.data, manifest, bar)
    plan = schedule(trained.sequences, recipe, state.num_processes)
    steps = min(job.max_steps or plan.steps, plan.steps)
    if main:
        print(trained)
        print(
            f"{steps} steps of {recipe.global_batch} sequences: {plan.processes} processes x {plan.accumulation} "
            f"micro-batches of at most {recipe.tokens_per_pass:,} tokens, {sum(plan.tokens[:steps]):,} tokens in all"
        )
        _check(job, trained)
    state.wait_for_everyone()

    set_seed(recipe.seed)
    arguments = _arguments(job, family, plan, steps)  # before the model: FSDP decides how weights are loaded
    trainer = PackedTrainer(
        model=_load(recipe),
        args=arguments,
        data_collator=Collator(trained.sequences, plan.rows),
        train_dataset=datasets.Dataset.from_dict({"row": list(range(len(plan.rows)))}),
        processing_class=tokenizer,
        peft_config=_adapter(recipe),
    )
    if main:
        _write_run(job, trained)
    trainer.remove_callback(PrinterCallback)  # Watch prints
    watch = Watch(plan, steps, recipe.epochs)
    for callback in (watch, *callbacks):
        trainer.add_callback(callback)
    last = get_last_checkpoint(str(_checkpoints(job.out))) if job.resume and _checkpoints(job.out).exists() else None
    if main and job.resume:
        print(f"resuming from {last}" if last else "no checkpoint to resume from: starting from the first step")
    try:
        trainer.train(resume_from_checkpoint=last)
    finally:
        watch.close()
    history = [row for row in trainer.state.log_history if "loss" in row]
    if trainer.state.global_step < steps:
        if main:
            print(f"stopped after step {trainer.state.global_step} of {steps}; the same command with --resume goes on")
        return Outcome(False, history, plan, trained)
    speed = round(watch.tokens / max(watch.seconds, 1e-9))
    checkpoint.save(trainer, tokenizer, form, job.out)
    if main:
        draw(history, job.out / "loss.png", f"{recipe.name}: {recipe.model} on {trained.source}")
        checkpoint.describe(job, trained, plan, history, speed, state.device.type, contaminated)
        shutil.rmtree(_checkpoints(job.out), ignore_errors=True)
        print(f"written to {job.out}: weights, tokenizer, card, loss.png")
    state.wait_for_everyone()
    return Outcome(True, history, plan, trained)


def _checkpoints(out: Path) -> Path:
    return out / "checkpoints"


def _check_start(job: Job) -> None:
    """What can be known before anything is loaded. FSDP needs a process group, also of one process."""
    recipe = job.recipe
    if job.report_to not in REPORT_TO:
        raise RecipeError(f"--report-to {job.report_to}: expected one of {', '.join(REPORT_TO)}")
    if job.report_to != "none" and find_spec(job.report_to) is None:
        raise RecipeError(f"--report-to {job.report_to}: it is not installed: pip install {job.report_to}")
    if recipe.shard and "LOCAL_RANK" not in os.environ:
        raise RecipeError(
            f"the recipe {recipe.name} shards with FSDP, and this process was started alone: start it with torchrun, "
            "on one GPU as `torchrun --nproc-per-node 1 --shutdown-timeout 900 -m training.sft run ...`"
        )


def _settings(job: Job, trained: data.TrainingSet) -> dict[str, Any]:
    """What a resumed run must have in common with its beginning, as JSON."""
    now = {"recipe": asdict(job.recipe), "data_sha256": trained.sha256, "max_steps": job.max_steps}
    found: dict[str, Any] = json.loads(json.dumps(now))  # tuples as lists, as they are read back
    return found


def _check(job: Job, trained: data.TrainingSet) -> None:
    """Refuse to mix two runs in one folder."""
    path = job.out / RUN
    if path.exists() and not job.resume:
        raise RecipeError(f"{job.out} holds a run already: --resume to go on with it, or another --out")
    if (job.out / checkpoint.RECORD).exists():
        raise RecipeError(f"the run in {job.out} is finished: use its checkpoint, or train anew in another --out")
    if path.exists():
        before, now = json.loads(path.read_text()), _settings(job, trained)
        changed = [name for name in now if before.get(name) != now[name]]
        if changed:
            raise RecipeError(
                f"{job.out} was started with another {' and '.join(changed)}: resume with the same, or take a new --out"
            )


def _write_run(job: Job, trained: data.TrainingSet) -> None:
    """Write down what the run is, once it can begin: a start that failed leaves nothing that refuses the next."""
    job.out.mkdir(parents=True, exist_ok=True)
    (job.out / RUN).write_text(json.dumps(_settings(job, trained), indent=2) + "\n")


def _arguments(job: Job, family: Family, plan: Schedule, steps: int) -> SFTConfig:
    recipe = job.recipe
    sharding: dict[str, Any] = {}
    if recipe.shard:
        sharding = {
            "fsdp": True,
            "fsdp_config": {
                "transformer_layer_cls_to_wrap": family.layer,
                "cpu_ram_efficient_loading": True,
                "activation_checkpointing": recipe.recompute,
                "cpu_offload": recipe.offload,
                "state_dict_type": "SHARDED_STATE_DICT",
            },
        }
    return SFTConfig(
        output_dir=str(_checkpoints(job.out)),
        per_device_train_batch_size=1,  # one packed row; the plan counts the sequences
        gradient_accumulation_steps=plan.accumulation,
        max_steps=steps,
        train_sampling_strategy="sequential",  # the plan is shuffled already
        learning_rate=recipe.learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=recipe.warmup_steps(steps),
        weight_decay=recipe.weight_decay,
        adam_beta1=recipe.adam_betas[0],
        adam_beta2=recipe.adam_betas[1],
        max_grad_norm=recipe.max_grad_norm,
        bf16=recipe.bf16,
        gradient_checkpointing=recipe.recompute and not sharding,
        seed=recipe.seed,
        use_cpu=not torch.cuda.is_available(),
        dataloader_pin_memory=torch.cuda.is_available(),
        dataset_kwargs={"skip_prepare_dataset": True},
        max_length=None,
        ddp_find_unused_parameters=False,
        remove_unused_columns=False,
        logging_steps=1,
        logging_nan_inf_filter=False,
        save_strategy="steps",
        save_steps=job.save_every or recipe.steps_per_epoch(plan.steps * recipe.global_batch // recipe.epochs),
        save_total_limit=2,
        disable_tqdm=True,
        report_to=job.report_to,
        **sharding,
    )


def _load(recipe: Recipe) -> Any:
    """The model: float32 weights for full fine-tuning, the frozen base of an adapter in bf16 or 4 bits."""
    options: dict[str, Any] = {"attn_implementation": attention.register()}
    if recipe.adapter is None or not recipe.bf16:
        options["dtype"] = torch.float32
    else:
        options["dtype"] = torch.bfloat16
    if recipe.adapter is not None and recipe.adapter.four_bit:
        if find_spec("bitsandbytes") is None:
            raise RecipeError(f"the recipe {recipe.name} keeps its base in 4 bits: pip install bitsandbytes")
        from transformers import BitsAndBytesConfig

        options["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=torch.bfloat16,
        )
    return AutoModelForCausalLM.from_pretrained(recipe.model, **options)


def _adapter(recipe: Recipe) -> Any:
    if recipe.adapter is None:
        return None
    from peft import LoraConfig

    adapter = recipe.adapter
    return LoraConfig(
        r=adapter.rank,
        lora_alpha=adapter.alpha,
        lora_dropout=adapter.dropout,
        target_modules="all-linear",
        task_type="CAUSAL_LM",
    )
