"""Where a task's questions come from: the Hugging Face Hub, or a directory on this machine.

lm_eval calls `load` with a task's `dataset_kwargs` and with its metadata, in which `--metadata` (and all of
`--model_args`) arrives. A directory is used when `--metadata s1_data_dir=DIR` or the variable `S1_DATA_DIR` names one;
it then has to hold every requested task's rows, as `<file>.jsonl` or `<file>.csv`. Nothing falls back silently: a row
that cannot be asked or judged stops the task before anything is generated.
"""

import csv
import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from s1_contract.errors import DataError
from s1_contract.files import read_json_lines
from s1_contract.outcomes import Kind
from s1_tasks import nano_problems
from s1_tasks.answers import BrokenReference, check_reference
from s1_tasks.prompts import LETTERS, choice_order

if TYPE_CHECKING:
    from datasets import Dataset

Row = Mapping[str, Any]

PROBLEM_COLUMNS = ("problem", "question", "Problem")
ANSWER_COLUMNS = ("answer", "Short Answer")
ID_COLUMNS = ("id", "unique_id", "Record ID", "problem_idx", "Problem ID")
KEPT_COLUMNS = ("subject", "level", "problem_type", "Category")
CHOICE_COLUMNS = ("Correct Answer", "Incorrect Answer 1", "Incorrect Answer 2", "Incorrect Answer 3")
"""Columns of a GPQA row besides "Question"; the first one is the right choice."""

MAX_INTEGER = 999
"""AIME answers, and the nano problems' answers, are integers from 0 to this."""


@dataclass(frozen=True)
class Source:
    """Which rows a task asks: the `s1_dataset` mapping of its YAML file.

    `file` is the name without ending in a local directory; `hub`, `config`, `split` and `revision` are the place on the
    Hub (revision: a commit; None takes the newest); `answer_kind` says how answers are read (and, for "choice", which
    columns a row has). max_answer: the largest integer that may be an answer (AIME's by default); None: any.
    """

    file: str
    hub: str
    answer_kind: Kind
    config: str | None = None
    split: str = "train"
    revision: str | None = None
    max_answer: int | None = MAX_INTEGER


def load(
    s1_dataset: Mapping[str, Any], s1_data_dir: str | None = None, **_other_metadata: object
) -> dict[str, "Dataset"]:
    """The documents of one task as `{"test": Dataset}`, validated.

    Raises:
        DataError: when rows are missing, unreachable, or not as expected.
    """
    source = Source(**s1_dataset)
    _ROWS_FROM.pop(source, None)
    setting, directory = ("s1_data_dir", s1_data_dir) if s1_data_dir else ("S1_DATA_DIR", os.environ.get("S1_DATA_DIR"))
    if directory:
        place, rows = _local_rows(Path(directory).expanduser(), setting, source)
        _ROWS_FROM[source] = {"file": Path(place).name, "sha256": hashlib.sha256(Path(place).read_bytes()).hexdigest()}
    else:
        place, rows = f"{source.hub} on the Hub, split {source.split}", _hub_rows(source)
    return _as_dataset([_document(row, where, source, index) for index, (where, row) in enumerate(rows)], place)


def load_nano(**_metadata: object) -> dict[str, "Dataset"]:
    """The 500 held-out problems of the nano model, generated; no file and no Hub."""
    source = Source(file="s1_nano", hub="", answer_kind="integer")
    rows = nano_problems.held_out(num_problems=500, seed=0)
    return _as_dataset([_document(row, row["id"], source, index) for index, row in enumerate(rows)], "s1_nano")


_ROWS_FROM: dict[Source, dict[str, Any]] = {}


def rows_from(s1_dataset: Mapping[str, Any]) -> dict[str, Any]:
    """Where this process has loaded a task's rows from: the Hub's id, split and commit, or a file's name and SHA-256.

    Empty for what has not been loaded.
    """
    return dict(_ROWS_FROM.get(Source(**s1_dataset), {}))


def _as_dataset(documents: list[dict[str, Any]], place: str) -> dict[str, "Dataset"]:
    from datasets import Dataset

    if not documents:
        raise DataError(f"{place}: there are 0 rows; expected one row a question: put the questions there")
    kept = [key for key in documents[0] if all(key in document for document in documents)]
    return {"test": Dataset.from_list([{key: document[key] for key in kept} for document in documents])}


# Rows of a local directory


def _local_rows(directory: Path, setting: str, source: Source) -> tuple[str, list[tuple[str, Row]]]:
    candidates = [directory / f"{source.file}{ending}" for ending in (".jsonl", ".csv")]
    path = next((candidate for candidate in candidates if candidate.is_file()), None)
    if path is None:
        names = (candidate.name for candidate in candidates)
        found = f"has neither {' nor '.join(names)}" if directory.is_dir() else "is not a directory of this machine"
        raise DataError(
            f"{setting} is {directory}, which {found}: put the questions there as {candidates[0].name}, "
            f"one JSON object a line with the columns {_expected(source)}, "
            f"or unset {setting} to load {source.hub} from the Hub"
        )
    try:
        lines = list(_csv_rows(path) if path.suffix == ".csv" else read_json_lines(path))
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: byte {error.start} is not UTF-8; expected UTF-8 text: convert the file") from None
    return str(path), [(f"{path}, line {number}", row) for number, row in lines]


