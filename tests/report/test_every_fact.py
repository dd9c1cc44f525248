"""Every outcome and every usage field, from a model's response through the real lm_eval's files to every report."""

import csv
import io
import json
import re
from types import SimpleNamespace

import pytest
from lm_eval.loggers import WandbLogger

from s1_contract.metrics import ALWAYS, OUTCOMES
from s1_contract.outcomes import Outcome
from s1_contract.usage import USAGE_FIELDS
from s1_report import curve, summary
from s1_report.audit import write_audit
from s1_report.collect import collect
from s1_report.export import hub, inspect_log, tables
from s1_report.export.every_eval import Publisher, export
from s1_report.failures import Failure
from s1_report.record import ReportError, from_json, to_json
from s1_report.rescore import checkers_of, rescore_run, score_rows
from tests.report.real_run import ANSWERS, evaluate, run, usage_of

QUESTIONS = range(len(ANSWERS))


@pytest.fixture(scope="module")
def results_and_run(tmp_path_factory):
    """lm_eval's results table, and the run that was read back from its files."""
    folder, rows = tmp_path_factory.mktemp("out"), tmp_path_factory.mktemp("rows")
    results = run(folder, rows, pretrained="org/model", num_waits=2)
    found = collect(folder)
    assert found.problems == []
    (one,) = found.runs
    return results["results"]["math500"], one


@pytest.fixture
def table(results_and_run):
    return results_and_run[0]


@pytest.fixture
def the_run(results_and_run):
    return results_and_run[1]


def test_lm_evals_table_has_every_outcome_and_every_usage_field(table):
    assert table["exact_match,none"] == pytest.approx(1 / 5)
    assert table["avg@2,none"] == pytest.approx(6 / 10)
    for name in OUTCOMES:
        assert table[f"{name},none"] == pytest.approx(1 / 10), name
    for name in USAGE_FIELDS:
        values = [usage_of(question, repeat)[name] for question in QUESTIONS for repeat in (0, 1)]
        assert table[f"{name},none"] == pytest.approx(sum(values) / 10), name


def test_lm_evals_wandb_tables_find_what_they_look_for(tmp_path):
    results = evaluate(tmp_path)
    samples, config = results["samples"]["math500"], results["configs"]["math500"]
    # The method that failed with KeyError 'tries'; it needs no account, and of its object nothing.
    table = WandbLogger._generate_dataset(SimpleNamespace(), samples, config)
    assert set(ALWAYS) <= set(table.columns)
    assert len(table) == len(ANSWERS)


def test_the_record_has_every_outcome_and_every_usage_field_per_repeat(the_run):
    record = the_run.record
    assert [question.outcomes for question in record.questions] == [
        (outcome.value, Outcome.CORRECT.value) for outcome in ANSWERS
    ]
    for number, question in enumerate(record.questions):
        for name in USAGE_FIELDS:
            told = [usage_of(number, repeat)[name] for repeat in (0, 1)]
            kept = getattr(question, name)
            assert kept == (tuple(told[:1]) if len(set(told)) == 1 and len(kept) == 1 else tuple(told)), name
    assert from_json(to_json(record), "again") == record


def test_the_record_knows_model_rows_settings_and_counts(the_run):
    record = the_run.record
    assert (record.model, record.filter, record.metric) == ("org/model", "none", "exact_match")
    assert record.identity == {"weights": "files 0a1b"}
    assert record.resolved["dtype"] == "float32"
    assert record.resolved["budget"] == {"max_thinking_tokens": 900}
    assert set(record.resolved["around"]) == {"before", "after"}
    assert "<user>" not in to_json(record), "texts stay in the results file; the record has their hash"
    assert record.environment["versions"] == {"vllm": "0.32.0"}
    assert (record.rows["file"], len(record.rows["sha256"])) == ("math500.jsonl", 64)
    assert (record.asked, record.available) == (5, 5)


def test_stats_say_what_lm_eval_says(the_run, table):
    row = dict(zip(summary.HEADERS, summary.row(the_run.record), strict=True))
    assert row["avg@k"] == f"{100 * table['avg@2,none']:.1f}"
    for name, outcome in OUTCOMES.items():
        assert row[outcome.value] == f"{100 * table[f'{name},none']:.1f}" == "10.0", name
    assert row["thinking tokens"] == f"{table['thinking_tokens,none']:,.0f}"
    # Cut: both repeats of question 2, and the second repeat of the four others.
    assert (row["cut off"], row["bounds"]) == ("60.0", "60.0 to 100.0")
    assert row["finished"] == "25.0"  # of the four first repeats that ended, one is right


def test_the_curve_has_usage_and_cut_offs(the_run):
    (row,) = curve.rows(curve.curve([the_run.record]))
    cells = dict(zip(curve.HEADERS, row, strict=True))
    assert (cells["waits asked"], cells["cut off"], cells["accuracy"]) == ("2", "60.0", "60.0")
    assert cells["thinking tokens"] == f"{the_run.record.mean_of('thinking_tokens'):,.0f}"


