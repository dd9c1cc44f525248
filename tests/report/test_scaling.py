"""The paper's three numbers from its published points, and the flips from wait to wait."""

from dataclasses import replace
from pathlib import Path

import pytest

from s1_report import scaling, summary
from s1_report.collect import collect
from s1_report.curve import curve
from s1_report.runs import load_runs
from s1_report.scaling import Run

PUBLISHED = Path(__file__).parents[2] / "results" / "published"
TOKENS = "token-conditional control"
STEPS = "step-conditional control"


def published():
    """method -> its runs on AIME24 (Tables 12 to 14), and method -> its row in Table 3."""
    points, table = {}, {}
    for record in load_runs(PUBLISHED / "tables12to14_control.json"):
        if record.task == "aime24" and record.budget.get("class_asked") != "none":
            right = round(record.accuracy * record.scores["questions"])  # 33.3 % of 30 questions are 10
            run = Run(record.scores["thinking_tokens"], right / record.scores["questions"])
            points.setdefault(record.budget["method"], []).append(run)
    for record in load_runs(PUBLISHED / "table3_methods.json"):
        table[record.budget["method"]] = record.scores
    return points, table


CHECKABLE = [TOKENS, f"{TOKENS} + budget forcing", STEPS, f"{STEPS} + budget forcing", "class-conditional control"]


@pytest.mark.parametrize("method", CHECKABLE)
def test_published_scaling_and_performance_come_out_of_the_published_points(method):
    points, table = published()
    assert round(scaling.scaling_per_doubling(points[method])) == table[method]["scaling"]
    assert scaling.performance(points[method]) == pytest.approx(table[method]["accuracy"], abs=5e-4)
    assert len(points[method]) == table[method]["runs"]


def test_no_other_unit_gives_the_published_scaling():
    points, table = published()
    runs = points[f"{TOKENS} + budget forcing"]
    assert scaling.scaling_per_token(runs) * 1000 * 100 == pytest.approx(6.2, abs=2)
    assert abs(100_000 * scaling.scaling_per_token(runs) - table[f"{TOKENS} + budget forcing"]["scaling"]) > 1


def test_published_control_comes_out_where_limits_are_tokens():
    points, table = published()
    limits = [1024, 2048, 4096, 8192, 16384]
    for method in (TOKENS, f"{TOKENS} + budget forcing"):
        assert scaling.control(points[method], limits) == pytest.approx(table[method]["control"])
    steps = [100 * steps for steps in (16, 32, 64, 128, 256)]  # the paper takes a step for 100 tokens
    assert scaling.control(points[STEPS], steps) == pytest.approx(table[STEPS]["control"])


def test_scaling_needs_two_different_token_counts():
    with pytest.raises(ValueError, match="two runs"):
        scaling.scaling_per_doubling([Run(100, 0.5), Run(100, 0.6)])


@pytest.fixture
def series(run_folder):
    rights = {"s1_nano_wait0": range(8), "s1_nano_wait1": range(2, 16), "s1_nano_wait2": range(2, 16)}
    tasks = {task: [[int(index in right)] for index in range(20)] for task, right in rights.items()}
    folder = run_folder(
        "nano",
        tasks,
        waits={"s1_nano_wait0": 0, "s1_nano_wait1": 1, "s1_nano_wait2": 2},
        thinking_tokens={"s1_nano_wait0": 50, "s1_nano_wait1": 100, "s1_nano_wait2": 150},
    )
    (series,) = curve(collect(folder).records)
    return series


def test_flips_are_counted_from_each_number_of_waits_to_the_next(series):
    first, second = scaling.steps(series)
    assert (first.change.lost, first.change.gained, first.tokens) == (2, 8, 50)
    assert first.points_per_1000_tokens == pytest.approx(600)
    assert (second.change.lost, second.change.gained, second.change.p) == (0, 0, 1.0)
    assert scaling.verdict(second).startswith("shows no effect")


def test_a_larger_budget_is_no_further_wait(series):
    first, second, third = series.points
    short = replace(first.record, budget={**first.record.budget, "max_thinking_tokens": 20})
    mixed = replace(series, points=(replace(first, record=short), first, second, third))
    assert [(step.before.num_waits, step.after.num_waits) for step in scaling.steps(mixed)] == [(0, 1), (1, 2)]


def test_rows_of_one_task_and_number_of_waits_say_what_sets_them_apart(series):
    first, second, _ = (point.record for point in series.points)
    short = replace(first, budget={**first.budget, "max_thinking_tokens": 20})
    names = [row[0] for row in summary.rows([first, short, replace(short, model="other"), second])]
    assert names == [
        "s1_nano_wait0, model=nano",
        "s1_nano_wait0, model=nano, max_thinking_tokens=20",
        "s1_nano_wait0, model=other, max_thinking_tokens=20",
        "s1_nano_wait1",
    ]


def test_a_wait_helps_only_when_the_exact_test_says_so(series):
    first, _ = scaling.steps(series)
    assert first.change.p == pytest.approx(2 * sum([1, 10, 45]) / 2**10)
    assert scaling.verdict(first).startswith("shows no effect")
    assert scaling.verdict(first, level=0.85).startswith("helps")


def test_the_summary_has_scaling_and_performance(series):
    assert "Performance 70.0 over 3 runs" in scaling.summary(series)
    assert "points per doubling" in scaling.summary(series)
