"""Exports, validated by their readers: huggingface_hub, the schemas of Every Eval Ever, the csv module."""

import csv
import hashlib
import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from huggingface_hub import ModelCardData, parse_eval_result_entries

from s1_report.cli import main
from s1_report.collect import collect
from s1_report.export import hub, readme, tables
from s1_report.export.every_eval import Publisher, export
from s1_report.record import ReportError
from s1_report.runs import load_runs, store

ROOT = Path(__file__).parents[2]
SCHEMAS = Path(__file__).parent / "schemas"


def rows(right, of):
    return [[int(index < right)] for index in range(of)]


@pytest.fixture
def gpqa(run_folder):
    return run_folder("gpqa", {"gpqa_diamond": rows(118, 198)}, waits={"gpqa_diamond": 2}, model="org/model")


def test_hub_results_are_read_by_huggingface_hub_on_the_scale_of_the_benchmark(gpqa, run_folder):
    path, text = hub.eval_results(collect(gpqa).records[0], "https://example.org/logs")
    (entry,) = parse_eval_result_entries(yaml.safe_load(text))
    assert path == ".eval_results/gpqa_diamond.yaml"
    assert (entry.dataset_id, entry.task_id) == ("Idavidrein/gpqa", "diamond")
    assert entry.value == pytest.approx(100 * 118 / 198)
    assert (entry.date, entry.source_url) == ("2026-11-23", "https://example.org/logs")
    assert "num_waits=2" in entry.notes
    _, aime = hub.eval_results(collect(run_folder("aime", {"aime26": rows(15, 30)})).records[0])
    assert parse_eval_result_entries(yaml.safe_load(aime))[0].value == pytest.approx(50.0)


def test_hub_results_are_refused_for_unregistered_benchmarks_and_parts(run_folder):
    with pytest.raises(ReportError, match="not a benchmark registered"):
        hub.eval_results(collect(run_folder("math", {"math500": rows(9, 10)})).records[0])
    with pytest.raises(ReportError, match="10 of the 198 questions"):
        hub.eval_results(collect(run_folder("part", {"gpqa_diamond": rows(9, 10)})).records[0])


def test_model_index_is_read_by_huggingface_hub(gpqa):
    data = yaml.safe_load(hub.model_index(collect(gpqa).records, "model"))
    card = ModelCardData(**data)
    (result,) = card.eval_results
    assert (result.dataset_type, result.metric_type) == ("Idavidrein/gpqa", "accuracy")
    assert result.metric_value == pytest.approx(100 * 118 / 198, abs=1e-4)


def test_yaml_keeps_hostile_strings_as_they_are():
    value = {
        "list": [{"a": 'x: "y" # no', "b": [1, 2.5, None, True]}, {"c": "line\nline é \\"}],
        "empty": "",
        "word": "no",
    }
    assert yaml.safe_load(hub.to_yaml(value)) == value


def test_every_eval_ever_files_fit_its_schemas_and_one_another(run_folder):
    jsonschema = pytest.importorskip("jsonschema", reason="validates against the vendored JSON Schemas")
    folder = run_folder("aime", {"aime24": [[1, 0], [0, 0], [1, 1]]}, waits={"aime24": 2})
    (run,) = collect(folder).runs
    files = export(run, Publisher("our lab", "third_party", "org/model"), "1795395165.3")
    (aggregate_path, aggregate_text), (samples_path, samples_text) = files.items()
    aggregate = json.loads(aggregate_text)
    instances = [json.loads(line) for line in samples_text.splitlines()]
    for name, values in (("aggregate", [aggregate]), ("instance", instances)):
        schema = json.loads((SCHEMAS / f"every_eval_ever_0.3.0_{name}.json").read_text())
        for value in values:
            jsonschema.Draft7Validator(schema).validate(value)
    # What its validator asks beyond the schemas: one folder, one UUID, one identity, counted rows.
    assert aggregate["detailed_evaluation_results"]["file_path"] == samples_path
    assert samples_path == aggregate_path.replace(".json", "_samples.jsonl")
    assert aggregate["detailed_evaluation_results"]["total_rows"] == len(instances) == 6
    assert aggregate["detailed_evaluation_results"]["checksum"] == hashlib.sha256(samples_text.encode()).hexdigest()
    assert {row["evaluation_id"] for row in instances} == {aggregate["evaluation_id"]}
    assert {row["model_id"] for row in instances} == {aggregate["model_info"]["id"]} == {"org/model"}
    assert aggregate["evaluation_results"][0]["score_details"]["score"] == pytest.approx(0.5)
    assert [row["evaluation"]["is_correct"] for row in instances] == [True, False, False, False, True, True]
    assert instances[0]["output"]["reasoning_trace"][0].count("Wait") == 2
    again = export(run, Publisher("our lab", "third_party", "org/model"), "1795395165.3")
    assert again == files


def test_every_eval_ever_reads_output_of_other_models_too(run_folder):
    folder = run_folder("plain", {"gsm8k": rows(1, 2)}, plain=True)
    files = export(collect(folder).runs[0], Publisher("lab", "other", "org/model"), "0")
    instances = [json.loads(line) for line in list(files.values())[1].splitlines()]
    assert [row["evaluation"]["score"] for row in instances] == [1.0, 0.0]


def test_a_publisher_without_developer_is_refused():
    with pytest.raises(ReportError, match="developer/model"):
        Publisher("lab", "other", "model")
    with pytest.raises(ReportError, match="first_party"):
        Publisher("lab", "friend", "org/model")


