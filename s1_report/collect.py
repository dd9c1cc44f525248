"""Output folders of lm_eval (`--output_path DIR --log_samples`) -> run records.

Any model's output can be read. What only s1 models report (thinking tokens, waits, cut-offs) stays empty for the
others; per repeat it is taken from `traces.jsonl`, without that file from the samples, which hold means only.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from s1_report.logs import arguments, date_of, read_lines, read_results, read_traces, results_files
from s1_report.record import Question, ReportError, RunRecord, check_questions, digest

METRICS = ("exact_match", "acc", "math_verify", "acc_norm", "em")
"""What counts as right when a sample has no verdicts: the first of these it has, else its first number."""

BUDGET_NAMES = {
    "num_waits": "num_waits",
    "thinking_n_ignore": "num_waits",
    "wait_text": "wait_text",
    "thinking_n_ignore_str": "wait_text",
    "max_thinking_tokens": "max_thinking_tokens",
    "max_tokens_thinking": "max_thinking_tokens",
    "min_thinking_tokens": "min_thinking_tokens",
    "min_tokens_thinking": "min_thinking_tokens",
    "max_answer_tokens": "max_answer_tokens",
    "final_answer_text": "final_answer_text",
    "max_gen_toks": "max_gen_toks",
}
"""Option -> name in `RunRecord.budget`; s1's own names are aliases."""
PROMPT_OPTIONS = ("thinking_format", "chat_template", "enable_thinking")
ENGINE_OPTIONS = ("seed",)
IDENTITY = ("pretrained", "model")


@dataclass(frozen=True, slots=True)
class Collected:
    """What a folder held. records: newest run per model, task and setting. problems: one sentence per unreadable run.
    superseded: one sentence per older run that was left out."""

    records: list[RunRecord] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    superseded: list[str] = field(default_factory=list)


def collect(*places: Path, metric: str | None = None, filter_name: str | None = None) -> Collected:
    """Reads every run under the folders (or results files) `places`.

    metric: the sample key that says how right an answer is, for tasks that are not ours. filter_name: which of several
    answer filters. Raises ReportError when there is no results file at all; damaged ones become `problems`.
    """
    found = Collected()
    newest: dict[str, tuple[str, RunRecord]] = {}
    for results_path in [path for place in places for path in results_files(place)]:
        try:
            results = read_results(results_path)
        except ReportError as error:
            found.problems.append(str(error))
            continue
        for task in results["configs"]:
            try:
                record = _record(results_path, results, task, metric, filter_name)
            except ReportError as error:
                found.problems.append(str(error))
                continue
            identity = json.dumps(
                [record.model, record.engine, task, dict(record.budget), dict(record.sampling)],
                sort_keys=True,
                default=str,
            )
            date = str(record.environment["date"])
            older = newest.get(identity)
            if older is None or older[0] < date:
                newest[identity] = (date, record)
            if older is not None:
                left_out = min(older[0], date)
                found.superseded.append(f"{record.label()}: the run of {left_out} is left out, a newer one is there")
    found.records.extend(record for _, record in newest.values())
    found.records.sort(key=lambda record: (record.model, record.task, str(sorted(record.budget.items(), key=str))))
    return found


def _record(
    results_path: Path, results: Mapping[str, Any], task: str, metric: str | None, filter_name: str | None
) -> RunRecord:
    run = date_of(results_path)
    samples_path = results_path.parent / f"samples_{task}_{run}.jsonl"
    if not samples_path.exists():
        raise ReportError(f"{samples_path}: missing, so {task} cannot be read: run lm_eval with --log_samples")
    config = results["configs"][task]
    run_config = results.get("config") or {}
    model_args = arguments(run_config.get("model_args"))
    generation = dict(config.get("generation_kwargs") or {})
    options = {**model_args, **generation, **arguments(run_config.get("gen_kwargs"))}
    budget = {
        BUDGET_NAMES[name]: value for name, value in options.items() if name in BUDGET_NAMES and value is not None
    }
    engine = str(run_config.get("model") or "")
    if engine.startswith("s1_"):
        budget.setdefault("num_waits", 0)
    rows = _chosen_filter(list(read_lines(samples_path)), filter_name, samples_path)
    name = metric or _metric(rows, samples_path)
    traces = read_traces(results_path.parent / "traces.jsonl", run, task)
    questions = tuple(_question(row, number, name, traces, samples_path) for number, row in rows)
    check_questions(questions, str(samples_path))
    expected = (results.get("n-samples") or {}).get(task, {}).get("effective", len(questions))
    if len(questions) != expected:
        raise ReportError(
            f"{samples_path}: {len(questions)} questions, but {results_path.name} counts {expected}: "
            "the file was cut short or changed; run the evaluation again"
        )
    return RunRecord(
        kind="measured",
        model=str(
            results.get("model_name") or next((model_args[key] for key in IDENTITY if key in model_args), engine)
        ),
        task=task,
        metric=name,
        task_version=str((results.get("versions") or {}).get(task, "")),
        engine=engine,
        budget=budget,
        sampling=_sampling(generation, options),
        checker=_checker(rows),
        template=_template(results, options, config),
        questions=questions,
        environment=_environment(results, model_args, run),
    )


