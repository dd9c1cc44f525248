"""Collecting: every source's rows in one shape, from a directory or through `datasets`; what fails is named."""

import json
import random
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from training.curate.collect import collect, convert, draw, load
from training.curate.intake import take_rows
from training.curate.sources import SOURCES, Keep, Part, Take, choose
from training.curate.stage import CurationError, question_id

FIXTURES = Path(__file__).parent / "fixtures" / "sources"


ARENA = "GAIR/OlympicArena/CS"


def collected(directory=FIXTURES, **options):
    return collect(choose(**options), lambda source: load(source, f"local:{directory}"))


def test_the_registry_has_the_papers_16_sources_and_59029_rows() -> None:
    assert len(SOURCES) == 16
    assert sum(source.paper_rows for source in SOURCES) == 59_029


def test_every_source_gives_rows_in_one_shape() -> None:
    result = collected()
    assert not result.figures["missing"]
    assert {row["source"] for row in result.rows} == {source.name for source in SOURCES}
    for row in result.rows:
        assert list(row) == list(result.rows[0])
        assert row["id"] == question_id(row["question"])
        assert row["question"].strip()
        assert isinstance(json.loads(row["metadata"]), dict)


@pytest.mark.parametrize(
    ("source", "questions"),
    [
        ("OlympicArena", 2),  # one is German, one needs a picture
        ("TheoremQA", 1),  # one needs a picture
        ("NuminaMath", 2),  # one is from elsewhere
        ("SciEval", 4),  # one has no answer
        ("AGIEval", 2),  # MATH of level 1 is out; other parts have no level
        ("GPQA", 1),  # one is in Diamond
        ("LiveCodeBench", 1),  # one is easy
        ("AIME", 2),  # one is of 2022
    ],
)
def test_a_sources_conditions_keep_what_they_say(source: str, questions: int) -> None:
    assert len(collected(names=[source]).rows) == questions


def test_columns_are_mapped_as_the_registry_says() -> None:
    rows = {row["source"]: row for row in reversed(collected().rows)}
    assert rows["MATH"]["reference"] == "420"
    assert rows["NuminaMath"]["reference"] == "1,-2"  # from the box in its solution
    assert rows["OlympiadBench"]["question"].startswith("Two equal balls meet")  # the context comes first
    assert rows["OlympiadBench"]["solution"] == "Momentum is kept: 2 m/s."  # the first of two
    sat = next(row for row in collected(names=["AGIEval"]).rows if "Mara" in row["question"])
    assert sat["question"].endswith("When did Mara pick the beans?\n(A)March\n(B)April\n(C)June\n(D)July")
    assert rows["SciEval"]["question"].endswith("in m/s^2?")
    assert rows["XWord"]["question"].startswith("Solve this crossword clue.")
    assert rows["USACO"]["solution"] is None
    assert rows["USACO"]["reference"] is None
    assert "input_output" not in json.loads(rows["USACO"]["metadata"])  # too long to carry along
    gpqa = rows["GPQA"]
    letter = gpqa["reference"]
    assert f"({letter}) the one lighter than air" in gpqa["question"]
    assert gpqa["solution"].endswith(f"Answer: {letter}")
    assert gpqa["kind"] == "choice"


def test_a_proof_has_no_reference_answer() -> None:
    proof = next(row for row in collected(names=["NuminaMath"]).rows if "medians" in row["question"])
    assert proof["solution"] is not None
    assert proof["reference"] is None


def test_aime_stops_at_2021_unless_asked_otherwise() -> None:
    assert len(collected(names=["AIME"], aime_until=2022).rows) == 3
    with pytest.raises(CurationError, match="AIME 2024 is a benchmark"):
        choose(aime_until=2024)


def test_a_source_that_fails_is_named_and_the_others_go_on(tmp_path: Path) -> None:
    directory = tmp_path / "sources"
    shutil.copytree(FIXTURES, directory)
    (directory / "MATH.jsonl").write_text('{"problem": "What is 1 + 1?", "solution": "2", "answer": "2"}\n{"torn')
    (directory / "TheoremQA.jsonl").unlink()
    (directory / "GPQA.minus.jsonl").unlink()
    (directory / "Omni-MATH.jsonl").write_text('{"other": "column"}\n')
    result = collected(directory)
    missing = result.figures["missing"]
    assert set(missing) == {"MATH", "TheoremQA", "GPQA", "Omni-MATH"}
    assert "line 2: not JSON" in missing["MATH"]
    assert "has no TheoremQA.jsonl" in missing["TheoremQA"]
    assert "must not be collected" in missing["GPQA"]
    assert "no column 'problem' among ['other']" in missing["Omni-MATH"]
    assert len({row["source"] for row in result.rows}) == 12


