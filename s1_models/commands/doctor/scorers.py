"""Does every task's scorer call its gold answers right and hostile ones wrong, in time, and run none of them?"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from s1_contract.metrics import EXACT_MATCH
from s1_contract.response import Response
from s1_contract.thinking import THINK
from s1_models.commands.doctor.findings import Asked, Finding, Status, one_line
from s1_models.commands.doctor.task_files import MADE_UP, expand, index, source, write_made_up_rows
from s1_models.commands.doctor.versions import install_again
from s1_models.formats import FORMATS

SECONDS = 10.0
"""A scorer that takes longer for one answer is warned of; on an idle machine the slowest takes about two."""

# Texts that no scorer may call right, choke on, or carry out; {marker} is a file that must not come into being.
HOSTILE = {
    "nothing": "",
    "an empty box": r"\boxed{}",
    "thinking without an end": THINK.start * 1_000,
    "a power tower": "Final Answer: 9^{9^{9^{9}}}",
    "a large factorial": "Final Answer: (10^6)!",
    "nested fractions": "Final Answer: " + r"\frac{1}{" * 150 + "2" + "}" * 150,
    "nested parentheses": "Final Answer: " + "(" * 10_000 + "3" + ")" * 10_000,
    "open boxes": "\\boxed{" * 10_000,
    "a hundred thousand digits": "Final Answer: 1" + "7" * 100_000,
    "null bytes": "Final Answer: \x00\x00",
    "lone surrogates": "Final Answer: \ud800\udc00",
    "Python": "Final Answer: __import__('pathlib').Path('{marker}').touch()",
    "a shell escape": r"Final Answer: \write18{touch {marker}}",
}


@dataclass
class _Tally:
    """What one task's scorer did."""

    gold: int = 0
    wrong: int = 0
    slowest_seconds: float = 0.0
    faults: list[str] = field(default_factory=list)


def check(asked: Asked) -> Iterator[Finding]:
    with tempfile.TemporaryDirectory(prefix="s1-doctor-") as folder:
        manager = index({"s1_data_dir": folder})
        sources = {task: source(manager, task) for task in expand(asked.tasks, manager)[0]}
        known = {task: one for task, one in sources.items() if not one or one["answer_kind"] in MADE_UP}
        for task in sources.keys() - known.keys():
            yield Finding("scorers", Status.SKIP, f"{task}: no made-up rows for answers of its kind")
        write_made_up_rows(Path(folder), filter(None, known.values()))
        attacked: set[object] = set()
        tallies = {task: _try(manager, task, one, Path(folder), attacked) for task, one in known.items()}
    yield from _tell("on made-up questions", tallies)
    local = asked.metadata.get("s1_data_dir") or os.environ.get("S1_DATA_DIR")
    if local:
        yield from _own_rows(Path(str(local)), {one["file"]: task for task, one in sources.items() if one})


def _own_rows(folder: Path, files: Mapping[str, str]) -> Iterator[Finding]:
    """The scorers on the rows of a local directory. files: file name -> a task that reads it."""
    manager = index({"s1_data_dir": str(folder)})
    there = [task for file, task in sorted(files.items()) if any(folder.expanduser().glob(f"{file}.*"))]
    yield from _tell(f"on the rows in {folder}", {task: _try_own_rows(manager, task) for task in there})


