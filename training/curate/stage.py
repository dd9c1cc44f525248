"""What a stage is: rows in, rows and rejections out. Rows are plain dicts; a stage never changes the ones it was given.

| column | since | what |
| --- | --- | --- |
| id | collect | first 16 hex digits of the SHA-256 of the question, as in s1 |
| question, solution, reference | collect | texts; `reference` is the gold final answer alone, or None |
| kind | collect | how answers are judged: math, integer or choice |
| source, source_type, cot_type, metadata | collect | the source's name here and in s1; the rest of its row as JSON |
| thinking, answer, length | traces | the teacher's two texts; tokens of `thinking` |
| trace_error | traces | why there is no trace; None when there is one |
| domain | domain | title of an MSC subject |
| attempts, teacher_correct | difficulty | the reference models' graded answers; whether the teacher's was right |
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from s1_contract.errors import DataError

Row = dict[str, Any]


class CurationError(DataError):
    """Something the user can mend; the message says what came, what was expected and what to do."""


@dataclass(frozen=True, slots=True)
class Rejection:
    """A row that went no further: which, by which rule of the stage, and what exactly the rule saw."""

    id: str
    rule: str
    detail: str = ""
    source: str = ""


@dataclass(frozen=True)
class Result:
    """What a stage made: rows that go on, rows that do not, and figures for the manifest (JSON values)."""

    rows: list[Row]
    rejected: list[Rejection] = field(default_factory=list)
    figures: Mapping[str, Any] = field(default_factory=dict)

    def rules(self) -> dict[str, int]:
        """How many rows each rule rejected, most first."""
        return dict(Counter(one.rule for one in self.rejected).most_common())


def question_id(question: str) -> str:
    """The id of a question: 16 hex digits that depend on its text alone."""
    return hashlib.sha256(question.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def reject(row: Mapping[str, Any], rule: str, detail: str = "") -> Rejection:
    return Rejection(str(row["id"]), rule, detail, str(row.get("source", "")))


def added_columns(before: Sequence[Row], after: Sequence[Row]) -> list[Row]:
    """What a stage added to each row that it kept, with the row's id; the rows themselves when they are new.

    Raises ValueError when a stage changed or removed a column: stages may only add.
    """
    known = {row["id"]: row for row in before}
    added = []
    for row in after:
        old = known.get(row["id"], {})
        changed = [name for name, value in old.items() if name not in row or row[name] != value]
        if changed:
            raise ValueError(f"row {row['id']}: the stage changed {', '.join(changed)}; stages only add columns")
        added.append({"id": row["id"], **{name: value for name, value in row.items() if name not in old}})
    return added
