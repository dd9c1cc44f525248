"""The one shape every run takes: `RunRecord`, frozen, written as JSON that people can read and diff.

A record holds what each question got at each repeat, so that every later statistic (paired tests, pass@k, majority,
scaling) needs the record only, never the logs it was made from.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from s1_contract.errors import DataError
from s1_contract.files import read_text
from s1_contract.metrics import EXACT_MATCH
from s1_contract.options import ALIASES, MAX_THINKING_TOKENS, NUM_WAITS
from s1_contract.outcomes import Outcome
from s1_contract.usage import USAGE_FIELDS

if TYPE_CHECKING:
    from pydantic import TypeAdapter

SCHEMA = 2
READABLE = (1, 2)
"""Schemas that are read. Schema 1 (version 0.1.0) has no filter, identity, rows, resolved settings and counts."""


CHECKED: Mapping[str, Any] = {"strict": True, "allow_inf_nan": False, "extra": "forbid"}
"""How pydantic reads the classes below from a file."""


HALF_PAIR = re.compile("[\ud800-\udfff]")
"""Half a surrogate pair, which model text may hold and UTF-8 may not: records spell it out as six characters."""


EVERY_QUESTION = "every_question"
USUAL: Mapping[str, Any] = {"until": [], "temperature": 0.0}
"""What our tasks ask for unless told otherwise: labels leave it out."""


class ReportError(DataError):
    """Something the user can mend; the message names the file, says what was found and what to do."""


@dataclass(frozen=True, slots=True)
class Question:
    """What one question got. Tuples over repeats have one item per repeat, or one for all, or none if unknown.

    key: hash of the document (16 hex digits), what questions are paired by. prompt: hash of the text that was asked.
    correct: 0 to 1. outcomes: `s1_contract.outcomes.Outcome` values. answers: what votes, None without an answer.
    The others are the usage fields (`s1_contract.usage.Usage`): counts, or their mean over the repeats when there is
    one item for several repeats.
    """

    __pydantic_config__: ClassVar[Mapping[str, Any]] = CHECKED
    key: str
    correct: tuple[float, ...]
    prompt: str = ""
    outcomes: tuple[str, ...] = ()
    answers: tuple[str | None, ...] = ()
    thinking_tokens: tuple[float, ...] = ()
    answer_tokens: tuple[float, ...] = ()
    waits_used: tuple[float, ...] = ()
    cut_off: tuple[float, ...] = ()
    answer_cut_off: tuple[float, ...] = ()
    answer_asked: tuple[float, ...] = ()
    thinking_limit: tuple[float, ...] = ()
    dropped_tokens: tuple[float, ...] = ()
    tries: tuple[float, ...] = ()
    rejected_tokens: tuple[float, ...] = ()
    forced_tokens: tuple[float, ...] = ()
    wasted_tokens: tuple[float, ...] = ()
    probes: tuple[float, ...] = ()
    probe_tokens: tuple[float, ...] = ()
    generated_tokens: tuple[float, ...] = ()
    requests: tuple[float, ...] = ()
    read_tokens: tuple[float, ...] = ()

    @property
    def mean(self) -> float:
        """Share of the repeats that are right."""
        return sum(self.correct) / len(self.correct)


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run: a model, a task, a setting, and what came of it.

    metric, filter: what `Question.correct` holds, and the answer filter before it, in the words of the log they came
    from; filter is "" where the log is too old to say. budget: how long the model may think (num_waits,
    max_thinking_tokens, ...), as asked; sampling: temperature and the like, as asked; prompting: options that change
    what is put around the question; model_args: every other model arg that is not known to leave the tokens alone.
    identity: who answered, as the engine found out (weights, server, dtype, ...). resolved: what was made of the
    options, with the texts put around the question as hashes. rows: where the questions came from. asked, available:
    how many of how many questions. checker: version of the answer check, "" if the log does not say. template: hash of
    the chat template and the system instruction.
    scores: published records only, accuracy (0 to 1) and thinking_tokens (mean) by name. environment: commit, versions,
    hardware, date; contamination_report where the model's checkpoint names one.
    source: paper, table and page of a published record. notes: disagreeing sources and other warnings.
    """

    __pydantic_config__: ClassVar[Mapping[str, Any]] = CHECKED
    kind: Literal["measured", "published"]
    model: str
    task: str
    metric: str = EXACT_MATCH
    filter: str = ""
    task_version: str = ""
    engine: str = ""
    budget: Mapping[str, Any] = field(default_factory=dict)
    sampling: Mapping[str, Any] = field(default_factory=dict)
    prompting: Mapping[str, Any] = field(default_factory=dict)
    model_args: Mapping[str, Any] = field(default_factory=dict)
    identity: Mapping[str, Any] = field(default_factory=dict)
    resolved: Mapping[str, Any] = field(default_factory=dict)
    rows: Mapping[str, Any] = field(default_factory=dict)
    asked: int | None = None
    available: int | None = None
    checker: str = ""
    template: str = ""
    questions: tuple[Question, ...] = ()
    scores: Mapping[str, float] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)
    source: str = ""
    notes: str = ""
    schema: int = SCHEMA

    @property
    def dataset_hash(self) -> str:
        """16 hex digits over the set of questions; equal exactly when the same documents were asked."""
        return digest(sorted(question.key for question in self.questions))

    @property
    def run_hash(self) -> str:
        """16 hex digits over everything that makes a run what it is; a rerun has the same, another run never.

        Not in it: date, hardware, and the version of the answer check.
        """
        parts = (
            *(self.model, self.engine, self.task, self.metric, self.filter, self.template, self.dataset_hash),
            *map(plain, (self.budget, self.sampling, self.prompting, self.model_args, self.identity)),
            plain({"seed": self.environment.get("seed")}),
        )
        return digest(parts)

    @property
    def repeats(self) -> int:
        """Answers per question: the smallest number over the questions (0 for a published record)."""
        return min((len(question.correct) for question in self.questions), default=0)

    @property
    def accuracy(self) -> float:
        """Mean over the questions of the share of repeats that are right; 0 to 1."""
        if not self.questions:
            return self.scores["accuracy"]
        return sum(question.mean for question in self.questions) / len(self.questions)

    def mean_of(self, name: str) -> float | None:
        """Mean over the questions of their mean of a usage field; None when any is unknown."""
        if not self.questions:
            return self.scores.get(name)
        columns = [getattr(question, name) for question in self.questions]
        if not all(columns):
            return None
        return float(sum(sum(values) / len(values) for values in columns)) / len(columns)

    def share_of(self, outcome: Outcome) -> float | None:
        """Share of all responses with this outcome; None when the log has no verdicts."""
        outcomes = [found for question in self.questions for found in question.outcomes]
        return outcomes.count(outcome.value) / len(outcomes) if outcomes else None

    @property
    def is_filtered(self) -> bool:
        """Whether an answer filter picked the answers, as far as the log says."""
        return self.filter not in ("", "none")

    @property
    def title(self) -> str:
        """The task, with the answer filter where one was used: what tables call the run."""
        return f"{self.task} ({self.filter})" if self.is_filtered else self.task

    @property
    def num_waits(self) -> int | None:
        """How many waits were asked for; None when the setting does not say."""
        waits = self.budget.get(NUM_WAITS)
        return None if waits is None else int(waits)

    @property
    def max_thinking_tokens(self) -> Any:
        """The thinking budget as asked, a number or "auto"; None when the setting does not say."""
        return self.budget.get(MAX_THINKING_TOKENS)

    @property
    def is_part(self) -> bool:
        """Whether fewer questions were asked than the data set holds."""
        return self.asked is not None and self.available is not None and self.asked < self.available

    def setting(self) -> dict[str, Any]:
        """Everything that was asked for, by name: budget, texts around the question, sampling, other model args."""
        return dict(sorted({**self.budget, **self.prompting, **self.sampling, **self.model_args}.items()))

    def label(self) -> str:
        """Model, task and setting in one line."""
        told = ((name, value) for name, value in self.setting().items() if USUAL.get(name, ...) != value)
        text = ", ".join(f"{name}={shown(value)}" for name, value in told)
        filtered = f", filter {self.filter}" if self.is_filtered else ""
        return f"{self.model} on {self.task}{filtered}" + (f" ({text})" if text else "")


