"""Reading lm_eval's output folders, whole and damaged, and the records made of them."""

import json
import math
from dataclasses import replace

import pytest

from s1_report.cli import main
from s1_report.collect import collect
from s1_report.record import ReportError, from_json, to_json
from s1_report.runs import load_runs, store

DATE = "2026-11-23T00-54-02.643481"
TWO = {"aime24": [[1, 0], [1, 1], [0, 0]]}


def one(folder):
    (record,) = collect(folder).records
    return record


def test_verdicts_and_traces_give_every_repeat_its_outcome_and_tokens(run_folder):
    record = one(run_folder("run", TWO, waits={"aime24": 2}, thinking_tokens={"aime24": 100}))
    assert [question.correct for question in record.questions] == [(1, 0), (1, 1), (0, 0)]
    assert record.questions[0].outcomes == ("correct", "incorrect")
    assert record.questions[0].answers == ("1", "-1")
    assert record.questions[0].thinking_tokens == (100, 101)
    assert record.questions[0].waits_used == (2, 2)
    assert (record.repeats, record.num_waits, record.checker, record.engine) == (2, 2, "0.1.0", "s1_vllm")
    assert record.environment["hardware"] == ["OS: Debian", "Model name:   Some CPU"]


def test_a_record_names_the_contamination_report_of_its_model(run_folder):
    folder = run_folder("run", TWO)
    assert "contamination_report" not in one(folder).environment
    (results,) = folder.glob("results_*.json")
    content = json.loads(results.read_text())
    content["config"]["s1"] = {"budget": {}, "memo": None, "contamination_report": "0123abcd"}
    results.write_text(json.dumps(content))
    record = one(folder)
    assert record.environment["contamination_report"] == "0123abcd"
    assert from_json(to_json(record), "x") == record


def test_without_traces_the_means_of_the_samples_are_kept(run_folder):
    record = one(run_folder("run", TWO, waits={"aime24": 2}, thinking_tokens={"aime24": 100}, traces=False))
    assert record.questions[0].thinking_tokens == (100.0,)
    assert record.mean_of("thinking_tokens") == 100.0


def test_the_budget_is_read_from_gen_kwargs_model_args_and_the_names_of_s1(run_folder):
    by_args = run_folder("a", TWO, model_args={"pretrained": "m", "thinking_n_ignore": 4, "max_tokens_thinking": 2048})
    assert dict(one(by_args).budget) == {"num_waits": 4, "max_thinking_tokens": 2048}
    by_text = run_folder("b", TWO, model_args="pretrained=m,num_waits=1,max_thinking_tokens=auto")
    assert dict(one(by_text).budget) == {"num_waits": 1, "max_thinking_tokens": "auto"}
    task_wins = run_folder("c", TWO, model_args={"num_waits": 4}, waits={"aime24": 2})
    assert one(task_wins).num_waits == 2
    assert one(run_folder("d", TWO)).num_waits == 0


def test_output_of_other_models_has_one_repeat_and_no_counts(run_folder):
    record = one(run_folder("plain", TWO, plain=True))
    assert [question.correct for question in record.questions] == [(1,), (1,), (0,)]
    assert record.num_waits is None
    assert record.mean_of("thinking_tokens") is None
    assert record.checker == ""


def edit_samples(folder, change):
    (path,) = folder.glob("samples_*")
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    path.write_text("".join(json.dumps(row) + "\n" for row in change(rows)))
    return path


def test_another_metric_and_another_filter_can_be_chosen(run_folder):
    folder = run_folder("plain", TWO, plain=True)

    def with_filters(rows):
        for name, shift in (("strict", 0.0), ("flexible", 1.0)):
            yield from ({**row, "filter": name, "acc": shift} for row in rows)

    edit_samples(folder, with_filters)
    assert collect(folder).records[0].accuracy == pytest.approx(2 / 3)
    assert collect(folder, metric="acc", filter_name="flexible").records[0].accuracy == 1.0
    (problem,) = collect(folder, filter_name="none").problems
    assert "strict, flexible" in problem


def nan(rows):
    rows[1]["exact_match"] = math.nan
    return rows


def twice(rows):
    return [*rows, rows[0]]


def cut(rows):
    return rows[:-1]


def no_verdict(rows):
    return [{**row, "verdicts": [{"answer": "1"}]} for row in rows]


def unknown_outcome(rows):
    return [{**row, "verdicts": [{**verdict, "outcome": "zzz"} for verdict in row["verdicts"]]} for row in rows]


def no_metric(rows):
    return [{name: value for name, value in row.items() if name not in ("metrics", "verdicts")} for row in rows]


