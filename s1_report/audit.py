"""One self-contained HTML file to read a run in: every answer, every round, every verdict.

Model text is hostile. It only ever becomes JSON inside a `<script type="application/json">`, with every character that
could end that element escaped, and is shown through `textContent`; the page forbids itself all loading.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from typing import Any

from s1_report.collect import Run
from s1_report.failures import Failure, failures
from s1_report.record import ReportError, RunRecord
from s1_report.samples import prompt_of

EXCERPT = 120
"""Characters of a question shown in the list."""
LONGEST = 200_000
"""Characters of one span that are kept; of longer ones both ends."""


def audit(runs: Sequence[Run], title: str) -> str:
    """The page for these runs. Raises ReportError when a samples file is no longer what it was."""
    index, details = [], []
    for number, run in enumerate(runs):
        for entry, detail in _answers(run):
            index.append({"run": number, **entry})
            details.append(detail)
    head = {
        "title": title,
        "runs": [run.record.label() for run in runs],
        "classes": [failure.value for failure in Failure],
        "answers": index,
    }
    blocks = [_script("index", head), *(_script(f"d{number}", detail) for number, detail in enumerate(details))]
    template = files("s1_report").joinpath("audit.html").read_text(encoding="utf-8")
    return template.replace("<!-- DATA -->", "\n".join(blocks))


def _script(name: str, value: Any) -> str:
    return f'<script type="application/json" id="{name}">{embedded(value)}</script>'


def embedded(value: Any) -> str:
    """JSON in which no text can end the script element it stands in, nor open a comment or an entity."""
    text = json.dumps(value, ensure_ascii=False)  # logs are read without NaN, which would be no JSON
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text.encode("utf-8", errors="replace").decode("utf-8")


def _answers(run: Run) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    traces = run.traces()
    for number, row in run.rows():
        try:
            yield from _repeats(row, traces.get(row.get("doc_id"), []), run.record)
        except (KeyError, TypeError, IndexError) as error:
            raise ReportError(f"{run.samples}, line {number}: not a sample of lm_eval ({error!r})") from None


def _repeats(
    row: Mapping[str, Any], traces: list[dict[str, Any]], record: RunRecord
) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    limit = record.budget.get("max_thinking_tokens")
    asked_limit = float(limit) if isinstance(limit, int | float) else None
    prompt = prompt_of(row)
    verdicts = row.get("verdicts") or [{}]
    for repeat, (response, verdict) in enumerate(zip(row["resps"][0], verdicts, strict=False)):
        trace = traces[repeat] if repeat < len(traces) else None
        outcome = str(verdict.get("outcome", ""))
        correct = outcome == "correct" if verdict else float(row[record.metric]) == 1.0
        reference = str(row.get("target", ""))
        classes = failures(str(response), reference, correct, outcome, trace, asked_limit)
        entry = {
            "id": f"{row.get('doc_id')}" + (f".{repeat}" if len(verdicts) > 1 else ""),
            "correct": correct,
            "outcome": outcome or ("correct" if correct else "incorrect"),
            "classes": [failure.value for failure in classes],
            "answer": None if verdict.get("answer") is None else _kept(str(verdict["answer"]), EXCERPT),
            "reference": reference,
            "tokens": trace.get("thinking_tokens") if trace else None,
            "waits": trace.get("waits_used") if trace else None,
            "question": prompt[:EXCERPT],
        }
        usage = {name: value for name, value in (trace or {}).items() if isinstance(value, int)}
        yield entry, {"prompt": prompt, "spans": _spans(str(response), trace), "verdict": verdict, "usage": usage}


def _spans(response: str, trace: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """phase, forced, text and number of tokens; one span of unknown phase without a trace."""
    if trace is None:
        return [{"phase": "response", "forced": False, "text": _kept(response)}]
    return [
        {
            "phase": span["phase"],
            "forced": span["forced"],
            "text": _kept(span["text"]),
            "tokens": len(span.get("tokens", ())),
        }
        for span in trace["spans"]
    ]


def _kept(text: str, longest: int = LONGEST) -> str:
    if len(text) <= longest:
        return text
    half = longest // 2
    return f"{text[:half]}\n... {len(text) - 2 * half:,} characters left out ...\n{text[-half:]}"
