"""Rows from a directory and from the Hub, and the sentences a user gets when they are not as expected."""

import csv
import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import datasets
import pytest

from s1_contract.errors import DataError
from s1_tasks.data import load, load_nano, rows_from
from s1_tasks.prompts import choice_order

AIME = {"file": "aime24", "hub": "simplescaling/aime24_nofigures", "answer_kind": "integer"}
MATH = {"file": "math500", "hub": "simplescaling/openaimath", "split": "test", "answer_kind": "math"}
GPQA = {"file": "gpqa_diamond", "hub": "Idavidrein/gpqa", "config": "gpqa_diamond", "answer_kind": "choice"}

GOOD_ROW = '{"problem": "How many days has a week?", "answer": "7"}\n'


@pytest.fixture
def aime_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str | bytes], Path]:
    def write(content: str | bytes) -> Path:
        path = tmp_path / "aime24.jsonl"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        monkeypatch.setenv("S1_DATA_DIR", str(tmp_path))
        return path

    return write


def error_of(s1_dataset: dict[str, str], **metadata: str) -> str:
    with pytest.raises(DataError) as raised:
        load(s1_dataset=s1_dataset, **metadata)
    message = str(raised.value)
    assert "\n" not in message, "an error is one sentence"
    return message


def test_rows_of_a_directory_become_documents(rows_dir: Path) -> None:
    rows = load(s1_dataset=AIME)["test"]
    assert rows["id"] == ["made-up-1", "made-up-2", "made-up-3"]
    assert rows["answer"] == ["7", "360", "25"], "AIME answers lose their leading zeros"
    math = load(s1_dataset=MATH)["test"]
    assert math["answer"][0] == "\\frac{1}{2}"
    assert math["subject"] == ["Algebra", "Geometry", "Algebra"]
    assert math["level"] == ["1", "2", "3"]
    assert math["id"] == ["math500-0", "math500-1", "math500-2"]


def test_the_question_column_and_integer_answers_are_read_too(rows_dir: Path) -> None:
    rows = load(s1_dataset=AIME | {"file": "aime25"})["test"]
    assert rows["problem"] == ["What is eleven times eleven?", "What is the sum of 1 to 10?"]
    assert rows["answer"] == ["121", "55"]


def test_a_multiple_choice_document_records_order_and_letter(rows_dir: Path) -> None:
    rows = load(s1_dataset=GPQA)["test"]
    assert rows["id"] == ["rec-made-up-1", "rec-made-up-2", "rec-made-up-3"]
    right = {"rec-made-up-1": "yellow", "rec-made-up-2": "iron", "rec-made-up-3": "a dog"}
    for row in rows:
        assert row["choices"]["ABCD".index(row["answer"])] == right[row["id"]], "stripped, and where the letter says"
        assert row["choice_order"].index(0) == "ABCD".index(row["answer"])
        assert sorted(row["choice_order"]) == [0, 1, 2, 3]
    assert tuple(rows[1]["choice_order"]) == choice_order(rows[1]["question"], ["iron", "oxygen", "neon", "helium"])


def test_row_order_changes_no_choice_order(rows_dir: Path) -> None:
    before = {row["id"]: row for row in load(s1_dataset=GPQA)["test"]}
    path = rows_dir / "gpqa_diamond.csv"
    with path.open(encoding="utf-8", newline="") as lines:
        header, *rows = csv.reader(lines)
    with path.open("w", encoding="utf-8", newline="") as lines:
        csv.writer(lines).writerows([header, *reversed(rows)])
    after = {row["id"]: row for row in load(s1_dataset=GPQA)["test"]}
    assert list(after) == list(reversed(before))
    assert after == before


def test_multiple_choice_rows_may_come_as_json_lines(rows_dir: Path) -> None:
    from_csv = load(s1_dataset=GPQA)["test"].to_list()
    (rows_dir / "gpqa_diamond.csv").unlink()
    line = {"Question": "Which animal barks?", "Correct Answer": "a dog", "Record ID": "rec-made-up-3"}
    line |= {"Incorrect Answer 1": "a fish", "Incorrect Answer 2": "a fish", "Incorrect Answer 3": "a snail"}
    (rows_dir / "gpqa_diamond.jsonl").write_text(json.dumps(line), encoding="utf-8")
    assert load(s1_dataset=GPQA)["test"].to_list() == from_csv[2:]


