"""From nothing to two checkpoints with cards: base, tuned. Finished stages are found and not done again."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
import transformers
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from transformers import AutoTokenizer, GenerationConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from s1_contract.files import give_ordinary_modes, write_whole
from s1_contract.usage import THINKING_TOKENS
from s1_tasks.nano_problems import held_out
from training.commit import commit_of
from training.nano import attempts, card, checking, tokenizer, train
from training.nano.traces import Trace
from training.nano.train import RECIPE, Recipe

RECORD = "nano.json"  # beside each checkpoint: how it was made and what was measured
MADE_WITH = ("s1_tasks/nano_problems.py", "s1_models/formats.py")  # besides training/
MEASURED_WAITS = (0, 1, 2, 4, 8)


def make(
    out: Path,
    seed: int,
    *,
    again: bool = False,
    recipe: Recipe = RECIPE,
    num_problems: int = 500,
    waits: Sequence[int] = MEASURED_WAITS,
    self_correction: bool = False,
    controls: bool = False,
) -> None:
    """Train, measure and write ``out/base`` and ``out/tuned``; a stage made by this recipe and seed is kept.

    controls: also make ``out/no-waits``, fine-tuned on the same problems without any trace that goes on, and with
    self_correction ``out/no-checks``, without any trace that checks.
    self_correction: also make ``out/hurried`` (the base, pretrained further to hurry) and ``out/check`` from it.
    """
    words = tokenizer.build()
    made_by = {"seed": seed, "recipe": asdict(recipe)}

    def base() -> tuple[LlamaForCausalLM, dict[str, Any]]:
        model = train.new_model(words, seed)
        batches = train.base_batches(words, recipe, seed)
        with _bar("base") as report:
            done = train.fit(
                model, batches, recipe.base_tokens, recipe.base_muon_lr, recipe.base_adam_lr, recipe, report
            )
        return model, {"tokens": done.tokens, "seconds": round(done.seconds), "last_loss": round(done.loss, 4)}

    def tuned() -> tuple[LlamaForCausalLM, dict[str, Any]]:
        model, _ = load(out / "base")
        return model, tune("tuned", model, train.tuning_set(recipe, seed))

    def tune(name: str, model: LlamaForCausalLM, chosen: list[Trace]) -> dict[str, Any]:
        batches = train.tuning_batches(chosen, words, recipe, seed)
        total = recipe.tuning_epochs * sum(len(trace.rendered(words).input_ids) for trace in chosen)
        with _bar(name) as report:
            done = train.fit(model, batches, total, recipe.tuning_muon_lr, recipe.tuning_adam_lr, recipe, report)
        return {
            "tokens": done.tokens,
            "seconds": round(done.seconds),
            "last_loss": round(done.loss, 4),
            "traces": len(chosen),
            "traces_correct": sum(trace.correct for trace in chosen),
        }

    def no_waits() -> tuple[LlamaForCausalLM, dict[str, Any]]:
        model, _ = load(out / "base")
        return model, tune("no-waits", model, train.tuning_set_without_waits(recipe, seed))

    def hurried() -> tuple[LlamaForCausalLM, dict[str, Any]]:
        model, _ = load(out / "base")
        batches = checking.hurry_batches(model, words, recipe, seed)
        tokens = min(checking.TOKENS, recipe.base_tokens)
        with _bar("hurried") as report:
            done = train.fit(model, batches, tokens, recipe.base_muon_lr, recipe.base_adam_lr, recipe, report)
        return model, {"tokens": done.tokens, "seconds": round(done.seconds), "last_loss": round(done.loss, 4)}

    def check() -> tuple[LlamaForCausalLM, dict[str, Any]]:
        model, _ = load(out / "hurried")
        return model, tune("check", model, checking.tuning_set(model, words, recipe, seed))

    def no_checks() -> tuple[LlamaForCausalLM, dict[str, Any]]:
        model, _ = load(out / "hurried")
        return model, tune("no-checks", model, checking.tuning_set(model, words, recipe, seed, checks=False))

    Stage = Callable[[], tuple[LlamaForCausalLM, dict[str, Any]]]
    stages: dict[str, tuple[str | None, Stage]] = {"base": (None, base), "tuned": ("base", tuned)}
    if controls:
        stages["no-waits"] = "base", no_waits
    if self_correction:
        stages |= {"hurried": ("base", hurried), "check": ("hurried", check)}
    if self_correction and controls:
        stages["no-checks"] = "hurried", no_checks
    made = set()
    for name, (parent, stage) in stages.items():
        folder = out / name
        if not again and parent not in made and record_of(folder).get("made_by") == made_by:
            print(f"{name}: already made by this recipe and seed in {folder} (--again trains it anew)")
            continue
        made.add(name)
        model, training = stage()
        record: dict[str, Any] = {"stage": name, "made_by": made_by, "training": training, "versions": versions()}
        print(f"{name}: measuring {num_problems} held-out problems, greedy")
        record["measured"] = measure(model, words, num_problems, waits)
        _save(model, words, record, folder)
        print(f"{name}: written to {folder}")
        for row in record["measured"]:
            print(f"  {row['waits']} waits: {row['correct']}/{row['problems']} right, {row[THINKING_TOKENS]} tokens")


def measure(
    model: LlamaForCausalLM, words: PreTrainedTokenizerFast, num_problems: int, each_waits: Sequence[int]
) -> list[dict[str, Any]]:
    """Right answers and mean thinking tokens at each number of waits; greedy, float32, transformers."""
    rows = held_out(num_problems)
    questions, answers = [row["problem"] for row in rows], [int(row["answer"]) for row in rows]
    found = []
    for waits in each_waits:
        sessions = attempts.ask(model, words, questions, waits)
        found.append(
            {
                "waits": waits,
                "problems": num_problems,
                "correct": round(attempts.accuracy(words, sessions, answers) * num_problems),
                THINKING_TOKENS: round(sum(one.thinking_tokens for one in sessions) / num_problems, 1),
            }
        )
    return found


def load(folder: Path) -> tuple[LlamaForCausalLM, PreTrainedTokenizerFast]:
    """A checkpoint in float32, ready to generate. ``FileNotFoundError`` says how to get one."""
    if not (folder / "config.json").exists():
        raise FileNotFoundError(f"no checkpoint in {folder}: make one with `python -m training.nano make`")
    model = LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32)
    return model.eval(), AutoTokenizer.from_pretrained(folder)


def measured_record_of(folder: Path) -> dict[str, Any]:
    """The record of a checkpoint that `make` measured. ``FileNotFoundError`` says how to get one."""
    record = record_of(folder)
    if not record.get("measured"):
        raise FileNotFoundError(f"{folder} holds no nano checkpoint ({RECORD}): `python -m training.nano make`")
    return record


def versions() -> dict[str, str]:
    """What a checkpoint depends on besides recipe and seed."""
    return {
        "commit": commit_of("training/*.py", *MADE_WITH),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
    }


def record_of(folder: Path) -> dict[str, Any]:
    """How a checkpoint was made and what was measured at once; empty when there is none."""
    path = folder / RECORD
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return found


def _save(model: LlamaForCausalLM, words: PreTrainedTokenizerFast, record: dict[str, Any], folder: Path) -> None:
    """Write everything beside the target and swap, so that an interruption leaves the old or the new, not half."""
    fresh = folder.with_name(folder.name + ".new")
    shutil.rmtree(fresh, ignore_errors=True)
    model.generation_config = GenerationConfig(
        do_sample=False, eos_token_id=words.eos_token_id, pad_token_id=words.pad_token_id
    )
    model.save_pretrained(fresh)
    tokenizer.save(words, fresh)
    write_whole(fresh / RECORD, json.dumps(record, indent=2) + "\n")
    write_whole(fresh / "README.md", card.text(record))
    give_ordinary_modes(fresh)
    shutil.rmtree(folder, ignore_errors=True)
    fresh.rename(folder)


class _bar:
    """A progress line for `train.fit`; as a context manager it hands out the function to report to."""

    def __init__(self, name: str) -> None:
        self.bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:.0f}% {task.fields[note]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        )
        self.task = self.bar.add_task(name, total=1.0, note="")

    def __enter__(self) -> Callable[[train.Progress], None]:
        self.bar.start()
        return self._report

    def __exit__(self, *_: object) -> None:
        self.bar.stop()

    def _report(self, now: train.Progress) -> None:
        note = f"loss {now.loss:.3f}, {now.tokens / max(now.seconds, 1e-9) / 1000:.1f}k tokens/s"
        self.bar.update(self.task, completed=now.done, note=note)
