"""A sweep: one model, many budgets, every token generated once; each setting's files are those of a run of its own.

The greedy trace of the longest setting contains the thinking of all others (fewer waits: it ends earlier; a smaller
budget: it is cut). So all settings run in one pass through the memo, in the same batches. For each question the longest
setting runs first. The others reuse the beginning of its thinking and generate little more than their answers. Then
every setting is evaluated from the memo, as if it had been run alone.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

from s1_contract.files import write_whole
from s1_contract.metrics import EXACT_MATCH
from s1_contract.options import MAX_THINKING_TOKENS, NUM_WAITS, REASONING_EFFORT
from s1_contract.places import SWEEP_FILE
from s1_contract.printing import show
from s1_contract.redaction import redact
from s1_contract.usage import THINKING_TOKENS, WAITS_USED
from s1_models.forcing import BudgetError
from s1_models.harness.evaluation import Finished, LoadedTasks, evaluate
from s1_models.options import ALIASES, OptionError, memo_path, split_options
from s1_report.stats import accuracy_interval

MANIFEST = SWEEP_FILE
SWEPT = (NUM_WAITS, MAX_THINKING_TOKENS)


@dataclass(frozen=True, slots=True)
class Setting:
    """One point of the curve. max_thinking_tokens: None is "auto". reasoning_effort: of hosted models, else None."""

    num_waits: int
    max_thinking_tokens: int | None
    reasoning_effort: str | None = None

    @property
    def options(self) -> dict[str, Any]:
        """As model args."""
        limit = self.max_thinking_tokens
        effort = {} if self.reasoning_effort is None else {REASONING_EFFORT: self.reasoning_effort}
        return {NUM_WAITS: self.num_waits, MAX_THINKING_TOKENS: "auto" if limit is None else limit, **effort}

    @property
    def folder(self) -> str:
        """The folder of this setting's files, inside the sweep's."""
        effort = "" if self.reasoning_effort is None else f"_effort-{show(self.reasoning_effort, 'path')}"
        return "wait{num_waits}_think{max_thinking_tokens}".format(**self.options) + effort

    def __str__(self) -> str:
        return ", ".join(f"{name}={value}" for name, value in self.options.items())


def choose_settings(
    waits: Iterable[int],
    budgets: Iterable[int | None],
    *,
    cross: bool = False,
    efforts: Sequence[str | None] = (None,),
) -> list[Setting]:
    """The settings of a sweep, longest first.

    The paper's two lines: every number of waits at the largest budget, and every budget at the fewest waits.
    cross: every number of waits at every budget instead. efforts: each with all of these, in this order.
    Raises OptionError when there is nothing to choose from.
    """
    waits, budgets = set(waits), set(budgets)
    if not waits or not budgets:
        raise OptionError("a sweep needs at least one number of waits and one thinking budget")
    largest = max(budgets, key=_size)
    pairs = {(number, budget) for number in waits for budget in budgets}
    if not cross:
        pairs = {(number, budget) for number, budget in pairs if budget == largest or number == min(waits)}
    longest_first = sorted(pairs, key=lambda pair: (pair[0], _size(pair[1])), reverse=True)
    return [Setting(*pair, effort) for effort in dict.fromkeys(efforts) for pair in longest_first]


def _size(budget: int | None) -> float:
    return float("inf") if budget is None else budget


@dataclass(frozen=True, slots=True)
class Sweep:
    """What is to be run. arguments: those of `lm_eval.simple_evaluate` beside model, model_args and tasks.

    model, model_args: of the engine, as on the command line, without what is swept.
    """

    model: str
    model_args: Mapping[str, Any]
    tasks: Sequence[Any]
    settings: Sequence[Setting]
    arguments: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for where, given in (("model_args", self.model_args), ("gen_kwargs", self.arguments.get("gen_kwargs") or {})):
            _refuse_swept(f"--{where}", given)


def run_sweep(
    sweep: Sweep,
    load_model: Callable[[], Any],
    load_tasks: Callable[[], LoadedTasks],
    output: Path,
    *,
    memo: str,
    versions: Mapping[str, str],
    report: Callable[[Mapping[str, Any]], None] = lambda row: None,
) -> Manifest:
    """Runs every setting that `output`'s manifest does not hold yet, longest first; returns the manifest.

    load_model gives a `BudgetForcingLM`; it is called once, and not at all when nothing is left to do. memo: path of
    the memo, where `sweep.model_args` names none. report: told of every finished setting, those of an earlier run
    included. What has finished stays when a later setting fails or is interrupted. In the manifest the seconds of the
    first setting are those of the pass over all of them.
    """
    manifest = Manifest.open(output, sweep, versions)
    for row in manifest.rows:
        report(row)
    waiting = [setting for setting in sweep.settings if manifest.row(setting) is None]
    if not waiting:
        return manifest
    tasks = load_tasks()
    for task in tasks.tasks.values():
        _check_task(task)
    started = time.perf_counter()
    lm = load_model()
    manifest.add(load_seconds=round(time.perf_counter() - started, 3))
    if hasattr(lm, "engine"):  # a hosted model has none, and its context is its own affair
        _check_context(waiting, lm.engine.context_window)
    ours, _ = split_options(sweep.model_args)
    options = [{"memo": memo, **ours, **setting.options} for setting in waiting]
    at_once = memo_path(options[0]) is not None  # else every setting generates for itself
    generated = [0] * len(waiting)  # tokens, for each setting, whenever it was
    for place, setting in enumerate(waiting):
        together = options if at_once and not place else options[place : place + 1]
        label = f"{len(together)} settings" if len(together) > 1 else str(setting)
        started = time.perf_counter()
        finished = evaluate(
            lm.asked_with(*together, label=label),
            tasks,
            model=sweep.model,
            model_args={**sweep.model_args, **setting.options},
            output=output / setting.folder,
            **sweep.arguments,
        )
        for later, reuse in enumerate(finished.reuse, start=place):
            generated[later] += reuse.generated_tokens
        asked_tokens = finished.reuse[0].reused_tokens + finished.reuse[0].generated_tokens
        row = {
            **setting.options,
            "seconds": round(time.perf_counter() - started, 3),
            "tokens_new": generated[place],
            "tokens_reused": asked_tokens - generated[place],
            "files": [str(file.relative_to(output)) for file in finished.files],
            "tasks": {task: summarise(finished, task) for task in finished.samples},
        }
        manifest.add(row)
        report(row)
    return manifest


def _check_context(settings: Iterable[Setting], context_window: int) -> None:
    for setting in settings:
        limit = setting.max_thinking_tokens
        if limit is not None and limit >= context_window:
            raise BudgetError(
                f"max_thinking_tokens={limit} does not fit a context of {context_window} tokens: leave it out"
            )


def _refuse_swept(where: str, given: Mapping[str, Any]) -> None:
    for name in given:
        if ALIASES.get(name, name) in (*SWEPT, REASONING_EFFORT):
            raise OptionError(
                f"{where} sets {name}, which a sweep varies: leave it out and use --{ALIASES.get(name, name)}"
            )


def _check_task(task: Any) -> None:
    name = task.config.task
    if task.OUTPUT_TYPE != "generate_until":
        raise OptionError(f"{name} is a {task.OUTPUT_TYPE} task: only tasks that generate text depend on thinking")
    _refuse_swept(f"the task {name}", task.config.generation_kwargs or {})


# What a setting's samples say, per task.


def summarise(finished: Finished, task: str) -> dict[str, Any]:
    """Accuracy with the 95 % interval of `s1_report`, mean thinking tokens and waits of one task.

    Thinking tokens are over all repeats, and absent for responses without usage; the interval is absent for a metric
    that is no share.
    """
    samples = finished.samples[task]
    first = [sample for sample in samples if sample["filter"] == samples[0]["filter"]]
    summary: dict[str, Any] = {"questions": len(first)}
    metric = _headline(first[0]["metrics"], first[0])
    if metric is not None:
        summary |= {"metric": metric, **_accuracy([float(sample[metric]) for sample in first])}
    usages = [response.usage for sample in first for response in chain(*sample["resps"]) if hasattr(response, "usage")]
    if usages:
        for name in (THINKING_TOKENS, WAITS_USED):
            if told := [usage[name] for usage in usages if name in usage]:
                summary[name] = sum(told) / len(told)
    return summary


def _accuracy(values: Sequence[float]) -> dict[str, float]:
    told = {"accuracy": sum(values) / len(values)}
    if all(0 <= value <= 1 for value in values):
        low, high = accuracy_interval([[value] for value in values])
        told |= {"low": low, "high": high}
    return told


def _headline(metrics: Collection[str], sample: Mapping[str, Any]) -> str | None:
    """The metric that says how right a question's answers are: over all repeats where there are several."""
    averages = [name for name in metrics if name.startswith("avg@")]
    for name in (*averages, EXACT_MATCH, "acc"):
        if name in metrics:
            return name
    return next((name for name in metrics if isinstance(sample[name], int | float)), None)


