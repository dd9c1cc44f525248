"""The answer check again, over stored samples: no model, no GPU, nothing generated.

`s1_report` does not import the answer checkers (docs/decisions/0021): a checker is a command that reads JSON lines
`{"text": ..., "reference": ..., "kind": ..., "answer_start": ...}` from standard input and writes, in the same order,
JSON lines `{"outcome": "correct" | ..., "answer": ..., "version": ...}`; that way any version of any checker can be
compared. answer_start is where the answer begins in the text, null where the run's traces do not say.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from s1_contract.outcomes import Outcome
from s1_contract.places import ANSWER_START
from s1_report.collect import Run
from s1_report.record import ReportError
from s1_report.samples import is_right, responses_of, verdicts_of
from s1_report.stats import wilson

OURS = """
import json, sys
from s1_contract.response import Response
from s1_tasks.answers import CHECKER_VERSION, BrokenReference, check_reference, judge_many
rows = [json.loads(line) for line in sys.stdin]
def pair(row):
    return Response(row["text"], answer_start=row["answer_start"]), row["reference"]
def readable(row):
    try:
        check_reference(row["reference"], kind=row["kind"])
    except BrokenReference:
        return False
    return True
for kind in sorted({row["kind"] for row in rows}):
    chosen = [row for row in rows if row["kind"] == kind and readable(row)]
    for row, verdict in zip(chosen, judge_many(map(pair, chosen), kind=kind)):
        row["found"] = {"outcome": verdict.outcome.value, "answer": verdict.answer}
for row in rows:
    found = row.get("found", {"outcome": "reference not readable", "answer": None})
    print(json.dumps({**found, "version": CHECKER_VERSION}))
"""
MATH_VERIFY = """
import json, sys
from importlib.metadata import version
from math_verify import parse, verify
from s1_contract.outcomes import Outcome
for line in sys.stdin:
    row = json.loads(line)
    found = parse(row["text"])
    right = verify(parse("$" + row["reference"] + "$"), found)
    outcome = Outcome.CORRECT if right else Outcome.INCORRECT if found else Outcome.NO_ANSWER
    answer = str(found[-1]) if found else None
    print(json.dumps({"outcome": outcome.value, "answer": answer, "version": version("math-verify")}))
"""
PLAIN = "plain string match"
LOGGED = "as logged"
BOX = re.compile(r"\\boxed\{((?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*)\}")
FINAL = re.compile(r"answer\s*(?:is\b\s*:?|:)\s*([^\n]+)", re.IGNORECASE)
TIMEOUT_SECONDS = 3600.0

Checkers = Mapping[str, Sequence[str] | None]
"""Name -> command; None is the plain match, which needs no command."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One stored answer and, by checker, whether it is right."""

    doc_id: str
    repeat: int
    reference: str
    logged: bool
    logged_answer: str | None
    verdicts: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Rescored:
    """All answers of a run, judged by every checker."""

    task: str
    answers: tuple[Answer, ...]
    checkers: tuple[str, ...]


def checkers_of(extra: Sequence[str]) -> Checkers:
    """Ours, Math-Verify where it is installed, the plain match, and NAME=COMMAND from the command line."""
    found: dict[str, Sequence[str] | None] = {}
    if find_spec("s1_tasks") is not None:
        found["s1_tasks"] = [sys.executable, "-c", OURS]
    if find_spec("math_verify") is not None:
        found["Math-Verify"] = [sys.executable, "-c", MATH_VERIFY]
    found[PLAIN] = None
    for text in extra:
        name, _, command = text.partition("=")
        if not name or not command:
            raise ReportError(f"--checker {text}: expected NAME=COMMAND, such as old='/venv/bin/python judge.py'")
        found[name] = ["/bin/sh", "-c", command]
    return found


def rescore_run(run: Run, checkers: Checkers) -> Rescored:
    """Every answer of the run's samples under every checker. Raises ReportError when a checker fails."""
    items: list[dict[str, Any]] = []
    logged: list[tuple[str, int, Mapping[str, Any]]] = []
    traces = run.traces(spans=False)
    for number, row in run.rows():
        try:
            for repeat, (verdict, item) in enumerate(_items(row, traces.get(row.get("doc_id"), []), run.record.metric)):
                items.append(item)
                logged.append((str(row.get("doc_id")), repeat, verdict))
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise ReportError(f"{run.samples}, line {number}: not a sample of lm_eval ({error!r})") from None
    judged = {name: _judge(name, command, items) for name, command in checkers.items()}
    answers = []
    for index, (doc_id, repeat, verdict) in enumerate(logged):
        found = {name: verdicts[index] for name, verdicts in judged.items()}
        reference, right = items[index]["reference"], is_right(verdict)
        answers.append(Answer(doc_id, repeat, reference, right, verdict.get("answer"), found))
    return Rescored(run.record.title, tuple(answers), tuple(judged))


