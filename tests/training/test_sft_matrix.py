"""Every combination that a recipe can ask for, on tiny models and CPUs: what is written is what was trained.

Two processes shard with FSDP as two GPUs would (`sft_worker.py`). A run that is stopped and resumed has to end with the
same bits as one that was not; a sharded one has to train as one process does.
"""

import json
import os
import subprocess
import sys
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from s1_contract.errors import S1Error
from tests.training import tiny_models
from training.nano.ablation import pool_rows
from training.sft import checkpoint, fingerprint, launch
from training.sft.plan import SHAPES, USUAL_GPU_MEMORY
from training.sft.recipes import RECIPES, ArtefactError, RecipeError

ROOT = Path(__file__).parents[2]
WORKER = Path(__file__).with_name("sft_worker.py")
TRAINED = 2 * 7 * 2  # an adapter's tensors: A and B of seven linear layers in two decoder layers


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with tiny models and rows."""
    folder = tmp_path_factory.mktemp("sft")
    for kind in tiny_models.KINDS:
        tiny_models.make(kind, folder / kind)
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in pool_rows(8)))
    return folder


def changes(place: Path, kind: str, **others: Any) -> dict[str, Any]:
    small = {"epochs": 2, "global_batch": 4, "learning_rate": 1e-2, "block_size": 512}
    return {"model": str(place / kind), "data": str(place / "rows.jsonl"), **small, **others}


def run_jobs(place: Path, name: str, jobs: list[dict[str, Any]], processes: int) -> list[list[dict[str, Any]]]:
    """Runs in one launch, one after the other; what each process says of each."""
    listed = place / f"{name}.json"
    listed.write_text(json.dumps(jobs))
    start = [str(Path(sys.executable).with_name("torchrun")), f"--nproc-per-node={processes}", "--standalone"]
    command = [*(start if processes > 1 else [sys.executable]), str(WORKER), "jobs", str(listed)]
    finish(command)
    return [json.loads(listed.with_suffix(f".out{rank}.json").read_text()) for rank in range(processes)]


def finish(command: list[str], code: int = 0) -> str:
    """What a command prints; it has to end with this exit code."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout + done.stderr


def thrice(name: str, place: Path, run: dict[str, Any]) -> list[dict[str, Any]]:
    """A whole run, and one that stops after two of its four steps and goes on."""
    return [
        {**run, "out": str(place / f"{name}-whole")},
        {**run, "out": str(place / f"{name}-parts"), "stop_after": 2},
        {**run, "out": str(place / f"{name}-parts"), "resume": True},
    ]


def check_thrice(place: Path, name: str, found: list[dict[str, Any]], base: Path, *, adapter: bool) -> list[float]:
    """The parts are the whole, bit for bit; what should be trained is, and nothing else. Returns the losses."""
    whole, part, resumed = found
    assert [one["finished"] for one in found] == [True, False, True], name
    assert part["losses"] == whole["losses"][:2]
    assert resumed["losses"] == whole["losses"]
    ends = [load_file(place / f"{name}-{which}" / "model.safetensors") for which in ("whole", "parts")]
    before = load_file(base / "model.safetensors")
    assert set(ends[0]) == set(ends[1]) == set(before)
    assert all(torch.equal(ends[0][key], ends[1][key]) for key in before), name
    changed = {key for key in before if not torch.equal(before[key].bfloat16(), ends[0][key])}
    if adapter:
        assert changed == {key for key in before if "_proj.weight" in key}
        tensors = load_file(place / f"{name}-whole" / "adapter" / "adapter_model.safetensors")
        assert len(tensors) == TRAINED
        assert all(bool(tensor.any()) for tensor in tensors.values())
    else:
        assert changed == set(before)
    assert not (place / f"{name}-parts" / "checkpoints").exists()
    losses: list[float] = whole["losses"]
    return losses


def test_an_adapter_sharded_and_recomputed_in_bf16_is_kept_and_resumed(place: Path) -> None:
    # The combination of the recipe s1_32b_lora, which once wrote an adapter of no tensors and said nothing.
    run = {"changes": changes(place, "qwen2", shard=True, recompute=True, bf16=True), "rank": 4}
    first, second = run_jobs(place, "kept", thrice("kept", place, run), processes=2)
    losses = check_thrice(place, "kept", first, place / "qwen2", adapter=True)
    assert losses[-1] < losses[0]
    for process, one in enumerate((first[0], second[0])):
        # Only the first process has read weights.
        assert one["meta"] == (one["parameters"] if process else 0)
        assert one["environment"] == {
            "ACCELERATE_USE_FSDP": "true",
            "FSDP_CPU_RAM_EFFICIENT_LOADING": "true",
            "FSDP_OFFLOAD_PARAMS": "false",
        }