def test_csv_and_markdown_hold_every_record_with_its_interval(gpqa):
    records = collect(gpqa).records + load_runs(ROOT / "results" / "published" / "table5_waits.json")
    read = list(csv.DictReader(io.StringIO(tables.as_csv(records))))
    assert len(read) == len(records)
    assert float(read[0]["low"]) < float(read[0]["accuracy"]) == pytest.approx(118 / 198, abs=1e-6)
    assert tables.as_markdown(records).count("\n") == len(records) + 2


def test_results_readme_is_up_to_date():
    stale = "results/README.md is stale: run s1-report readme --write"
    assert (ROOT / "results" / "README.md").read_text() == readme.generate(ROOT / "results"), stale


def test_measured_runs_stand_beside_their_published_numbers(run_folder, tmp_path):
    published = tmp_path / "published"
    published.mkdir()
    (published / "waits.json").write_text((ROOT / "results" / "published" / "table5_waits.json").read_text())
    folder = run_folder("s1", {"aime24": rows(16, 30)}, waits={"aime24": 2}, model="simplescaling/s1-32B")
    store(collect(folder).records, tmp_path / "measured")
    text = readme.generate(tmp_path)
    assert "| simplescaling/s1-32B | aime24 | 2 | 53.3 | 53.3 | 36.1 to 69.8 | yes |" in text


def call(capsys, monkeypatch, *arguments):
    monkeypatch.setattr("sys.argv", ["s1-report", *map(str, arguments)])
    with pytest.raises(SystemExit) as stop:
        main()
    captured = capsys.readouterr()
    return stop.value.code or 0, captured.out, captured.err


def test_nothing_is_written_without_write(gpqa, tmp_path, capsys, monkeypatch):
    code, out, _ = call(capsys, monkeypatch, "export", "hub", gpqa, "--output", tmp_path / "out")
    assert (code, "nothing was written" in out, (tmp_path / "out").exists()) == (0, True, False)
    code, _, _ = call(capsys, monkeypatch, "export", "hub", gpqa, "--output", tmp_path / "out", "--write")
    assert (code, (tmp_path / "out" / ".eval_results" / "gpqa_diamond.yaml").exists()) == (0, True)
    options = ["--model-id", "org/model", "--organization", "lab"]
    code, out, _ = call(capsys, monkeypatch, "export", "every-eval-ever", gpqa, *options)
    assert (code, "data/gpqa_diamond/org/model/" in out) == (0, True)
    code, _, err = call(capsys, monkeypatch, "export", "every-eval-ever", gpqa)
    assert (code, "--model-id" in err) == (2, True)


def test_the_readme_command_says_when_it_is_stale(tmp_path, capsys, monkeypatch):
    (tmp_path / "published").mkdir()
    (tmp_path / "published" / "t.json").write_text((ROOT / "results" / "published" / "model_card.json").read_text())
    assert call(capsys, monkeypatch, "readme", tmp_path, "--check")[0] == 1
    assert call(capsys, monkeypatch, "readme", tmp_path, "--write")[0] == 0
    assert call(capsys, monkeypatch, "readme", tmp_path, "--check")[0] == 0


def test_a_leaderboard_takes_no_rows_that_nobody_else_can_see(gpqa):
    (record,) = collect(gpqa).records
    local = replace(record, rows={"file": "gpqa_diamond.jsonl", "sha256": "ab" * 32})
    with pytest.raises(ReportError, match=r"rows came from the local file gpqa_diamond\.jsonl.*without S1_DATA_DIR"):
        hub.eval_results(local)
    fetched = replace(record, rows={"hub": "Idavidrein/gpqa", "revision": "0" * 40})
    _, text = hub.eval_results(fetched)
    (entry,) = yaml.safe_load(text)
    assert entry["dataset"] == {"id": "Idavidrein/gpqa", "task_id": "diamond", "revision": "0" * 40}
    assert "does not say where the rows came from" not in entry["notes"]


def test_a_part_of_the_questions_is_named_in_every_export(run_folder):
    (record,) = collect(run_folder("part", {"math500": rows(3, 5)})).records
    part = replace(record, asked=5, available=500)
    text = hub.model_index([part], "model")
    assert "only 5 of 500 questions" in text
    assert "MATH-500, 5 of 500 questions" in text
    assert "| 5 of 500 |" in tables.as_markdown([part])
    (row,) = csv.DictReader(io.StringIO(tables.as_csv([part])))
    assert (row["questions"], row["of"]) == ("5", "500")


def test_the_model_id_names_the_model_in_tables_and_max_cut_is_held(run_folder, gpqa, capsys, monkeypatch):
    code, out, _ = call(capsys, monkeypatch, "export", "csv", gpqa, "--model-id", "me/mine")
    assert (code, "me/mine" in out, "org/model" in out) == (0, True, False)
    folder = run_folder("cut", {"aime24": rows(1, 2)})
    traces = [json.loads(line) | {"cut_off": 1} for line in (folder / "traces.jsonl").read_text().splitlines()]
    (folder / "traces.jsonl").write_text("".join(json.dumps(trace) + "\n" for trace in traces))
    for form in ("csv", "markdown", "model-index"):
        code, _, err = call(capsys, monkeypatch, "export", form, folder, "--max-cut", "50")
        assert (code, "100.0 % of the responses were cut off, more than --max-cut 50" in err) == (2, True)
    code, _, err = call(capsys, monkeypatch, "gate", folder, folder, "--max-cut", "50")
    assert (code, "--max-cut 50" in err) == (2, True)
