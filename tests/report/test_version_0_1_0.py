"""What version 0.1.0 (commit 6cf2abc) wrote stays readable: its records, results, samples and traces (version_0_1_0/).

Made there with the embedded model: `s1-eval --model s1_hf` on s1_nano_wait0 and s1_nano_wait2 (4 problems each), and on
s1_nano with rejection sampling (3 problems, n=3); the records by that version's `s1-report collect`.
"""

import json
import shutil
from pathlib import Path

import pytest

from s1_contract.usage import REJECTED_TOKENS, TRIES, WAITS_USED
from s1_report import summary
from s1_report.audit import write_audit
from s1_report.collect import collect
from s1_report.compare import compare
from s1_report.record import from_json, load, to_json
from s1_report.rescore import LOGGED, PLAIN, rescore_run, score_rows

HERE = Path(__file__).parent / "version_0_1_0"
RECORDS = sorted(HERE.glob("*.json"))


@pytest.fixture(scope="module")
def runs():
    """Every run of the old output folders, by task."""
    found = collect(HERE)
    assert (found.problems, found.superseded) == ([], [])
    return {run.record.task: run for run in found.runs}


def test_the_old_folders_hold_three_runs_with_their_settings(runs):
    assert {task: run.record.num_waits for task, run in runs.items()} == {
        "s1_nano": 0,
        "s1_nano_wait0": 0,
        "s1_nano_wait2": 2,
    }
    assert runs["s1_nano"].record.budget["rejection_tries"] is True
    assert runs["s1_nano"].record.repeats == 3
    assert {run.record.filter for run in runs.values()} == {"none"}


def test_usage_under_its_former_names_is_read(runs, tmp_path):
    assert [question.waits_used for question in runs["s1_nano_wait2"].record.questions] == [(2,)] * 4
    rejected = runs["s1_nano"].record
    assert rejected.mean_of(TRIES) == pytest.approx(16.0)  # as the old result table says
    assert rejected.mean_of(REJECTED_TOKENS) == pytest.approx(300.0)
    shutil.copytree(HERE / "waits", tmp_path / "waits")
    (tmp_path / "waits" / "traces.jsonl").unlink()
    without = {run.record.task: run.record for run in collect(tmp_path).runs}
    assert without["s1_nano_wait2"].mean_of(WAITS_USED) == 2.0, "the samples call it waits"


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
def test_an_old_record_is_read_and_compares_with_the_logs_it_came_from(runs, path):
    old = load(path)
    now = runs[old.task].record
    assert json.loads(path.read_text())["schema"] == 1
    assert old.filter == ""
    for before, after in zip(old.questions, now.questions, strict=True):
        assert (before.key, before.correct, before.outcomes) == (after.key, after.correct, after.outcomes)
        assert (before.thinking_tokens, before.waits_used) == (after.thinking_tokens, after.waits_used)
    assert compare(old, now).change == 0
    assert from_json(to_json(old), "again") == old
    assert summary.row(old)[3:14] == summary.row(now)[3:14]


def test_old_logs_reach_the_page_and_the_checker(runs, tmp_path):
    (written,) = write_audit(list(runs.values()), "Old", tmp_path / "audit.html")
    page = written.read_text(encoding="utf-8")
    assert page.count('"phase": "thinking"') > 20
    for run in runs.values():
        rows = score_rows(rescore_run(run, {PLAIN: None}))
        assert rows[0][1] == LOGGED
        assert rows[0][2] == str(len(run.record.questions) * run.record.repeats)