@pytest.mark.parametrize(
    ("change", "plain", "words"),
    [
        (nan, True, ["line 2", "NaN", "--metric"]),
        (twice, False, ["occurs twice", "duplicate"]),
        (cut, False, ["2 questions", "counts 3"]),
        (no_verdict, False, ["line 1", "outcome"]),
        (unknown_outcome, False, ["line 1", "the outcome 'zzz'", "no answer, unreadable, timed out"]),
        (no_metric, True, ["no numeric metric", "--metric"]),
        (lambda rows: [], False, ["holds no samples"]),
    ],
)
def test_damaged_samples_get_a_sentence_that_names_file_and_fix(run_folder, change, plain, words):
    folder = run_folder("run", TWO, plain=plain)
    path = edit_samples(folder, change)
    found = collect(folder)
    assert found.records == []
    (problem,) = found.problems
    assert all(word in problem for word in [str(path), *words]), problem


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        (f"results_{DATE}.json", '{"configs": {', ["damaged JSON", "line 1"]),
        (f"results_{DATE}.json", "[1]", ["no results of lm_eval"]),
        (f"results_{DATE}.json", '{"configs": {"aime24": null}}', ["not as lm_eval writes it"]),
        (f"results_{DATE}.json", '{"configs": {"gsm8k": {}}}', ["samples_gsm8k", "--log_samples"]),
        (f"samples_aime24_{DATE}.jsonl", "[]\n", ["line 1", "expected an object"]),
    ],
)
def test_damaged_files_get_a_sentence_that_names_the_file(run_folder, name, text, words):
    folder = run_folder("run", TWO)
    (folder / name).write_text(text)
    found = collect(folder)
    assert found.records == []
    assert all(word in found.problems[0] for word in [str(folder), *words]), found.problems


def test_a_damaged_trace_is_named_and_the_means_of_the_samples_are_read(run_folder):
    folder = run_folder("run", TWO, waits={"aime24": 2}, thinking_tokens={"aime24": 100})
    traces = folder / "traces.jsonl"
    traces.write_text(traces.read_text()[:-40])
    found = collect(folder)
    assert found.records[0].questions[0].thinking_tokens == (100.0,)
    (problem,) = found.problems
    assert f"{traces}, line 6" in problem


def test_bytes_that_are_no_text_are_named(run_folder):
    folder = run_folder("run", TWO)
    (folder / f"samples_aime24_{DATE}.jsonl").write_bytes(b'{"a": "\xff"}\n')
    assert "not UTF-8" in collect(folder).problems[0]


def test_a_record_survives_json_and_is_one_line_per_question(run_folder):
    record = one(run_folder("run", TWO, waits={"aime24": 2}))
    text = to_json(record)
    assert from_json(text, "here") == record
    assert sum(line.lstrip().startswith('{"key"') for line in text.splitlines()) == 3


def test_a_damaged_record_is_refused_with_its_name(run_folder):
    text = to_json(one(run_folder("run", TWO)))
    for damaged, words in (
        (text[:-20], "JSON is damaged"),
        (
            text.replace('"schema": 2', '"schema": 99'),
            "schema 99, but this version reads up to schema 2: update lm-eval-s1",
        ),
        (text.replace('"schema": 2', '"schema": "two"'), "schema 'two', expected a run record of schema 2"),
        (text.replace('"engine"', '"engin"'), "unknown fields engin"),
        (text.replace('"correct": [1.0, 0.0]', '"correct": [7.0, 0.0]'), "expected one number from 0 to 1"),
        (text.replace('"correct": [1.0, 0.0]', '"correct": [NaN, 0.0]'), "NaN"),
    ):
        with pytest.raises(ReportError, match=r"place\.json") as error:
            from_json(damaged, "place.json")
        assert words in str(error.value)


def test_stored_records_are_named_by_task_model_date_and_budget_and_never_changed(run_folder, tmp_path):
    record = one(run_folder("run", TWO, waits={"aime24": 2}, model="org/model"))
    (path,) = store([record], tmp_path / "measured")
    assert path.relative_to(tmp_path / "measured").parts[:2] == ("aime24", "org_model")
    assert path.name == f"{DATE}_nocommit_wait2.json"
    assert store([record], tmp_path / "measured") == [path]
    with pytest.raises(ReportError, match="never changed"):
        store([replace(record, model="org/model", checker="other")], tmp_path / "measured")
    assert load_runs(tmp_path / "measured") == [record]


def test_collect_writes_what_is_whole_names_what_is_not_and_leaves_nothing_half(
    run_folder, tmp_path, monkeypatch, capsys
):
    folder = run_folder("run", {"aime24": [[1]], "math500": [[1], [0]]})
    (folder / f"samples_math500_{DATE}.jsonl").write_text('{"doc_id": 0, "doc_')
    monkeypatch.setattr("sys.argv", ["s1-report", "collect", str(folder), "--output", str(tmp_path / "records")])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 2
    written = [path.name for path in (tmp_path / "records").rglob("*") if path.is_file()]
    assert len(written) == 1
    assert load_runs(tmp_path / "records")[0].task == "aime24"
    assert "samples_math500" in capsys.readouterr().err


def test_a_task_of_somebody_else_that_scores_its_repeats_as_one_gets_their_mean_tokens(run_folder):
    folder = run_folder("run", {"foreign": [[1, 0], [0, 0]]}, waits={"foreign": 2}, thinking_tokens={"foreign": 40})
    (samples,) = folder.glob("samples_*.jsonl")
    rows = [json.loads(line) for line in samples.read_text().splitlines()]
    for row in rows:
        for name in ("verdicts", "thinking_tokens", "answer_tokens", "waits", "cut_off"):
            del row[name]
    samples.write_text("".join(json.dumps(row) + "\n" for row in rows))
    (record,) = collect(folder).records
    assert record.repeats == 1
    assert [question.thinking_tokens for question in record.questions] == [(40.5,), (40.5,)]
    assert [question.waits_used for question in record.questions] == [(2.0,), (2.0,)]
