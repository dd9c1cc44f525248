"""The shop window is true: every number of README and results/README comes out of the records again."""

import json
import re
from pathlib import Path

import pytest

from benchmarks import nano_records
from s1_report import curve
from s1_report.commands import table_lines
from s1_report.export import readme
from s1_report.plots.curves import draw_curve
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


def test_the_figure_of_the_embedded_model_is_drawn_from_the_records(tmp_path):
    """The SVG is made without a date, so the same records give the same file."""
    series = curve.curve(record for record in MEASURED if record.questions)
    assert {point.record.num_waits for one in series for point in one.points} == {0, 1, 2, 4, 8}
    title = "Waiting helps: the embedded model on 500 held-out problems"
    draw_curve(series, tmp_path / "curve", title)
    committed = (RESULTS / "figures" / "nano_curve.svg").read_text()
    drawn = re.compile(r'<path d="([^"]+)"')
    assert drawn.findall((tmp_path / "curve.svg").read_text()) == drawn.findall(committed)


def test_the_readmes_table_is_what_the_records_give():
    """Every line of README's demo is a line that `s1-report curve` prints of the records of the same settings."""
    shown = [record for record in MEASURED if record.questions and record.num_waits in (0, 1, 2, 4)]
    printed = [line.split() for line in table_lines(curve.HEADERS, curve.rows(curve.curve(shown)))]
    lines = (ROOT / "README.md").read_text().splitlines()
    quoted = [line.split() for line in lines if re.match(r"s1_nano_wait\d ", line)]
    assert len(quoted) >= 4
    for line in quoted:
        assert line in printed, f"README says {' '.join(line)}; s1-report curve results/measured says otherwise"
