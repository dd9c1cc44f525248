"""Every Eval Ever 0.3.0 (evaleval/every_eval_ever): one aggregate file and one file with every answer.

Layout and names as its datastore wants them: data/BENCHMARK/DEVELOPER/MODEL/UUID4.json and UUID4_samples.jsonl.
"""

from __future__ import annotations

import hashlib
import json
import random
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from s1_contract.files import encoded
from s1_contract.printing import show
from s1_contract.usage import USAGE_FIELDS, usage_in
from s1_report import stats
from s1_report.collect import Run
from s1_report.export.claims import caveats, dataset_of, metric_of
from s1_report.record import ReportError, RunRecord
from s1_report.samples import is_right, prompt_of, responses_of, verdicts_of

SCHEMA_VERSION = "0.3.0"
RELATIONSHIPS = ("first_party", "third_party", "collaborative", "other")
RESULT_ID = "accuracy"


@dataclass(frozen=True, slots=True)
class Publisher:
    """Who publishes. model_id: developer/model, as on the Hub."""

    organization: str
    relationship: str
    model_id: str

    def __post_init__(self) -> None:
        if self.relationship not in RELATIONSHIPS:
            raise ReportError(f"relationship {self.relationship!r}: expected one of {', '.join(RELATIONSHIPS)}")
        if self.model_id.count("/") != 1 or not all(self.model_id.split("/")):
            raise ReportError(f"model id {self.model_id!r}: expected developer/model, as on the Hub")


