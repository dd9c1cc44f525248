"""One evaluation on a model that is loaded already: lm_eval's own loop and its own files, as often as needed.

What a second evaluation in the same process would pay again is kept: the index of task files, the data, and the
description of the machine.
"""

from __future__ import annotations

import contextlib
import functools
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import lm_eval.evaluator
from lm_eval.loggers import EvaluationTracker

from s1_contract.response import Response
from s1_models.harness.lm import BudgetForcingLM, Reuse
from s1_models.harness.written import check_results, check_samples


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
    for response in chain.from_iterable(chain.from_iterable(row["resps"]) for rows in kept.values() for row in rows):
        if isinstance(response, Response):
            response.spans = ()  # they stand in the traces now
    files = [check_results(tracker), *(check_samples(tracker, task, len(rows)) for task, rows in kept.items())]
    return Finished(results, kept, tuple(files), lm.reuse)


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


@contextlib.contextmanager
def _machine_described_once() -> Iterator[None]:
    """lm_eval asks the machine for its hardware and packages in every evaluation, which takes seconds."""
    describe, find_commit = lm_eval.evaluator.add_env_info, lm_eval.evaluator.get_git_commit_hash
    lm_eval.evaluator.add_env_info = lambda storage: storage.update(_machine(describe))
    lm_eval.evaluator.get_git_commit_hash = lambda: find_commit() if _in_git() else None
    try:
        yield
    finally:
        lm_eval.evaluator.add_env_info, lm_eval.evaluator.get_git_commit_hash = describe, find_commit


def _in_git() -> bool:
    """Whether git knows this folder: where it does not, git itself says so to the terminal, in lm_eval's name."""
    try:
        return subprocess.run(["git", "rev-parse"], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


@functools.cache
def _machine(describe: Any) -> Mapping[str, Any]:
    storage: dict[str, Any] = {}
    describe(storage)
    return storage
