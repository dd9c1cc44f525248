"""Every figure is drawn from records, as SVG and PNG, the same each time."""

from dataclasses import replace

import pytest

from s1_report.collect import collect
from s1_report.compare import compare
from s1_report.curve import curve
from s1_report.plots import answers, curves
from s1_report.record import ReportError, RunRecord
from s1_report.scaling import steps


@pytest.fixture
def records(run_folder):
    tasks = {f"s1_nano_wait{waits}": [[int(index < 8 + 2 * waits)] for index in range(20)] for waits in (0, 2, 4)}
    waits = {task: int(task[-1]) for task in tasks}
    tokens = {task: 40 + 20 * count for task, count in waits.items()}
    return collect(run_folder("nano", tasks, waits=waits, thinking_tokens=tokens)).records


def drawn(path):
    assert path.with_suffix(".png").read_bytes().startswith(b"\x89PNG")
    return path.with_suffix(".svg").read_text()


def test_flips(records, tmp_path):
    (series,) = curve(records)
    answers.draw_flips(steps(series), tmp_path / "flips", "Flips")
    assert all(text in drawn(tmp_path / "flips") for text in ("0 to 2 waits", "2 to 4 waits", "wrong to right"))
    with pytest.raises(ReportError, match="no flips to draw"):
        answers.draw_flips([], tmp_path / "none", "Flips")


def test_lengths_of_right_and_wrong_answers(records, tmp_path):
    answers.draw_lengths(records, tmp_path / "lengths", "Lengths")
    assert "right: 36 answers, mean 89" in drawn(tmp_path / "lengths")
    without = [
        replace(record, questions=tuple(replace(q, thinking_tokens=()) for q in record.questions)) for record in records
    ]
    with pytest.raises(ReportError, match="no thinking tokens"):
        answers.draw_lengths(without, tmp_path / "none", "Lengths")


def test_budget_curve(records, tmp_path):
    budgets = [replace(r, budget={"num_waits": 0, "max_thinking_tokens": 512 * 2**i}) for i, r in enumerate(records)]
    curves.draw_budgets(curve(budgets), tmp_path / "budgets", "Budgets")
    assert "max_thinking_tokens" in drawn(tmp_path / "budgets")
    with pytest.raises(ReportError, match="sets max_thinking_tokens"):
        curves.draw_budgets(curve(records), tmp_path / "none", "Budgets")


def test_forest_of_comparisons_with_the_margin(records, tmp_path):
    comparisons = [compare(record, record) for record in records]
    answers.draw_comparison(comparisons, tmp_path / "forest", "Changes", margin=0.05)
    assert "s1_nano_wait2 (20 x 1)" in drawn(tmp_path / "forest")


def test_published_against_measured(records, tmp_path):
    published = RunRecord(kind="published", model="nano", task="s1_nano_wait0", scores={"accuracy": 0.4})
    answers.draw_published([(published, records[0])], tmp_path / "published", "Published")
    assert "published accuracy" in drawn(tmp_path / "published")
    with pytest.raises(ReportError, match="published counterpart"):
        answers.draw_published([], tmp_path / "none", "Published")


def test_the_same_records_give_the_same_file(records, tmp_path):
    for name in ("one", "two"):
        curves.draw_curve(curve(records), tmp_path / name, "Curve")
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()


def test_without_matplotlib_the_error_says_what_to_install(records, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "matplotlib", None)
    with pytest.raises(ReportError, match="pip install"):
        curves.draw_curve(curve(records), tmp_path / "none", "Curve")


@pytest.fixture
def sweep(records):
    """Three settings of waits at the largest budget, and two smaller budgets without waits."""
    budgets = [
        replace(records[0], budget={"num_waits": 0, "max_thinking_tokens": limit}, task="s1_nano_wait0")
        for limit in (10, 1500)
    ]
    return curve([*records, *budgets])


def test_the_curve_has_a_branch_of_waits_and_a_branch_of_budgets(sweep, tmp_path):
    curves.draw_curve(sweep, tmp_path / "curve", "Curve")
    svg = drawn(tmp_path / "curve")
    for text in ("no wait", "2 waits", "4 waits", ">10<", ">1,500<", ">waits<", ">budgets<"):
        assert svg.count(text) >= 1, text
    (series,) = sweep
    waits, budgets = curves._branches(series)
    assert [waits.label(point) for _, point in waits.points] == ["no wait", "2 waits", "4 waits"]
    assert sorted(budgets.label(point) for _, point in budgets.points) == ["1,500", "10", "auto"]


def test_ticks_of_the_budget_figure_stand_at_the_budgets_and_auto_is_one_of_them(sweep, tmp_path):
    curves.draw_budgets(sweep, tmp_path / "budgets", "Budgets")
    svg = drawn(tmp_path / "budgets")
    assert all(f">{tick}<" in svg for tick in ("10", "1,500", "auto"))


def test_models_are_named_by_the_last_part_of_their_path(records, tmp_path):
    others = [replace(record, model="/a/very/long/path/other") for record in records]
    named = [replace(record, model="/somewhere/tuned") for record in records]
    curves.draw_curve(curve([*named, *others]), tmp_path / "models", "Models")
    svg = drawn(tmp_path / "models")
    assert "/somewhere" not in svg
    assert "tuned" in svg
    assert "other" in svg
