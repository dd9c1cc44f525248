"""The one shape every run takes: `RunRecord`, frozen, written as JSON that people can read and diff.

A record holds what each question got at each repeat, so that every later statistic (paired tests, pass@k, majority,
scaling) needs the record only, never the logs it was made from.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

SCHEMA = 1


class ReportError(ValueError):
    """Something the user can mend; the message names the file, says what was found and what to do."""


@dataclass(frozen=True, slots=True)
class Question:
    """What one question got. Tuples over repeats have one item per repeat, or one for all, or none if unknown.

    key: hash of the document (16 hex digits), what questions are paired by. prompt: hash of the text that was asked.
    correct: 0 to 1. outcomes: the checker's words, such as "incorrect". answers: what votes, None without an answer.
    thinking_tokens, answer_tokens, waits_used: counts, or their mean over the repeats when there is one item for
    several repeats. cut_off: 1 when the thinking hit its limit.
    """

    key: str
    correct: tuple[float, ...]
    prompt: str = ""
    outcomes: tuple[str, ...] = ()
    answers: tuple[str | None, ...] = ()
    thinking_tokens: tuple[float, ...] = ()
    answer_tokens: tuple[float, ...] = ()
    waits_used: tuple[float, ...] = ()
    cut_off: tuple[float, ...] = ()

    @property
    def mean(self) -> float:
        """Share of the repeats that are right."""
        return sum(self.correct) / len(self.correct)


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run: a model, a task, a setting, and what came of it.

    metric: what `Question.correct` holds, in the words of the log it came from. budget: how long the model may think
    (num_waits, max_thinking_tokens, ...), as asked; sampling: temperature and the like, as asked. checker: version of
    the answer check, "" if the log does not say. template: hash of the chat template and the system instruction.
    scores: published records only, accuracy (0 to 1) and thinking_tokens (mean) by name. environment: commit, versions,
    hardware, date; contamination_report where the model's checkpoint names one.
    source: paper, table and page of a published record. notes: disagreeing sources and other warnings.
    """

    kind: Literal["measured", "published"]
    model: str
    task: str
    metric: str = "exact_match"
    task_version: str = ""
    engine: str = ""
    budget: Mapping[str, Any] = field(default_factory=dict)
    sampling: Mapping[str, Any] = field(default_factory=dict)
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
    def prompt_hash(self) -> str:
        """16 hex digits over what was asked, template included."""
        return digest([self.template, *sorted(f"{question.key} {question.prompt}" for question in self.questions)])

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
        """Mean over the questions of their mean `thinking_tokens`, `cut_off`, ...; None when any is unknown."""
        if not self.questions:
            return self.scores.get(name)
        columns = [getattr(question, name) for question in self.questions]
        if not all(columns):
            return None
        return float(sum(sum(values) / len(values) for values in columns)) / len(columns)

    @property
    def num_waits(self) -> int | None:
        """How many waits were asked for; None when the setting does not say."""
        waits = self.budget.get("num_waits")
        return None if waits is None else int(waits)

    def label(self) -> str:
        """Model, task and budget in one line."""
        budget = ", ".join(f"{name}={shown(value)}" for name, value in sorted(self.budget.items()))
        return f"{self.model} on {self.task}" + (f" ({budget})" if budget else "")


def shown(value: object) -> str:
    """A value of a setting in one line: text that does not print as it is ("\\nWait") in quotes and escaped."""
    text = str(value)
    return text if text.isprintable() else json.dumps(text)


def digest(parts: Iterable[str]) -> str:
    """16 hex digits of SHA-256 over the parts in order."""
    return hashlib.sha256("\n".join(parts).encode("utf-8", errors="surrogatepass")).hexdigest()[:16]


