"""One fine-tuning run: model, data and recipe -> a complete checkpoint, on one process or many.

TRL's SFTTrainer does the training (its fused head never builds the [tokens, vocabulary] logits); packing, attention and
the weights of the loss are ours, so that a step is the recipe's global batch on any number of processes.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import datasets
import torch
from accelerate import PartialState
from torch import Tensor
from torch.distributed.fsdp import FSDPModule
from tqdm import tqdm
from transformers import AutoTokenizer, PrinterCallback, TrainerCallback, set_seed
from trl import SFTConfig, SFTTrainer

from s1_contract.errors import DataError
from s1_contract.files import write_whole
from s1_models.formats import Format
from training.sft import checkpoint, data, fingerprint, launch
from training.sft.batches import Collator, Schedule, schedule
from training.sft.families import Family, config_of, family_of, thinking_format
from training.sft.job import Job, Outcome
from training.sft.page import page
from training.sft.plan import USUAL_GPU_MEMORY, Shape
from training.sft.progress import Watch, draw
from training.sft.recipes import Recipe, RecipeError

__all__ = ["Job", "Keeper", "Outcome", "PackedTrainer", "PartialState", "run"]

RUN = "run.json"  # in the output folder from the first step on: what is trained on what, for a run that is resumed
ROWS_PAGE = "first_rows.html"
START = "start.json"  # in checkpoints/: the fingerprint of what is trained, before the first step

REPORT_TO = ("none", "trackio", "wandb")


class PackedTrainer(SFTTrainer):  # type: ignore[misc]  # trl exports it lazily
    """SFTTrainer whose loss is the weighted sum of log probabilities that :mod:`training.sft.batches` laid down."""

    loss_is_scaled_for_ga = True

    def create_optimizer(self, *arguments: Any, **options: Any) -> Any:
        """PyTorch's, after every parameter has an address of its own."""
        launch.give_addresses(self.model)
        return super().create_optimizer(*arguments, **options)

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
    _check_start(job)
    recipe, config = job.recipe, config_of(job.recipe.model)
    family = family_of(config)
    recipe = launch.without_needless_offload(recipe, Shape.of(config), _processes(), _gpu_memory())
    state = launch.start(recipe)
    main = state.is_main_process
    say = print if main else _nothing
    tokenizer = AutoTokenizer.from_pretrained(recipe.model)
    form = thinking_format(tokenizer, job.thinking_format)
    trained, contaminated = _data(job, tokenizer, form, quiet=not (main and sys.stderr.isatty()))
    plan = schedule(trained.sequences, recipe, state.num_processes)
    steps = min(job.max_steps or plan.steps, plan.steps)
    say(trained)
    say(
        f"{steps} steps of {recipe.global_batch} sequences: {plan.processes} processes x {plan.accumulation} "
        f"micro-batches of at most {recipe.tokens_per_pass:,} tokens, {sum(plan.tokens[:steps]):,} tokens in all"
    )
    if recipe != job.recipe:
        say(f"the state fits {plan.processes} GPU(s), so it is not offloaded to host memory")
    if main:
        _check(job, trained)
    state.wait_for_everyone()
    room = launch.waiting_room()

    set_seed(recipe.seed)
    trainer = PackedTrainer(
        model=launch.load(recipe, state),
        args=_arguments(job, recipe, family, plan, steps),
        data_collator=Collator(trained.sequences, plan.rows),
        train_dataset=datasets.Dataset.from_dict({"row": list(range(len(plan.rows)))}),
        processing_class=tokenizer,
        peft_config=_adapter(recipe),
    )
    if main:
        _write_run(job, trained)
        write_whole(job.out / ROWS_PAGE, page(tokenizer, trained.sequences))
    say(f"the first rows as they are trained: {job.out / ROWS_PAGE}")
    watch, keeper = Watch(plan, steps, recipe.epochs), Keeper(job.checkpoints, _last(job, say), shard=recipe.shard)
    _fit(trainer, watch, keeper, callbacks)
    history = [row for row in trainer.state.log_history if "loss" in row]
    if trainer.state.global_step < steps:
        say(f"stopped after step {trainer.state.global_step} of {steps}; the same command with --resume goes on")
        return Outcome(False, history, plan, trained)
    checkpoint.check_trained(keeper.start, fingerprint.take(trainer.model), steps)
    probe = torch.from_numpy(trained.sequences[0].input_ids[: checkpoint.PROBE_TOKENS]).long()[None]
    checkpoint.save(trainer, tokenizer, form, recipe, probe, job.out)
    if main:
        speed = round(watch.tokens / max(watch.seconds, 1e-9))
        draw(history, job.out / "loss.png", f"{recipe.name}: {recipe.model} on {trained.source}")
        checkpoint.describe(job, trained, plan, history, speed, state.device.type, contaminated)
        shutil.rmtree(job.checkpoints, ignore_errors=True)
        print(f"written to {job.out} and read back: weights, tokenizer, card, loss.png")
        _push(job)
    launch.wait_for_the_first(room)
    return Outcome(True, history, plan, trained)


def _nothing(*_: object) -> None:
    """What the processes other than the first one say."""