def _csv_rows(path: Path) -> Iterator[tuple[int, Row]]:
    with path.open(encoding="utf-8-sig", newline="") as lines:
        reader = csv.DictReader(lines)
        try:
            for row in reader:
                yield reader.line_num, {key: value for key, value in row.items() if value is not None}
        except csv.Error as error:
            raise DataError(f"{path}, line {reader.line_num}: not CSV ({error}): mend or remove the line") from None


# Rows of the Hub


def _hub_rows(source: Source) -> list[tuple[str, Row]]:
    import datasets

    try:
        rows = datasets.load_dataset(source.hub, source.config, split=source.split, revision=source.revision)
    except Exception as error:
        # Whatever the Hub's client raises (it has many types, and they change), the user gets one sentence.
        raise DataError(_why_not_loaded(error, source)) from error
    place = {"hub": source.hub, "config": source.config, "split": source.split, "revision": _revision(rows, source)}
    _ROWS_FROM[source] = {name: value for name, value in place.items() if value}
    return [(f"{source.hub}, split {source.split}, row {index}", row) for index, row in enumerate(rows)]


def _revision(rows: Any, source: Source) -> str | None:
    """The commit that was loaded: it stands in the addresses that `datasets` remembers; else what was asked for."""
    addresses = getattr(getattr(rows, "info", None), "download_checksums", None) or {}
    found = [match[1] for address in addresses if (match := re.search(r"@([0-9a-f]{40})/", str(address)))]
    return found[0] if found else source.revision


def _why_not_loaded(error: BaseException, source: Source) -> str:
    instead = (
        f"or put the questions into a directory as {source.file}.jsonl (columns {_expected(source)}) "
        "and set S1_DATA_DIR to it"
    )
    chain: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in chain:
        chain.append(cause)
        cause = cause.__cause__ or cause.__context__
    if any(type(one).__name__ == "GatedRepoError" or "gated dataset" in str(one) for one in chain):
        return (
            f"{source.hub} is gated on the Hub and this machine has no access to it: "
            f"(1) accept its conditions at https://huggingface.co/datasets/{source.hub} while logged in, "
            f"(2) run `hf auth login` or set HF_TOKEN to a token of that account; {instead}"
        )
    said = " ".join(str(error).split())[:300]
    return (
        f"{source.hub} could not be loaded from the Hub ({type(error).__name__}: {said}): "
        f"check that huggingface.co can be reached, {instead}"
    )


# A row -> a document


def _expected(source: Source) -> str:
    if source.answer_kind == "choice":
        return ", ".join(f'"{name}"' for name in ("Question", *CHOICE_COLUMNS))
    return '"problem" (or "question"), "answer"'


def _document(row: Row, where: str, source: Source, index: int) -> dict[str, Any]:
    named = next((row[name] for name in ID_COLUMNS if row.get(name) not in (None, "")), f"{source.file}-{index}")
    document: dict[str, Any] = {"id": str(named), "answer_kind": source.answer_kind}
    if source.answer_kind == "choice":
        document |= _choice_fields(row, where, source)
    else:
        document |= {"problem": _text(row, PROBLEM_COLUMNS, where, source)}
        document |= {"answer": _answer(row, where, source)}
        document |= {name: str(row[name]) for name in KEPT_COLUMNS if row.get(name) is not None}
    try:
        check_reference(document["answer"], source.answer_kind)
    except BrokenReference as error:
        raise DataError(f"{where}: {error}") from None
    return document


def _choice_fields(row: Row, where: str, source: Source) -> dict[str, Any]:
    question = _text(row, ("Question",), where, source)
    choices = [_text(row, (name,), where, source).strip() for name in CHOICE_COLUMNS]
    order = choice_order(question, choices)
    return {
        "question": question,
        "choices": [choices[index] for index in order],
        "choice_order": list(order),
        "answer": LETTERS[order.index(0)],
    }


def _text(row: Row, columns: tuple[str, ...], where: str, source: Source) -> str:
    """The first of `columns` that the row has, exactly as it stands."""
    present = next((name for name in columns if row.get(name) is not None), None)
    if present is None:
        raise DataError(
            f"{where}: no column {' or '.join(repr(name) for name in columns)} among {sorted(map(str, row))}; "
            f"expected {_expected(source)}: add it"
        )
    text = row[present]
    if not isinstance(text, str) or not text.strip():
        raise DataError(f"{where}: column {present!r} is {text!r}; expected text: fill it in or remove the row")
    return text


def _answer(row: Row, where: str, source: Source) -> str:
    column = next((name for name in ANSWER_COLUMNS if row.get(name) is not None), ANSWER_COLUMNS[0])
    value = row.get(column)
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # a column of whole numbers in which one row is empty
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise DataError(f"{where}: column {column!r} is {value!r}; expected a string or an integer: fill it in")
    text = str(value).strip()
    if source.answer_kind != "integer":
        return text
    # Some copies of AIME 2025 keep the degree sign of an angle, which is no part of the contest's answer.
    digits = re.fullmatch(r"\$?(\d{1,18})(?:\^\{?\\circ\}?|°)?\$?", text, re.ASCII)
    if digits is None or (source.max_answer is not None and int(digits[1]) > source.max_answer):
        most = "" if source.max_answer is None else f" from 0 to {source.max_answer}"
        raise DataError(f"{where}: column {column!r} is {value!r}; expected an integer{most}: correct it")
    return str(int(digits[1]))