# The manifest, sweep.json: written after every setting, whole or not at all.


class Manifest:
    """What a sweep has finished, beside its folders.

    `content`: what was asked ("sweep"), with which versions, and one row per finished setting ("settings").
    """

    def __init__(self, path: Path, content: dict[str, Any]) -> None:
        self.path = path
        self.content = content

    @classmethod
    def open(cls, output: Path, sweep: Sweep, versions: Mapping[str, str]) -> Manifest:
        """The manifest of this sweep in `output`; finished rows of the same sweep, with other settings or not, are
        kept, those of another (or made with other versions) are not: the memo makes running them again cheap.
        """
        asked = {
            "model": sweep.model,
            "model_args": redact(dict(sweep.model_args)),
            "tasks": [str(task) for task in sweep.tasks],
        }
        given = {name: value for name, value in sweep.arguments.items() if value not in (None, False, {})}
        asked["arguments"] = redact(given)
        content = json.loads(json.dumps({"sweep": asked, "versions": dict(versions), "settings": []}, default=str))
        path = output / MANIFEST
        try:
            known = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            known = {}
        except (OSError, ValueError) as error:
            raise OptionError(f"{path} is no manifest of a sweep ({error}): move it away") from error
        if all(known.get(name) == content[name] for name in ("sweep", "versions")):
            rows = [row for row in known["settings"] if all((output / file).exists() for file in row["files"])]
            content = {**known, "settings": rows}
        return cls(path, content)

    @property
    def rows(self) -> list[dict[str, Any]]:
        """One mapping per finished setting, in the order they ran."""
        return self.content["settings"]  # type: ignore[no-any-return]

    def row(self, setting: Setting) -> dict[str, Any] | None:
        """The row of a setting, if it is finished."""
        names = (*SWEPT, REASONING_EFFORT)
        same = (row for row in self.rows if all(row.get(name) == setting.options.get(name) for name in names))
        return next(same, None)

    def add(self, row: Mapping[str, Any] | None = None, **facts: Any) -> None:
        """Records a finished setting, or facts about the whole, and writes the file."""
        self.content |= facts
        if row is not None:
            self.rows.append(dict(row))
        write_whole(self.path, json.dumps(self.content, indent=1, ensure_ascii=False) + "\n")
