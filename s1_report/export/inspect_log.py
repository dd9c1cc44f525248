"""A run as a log of Inspect (`inspect_ai`, UK AI Security Institute): its viewer shows every answer with its thinking.

The log says what was measured, no more: every response is a sample, its repeats are epochs, its score is the logged
verdict. Caveats (`s1_report.export.claims`) stand in the metadata of the evaluation.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from s1_contract.printing import show
from s1_contract.usage import ANSWER_TOKENS, THINKING_TOKENS, USAGE_FIELDS, usage_in
from s1_report import stats
from s1_report.collect import Run
from s1_report.export.claims import caveats, dataset_of, metric_of
from s1_report.record import ReportError, RunRecord
from s1_report.samples import is_right, prompt_of, responses_of, verdicts_of

SCORER = "lm-eval-s1"


def export(run: Run, model_id: str | None = None) -> tuple[str, bytes]:
    """(file name, bytes of the `.eval` file) of a run. Raises ReportError without inspect_ai."""
    try:
        from inspect_ai.log import EvalLog, EvalPlan, write_eval_log
    except ImportError as error:
        raise ReportError("Inspect logs need inspect_ai: pip install 'lm-eval-s1[inspect]'") from error
    record = run.record
    model = model_id or record.model
    samples = list(_samples(run, model))
    log = EvalLog(
        status="success", eval=_spec(record, run.date, model), plan=EvalPlan(), results=_results(record, len(samples))
    )
    log.samples = samples
    name = show(f"{run.date}_{record.task}_{record.run_hash}", "path") + ".eval"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        write_eval_log(log, path, format="eval")
        return name, path.read_bytes()


def _spec(record: RunRecord, date: str, model: str) -> Any:
    from inspect_ai.log import EvalConfig, EvalDataset, EvalSpec

    rows = dataset_of(record)
    versions = record.environment.get("versions") or {"lm_eval": str(record.environment.get("lm_eval_version"))}
    return EvalSpec(
        created=_when(date),
        task=record.task,
        task_version=record.task_version or 0,
        run_id=record.run_hash,
        eval_id=record.run_hash,
        task_id=record.run_hash,
        dataset=EvalDataset(
            name=rows.title if rows else record.task,
            location=rows.hub if rows else None,
            samples=len(record.questions),
            shuffled=False,
        ),
        model=model,
        config=EvalConfig(epochs=record.repeats, limit=record.asked if record.is_part else None),
        packages={name: str(version) for name, version in versions.items()},
        metadata=_metadata(record),
    )


def _metadata(record: RunRecord) -> dict[str, Any]:
    told = ("budget", "sampling", "prompting", "model_args", "identity", "resolved", "rows")
    settings = {name: dict(getattr(record, name)) for name in told if getattr(record, name)}
    scored = {"engine": record.engine, "metric": record.metric, "filter": record.filter}
    return {**settings, **scored, "caveats": caveats(record)}


def _when(date: str) -> str:
    """lm_eval's date (2026-11-23T00-54-02.643481) in ISO 8601, as local time with its offset."""
    day, _, time = date.partition("T")
    return datetime.fromisoformat(f"{day}T{time.replace('-', ':')}").astimezone().isoformat()


def _results(record: RunRecord, samples: int) -> Any:
    from inspect_ai.log import EvalMetric, EvalResults, EvalScore

    error = stats.clustered_standard_error([question.correct for question in record.questions])
    values = {"accuracy": record.accuracy, "stderr": error}
    values |= {name: mean for name in USAGE_FIELDS if (mean := record.mean_of(name)) is not None}
    metrics = {name: EvalMetric(name=name, value=value) for name, value in values.items()}
    score = EvalScore(name=metric_of(record), scorer=SCORER, metrics=metrics, scored_samples=samples)
    return EvalResults(total_samples=samples, completed_samples=samples, scores=[score])


def _samples(run: Run, model: str) -> Iterator[Any]:
    traces = run.traces()
    for number, row in run.rows():
        try:
            known = traces.get(row.get("doc_id"), [])
            verdicts: Sequence[Mapping[str, Any]] = verdicts_of(row) or [{}]
            for repeat, (text, verdict) in enumerate(zip(responses_of(row), verdicts, strict=False)):
                trace = known[repeat] if repeat < len(known) else {}
                yield _sample(run, row, repeat, text, verdict, trace, model)
        except (KeyError, TypeError, IndexError, ValueError) as error:
            raise ReportError(f"{run.samples}, line {number}: not a sample of lm_eval ({error!r})") from None


def _sample(
    run: Run,
    row: Mapping[str, Any],
    repeat: int,
    text: str,
    verdict: Mapping[str, Any],
    trace: Mapping[str, Any],
    model: str,
) -> Any:
    from inspect_ai.log import EvalSample
    from inspect_ai.model import ChatCompletionChoice, ChatMessageAssistant, ChatMessageUser, ModelOutput, ModelUsage
    from inspect_ai.scorer import Score

    asked = ChatMessageUser(content=run.around.get("before", "") + prompt_of(row) + run.around.get("after", ""))
    message = ChatMessageAssistant(content=_content(text, trace), model=model, source="generate")
    usage = usage_in(trace)
    tokens = usage.get(THINKING_TOKENS, 0) + usage.get(ANSWER_TOKENS, 0)
    spent = ModelUsage(output_tokens=tokens, total_tokens=tokens, reasoning_tokens=usage.get(THINKING_TOKENS))
    right = is_right(verdict) if verdict else float(row[run.record.metric])
    score = Score(
        value=float(right),
        answer=verdict.get("answer"),
        explanation=verdict.get("reason"),
        metadata={"outcome": verdict.get("outcome"), "rule": verdict.get("rule")} if verdict else None,
    )
    return EvalSample(
        id=str(row.get("doc_id")),
        epoch=repeat + 1,
        input=prompt_of(row),
        target=str(row.get("target", "")),
        messages=[asked, message],
        output=ModelOutput(
            model=model, choices=[ChatCompletionChoice(message=message)], usage=spent if usage else None
        ),
        scores={SCORER: score},
        metadata=usage,
    )


def _content(text: str, trace: Mapping[str, Any]) -> Any:
    """The response as text; with a trace, thinking and answer apart."""
    from inspect_ai.model import ContentReasoning, ContentText

    spans = trace.get("spans") or ()
    thinking = "".join(span["text"] for span in spans if span["phase"] == "thinking")
    if not thinking:
        return text
    answer = "".join(span["text"] for span in spans if span["phase"] == "answering")
    return [ContentReasoning(reasoning=thinking), ContentText(text=answer)]