def export(run: Run, publisher: Publisher, retrieved_timestamp: str) -> dict[str, str]:
    """Path -> text of the two files. retrieved_timestamp: now, in seconds since 1970, as text.

    The UUID is made from the run, so that exporting it again gives the same names.
    """
    record = run.record
    name = _uuid(f"{publisher.model_id} {record.task} {record.environment.get('date')} {sorted(record.budget.items())}")
    folder = "/".join(["data", *(show(part, "path") for part in (record.task, *publisher.model_id.split("/")))])
    evaluation_id = f"{record.task}/{publisher.model_id}/{record.environment.get('date')}"
    rows = [json.dumps(row, ensure_ascii=False) + "\n" for row in _instances(run, publisher.model_id, evaluation_id)]
    samples = "".join(rows)
    aggregate = _aggregate(record, publisher, evaluation_id, retrieved_timestamp)
    aggregate["detailed_evaluation_results"] = {
        "format": "jsonl",
        "file_path": f"{folder}/{name}_samples.jsonl",
        "hash_algorithm": "sha256",
        "checksum": hashlib.sha256(encoded(samples)).hexdigest(),
        "total_rows": len(rows),
    }
    text = json.dumps(aggregate, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    return {f"{folder}/{name}.json": text, f"{folder}/{name}_samples.jsonl": samples}


def _uuid(identity: str) -> str:
    return str(uuid.UUID(int=random.Random(identity).getrandbits(128), version=4))


def _aggregate(record: RunRecord, publisher: Publisher, evaluation_id: str, retrieved: str) -> dict[str, Any]:
    environment = record.environment
    model_name = publisher.model_id.split("/")[1]
    engine = {"name": record.engine or "unknown"} | _version(record)
    details = _strings(
        {
            "budget": dict(record.budget),
            "hardware": environment.get("hardware"),
            "identity": dict(record.identity) or None,
            "model_args": dict(record.model_args) or None,
        }
    )
    return {
        "schema_version": SCHEMA_VERSION,
        "evaluation_id": evaluation_id,
        "retrieved_timestamp": retrieved,
        "source_metadata": {
            "source_name": "lm-eval-s1",
            "source_type": "evaluation_run",
            "source_organization_name": publisher.organization,
            "evaluator_relationship": publisher.relationship,
        },
        "eval_library": {
            "name": "lm-evaluation-harness",
            "version": str(environment.get("lm_eval_version") or "unknown"),
            "additional_details": _strings({"plugin": "lm-eval-s1", "answer_check": record.checker or None}),
        },
        "model_info": {
            "name": model_name,
            "id": publisher.model_id,
            "developer": publisher.model_id.split("/")[0],
            "inference_engine": engine,
            "additional_details": {"deployment_type": "self_deployed", "model_availability": "unknown", **details},
        },
        "evaluation_results": [_result(record)],
    }


_ENGINES = {"s1_vllm": "vllm", "s1_hf": "transformers", "vllm": "vllm", "hf": "transformers"}


def _version(record: RunRecord) -> dict[str, str]:
    """The version of the library that generated, where the log says it."""
    library = _ENGINES.get(record.engine)
    versions = record.environment.get("versions") or {}
    found = versions.get(library) or (
        record.environment.get("transformers_version") if library == "transformers" else None
    )
    return {"version": str(found)} if found else {}


def _result(record: RunRecord) -> dict[str, Any]:
    correct = [question.correct for question in record.questions]
    interval = stats.accuracy_interval(correct)
    source: dict[str, Any] = {"dataset_name": record.task, "source_type": "other"}
    if (rows := dataset_of(record)) is not None:
        source = {"dataset_name": rows.title, "source_type": "hf_dataset", "hf_repo": rows.hub, "hf_split": rows.split}
        source["samples_number"] = len(correct)
    if told := caveats(record):
        source["additional_details"] = {"caveats": "; ".join(told)}
    temperature = record.sampling.get("temperature")
    return {
        "evaluation_result_id": RESULT_ID,
        "evaluation_name": record.task,
        "source_data": source,
        "metric_config": {
            "metric_id": record.metric,
            "metric_name": metric_of(record),
            "metric_unit": "proportion",
            "metric_parameters": {"k": record.repeats, "filter": record.filter or "unknown"},
            "lower_is_better": False,
            "score_type": "continuous",
            "min_score": 0.0,
            "max_score": 1.0,
        },
        "score_details": {
            "score": record.accuracy,
            "details": _strings({name: record.mean_of(name) for name in USAGE_FIELDS}),
            "uncertainty": {
                "standard_error": {"value": stats.clustered_standard_error(correct), "method": "analytic, by question"},
                "confidence_interval": {
                    "lower": interval.low,
                    "upper": interval.high,
                    "confidence_level": 0.95,
                    "method": "Wilson, clustered by question",
                },
                "num_samples": len(correct),
            },
        },
        "generation_config": {
            "generation_args": {"temperature": temperature} if isinstance(temperature, int | float) else {},
            "additional_details": _strings({**record.budget, **record.sampling, **record.prompting}),
        },
    }


def _instances(run: Run, model_id: str, evaluation_id: str) -> Iterator[dict[str, Any]]:
    traces = run.traces()
    for number, row in run.rows():
        try:
            for instance in _rows(row, traces.get(row.get("doc_id"), []), run):
                yield {
                    "schema_version": SCHEMA_VERSION,
                    "evaluation_id": evaluation_id,
                    "model_id": model_id,
                    **instance,
                }
        except (KeyError, TypeError, IndexError, ValueError) as error:
            raise ReportError(f"{run.samples}, line {number}: not a sample of lm_eval ({error!r})") from None


def _rows(row: Mapping[str, Any], traces: list[dict[str, Any]], run: Run) -> Iterator[dict[str, Any]]:
    prompt = run.around.get("before", "") + prompt_of(row) + run.around.get("after", "")
    responses = responses_of(row)
    verdicts = verdicts_of(row) or [{}] * min(1, len(responses))
    for repeat, verdict in enumerate(verdicts):
        trace = dict(enumerate(traces)).get(repeat)
        score = float(is_right(verdict)) if verdict else float(row[run.record.metric])
        instance: dict[str, Any] = {
            "evaluation_name": run.record.task,
            "evaluation_result_id": RESULT_ID,
            "sample_id": f"{row.get('doc_id')}" + (f"#{repeat}" if len(verdicts) > 1 else ""),
            "sample_hash": str(row.get("doc_hash") or "") or None,
            "interaction_type": "single_turn",
            "input": {"raw": prompt, "reference": [str(row.get("target"))]},
            "output": {"raw": [responses[repeat]], "reasoning_trace": _thinking(trace)},
            "answer_attribution": [_attribution(verdict)],
            "evaluation": {"score": score, "is_correct": score == 1.0},
        }
        yield {**instance, **_metadata(trace or {}, verdict)}


def _metadata(trace: Mapping[str, Any], verdict: Mapping[str, Any]) -> dict[str, Any]:
    told = _strings({**usage_in(trace), "outcome": verdict.get("outcome"), "reason": verdict.get("reason")})
    return {"metadata": told} if told else {}


def _attribution(verdict: Mapping[str, Any]) -> dict[str, Any]:
    answer = verdict.get("answer")
    return {
        "turn_idx": 0,
        "source": "output.raw",
        "extracted_value": "" if answer is None else str(answer),
        "extraction_method": str(verdict.get("rule") or "unknown"),
        "is_terminal": True,
    }


def _thinking(trace: Mapping[str, Any] | None) -> list[str] | None:
    if trace is None:
        return None
    return ["".join(span["text"] for span in trace["spans"] if span["phase"] == "thinking")]


def _strings(values: Mapping[str, Any]) -> dict[str, str]:
    """The format wants texts in its free fields."""
    return {
        name: value if isinstance(value, str) else json.dumps(value, default=str)
        for name, value in values.items()
        if value is not None
    }
