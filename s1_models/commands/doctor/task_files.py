"""Our tasks as lm_eval reads them, and made-up rows that stand in for their questions.

The doctor knows the tasks from outside only, as the harness does: their files, and the columns that README promises
to read from a local directory.
"""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Iterable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

# answer kind -> rows: a question, its answer, another way to write it, a wrong answer
MADE_UP = {
    "integer": (
        ("How many days has a week?", "7", "007", "8"),
        ("How many degrees has a circle?", "360", "360.", "36"),
    ),
    "math": (
        ("Add one third and one sixth.", r"\frac{1}{2}", "0.5", r"\frac{1}{3}"),
        ("Square x plus one.", "x^2+2x+1", "(1+x)^2", "x^2+1"),
        ("Which pair lies two right and one down?", "(2,-1)", r"\left( 2, -1 \right)", "(-1,2)"),
        ("Which numbers have the square four?", r"\{-2, 2\}", "2, -2", r"\{2\}"),
        ("Which real numbers lie from one up to but not including three?", "[1,3)", r"1 \le x < 3", "[1,3]"),
        # Only a worker process with sympy can tell.
        ("Add the squares of sine and cosine of three degrees.", "1", r"\sin^2(3^\circ)+\cos^2(3^\circ)", "0"),
    ),
    "choice": (
        ("Which of these is a metal?", "iron", "oxygen", "neon"),
        ("What colour has a lemon?", "yellow", "red", "blue"),
    ),
}


def our_folder() -> Path:
    """The folder of the installed task files. Raises ModuleNotFoundError."""
    spec = find_spec("s1_tasks")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("s1_tasks is not installed beside s1_models")
    return Path(next(iter(spec.submodule_search_locations)))


def index(metadata: Mapping[str, Any]) -> Any:
    """lm_eval's TaskManager over our tasks alone (its own thousands take seconds to read)."""
    from lm_eval.tasks.manager import TaskManager

    return TaskManager(include_path=str(our_folder()), include_defaults=False, metadata=dict(metadata))


def everybodys_tasks() -> list[str]:
    """The names of lm_eval's own tasks, groups and tags; it takes seconds to read them."""
    from lm_eval.tasks.manager import TaskManager

    return list(TaskManager().all_tasks)


def entries(manager: Any) -> Mapping[str, Any]:
    """Name -> lm_eval's entry of a task, group or tag: `task_index` in 0.4, `_task_index` in 0.5."""
    found: Mapping[str, Any] = getattr(manager, "task_index", None) or manager._task_index
    return found


def expand(names: Sequence[str], manager: Any) -> tuple[list[str], list[str]]:
    """Task names behind names, patterns, groups and tags; and the names that are not ours. No names: all of ours."""
    found: list[str] = []
    foreign: list[str] = []
    for name in names or manager.all_subtasks:
        matching = fnmatch.filter(manager.all_tasks, name)
        if not matching:
            foreign.append(name)
        for match in matching:
            entry = entries(manager)[match]
            members = (entry.cfg or {}).get("task")
            if match in manager.all_subtasks:
                found.append(match)
            elif isinstance(members, list):  # a group
                inner = [member if isinstance(member, str) else member["task"] for member in members]
                found += expand(inner, manager)[0]
            else:  # a tag
                found += sorted(entry.tags)
    return list(dict.fromkeys(found)), foreign


def source(manager: Any, task: str) -> dict[str, Any] | None:
    """Where a task's rows come from (its `s1_dataset`: file, hub, config, answer_kind), or None: it makes them."""
    settings = (entries(manager)[task].cfg or {}).get("dataset_kwargs") or {}
    chosen: dict[str, Any] | None = settings.get("s1_dataset")
    return chosen


def write_made_up_rows(folder: Path, sources: Iterable[Mapping[str, Any]]) -> None:
    """Writes made-up rows for each source into a local data directory. Raises KeyError for an unknown answer kind."""
    for one in sources:
        with (folder / f"{one['file']}.jsonl").open("w", encoding="utf-8") as lines:
            for number, (question, answer, *others) in enumerate(MADE_UP[one["answer_kind"]]):
                row: dict[str, Any] = {"id": f"made-up-{number}", "problem": question, "answer": answer}
                if one["answer_kind"] == "choice":
                    wrong = [*others, "none of the others"]
                    row = {"Question": question, "Correct Answer": answer}
                    row |= {f"Incorrect Answer {place}": text for place, text in enumerate(wrong, start=1)}
                lines.write(json.dumps(row) + "\n")
