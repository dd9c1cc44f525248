"""Comparing two runs and gating one on the other."""

import json
import re
from xml.etree import ElementTree

import numpy as np
import pytest

from s1_report import paired, plan
from s1_report.cli import main
from s1_report.collect import collect
from s1_report.compare import NotComparable, compare, left_out, match
from s1_report.gate import Verdict, decide, gate, is_greedy, points
from s1_report.gate_formats import junit, markdown, text
from s1_report.record import Question, ReportError, RunRecord


def runs(rights, of=200):
    return {"math500": [[int(index < rights)] for index in range(of)]}


def record(folder):
    return collect(folder).records[0]


@pytest.fixture
def base(run_folder):
    return run_folder("base", runs(150))


def call(capsys, monkeypatch, *arguments):
    monkeypatch.setattr("sys.argv", ["s1-report", *map(str, arguments)])
    with pytest.raises(SystemExit) as stop:
        main()
    captured = capsys.readouterr()
    return stop.value.code or 0, captured.out, captured.err


def test_a_comparison_pairs_questions_and_counts_flips(base, run_folder):
    comparison = compare(record(base), record(run_folder("new", runs(140))))
    assert (comparison.lost, comparison.gained, comparison.questions) == (10, 0, 200)
    assert comparison.change == pytest.approx(-0.05)
    assert comparison.interval.low < -0.05 < comparison.interval.high < 0
    assert comparison.p_drop == pytest.approx(0.5**10)
    assert comparison.p_change == pytest.approx(paired.mcnemar([1] * 10, [0] * 10).p)


def test_the_longer_run_is_cut_to_the_repeats_of_the_shorter(run_folder):
    four = record(run_folder("four", {"math500": [[1, 0, 1, 1]] * 30}))
    two = record(run_folder("two", {"math500": [[1, 0]] * 30}))
    comparison = compare(four, two)
    assert (comparison.repeats, comparison.change, comparison.lost) == (2, 0.0, None)


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"prompt": "Please: {}"}, "prompt"),
        ({"checker": "0.2.0"}, "checker"),
        ({"generation": {"temperature": 0.6}}, "sampling"),
        ({"waits": {"math500": 2}}, "budget"),
        ({"model_args": {"pretrained": "nano", "max_thinking_tokens": 100}}, "budget"),
        ({"model_args": {"pretrained": "nano", "thinking_format": "qwen"}}, "prompt"),
        ({"model_args": {"pretrained": "nano", "think_for": "64_steps"}}, "prompt"),
        ({"model_args": {"pretrained": "nano", "until_thinking": "<|im_start|>0"}}, "prompt"),
        ({"model_args": {"pretrained": "nano", "rejection_tries": 5}}, "budget"),
    ],
)
def test_runs_that_differ_in_more_than_the_model_are_refused_by_field(base, run_folder, options, field):
    new = record(run_folder("new", runs(150), **options))
    with pytest.raises(NotComparable, match=f"--allow {field}"):
        compare(record(base), new)
    comparison = compare(record(base), new, allow=[field])
    assert [sentence.split(":")[0] for sentence in comparison.allowed] == [field]


def test_prompts_that_differ_only_by_the_date_of_the_chat_template_are_refused_with_both_dates(run_folder):
    asked = "Cutting Knowledge Date: December 2023\nToday Date: {}\n\nWhat happened on 4 July 1776, plus {}?"
    old, new, other = (
        record(run_folder(name, runs(150), prompt=asked.format(date, "{}" + more)))
        for name, date, more in (
            ("old", "26 Jul 2024", ""),
            ("new", "28 Nov 2026", ""),
            ("other", "28 Nov 2026", " or so"),
        )
    )
    with pytest.raises(NotComparable, match=(
        r"only the date that the chat template writes differs, 26 Jul 2024 against 28 Nov 2026\..*--allow prompt"
    )):  # fmt: skip
        compare(old, new)
    with pytest.raises(NotComparable, match="200 of 200 questions were asked in other words"):
        compare(old, other)
    assert compare(old, new, allow=["prompt"]).change == 0.0