def to_json(record: RunRecord) -> str:
    """The record as JSON text, one line per question."""
    head = asdict(record)
    head.pop("questions")
    lines = [json.dumps(_question_row(question), ensure_ascii=False, allow_nan=False) for question in record.questions]
    body = json.dumps(
        {"schema": head.pop("schema"), **head}, indent=1, ensure_ascii=False, allow_nan=False, default=str
    )
    rows = "[\n  " + ",\n  ".join(lines) + "\n ]" if lines else "[]"
    return body.removesuffix("\n}") + f',\n "questions": {rows}\n}}\n'


def _question_row(question: Question) -> dict[str, Any]:
    return {name: value for name, value in asdict(question).items() if value not in ((), "")}


def from_json(text: str, place: str) -> RunRecord:
    """A record from JSON text. Raises ReportError that starts with `place` (a file name)."""
    try:
        data = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise ReportError(f"{place}: not a run record, its JSON is damaged ({error}): collect the run again") from None
    if not isinstance(data, dict) or data.get("schema") != SCHEMA:
        found = f"schema {data.get('schema')!r}" if isinstance(data, dict) else f"a JSON {type(data).__name__}"
        raise ReportError(
            f"{place}: {found}, expected a run record of schema {SCHEMA}: run s1-report collect on the logs"
        )
    unknown = sorted(data.keys() - {item.name for item in fields(RunRecord)})
    if unknown:
        raise ReportError(f"{place}: unknown fields {', '.join(unknown)}: collect the run again with this version")
    try:
        questions = tuple(_question(row) for row in data.pop("questions", ()))
        record = RunRecord(**data, questions=questions)
        _check_types(record)
    except (TypeError, ValueError, AttributeError) as error:
        raise ReportError(f"{place}: not a run record ({error}): collect the run again") from None
    check_questions(record.questions, place)
    return record


def _question(row: Mapping[str, Any]) -> Question:
    values: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in row.items()}
    return Question(**values)


def _check_types(record: RunRecord) -> None:
    """Raises TypeError or ValueError for what the annotations of `RunRecord` and `Question` do not allow."""
    if record.kind not in ("measured", "published"):
        raise ValueError(f"its kind is {record.kind!r}, expected measured or published")
    for name in ("model", "task", "metric", "checker", "template", "source", "notes"):
        if not isinstance(getattr(record, name), str):
            raise TypeError(f"its {name} is {getattr(record, name)!r}, expected text")
    for name in ("budget", "sampling", "scores", "environment"):
        if not isinstance(getattr(record, name), dict):
            raise TypeError(f"its {name} is {getattr(record, name)!r}, expected an object")
    if not isinstance(record.budget.get("num_waits", 0), int):
        raise TypeError(f"its num_waits is {record.budget['num_waits']!r}, expected a whole number")
    if not record.questions and not is_number(record.scores.get("accuracy")):
        raise ValueError("it has neither questions nor an accuracy")
    for question in record.questions:
        if not isinstance(question.key, str):
            raise TypeError(f"the key {question.key!r} of a question, expected text")
        for name in ("correct", "thinking_tokens", "answer_tokens", "waits_used", "cut_off"):
            values = getattr(question, name)
            if not isinstance(values, tuple) or not all(map(is_number, values)):
                raise TypeError(f"{name} of question {question.key} is {values!r}, expected a list of numbers")


def is_number(value: object) -> bool:
    """Whether a value read from JSON is a finite number."""
    return isinstance(value, int | float) and math.isfinite(value)


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


def read_text(path: Path) -> str:
    """The text of a file. Raises ReportError when it cannot be read."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ReportError(f"{path}: cannot be read ({error.strerror}): check the path") from None
    except UnicodeDecodeError as error:
        raise ReportError(f"{path}: byte {error.start} is not UTF-8, the file is damaged: run it again") from None


def write_text(path: Path, text: str) -> None:
    """Writes a file whole or not at all; half a surrogate pair is written as JSON escapes it. Raises ReportError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".s1-report.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(encoded(text))
            Path(name).chmod(0o644)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise ReportError(f"{path}: cannot be written ({error.strerror}): name another file") from None


def encoded(text: str) -> bytes:
    """The bytes `write_text` writes."""
    return text.encode("utf-8", errors="backslashreplace")
