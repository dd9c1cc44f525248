"""`s1-report curve`: what it reads, prints and draws."""

import re
from pathlib import Path

import pytest

from s1_report.cli import main
from s1_report.collect import collect
from s1_report.curve import curve

WAITS = {"s1_nano_wait0": 0, "s1_nano_wait2": 2, "s1_nano_wait8": 8}


def right(count, of=20):
    return [[int(index < count)] for index in range(of)]


def run(capsys, monkeypatch, *arguments):
    monkeypatch.setattr("sys.argv", ["s1-report", *map(str, arguments)])
    with pytest.raises(SystemExit) as stop:
        main()
    captured = capsys.readouterr()
    return stop.value.code or 0, captured.out, captured.err


@pytest.fixture
def nano(run_folder):
    tasks = {"s1_nano_wait0": right(8), "s1_nano_wait2": right(13), "s1_nano_wait8": right(17)}
    tokens = {"s1_nano_wait0": 30, "s1_nano_wait2": 60, "s1_nano_wait8": 120}
    return run_folder("nano", tasks, waits=WAITS, thinking_tokens=tokens)


def test_the_table_holds_waits_accuracy_interval_tokens_and_the_paired_change(nano, capsys, monkeypatch):
    code, out, err = run(capsys, monkeypatch, "curve", nano)
    assert (code, err) == (0, "")
    rows = {line.split()[0]: re.split(r"\s{2,}", line.strip()) for line in out.splitlines() if "s1_nano" in line}
    assert rows["s1_nano_wait0"][1:] == [
        "0",
        "auto",
        "20",
        "40.0",
        "21.9 to 61.3",
        "30.0",
        "0.00",
        "0.0",
        "40.0",
        "40.0 to 40.0",
    ]
    # 5 and 9 questions flip one way: exact McNemar p is 2 / 2^5 and 2 / 2^9.
    assert rows["s1_nano_wait2"][-2:] == ["+25.0 (+5 -0)", "0.062"]
    assert rows["s1_nano_wait8"][-2:] == ["+45.0 (+9 -0)", "0.004"]
    assert rows["s1_nano_wait8"][6] == "120"


def test_settings_of_the_same_questions_form_one_series_in_the_order_of_their_waits(nano):
    (series,) = curve(collect(nano).records)
    assert series.name == "s1_nano"
    assert [point.record.num_waits for point in series.points] == [0, 2, 8]
    assert series.points[0].change is None


def test_the_figure_is_written_as_svg_and_png_with_every_point_labelled(nano, tmp_path, capsys, monkeypatch):
    code, out, _ = run(capsys, monkeypatch, "curve", nano, "--output", tmp_path / "figure.png", "--title", "Nano")
    svg = (tmp_path / "figure.svg").read_text()
    assert code == 0
    assert "figure.svg" in out
    assert (tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG")
    assert all(text in svg for text in ("Nano", "no wait", "2 waits", "8 waits", "mean thinking tokens"))


def test_output_of_any_model_is_read_and_has_no_thinking_tokens(run_folder, tmp_path, capsys, monkeypatch):
    folder = run_folder("plain", {"gsm8k": right(5)}, plain=True, model_args="pretrained=gpt2,dtype=float32")
    code, out, err = run(capsys, monkeypatch, "curve", folder)
    row = next(line for line in out.splitlines() if "gsm8k" in line)
    assert (code, err) == (0, "")
    assert re.split(r"\s{2,}", row.strip()) == [
        "gsm8k",
        "-",
        "-",
        "20",
        "25.0",
        "11.2 to 46.9",
        "-",
        "-",
        "-",
        "-",
        "-",
    ]
    code, _, err = run(capsys, monkeypatch, "curve", folder, "--output", tmp_path / "figure")
    assert (code, "no thinking tokens" in err) == (2, True)
    assert not list(tmp_path.glob("figure*"))


def test_of_several_runs_of_one_setting_the_newest_counts_and_the_older_is_named(run_folder, capsys, monkeypatch):
    run_folder("again", {"aime24": right(2)}, waits={"aime24": 2}, date="2026-01-01T00-00-00.1")
    folder = run_folder("again", {"aime24": right(9)}, waits={"aime24": 2}, date="2026-02-01T00-00-00.1")
    code, out, err = run(capsys, monkeypatch, "curve", folder)
    assert code == 0
    assert "45.0" in out
    assert "2026-01-01T00-00-00.1 is left out" in err


def test_a_missing_folder_or_an_empty_one_is_a_sentence_and_exit_code_2(tmp_path, capsys, monkeypatch):
    code, _, err = run(capsys, monkeypatch, "curve", tmp_path / "nowhere")
    assert (code, str(tmp_path / "nowhere") in err, "--output_path" in err) == (2, True, True)
    code, _, err = run(capsys, monkeypatch, "curve", tmp_path)
    assert (code, "no results_*.json" in err, "--log_samples" in err) == (2, True, True)


def test_a_damaged_run_is_named_and_the_rest_is_still_shown(nano, capsys, monkeypatch):
    samples = next(Path(nano).glob("samples_s1_nano_wait2_*"))
    samples.write_text(samples.read_text()[:-30])
    code, out, err = run(capsys, monkeypatch, "curve", nano)
    assert code == 2
    assert str(samples) in err
    assert "line 20" in err
    assert "s1_nano_wait8" in out
    assert "s1_nano_wait2" not in out