@pytest.mark.parametrize("written", ["2026-11-28", "Nov 3, 2026", "28/11/2026", "3rd November 2026", "28.11.2026"])
def test_dates_are_told_from_the_rest_however_they_are_written(run_folder, written):
    old, new = (
        record(run_folder(name, runs(9, of=9), prompt=f"It is {day}. {{}}"))
        for name, day in (("old", "2025-01-02"), ("new", written))
    )
    with pytest.raises(NotComparable, match=f"2025-01-02 against {re.escape(written)}"):
        compare(old, new)


def test_two_answer_filters_are_never_compared(base, run_folder):
    other = run_folder("other", runs(100))
    path = next(other.glob("samples_*"))
    path.write_text(path.read_text().replace('"filter": "none"', '"filter": "strict-match"'))
    with pytest.raises(NotComparable, match=r"filter: none against strict-match.*--allow filter"):
        compare(record(base), record(other))


def test_the_seed_and_the_number_of_repeats_may_differ(base, run_folder):
    other = run_folder("new", runs(150), generation={"seed": 5, "repeats": 1})
    assert compare(record(base), record(other)).change == 0.0


def test_other_questions_are_refused_and_allowed_ones_paired_where_they_agree(base, run_folder):
    fewer = record(run_folder("new", runs(100, of=100)))
    with pytest.raises(NotComparable, match="200 questions against 100, 100 of them the same"):
        compare(record(base), fewer)
    assert compare(record(base), fewer, allow=["dataset"]).questions == 100


def test_an_unknown_field_to_allow_names_the_nearest(base):
    with pytest.raises(ReportError, match="did you mean checker"):
        compare(record(base), record(base), allow=["cheker"])


def test_runs_are_matched_by_task_and_budget(run_folder):
    tasks = {"aime24": [[1], [0]], "math500": [[1], [1]]}
    old, new = (collect(run_folder(name, tasks)).records for name in ("old", "new"))
    assert [(a.task, b.task) for a, b in match(old, new)] == [("aime24", "aime24"), ("math500", "math500")]
    pairs = match(old, new[:1])
    assert [[record.task for record in pair] for pair in pairs] == [["aime24", "aime24"]]
    assert [record.task for record in left_out(old, pairs)] == ["math500"]
    with pytest.raises(NotComparable, match="no new run of this task: the base has aime24, the new run math500"):
        match(old[:1], new[1:] * 2)


def test_a_run_that_another_setting_of_the_base_claims_is_no_candidate(run_folder):
    old = [record(run_folder(f"old{waits}", runs(10), waits={"math500": waits})) for waits in (0, 4)]
    new = record(run_folder("new", runs(10), waits={"math500": 4}))
    (pair,) = match(old, [new])
    assert pair == (old[1], new)


def test_the_table_of_the_gate_is_what_it_decides():
    assert decide(low=-0.049, p_drop=0.001, margin=0.05, level=0.95) is Verdict.PASS
    assert decide(low=-0.05, p_drop=0.025, margin=0.05, level=0.95) is Verdict.REGRESSION
    assert decide(low=-0.05, p_drop=0.026, margin=0.05, level=0.95) is Verdict.INCONCLUSIVE


def greedy(outcomes):
    return {"aime24": [[int(right)] for right in outcomes]}


def check_of(old, new=None, margin=0.05):
    (check,) = gate([compare(old, new or old)], {}, margin)
    return check


def test_the_same_answers_pass_with_enough_questions_and_are_inconclusive_with_few(run_folder):
    few, enough = (check_of(record(run_folder(str(n), greedy([1] * n)))) for n in (58, 59))
    assert (few.verdict, enough.verdict) == (Verdict.INCONCLUSIVE, Verdict.PASS)
    assert enough.reason.startswith("a loss above 4.95 points is ruled out")
    for check in (few, enough):
        for write in (text, markdown, junit):
            assert "the runs are identical, answer by answer" in write([check])
    assert "nothing changed on these 58 questions" in few.reason
    assert "of models that lose 5 % of such questions, 5 % lose none of 58" in few.reason