COMBINATIONS = list(product((False, True), (False, True), (None, 1), (False, True)))  # adapter, recompute, micro, bf16


def named(kind: str, adapter: bool, recompute: bool, micro: int | None, bf16: bool) -> str:
    names = ("lora" if adapter else "full", "recomputed" if recompute else "kept", "alone" if micro else "packed")
    return "-".join([kind, *names, "bf16" if bf16 else "fp32"])


@pytest.mark.slow
def test_the_matrix(place: Path) -> None:
    chosen = [("qwen2", *one) for one in COMBINATIONS]
    chosen += [(kind, *one) for kind in ("qwen3", "llama") for one in (COMBINATIONS[3], COMBINATIONS[12])]
    losses: dict[tuple[str, int], list[float]] = {}
    for processes in (1, 2):
        jobs = []
        for kind, adapter, recompute, micro, bf16 in chosen:
            some = changes(place, kind, recompute=recompute, bf16=bf16, micro_batch_tokens=micro, shard=processes > 1)
            name = f"{named(kind, adapter, recompute, micro, bf16)}-{processes}"
            jobs += thrice(name, place, {"changes": some, "rank": 4 if adapter else 0})
        found = run_jobs(place, f"matrix-{processes}", jobs, processes)[0]
        for at, (kind, adapter, *rest) in enumerate(chosen):
            name = named(kind, adapter, *rest)
            losses[name, processes] = check_thrice(
                place, f"{name}-{processes}", found[3 * at : 3 * at + 3], place / kind, adapter=adapter
            )
    for kind, adapter, recompute, micro, bf16 in chosen:
        name = named(kind, adapter, recompute, micro, bf16)
        tolerance = 0.02 if bf16 else 1e-3
        assert losses[name, 2] == pytest.approx(losses[name, 1], rel=tolerance), name
        if not adapter:  # an adapter's beginning is drawn, and drawn otherwise when another run came before it
            plain = named(kind, adapter, False, None, bf16)
            assert losses[name, 1] == pytest.approx(losses.get((plain, 1), losses[name, 1]), rel=tolerance), name


LAUNCHED = {
    "s1_32b": ("s1_32b", "s11_32b"),
    "s1_7b": ("s1_7b",),
    "s1_1_5b": ("s1_1_5b", "s1_0_5b"),
    "s1_32b_lora": ("s1_32b_lora",),
    "s1_7b_lora": ("s1_7b_lora",),
    "s1_32b_qlora": ("s1_32b_qlora", "s1_7b_qlora"),
}
"""Recipe that is started -> the recipes that have its combination. `nano` is started all over test_sft_run.py."""


def combination(name: str) -> tuple[Any, ...]:
    recipe = RECIPES[name]
    return recipe.adapter, recipe.shard, recipe.offload, recipe.recompute, recipe.bf16


def test_every_recipes_combination_is_started_by_a_test() -> None:
    assert {name for names in LAUNCHED.values() for name in names} == set(RECIPES) - {"nano"}
    for name, names in LAUNCHED.items():
        assert {combination(one) for one in names} == {combination(name)}


@pytest.mark.slow
@pytest.mark.parametrize("name", LAUNCHED)
def test_a_recipe_is_started_by_its_own_command(place: Path, name: str) -> None:
    recipe, out = RECIPES[name], place / f"own-{name}"
    start = [str(Path(sys.executable).with_name("torchrun")), "--nproc-per-node=2", "--standalone"]
    start += ["--shutdown-timeout", "900"]
    command = [*(start if recipe.shard else [sys.executable]), str(WORKER), "run", "--recipe", name]
    command += ["--model", str(place / "qwen2"), "--data", str(place / "rows.jsonl"), "--out", str(out)]
    command += ["--set", "epochs=1", "--set", "global_batch=4", "--set", "block_size=512"]
    if recipe.adapter and recipe.adapter.four_bit:
        pytest.importorskip("bitsandbytes", reason="the base in 4 bits needs bitsandbytes, which is not installed")
    said = finish(command)
    assert f"written to {out} and read back" in said
    assert ("is not offloaded to host memory" in said) == recipe.offload
    assert json.loads((out / "sft.json").read_text())["recipe"]["name"] == name


