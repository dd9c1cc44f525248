"""The configuration of a run: one YAML file, checked before anything is started; unknown keys are errors.

`training/curate/example.yaml` shows every key with its default and says what it does.
"""

from __future__ import annotations

import dataclasses
import difflib
import json
import typing
from dataclasses import field
from pathlib import Path
from typing import Annotated, Any

import pydantic
import yaml
from pydantic.dataclasses import dataclass

from training.curate.benchmark_questions import DEFAULT_BENCHMARKS
from training.curate.chat import Endpoint
from training.curate.decontaminate import WORDS_IN_A_ROW
from training.curate.diversity import HOWS
from training.curate.grading import When
from training.curate.references import DEFAULT_REFERENCES, Reference
from training.curate.sources import LAST_AIME_YEAR
from training.curate.stage import CurationError

_EXACT = pydantic.ConfigDict(extra="forbid")
Place = Annotated[Path, pydantic.AfterValidator(Path.expanduser)]


@dataclass(frozen=True, config=_EXACT)
class Collect:
    """source: "hub" or "local:DIR". names: some of the 16 sources (none: all). rows: a file of rows of one's own."""

    source: str = "hub"
    names: tuple[str, ...] = ()
    aime_until: int = LAST_AIME_YEAR
    rows: Place | None = None


@dataclass(frozen=True, config=_EXACT)
class Decontaminate:
    """questions: a directory with the benchmarks' questions (None: the Hub). near_duplicates: a Jaccard index."""

    benchmarks: tuple[str, ...] = DEFAULT_BENCHMARKS
    questions: str | None = None
    words_in_a_row: int = WORDS_IN_A_ROW
    near_duplicates: float | None = None


@dataclass(frozen=True, config=_EXACT)
class Traces:
    """teacher: who writes thinking and answer; without one only rows that bring a trace go on."""

    teacher: Endpoint | None = None


@dataclass(frozen=True, config=_EXACT)
class Domain:
    """model: who names the subjects; without one only rows that bring a domain go on."""

    model: Endpoint | None = None


@dataclass(frozen=True, config=_EXACT)
class Difficulty:
    """references: the models that must fail. memo: remember their tokens. llm_grading: when `grader` judges."""

    references: tuple[Reference, ...] = DEFAULT_REFERENCES
    memo: bool = True
    grader: Endpoint | None = None
    llm_grading: When = "never"


@dataclass(frozen=True, config=_EXACT)
class Select:
    """how: see diversity.py. baselines: further selections, from the rows before the difficulty stage."""

    how: str = "s1"
    count: int = 1000
    baselines: tuple[str, ...] = ("random", "longest", "diverse")


@dataclass(frozen=True, config=_EXACT)
class Render:
    """tokenizer: a Hub name or directory; lengths are counted with it as well. format: how thinking is written."""

    tokenizer: str = "Qwen/Qwen2.5-32B-Instruct"
    format: str = "s1"


@dataclass(frozen=True, config=_EXACT)
class Config:
    """Everything a run depends on. out: where everything goes. seed: of the selections."""

    out: Place
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
    try:
        # As JSON and strictly: a list is a list and a text a path, but no text is a number.
        config = pydantic.TypeAdapter(Config).validate_json(json.dumps(content or {}, default=str), strict=True)
    except pydantic.ValidationError as error:
        raise CurationError(_sentence(error, str(path))) from None
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


def _sentence(error: pydantic.ValidationError, place: str) -> str:
    """The first thing that is wrong, with its place: key, value, and what was expected."""
    first = error.errors(include_url=False)[0]
    *above, key = (str(one) for one in first["loc"]) if first["loc"] else ("",)
    where = ": ".join([place, *above])
    if first["type"] == "unexpected_keyword_argument":
        known = _keys(above)
        near = difflib.get_close_matches(key, known, n=1)
        return f"{where}: unknown key {key!r}; " + (
            f"did you mean {near[0]}?" if near else f"expected {', '.join(known)}"
        )
    if first["type"] == "missing":
        return f"{where}: {key} is missing"
    what = first["msg"].replace("Input should be", "expected").replace("array", "list").replace("object", "set of keys")
    return f"{where}: {key} is {first['input']!r}; {what}" if key else f"{place}: got {first['input']!r}; {what}"


def _keys(path: list[str]) -> list[str]:
    """The keys that are known at a place of the configuration; none where it is inside of a list."""
    kind: Any = Config
    for name in path:
        hints = typing.get_type_hints(kind) if dataclasses.is_dataclass(kind) else {}
        kind = next(
            (one for one in (hints.get(name), *typing.get_args(hints.get(name))) if dataclasses.is_dataclass(one)), None
        )
    return [one.name for one in dataclasses.fields(kind)] if dataclasses.is_dataclass(kind) else []
