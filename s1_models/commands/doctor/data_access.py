"""Can the rows of every task be had: from a local directory, from the cache, or from the Hub (GPQA is gated)?"""

from __future__ import annotations

import difflib
import fnmatch
import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from s1_models.commands.doctor.findings import Asked, Finding, Status, one_line
from s1_models.commands.doctor.task_files import everybodys_tasks, expand, index, source

TIMEOUT_SECONDS = 5.0


def check(asked: Asked) -> Iterator[Finding]:
    manager = index(asked.metadata)
    tasks, foreign = expand(asked.tasks, manager)
    if foreign:
        yield from _foreign(asked, foreign, manager)
    # Several tasks read the same rows; one of each is enough.
    first = {
        (one["file"], one["hub"]): (task, one) for task in reversed(tasks) if (one := source(manager, task)) is not None
    }
    directory = asked.metadata.get("s1_data_dir") or os.environ.get("S1_DATA_DIR")
    offline = _offline()
    # Without --tasks nobody said which of them will run: what cannot be had is then no error.
    severity = Status.FIX if asked.tasks else Status.WARN
    sources = sorted(first.values(), key=lambda pair: str(pair[0]))
    if directory or offline:
        yield from _loaded(manager, sources, str(directory) if directory else None, severity)
    else:
        yield from _asked_hub(sources, severity)
    made = [task for task in tasks if source(manager, task) is None]
    if made:
        yield Finding("data", Status.OK, f"no data needed: {', '.join(made)}")


def _offline() -> bool:
    """Whether the Hub's client was told to ask nobody."""
    switches = (os.environ.get(name, "") for name in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE"))
    return any(value.upper() in ("1", "ON", "YES", "TRUE") for value in switches)


def _foreign(asked: Asked, names: list[str], manager: Any) -> Iterator[Finding]:
    """Tasks that are not ours: lm_eval's own, the user's file or folder, or a name that nobody knows."""
    known = {*manager.all_tasks, *everybodys_tasks()}
    theirs = [name for name in names if fnmatch.filter(known, name) or Path(name).exists()]
    if theirs:
        yield Finding("data", Status.SKIP, f"{', '.join(theirs)}: not our tasks; their data was not looked at")
    for name in names:
        if name in theirs:
            continue
        near = difflib.get_close_matches(name, manager.all_tasks, n=1) or difflib.get_close_matches(
            name, sorted(known), n=1, cutoff=0
        )
        right = replace(asked, tasks=tuple(near[0] if one == name else one for one in asked.tasks))
        message = f"there is no task {name!r}: did you mean {near[0]!r}? (lm_eval ls tasks lists all)"
        yield Finding("data", Status.FIX, message, (right.command(),))


def _loaded(
    manager: Any, sources: list[tuple[str, dict[str, Any]]], directory: str | None, severity: Status
) -> Iterator[Finding]:
    """Loads every task's rows, from a directory or from the Hub's cache, which is quick."""
    there: list[str] = []
    for task, one in sources:
        try:
            manager.load([task])
            there.append(one["file"])
        except Exception as error:  # DataError in sentences, or what the Hub's client raises without a network
            mend = f"cp {one['file']}.jsonl {directory}/  # or: unset S1_DATA_DIR" if directory else _local(one)
            yield Finding("data", severity, f"{task}: {one_line(error, 500)}", (mend,))
    if there:
        where = f"in {directory}" if directory else "in the Hub's cache, which is all an offline run has"
        yield Finding("data", Status.OK, f"{where}: {', '.join(there)}")


def _asked_hub(sources: list[tuple[str, dict[str, Any]]], severity: Status) -> Iterator[Finding]:
    """Asks the Hub whether this machine may read each data set; the first lack of a connection is the last question."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

    there: list[str] = []
    for number, (task, one) in enumerate(sources):
        hub = one["hub"]
        try:
            HfApi().dataset_info(hub, timeout=TIMEOUT_SECONDS)
            HfApi().auth_check(hub, repo_type="dataset")
            there.append(hub)
        except GatedRepoError:
            login = (f"# accept its terms, logged in: https://huggingface.co/datasets/{hub}", "hf auth login")
            yield Finding("data", severity, f"{task}: {hub} is gated, and this machine has no access to it", login)
        except RepositoryNotFoundError:
            message = f"{task}: the Hub has no {hub}, or does not show it to this account"
            yield Finding("data", severity, message, ("hf auth whoami", _local(one)))
        except Exception as error:  # of many types: no network, a proxy, a certificate, a busy server
            rest = sources[number:]
            message = f"{', '.join(task for task, _ in rest)}: the Hub cannot be asked ({one_line(error, 160)})"
            yield Finding("data", severity, message, (_local(*(one for _, one in rest)),))
            break
    if there:
        yield Finding("data", Status.OK, f"on the Hub: {', '.join(there)}")


def _local(*sources: Mapping[str, Any]) -> str:
    files = ", ".join(f"{one['file']}.jsonl" for one in sources)
    return f"export S1_DATA_DIR=DIR  # a directory with {files} (README, Tasks, has the columns)"