def test_a_checkpoint_that_is_not_what_was_trained_is_no_success(place: Path, tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(place / "llama", dtype=torch.bfloat16)
    probe = torch.tensor([[3, 4, 5, 6, 7, 8]])
    with torch.no_grad():
        logits = model(input_ids=probe).logits.float()
    model.save_pretrained(tmp_path)
    state = dict(model.state_dict())
    checkpoint.check_written(tmp_path, state, probe, logits)
    with pytest.raises(ArtefactError, match=r"does not compute what the trained one does: .* differ by 200\.0%"):
        checkpoint.check_written(tmp_path, state, probe, -logits)
    name = "model.layers.1.mlp.up_proj.weight"
    with pytest.raises(
        ArtefactError, match=f"1 of {len(state)} tensors in .* are not what was trained, such as {name}"
    ):
        checkpoint.check_written(tmp_path, {**state, name: state[name] + 1}, probe, logits)
    kept = load_file(tmp_path / "model.safetensors")
    del kept[name]
    save_file(kept, tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(ArtefactError, match=f"has missing keys: .*{name}"):
        checkpoint.check_written(tmp_path, state, probe, logits)


def test_a_run_that_moved_no_weight_is_no_success() -> None:
    layer = torch.nn.Linear(3, 3)
    start = fingerprint.take(layer)
    with pytest.raises(ArtefactError, match="after 4 steps none of the 2 trained tensors differs from its beginning"):
        checkpoint.check_trained(start, fingerprint.take(layer), 4)
    checkpoint.check_trained(start, fingerprint.take(layer), 1)  # the first step warms up at a rate of 0
    layer.weight.data[0, 0] += 1e-6
    checkpoint.check_trained(start, fingerprint.take(layer), 4)


def test_a_resume_that_restored_something_else_is_refused(tmp_path: Path) -> None:
    layer = torch.nn.Linear(3, 3)
    optimizer = torch.optim.AdamW(layer.parameters())
    layer(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    for step in (2, 10):
        (tmp_path / f"checkpoint-{step}").mkdir()
        fingerprint.write(tmp_path / f"checkpoint-{step}" / fingerprint.FILE, fingerprint.take(layer, optimizer))
    (tmp_path / "checkpoint-12").mkdir()  # broken off while it was written
    assert fingerprint.last_whole(tmp_path) == tmp_path / "checkpoint-10"
    fingerprint.check_restored(tmp_path / "checkpoint-10", fingerprint.take(layer, optimizer))
    optimizer.state[layer.bias]["exp_avg"] += 1e-4
    with pytest.raises(ArtefactError, match=r"1 of 6 trained tensors and moments differ .*exp_avg of bias first"):
        fingerprint.check_restored(tmp_path / "checkpoint-10", fingerprint.take(layer, optimizer))
    with pytest.raises(ArtefactError, match="differ from what was stored"):
        fingerprint.check_restored(tmp_path / "checkpoint-10", fingerprint.take(layer))


def test_state_that_fits_the_gpus_is_not_offloaded() -> None:
    recipe = RECIPES["s1_7b"]
    shape = SHAPES[recipe.model]
    assert launch.without_needless_offload(recipe, shape, 1, USUAL_GPU_MEMORY).offload
    assert not launch.without_needless_offload(recipe, shape, 8, USUAL_GPU_MEMORY).offload
    assert launch.environment(recipe)["FSDP_OFFLOAD_PARAMS"] == "true"
    assert launch.environment(RECIPES["s1_1_5b"])["ACCELERATE_USE_FSDP"] == "false"


def test_several_gpus_and_one_process_are_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    with pytest.raises(
        RecipeError, match=r"sees 4 GPUs.*torchrun --nproc-per-node 4 .*or one with CUDA_VISIBLE_DEVICES"
    ):
        launch.check_start(replace(RECIPES["s1_1_5b"]))
    monkeypatch.setenv("LOCAL_RANK", "0")
    launch.check_start(RECIPES["s1_1_5b"])


def test_a_process_group_without_a_backend_for_the_host_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch.dist, "is_initialized", lambda: True)
    monkeypatch.setattr(launch.dist, "get_backend_config", lambda: "cuda:nccl,cpu:gloo")
    launch.assert_backends("cuda")
    monkeypatch.setattr(launch.dist, "get_backend_config", lambda: "cuda:nccl")
    with pytest.raises(S1Error, match="expected backends for cuda and cpu"):
        launch.assert_backends("cuda")
