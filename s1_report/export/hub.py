"""What Hugging Face reads: `.eval_results/*.yaml` for registered benchmarks, `model-index` metadata for the others.

`.eval_results` (huggingface/hub-docs, docs/hub/eval-results.md) counts only for datasets registered as benchmarks; for
others the Hub ignores the file without a word, so those are refused here. Each benchmark has its own scale.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import yaml

from s1_contract.tasks import LEADERBOARDS, SAME_ROWS, leaderboard_of
from s1_report.export.claims import HUB, dataset_of, metric_of, notes, refuse_part
from s1_report.record import ReportError, RunRecord


def eval_results(record: RunRecord, source_url: str | None = None) -> tuple[str, str]:
    """(path in the model's repository, YAML text) for the Hub's leaderboards.

    Raises ReportError when the task is no registered benchmark, when only a part of it was asked, or when the rows are
    not the Hub's.
    """
    benchmark = leaderboard_of(record.task)
    if benchmark is None:
        raise ReportError(
            f"{record.label()}: {record.task} is not a benchmark registered on the Hub ({', '.join(LEADERBOARDS)} "
            "are), so the file would be ignored without a word: use `export model-index` for it"
        )
    refuse_part(record, "a leaderboard")
    entry: dict[str, Any] = {
        "dataset": {"id": benchmark.dataset, "task_id": benchmark.task_id},
        "value": round(benchmark.perfect * record.accuracy, 6),
        "date": _day(record),
    }
    if revision := record.rows.get("revision"):
        entry["dataset"]["revision"] = revision
    if source_url:
        entry["source"] = {"url": source_url, "name": "lm-eval-s1"}
    entry["notes"] = notes(record)
    return f".eval_results/{SAME_ROWS.get(record.task, record.task)}.yaml", to_yaml([entry])


def scale_warning(record: RunRecord) -> str:
    """How sure it is that the leaderboard takes this task id and this scale."""
    benchmark = leaderboard_of(record.task)
    assert benchmark is not None, "only for what `eval_results` takes"
    return (
        f"{record.task}: task_id {benchmark.task_id} and values out of {benchmark.perfect:g} are from "
        f"{benchmark.seen}; compare with eval.yaml in {benchmark.dataset} before you publish"
    )


def model_index(records: Sequence[RunRecord], model_name: str) -> str:
    """`model-index` metadata for the head of a model card's README.md, accuracies in percent."""
    return to_yaml({"model-index": [{"name": model_name, "results": [_result(record) for record in records]}]})


def _result(record: RunRecord) -> dict[str, Any]:
    rows = dataset_of(record)
    dataset = {"type": record.rows.get(HUB) or record.task, "name": record.task}
    if rows is not None:
        dataset = {"type": rows.hub, "name": rows.title, "split": rows.split}
        dataset |= {"config": rows.config} if rows.config else {}
        dataset |= {"revision": revision} if (revision := record.rows.get("revision")) else {}
    if record.is_part:
        dataset["name"] = f"{dataset['name']}, {record.asked} of {record.available} questions"
    metric = {
        "type": "accuracy",
        "value": round(100 * record.accuracy, 4),
        "name": metric_of(record),
        "args": {"notes": notes(record)},
    }
    return {"task": {"type": "text-generation", "name": "Text Generation"}, "dataset": dataset, "metrics": [metric]}


def _day(record: RunRecord) -> str:
    date = str(record.environment.get("date", ""))[:10]
    if not date:
        raise ReportError(f"{record.label()}: the record has no date: collect the run again")
    return date


def to_yaml(value: Any) -> str:
    """Mappings, lists and scalars as YAML, keys in their order."""
    text: str = yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=1000)
    return text