def _items(
    row: Mapping[str, Any], traces: Sequence[Mapping[str, Any]], metric: str
) -> Iterator[tuple[Mapping[str, Any], dict[str, Any]]]:
    """(logged verdict, what a checker is given) of every repeat of a sample."""
    document = row.get("doc")
    kind = str((document.get("answer_kind") if isinstance(document, dict) else None) or "math")
    right = Outcome.CORRECT if row.get(metric) == 1 else Outcome.INCORRECT
    texts = responses_of(row)
    for repeat, verdict in enumerate(verdicts_of(row) or [{"outcome": right.value}]):
        start = traces[repeat].get(ANSWER_START) if repeat < len(traces) else None
        item = {"text": texts[repeat], "reference": str(row["target"]), "kind": kind, ANSWER_START: start}
        yield verdict, item


def _judge(name: str, command: Sequence[str] | None, items: Sequence[Mapping[str, str]]) -> list[dict[str, Any]]:
    if command is None:
        return [plain_match(item["text"], item["reference"]) for item in items]
    verdicts = _parsed(name, _run(name, command, "".join(json.dumps(item) + "\n" for item in items)))
    if len(verdicts) != len(items) or not all(map(_is_verdict, verdicts)):
        raise ReportError(f"checker {name}: wrote {len(verdicts)} verdicts for {len(items)} answers")
    return verdicts


def _parsed(name: str, written: str) -> list[Any]:
    try:
        return [json.loads(line) for line in written.splitlines() if line.strip()]
    except (ValueError, RecursionError) as error:
        raise ReportError(f"checker {name}: wrote something that is no JSON line ({error})") from None


def _is_verdict(value: object) -> bool:
    return isinstance(value, dict) and "outcome" in value


def _run(name: str, command: Sequence[str], lines: str) -> str:
    """What a checker writes for these lines. Raises ReportError when it fails."""
    try:
        done = subprocess.run(
            command, input=lines, capture_output=True, encoding="utf-8", errors="replace", timeout=TIMEOUT_SECONDS
        )
    except subprocess.TimeoutExpired:
        raise ReportError(f"checker {name}: not done after {TIMEOUT_SECONDS:.0f} s: judge fewer samples") from None
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise ReportError(f"checker {name}: exited with {done.returncode} ({last}): mend or leave out this checker")
    return done.stdout


def plain_match(text: str, reference: str) -> dict[str, Any]:
    """What exact comparison gives: the last box, else the last "answer ...", against the reference, spaces aside."""
    boxes, finals = BOX.findall(text), FINAL.findall(text)
    found = boxes[-1] if boxes else finals[-1] if finals else None
    if found is None:
        return {"outcome": Outcome.NO_ANSWER.value, "answer": None, "version": ""}
    same = _bare(found) == _bare(reference)
    outcome = Outcome.CORRECT if same else Outcome.INCORRECT
    return {"outcome": outcome.value, "answer": found.strip(), "version": ""}


def _bare(text: str) -> str:
    return re.sub(r"\s+", "", text).strip("$.").casefold()


SCORE_HEADERS = (
    "task",
    "checker",
    "answers",
    "right",
    "score",
    "95 % interval",
    "right before, not now",
    "right now, not before",
)
CHANGED_HEADERS = (
    "task",
    "question",
    "repeat",
    "reference",
    "logged answer",
    "logged",
    "checker",
    "its answer",
    "its verdict",
)


def score_rows(result: Rescored) -> list[tuple[str, ...]]:
    """What each checker would have scored; the first row is the log."""
    logged = [answer.logged for answer in result.answers]
    rows = [_score_row(result.task, LOGGED, logged, logged)]
    for name in result.checkers:
        versions = sorted({str(answer.verdicts[name].get("version") or "") for answer in result.answers})
        label = " ".join([name, *filter(None, versions)])
        rows.append(_score_row(result.task, label, [_right(answer, name) for answer in result.answers], logged))
    return rows


def _score_row(task: str, name: str, right: Sequence[bool], logged: Sequence[bool]) -> tuple[str, ...]:
    count = len(right)
    interval = wilson(sum(right), count)
    lost = sum(before and not now for before, now in zip(logged, right, strict=True))
    gained = sum(now and not before for before, now in zip(logged, right, strict=True))
    return (
        task,
        name,
        str(count),
        str(sum(right)),
        f"{100 * sum(right) / count:.1f}",
        f"{100 * interval.low:.1f} to {100 * interval.high:.1f}",
        str(lost),
        str(gained),
    )


def changed_rows(result: Rescored) -> list[tuple[str, ...]]:
    """Every verdict of a checker that differs from the logged one."""
    return [
        (
            result.task,
            answer.doc_id,
            str(answer.repeat),
            answer.reference[:40],
            str(answer.logged_answer or "-")[:40],
            "right" if answer.logged else "not right",
            name,
            str(answer.verdicts[name].get("answer") or "-")[:40],
            str(answer.verdicts[name]["outcome"]),
        )
        for answer in result.answers
        for name in result.checkers
        if _right(answer, name) != answer.logged
    ]


def _right(answer: Answer, name: str) -> bool:
    return is_right(answer.verdicts[name])
