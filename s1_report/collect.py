"""Output folders of lm_eval (`--output_path DIR --log_samples`) -> run records.

Any model's output can be read. What only s1 models report (thinking tokens, waits, cut-offs) stays empty for the
others; per repeat it is taken from `traces.jsonl`, without that file from the samples, which hold means only.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from s1_report.logs import Row, Traces, arguments, date_of, read_lines, read_results, read_traces, results_files
from s1_report.record import ReportError, RunRecord, check_questions, digest
from s1_report.samples import checker_of, chosen_filter, filter_of, metric_of, question_of, without_texts

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
    "rejection_tries": "rejection_tries",
    "rejection_fallback": "rejection_fallback",
    "rejection_sample": "rejection_sample",
}
"""Option -> name in `RunRecord.budget`; s1's own names are aliases."""
PROMPT_OPTIONS = (
    *("thinking_format", "chat_template", "enable_thinking", "think_for"),
    *("thinking_start", "thinking_end", "until_thinking", "until_thinking_2"),
)
NOT_SAMPLING = {*BUDGET_NAMES, *PROMPT_OPTIONS, "do_sample", "repeats", "n", "seed"}
"""Generation options that are no part of `RunRecord.sampling`: repeats show in the data, runs may differ by seed."""


class Run(NamedTuple):
    """A record, the samples file it was made from (`traces.jsonl` lies beside it), and which filter's samples."""

    record: RunRecord
    samples: Path
    filter_name: str = "none"

    def rows(self) -> Iterator[Row]:
        """The run's samples, with their texts."""
        return (row for row in read_lines(self.samples) if filter_of(row[1]) == self.filter_name)

    def traces(self) -> dict[Any, list[dict[str, Any]]]:
        """The run's traces with their spans, by doc_id; empty for models that write none."""
        date = self.samples.stem.removeprefix(f"samples_{self.record.task}_")
        return read_traces(self.samples.parent / "traces.jsonl", spans=True).get((date, self.record.task), {})


@dataclass(frozen=True, slots=True)
class Collected:
    """What a folder held. runs: the newest per model, task, setting and seed. problems: one sentence per unreadable
    run. superseded: one sentence per older run that was left out."""

    runs: list[Run] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    superseded: list[str] = field(default_factory=list)

    @property
    def records(self) -> list[RunRecord]:
        """The records of the runs."""
        return [run.record for run in self.runs]


def collect(*places: Path, metric: str | None = None, filter_name: str | None = None) -> Collected:
    """Reads every run under the folders (or results files) `places`.

    metric: the sample key that says how right an answer is, for tasks that are not ours. filter_name: which of several
    answer filters. Raises ReportError when there is no results file at all; damaged ones become `problems`.
    """
    found = Collected()
    newest: dict[str, Run] = {}
    traces: dict[Path, Traces] = {}
    for results_path in sorted({path for place in places for path in results_files(place)}):
        folder = results_path.parent
        if folder not in traces:
            traces[folder] = {}
            try:
                traces[folder] = read_traces(folder / "traces.jsonl")
            except ReportError as error:  # the samples still hold the means
                found.problems.append(str(error))
        try:
            results = read_results(results_path)
        except ReportError as error:
            found.problems.append(str(error))
            continue
        for task in results["configs"]:
            try:
                run = _run(results_path, results, task, traces[folder], metric, filter_name)
            except ReportError as error:
                found.problems.append(str(error))
            else:
                _keep_newest(run, newest, found.superseded)
    found.runs.extend(sorted(newest.values(), key=_order))
    return found


def _keep_newest(run: Run, newest: dict[str, Run], superseded: list[str]) -> None:
    record = run.record
    parts = [record.model, record.engine, record.task, dict(record.budget), dict(record.sampling), _seed(record)]
    identity = json.dumps(parts, sort_keys=True, default=str)
    older = newest.get(identity)
    if older is not None:
        dates = sorted([str(older.record.environment["date"]), str(record.environment["date"])])
        superseded.append(f"{record.label()}: the run of {dates[0]} is left out, that of {dates[1]} is newer")
    if older is None or str(older.record.environment["date"]) < str(record.environment["date"]):
        newest[identity] = run


