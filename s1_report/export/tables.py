"""CSV and Markdown tables of records."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from s1_contract.options import MAX_THINKING_TOKENS, NUM_WAITS
from s1_contract.printing import show
from s1_contract.usage import THINKING_TOKENS, USAGE_FIELDS
from s1_report import stats, truncation
from s1_report.export.claims import FILE, HUB, about_rows
from s1_report.record import RunRecord, shown

COLUMNS = (
    "kind", "model", "task", "metric", "filter", NUM_WAITS, MAX_THINKING_TOKENS, "settings", "questions", "of",
    "repeats", "accuracy", "low", "high", "cut_share", "finished_accuracy", "upper_bound", *USAGE_FIELDS, "rows",
    "date", "source",
)  # fmt: skip


def values(record: RunRecord) -> dict[str, str | int | float | None]:
    """The COLUMNS of a record; accuracy and its 95 % interval from 0 to 1, None for what is not known.

    A published accuracy gets the interval of one repeat over its questions.
    """
    count = _count(record)
    interval = _interval(record, count)
    return {
        "kind": record.kind,
        "model": record.model,
        "task": record.task,
        "metric": record.metric,
        "filter": record.filter or None,
        NUM_WAITS: record.num_waits,
        MAX_THINKING_TOKENS: record.max_thinking_tokens,
        "settings": _settings(record),
        "questions": count or None,
        "of": record.available,
        "repeats": record.repeats or None,
        "accuracy": round(record.accuracy, 6),
        "low": interval and round(interval.low, 6),
        "high": interval and round(interval.high, 6),
        **_cut(record),
        **{name: record.mean_of(name) for name in USAGE_FIELDS},
        "rows": record.rows.get(FILE) or record.rows.get(HUB),
        "date": record.environment.get("date"),
        "source": record.source or None,
    }


def _count(record: RunRecord) -> int:
    return len(record.questions) or int(record.scores.get("questions", 0))


def _interval(record: RunRecord, count: int) -> stats.Interval | None:
    if record.questions:
        return stats.accuracy_interval([question.correct for question in record.questions])
    return stats.wilson(record.accuracy * count, count) if count else None


def _settings(record: RunRecord) -> str | None:
    """The settings that have no column of their own."""
    others = [f"{name}={shown(value)}" for name, value in record.setting().items() if name not in COLUMNS]
    return ", ".join(others) or None


def _cut(record: RunRecord) -> dict[str, float | None]:
    cut = truncation.truncation(record)
    if cut is None:
        return dict.fromkeys(("cut_share", "finished_accuracy", "upper_bound"))
    finished = None if cut.finished is None else round(cut.finished, 6)
    return {"cut_share": round(cut.share, 6), "finished_accuracy": finished, "upper_bound": round(cut.high, 6)}


def as_csv(records: Sequence[RunRecord]) -> str:
    """One line per record, COLUMNS as the header."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for record in records:
        row = values(record)
        writer.writerow({name: show(value, "csv") if isinstance(value, str) else value for name, value in row.items()})
    return text.getvalue()


def as_markdown(records: Sequence[RunRecord]) -> str:
    """A Markdown table, accuracies in percent."""
    headers = ["model", "task", "waits", "questions", "accuracy", "95 % interval", "thinking tokens"]
    headers += [*truncation.HEADERS, "source"]
    return markdown_table(headers, [_row(record, values(record)) for record in records])


def _row(record: RunRecord, row: dict[str, str | int | float | None]) -> list[str]:
    repeats = f" x {row['repeats']}" if row["repeats"] not in (None, 1) else ""
    of = f" of {record.available}" if record.is_part else ""
    tokens = row[THINKING_TOKENS]
    return [
        str(row["model"]),
        record.title,
        _text(row[NUM_WAITS]),
        f"{_text(row['questions'])}{of}{repeats}",
        _percent(row["accuracy"]),
        "-" if row["low"] is None else f"{_percent(row['low'])} to {_percent(row['high'])}",
        "-" if tokens is None else f"{float(tokens):,.0f}",
        *truncation.cells(record),
        str(row["source"] or "; ".join(filter(None, [_measured(row), about_rows(record)]))),
    ]


def _measured(row: dict[str, str | int | float | None]) -> str:
    return f"measured {str(row['date'] or '')[:10]}".strip()


def _text(value: object) -> str:
    return "-" if value is None else str(value)


def _percent(value: object) -> str:
    return f"{100 * float(str(value)):.1f}"


def markdown_table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; what means something to Markdown is escaped in its cells."""
    lines = [headers, ["---"] * len(headers), *rows]
    return "".join("| " + " | ".join(show(cell, "markdown") for cell in line) + " |\n" for line in lines)
