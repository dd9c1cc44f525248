"""What a results file says a run was: who answered, with which options, on which rows.

Nothing is left out because it is not known here: every model arg and generation option goes into one of the fields of
a record, unless it is known to leave the tokens alone (`s1_contract.options.SAME_TOKENS`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from s1_contract.options import ALIASES, BUDGET_OPTIONS, NUM_WAITS, PROMPT_OPTIONS, SAME_TOKENS
from s1_contract.places import FACTS
from s1_report.dates import undated
from s1_report.logs import arguments
from s1_report.record import digest

MODEL_NAMES = ("peft", "delta", "pretrained", "model", "path")
"""Model args that name the model, as lm_eval ranks them. Where there is none it makes a name up, always the same."""
SERVER = "base_url"
REPEATS = frozenset({"do_sample", "repeats", "n", "seed"})
"""Generation options that show in the data (repeats), follow from others (do_sample), or may differ (seed)."""
PLACED = frozenset({*BUDGET_OPTIONS, *PROMPT_OPTIONS, *ALIASES, *REPEATS})
"""Options that have a field of their own in a record, or none."""
HARDWARE = re.compile(r"\s*(Model name|GPU \d+|OS|Python version|PyTorch version):")
VERSIONS = ("lm_eval_version", "transformers_version", "git_hash")
OURS = "s1_"
"""How the names of our models begin."""


def settings_of(results: Mapping[str, Any], task: str, date: str) -> dict[str, Any]:
    """The fields of a `RunRecord` that the results file knows. Raises KeyError, TypeError or AttributeError."""
    told = Told(results, task)
    return {
        "kind": "measured",
        "model": told.model,
        "task": task,
        "task_version": str(_part(results, "versions").get(task, "")),
        "engine": told.engine,
        "budget": told.budget(),
        "prompting": told.named(PROMPT_OPTIONS),
        "sampling": _without(told.generation, PLACED),
        "model_args": told.other_model_args(),
        "identity": told.identity(),
        "resolved": told.resolved(),
        "rows": dict(_part(_part(told.facts, "rows"), task)),
        "asked": told.counts.get("effective"),
        "available": told.counts.get("original"),
        "template": told.template(),
        "environment": {**told.environment(), "date": date, "seed": told.options.get("seed")},
    }


def around_question(results: Mapping[str, Any], task: str) -> Mapping[str, str]:
    """The texts that were put before and after lm_eval's prompt, where the results file tells them."""
    return Told(results, task).around


