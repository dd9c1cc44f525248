"""What Hugging Face reads: `.eval_results/*.yaml` for registered benchmarks, `model-index` metadata for the others.

`.eval_results` (huggingface/hub-docs, docs/hub/eval-results.md) counts only for datasets registered as benchmarks; for
others the Hub ignores the file without a word, so those are refused here. Each benchmark has its own scale.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from s1_report.record import ReportError, RunRecord


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A registered benchmark. scale: what a perfect score is there, 1 or 100. split: questions, to refuse parts."""

    dataset: str
    task_id: str
    scale: float
    questions: int


REGISTERED = {
    "gpqa_diamond": Benchmark("Idavidrein/gpqa", "gpqa_diamond", 1.0, 198),
    "aime26": Benchmark("MathArena/aime_2026", "MathArena/aime_2026", 100.0, 30),
}
"""Our task -> the benchmark, as registered in 2026; scales as the published entries use them."""
ALIASES = {"gpqa_diamond_openai": "gpqa_diamond"}

DATASETS = {
    "aime24": ("AIME 2024", "simplescaling/aime24_nofigures", "train"),
    "aime25": ("AIME 2025", "simplescaling/aime25_nofigures", "train"),
    "aime26": ("AIME 2026", "MathArena/aime_2026", "train"),
    "math500": ("MATH-500", "simplescaling/openaimath", "test"),
    "gpqa_diamond": ("GPQA Diamond", "Idavidrein/gpqa", "train"),
}
"""Task -> name, dataset and split for model-index; tasks that are not here are named as they are."""


def eval_results(record: RunRecord, source_url: str | None = None) -> tuple[str, str]:
    """(path in the model's repository, YAML text) for the Hub's leaderboards.

    Raises ReportError when the task is no registered benchmark, or when only a part of it was asked.
    """
    task = ALIASES.get(record.task, record.task)
    benchmark = REGISTERED.get(task)
    if benchmark is None:
        raise ReportError(
            f"{record.label()}: {record.task} is not a benchmark registered on the Hub ({', '.join(REGISTERED)} are), "
            "so the file would be ignored without a word: use `export model-index` for it"
        )
    if len(record.questions) != benchmark.questions:
        raise ReportError(
            f"{record.label()}: {len(record.questions)} of the {benchmark.questions} questions of {task} were asked: "
            "a leaderboard needs all, run it without --limit"
        )
    entry: dict[str, Any] = {
        "dataset": {"id": benchmark.dataset, "task_id": benchmark.task_id},
        "value": round(benchmark.scale * record.accuracy, 6),
        "date": _day(record),
    }
    if source_url:
        entry["source"] = {"url": source_url, "name": "lm-eval-s1"}
    entry["notes"] = notes(record)
    return f".eval_results/{task}.yaml", to_yaml([entry])


def model_index(records: Sequence[RunRecord], model_name: str) -> str:
    """`model-index` metadata for the head of a model card's README.md, accuracies in percent."""
    results = []
    for record in records:
        name, dataset, split = DATASETS.get(record.task, (record.task, record.task, "test"))
        metric = {
            "type": "accuracy",
            "value": round(100 * record.accuracy, 4),
            "name": f"avg@{record.repeats}" if record.repeats > 1 else "accuracy",
            "args": {"notes": notes(record)},
        }
        results.append(
            {
                "task": {"type": "text-generation", "name": "Text Generation"},
                "dataset": {"type": dataset, "name": name, "split": split},
                "metrics": [metric],
            }
        )
    return to_yaml({"model-index": [{"name": model_name, "results": results}]})


def notes(record: RunRecord) -> str:
    """The setting in a few words, for people."""
    budget = [f"{name}={value}" for name, value in sorted(record.budget.items())]
    sampling = [f"temperature={record.sampling['temperature']}"] if "temperature" in record.sampling else []
    repeats = [f"mean of {record.repeats} repeats"] if record.repeats > 1 else []
    checker = [f"answer check {record.checker}"] if record.checker else []
    return ", ".join(["lm-eval-s1", *budget, *sampling, *repeats, *checker])


def _day(record: RunRecord) -> str:
    date = str(record.environment.get("date", ""))[:10]
    if not date:
        raise ReportError(f"{record.label()}: the record has no date: collect the run again")
    return date


def to_yaml(value: Any, indent: int = 0) -> str:
    """Mappings, lists and scalars as YAML; strings in JSON's quotes, which YAML reads the same."""
    pad = "  " * indent
    if isinstance(value, Mapping):
        return "".join(_entry(f"{pad}{key}:", item, indent) for key, item in value.items())
    lines = []
    for item in value:
        body = to_yaml(item, indent + 1) if isinstance(item, Mapping | list) else f"{pad}  {json.dumps(item)}\n"
        lines.append(f"{pad}- {body[len(pad) + 2 :]}")
    return "".join(lines)


def _entry(head: str, item: Any, indent: int) -> str:
    if isinstance(item, Mapping | list):
        return f"{head}\n{to_yaml(item, indent + 1)}"
    return f"{head} {json.dumps(item, ensure_ascii=False)}\n"