def test_audit_files_every_outcome_under_its_own_name_and_shows_the_whole_prompt(the_run, tmp_path):
    (page,) = write_audit([the_run], "Run", tmp_path / "audit.html")
    blocks = dict(
        re.findall(r'<script type="application/json" id="(\w+)">(.*?)</script>\n', page.read_text(encoding="utf-8"))
    )
    answers = json.loads(blocks["answers"])
    assert [answer["outcome"] for answer in answers[::2]] == [outcome.value for outcome in ANSWERS]
    names = {Outcome.NO_ANSWER: Failure.NO_ANSWER, Outcome.UNREADABLE: Failure.UNREADABLE}
    names |= {Outcome.TIMED_OUT: Failure.TIMED_OUT}
    for outcome, answer in zip(ANSWERS, answers[::2], strict=True):
        of_outcome = {failure.value for failure in names.values()} & set(answer["classes"])
        assert of_outcome == ({names[outcome].value} if outcome in names else set())
        assert Failure.WRONG.value not in answer["classes"] or outcome is Outcome.INCORRECT
    for number in range(10):
        part, place = answers[number]["part"]
        detail = json.loads(blocks[f"part{part}"])[place]
        assert detail["usage"] == usage_of(*divmod(number, 2))
        assert detail["prompt"] == f"<user>Question {number // 2}?</user>"


def test_rescoring_finds_the_logged_outcomes_again(the_run):
    result = rescore_run(the_run, {name: command for name, command in checkers_of([]).items() if name == "s1_tasks"})
    assert [answer.verdicts["s1_tasks"]["outcome"] for answer in result.answers] == [
        outcome.value for first in ANSWERS for outcome in (first, Outcome.CORRECT)
    ]
    assert [row[3] for row in score_rows(result)] == ["6", "6"]


def test_tables_have_a_column_for_every_usage_field(the_run):
    (row,) = csv.DictReader(io.StringIO(tables.as_csv([the_run.record])))
    for name in USAGE_FIELDS:
        assert float(row[name]) == pytest.approx(the_run.record.mean_of(name)), name
    assert (float(row["cut_share"]), float(row["upper_bound"]), row["rows"]) == (0.6, 1.0, "math500.jsonl")
    assert "60.0 to 100.0" in tables.as_markdown([the_run.record])


def test_every_eval_ever_has_every_outcome_and_usage(the_run):
    aggregate, samples = export(the_run, Publisher("lab", "other", "org/model"), "0").values()
    rows = [json.loads(line) for line in samples.splitlines()]
    assert [row["metadata"]["outcome"] for row in rows[::2]] == [outcome.value for outcome in ANSWERS]
    for number, row in enumerate(rows):
        told = {name: int(row["metadata"][name]) for name in USAGE_FIELDS}
        assert told == usage_of(*divmod(number, 2))
        assert row["input"]["raw"] == f"<user>Question {number // 2}?</user>"
    details = json.loads(aggregate)["evaluation_results"][0]["score_details"]["details"]
    assert set(details) == set(USAGE_FIELDS)
    source = json.loads(aggregate)["evaluation_results"][0]["source_data"]
    assert source["source_type"] == "other", "rows of a local file are not the Hub's"
    assert json.loads(aggregate)["model_info"]["inference_engine"] == {"name": "s1_vllm", "version": "0.32.0"}


def test_inspects_reader_opens_its_log(the_run, tmp_path):
    log_module = pytest.importorskip("inspect_ai.log", reason="needs inspect_ai, the extra `inspect`")
    name, content = inspect_log.export(the_run)
    (tmp_path / name).write_bytes(content)
    log = log_module.read_eval_log(tmp_path / name)
    assert (log.status, log.eval.task, log.eval.model) == ("success", "math500", "org/model")
    assert log.results.scores[0].metrics["accuracy"].value == pytest.approx(0.6)
    samples = {(sample.id, sample.epoch): sample for sample in log.samples}
    assert len(samples) == 10
    for (question, epoch), sample in samples.items():
        assert sample.metadata == usage_of(int(question), epoch - 1)
        (score,) = sample.scores.values()
        expected = list(ANSWERS)[int(question)] if epoch == 1 else Outcome.CORRECT
        assert score.metadata["outcome"] == expected.value
    reasoning, answer = samples["0", 1].messages[1].content
    assert (reasoning.reasoning, answer.text) == (r"first \boxed{5}", r"</musing>\boxed{7}")


def test_the_hub_takes_no_local_rows_and_model_index_says_so(the_run):
    with pytest.raises(ReportError, match="not a benchmark registered"):
        hub.eval_results(the_run.record)
    text = hub.model_index([the_run.record], "model")
    assert "only 5 of 500 questions" in text
    assert "rows from the local file math500.jsonl" in text
    assert "simplescaling/openaimath" not in text