def _part(mapping: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """A mapping inside another; empty where it is absent or null."""
    return mapping.get(name) or {}


def _known(mapping: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """Those of the names that are there and say something."""
    return {name: mapping[name] for name in names if mapping.get(name)}


def _without(mapping: Mapping[str, Any], names: frozenset[str]) -> dict[str, Any]:
    return {name: value for name, value in mapping.items() if name not in names and value is not None}


@dataclass(frozen=True)
class Told:
    """A results file, asked about one of its tasks."""

    results: Mapping[str, Any]
    task: str

    @cached_property
    def config(self) -> Mapping[str, Any]:
        """The task's configuration."""
        return self.results["configs"][self.task]  # type: ignore[no-any-return]

    @cached_property
    def run(self) -> Mapping[str, Any]:
        """The run's configuration."""
        return _part(self.results, "config")

    @cached_property
    def facts(self) -> Mapping[str, Any]:
        """What our models and the start-up bridge told."""
        return {**_part(self.results, FACTS), **_part(self.run, FACTS)}

    @cached_property
    def of_task(self) -> Mapping[str, Any]:
        """What our models told of this task."""
        return _part(_part(self.facts, "tasks"), self.task)

    @cached_property
    def around(self) -> Mapping[str, str]:
        """The texts before and after lm_eval's prompt."""
        return _part(self.of_task, "around")

    @cached_property
    def counts(self) -> Mapping[str, Any]:
        """How many questions the data set has (original) and how many were asked (effective)."""
        return _part(_part(self.results, "n-samples"), self.task)

    @cached_property
    def model_args(self) -> dict[str, Any]:
        """The model args."""
        return arguments(self.run.get("model_args"))

    @cached_property
    def generation(self) -> dict[str, Any]:
        """The generation options: the task's, overridden by the command line's."""
        return {**_part(self.config, "generation_kwargs"), **arguments(self.run.get("gen_kwargs"))}

    @cached_property
    def options(self) -> dict[str, Any]:
        """Model args overridden by generation options, under our names."""
        return {ALIASES.get(name, name): value for name, value in {**self.model_args, **self.generation}.items()}

    @cached_property
    def engine(self) -> str:
        """The name of the model type, such as s1_vllm."""
        return str(self.run.get("model") or "")

    @cached_property
    def model(self) -> str:
        """The model's name. lm_eval's own is used only when an argument gave it: else it is made up."""
        logged = self.results.get("model_name")
        given = next((self.model_args[name] for name in MODEL_NAMES if self.model_args.get(name)), None)
        names = (logged, given) if given is not None else (self._told_name(), self._server(), self.engine, logged)
        return str(next(filter(None, names), "unknown"))

    def _told_name(self) -> str | None:
        return self.facts.get("model") or _part(self.facts, "identity").get("model")

    def _server(self) -> str | None:
        address = self.model_args.get(SERVER)
        return f"{self.engine} at {address}" if address else None

    def named(self, names: tuple[str, ...]) -> dict[str, Any]:
        """Those of the options that are set."""
        return {name: self.options[name] for name in names if self.options.get(name) is not None}

    def budget(self) -> dict[str, Any]:
        """How long the model may think, as asked."""
        waits = {NUM_WAITS: 0} if self.engine.startswith(OURS) else {}
        return {**waits, **self.named(BUDGET_OPTIONS)}

    def other_model_args(self) -> dict[str, Any]:
        """Model args that have no other place, and are not known to leave the tokens alone."""
        others = _without(self.model_args, PLACED | SAME_TOKENS)
        return {name: value for name, value in others.items() if name not in MODEL_NAMES or str(value) != self.model}

    def identity(self) -> dict[str, Any]:
        """Who answered: what the engine found out, else the server that was asked."""
        found = dict(_part(self.facts, "identity"))
        server = {SERVER: self.model_args[SERVER]} if self.model_args.get(SERVER) else {}
        return found or server

    def resolved(self) -> dict[str, Any]:
        """What became of the options; the texts around the question as hashes, any date in them left out."""
        engine = _known(self.facts, ("dtype", "context_window"))
        hashes = {name: digest([undated(str(text))]) for name, text in self.around.items()}
        return {**engine, **self.of_task, **({"around": hashes} if hashes else {})}

    def template(self) -> str:
        """Hash of the chat template, the system instruction, the few-shot setting and the options about prompts."""
        names = ("chat_template_sha", "system_instruction_sha", "fewshot_as_multiturn")
        parts = [str(self.results.get(name)) for name in names]
        parts += [f"{name}={self.options[name]}" for name in PROMPT_OPTIONS if name in self.options]
        return digest([*parts, str(self.config.get("num_fewshot"))])

    def environment(self) -> dict[str, Any]:
        """Versions, hardware, and the arguments as they were given."""
        return {
            **_known(self.results, VERSIONS),
            **_known(self.facts, ("contamination_report", "versions")),
            "model_args": dict(self.model_args),
            "model_sha": self.run.get("model_sha") or "",
            "limit": self.run.get("limit"),
            "seconds": self.results.get("total_evaluation_time_seconds"),
            "hardware": self._hardware(),
        }

    def _hardware(self) -> list[str]:
        lines = str(self.results.get("pretty_env_info") or "").splitlines()
        return [line.strip() for line in lines if HARDWARE.match(line)]