def plain(mapping: Mapping[str, Any]) -> str:
    """A mapping as text that is equal exactly when its content is."""
    return json.dumps(dict(mapping), sort_keys=True, default=str)


def shown(value: object) -> str:
    """A value of a setting in one line: text that does not print as it is ("\\nWait") in quotes and escaped."""
    text = str(value)
    return text if text.isprintable() else json.dumps(text)


def digest(parts: Iterable[str]) -> str:
    """16 hex digits of SHA-256 over the parts in order."""
    return hashlib.sha256("\n".join(parts).encode("utf-8", errors="surrogatepass")).hexdigest()[:16]


def to_json(record: RunRecord) -> str:
    """The record as JSON text, one line per question. Fields that say nothing are left out.

    Usage that is the same for every question stands once, under `every_question`.
    """
    told = _head(record)
    same = _shared_usage(record.questions)
    rows_told = (_question_row(question, same) for question in record.questions)
    lines = [json.dumps(row, ensure_ascii=False, allow_nan=False) for row in rows_told]
    told |= {EVERY_QUESTION: same} if same else {}
    body = json.dumps({"schema": SCHEMA, **told}, indent=1, ensure_ascii=False, allow_nan=False, default=str)
    rows = "[\n  " + ",\n  ".join(lines) + "\n ]" if lines else "[]"
    return body.removesuffix("\n}") + f',\n "questions": {rows}\n}}\n'


