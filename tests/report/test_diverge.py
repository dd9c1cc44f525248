"""Where two runs part: on traces made by hand, and on real ones of one model in two number formats."""

import json
import sys
import tracemalloc

import pytest

from s1_report.cli import main
from s1_report.collect import collect
from s1_report.diverge import diverge
from s1_report.record import ReportError


def spans(*parts):
    return [{"phase": phase, "forced": forced, "text": text, "tokens": tokens} for phase, forced, text, tokens in parts]


THINK = ("opening", True, "<think>", [1])
ANSWER = ("answering", True, "</think>", [9])


def put(folder, traces):
    """Replaces the spans of the traces in a folder: (doc_id, repeat) -> spans."""
    path = folder / "traces.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    for row in rows:
        row["spans"] = traces.get((row["doc_id"], row["repeat"]), row["spans"])
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def run_of(folder):
    (run,) = collect(folder).runs
    return run


@pytest.fixture
def pair(run_folder):
    """Two runs of three questions: the second turns wrong and parts in its second round, the third only parts."""
    old, new = run_folder("old", {"aime24": [[1], [1], [0]]}), run_folder("new", {"aime24": [[1], [0], [0]]})
    wait = ("thinking", True, "Wait", [5])
    first = ("thinking", False, " so 751.", [10, 11, 12])
    for folder, second, third in (
        (old, ("thinking", False, " no, 42 then", [13, 14, 15]), ("answering", False, "Final Answer: 3", [20, 21])),
        (
            new,
            ("thinking", False, " no, 47 then", [13, 16, 15]),
            ("answering", False, "Final Answer: 3!", [20, 21, 22]),
        ),
    ):
        put(folder, {(1, 0): spans(THINK, first, wait, second, ANSWER), (2, 0): spans(THINK, first, ANSWER, third)})
    return run_of(old), run_of(new)


def test_the_first_differing_token_is_found_with_its_words_place_and_round(pair):
    found = diverge(*pair)
    assert (found.pairs, found.identical, found.flips) == (3, 1, (1, 0))
    middle, end = found.partings
    # 1 opening, 3 thinking, 1 wait and 1 more thinking token are common: 5 of the 7 thinking tokens.
    assert (middle.common, middle.length, middle.phase, middle.wait) == (6, 9, "thinking", 1)
    assert middle.into == pytest.approx(5 / 7)
    assert (middle.base, middle.new, middle.tokens, middle.flips) == (" 42", " 47", (14, 16), True)
    assert (end.common, end.phase, end.into, end.tokens, end.flips) == (7, "answering", None, (None, 22), False)
    assert (end.base, end.new) == ("", " 3!")


def test_the_words_say_what_the_numbers_do(pair):
    assert diverge(*pair).sentences() == [
        "1 of 3 transcripts are identical, token by token; the others part after 6 tokens (median)",
        "the first difference lies 1 in the thinking, 1 in the answer, there 71 % into it (median)",
        "1 of 1 answers that turned between right and wrong are in transcripts that part (1 lost, 0 gained): noise of "
        "this kind moves the accuracy by about 33.3 points (one standard deviation)",
    ]


def test_a_flip_in_an_identical_transcript_is_laid_to_the_answer_check(run_folder):
    old, new = (run_of(run_folder(name, {"aime24": [[right], [1]]})) for name, right in (("old", 1), ("new", 0)))
    found = diverge(old, new)
    assert (found.identical, found.flips, found.flips_elsewhere) == (2, (0, 0), 1)
    assert "the answer check is another one" in found.sentences()[-1]


def test_the_order_of_the_traces_does_not_matter_and_those_of_one_side_are_counted(pair, run_folder):
    path = pair[1].samples.parent / "traces.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(reversed(lines)))
    assert [part.question for part in diverge(*pair).partings] == [part.question for part in diverge(*pair).partings]
    assert diverge(*pair).identical == 1
    path.write_text("".join(lines[1:]))
    found = diverge(*pair)
    assert (found.pairs, found.unpaired) == (2, 1)


def test_traces_of_other_runs_in_the_same_file_are_passed_over(pair):
    path = pair[0].samples.parent / "traces.jsonl"
    text = path.read_text()
    path.write_text(text.replace("2026-11-23", "2025-01-01") + text)
    assert diverge(*pair).pairs == 3


def test_every_repeat_is_compared(run_folder):
    old, new = (run_of(run_folder(name, {"aime24": [[1, 0, 1]] * 4})) for name in ("old", "new"))
    put(new.samples.parent, {(3, 2): spans(THINK, ("thinking", False, "other", [77]))})
    found = diverge(old, new)
    assert (found.pairs, [part.repeat for part in found.partings]) == (12, [2])


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda path: path.unlink(), "missing; diverge needs the traces"),
        (lambda path: path.write_text(path.read_text().replace("2026-11-23", "2025-01-01")), "no trace of aime24 at"),
        (lambda path: path.write_text(path.read_text() + "{"), "damaged JSON"),
        (lambda path: path.write_text(path.read_text() + "[]\n"), "a JSON list, expected a trace"),
        (lambda path: path.write_text(path.read_text().replace('"tokens": [9]', '"tokens": 9')), "spans lack text or"),
    ],
)
def test_bad_traces_are_one_sentence_with_the_file(pair, damage, words):
    path = pair[0].samples.parent / "traces.jsonl"
    damage(path)
    with pytest.raises(ReportError, match=words) as error:
        diverge(*pair)
    assert str(error.value).startswith(str(path))


def test_memory_does_not_grow_with_the_length_of_the_traces(run_folder):
    runs = []
    for name in ("old", "new"):
        folder = run_folder(name, {"aime24": [[1]] * 40})
        last = 1 if name == "old" else 2
        long = spans(THINK, ("thinking", False, "a" * 400_000 + f" {last}", [3] * 20_000 + [last]))
        put(folder, {(index, 0): long for index in range(40)})
        runs.append(run_of(folder))
    tracemalloc.start()
    found = diverge(*runs)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found.identical == 0
    assert (found.partings[0].base, found.partings[0].new) == (" 1", " 2")
    assert peak < 10e6  # both files together hold 40 MB


def call(capsys, monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["s1-report", *map(str, arguments)])
    with pytest.raises(SystemExit) as stop:
        main()
    captured = capsys.readouterr()
    return stop.value.code or 0, captured.out, captured.err


def test_the_command_shows_first_differences_and_the_gate_states_them(pair, tmp_path, capsys, monkeypatch):
    old, new = (run.samples.parent for run in pair)
    code, out, err = call(capsys, monkeypatch, "diverge", old, new, "--json", tmp_path / "all.json")
    assert (code, err) == (0, "")
    assert "aime24: 1 of 3 transcripts are identical" in out
    assert '" 42" 14' in out
    assert "right to wrong" in out
    (task,) = json.loads((tmp_path / "all.json").read_text())
    assert (task["identical"], task["lost"], len(task["partings"])) == (1, 1, 2)
    code, out, _ = call(capsys, monkeypatch, "gate", old, new)
    assert "1 of 3 transcripts are identical, token by token" in out


def test_runs_of_other_settings_are_refused(run_folder, capsys, monkeypatch):
    old, new = (run_folder(str(waits), {"aime24": [[1]] * 3}, waits={"aime24": waits}) for waits in (1, 2))
    code, _, err = call(capsys, monkeypatch, "diverge", old, new)
    assert (code, "--allow budget" in err) == (2, True)
    code, out, _ = call(capsys, monkeypatch, "diverge", old, new, "--allow", "budget")
    assert (code, "0 of 3 transcripts are identical" in out) == (0, True)
