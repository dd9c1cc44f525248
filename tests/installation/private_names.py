"""The names of other packages that we lean on although they are not promised, each with what to do when it is gone.

    python -m tests.installation.private_names FOLDER_OR_WHEEL...    what a version that is not installed still has

The source is read, never run, so a wheel for another machine can be looked at.
"""

from __future__ import annotations

import ast
import sys
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

ReadFile = Callable[[str], str | None]
"""The text of a file of a package, by its path in site-packages; None when there is no such file."""


@dataclass(frozen=True, slots=True)
class Private:
    """One name. file: where it is defined. needs: texts that must stand in its definition.

    used_in: our file. when_gone: what whoever sees the failure does.
    """

    file: str
    name: str
    needs: tuple[str, ...]
    used_in: str
    when_gone: str


PRIVATE_NAMES = (
    Private(
        "lm_eval/tasks/manager.py",
        "TaskManager.__init__",
        ("include_path", "include_defaults"),
        "s1_models/harness/plugin.py",
        "add_tasks wraps it to put our folder behind lm_eval's: find where lm_eval now collects task folders",
    ),
    Private(
        "lm_eval/loggers/evaluation_tracker.py",
        "EvaluationTracker.save_results_samples",
        ("task_name", "samples", "date_id", "model_name_sanitized"),
        "s1_models/harness/plugin.py",
        "write_traces_beside_samples wraps it: find where lm_eval now writes samples files",
    ),
    Private(
        "lm_eval/loggers/evaluation_tracker.py",
        "EvaluationTracker.__init__",
        ("output_path", "general_config_tracker"),
        "s1_models/harness/plugin.py",
        "the folder of traces.jsonl is worked out from it as lm_eval works out that of the samples",
    ),
    Private(
        "lm_eval/api/registry.py",
        "model_registry",
        (),
        "s1_models/harness/plugin.py",
        "register_models adds our names to it; releases that read the entry points lm_eval.models need nothing",
    ),
    Private(
        "lm_eval/_cli/run.py",
        "Run._add_args",
        ("--model_args",),
        "s1_models/commands/sweep_command.py",
        "sweep takes lm_eval's own options from it: build them from lm_eval's new parser",
    ),
    Private(
        "lm_eval/evaluator.py",
        "simple_evaluate",
        ("add_env_info", "task_manager", "evaluation_tracker"),
        "s1_models/harness/evaluation.py",
        "a sweep asks the machine for its description once: without add_env_info drop _machine_described_once",
    ),
    Private(
        "vllm/v1/engine/core_client.py",
        "SyncMPClient.__init__",
        ("outputs_queue",),
        "s1_models/engines/vllm",
        "a killed engine process is reported through it: check whether vLLM now ends the wait by itself",
    ),
    Private(
        "vllm/v1/engine/utils.py",
        "CoreEngineProcManager.__init__",
        ('"EngineCore"',),
        "s1_models/engines/vllm",
        "the engine's process is known by this name: find its new one",
    ),
    Private(
        "transformers/cache_utils.py",
        "DynamicLayer.lazy_initialization",
        ("key_states",),
        "s1_models/engines/hf/cache.py",
        "the cache of rows of different lengths makes its first tensors with it: look at DynamicLayer.update",
    ),
    Private(
        "trl/trainer/sft_trainer.py",
        "SFTTrainer.__init__",
        ("add_fused_lm_head",),
        "training/sft/train.py",
        "the loss is asked for with fused_lm_head=True: look at how SFTTrainer.compute_loss now gets log-probabilities",
    ),
    Private(
        "trl/trainer/utils.py",
        "add_fused_lm_head",
        ("fused_lm_head",),
        "training/sft/train.py",
        "as for SFTTrainer.__init__",
    ),
    Private(
        "transformers/trainer.py",
        "Trainer.loss_is_scaled_for_ga",
        (),
        "training/sft/train.py",
        "it keeps the trainer from dividing our summed loss by the accumulated steps: find its new name",
    ),
    Private(
        "lm_eval/loggers/evaluation_tracker.py",
        "EvaluationTracker.save_results_aggregated",
        ("date_id",),
        "s1_models/harness/evaluation.py",
        "the files of a run are found by this date: look at how lm_eval now names them",
    ),
)


def missing(read_file: ReadFile, package: str) -> list[str]:
    """One sentence for each name of a package that is not there, or no longer holds what we need."""
    return [
        sentence
        for private in PRIVATE_NAMES
        if private.file.startswith(f"{package}/")
        for sentence in _check(private, read_file)
    ]


def _check(private: Private, read_file: ReadFile) -> Iterator[str]:
    text = read_file(private.file)
    definition = None if text is None else _definition(text, private.name.split("."))
    lacking = [] if definition is None else [need for need in private.needs if need not in definition]
    if definition is None or lacking:
        what = "is gone" if definition is None else f"no longer holds {', '.join(lacking)}"
        yield f"{private.file}: {private.name} {what}; {private.used_in} uses it: {private.when_gone}"


def _definition(text: str, path: list[str]) -> str | None:
    """The source of a class, function or variable, by its dotted name."""
    body = ast.parse(text).body
    found: ast.stmt | None = None
    for name in path:
        found = next((node for node in body if name in _names(node)), None)
        if found is None:
            return None
        body = getattr(found, "body", [])
    assert found is not None
    return ast.get_source_segment(text, found)


def _names(node: ast.stmt) -> set[str]:
    if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        return {node.name}
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return {target.id for target in targets if isinstance(target, ast.Name)}


def reader(place: Path) -> ReadFile:
    """Reads the files of a folder of packages, or of a wheel."""
    if place.suffix == ".whl":
        wheel = zipfile.ZipFile(place)
        listed = set(wheel.namelist())
        return lambda name: wheel.read(name).decode("utf-8") if name in listed else None
    return lambda name: (place / name).read_text(encoding="utf-8") if (place / name).is_file() else None


def main(places: list[str]) -> int:
    """Prints what each place lacks of the packages that it holds; 1 when something is missing."""
    failed = 0
    for place in map(Path, places):
        read_file = reader(place)
        for package in sorted({private.file.split("/")[0] for private in PRIVATE_NAMES}):
            if read_file(f"{package}/__init__.py") is None:
                continue
            gone = missing(read_file, package)
            failed |= bool(gone)
            print(f"{place.name}: {package}: {'all names are there' if not gone else ''}", *gone, sep="\n  ")
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
