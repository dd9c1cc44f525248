"""The questions that no training row may hold: those of our own benchmark tasks, read where the tasks read them.

They come from a directory (as for `--metadata s1_data_dir=DIR`) or from the Hub, and are never written anywhere but
into the contamination report of the run, which stays beside the run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from s1_contract.errors import DataError
from s1_contract.tasks import TASKS
from s1_tasks import TASKS_DIR
from s1_tasks.data import load
from training.curate.stage import CurationError
from training.curate.tables import canonical_hash

DEFAULT_BENCHMARKS = ("math500", "gpqa_diamond", "aime24")
"""What the paper decontaminates against; any other benchmark of ours can be given as well."""
ALL_BENCHMARKS = tuple(TASKS)
"""What `check` looks for unless told otherwise: every benchmark that this project can evaluate."""


@dataclass(frozen=True, slots=True)
class BenchmarkQuestion:
    benchmark: str
    id: str
    text: str


class _TaskLoader(yaml.SafeLoader):  # type: ignore[misc]  # yaml has no types
    """Reads a task file; its `!function` names are of no interest here."""


_TaskLoader.add_constructor("!function", lambda loader, node: loader.construct_scalar(node))


def load_questions(names: Sequence[str] = DEFAULT_BENCHMARKS, directory: str | None = None) -> list[BenchmarkQuestion]:
    """The questions of the named tasks, without their choices. Raises CurationError, naming the task."""
    found = []
    for name in names:
        path = next(Path(TASKS_DIR).rglob(f"{name}.yaml"), None) if name.isidentifier() else None
        if path is None:
            raise CurationError(f"{name!r} is no benchmark task; expected some of {', '.join(ALL_BENCHMARKS)}")
        task = yaml.load(path.read_text(encoding="utf-8"), Loader=_TaskLoader)
        if "s1_dataset" not in task.get("dataset_kwargs", {}):
            raise CurationError(f"task {name!r} has no questions of its own; expected a benchmark, for example math500")
        try:
            rows = load(task["dataset_kwargs"]["s1_dataset"], s1_data_dir=directory)["test"]
        except DataError as error:
            raise CurationError(f"benchmark {name}: {error}") from error
        found += [BenchmarkQuestion(name, str(row["id"]), row.get("question") or row["problem"]) for row in rows]
    return found


def readable_questions(directory: str | None = None) -> tuple[list[BenchmarkQuestion], dict[str, str]]:
    """The questions of every benchmark of ours that can be read here, and why the others cannot.

    Raises CurationError where none can.
    """
    found: list[BenchmarkQuestion] = []
    unread: dict[str, str] = {}
    for name in ALL_BENCHMARKS:
        try:
            found += load_questions((name,), directory)
        except CurationError as error:
            unread[name] = str(error).removeprefix(f"benchmark {name}: ")
    if not found:
        raise CurationError(f"no benchmark could be read: {next(iter(unread.values()))}")
    return found, unread


def describe(questions: Sequence[BenchmarkQuestion]) -> dict[str, dict[str, object]]:
    """For each benchmark how many questions it has, and a hash of them: what a report was made against."""
    by_name: dict[str, list[str]] = {}
    for question in questions:
        by_name.setdefault(question.benchmark, []).append(question.text)
    return {name: {"questions": len(texts), "sha256": canonical_hash(sorted(texts))} for name, texts in by_name.items()}