def test_the_metadata_argument_wins_over_the_variable(rows_dir: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "aime24.jsonl").write_text(GOOD_ROW, encoding="utf-8")
    assert len(load(s1_dataset=AIME, s1_data_dir=str(other), pretrained="ignored")["test"]) == 1
    assert len(load(s1_dataset=AIME)["test"]) == 3


@pytest.mark.parametrize("degrees", ["336^\\circ", "336^{\\circ}", "$336^\\circ$", "336°", " 336 "])
def test_a_degree_sign_is_no_part_of_an_aime_answer(aime_file: Callable[[str], Path], degrees: str) -> None:
    aime_file(json.dumps({"problem": "Which angle?", "answer": degrees}))
    assert load(s1_dataset=AIME)["test"]["answer"] == ["336"]


def test_empty_lines_a_byte_order_mark_and_windows_line_ends_are_read_over(aime_file: Callable[[bytes], Path]) -> None:
    aime_file(b"\xef\xbb\xbf" + GOOD_ROW.strip().encode() + b"\r\n\r\n" + GOOD_ROW.encode() + b"\n")
    assert len(load(s1_dataset=AIME)["test"]) == 2


def test_a_missing_file_names_directory_files_columns_and_the_way_back(rows_dir: Path) -> None:
    (rows_dir / "aime24.jsonl").unlink()
    message = error_of(AIME)
    for part in (
        f"S1_DATA_DIR is {rows_dir}",
        "aime24.jsonl",
        "aime24.csv",
        '"problem"',
        '"answer"',
        "unset S1_DATA_DIR",
    ):
        assert part in message
    assert "s1_data_dir is" in error_of(AIME, s1_data_dir=str(rows_dir))


def test_a_directory_that_does_not_exist_is_named(tmp_path: Path) -> None:
    assert f"{tmp_path / 'absent'}, which is not a directory of this machine: put" in error_of(
        AIME, s1_data_dir=str(tmp_path / "absent")
    )


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", ["aime24.jsonl", "0 rows", "expected one row a question"]),
        (GOOD_ROW + '{"problem": "cut of\n', ["aime24.jsonl, line 2", "not JSON", "one JSON object a line"]),
        (GOOD_ROW + "[1, 2]\n", ["line 2", "a JSON list", "expected an object"]),
        (
            '{"prompt": "Q?", "answer": "7"}',
            ["line 1", "'problem' or 'question' or 'Problem'", "['answer', 'prompt']", "add it"],
        ),
        ('{"problem": " ", "answer": "7"}', ["line 1", "column 'problem' is ' '", "expected text"]),
        ('{"problem": 5, "answer": "7"}', ["line 1", "column 'problem' is 5", "expected text"]),
        (GOOD_ROW + "\n" + '{"problem": "Q?"}', ["line 3", "'answer' is None", "expected a string or an integer"]),
        ('{"problem": "Q?", "answer": 7.5}', ["line 1", "'answer' is 7.5", "expected a string or an integer"]),
        ('{"problem": "Q?", "answer": true}', ["line 1", "'answer' is True"]),
        ('{"problem": "Q?", "answer": "seven"}', ["line 1", "'seven'", "expected an integer from 0 to 999"]),
        ('{"problem": "Q?", "answer": "1000"}', ["line 1", "'1000'", "expected an integer from 0 to 999"]),
        ('{"problem": "Q?", "answer": -1}', ["line 1", "-1", "expected an integer from 0 to 999"]),
        (b'{"problem": "\xff", "answer": "7"}', ["aime24.jsonl", "not UTF-8"]),
    ],
)
def test_a_bad_row_is_named_with_its_line_and_what_was_expected(
    aime_file: Callable[[str | bytes], Path], content: str | bytes, said: list[str]
) -> None:
    path = aime_file(content)
    message = error_of(AIME)
    assert str(path) in message
    assert [part for part in said if part not in message] == [], message


def test_an_empty_reference_of_a_mathematical_answer_stops_the_task(aime_file: Callable[[str], Path]) -> None:
    aime_file("").with_name("math500.jsonl").write_text('{"problem": "Q?", "answer": " "}', encoding="utf-8")
    message = error_of(MATH)
    assert "math500.jsonl, line 1" in message
    assert "empty" in message


