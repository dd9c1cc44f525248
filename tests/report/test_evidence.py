"""The shop window is true: every number of README and results/README comes out of the records again."""

import json
from pathlib import Path

import pytest

from benchmarks import nano_records
from s1_report.export import readme
from s1_report.runs import records_under

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "results"
MEASURED = records_under(RESULTS / "measured")


def test_results_readme_is_what_the_records_say():
    stale = "results/README.md is stale: run s1-report readme results --write"
    assert (RESULTS / "README.md").read_text() == readme.generate(RESULTS), stale


def test_the_nano_records_follow_from_the_raw_measurements():
    stale = "results/measured/nano.json is stale: run python -m benchmarks.nano_records"
    assert nano_records.RECORDS.read_text() == nano_records.text(), stale


@pytest.mark.parametrize("path", sorted(nano_records.RAW.glob("*.json")), ids=lambda path: path.stem)
def test_what_a_raw_measurement_says_of_itself_follows_from_its_digits(path):
    measured = json.loads(path.read_text())
    for setting in measured["settings"]:
        correct = setting["correct"]
        assert set(correct) <= {"0", "1"}
        assert (setting["right"], setting["problems"]) == (correct.count("1"), len(correct))
        assert setting["accuracy"] == pytest.approx(correct.count("1") / len(correct), abs=5e-5)
