"""Names and texts of others do nothing where they are put: terminal, Markdown, CSV, paths"""

import contextlib
import csv
import io
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s1_contract.printing import LONGEST_PATH_PART, show, show_lines
from s1_report import gate_formats
from s1_report.compare import compare
from s1_report.export.tables import as_csv, as_markdown, markdown_table
from s1_report.gate import gate
from s1_report.record import RunRecord, from_json
from s1_report.runs import store

WEAPONS = [
    "../../../../ESCAPED",
    "/etc/passwd",
    "..",
    "a\n**PASS**\n",
    "a\r\n| PASS | x |",
    "\x1b[2J\x1b]0;owned\x07",
    "\x9b2J",
    "=cmd|'/c calc'!A1",
    "+1+cmd",
    "@SUM(1)",
    "[/x]",
    "[red]x",
    "<img src=x onerror=alert(1)>",
    "`x`",
    "a|b",
    "\u202eevil",
    "\ud800",
    "",
    " ",
    "n" * 4000,
    "CON\x00",
    "![x](http://h/y)",
]


@given(st.text() | st.sampled_from(WEAPONS))
def test_one_line_that_does_nothing(text: str) -> None:
    for where in ("terminal", "markdown", "csv", "path"):
        line = show(text, where)  # type: ignore[arg-type]
        assert line.isprintable()
    part = show(text, "path")
    assert part == Path(part).name
    assert part not in (".", "..", "")
    assert part.isascii()
    assert len(part) <= LONGEST_PATH_PART
    assert not part.startswith(("-", "."))
    cell = show(text, "csv")
    assert not cell.lstrip().startswith(("=", "+", "-", "@")) or cell.lstrip("+-")[:1].isdigit()


def test_what_is_harmless_stays_as_it_is() -> None:
    for text in ("s1_nano_wait0", "simplescaling/s1-32B", "größer 東京", "-0.5", "+53.4 (+267 -0)", "avg@16"):
        assert show(text) == show(text, "markdown") == text
    for number in ("-0.5", "+3", "-1,000.5e-7", "12%"):
        assert show(number, "csv") == number
    assert show("aime24_nofigures", "path") == "aime24_nofigures"
    assert show("simplescaling/s1-32B", "path") == "simplescaling_s1-32B", "as version 0.1.0 named its records"
    assert show_lines("a\nb\x1b[2J") == "a\nb\\x1b[2J"


def test_long_and_empty_names_are_told_apart_in_paths() -> None:
    assert show("n" * 500 + "a", "path") != show("n" * 500 + "b", "path")
    assert show("東京", "path") != show("大阪", "path")


def test_a_cell_of_markdown_says_its_text_and_nothing_else() -> None:
    assert show("**PASS** _x_ `y` [z](w) <b> a|b @user", "markdown") == (
        r"\*\*PASS\*\* \_x\_ \`y\` \[z\](w) &lt;b&gt; a\|b &#64;user"
    )
    assert show("# title", "markdown") == r"\# title"


def record(name: str, model: str = "m") -> RunRecord:
    questions = [{"key": str(number), "correct": [number % 2]} for number in range(12)]
    content = {"schema": 1, "kind": "measured", "model": model, "task": name, "questions": questions}
    return from_json(json.dumps(content), "file.json")


@pytest.mark.parametrize("name", WEAPONS)
def test_every_table_holds_a_hostile_name_as_text(name: str, tmp_path: Path) -> None:
    hostile = record(name, name)
    checks = gate([compare(hostile, replace(hostile))], {}, 0.05, 0.95)
    markdown = gate_formats.markdown(checks)
    harmless = gate_formats.markdown(gate([compare(record("t"), record("t"))], {}, 0.05, 0.95))
    assert markdown.count("\n") == harmless.count("\n"), "no line of its own"
    assert markdown.count("**") == harmless.count("**")
    for text in (markdown, gate_formats.text(checks), as_markdown([hostile]), as_csv([hostile])):
        assert all(line.isprintable() for line in text.split("\n"))
    (row,) = csv.DictReader(io.StringIO(as_csv([hostile])))
    assert row["task"][:1] not in ("=", "+", "@", "-")
    (path,) = store([hostile], tmp_path / "records")
    assert path.resolve().is_relative_to(tmp_path / "records")
    assert markdown_table(["a"], [[name]]).count("\n") == 3


@pytest.mark.parametrize("name", ["$\\frac$", "$x", "\x1b[2J", "\ud800"])
def test_a_figure_draws_a_hostile_name_as_text(name: str, tmp_path: Path) -> None:
    from s1_report.plots import answers

    hostile = record(name, name)
    answers.draw_comparison([compare(hostile, replace(hostile))], tmp_path / "figure.png", "t")
    svg = (tmp_path / "figure.svg").read_text(encoding="utf-8")
    assert show(name) in svg
    assert "\x1b" not in svg


@pytest.mark.parametrize("name", ["../../../../ESCAPED", "/tmp/ESCAPED", "a/../../b"])
def test_an_export_stays_in_its_folder(
    name: str, run_folder: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from s1_report.cli import main

    folder = run_folder("run", {"aime24": [[1], [0]]})
    for path in folder.glob("*.json*"):
        path.write_text(path.read_text().replace('"aime24"', json.dumps(name)))
    for path in folder.glob("samples_*"):
        path.rename(folder / path.name.replace("aime24", name.replace("/", "_")))
    before = {path for path in tmp_path.rglob("*") if "deep" not in path.parts}
    output = tmp_path / "deep" / "in" / "a" / "folder"
    arguments = ["--write", "--output", output, "--model-id", "me/model", "--organization", "us"]
    monkeypatch.setattr(sys, "argv", ["s1-report", "export", "every-eval-ever", str(folder), *map(str, arguments)])
    with contextlib.suppress(SystemExit):
        main()
    capsys.readouterr()
    after = {path for path in tmp_path.rglob("*") if "deep" not in path.parts}
    assert after == before
    assert all(path.is_relative_to(output) for path in (tmp_path / "deep").rglob("*") if path.is_file())


def test_training_rows_show_no_commands(nano_tokenizer: Any) -> None:
    from training.curate.view import colour, title

    ids = nano_tokenizer.encode("a \x1b[2J b", add_special_tokens=False)
    assert "\x1b" not in colour(nano_tokenizer, ids, [1] * len(ids)).plain
    row = {"id": "x", "source": "[/x]\x1b[2J", "loss_mask": [1], "input_ids": [1]}
    assert "\x1b" not in title(row, 0)


def test_what_curation_tells_is_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    from training.curate.__main__ import _tell

    _tell("source [/x] \x1b[2J: 5 rows")
    assert "source [/x] \\x1b[2J: 5 rows" in capsys.readouterr().out.replace("\n", "")
