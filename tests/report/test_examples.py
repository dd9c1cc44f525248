"""The example workflow: its commands exist, its baseline is a record, and a worse model is stopped by it."""

import shlex
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from s1_report.cli import main
from s1_report.runs import load_runs, store

ROOT = Path(__file__).parents[2]
BASELINE = ROOT / "examples" / "baseline"


def gate_command(new, folder):
    """The arguments of the workflow's gate step, on other runs and into another folder."""
    workflow = yaml.safe_load((ROOT / "examples" / "gate-nano.yml").read_text())
    (step,) = [step["run"] for step in workflow["jobs"]["gate"]["steps"] if step.get("name") == "Gate"]
    words = shlex.split(step)
    assert words[:3] == [".venv/bin/s1-report", "gate", "examples/baseline"]
    files = [str(folder / word) if word.startswith("gate.") else word for word in words[4:]]
    return ["s1-report", "gate", str(BASELINE), str(new), *files]


def run(arguments, monkeypatch):
    monkeypatch.setattr("sys.argv", arguments)
    with pytest.raises(SystemExit) as stop:
        main()
    return stop.value.code or 0


def test_the_baseline_holds_both_settings_of_the_embedded_model():
    records = load_runs(BASELINE)
    assert [(record.task, record.num_waits, len(record.questions)) for record in records] == [
        ("s1_nano_wait0", 0, 500),
        ("s1_nano_wait2", 2, 500),
    ]
    assert records[1].accuracy > records[0].accuracy + 0.3


def test_the_workflow_passes_the_baseline_itself(tmp_path, monkeypatch):
    assert run(gate_command(BASELINE, tmp_path), monkeypatch) == 0
    assert "Gate: PASS" in (tmp_path / "gate.md").read_text()


def test_the_workflow_stops_a_model_that_lost_ten_points(tmp_path, monkeypatch):
    def worse(record):
        spoiled = [
            replace(question, correct=(0.0,)) if index % 10 == 0 else question
            for index, question in enumerate(record.questions)
        ]
        return replace(record, questions=tuple(spoiled))

    store([worse(record) for record in load_runs(BASELINE)], tmp_path / "new")
    assert run(gate_command(tmp_path / "new", tmp_path), monkeypatch) == 1
    assert "Gate: REGRESSION" in (tmp_path / "gate.md").read_text()