def _seed(record: RunRecord) -> object:
    return record.environment.get("seed")


def _order(run: Run) -> tuple[str, str, str]:
    return run.record.model, run.record.task, str(sorted(run.record.budget.items(), key=str))


def _run(
    results_path: Path,
    results: Mapping[str, Any],
    task: str,
    traces: Traces,
    metric: str | None,
    filter_name: str | None,
) -> Run:
    date = date_of(results_path)
    samples_path = results_path.parent / f"samples_{task}_{date}.jsonl"
    if not samples_path.exists():
        raise ReportError(f"{samples_path}: missing, so {task} cannot be read: run lm_eval with --log_samples")
    everything = without_texts(read_lines(samples_path))
    chosen = chosen_filter(everything, filter_name, samples_path)
    rows = [(number, row) for number, row in everything if filter_of(row) == chosen]
    name = metric or metric_of(rows, samples_path)
    known = traces.get((date, task), {})
    questions = tuple(question_of(row, name, known, samples_path) for row in rows)
    check_questions(questions, str(samples_path))
    try:
        expected = ((results.get("n-samples") or {}).get(task) or {}).get("effective", len(questions))
        record = _record(results, task, date)
    except (KeyError, TypeError, AttributeError) as error:
        raise ReportError(
            f"{results_path}: not as lm_eval writes it ({type(error).__name__}: {error}): run the evaluation again"
        ) from None
    if len(questions) != expected:
        raise ReportError(
            f"{samples_path}: {len(questions)} questions, but {results_path.name} counts {expected}: "
            "the file was cut short or changed; run the evaluation again"
        )
    return Run(RunRecord(metric=name, checker=checker_of(rows), questions=questions, **record), samples_path, chosen)


def _record(results: Mapping[str, Any], task: str, date: str) -> dict[str, Any]:
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
    name = results.get("model_name") or model_args.get("pretrained") or model_args.get("model") or engine
    return {
        "kind": "measured",
        "model": str(name),
        "task": task,
        "task_version": str((results.get("versions") or {}).get(task, "")),
        "engine": engine,
        "budget": budget,
        "sampling": {name: value for name, value in generation.items() if name not in NOT_SAMPLING},
        "template": _template(results, options, config),
        "environment": {**_environment(results, model_args, date), "seed": options.get("seed")},
    }


def _template(results: Mapping[str, Any], options: Mapping[str, Any], config: Mapping[str, Any]) -> str:
    parts = [str(results.get(name)) for name in ("chat_template_sha", "system_instruction_sha", "fewshot_as_multiturn")]
    parts += [f"{name}={options[name]}" for name in PROMPT_OPTIONS if name in options]
    return digest([*parts, str(config.get("num_fewshot"))])


HARDWARE = re.compile(r"\s*(Model name|GPU \d+|OS|Python version|PyTorch version):")


def _environment(results: Mapping[str, Any], model_args: Mapping[str, Any], date: str) -> dict[str, Any]:
    config = results.get("config") or {}
    versions = {
        name: results[name] for name in ("lm_eval_version", "transformers_version", "git_hash") if results.get(name)
    }
    report = (config.get("s1") or {}).get("contamination_report")
    return {
        "date": date,
        **versions,
        **({"contamination_report": report} if report else {}),
        "model_args": dict(model_args),
        "model_sha": config.get("model_sha") or "",
        "limit": config.get("limit"),
        "seconds": results.get("total_evaluation_time_seconds"),
        "hardware": [
            line.strip() for line in str(results.get("pretty_env_info") or "").splitlines() if HARDWARE.match(line)
        ],
    }
