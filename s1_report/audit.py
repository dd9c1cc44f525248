"""A page to read a run in: every answer, every round, every verdict. One HTML file, or for a large run one folder.

Model text is hostile. It only ever becomes JSON, with every character that could end the element it stands in escaped,
and is shown through `textContent`; the page forbids itself all loading but of its own parts. Answers are written as
they are read, so memory does not grow with the run: the texts go into parts that the page loads when they are opened.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import IO, Any, NamedTuple

from s1_contract.outcomes import Outcome, outcome_of
from s1_contract.usage import THINKING_TOKENS, WAITS_USED, usage_in
from s1_report.collect import Run
from s1_report.failures import Failure, Judged, failures
from s1_report.record import ReportError, RunRecord
from s1_report.samples import is_right, prompt_of, responses_of, verdicts_of
from s1_report.trace_lines import TraceLines

EXCERPT = 120
"""Characters of a question shown in the list."""
LONGEST = 200_000
"""Characters of one span that are kept; of longer ones both ends."""
ONE_FILE = 48_000_000
"""Bytes of texts up to which the page is one file; above, the texts lie in a folder beside it."""
PART = 2_000_000
"""Bytes of texts in one part, about."""


def write_audit(runs: Sequence[Run], title: str, output: Path) -> tuple[Path, ...]:
    """Writes the page for these runs to `output` (HTML), and a folder of parts beside it when the run is large.

    Returns what was written. The page opens from a disk, without a server. Raises ReportError when a samples file is no
    longer what it was, or when a file cannot be written.
    """
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=output.parent, prefix=".audit.") as folder:
            return _Writer(Path(folder)).write(runs, title, output)
    except OSError as error:
        raise ReportError(f"{output}: cannot be written ({error.strerror}): name another file") from None


class _Writer:
    """Texts of the answers in parts, and the list of the answers, both on disk until the page is put together."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._sizes = [0]  # bytes of each part
        self._place = -1  # in the last part

    def write(self, runs: Sequence[Run], title: str, output: Path) -> tuple[Path, ...]:
        index = self._folder / "index"
        with index.open("w", encoding="utf-8") as entries:
            for number, run in enumerate(runs):
                for entry, detail in _answers(run):
                    entries.write("," * (self._sizes != [0]))
                    place = self._keep(embedded(detail))
                    entries.write(embedded({"run": number, "part": place, **entry}))
        parts = output.with_name(f"{output.stem}_parts") if sum(self._sizes) > ONE_FILE else None
        head = {
            "title": title,
            "runs": [run.record.label() for run in runs],
            "tasks": [run.record.task for run in runs],
            "classes": [failure.value for failure in Failure],
            "parts": parts.name if parts else "",
        }
        page = self._folder / "page"
        with page.open("w", encoding="utf-8") as file:
            self._put_together(file, head, index, with_texts=parts is None)
        if parts:
            self._write_parts(parts)
        page.replace(output)
        return (output, parts) if parts else (output,)

    def _keep(self, text: str) -> tuple[int, int]:
        """Adds a text to the last part; returns the number of the part and the place in it."""
        if self._sizes[-1] > PART:
            self._sizes.append(0)
            self._place = -1
        self._place += 1
        number = len(self._sizes) - 1
        with self._part(number).open("a", encoding="utf-8") as part:
            self._sizes[-1] += part.write("," * (self._place > 0) + text)
        return number, self._place

    def _part(self, number: int) -> Path:
        return self._folder / f"{number}.json"

    def _put_together(self, page: IO[str], head: Mapping[str, Any], index: Path, with_texts: bool) -> None:
        before, after = files("s1_report").joinpath("audit.html").read_text(encoding="utf-8").split("<!-- DATA -->")
        page.write(before)
        page.write(f'<script type="application/json" id="head">{embedded(head)}</script>\n')
        _copy(index, page, '<script type="application/json" id="answers">[', "]</script>\n")
        if with_texts and self._place >= 0:
            for number in range(len(self._sizes)):
                opening = f'<script type="application/json" id="part{number}">['
                _copy(self._part(number), page, opening, "]</script>\n")
        page.write(after)

    def _write_parts(self, folder: Path) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        for number in range(len(self._sizes)):
            with (folder / f"{number}.js").open("w", encoding="utf-8") as script:
                _copy(self._part(number), script, f"audit_part({number},[", "])\n")


def _copy(source: Path, target: IO[str], before: str, after: str) -> None:
    target.write(before)
    with source.open(encoding="utf-8") as text:
        shutil.copyfileobj(text, target)
    target.write(after)


def embedded(value: Any) -> str:
    """JSON in which no text can end the script element it stands in, nor open a comment or an entity."""
    text = json.dumps(value, ensure_ascii=False)  # logs are read without NaN, which would be no JSON
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text.encode("utf-8", errors="replace").decode("utf-8")


def _answers(run: Run) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    traces = TraceLines(run.samples.parent)
    for number, row in run.rows():
        try:
            asked = run.around.get("before", "") + prompt_of(row) + run.around.get("after", "")
            of_row = traces.of(run.date, run.record.task, row.get("doc_id"))
            for one in _repeats(row, of_row, run.record):
                yield _entry(row, one, asked), _detail(one, asked)
        except (KeyError, TypeError, IndexError, ValueError) as error:
            if isinstance(error, ReportError):
                raise
            raise ReportError(f"{run.samples}, line {number}: not a sample of lm_eval ({error!r})") from None


class Response(NamedTuple):
    """One response of a sample. name: the question's, with the repeat where there are several.

    filtered: what the task's filter took for the answer.
    """

    name: str
    judged: Judged
    verdict: Mapping[str, Any]
    filtered: str | None = None

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
        yield Response(name, judged, verdict, _filtered(row, repeat))


def _filtered(row: Mapping[str, Any], repeat: int) -> str | None:
    """What the task's own filter took for the answer, for tasks that give no verdicts."""
    found: Any = row.get("filtered_resps") or ()
    while isinstance(found, list) and len(found) == 1 and isinstance(found[0], list):
        found = found[0]
    return str(found[repeat]) if isinstance(found, list) and repeat < len(found) else None


def _entry(row: Mapping[str, Any], one: Response, asked: str) -> dict[str, Any]:
    """What the list shows of a response."""
    answer = one.verdict.get("answer") if one.verdict else one.filtered
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
