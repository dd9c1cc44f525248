"""The configuration of a run: one YAML file, checked before anything is started; unknown keys are errors.

`training/curate/example.yaml` shows every key with its default and says what it does.
"""

from __future__ import annotations

import dataclasses
import difflib
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from training.curate.benchmark_questions import DEFAULT_BENCHMARKS
from training.curate.chat import Endpoint
from training.curate.decontaminate import WORDS_IN_A_ROW
from training.curate.diversity import HOWS
from training.curate.grading import When
from training.curate.references import DEFAULT_REFERENCES, Reference
from training.curate.sources import LAST_AIME_YEAR
from training.curate.stage import CurationError


@dataclass(frozen=True)
class Collect:
    """source: "hub" or "local:DIR". names: some of the 16 sources (none: all). rows: a file of rows of one's own."""

    source: str = "hub"
    names: tuple[str, ...] = ()
    aime_until: int = LAST_AIME_YEAR
    rows: Path | None = None


@dataclass(frozen=True)
class Decontaminate:
    """questions: a directory with the benchmarks' questions (None: the Hub). near_duplicates: a Jaccard index."""

    benchmarks: tuple[str, ...] = DEFAULT_BENCHMARKS
    questions: str | None = None
    words_in_a_row: int = WORDS_IN_A_ROW
    near_duplicates: float | None = None


@dataclass(frozen=True)
class Traces:
    """teacher: who writes thinking and answer; without one only rows that bring a trace go on."""

    teacher: Endpoint | None = None


@dataclass(frozen=True)
class Domain:
    """model: who names the subjects; without one only rows that bring a domain go on."""

    model: Endpoint | None = None


@dataclass(frozen=True)
class Difficulty:
    """references: the models that must fail. memo: remember their tokens. llm_grading: when `grader` judges."""

    references: tuple[Reference, ...] = DEFAULT_REFERENCES
    memo: bool = True
    grader: Endpoint | None = None
    llm_grading: When = "never"


@dataclass(frozen=True)
class Select:
    """how: see diversity.py. baselines: further selections, from the rows before the difficulty stage."""

    how: str = "s1"
    count: int = 1000
    baselines: tuple[str, ...] = ("random", "longest", "diverse")


@dataclass(frozen=True)
class Render:
    """tokenizer: a Hub name or directory; lengths are counted with it as well. format: how thinking is written."""

    tokenizer: str = "Qwen/Qwen2.5-32B-Instruct"
    format: str = "s1"


@dataclass(frozen=True)
class Config:
    """Everything a run depends on. out: where everything goes. seed: of the selections."""

    out: Path
    seed: int = 0
    collect: Collect = field(default_factory=Collect)
    decontaminate: Decontaminate = field(default_factory=Decontaminate)
    traces: Traces = field(default_factory=Traces)
    domain: Domain = field(default_factory=Domain)
    difficulty: Difficulty = field(default_factory=Difficulty)
    select: Select = field(default_factory=Select)
    render: Render = field(default_factory=Render)


def load_config(path: Path) -> Config:
    """Reads and checks a configuration. Raises CurationError naming the key."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CurationError(f"{path} cannot be read: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise CurationError(f"{path} is not YAML: {' '.join(str(error).split())}") from error
    config: Config = build(Config, content or {}, str(path))
    return check(config)


def check(config: Config) -> Config:
    """Raises CurationError where values contradict each other."""
    unknown = [how for how in (config.select.how, *config.select.baselines) if how not in HOWS]
    if unknown:
        raise CurationError(f"select: {', '.join(unknown)} is no selection; expected some of {', '.join(HOWS)}")
    if config.difficulty.llm_grading not in typing.get_args(When):
        raise CurationError(
            f"difficulty.llm_grading is {config.difficulty.llm_grading!r}; expected {', '.join(typing.get_args(When))}"
        )
    if config.difficulty.llm_grading != "never" and config.difficulty.grader is None:
        raise CurationError(f"difficulty.llm_grading is {config.difficulty.llm_grading!r}, but there is no grader")
    return config


def build(kind: Any, value: Any, where: str) -> Any:
    """`value` from YAML as an instance of a dataclass, checked key by key. Raises CurationError."""
    if not isinstance(value, Mapping):
        raise CurationError(f"{where}: expected keys and values, got {value!r}")
    hints = typing.get_type_hints(kind)
    known = {one.name: one for one in dataclasses.fields(kind)}
    for name in value:
        if name not in known:
            near = difflib.get_close_matches(str(name), known, n=1)
            meant = f"; did you mean {near[0]}?" if near else f"; expected some of {', '.join(known)}"
            raise CurationError(f"{where}: unknown key {name!r}{meant}")
    required = (dataclasses.MISSING, dataclasses.MISSING)
    lacking = [name for name, one in known.items() if (one.default, one.default_factory) == required]
    for name in lacking:
        if name not in value:
            raise CurationError(f"{where}: {name} is missing")
    return kind(**{name: _value(hints[name], given, f"{where}: {name}") for name, given in value.items()})


def _value(hint: Any, given: Any, where: str) -> Any:
    """A value of a YAML file as what a field is annotated with."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        if given is None and type(None) in arguments:
            return None
        return _value(next(one for one in arguments if one is not type(None)), given, where)
    if origin is typing.Literal:
        return given
    if dataclasses.is_dataclass(hint):
        return build(hint, given, where)
    if origin is tuple:
        if isinstance(given, str) or not hasattr(given, "__iter__"):
            raise CurationError(f"{where} is {given!r}; expected a list")
        return tuple(_value(arguments[0], one, f"{where}[{number}]") for number, one in enumerate(given))
    if origin is not None and issubclass(origin, Mapping):
        if not isinstance(given, Mapping):
            raise CurationError(f"{where} is {given!r}; expected keys and values")
        return dict(given)
    if hint is Path:
        return Path(str(given)).expanduser()
    if hint is float and isinstance(given, int) and not isinstance(given, bool):
        return float(given)
    if not isinstance(given, hint) or (isinstance(given, bool) and hint is not bool):
        raise CurationError(f"{where} is {given!r}; expected {hint.__name__}")
    return given
