"""What a record lets somebody claim in public: which data set, how much of it, how it was scored, and what to add."""

from __future__ import annotations

from s1_contract.metrics import EXACT_MATCH, avg_at
from s1_contract.tasks import TaskData, rows_of
from s1_report.record import ReportError, RunRecord
from s1_report.truncation import truncation

HUB, FILE = "hub", "file"
"""Keys of `RunRecord.rows`: the data set's id on the Hub, or the local file's name."""


def dataset_of(record: RunRecord) -> TaskData | None:
    """The Hub's data set that was asked; None for rows of a local file, and for tasks that are not ours."""
    return None if record.rows.get(FILE) else rows_of(record.task)


def metric_of(record: RunRecord) -> str:
    """What the score is: accuracy for our tasks, else the metric and the filter by the names of the log."""
    if record.is_filtered:
        return f"{record.metric} ({record.filter})"
    if record.metric != EXACT_MATCH:
        return record.metric
    return avg_at(record.repeats) if record.repeats > 1 else "accuracy"


def caveats(record: RunRecord) -> list[str]:
    """What has to stand beside the score, each in a few words; empty when the claim is what it seems."""
    return [caveat for caveat in (_part_of(record), about_rows(record), _cut_off(record)) if caveat]


def _part_of(record: RunRecord) -> str:
    if record.is_part:
        return f"only {record.asked} of {record.available} questions"
    known = rows_of(record.task)
    if known is None or not 0 < len(record.questions) < known.rows:
        return ""
    return f"only {len(record.questions)} of {known.rows} questions"


def about_rows(record: RunRecord) -> str:
    """What has to be said of where the questions came from; "" when they are the Hub's."""
    if record.rows.get(FILE):
        return f"rows from the local file {record.rows[FILE]} (sha256 {str(record.rows.get('sha256'))[:16]})"
    unknown = record.questions and not record.rows and dataset_of(record) is not None
    return "the log does not say where the rows came from" if unknown else ""


def _cut_off(record: RunRecord) -> str:
    cut = truncation(record)
    if cut is None or cut.share == 0:
        return ""
    return (
        f"{100 * cut.share:.1f} % of the responses were cut off, so the score lies between "
        f"{100 * cut.score:.1f} and {100 * cut.high:.1f} %"
    )


def notes(record: RunRecord) -> str:
    """The setting and the caveats in one line, for people."""
    setting = {**record.budget, **record.prompting}
    words = [f"{name}={value}" for name, value in sorted(setting.items())]
    if "temperature" in record.sampling:
        words.append(f"temperature={record.sampling['temperature']}")
    if record.repeats > 1:
        words.append(f"mean of {record.repeats} repeats")
    if record.checker:
        words.append(f"answer check {record.checker}")
    return "; ".join([", ".join(["lm-eval-s1", *words]), *caveats(record)])


def refuse_part(record: RunRecord, why: str) -> None:
    """Raises ReportError for a run that is not of all the Hub's rows. why: who needs them."""
    known = rows_of(record.task)
    expected = known.rows if known else record.available
    if expected is not None and len(record.questions) != expected:
        raise ReportError(
            f"{record.label()}: {len(record.questions)} of the {expected} questions of {record.task} were asked: "
            f"{why} needs all, run it without --limit"
        )
    if record.rows.get(FILE):
        raise ReportError(
            f"{record.label()}: its rows came from the local file {record.rows[FILE]}, which nobody else can look at: "
            f"{why} needs the Hub's rows, run it without S1_DATA_DIR"
        )
