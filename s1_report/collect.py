"""Output folders of lm_eval (`--output_path DIR --log_samples`) -> run records.

Any model's output can be read. What only s1 models report (thinking tokens, waits, cut-offs) stays empty for the
others; per repeat it is taken from `traces.jsonl`, without that file from the samples, which hold means only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from s1_contract.errors import DataError
from s1_contract.files import read_json_lines
from s1_contract.places import TRACES_FILE, samples_file
from s1_contract.usage import USAGE_FIELDS
from s1_report.dates import dates_in_all
from s1_report.logs import Row, Traces, date_of, read_results, results_files, traces_beside
from s1_report.record import ReportError, RunRecord, check_questions
from s1_report.samples import DATED, by_filter, checker_of, filter_of, metric_of, question_of, without_texts
from s1_report.settings import around_question, settings_of


class Run(NamedTuple):
    """A record, the samples file it was made from (`traces.jsonl` lies beside it), and the date in that file's name.

    around: the texts before and after the prompt that lm_eval logged, where the results file tells them.
    """

    record: RunRecord
    samples: Path
    date: str
    around: Mapping[str, str]

    def rows(self) -> Iterator[Row]:
        """The run's samples, with their texts."""
        return (row for row in read_json_lines(self.samples) if filter_of(row[1]) == self.record.filter)

    def traces(self, spans: bool = True) -> dict[Any, list[dict[str, Any]]]:
        """The run's traces by doc_id, with their spans where wanted; empty for models that write none."""
        return traces_beside(self.samples.parent, spans).get((self.date, self.record.task), {})


@dataclass(frozen=True, slots=True)
class Collected:
    """What a folder held. runs: the newest of every run. problems: one sentence per unreadable run. superseded: one
    sentence per older run that was left out.
    """

    runs: list[Run] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    superseded: list[str] = field(default_factory=list)

    @property
    def records(self) -> list[RunRecord]:
        """The records of the runs."""
        return [run.record for run in self.runs]


def collect(*places: Path, metric: str | None = None, filter_name: str | None = None) -> Collected:
    """Reads every run under the folders (or results files) `places`: one per model, setting, task and answer filter.

    metric: the sample key that says how right an answer is, for tasks that are not ours. filter_name: only this answer
    filter. Raises ReportError when there is no results file at all; damaged ones become `problems`.
    """
    found = Collected()
    newest: dict[str, Run] = {}
    paths = sorted({path for place in places for path in results_files(place)})
    for folder in dict.fromkeys(path.parent for path in paths):
        here = [path for path in paths if path.parent == folder]
        for run in _runs_in(folder, here, metric, filter_name, found.problems):
            _keep_newest(run, newest, found.superseded)
    found.runs.extend(sorted(newest.values(), key=_order))
    return found


def _runs_in(
    folder: Path, paths: list[Path], metric: str | None, filter_name: str | None, problems: list[str]
) -> Iterator[Run]:
    """The runs of a folder's results files; what cannot be read becomes a problem."""
    traces: Traces = {}
    try:
        traces = traces_beside(folder)
    except DataError as error:  # the samples still hold the means
        problems.append(str(error))
    for path in paths:
        try:
            results = read_results(path)
        except DataError as error:
            problems.append(str(error))
            continue
        for task in results["configs"]:
            try:
                runs = _runs(path, results, task, traces, metric, filter_name)
            except DataError as error:
                problems.append(str(error))
            else:
                yield from runs


def _keep_newest(run: Run, newest: dict[str, Run], superseded: list[str]) -> None:
    identity = run.record.run_hash
    older = newest.get(identity)
    if older is not None:
        first, last = sorted([older.date, run.date])
        superseded.append(f"{run.record.label()}: the run of {first} is left out, that of {last} is newer")
    if older is None or older.date < run.date:
        newest[identity] = run


def _order(run: Run) -> tuple[str, str, str, str]:
    record = run.record
    return record.model, record.task, record.filter, str(sorted(record.budget.items(), key=str))


def _runs(
    results_path: Path,
    results: Mapping[str, Any],
    task: str,
    traces: Traces,
    metric: str | None,
    filter_name: str | None,
) -> list[Run]:
    date = date_of(results_path)
    samples_path = results_path.parent / samples_file(task, date)
    if not samples_path.exists():
        raise ReportError(f"{samples_path}: missing, so {task} cannot be read: run lm_eval with --log_samples")
    try:
        settings, around = settings_of(results, task, date), around_question(results, task)
    except (KeyError, TypeError, AttributeError) as error:
        raise ReportError(
            f"{results_path}: not as lm_eval writes it ({type(error).__name__}: {error}): run the evaluation again"
        ) from None
    known = traces.get((date, task), {})
    everything = without_texts(read_json_lines(samples_path))
    runs = []
    for name, rows in by_filter(everything, filter_name, samples_path).items():
        chosen = metric or metric_of(rows, samples_path)
        questions = tuple(question_of(row, chosen, known, samples_path) for row in rows)
        check_questions(questions, str(samples_path))
        dated = {**settings["environment"], **dates_in_all(row[DATED] for _, row in rows)}
        fields = {**settings, "environment": dated}
        record = RunRecord(metric=chosen, filter=name, checker=checker_of(rows), questions=questions, **fields)
        _check_count(record, results_path, samples_path)
        _check_traces(rows, known, traces, samples_path)
        runs.append(Run(record, samples_path, date, around))
    return runs


def _check_count(record: RunRecord, results_path: Path, samples_path: Path) -> None:
    if record.asked not in (None, len(record.questions)):
        raise ReportError(
            f"{samples_path}: {len(record.questions)} questions, but {results_path.name} counts {record.asked}: "
            "the file was cut short or changed; run the evaluation again"
        )


def _check_traces(rows: list[Row], known: Mapping[Any, Any], traces: Traces, samples_path: Path) -> None:
    """Raises ReportError for a traces file that is not of this run: another run's, or of other questions."""
    path = samples_path.parent / TRACES_FILE
    stray = next((row for _, row in rows if _is_stray(row, known.get(row.get("doc_id"), ()))), None)
    if stray is not None:
        raise ReportError(
            f"{path}: its trace of question {stray.get('doc_id')} belongs to another question than that of "
            f"{samples_path.name}: put the traces file of this run beside it, or remove it"
        )
    if traces and not known and rows[0][1].keys() & set(USAGE_FIELDS):
        runs = ", ".join(sorted({f"{task} of {date}" for date, task in traces}))
        raise ReportError(
            f"{path}: belongs to another run ({runs}), not to {samples_path.name}: put the traces file of this run "
            "beside it, or remove it"
        )


def _is_stray(row: Mapping[str, Any], traces: Iterable[Mapping[str, Any]]) -> bool:
    """Whether a trace is of another document than the sample."""
    return any(trace.get("doc_hash", row["doc_hash"]) != row["doc_hash"] for trace in traces)
