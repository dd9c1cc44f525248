"""Rows of one's own as stage 1: a file with our columns, or with those of simplescaling/s1K and s1K-1.1.

What a row brings (thinking and answer, domain, graded attempts) is kept, and the stage that would make it passes it by:
a run can start from data that somebody else's teacher wrote, or repeat a selection without any model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from training.curate.sources import SOURCES
from training.curate.stage import CurationError, Rejection, Result, Row, question_id, reject
from training.render import texts_of

_COLUMNS = ("solution", "reference", "kind", "source", "source_type", "cot_type", "metadata")
_GIVEN = ("length", "domain", "domain_code", "attempts", "teacher_correct")


def take_rows(raw: Sequence[Mapping[str, Any]], place: str) -> Result:
    """Rows in our shape, exact duplicates once. Raises CurationError, naming `place`, where a row has no question."""
    first: dict[str, Row] = {}
    rejected: list[Rejection] = []
    for number, given in enumerate(raw):
        row = _shape(given, f"{place}, row {number}")
        if row["id"] in first:
            rejected.append(reject(row, "the same question again"))
        else:
            first[row["id"]] = row
    if not first:
        raise CurationError(f"{place} has no rows")
    return Result(list(first.values()), rejected, {"sources": {place: {"read": len(raw), "collected": len(first)}}})


def _shape(given: Mapping[str, Any], where: str) -> Row:
    question = given.get("question")
    if not isinstance(question, str) or not question.strip():
        raise CurationError(f"{where}: column 'question' is {question!r}; expected text")
    _, thinking, answer = texts_of(given)
    row: Row = {"id": question_id(question), "question": question, **{name: given.get(name) for name in _COLUMNS}}
    row["kind"] = row["kind"] or "math"
    row["source"] = row["source"] or _source_of(str(given.get("source_type") or ""))
    if thinking:
        row |= {"thinking": thinking, "answer": answer}
    return row | {name: given[name] for name in _GIVEN if given.get(name) is not None}


def _source_of(source_type: str) -> str:
    """The name of the source that s1's `source_type` begins with."""
    return next((source.name for source in SOURCES if source_type.startswith(source.hub)), source_type)
