"""CSV and Markdown tables of records."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from s1_report import stats
from s1_report.record import RunRecord

COLUMNS = (
    "kind", "model", "task", "num_waits", "max_thinking_tokens", "questions", "repeats", "accuracy", "low", "high",
    "thinking_tokens", "waits_used", "cut_off", "date", "source",
)  # fmt: skip


def values(record: RunRecord) -> dict[str, str | int | float | None]:
    """The COLUMNS of a record; accuracy and its 95 % interval from 0 to 1, None for what is not known.

    A published accuracy gets the interval of one repeat over its questions.
    """
    count = len(record.questions) or int(record.scores.get("questions", 0))
    interval = None
    if record.questions:
        interval = stats.accuracy_interval([question.correct for question in record.questions])
    elif count:
        interval = stats.wilson(record.accuracy * count, count)
    return {
        "kind": record.kind,
        "model": record.model,
        "task": record.task,
        "num_waits": record.num_waits,
        "max_thinking_tokens": record.budget.get("max_thinking_tokens"),
        "questions": count or None,
        "repeats": record.repeats or None,
        "accuracy": round(record.accuracy, 6),
        "low": None if interval is None else round(interval.low, 6),
        "high": None if interval is None else round(interval.high, 6),
        "thinking_tokens": record.mean_of("thinking_tokens"),
        "waits_used": record.mean_of("waits_used"),
        "cut_off": record.mean_of("cut_off"),
        "date": record.environment.get("date"),
        "source": record.source or None,
    }


def as_csv(records: Sequence[RunRecord]) -> str:
    """One line per record, COLUMNS as the header."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(values(record) for record in records)
    return text.getvalue()


def as_markdown(records: Sequence[RunRecord]) -> str:
    """A Markdown table, accuracies in percent."""
    headers = ["model", "task", "waits", "questions", "accuracy", "95 % interval", "thinking tokens", "source"]
    return markdown_table(headers, [_row(values(record)) for record in records])


def _row(row: dict[str, str | int | float | None]) -> list[str]:
    repeats = f" x {row['repeats']}" if row["repeats"] not in (None, 1) else ""
    tokens = row["thinking_tokens"]
    return [
        str(row["model"]),
        str(row["task"]),
        _text(row["num_waits"]),
        f"{_text(row['questions'])}{repeats}",
        _percent(row["accuracy"]),
        "-" if row["low"] is None else f"{_percent(row['low'])} to {_percent(row['high'])}",
        "-" if tokens is None else f"{float(tokens):,.0f}",
        str(row["source"] or f"measured {str(row['date'] or '')[:10]}".strip()),
    ]


def _text(value: object) -> str:
    return "-" if value is None else str(value)


def _percent(value: object) -> str:
    return f"{100 * float(str(value)):.1f}"


def markdown_table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; bars inside cells are escaped."""
    lines = [headers, ["---"] * len(headers), *rows]
    return "".join(
        "| " + " | ".join(" ".join(cell.split()).replace("|", "\\|") for cell in line) + " |\n" for line in lines
    )