def _last(job: Job, say: Callable[..., None]) -> Path | None:
    """The checkpoint that a resumed run goes on from; None for a fresh one."""
    if not job.resume:
        return None
    last = fingerprint.last_whole(job.checkpoints)
    say(f"resuming from {last}" if last else "no checkpoint to resume from: starting from the first step")
    return last


def _fit(trainer: PackedTrainer, watch: Watch, keeper: Keeper, callbacks: Sequence[TrainerCallback]) -> None:
    """Train to the end or to Ctrl-C; the terminal is given back in any case."""
    trainer.remove_callback(PrinterCallback)  # Watch prints
    for callback in (keeper, watch, *callbacks):
        trainer.add_callback(callback)
    try:
        trainer.train(resume_from_checkpoint=str(keeper.last) if keeper.last else None)
    finally:
        watch.close()


class Keeper(TrainerCallback):  # type: ignore[misc]  # transformers has no types
    """Fingerprints of what is trained: at the start, beside every checkpoint, and compared after a resume.

    start: before the first step of the whole run, the parts before a resume included.
    """

    def __init__(self, folder: Path, last: Path | None, *, shard: bool) -> None:
        self.folder, self.last, self.shard = folder, last, shard
        self.start: fingerprint.Fingerprint = {}

    def on_train_begin(self, args: Any, state: Any, control: Any, *, model: Any, optimizer: Any, **_: Any) -> None:
        if self.shard and not isinstance(model, FSDPModule):
            raise RecipeError("accelerate did not shard the model: FSDP needs GPUs; on a CPU take --set shard=false")
        if self.last is not None:
            fingerprint.check_restored(self.last, fingerprint.take(model, optimizer))
        path = self.folder / START
        self.start = fingerprint.read(path) if self.last and path.exists() else fingerprint.take(model)
        if state.is_world_process_zero and not path.exists():
            fingerprint.write(path, self.start)

    def on_save(self, args: Any, state: Any, control: Any, *, model: Any, optimizer: Any, **_: Any) -> None:
        taken = fingerprint.take(model, optimizer)
        if state.is_world_process_zero:
            fingerprint.write(self.folder / f"checkpoint-{state.global_step}" / fingerprint.FILE, taken)


def _processes() -> int:
    return int(os.environ.get("WORLD_SIZE", "1"))


def _gpu_memory() -> float:
    """Bytes of a GPU of this machine, of an 80 GB one where there is none."""
    return torch.cuda.get_device_properties(0).total_memory if torch.cuda.is_available() else USUAL_GPU_MEMORY


def _data(job: Job, tokenizer: Any, form: Format, *, quiet: bool) -> tuple[data.TrainingSet, dict[str, Any] | None]:
    """The encoded rows, and what is known of their contamination."""
    recipe = job.recipe
    if recipe.data is None:
        raise DataError(f"the recipe {recipe.name} leaves the data to you: --data FILE or a Hub name")
    rows, manifest = data.load_rows(recipe.data)
    contaminated = checkpoint.contamination(job.contamination_report, manifest)

    def bar(every: Iterable[data.Row]) -> Iterable[data.Row]:
        shown: Iterable[data.Row] = tqdm(every, desc="tokenizing", disable=quiet, leave=False)
        return shown

    return data.build(rows, tokenizer, recipe, form, recipe.data, manifest, bar), contaminated


def _push(job: Job) -> None:
    """Upload the checkpoint where that was asked for; transformers' Hub client does it."""
    if job.push_to is not None:
        from huggingface_hub import HfApi

        api = HfApi()
        api.create_repo(job.push_to, private=True, exist_ok=True)
        print(f"uploaded to {api.upload_folder(repo_id=job.push_to, folder_path=job.out).commit_url}")


def _check_start(job: Job) -> None:
    """What can be known before anything is loaded."""
    recipe = job.recipe
    if job.report_to not in REPORT_TO:
        raise RecipeError(f"--report-to {job.report_to}: expected one of {', '.join(REPORT_TO)}")
    if job.report_to != "none" and find_spec(job.report_to) is None:
        raise RecipeError(f"--report-to {job.report_to}: it is not installed: pip install {job.report_to}")
    launch.check_start(recipe)


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
    write_whole(job.out / RUN, json.dumps(_settings(job, trained), indent=2) + "\n")


def _arguments(job: Job, recipe: Recipe, family: Family, plan: Schedule, steps: int) -> SFTConfig:
    sharding: dict[str, Any] = {}
    if recipe.shard:
        sharding = {
            "fsdp": True,
            "fsdp_config": {
                "transformer_layer_cls_to_wrap": family.layer,
                "cpu_ram_efficient_loading": True,
                "activation_checkpointing": recipe.recompute,
                "cpu_offload": recipe.offload,
                # A sharded checkpoint of an adapter would be looked up by names that recomputation has changed.
                "state_dict_type": "FULL_STATE_DICT" if recipe.adapter else "SHARDED_STATE_DICT",
            },
        }
    return SFTConfig(
        output_dir=str(job.checkpoints),
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
        save_strategy="no" if job.save_every == 0 else "steps",
        save_steps=job.save_every or recipe.steps_per_epoch(plan.steps * recipe.global_batch // recipe.epochs),
        save_total_limit=2,
        disable_tqdm=True,
        report_to=job.report_to,
        **sharding,
    )


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
