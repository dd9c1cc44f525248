"""What nobody should write into a log, and somebody will: a sentence and exit code 2, or a report that still holds."""

import json
import sys
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from s1_contract.errors import DataError
from s1_contract.files import write_whole
from s1_report import gate_formats, paired, stats
from s1_report.cli import main
from s1_report.collect import collect
from s1_report.compare import compare
from s1_report.export.tables import markdown_table
from s1_report.gate import gate
from s1_report.record import ReportError, from_json, load, to_json
from s1_report.runs import load_runs, store

ROOT = Path(__file__).parents[2]
ANSWERS = {"aime24": [[1]] * 20 + [[0]] * 10}


@pytest.fixture
def report(monkeypatch, capsys):
    """report("stats", folder) -> (exit code, standard error)."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["s1-report", *map(str, arguments)])
        try:
            main()
        except SystemExit as leaving:
            return leaving.code or 0, capsys.readouterr().err
        return 0, capsys.readouterr().err

    return call


def rewrite(path: Path, change) -> None:
    rows = [change(json.loads(line)) for line in path.read_text().splitlines()]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def samples_of(folder: Path) -> Path:
    return next(folder.glob("samples_*.jsonl"))


@pytest.mark.parametrize("command", ["stats", "flips", "gate"])
def test_published_records_hold_no_questions_and_that_is_said(report, command):
    place = ROOT / "results" / "published" / "table1_main.json"
    code, error = report(command, *[place] * (2 if command == "gate" else 1))
    assert code == 2
    assert "published records hold no questions" in error


def test_a_results_file_without_tasks_is_named(report, run_folder):
    folder = run_folder("run", ANSWERS)
    path = next(folder.glob("results_*.json"))
    path.write_text(json.dumps({**json.loads(path.read_text()), "configs": {}}))
    for arguments in (("gate", folder, folder), ("export", "model-index", folder), ("rescore", folder)):
        code, error = report(*arguments)
        assert code == 2
        assert str(path) in error
        assert "no task" in error


def test_a_file_that_cannot_be_written_is_exit_code_2_and_not_a_regression(report, run_folder, tmp_path):
    folder = run_folder("run", ANSWERS)
    for option in (("--markdown", tmp_path), ("--json", samples_of(folder) / "gate.json"), ("-o", "/proc/none/x")):
        code, error = report("gate", folder, folder, *option)
        assert code == 2
        assert "cannot be written" in error


def test_a_fault_of_the_program_is_not_a_regression_either(report, run_folder, monkeypatch):
    folder = run_folder("run", ANSWERS)
    monkeypatch.setattr("s1_report.gate.overall", None)
    code, error = report("gate", folder, folder)
    assert code == 2
    assert "TypeError" in error
    assert "fault of s1-report" in error


@pytest.mark.parametrize("line", ["1" * 5000, "[" * 200_000, "null", '{"a": '])
@pytest.mark.parametrize("pattern", ["results_*.json", "samples_*.jsonl", "traces.jsonl"])
def test_json_that_python_refuses_is_named(run_folder, line, pattern):
    folder = run_folder("run", ANSWERS)
    path = next(folder.glob(pattern))
    path.write_text(line if pattern.startswith("results") else path.read_text() + line + "\n")
    problems = collect(folder).problems
    assert len(problems) == 1
    assert problems[0].startswith(str(path))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "12", None])
def test_a_count_in_a_trace_that_is_no_number_is_not_recorded(run_folder, tmp_path, value):
    folder = run_folder("run", ANSWERS)
    rewrite(folder / "traces.jsonl", lambda row: row | {"thinking_tokens": value})
    record = collect(folder).records[0]
    assert record.mean_of("thinking_tokens") == 100.0  # the mean of the samples
    assert load(store([record], tmp_path / "records")[0]) == record


def test_the_page_is_json_that_browsers_read_also_when_a_log_holds_nan(report, run_folder, tmp_path):
    folder = run_folder("run", ANSWERS)
    rewrite(samples_of(folder), lambda row: row | {"verdicts": [{**row["verdicts"][0], "seconds": float("nan")}]})
    assert report("audit", folder, "-o", tmp_path / "audit.html")[0] == 0
    page = (tmp_path / "audit.html").read_text()
    assert ": NaN" not in page
    assert '"NaN"' in page


def test_half_a_surrogate_pair_survives_in_a_record(run_folder, tmp_path):
    folder = run_folder("run", ANSWERS)
    rewrite(samples_of(folder), lambda row: row | {"verdicts": [{**row["verdicts"][0], "answer": "\ud800|x"}]})
    record = collect(folder).records[0]
    path = store([record], tmp_path)[0]
    path.read_text(encoding="utf-8")
    assert load(path).questions[0].answers == record.questions[0].answers == (r"\ud800|x",)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"budget": None}, "budget is None: Input should be an object"),
        ({"questions": ["x"]}, "not a run record"),
        (
            {"questions": [{"key": "a", "correct": ["1"]}]},
            r"questions\.0\.correct\.0 is '1': Input should be a valid number",
        ),
        ({"questions": [{"key": "a", "correct": 1}]}, r"questions\.0\.correct is 1: Input should be a valid array"),
        ({"questions": [{"key": "a", "correct": [1], "waits_used": ["x"]}]}, "waits_used"),
        ({"questions": [{"key": 5, "correct": [1]}]}, r"questions\.0\.key is 5: Input should be a valid string"),
        ({"questions": []}, "neither questions nor an accuracy"),
        ({"kind": "guessed"}, "kind is 'guessed': Input should be 'measured' or 'published'"),
        ({"budget": {"num_waits": "many"}}, "whole number"),
    ],
)
def test_a_record_of_the_wrong_shape_is_named(change, words):
    whole = {"schema": 1, "kind": "measured", "model": "m", "task": "t", "questions": [{"key": "a", "correct": [1]}]}
    assert from_json(json.dumps(whole), "file.json").accuracy == 1.0
    with pytest.raises(ReportError, match=words) as caught:
        from_json(json.dumps(whole | change), "file.json")
    assert str(caught.value).startswith("file.json: ")


def test_collecting_the_same_logs_at_another_commit_keeps_the_records(run_folder, tmp_path):
    record = collect(run_folder("run", ANSWERS)).records[0]
    first = replace(record, environment={**record.environment, "git_hash": "abc", "commit": "1"})
    path = store([first], tmp_path)[0]
    before = path.read_text()
    later = replace(first, environment={**first.environment, "commit": "2"})
    assert store([later], tmp_path) == [path]
    assert path.read_text() == before
    with pytest.raises(ReportError, match="never changed"):
        store([replace(later, checker="another")], tmp_path)
    with pytest.raises(ReportError, match="two runs"):
        store([first, later], tmp_path)


def test_hostile_names_leave_junit_readable_and_tables_whole(run_folder):
    wait = "\nWait|\x00\x1b\ud800</failure>"
    runs = [
        collect(run_folder(name, {"a|b": [[1]] * 30}, generation={"wait_text": text})).records[0]
        for name, text in (("base", "Wait"), ("new", wait))
    ]
    checks = gate([compare(*runs, allow=("budget",))], {}, 0.05)
    checks[0].comparison.new.label().encode("ascii")
    broken = replace(checks[0], reason="line\nbreak \x00 | end")
    suite = ElementTree.fromstring(gate_formats.junit([broken]).encode("utf-8"))
    assert suite[0].get("name") == "a|b"
    table = [line for line in gate_formats.markdown([broken]).splitlines() if line.startswith("|")]
    assert len({line.replace("\\|", "").count("|") for line in table}) == 1
    assert markdown_table(["a"], [["x|y\nz"]]).splitlines()[2] == "| x\\|y z |"


def test_a_reference_that_no_checker_can_read_does_not_stop_the_others(report, run_folder):
    folder = run_folder("run", {"aime24": [[1], [1]]}, plain=True)
    rewrite(samples_of(folder), lambda row: row | {"target": "" if row["doc_id"] == 0 else row["target"], "doc": [1]})
    code, error = report("rescore", folder)
    assert (code, error) == (0, "")


def test_logs_of_old_harnesses_can_be_read_in_the_page(report, run_folder, tmp_path):
    folder = run_folder("run", ANSWERS, plain=True)
    rewrite(samples_of(folder), lambda row: row | {"arguments": [["an old prompt", {"until": []}]]})
    assert report("audit", folder, "-o", tmp_path / "audit.html")[0] == 0
    assert "an old prompt" in (tmp_path / "audit.html").read_text()


def test_statistics_refuse_what_is_no_sample():
    for correct in ([], [[]], [[float("nan")]], [[1.5]]):
        with pytest.raises(ValueError, match=r"expected at least one question|from 0 to 1"):
            stats.accuracy_interval(correct)
    for drawn in (0, -1, 3):
        with pytest.raises(ValueError, match=r"needs \d repeats"):
            stats.pass_at_k([[1, 0]], drawn)
        with pytest.raises(ValueError, match=r"needs \d repeats"):
            stats.maj_at_k([[1, 0]], [["1", "2"]], drawn)
    for successes, trials in ((2, 1), (-1, 3), (float("nan"), 3), (0, 0)):
        with pytest.raises(ValueError, match="successes"):
            stats.wilson(successes, trials)


@pytest.mark.parametrize("values", [[], [float("nan")], [0.5, float("inf")]])
def test_paired_statistics_refuse_nan_instead_of_finding_a_drop_in_it(values):
    for statistic in (paired.sign_flip, lambda row: paired.standard_error(row, 1), stats.bootstrap_interval):
        with pytest.raises(ValueError, match="finite numbers"):
            statistic(values)


def test_a_new_task_outside_the_baseline_is_named_and_not_gated(report, run_folder):
    base = run_folder("base", ANSWERS)
    new = run_folder("new", {**ANSWERS, "math500": [[1]] * 30})
    code, error = report("gate", base, new, "--margin", "40")
    assert code == 0
    assert "math500 is not in the baseline" in error


def test_the_curve_is_drawn_from_records_too(report, run_folder, tmp_path):
    folder = run_folder("run", {"t_wait0": [[0]] * 9, "t_wait2": [[1]] * 9}, waits={"t_wait0": 0, "t_wait2": 2})
    store(collect(folder).records, tmp_path / "records")
    code, error = report("curve", tmp_path / "records", "-o", tmp_path / "curve")
    assert (code, error) == (0, "")
    assert (tmp_path / "curve.svg").exists()


def test_one_question_has_an_interval_that_says_almost_nothing():
    interval = stats.accuracy_interval([[1]])
    assert interval.high == 1.0
    assert interval.low < 0.35


def test_a_text_is_written_whole_or_not_at_all(tmp_path):
    target = tmp_path / "there"
    target.mkdir()
    with pytest.raises(DataError, match="cannot be written"):
        write_whole(target, "text")
    assert [path.name for path in tmp_path.iterdir()] == ["there"]


def test_a_folder_of_published_and_measured_records_gives_the_measured_ones(run_folder, tmp_path):
    record = collect(run_folder("run", ANSWERS)).records[0]
    store([record], tmp_path / "results")
    published = '{"schema": 1, "kind": "published", "model": "m", "task": "t", "scores": {"accuracy": 0.5}}'
    (tmp_path / "results" / "published.json").write_text(published)
    assert len(load_runs(tmp_path / "results")) == 2
    assert load_runs(tmp_path / "results", measured=True) == [from_json(to_json(record), "file")]


@pytest.mark.parametrize("right", [0, 1])
def test_the_share_lies_in_its_interval_when_all_answers_agree(right):
    for count in range(1, 200):
        low, high = stats.accuracy_interval([[right]] * count)
        assert low <= right <= high
