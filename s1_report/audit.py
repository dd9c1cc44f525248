"""One self-contained HTML file to read a run in: every answer, every round, every verdict.

Model text is hostile. It only ever becomes JSON inside a `<script type="application/json">`, with every character that
could end that element escaped, and is shown through `textContent`; the page forbids itself all loading.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from typing import Any, NamedTuple

from s1_contract.outcomes import Outcome, outcome_of
from s1_contract.usage import THINKING_TOKENS, WAITS_USED, usage_in
from s1_report.collect import Run
from s1_report.failures import Failure, Judged, failures
from s1_report.record import ReportError, RunRecord
from s1_report.samples import is_right, prompt_of, responses_of, verdicts_of

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
            asked = run.around.get("before", "") + prompt_of(row) + run.around.get("after", "")
            for one in _repeats(row, traces.get(row.get("doc_id"), []), run.record):
                yield _entry(row, one, asked), _detail(one, asked)
        except (KeyError, TypeError, IndexError, ValueError) as error:
            raise ReportError(f"{run.samples}, line {number}: not a sample of lm_eval ({error!r})") from None


class Response(NamedTuple):
    """One response of a sample. name: the question's, with the repeat where there are several."""

    name: str
    judged: Judged
    verdict: Mapping[str, Any]

    @property
    def trace(self) -> Mapping[str, Any]:
        """The response's trace without its spans; empty when there is none."""
        return self.judged.trace or {}


def _repeats(row: Mapping[str, Any], traces: list[dict[str, Any]], record: RunRecord) -> Iterator[Response]:
    limit = record.max_thinking_tokens
    asked_limit = float(limit) if isinstance(limit, int | float) else None
    verdicts = verdicts_of(row) or [{}]
    for repeat, (text, verdict) in enumerate(zip(responses_of(row), verdicts, strict=False)):
        judged = Judged(
            text=text,
            reference=str(row.get("target", "")),
            correct=is_right(verdict) if verdict else float(row[record.metric]) == 1.0,
            outcome=outcome_of(verdict.get("outcome")),
            trace=traces[repeat] if repeat < len(traces) else None,
            asked_limit=asked_limit,
        )
        name = f"{row.get('doc_id')}" + (f".{repeat}" if len(verdicts) > 1 else "")
        yield Response(name, judged, verdict)


def _entry(row: Mapping[str, Any], one: Response, asked: str) -> dict[str, Any]:
    """What the list shows of a response."""
    answer = one.verdict.get("answer")
    outcome = one.judged.outcome or (Outcome.CORRECT if one.judged.correct else Outcome.INCORRECT)
    return {
        "id": one.name,
        "correct": one.judged.correct,
        "outcome": outcome.value,
        "classes": [failure.value for failure in failures(one.judged)],
        "answer": None if answer is None else _kept(str(answer), EXCERPT),
        "reference": one.judged.reference,
        "tokens": one.trace.get(THINKING_TOKENS),
        "waits": one.trace.get(WAITS_USED),
        "question": (prompt_of(row) or asked)[:EXCERPT],
    }


def _detail(one: Response, asked: str) -> dict[str, Any]:
    """What the page shows when a response is opened."""
    spans = _spans(one.judged.text, one.judged.trace)
    return {"prompt": asked, "spans": spans, "verdict": dict(one.verdict), "usage": usage_in(one.trace)}


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
