"""The hash of a contamination report: one and the same from the check to the record of an evaluation."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from s1_contract.errors import DataError
from s1_models.harness.run_facts import contamination_report
from s1_report.collect import collect
from tests.conftest import NANO, ROOT
from training.curate.__main__ import app as curate
from training.curate.tables import canonical_hash
from training.nano.ablation import pool_rows
from training.sft import checkpoint, data
from training.sft.__main__ import app as sft

BENCHMARKS = Path(__file__).parent / "fixtures" / "benchmarks"
HIT = "A gardener plants tulips in 7 rows of 9 and then goes home."
NEAR = "Simplify $3x + 4x$. Now."


def check(tmp_path: Path, questions: list[str], *options: str) -> tuple[str, Path]:
    """What `curate check` prints of some questions, and the report that it writes."""
    rows, report = tmp_path / "mine.jsonl", tmp_path / "report.json"
    rows.write_text("".join(json.dumps({"question": question}) + "\n" for question in questions))
    where = ("--questions", str(BENCHMARKS), "--benchmark", "math500", "--report", str(report))
    shown = CliRunner().invoke(curate, ["check", str(rows), *where, *options], env={"COLUMNS": "160"})
    assert shown.exit_code == 1, shown.output
    return shown.output, report


def test_near_duplicates_are_in_the_written_report_and_in_its_hash(tmp_path: Path) -> None:
    plain, _ = check(tmp_path, [HIT, NEAR], "--rule", "s1")
    output, report = check(tmp_path, [HIT, NEAR], "--rule", "s1", "--near", "0.5")
    assert "2 of 2 rows rejected" in output
    content = json.loads(report.read_text())
    assert content["rows_rejected"] == 1
    [near] = content["near_duplicates"]["hits"]
    assert near["detail"].startswith("math500 made-up-2: Jaccard index")
    assert f"report {canonical_hash(content)[:16]}" in output
    assert plain.rpartition("report ")[2] != output.rpartition("report ")[2]


def test_a_report_given_to_fine_tuning_has_the_hash_that_the_check_printed(tmp_path: Path) -> None:
    output, report = check(tmp_path, [HIT])
    found = checkpoint.contamination(report, {})
    assert found is not None
    assert f"report {found['report_sha256'][:16]}" in output
    assert found["rows_rejected"] == 1
    assert "tulips" not in json.dumps(found)
    report.write_text("rows: 3")
    with pytest.raises(DataError, match=r"report.json is no contamination report .*curate check DATA --report"):
        checkpoint.contamination(report, {})


def test_a_baselines_manifest_is_that_of_its_run(tmp_path: Path) -> None:
    manifest = {"contamination": {"report_sha256": "abc"}}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    (tmp_path / "baselines").mkdir()
    rows = tmp_path / "baselines" / "random.jsonl"
    rows.write_text(json.dumps({"question": "q", "thinking": "t", "answer": "a"}) + "\n")
    assert data.load_rows(str(rows))[1] == manifest


@pytest.mark.parametrize("record", [None, "{", "[]", "{}", '{"contamination": null}'])
def test_a_model_without_a_report_names_none(tmp_path: Path, record: str | None) -> None:
    if record is not None:
        (tmp_path / "sft.json").write_text(record)
    assert contamination_report(str(tmp_path)) is None
    assert contamination_report("Qwen/Qwen2.5-0.5B-Instruct") is None


@pytest.mark.slow
def test_the_hash_goes_from_the_check_through_the_checkpoint_into_the_record(tmp_path: Path) -> None:
    _, report = check(tmp_path, [HIT])
    rows, out = tmp_path / "train.jsonl", tmp_path / "tuned"
    rows.write_text("".join(json.dumps(row) + "\n" for row in pool_rows(16)))
    run = ["run", "--recipe", "nano", "--model", str(NANO), "--data", str(rows), "--max-steps", "2", "--out", str(out)]
    command = [sys.executable, "-m", "training.sft", *run, "--contamination-report", str(report)]
    trained = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert trained.returncode == 0, trained.stderr[-2000:]
    digest = canonical_hash(json.loads(report.read_text()))
    assert json.loads((out / "sft.json").read_text())["contamination"]["report_sha256"] == digest
    arguments = ["evaluate", str(NANO), str(out), "--tasks", "s1_nano", "--engine", "s1_hf", "--limit", "4"]
    arguments += ["--model-args", "num_waits=1,dtype=float32,max_length=1024"]
    done = CliRunner().invoke(sft, [*arguments, "--out", str(tmp_path / "compared")], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    names = ("base", "tuned", "tuned_waits")
    (base,), (tuned,), (waits,) = (collect(tmp_path / "compared" / name).records for name in names)
    assert waits.environment["contamination_report"] == digest
    assert tuned.environment["contamination_report"] == digest
    assert "contamination_report" not in base.environment
    assert (len(base.questions), len(tuned.questions)) == (4, 4)