def test_a_missing_or_empty_choice_column_is_named(rows_dir: Path) -> None:
    path = rows_dir / "gpqa_diamond.csv"
    whole = path.read_text("utf-8")
    path.write_text(whole.replace("Incorrect Answer 3", "Distractor"), encoding="utf-8")
    assert "no column 'Incorrect Answer 3'" in error_of(GPQA)
    path.write_text(whole.replace(",neon,", ",,"), encoding="utf-8")
    assert "'Incorrect Answer 2' is ''" in error_of(GPQA)
    path.write_text(whole.splitlines()[0], encoding="utf-8")
    assert "0 rows" in error_of(GPQA)


def test_a_broken_task_stops_in_the_harness_before_any_model_is_asked(
    task_manager: object, aime_file: Callable[[str], Path]
) -> None:
    aime_file('{"problem": "Q?", "answer": "seven"}')
    with pytest.raises(DataError, match="line 1"):
        task_manager.load(["aime24"])  # type: ignore[attr-defined]


def test_nano_problems_need_no_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("S1_DATA_DIR", "/nowhere")
    rows = load_nano(pretrained="ignored")["test"]
    assert len(rows) == 500
    assert set(rows["answer_kind"]) == {"integer"}


# The Hub's client reads its settings once, at import, so these run in a process of their own.

LOAD = "import json, sys; from s1_tasks.data import load\ntry: load(s1_dataset=json.loads(sys.argv[1]))\n"
LOAD += "except ValueError as error: print(type(error).__name__, error)"


def said_by_another_process(s1_dataset: dict[str, str], tmp_path: Path, **variables: str) -> str:
    kept = {name: value for name, value in os.environ.items() if name not in {"S1_DATA_DIR", "HF_TOKEN"}}
    ended = subprocess.run(
        [sys.executable, "-c", LOAD, json.dumps(s1_dataset)],
        env=kept | {"HF_HOME": str(tmp_path / "hub")} | variables,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return ended.stdout


def test_a_hub_that_cannot_be_reached_is_a_sentence_that_names_the_way_without_it(tmp_path: Path) -> None:
    message = said_by_another_process(AIME, tmp_path, HF_HUB_OFFLINE="1")
    for part in ("DataError simplescaling/aime24_nofigures could not be loaded", "aime24.jsonl", "set S1_DATA_DIR"):
        assert part in message


class GatedHub(BaseHTTPRequestHandler):
    """Answers every request as the Hub answers one for a gated dataset without a token."""

    def do_GET(self) -> None:
        self.send_response(401)
        self.send_header("X-Error-Code", "GatedRepo")
        self.send_header("X-Error-Message", "Access to dataset Idavidrein/gpqa is restricted. You must log in.")
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_HEAD = do_GET

    def log_message(self, format: str, *args: object) -> None:
        """Quiet: pytest's output is for the tests."""


@pytest.fixture
def gated_hub() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), GatedHub)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_gpqa_without_a_token_is_answered_with_the_two_steps_to_take(tmp_path: Path, gated_hub: str) -> None:
    message = said_by_another_process(GPQA, tmp_path, HF_ENDPOINT=gated_hub, HF_HUB_OFFLINE="0")
    for part in (
        "DataError Idavidrein/gpqa is gated",
        "(1) accept its conditions at https://huggingface.co/datasets/Idavidrein/gpqa",
        "(2) run `hf auth login` or set HF_TOKEN",
        "gpqa_diamond.jsonl",
        "S1_DATA_DIR",
    ):
        assert part in message, message


def test_it_is_told_where_rows_came_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = {"file": "aime24", "hub": "simplescaling/aime24_nofigures", "answer_kind": "integer"}
    (tmp_path / "aime24.jsonl").write_text('{"problem": "How many days has a week?", "answer": "7"}\n')
    load(source, s1_data_dir=str(tmp_path))
    told = rows_from(source)
    assert told["file"] == "aime24.jsonl"
    assert told["sha256"] == hashlib.sha256((tmp_path / "aime24.jsonl").read_bytes()).hexdigest()
    commit = "0123456789abcdef0123456789abcdef01234567"
    address = f"hf://datasets/simplescaling/aime24_nofigures@{commit}/data/train.parquet"
    rows = datasets.Dataset.from_list([{"problem": "How many days has a week?", "answer": "7"}])
    rows.info.download_checksums = {address: {"num_bytes": 1}}
    monkeypatch.setattr(datasets, "load_dataset", lambda *_, **__: rows)
    monkeypatch.delenv("S1_DATA_DIR", raising=False)
    load(source)
    assert rows_from(source) == {"hub": "simplescaling/aime24_nofigures", "split": "train", "revision": commit}