def _head(record: RunRecord) -> dict[str, Any]:
    """All fields but the questions and the schema, as far as they say something."""
    head = {name: value for name, value in asdict(record).items() if name not in ("questions", "schema")}
    return {name: value for name, value in head.items() if value not in (None, "", {})}


def _question_row(question: Question, same: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in asdict(question).items() if value not in ((), "") and name not in same}


def _shared_usage(questions: Sequence[Question]) -> dict[str, Any]:
    """The usage fields that have one value in all questions."""
    found = {name: {getattr(question, name) for question in questions} for name in USAGE_FIELDS}
    return {name: next(iter(values)) for name, values in found.items() if len(values) == 1 and values != {()}}


def _with_shared_usage(data: dict[str, Any]) -> dict[str, Any]:
    """The content of a record file with what stands once put back into every question."""
    same, questions = data.pop(EVERY_QUESTION, None), data.get("questions")
    if not isinstance(same, dict) or not isinstance(questions, list):
        return data
    return {**data, "questions": [{**same, **row} if isinstance(row, dict) else row for row in questions]}


def from_json(text: str, place: str) -> RunRecord:
    """A record from JSON text. Raises ReportError that starts with `place` (a file name)."""
    from pydantic import ValidationError

    try:
        data = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise ReportError(f"{place}: not a run record, its JSON is damaged ({error}): collect the run again") from None
    _check_schema(data, place)
    if isinstance(budget := data.get("budget"), dict):  # version 0.1.0 kept s1's names of some options
        data["budget"] = {ALIASES.get(name, name): value for name, value in budget.items()}
    data = _with_shared_usage(data)
    known = {item.name for item in fields(RunRecord)}
    if unknown := sorted(data.keys() - known):
        raise ReportError(f"{place}: unknown fields {', '.join(unknown)}: collect the run again with this version")
    try:
        whole = json.dumps({**data, "schema": SCHEMA}, ensure_ascii=False)
        record = _adapter().validate_json(HALF_PAIR.sub(lambda half: rf"\\u{ord(half[0]):04x}", whole))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise ReportError(
            f"{place}: not a run record ({where} is {first['input']!r:.60}: {first['msg']}): collect the run again"
        ) from None
    _check_values(record, place)
    check_questions(record.questions, place)
    return record


@cache
def _adapter() -> TypeAdapter[RunRecord]:
    from pydantic import TypeAdapter

    return TypeAdapter(RunRecord)


def _check_schema(data: Any, place: str) -> None:
    found = f"schema {data.get('schema')!r}" if isinstance(data, dict) else f"a JSON {type(data).__name__}"
    schema = data.get("schema") if isinstance(data, dict) else None
    if isinstance(schema, int) and schema > SCHEMA:
        raise ReportError(
            f"{place}: {found}, but this version reads up to schema {SCHEMA}: update lm-eval-s1, or run s1-report "
            "collect on the logs"
        )
    if schema not in READABLE:
        raise ReportError(
            f"{place}: {found}, expected a run record of schema {SCHEMA}: run s1-report collect on the logs"
        )


def _check_values(record: RunRecord, place: str) -> None:
    waits = record.budget.get(NUM_WAITS, 0)
    if not isinstance(waits, int):
        raise ReportError(
            f"{place}: not a run record ({NUM_WAITS} is {waits!r}, expected a whole number): collect the run again"
        )
    if not record.questions and "accuracy" not in record.scores:
        raise ReportError(f"{place}: not a run record (neither questions nor an accuracy): collect the run again")


def _refuse_constant(name: str) -> float:
    raise ValueError(f"the number {name}")


def check_questions(questions: Sequence[Question], place: str) -> None:
    """Raises ReportError when a question occurs twice or a value is not a score from 0 to 1."""
    seen: set[str] = set()
    for question in questions:
        if question.key in seen:
            raise ReportError(
                f"{place}: the question {question.key} occurs twice, so runs cannot be paired: remove the duplicate "
                "document from the data set (or the second copy from the file)"
            )
        seen.add(question.key)
        if not question.correct or not all(0.0 <= value <= 1.0 for value in question.correct):
            raise ReportError(
                f"{place}: question {question.key} has the scores {list(question.correct)}, expected one number from "
                "0 to 1 per repeat: choose a metric between 0 and 1 with --metric, or run the evaluation again"
            )


def load(path: Path) -> RunRecord:
    """The record in a file. Raises ReportError."""
    return from_json(read_text(path), str(path))