def _tell(where: str, tallies: Mapping[str, _Tally]) -> Iterator[Finding]:
    """One finding for each scorer that is wrong, and one for all that are not."""
    for task, tally in tallies.items():
        if tally.faults:
            more = f" (and {len(tally.faults) - 1} more)" if len(tally.faults) > 1 else ""
            yield Finding("scorers", Status.FIX, f"{task}, {where}: {tally.faults[0]}{more}", (install_again(),))
    good = [tally for tally in tallies.values() if not tally.faults]
    if good:
        gold, wrong = sum(tally.gold for tally in good), sum(tally.wrong for tally in good)
        slowest = max(tally.slowest_seconds for tally in good)
        said = f"{len(good)} task{'s' * (len(good) != 1)} {where}: {gold} right answers are right"
        said += f", {wrong} wrong and hostile ones wrong" if wrong else ""
        if slowest < SECONDS:
            yield Finding("scorers", Status.OK, f"{said}; the slowest took {slowest:.1f} s")
        else:
            busy = f"{said}, but one took {slowest:.0f} s: either the machine is busy or the checker's limits fail"
            yield Finding("scorers", Status.WARN, busy, ("uptime  # a load above the number of cores is busy",))


def _try(manager: Any, name: str, made_of: Mapping[str, Any] | None, folder: Path, attacked: set[object]) -> _Tally:
    """A task, loaded as the harness does but over made-up rows, and answers that are known right, wrong or hostile.

    attacked: scorers that met the hostile answers already; tasks share them, and some answers take a second.
    """
    tally = _Tally()
    task, documents = _load(manager, name, tally)
    rows = {row[0]: row for row in MADE_UP[made_of["answer_kind"]]} if made_of else {}
    for document in documents[:20]:
        gold, kind = document["answer"], document["answer_kind"]
        row = rows.get(document.get("problem", "")) if kind != "choice" else None
        wrong = row[3] if row else _other(gold, kind)
        for form in FORMATS.values():
            thought = f"{form.start}\nperhaps \\boxed{{{wrong}}}?\n{form.end}"
            for answer in (gold, row[2]) if row else (gold,):
                response = Response(f"{thought}\nFinal Answer: \\boxed{{{answer}}}", answer_start=len(thought))
                _expect(task, document, response, True, answer, tally)
        _expect(task, document, f"Final Answer: \\boxed{{{wrong}}}", False, wrong, tally)
    marker = folder / "executed"
    scorer = (task.config.process_results, documents[0]["answer_kind"]) if documents else None
    for label, text in HOSTILE.items() if scorer and scorer not in attacked else ():
        _expect(task, documents[0], text.replace("{marker}", str(marker)), False, label, tally)
    attacked.add(scorer)
    if marker.exists():
        marker.unlink()
        tally.faults.append("the text of an answer was executed")
    return tally


def _try_own_rows(manager: Any, name: str) -> _Tally:
    """Every question of a local directory, answered with its own gold answer."""
    tally = _Tally()
    task, documents = _load(manager, name, tally)
    for document in documents:
        _expect(task, document, f"Final Answer: \\boxed{{{document['answer']}}}", True, document["answer"], tally)
    return tally


def _load(manager: Any, name: str, tally: _Tally) -> tuple[Any, list[dict[str, Any]]]:
    try:
        (task,) = manager.load([name])["tasks"].values()
        return task, list(task.test_docs())
    except Exception as error:  # a broken task file raises whatever it raises; the other tasks are still of interest
        tally.faults.append(f"the task cannot be loaded: {one_line(error)}")
        return None, []


def _other(gold: str, kind: str) -> str:
    """An answer of the same kind that is wrong."""
    if kind == "choice":
        return "B" if gold == "A" else "A"
    return str((int(gold) + 1) % 1000) if gold.isdecimal() else f"{gold}+1"


def _expect(task: Any, document: Any, text: str, right: bool, label: str, tally: _Tally) -> None:
    started = time.monotonic()
    try:
        score = task.process_results(document, [[text]])[EXACT_MATCH]
    except Exception as error:  # a scorer must not raise, whatever a model writes
        tally.faults.append(f"the scorer fails on {label}: {one_line(error)}")
        return
    seconds = time.monotonic() - started
    tally.slowest_seconds = max(tally.slowest_seconds, seconds)
    if score != float(right):
        tally.faults.append(
            f"the answer {label!r} to {document['answer']!r} was scored {score} instead of {float(right)}"
        )
    tally.gold += right
    tally.wrong += not right
