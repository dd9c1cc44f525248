"""Whole runs of the nano model: a complete checkpoint, the same losses after an interruption and on two processes."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate.state import AcceleratorState
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig, TrainerCallback, TrainerState

from s1_models.formats import detect_format
from training.nano.ablation import pool_rows
from training.sft import launch, train
from training.sft.batches import Schedule
from training.sft.evaluate import EvaluationError, commands, evaluate
from training.sft.progress import Watch
from training.sft.recipes import Adapter, LossError, Recipe, RecipeError, recipe_named

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _one_thread_and_no_trace() -> Iterator[None]:
    """Training sets process-wide state in accelerate and PyTorch; other tests must not inherit it."""
    before, environment = torch.get_num_threads(), dict(os.environ)
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
    AcceleratorState._reset_state(reset_partial_state=True)
    os.environ.clear()
    os.environ.update(environment)


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "train.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in pool_rows(32)))
    manifest = {"contamination": {"report_sha256": "0123abcd", "benchmarks": "made up"}}
    path.with_name("manifest.json").write_text(json.dumps(manifest))
    return path


def small(rows: Path, **changes: Any) -> Recipe:
    recipe = recipe_named("nano", [f"model={ROOT / 'training/nano/checkpoints/base'}", f"data={rows}"])
    return replace(recipe, **{"epochs": 1, "global_batch": 8, **changes})


def test_a_sharding_recipe_started_alone_is_told_of_torchrun_before_anything_is_loaded(
    rows: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    with pytest.raises(RecipeError, match=r"torchrun --nproc-per-node 1 .*-m training\.sft run"):
        train.run(train.Job(small(rows, model="not loaded", shard=True), tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_a_start_that_failed_does_not_stand_in_the_way_of_the_next(
    rows: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_memory(recipe: Recipe, state: Any) -> Any:
        raise MemoryError

    with monkeypatch.context() as patched:
        patched.setattr(launch, "load", no_memory)
        with pytest.raises(MemoryError):
            train.run(train.Job(small(rows), tmp_path / "out", max_steps=1))
    assert train.run(train.Job(small(rows), tmp_path / "out", max_steps=1)).finished


class StopAfter(TrainerCallback):
    def __init__(self, step: int) -> None:
        self.step = step

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.global_step == self.step:
            os.kill(os.getpid(), signal.SIGINT)  # a real Ctrl-C, in the middle of the run


def test_a_run_leaves_a_complete_checkpoint_that_says_how_it_was_made(rows: Path, tmp_path: Path) -> None:
    out = tmp_path / "tuned"
    outcome = train.run(train.Job(small(rows), out))
    assert outcome.finished
    assert [row["step"] for row in outcome.history] == [1, 2, 3, 4]
    weights = load_file(out / "model.safetensors")
    assert {tensor.dtype for tensor in weights.values()} == {torch.bfloat16}
    tokenizer = AutoTokenizer.from_pretrained(out)
    assert tokenizer.chat_template
    assert GenerationConfig.from_pretrained(out).eos_token_id == tokenizer.eos_token_id
    assert json.loads((out / "tokenizer_config.json").read_text())["thinking_format"] == "s1"
    assert detect_format(tokenizer).name == "s1"
    card, record = (out / "README.md").read_text(), json.loads((out / "sft.json").read_text())
    for fact in (outcome.trained.sha256, "report_sha256 0123abcd", "commit ", "32 of 32 rows", "epochs=1"):
        assert fact in card
    assert record["training"]["tokens_per_second"] > 0
    assert record["training"]["last_loss"] < record["training"]["first_loss"] * 2
    assert (out / "loss.png").stat().st_size > 10_000
    shown = (out / "first_rows.html").read_text()
    assert shown.count("<h2>Row ") == 3
    first = outcome.trained.sequences[0]
    assert f"{len(first)} tokens, {first.trained_tokens} in the loss" in shown
    assert '<span class="out">&lt;|im_start|&gt;user' in shown
    assert '<span class="in">&lt;|im_start|&gt;think' in shown
    (tmp_path / "usual").touch()
    usual = (tmp_path / "usual").stat().st_mode
    assert {path.stat().st_mode for path in out.iterdir() if path.is_file()} == {usual}
    assert not (out / "checkpoints").exists()
    model = AutoModelForCausalLM.from_pretrained(out)
    assert model.config.dtype == torch.bfloat16
    base = load_file(ROOT / "training/nano/checkpoints/base/model.safetensors")
    assert not torch.equal(base["model.embed_tokens.weight"].bfloat16(), weights["model.embed_tokens.weight"])
    with pytest.raises(RecipeError, match="holds a run already"):
        train.run(train.Job(small(rows), out))
    with pytest.raises(RecipeError, match="is finished"):
        train.run(train.Job(small(rows), out, resume=True))


def test_a_run_that_ctrl_c_ended_goes_on_with_the_same_losses(rows: Path, tmp_path: Path) -> None:
    whole = train.run(train.Job(small(rows, global_batch=4), tmp_path / "whole"))
    first = train.run(train.Job(small(rows, global_batch=4), tmp_path / "halves"), [StopAfter(3)])
    assert not first.finished
    assert len(first.history) in (3, 4)
    assert not (tmp_path / "halves" / "model.safetensors").exists()
    with pytest.raises(RecipeError, match="was started with another recipe"):
        train.run(train.Job(small(rows, global_batch=4, seed=1), tmp_path / "halves", resume=True))
    second = train.run(train.Job(small(rows, global_batch=4), tmp_path / "halves", resume=True))
    assert second.finished
    losses = [[row["loss"] for row in outcome.history] for outcome in (whole, second)]
    assert losses[0] == losses[1]
    one, other = (load_file(tmp_path / name / "model.safetensors") for name in ("whole", "halves"))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_step_of_several_micro_batches_trains_as_one_of_one(rows: Path, tmp_path: Path) -> None:
    outcomes = [
        train.run(train.Job(small(rows, micro_batch_tokens=tokens, block_size=4096), tmp_path / str(tokens)))
        for tokens in (4096, 200)
    ]
    at_once, accumulated = outcomes
    assert at_once.plan.accumulation == 1
    assert accumulated.plan.accumulation > 1
    # Through the trainer, which could divide by the number of micro-batches once too often.
    for name, tolerance in (("loss", 1e-4), ("grad_norm", 1e-3)):
        one, other = ([row[name] for row in outcome.history] for outcome in outcomes)
        assert other == pytest.approx(one, rel=tolerance)


def test_a_loss_that_is_not_a_number_breaks_the_run_off() -> None:
    watch = Watch(Schedule([], steps=4, accumulation=1, processes=1, tokens=[]), steps=4, epochs=1)
    state = TrainerState(global_step=2)
    for loss in (float("nan"), float("inf")):
        with pytest.raises(LossError, match=r"the loss of step 2 is (nan|inf): .*lower learning_rate"):
            watch.on_log(None, state, None, {"loss": loss, "learning_rate": 1e-3})


@pytest.mark.parametrize("bf16", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_an_adapter_is_trained_alone_and_merged_into_the_checkpoint(rows: Path, tmp_path: Path, bf16: bool) -> None:
    recipe = small(
        rows, adapter=Adapter(rank=4, alpha=8), learning_rate=1e-2, global_batch=16, bf16=bf16, recompute=True
    )
    assert train.run(train.Job(recipe, tmp_path / "lora")).finished
    merged = load_file(tmp_path / "lora" / "model.safetensors")
    base = load_file(ROOT / "training/nano/checkpoints/base/model.safetensors")
    assert set(merged) == set(base)
    changed = {name for name in base if not torch.equal(base[name].bfloat16(), merged[name])}
    assert changed == {name for name in base if "_proj." in name}
    assert (tmp_path / "lora" / "adapter" / "adapter_config.json").exists()


def test_the_base_answers_plainly_and_the_tuned_model_without_and_with_waits(tmp_path: Path) -> None:
    base, tuned, waits, table, *compared = commands("BASE", "TUNED", "s1_nano", tmp_path, "num_waits=4,dtype=float32")
    assert base[1:] == [
        *("--model", "s1_vllm", "--model_args", "pretrained=BASE,dtype=float32,thinking_format=none"),
        *("--tasks", "s1_nano", "--log_samples", "--output_path", str(tmp_path / "base")),
    ]
    assert "pretrained=TUNED,dtype=float32,num_waits=0" in tuned
    assert "pretrained=TUNED,dtype=float32,num_waits=4" in waits
    assert table[1:] == ["stats", str(tmp_path)]
    allowed = ["--allow", "budget", "--allow", "prompt"]
    assert [one[1:] for one in compared] == [
        ["compare", str(tmp_path / "base"), str(tmp_path / "tuned"), *allowed],
        ["compare", str(tmp_path / "base"), str(tmp_path / "tuned_waits"), *allowed],
        ["compare", str(tmp_path / "tuned"), str(tmp_path / "tuned_waits"), *allowed[:2]],
    ]
    base, _, table, _ = commands(
        "BASE", "TUNED", "s1_nano", tmp_path, "num_waits=0,max_thinking_tokens=9", base_model_args="temperature=0.7"
    )
    assert "pretrained=BASE,temperature=0.7" in base
    assert table[1] == "stats"
    (tmp_path / "base").mkdir()
    with pytest.raises(EvaluationError, match="two runs must not be mixed"):
        evaluate("BASE", "TUNED", "s1_nano", tmp_path)


@pytest.mark.slow
def test_ctrl_c_on_the_command_line_saves_and_the_same_command_goes_on(rows: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "training.sft", "run", "--recipe", "nano", "--data", str(rows), "--out"]
    command += [str(tmp_path / "run"), "--set", "epochs=30"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True)
    deadline = time.monotonic() + 120
    while not list((tmp_path / "run" / "checkpoints").glob("checkpoint-*")) and time.monotonic() < deadline:
        time.sleep(0.2)  # the trainer's folder is there before its first step
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "the same command with --resume goes on" in output
    assert list((tmp_path / "run" / "checkpoints").glob("checkpoint-*"))
    again = subprocess.run([*command, "--resume"], cwd=ROOT, capture_output=True, text=True, timeout=200, check=False)
    assert again.returncode == 0, again.stderr[-2000:]
    assert "resuming from" in again.stdout
    assert (tmp_path / "run" / "model.safetensors").exists()