Row = tuple[int, dict[str, Any]]


def _chosen_filter(rows: list[Row], wanted: str | None, path: Path) -> list[Row]:
    if not rows:
        raise ReportError(f"{path}: holds no samples: run the evaluation again")
    names = list(dict.fromkeys(str(row.get("filter", "none")) for _, row in rows))
    chosen = wanted or ("none" if "none" in names else names[0])
    if chosen not in names:
        raise ReportError(
            f"{path}: no filter {chosen!r} in it, it has {', '.join(names)}: choose one of them with --filter"
        )
    return [(number, row) for number, row in rows if str(row.get("filter", "none")) == chosen]


def _metric(rows: list[Row], path: Path) -> str:
    row = rows[0][1]
    if "verdicts" in row:
        return "exact_match"
    named = [name for name in row.get("metrics") or () if isinstance(row.get(name), int | float)]
    if not named:
        raise ReportError(f"{path}: its samples have no numeric metric (no `metrics`): name the key with --metric")
    return next((name for name in METRICS if name in named), named[0])


def _question(
    row: Mapping[str, Any], number: int, metric: str, traces: Mapping[int, list[dict[str, Any]]], path: Path
) -> Question:
    verdicts = row.get("verdicts") if metric == "exact_match" else None
    if verdicts:
        correct = tuple(float(verdict["outcome"] == "correct") for verdict in verdicts)
        outcomes = tuple(str(verdict["outcome"]) for verdict in verdicts)
        answers = tuple(_vote(verdict.get("answer")) for verdict in verdicts)
    else:
        correct, outcomes, answers = (_score(row, metric, number, path),), (), ()
    key = row.get("doc_hash") or digest([json.dumps(row.get("doc"), sort_keys=True, default=str)])
    known = traces.get(int(row.get("doc_id", -1)), [])
    return Question(
        key=str(key)[:16],
        correct=correct,
        prompt=str(row.get("prompt_hash") or "")[:16],
        outcomes=outcomes,
        answers=answers,
        thinking_tokens=_counts(row, known, len(correct), "thinking_tokens", "thinking_tokens"),
        answer_tokens=_counts(row, known, len(correct), "answer_tokens", "answer_tokens"),
        waits_used=_counts(row, known, len(correct), "waits", "waits_used"),
        cut_off=_counts(row, known, len(correct), "cut_off", "cut_off"),
    )


def _score(row: Mapping[str, Any], metric: str, number: int, path: Path) -> float:
    value = row.get(metric)
    if not isinstance(value, int | float) or math.isnan(value):
        raise ReportError(
            f"{path}, line {number}: {metric} is {value!r}, expected a number: choose another metric with --metric, "
            "or run the evaluation again"
        )
    return float(value)


def _counts(
    row: Mapping[str, Any], traces: list[dict[str, Any]], repeats: int, metric: str, usage: str
) -> tuple[float, ...]:
    if len(traces) == repeats and all(usage in trace for trace in traces):
        return tuple(trace[usage] for trace in traces)
    value = row.get(metric)
    return (value,) if isinstance(value, int | float) and not math.isnan(value) else ()


def _vote(answer: str | None) -> str | None:
    # Long answers only have to be told apart, so that a record stays small.
    if answer is None or len(answer) <= 80:
        return answer
    return f"{answer[:40]}...{digest([answer])}"


def _sampling(generation: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    left_out = {*BUDGET_NAMES, *PROMPT_OPTIONS, "do_sample", "repeats", "n"}
    sampling = {name: value for name, value in generation.items() if name not in left_out}
    return sampling | {name: options[name] for name in ENGINE_OPTIONS if name in options}


def _checker(rows: list[Row]) -> str:
    versions = {str(v.get("checker_version", "")) for _, row in rows for v in row.get("verdicts") or ()}
    return ", ".join(sorted(versions))


def _template(results: Mapping[str, Any], options: Mapping[str, Any], config: Mapping[str, Any]) -> str:
    parts = [str(results.get(name)) for name in ("chat_template_sha", "system_instruction_sha", "fewshot_as_multiturn")]
    parts += [f"{name}={options[name]}" for name in PROMPT_OPTIONS if name in options]
    return digest([*parts, str(config.get("num_fewshot"))])


def _environment(results: Mapping[str, Any], model_args: Mapping[str, Any], run: str) -> dict[str, Any]:
    config = results.get("config") or {}
    info = str(results.get("pretty_env_info") or "")
    hardware = [
        line
        for line in info.splitlines()
        if re.match(r"(Model name|GPU \d|OS|Python version|PyTorch version):", line.strip())
    ]
    versions = {
        name: results.get(name) for name in ("lm_eval_version", "transformers_version", "git_hash") if results.get(name)
    }
    return {
        "date": run,
        **versions,
        "model_args": dict(model_args),
        "model_sha": config.get("model_sha") or "",
        "limit": config.get("limit"),
        "seconds": results.get("total_evaluation_time_seconds"),
        "hardware": [line.strip() for line in hardware],
    }
