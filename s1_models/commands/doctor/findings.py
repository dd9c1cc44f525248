"""What a check found: a status, a sentence, and the commands that mend it; and what the user asked about."""

from __future__ import annotations

import json
import re
import shlex
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any


class Status(StrEnum):
    """OK; WARN: works, but perhaps not as meant; FIX: a run would fail; SKIP: not looked at."""

    OK = "ok"
    WARN = "warn"
    FIX = "fix"
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing a check found. fix: lines to paste into a shell; what is no command starts with "# "."""

    check: str
    status: Status
    message: str
    fix: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Finding:
        return cls(record["check"], Status(record["status"]), record["message"], tuple(record["fix"]))


@dataclass(frozen=True, slots=True)
class Asked:
    """The run that is meant: the harness's own options, as far as checks depend on them."""

    model: str = "s1_vllm"
    model_args: Mapping[str, Any] = field(default_factory=dict)
    gen_kwargs: Mapping[str, Any] = field(default_factory=dict)
    tasks: tuple[str, ...] = ()
    batch_size: str = "1"
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Asked:
        return cls(**{**record, "tasks": tuple(record["tasks"])})

    def options(self) -> list[str]:
        """The run as command-line options."""
        words = ["--model", self.model]
        for name in ("model_args", "gen_kwargs"):
            if values := getattr(self, name):
                words += [f"--{name}", _as_argument(values)]
        return [*words, *(["--tasks", ",".join(self.tasks)] if self.tasks else [])]

    def without_options_in(self, message: str) -> Asked:
        """The run without the options that an error's message names."""
        model_args, gen_kwargs = (
            {name: value for name, value in options.items() if not re.search(rf"\b{re.escape(name)}\b", message)}
            for options in (self.model_args, self.gen_kwargs)
        )
        return replace(self, model_args=model_args, gen_kwargs=gen_kwargs)

    def command(self, **model_args: Any) -> str:
        """The run as a command, with some model args changed."""
        changed = replace(self, model_args={**self.model_args, **model_args}, tasks=self.tasks or ("aime24",))
        return shlex.join(["s1-eval", *changed.options()])


def _as_argument(options: Mapping[str, Any]) -> str:
    """Options as lm_eval reads them: NAME=VALUE,…; as JSON where a value would not survive that."""
    simple = all(isinstance(value, int | float | str) and "," not in str(value) for value in options.values())
    return ",".join(f"{name}={value}" for name, value in options.items()) if simple else json.dumps(dict(options))


def pip(*arguments: str) -> str:
    """A pip command for the Python that runs this, whatever `pip` on the PATH belongs to."""
    return " ".join((sys.executable, "-m pip", *arguments))


def one_line(error: BaseException, limit: int = 300) -> str:
    """An exception as "Type: message" on one line of at most `limit` characters."""
    text = f"{type(error).__name__}: {' '.join(str(error).split())}"
    return text if len(text) <= limit else text[: limit - 1] + "…"
