"""One evaluation on a model that is loaded already: lm_eval's own loop and its own files, as often as needed.

What a second evaluation in the same process would pay again is kept: the index of task files, the data, and the
description of the machine.
"""

from __future__ import annotations

import contextlib
import functools
import json
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lm_eval.evaluator
from lm_eval.loggers import EvaluationTracker

from s1_models.forcing import S1Error
from s1_models.harness.lm import BudgetForcingLM, Reuse

_WHAT_TO_DO = "make room, and run the same command again (what was generated is remembered)"


class OutputError(S1Error, OSError):
    """Results that could not be written."""


class LoadedTasks:
    """A task manager whose tasks are loaded: `load` gives the same ones every time.

    manager: a TaskManager. names: as lm_eval's `tasks` argument.
    """

    def __init__(self, manager: Any, names: Sequence[Any]) -> None:
        self._manager = manager
        self.names = list(names)
        self._loaded = manager.load(self.names)
        self._metadata = {name: deepcopy(task.config.metadata) for name, task in self.tasks.items()}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._manager, name)

    @property
    def tasks(self) -> Mapping[str, Any]:
        """Name -> Task, groups resolved."""
        return self._loaded["tasks"]  # type: ignore[no-any-return]

    def load(self, _names: object) -> Any:
        """What lm_eval asks for in every evaluation."""
        return self._loaded

    def set_model_args(self, model_args: Mapping[str, Any]) -> None:
        """Puts model args into the tasks' metadata, where lm_eval puts those of a run."""
        for name, task in self.tasks.items():
            if isinstance(self._metadata[name], dict):
                task.config.metadata = {**self._metadata[name], **model_args}


@dataclass(frozen=True, slots=True)
class Finished:
    """An evaluation that was written. samples: task -> lm_eval's samples; their responses may carry usage.

    files: the results file, then one samples file per task. reuse: what the memo spared each of the model's options.
    """

    results: Mapping[str, Any]
    samples: Mapping[str, Sequence[Mapping[str, Any]]]
    files: tuple[Path, ...]
    reuse: Sequence[Reuse]


def evaluate(
    lm: BudgetForcingLM,
    tasks: LoadedTasks,
    *,
    model: str,
    model_args: Mapping[str, Any],
    output: Path,
    **arguments: Any,
) -> Finished:
    """Evaluates `lm` and writes what `lm_eval --log_samples --output_path OUTPUT` would have written.

    model, model_args: as they are to stand in the results file. output: a folder, or a path DIR/NAME.json.
    arguments: the others of `lm_eval.simple_evaluate`. Raises OutputError when a file could not be written.
    """
    tasks.set_model_args(model_args)
    tracker = EvaluationTracker(output_path=str(output))
    with _machine_described_once():
        results: Any = lm_eval.evaluator.simple_evaluate(
            lm,
            model_args=dict(model_args),
            tasks=tasks.names,
            task_manager=tasks,
            evaluation_tracker=tracker,
            log_samples=True,
            **arguments,
        )
    # lm_eval knows the name of a model only when it has loaded it itself.
    results["config"]["model"] = tracker.general_config_tracker.model_source = model
    samples = results.pop("samples")
    # Saving turns responses into plain strings in place.
    kept = {task: [dict(sample) for sample in rows] for task, rows in samples.items()}
    tracker.save_results_aggregated(results=results, samples=samples)
    for task in results["configs"]:
        tracker.save_results_samples(task_name=task, samples=samples[task])
    files = _written(tracker, output, {task: len(rows) for task, rows in kept.items()})
    return Finished(results, kept, files, lm.reuse)


def arguments_of(config: Any) -> dict[str, Any]:
    """What `evaluate` needs of lm_eval's EvaluatorConfig, under the names of `lm_eval.simple_evaluate`."""
    seeds = config.seed or [None] * 4
    same = (
        *("num_fewshot", "batch_size", "max_batch_size", "device", "limit", "samples", "write_out"),
        *("system_instruction", "apply_chat_template", "fewshot_as_multiturn", "predict_only"),
        *("confirm_run_unsafe_code", "metadata"),
    )
    return {
        **{name: getattr(config, name) for name in same},
        "gen_kwargs": dict(config.gen_kwargs) or None,
        "random_seed": seeds[0],
        "numpy_random_seed": seeds[1],
        "torch_random_seed": seeds[2],
        "fewshot_random_seed": seeds[3],
    }


def _written(tracker: Any, output: Path, counts: Mapping[str, int]) -> tuple[Path, ...]:
    """The files of an evaluation. counts: task -> number of samples.

    lm_eval only logs that it could not write one; here that is an error.
    """
    folder, stem = output / str(tracker.general_config_tracker.model_name_sanitized), "results"
    if output.suffix == ".json":
        folder, stem = output.parent, output.stem
    date = getattr(tracker, "date_id", "")
    aggregated = folder / f"{stem}_{date}.json"
    samples = {folder / f"samples_{task}_{date}.jsonl": count for task, count in counts.items()}
    try:
        json.loads(aggregated.read_text(encoding="utf-8"))
        whole = all(len(file.read_bytes().splitlines()) == count for file, count in samples.items())
    except (OSError, ValueError) as error:
        raise OutputError(f"{aggregated} could not be written ({error}): {_WHAT_TO_DO}") from error
    if not whole:
        raise OutputError(f"the samples in {folder} could not be written whole: {_WHAT_TO_DO}")
    return (aggregated, *samples)


@contextlib.contextmanager
def _machine_described_once() -> Iterator[None]:
    """lm_eval asks the machine for its hardware and packages in every evaluation, which takes seconds."""
    original = lm_eval.evaluator.add_env_info
    lm_eval.evaluator.add_env_info = lambda storage: storage.update(_machine(original))
    try:
        yield
    finally:
        lm_eval.evaluator.add_env_info = original


@functools.cache
def _machine(describe: Any) -> Mapping[str, Any]:
    storage: dict[str, Any] = {}
    describe(storage)
    return storage