def test_identical_greedy_runs_of_few_questions_are_never_told_to_repeat(run_folder):
    check = check_of(record(run_folder("few", greedy([1, 0] * 15))))
    assert check.advice == (
        "about 60 such questions (now 30)",
        "a margin of 9.6 points, if so much may be lost",
    )


def test_greedy_runs_that_differ_are_told_to_sample_with_repeats(run_folder):
    old, new = (record(run_folder(name, greedy(right))) for name, right in (
        ("old", [1] * 60 + [0] * 60), ("new", [0] * 9 + [1] * 60 + [0] * 51)))  # fmt: skip
    check = check_of(old, new)
    assert check.verdict is Verdict.INCONCLUSIVE
    assert check.advice[0].startswith("sampling (a temperature above 0) with about ")
    assert "identical" not in text([check])


def test_sampled_runs_are_told_how_many_repeats_and_these_are_about_enough(run_folder):
    generator = np.random.default_rng(5)
    chances = generator.beta(0.4, 0.4, 100)

    def sampled(name, repeats):
        rows = (generator.random((100, repeats)) < chances[:, None]).astype(int).tolist()
        return record(run_folder(name, {"aime24": rows}, generation={"temperature": 0.6}))

    check = check_of(sampled("a", 2), sampled("b", 2))
    assert check.verdict is Verdict.INCONCLUSIVE
    repeats = int(re.search(r"about (\d+) repeats per question in both runs \(now 2\)", check.advice[0])[1])
    rows = [generator.binomial(repeats, chances, (300, 100)) / repeats for _ in range(2)]
    assert 0.7 <= (paired.chance_of_loss(rows[1] - rows[0], 0.05) <= 0.05).mean() <= 0.95


@pytest.mark.parametrize(
    ("asked", "used", "correct", "greedy"),
    [
        ({}, {}, (1.0,), True),
        ({"temperature": 0.0}, {}, (1.0,), True),
        ({"temperature": 0.6}, {}, (1.0,), False),
        ({}, {"temperature": 0.6}, (1.0,), False),
        ({"temperature": 0.6}, {"temperature": 0.0}, (1.0, 1.0), True),
        ({}, {}, (1.0, 0.0), False),
    ],
)
def test_a_run_is_greedy_by_the_temperature_that_was_used_unless_its_repeats_differ(asked, used, correct, greedy):
    run = RunRecord(
        "measured", "m", "t", sampling=asked, resolved={"sampling": used}, questions=(Question("q", correct),)
    )
    assert is_greedy(run) is greedy


