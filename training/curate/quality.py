"""Stages 4 and 5, complete and format: rows that have all that training needs, questions that are plain text.

Each rule has a name and says what it saw. The order is the order of the checks; a row is rejected by the first rule
that it breaks. The format rules are those of s1's filter (its notebook `filter.ipynb`), each on its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from s1_models.formats import S1, Format
from training.curate.stage import Result, Row, reject

Rule = Callable[[Row], str | None]
"""Of a row: what breaks the rule, or None."""

_NUMBERED_PART = re.compile(r"p[1-9]\d{0,2}\.")
_BOLD_NUMBER = re.compile(r"\*\*(?=.*\d)[^\s\]]*\*\*")


def _no_trace(row: Row) -> str | None:
    return None if row.get("thinking") is not None else str(row.get("trace_error") or "no trace was asked for")


def _no_thinking(row: Row) -> str | None:
    return None if row["thinking"].strip() else "the teacher wrote an answer only"


def _no_answer(row: Row) -> str | None:
    return None if (row.get("answer") or "").strip() else "the teacher wrote thinking only"


def _no_solution(row: Row) -> str | None:
    return None if row.get("solution") or row.get("reference") else "the source has neither solution nor answer"


def _no_length(row: Row) -> str | None:
    return None if row.get("length") else "the trace was not counted"


def _figure(row: Row) -> str | None:
    # AIME's figures are drawn in code that a model can read, and s1 keeps them.
    return "[asy]" if "[asy]" in row["question"] and row.get("source") != "AIME" else None


def _image(row: Row) -> str | None:
    return "![Image]" if "![Image]" in row["question"] else None


def _several_parts(row: Row) -> str | None:
    found = _NUMBERED_PART.search(row["question"])
    return found[0] if found else None


def _bold_number(row: Row) -> str | None:
    found = _BOLD_NUMBER.search(row["question"])
    return found[0][:80] if found else None


COMPLETE: Mapping[str, Rule] = {
    "no trace (API error)": _no_trace,
    "empty thinking": _no_thinking,
    "empty answer": _no_answer,
    "no solution": _no_solution,
    "no length": _no_length,
}
FORMAT: Mapping[str, Rule] = {
    "figure in code": _figure,
    "image": _image,
    "several parts (p1., p2., ...)": _several_parts,
    "number in bold": _bold_number,
}


def filter_rows(rows: Sequence[Row], rules: Mapping[str, Rule]) -> Result:
    """Keeps the rows that break no rule."""
    kept, rejected = [], []
    for row in rows:
        broken = ((name, seen) for name, rule in rules.items() if (seen := rule(row)) is not None)
        name, seen = next(broken, (None, ""))
        if name is None:
            kept.append(row)
        else:
            rejected.append(reject(row, name, seen))
    return Result(kept, rejected)


def complete(rows: Sequence[Row]) -> Result:
    """Rows with thinking, answer and something to grade it by."""
    return filter_rows(rows, COMPLETE)


def well_formed(rows: Sequence[Row], form: Format = S1) -> Result:
    """Rows whose question is plain text and whose texts hold none of the delimiters that training adds."""
    marks = tuple(mark for mark in (form.start, form.end, *form.stops, *form.answer_stops) if mark.strip())

    def delimiter(row: Row) -> str | None:
        texts = (row["question"], row.get("thinking") or "", row.get("answer") or "")
        return next((mark for mark in marks if any(mark in text for text in texts)), None)

    return filter_rows(rows, {**FORMAT, "delimiter in a text": delimiter})
