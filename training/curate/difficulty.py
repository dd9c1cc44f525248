"""Stage 7, difficulty: questions that neither reference model answers right stay.

Also grades the teacher's answer, which the selection's inclusion rules ask for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from training.curate.grading import Grade, Script
from training.curate.references import Attempt, Opener, Reference, attempt_all, started
from training.curate.stage import Rejection, Result, Row, reject

TEACHER = "teacher"


def gather_attempts(
    rows: Sequence[Row], references: Sequence[Reference], memo: Path | None, opener: Opener = started
) -> dict[str, dict[str, Attempt]]:
    """{reference: {row id: attempt}}; one model after another, so that one at a time needs memory."""
    attempts = {}
    for reference in references:
        with opener(reference) as lm:
            attempts[reference.name] = attempt_all(lm, reference, rows, memo)
    return attempts


def keep_difficult(rows: Sequence[Row], attempts: Mapping[str, Mapping[str, Attempt]], grade: Grade) -> Result:
    """Rows that no reference model solved, with `attempts` and `teacher_correct`; ungradable ones are rejected.

    Rows that bring `attempts` ({model: {"correct": bool, ...}}) and `teacher_correct` are not graded again.
    """
    scripts = _scripts([row for row in rows if row.get("attempts") is None], attempts)
    grades, figures = grade(scripts) if scripts else ({}, {"graded_by": "given"})
    kept: list[Row] = []
    rejected: list[Rejection] = []
    solved: Counter[str] = Counter()
    for row in rows:
        graded = row if row.get("attempts") is not None else {**row, **_graded(row, attempts, grades)}
        correct = {name: one["correct"] for name, one in graded["attempts"].items()}
        solved.update({name: int(bool(right)) for name, right in correct.items()})
        rejection = _too_easy(row, correct)
        if rejection is None:
            kept.append(graded)
        else:
            rejected.append(rejection)
    teacher_right = sum(bool(row.get("teacher_correct")) for row in kept)
    return Result(kept, rejected, {**figures, "solved": dict(solved), "kept_with_a_right_teacher": teacher_right})


def _scripts(rows: Sequence[Row], attempts: Mapping[str, Mapping[str, Attempt]]) -> list[Script]:
    """What has to be graded of each row: every model's attempt, then the teacher's answer."""
    tried = [_script(row, name, attempts[name][row["id"]].text) for row in rows for name in attempts]
    return tried + [_script(row, TEACHER, row.get("answer") or "") for row in rows]


def _too_easy(row: Row, correct: Mapping[str, bool | None]) -> Rejection | None:
    """Why a row does not stay: a model solved it, or nobody can say."""
    if not correct or None in correct.values():
        return reject(row, "no reference answer to grade by", str(row.get("source_type", "")))
    winners = [name for name, right in correct.items() if right]
    return reject(row, f"solved by {' and '.join(winners)}") if winners else None


def _script(row: Row, name: str, text: str) -> Script:
    return Script(
        f"{row['id']} {name}", row["question"], text, row.get("reference"), row.get("solution"), row.get("kind", "math")
    )


def _graded(
    row: Row, attempts: Mapping[str, Mapping[str, Attempt]], grades: Mapping[str, bool | None]
) -> dict[str, Any]:
    return {
        "attempts": {
            name: {
                "correct": grades[f"{row['id']} {name}"],
                "tokens": of_rows[row["id"]].tokens,
                "cut_off": of_rows[row["id"]].cut_off,
            }
            for name, of_rows in attempts.items()
        },
        "teacher_correct": grades[f"{row['id']} {TEACHER}"],
    }