def half_right(repeats, lost, gained):
    """A run of 100 questions, half of the repeats right; `lost` fewer on half of the questions, `gained` more."""
    rights = [repeats // 2 + (gained if index % 2 else -lost) for index in range(100)]
    rows = ([1.0] * right + [0.0] * (repeats - right) for right in rights)
    questions = tuple(Question(f"{index:016x}", tuple(row)) for index, row in enumerate(rows))
    return RunRecord("measured", "m", "aime24", sampling={"temperature": 0.6}, questions=questions)


def test_repeats_are_advised_up_to_the_number_that_is_enough_and_no_further():
    checks = {}
    for repeats in range(20, 34):
        old, new = half_right(repeats, 0, 0), half_right(repeats, round(0.3 * repeats), round(0.24 * repeats))
        within = sum(plan.from_record(record).within for record in (old, new)) / 2
        checks[repeats] = check_of(old, new), plan.repeats_to_pass(within, 100, 0.05)
    unsure = {repeats: pair for repeats, pair in checks.items() if pair[0].verdict is Verdict.INCONCLUSIVE}
    assert any(needed == repeats for repeats, (_, needed) in unsure.items())
    for repeats, (check, needed) in unsure.items():
        assert any("repeats per question" in clause for clause in check.advice) == (needed > repeats)


def test_sampled_runs_of_too_few_questions_are_not_told_to_repeat(run_folder):
    rows = {"aime24": [[1, 0, 1, 0]] * 30}
    check = check_of(record(run_folder("a", rows, generation={"temperature": 0.6})))
    assert not any("repeats" in clause for clause in check.advice)


def test_a_bound_that_rounds_to_the_margin_is_written_with_more_digits():
    assert points(0.0498, 0.05) == "4.98"
    assert points(0.04996, 0.05) == "4.996"
    assert points(0.0432, 0.05) == "4.3"
    assert points(0.05, 0.05) == "5.0"


def test_the_margin_of_a_task_is_its_own(base):
    (check,) = gate([compare(record(base), record(base))], {"math500": 0.001}, 0.5)
    assert (check.margin, check.verdict) == (0.001, Verdict.INCONCLUSIVE)


def test_false_alarms_stay_below_five_percent_in_a_small_simulation():
    generator = np.random.default_rng(0)
    for questions, repeats in ((30, 1), (30, 16), (198, 4)):
        chances = generator.beta(0.4, 0.4, (1000, questions))
        base_runs, new_runs = (generator.binomial(repeats, chances) / repeats for _ in range(2))
        changes = new_runs - base_runs
        lows = changes.mean(axis=1) - paired.margin_of_error(changes, repeats)
        verdicts = [decide(low, p, 0.05, 0.95) for low, p in zip(lows, paired.sign_flip(changes, repeats), strict=True)]
        assert sum(verdict is Verdict.REGRESSION for verdict in verdicts) <= 40


def test_the_command_exits_with_0_1_or_2_and_writes_all_formats(base, run_folder, tmp_path, capsys, monkeypatch):
    worse, unsure = run_folder("worse", runs(120)), run_folder("unsure", runs(146))
    files = {name: tmp_path / name for name in ("gate.md", "gate.xml", "gate.json")}
    formats = ["--markdown", files["gate.md"], "--junit", files["gate.xml"], "--json", files["gate.json"]]
    code, out, _ = call(capsys, monkeypatch, "gate", base, worse, *formats)
    assert (code, "gate: REGRESSION" in out) == (1, True)
    assert "**Gate: REGRESSION**" in files["gate.md"].read_text()
    suite = ElementTree.parse(files["gate.xml"]).getroot()
    assert (suite.get("failures"), suite.find("testcase/failure").get("type")) == ("1", "REGRESSION")
    written = json.loads(files["gate.json"].read_text())
    assert (written["verdict"], written["checks"][0]["lost"]) == ("REGRESSION", 30)

    code, out, _ = call(capsys, monkeypatch, "gate", base, base, *formats)
    assert (code, "gate: PASS" in out) == (0, True)
    assert ElementTree.parse(files["gate.xml"]).getroot().find("testcase/failure") is None
    code, out, _ = call(capsys, monkeypatch, "gate", base, unsure, "--margin", "math500=2", *formats)
    assert (code, "gate: INCONCLUSIVE" in out) == (2, True)
    assert ElementTree.parse(files["gate.xml"]).getroot().get("errors") == "1"
    code, _, _ = call(capsys, monkeypatch, "gate", base, unsure, "--margin", "2", "--inconclusive-passes")
    assert code == 0


def test_every_format_names_the_model_and_the_setting_of_both_runs(base, run_folder, tmp_path, capsys, monkeypatch):
    new = run_folder("new", runs(120), model="other-model")
    files = {name: tmp_path / name for name in ("gate.md", "gate.xml", "gate.json")}
    _, out, _ = call(capsys, monkeypatch, "gate", base, new, "--markdown", files["gate.md"], "--junit",
                     files["gate.xml"], "--json", files["gate.json"])  # fmt: skip
    for page in (out, *(path.read_text() for path in files.values())):
        assert "nano on math500 (num_waits=0)" in page
        assert "other-model on math500 (num_waits=0)" in page


def test_a_task_that_the_new_run_lacks_keeps_the_gate_from_passing(run_folder, tmp_path, capsys, monkeypatch):
    both = run_folder("both", {**runs(150), "aime24": [[1]] * 70})
    one = run_folder("one", runs(150))
    code, out, err = call(capsys, monkeypatch, "gate", both, one, "--junit", tmp_path / "gate.xml")
    assert (code, "PASS         math500" in out, "gate: INCONCLUSIVE" in out) == (2, True, True), err
    assert "nano on aime24 (num_waits=0): in the base, but there is no new run of it" in out
    suite = ElementTree.parse(tmp_path / "gate.xml").getroot()
    assert (suite.get("tests"), suite.get("errors")) == ("2", "1")
    code, out, _ = call(capsys, monkeypatch, "gate", both, one, "--task", "math500")
    assert (code, "aime24" in out) == (0, False)
    code, _, err = call(capsys, monkeypatch, "gate", both, one, "--task", "aime25")
    assert (code, "--task aime25: not in" in err, "aime24, math500" in err) == (2, True, True)


def test_compare_takes_the_common_tasks_and_says_what_it_leaves_out(run_folder, capsys, monkeypatch):
    both = run_folder("both", {**runs(150), "aime24": [[1]] * 70})
    one = run_folder("one", runs(150))
    code, out, err = call(capsys, monkeypatch, "compare", both, one)
    assert (code, "math500" in out, "aime24" in out) == (0, True, False)
    assert "has no run of nano on aime24 (num_waits=0), so it is left out" in err
    code, out, err = call(capsys, monkeypatch, "compare", one, both)
    assert (code, "aime24" in out, "aime24 is not in the baseline" in err) == (0, False, True)


def test_a_run_with_more_cut_off_answers_than_stated_is_refused(base, run_folder, capsys, monkeypatch):
    path = next(base.glob("samples_*"))
    lines = path.read_text().splitlines()
    cut = [line.replace('"cut_off": 0.0', '"cut_off": 1.0') if i % 10 == 0 else line for i, line in enumerate(lines)]
    path.write_text("\n".join(cut))
    (base / "traces.jsonl").unlink()
    code, out, _ = call(capsys, monkeypatch, "gate", base, base, "--max-cut", "10")
    assert (code, "base: 10.0 % of the answers were cut off: accuracy 75.0" in out) == (0, True)
    code, _, err = call(capsys, monkeypatch, "gate", base, base, "--max-cut", "9")
    assert (code, "10.0 % of the responses were cut off, more than --max-cut 9" in err) == (2, True)


def test_bad_gate_options_and_incomparable_runs_exit_with_2(base, run_folder, capsys, monkeypatch):
    other = run_folder("other", runs(150), checker="9")
    for arguments, words in (
        (["gate", base, other], "--allow checker"),
        (["gate", base, base, "--margin", "five"], "such as 5 or aime24=10"),
        (["gate", base, base, "--margin", "aime42=5"], "no such task"),
        (["gate", base, base, "--allow", "chekcer"], "did you mean checker"),
        (["compare", base, base.parent / "missing"], "no such folder"),
    ):
        code, _, err = call(capsys, monkeypatch, *arguments)
        assert (code, words in err) == (2, True), err


def test_compare_prints_the_change_and_draws_the_forest(base, run_folder, tmp_path, capsys, monkeypatch):
    new = run_folder("new", runs(140))
    code, out, _ = call(capsys, monkeypatch, "compare", base, new, "--output", tmp_path / "forest")
    assert code == 0
    assert "-5.0 (+0 -10)" in out
    assert "math500 (200 x 1)" in (tmp_path / "forest.svg").read_text()
