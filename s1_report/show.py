"""Everything a record says about one run, for people: `s1-report show`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from s1_contract.outcomes import Outcome
from s1_contract.usage import USAGE_FIELDS
from s1_report import stats, summary, truncation
from s1_report.cells import UNKNOWN, cell, percent, percent_interval
from s1_report.record import RunRecord, shown

HEADERS = ("what", "value")


def rows(record: RunRecord, around: Mapping[str, str]) -> list[tuple[str, str]]:
    """(what, value) for everything that is known. around: the texts before and after the question, where logs tell."""
    parts = (_identity(record), _settings(record), _question_texts(record, around), _questions(record), _scores(record))
    return [row for part in (*parts, _environment(record)) for row in part if row[1] not in ("", "None", UNKNOWN)]


def _identity(record: RunRecord) -> Iterator[tuple[str, str]]:
    yield "model", record.model
    yield "engine", record.engine
    yield from _named("identity", record.identity)


def _settings(record: RunRecord) -> Iterator[tuple[str, str]]:
    fields = ("budget", "sampling", "prompting", "model_args")
    yield from (row for name in fields for row in _named(f"{name}, as asked", getattr(record, name)))
    resolved = {name: value for name, value in record.resolved.items() if name != "around"}
    yield from _named("resolved", resolved)
    yield "seed", str(record.environment.get("seed"))


def _question_texts(record: RunRecord, around: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for name, text in around.items():
        yield f"text {name} the question", shown(text)
    if not around:
        yield from _named("hash of the text around the question", record.resolved.get("around") or {})
    yield "hash of template and instruction", record.template


def _questions(record: RunRecord) -> Iterator[tuple[str, str]]:
    yield "task", record.title + (f", version {record.task_version}" if record.task_version else "")
    yield "questions", summary.questions(record)
    yield "repeats", str(record.repeats)
    yield "hash of the questions", record.dataset_hash
    yield from _named("rows", record.rows)


def _scores(record: RunRecord) -> Iterator[tuple[str, str]]:
    yield "metric", record.metric
    yield "answer filter", record.filter or "not told"
    yield "answer check", record.checker
    yield "score", f"{100 * record.accuracy:.1f} %"
    if record.questions:
        interval = stats.accuracy_interval([question.correct for question in record.questions])
        yield "95 % interval", f"{percent_interval(interval)} %"
    yield from _outcomes(record)
    if truncation.truncation(record) is not None:
        yield from zip((f"{header} (%)" for header in truncation.HEADERS), truncation.cells(record), strict=True)
    yield from _usage(record)


def _outcomes(record: RunRecord) -> Iterator[tuple[str, str]]:
    for outcome in Outcome:
        yield f"{outcome.value} (%)", percent(record.share_of(outcome))


def _usage(record: RunRecord) -> Iterator[tuple[str, str]]:
    for name in USAGE_FIELDS:
        yield f"mean {name}", cell(record.mean_of(name), "{:,.2f}")


def _environment(record: RunRecord) -> Iterator[tuple[str, str]]:
    told = {name: value for name, value in record.environment.items() if name not in ("model_args", "seed")}
    yield from _named("", told)
    yield "source", record.source
    yield "notes", record.notes


def _named(what: str, values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in values.items():
        label = f"{what}: {name}" if what else name
        if isinstance(value, Mapping):
            yield from _named(label, value)
        else:
            yield label, shown("; ".join(map(str, value)) if isinstance(value, list) else value)