def test_no_source_at_all_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CurationError, match=r"no source could be collected:\nMATH: .* has no MATH.jsonl"):
        collected(tmp_path, names=["MATH"])
    with pytest.raises(CurationError, match="unknown sources Maths; expected some of MATH"):
        choose(["Maths"])
    with pytest.raises(CurationError, match="expected hub or local:DIR"):
        load(SOURCES[0], "hf")


def test_a_source_is_loaded_through_datasets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    place = tmp_path / "dataset"
    place.mkdir()
    shutil.copy(FIXTURES / "MATH.jsonl", place / "train.jsonl")
    source = replace(SOURCES[0], hub=str(place))
    rows = convert(source, load(source)[0])
    assert [row["reference"] for row in rows] == ["420", "84", "9"]
    absent = replace(SOURCES[0], hub=str(tmp_path / "nowhere"), parts=(Part("maths", "train"),))
    with pytest.raises(CurationError, match=r"MATH: .*nowhere maths train could not be loaded .* --source local:DIR"):
        load(absent)


def test_a_source_that_is_a_script_is_loaded_from_its_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    hub = "hf://datasets/livecodebench/code_generation_lite/"
    for number, name in enumerate(("test.jsonl", "test2.jsonl", "test3.jsonl")):
        (tmp_path / name).write_text(json.dumps({"question_content": f"Sort {number}.", "difficulty": "hard"}) + "\n")
    original = datasets.load_dataset

    def of_this_machine(path: str, data_files: list[str], split: str):
        assert all(place.startswith(hub) for place in data_files)
        return original(path, data_files=[str(tmp_path / place.removeprefix(hub)) for place in data_files], split=split)

    monkeypatch.setattr(datasets, "load_dataset", of_this_machine)
    [source] = choose(["LiveCodeBench"])
    rows = convert(source, load(source)[0])
    assert [row["question"] for row in rows] == ["Sort 0.", "Sort 1.", "Sort 2."]


@pytest.mark.parametrize(
    ("level", "kept"), [(5, True), ("5", True), (5.0, True), ("5.0", True), (None, True), (4.0, False)]
)
def test_a_whole_number_is_kept_however_its_column_writes_it(level: object, kept: bool) -> None:
    assert Keep("level", "absent or is", 5).holds({"level": level}) is kept


def test_the_same_question_of_two_sources_is_kept_once(tmp_path: Path) -> None:
    row = json.dumps({"problem": "What is 6 * 7?", "solution": "42", "answer": "42"}) + "\n"
    for name in ("MATH", "Omni-MATH"):
        (tmp_path / f"{name}.jsonl").write_text(row)
    result = collected(tmp_path, names=["MATH", "Omni-MATH"])
    assert [row["source"] for row in result.rows] == ["MATH"]
    assert [(one.rule, one.detail, one.source) for one in result.rejected] == [
        ("the same question again", "first in MATH", "Omni-MATH")
    ]


def test_a_draw_is_spread_over_groups_and_does_not_depend_on_the_order() -> None:
    rows = [({"id": f"{number:03d}"}, {"task": "rare" if number < 5 else "common"}) for number in range(100)]
    drawn = draw(rows, Take(20, spread=("task",)))
    assert len(drawn) == 20
    assert sum(row["id"] < "005" for row in drawn) == 5
    shuffled = list(rows)
    random.Random(1).shuffle(shuffled)
    assert draw(shuffled, Take(20, spread=("task",))) == drawn
    assert draw(rows, Take(20, spread=("task",), seed=7)) != drawn
    assert len(draw(rows, Take(1000))) == 100


def test_rows_of_ones_own_keep_what_they_bring() -> None:
    given = [
        {"question": "One?", "thinking_trajectories": ["a", "b"], "attempt": "1", "domain": "Geometry"},
        {"question": "Two?", "deepseek_thinking_trajectory": "t", "deepseek_attempt": "2", "source_type": ARENA},
        {"question": "Three?", "thinking": None},
        {"question": "One?"},
    ]  # fmt: skip
    result = take_rows(given, "mine.jsonl")
    one, two, three = result.rows
    assert (one["thinking"], one["answer"], one["domain"]) == ("a\nb", "1", "Geometry")
    assert (two["thinking"], two["answer"], two["source"]) == ("t", "2", "OlympicArena")
    assert "thinking" not in three
    assert [one.rule for one in result.rejected] == ["the same question again"]
    with pytest.raises(CurationError, match=r"mine.jsonl, row 0: column 'question' is 3"):
        take_rows([{"question": 3}], "mine.jsonl")
