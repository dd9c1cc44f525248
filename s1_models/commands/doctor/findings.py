"""What a check found: a status, a sentence, and the commands that mend it; and what the user asked about."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any

from s1_contract.errors import Mend, S1Error
from s1_contract.options import ALIASES

MOST_ERRORS = 20


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
        """The run as command-line options, without those that have their defaults."""
        words = ["--model", self.model]
        for name in ("model_args", "gen_kwargs"):
            if values := getattr(self, name):
                words += [f"--{name}", _as_argument(values)]
        words += ["--tasks", ",".join(self.tasks)] if self.tasks else []
        words += ["--batch_size", self.batch_size] if self.batch_size != "1" else []
        return [*words, *(["--metadata", json.dumps(dict(self.metadata))] if self.metadata else [])]

    def command(self, **model_args: Any) -> str:
        """The run as a command, with some options changed. Without tasks it is no run yet: the doctor looks again."""
        changed: Asked = self
        for name, value in model_args.items():
            changed = changed.mended(Mend("set", name, value))
        return shlex.join(["s1-eval", *([] if self.tasks else ["doctor"]), *changed.options()])

    def mended(self, mend: Mend) -> Asked:
        """The run with one option corrected, and everything else as it was."""
        places = {"model_args": dict(self.model_args), "gen_kwargs": dict(self.gen_kwargs)}
        known = next((place for place in reversed(places) if _given_as(mend.name, places[place])), None)
        place = known or ("gen_kwargs" if mend.name in _OF_SAMPLING else "model_args")
        name = _given_as(mend.name, places[place]) or mend.name
        if mend.how == "rename":
            places[place] = _renamed(places[place], name, mend.to)
        elif mend.how == "set":
            places[place][name] = mend.to
        elif mend.how == "move" and known:
            places[mend.to][name] = places[known].pop(name)
        else:
            places[place].pop(name, None)
        return replace(self, model_args=places["model_args"], gen_kwargs=places["gen_kwargs"])


_OF_SAMPLING = ("temperature", "n", "repeats")


def _renamed(options: Mapping[str, Any], name: str, right: str) -> dict[str, Any]:
    """Options with one renamed; it is left out where the right one is given as well."""
    if _given_as(right, options):
        return {key: value for key, value in options.items() if key != name}
    return {right if key == name else key: value for key, value in options.items()}


def _given_as(name: str, options: Mapping[str, Any]) -> str | None:
    """The name under which an option was given: its own, or one of s1's for it; None when it was not."""
    return next((given for given in options if name in (given, ALIASES.get(given))), None)


def mend_all(asked: Asked, attempt: Callable[[Asked], object]) -> tuple[list[S1Error], Asked]:
    """What is wrong with a run, one error after another, and the run in which all that can be mended is.

    attempt: raises the first error of a run.
    """
    errors: list[S1Error] = []
    while len(errors) < MOST_ERRORS:
        try:
            attempt(asked)
        except S1Error as error:
            errors.append(error)
            better = asked.mended(error.mend) if error.mend else asked
            if better.options() == asked.options():
                break
            asked = better
        else:
            break
    return errors, asked


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
