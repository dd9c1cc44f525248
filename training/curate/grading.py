"""Is this text a right answer to the question? By our answer checker; by a model where it cannot tell, if wanted.

The checker needs a final answer to compare with; a source that gives a proof or a program only is left ungraded, unless
a model grades it from the whole solution. That model's last line must be Yes or No; anything else is asked for again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tqdm import tqdm

from s1_tasks.answers import BrokenReference, Kind, check_reference, extract, judge_many
from training.curate.chat import Answer, Endpoint, Unusable, ask_all

When = Literal["never", "ungradable", "always"]
"""When a model grades: never, only what the checker has no reference for, or everything."""

INSTRUCTIONS = (
    "You are given an exam question, its correct solution and a student's attempt. Decide whether the attempt's final "
    "answer is correct: it must mean the same as the solution's, in whatever form. A proof is correct when every step "
    "that carries it is. Give your reason in a few sentences. End with a line that holds Yes or No and nothing else."
)
_SEVERAL_CHOICES = re.compile(r"(?!.*(.).*\1)[A-D]{2,4}")
_BETWEEN_CHOICES = re.compile(r"\\[a-z]+|\b(?:and|or|options?|choices?)\b|[\s,;.&(){}\[\]$*]", re.IGNORECASE)
_JUDGED_AT_A_TIME = 500  # texts, between two updates of the progress bar


@dataclass(frozen=True, slots=True)
class Script:
    """A text to grade. key: its own, also in the journal. reference: the gold final answer, None when there is none."""

    key: str
    question: str
    text: str
    reference: str | None
    solution: str | None
    kind: Kind = "math"


Grade = Callable[[Sequence[Script]], tuple[dict[str, bool | None], dict[str, Any]]]
"""Of scripts: for each key right, wrong, or None when nobody can tell; and figures for the manifest."""


def grade_by_checker(scripts: Sequence[Script], workers: int = 2) -> tuple[dict[str, bool | None], dict[str, Any]]:
    """Grades by `s1_tasks.answers`; None where there is no readable reference answer.

    Several letters, as of JEEBench's questions with more than one right choice, are compared as a set.
    """
    grades: dict[str, bool | None] = {script.key: None for script in scripts}
    by_kind: dict[Kind, list[Script]] = {}
    for script in scripts:
        if is_gradable(script.reference, script.kind):
            by_kind.setdefault(script.kind, []).append(script)
    with tqdm(total=sum(map(len, by_kind.values())), desc="Grading", unit="answer") as bar:
        for kind, alike in by_kind.items():
            for start in range(0, len(alike), _JUDGED_AT_A_TIME):
                part = alike[start : start + _JUDGED_AT_A_TIME]
                pairs = [(script.text, script.reference or "") for script in part]
                verdicts = judge_many(pairs, kind=kind, workers=workers)
                for script, verdict in zip(part, verdicts, strict=True):
                    grades[script.key] = verdict.correct or same_choices(script.text, script.reference or "")
                bar.update(len(part))
    return grades, {"graded_by": "checker"}


def same_choices(text: str, reference: str) -> bool:
    """Whether the reference is several of the letters A to D, and the text's answer holds the same ones, only them."""
    found = extract(text, "math")
    if found is None or not _SEVERAL_CHOICES.fullmatch(reference):
        return False
    letters = _BETWEEN_CHOICES.sub("", found.answer)
    return set(letters) == set(reference) and len(letters) == len(reference)


def is_gradable(reference: str | None, kind: Kind) -> bool:
    """Whether the checker can read this reference answer."""
    try:
        check_reference(reference or "", kind)
    except BrokenReference:
        return False
    return True


def grader(model: Endpoint | None, when: When, journal: Path) -> Grade:
    """The grading that a configuration asks for."""
    if model is None or when == "never":
        return grade_by_checker

    def grade(scripts: Sequence[Script]) -> tuple[dict[str, bool | None], dict[str, Any]]:
        grades: dict[str, bool | None] = dict.fromkeys((script.key for script in scripts), None)
        if when == "ungradable":
            grades, _ = grade_by_checker(scripts)
        asked = {script.key: _question(script) for script in scripts if grades[script.key] is None and script.solution}
        outcomes, usage = ask_all(model, asked, read_grade, journal, "Grading by a model") if asked else ({}, None)
        grades |= {key: one.value["correct"] for key, one in outcomes.items() if one.value is not None}
        return grades, {"graded_by": f"{when}: {model.model}", **(vars(usage) if usage else {})}

    return grade


def read_grade(answer: Answer) -> dict[str, Any]:
    """{"correct": bool} of a reply. Raises Unusable unless its last line is Yes or No."""
    lines = [line.strip(" \t*_.#`") for line in answer.text.splitlines() if line.strip()]
    word = lines[-1].lower() if lines else ""
    if word not in ("yes", "no"):
        raise Unusable(f"the last line is neither Yes nor No: {word[:80]!r}", "End with a line that holds Yes or No.")
    return {"correct": word == "yes"}


def _question(script: Script) -> list[dict[str, str]]:
    parts = (("Question", script.question), ("Correct solution", script.solution), ("Attempt", script.text))
    return [
        {"role": "system", "content": INSTRUCTIONS},
        {"role": "user", "content": "\n\n".join(f"# {title}\n\n{text}" for title, text in parts)},
    ]
