"""A whole run from 16 small sources to training rows: resumed, interrupted, viewed, drawn; and the rules of quality."""

import json
import shutil
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet
import pytest
import yaml
from typer.testing import CliRunner

from tests.conftest import NANO, ROOT
from tests.training.chat_server import Reply, serving
from tests.training.test_curate_difficulty import ScriptedLM
from training.curate import pipeline
from training.curate.__main__ import app
from training.curate.chat import Endpoint
from training.curate.collect import Loaded, load
from training.curate.config import (
    Collect,
    Config,
    Decontaminate,
    Difficulty,
    Domain,
    Render,
    Select,
    Traces,
    load_config,
)
from training.curate.funnel import S1_COUNTS, draw, table
from training.curate.manifest import Manifest
from training.curate.pipeline import STAGES, Pipeline
from training.curate.quality import complete, well_formed
from training.curate.references import Reference
from training.curate.sources import Source
from training.curate.stage import CurationError, added_columns
from training.curate.tables import canonical_hash, read_rows, write_json_lines
from training.curate.view import MASKED, TRAINED, colour
from training.render import texts_of

FIXTURES = Path(__file__).parent / "fixtures"
SOLVED = "A baker packs"  # the one question that the reference model gets right


def teacher_and_judge(question: str, before: int, messages: list) -> Reply:
    """A teacher for bare questions, a classifier where there is a rubric."""
    if messages[0]["role"] == "system":
        return Reply(content=f"Because.\n{'51' if len(question) % 2 else '11'}")
    if "fence of N posts" in question:
        return Reply(content="I shall not think.")
    return Reply(content="Answer: 84", reasoning_content=f"Let me see. {question[:40]}\nIt is 84.")


def config(out: Path, url: str) -> Config:
    chat = Endpoint("scripted", base_url=url, attempts=2)
    return Config(
        out=out,
        collect=Collect(source=f"local:{FIXTURES / 'sources'}"),
        decontaminate=Decontaminate(questions=str(FIXTURES / "benchmarks"), near_duplicates=0.8),
        traces=Traces(chat),
        domain=Domain(chat),
        difficulty=Difficulty((Reference("small", max_answer_tokens=30),)),
        select=Select(count=5, baselines=("random", "longest")),
        render=Render(str(NANO)),
    )


@contextmanager
def reference_model(reference: Reference):
    """A reference model that says 420 to everything."""
    from transformers import AutoTokenizer

    yield Everything(AutoTokenizer.from_pretrained(NANO))


class Everything(ScriptedLM):
    def __init__(self, tokenizer) -> None:
        super().__init__(tokenizer, {})
        text = tokenizer.encode("Answer: 420", add_special_tokens=False)
        start = tokenizer.encode("assistant\n", add_special_tokens=False)
        self.engine.context_window = 4096

        def write(prefix):
            at = max(place for place in range(len(prefix)) if list(prefix[place : place + len(start)]) == start)
            said = len(prefix) - at - len(start)
            return text[said] if said < len(text) else tokenizer.eos_token_id

        self.engine._write = write


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A finished run: its configuration, its manifest, and what it told."""
    out = tmp_path_factory.mktemp("run") / "out"
    told: list[str] = []
    with serving(teacher_and_judge) as server:
        chosen = config(out, server.url)
        Pipeline(chosen, tell=told.append, opener=reference_model).run()
    return chosen, Manifest(out / "manifest.json"), told


def test_a_run_ends_in_training_rows(finished) -> None:
    chosen, manifest, _ = finished
    rows = read_rows(chosen.out / "train.jsonl")
    assert len(rows) == 5
    for row in rows:
        assert texts_of(row)[1:] == (row["thinking_trajectories"][0], "Answer: 84")
        assert row["text"].endswith("<|im_start|>answer\nAnswer: 84<|im_end|>\n")
        assert len(row["input_ids"]) == len(row["loss_mask"])
    parquet = pyarrow.parquet.read_table(chosen.out / "train.parquet")
    assert parquet.column("text").to_pylist() == [row["text"] for row in rows]
    assert parquet.column("input_ids").to_pylist() == [row["input_ids"] for row in rows]
    assert list(manifest.stages) == list(STAGES)


def test_the_manifest_counts_every_row_and_names_every_rule(finished) -> None:
    chosen, manifest, told = finished
    before = None
    for name, record in manifest.stages.items():
        assert record.rows_in - record.rows_out == sum(record.rejected.values()), name
        assert before in (None, record.rows_in)
        before = record.rows_out
        rejected = read_rows(next((chosen.out / "stages").glob(f"*-{name}.rejected.jsonl")))
        assert len(rejected) == sum(record.rejected.values())
    assert manifest.stages["complete"].rejected == {"no trace (API error)": 1, "no solution": 1}
    assert manifest.stages["format"].rejected == {"figure in code": 1}  # MATH's; AIME's is kept
    assert manifest.stages["difficulty"].rejected["solved by small"] == 1
    assert manifest.stages["traces"].figures["output_tokens"] == 100 * (manifest.stages["traces"].rows_in + 1)
    report = json.loads((chosen.out / "contamination.json").read_text())
    assert manifest.about["contamination"]["report_sha256"] == canonical_hash(report)
    assert manifest.about["contamination"]["benchmarks"]["math500"]["questions"] == 2
    assert [line.split()[0] for line in told if not line.startswith(" ")] == list(STAGES)
    assert {path.name for path in (chosen.out / "baselines").iterdir()} == {"random.jsonl", "longest.jsonl"}


def test_a_finished_run_is_read_back_and_says_the_same(finished) -> None:
    chosen, manifest, _ = finished
    told: list[str] = []
    before = (chosen.out / "train.jsonl").read_bytes()
    Pipeline(chosen, tell=told.append, opener=no_model).run()  # nothing is served any more, and nothing is asked
    assert all("finished before" in line for line in told if not line.startswith(" "))
    assert (chosen.out / "train.jsonl").read_bytes() == before
    assert Manifest(chosen.out / "manifest.json").about["data_sha256"] == manifest.about["data_sha256"]


def no_model(reference: Reference):
    raise AssertionError(f"{reference.name} was started although nothing is missing")


def test_a_changed_setting_redoes_its_stage_and_what_follows(finished) -> None:
    chosen, manifest, _ = finished
    told: list[str] = []
    changed = replace(chosen, select=Select(how="longest", count=4, baselines=()))
    Pipeline(changed, tell=told.append, opener=no_model).run()
    assert [line.split()[0] for line in told if not line.startswith(" ") and "finished before" not in line] == [
        "select",
        "render",
    ]
    assert len(read_rows(chosen.out / "train.jsonl")) == 4
    Pipeline(chosen, tell=told.append, opener=no_model).run()
    assert Manifest(chosen.out / "manifest.json").about["data_sha256"] == manifest.about["data_sha256"]


def test_changed_benchmark_questions_redo_the_decontamination(tmp_path: Path) -> None:
    benchmarks = tmp_path / "benchmarks"
    shutil.copytree(FIXTURES / "benchmarks", benchmarks)
    chosen = config(tmp_path / "out", "http://127.0.0.1:9/v1")
    chosen = replace(chosen, decontaminate=Decontaminate(questions=str(benchmarks)))
    before = Pipeline(chosen, tell=lambda line: None).run(until="decontaminate")
    with (benchmarks / "aime24.jsonl").open("a") as more:
        more.write(json.dumps({"id": "new", "problem": before[0]["question"] + " a b c d e f g", "answer": "1"}) + "\n")
    told: list[str] = []
    after = Pipeline(chosen, tell=told.append).run(until="decontaminate")
    assert [line.split()[0] for line in told if not line.startswith(" ") and "finished before" not in line] == [
        "decontaminate"
    ]
    assert before[0] in before
    assert before[0] not in after


def test_a_source_that_failed_is_tried_again_and_the_others_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    refused = {"TheoremQA"}

    def from_hub(source: Source, where: str) -> Loaded:
        asked.append(source.name)
        if source.name in refused:
            raise CurationError(f"{source.name}: it is gated")
        return load(source, f"local:{FIXTURES / 'sources'}")

    monkeypatch.setattr(pipeline, "load", from_hub)
    names = ("MATH", "TheoremQA", "Omni-MATH")
    chosen = replace(config(tmp_path / "out", "http://127.0.0.1:9/v1"), collect=Collect(names=names))
    told: list[str] = []
    for _ in range(2):
        told.clear()
        asked.clear()
        Pipeline(chosen, tell=told.append).run(until="decontaminate")
        assert [line for line in told if "missing: TheoremQA: TheoremQA: it is gated" in line]
    assert asked == ["TheoremQA"]
    assert "finished before" in told[-1]  # the same rows: what follows still stands
    refused.clear()
    asked.clear()
    rows = Pipeline(chosen, tell=told.append).run(until="decontaminate")
    assert asked == ["TheoremQA"]
    whole = Pipeline(replace(chosen, out=tmp_path / "whole"), tell=told.append).run(until="decontaminate")
    assert rows == whole
    told.clear()
    Pipeline(chosen, tell=told.append).run(until="decontaminate")
    assert all("finished before" in line for line in told)


def test_questions_that_the_teacher_failed_are_named_with_what_asks_them_again(finished) -> None:
    chosen, _, _ = finished
    told: list[str] = []
    Pipeline(chosen, tell=told.append, opener=no_model).run()
    assert "  1 questions without a usable answer; --again traces asks them again" in told


def test_a_damaged_stage_file_is_made_again(finished) -> None:
    chosen, _, _ = finished
    path = next((chosen.out / "stages").glob("*-format.jsonl"))
    path.write_text(path.read_text().splitlines()[0] + "\n")
    told: list[str] = []
    Pipeline(chosen, tell=told.append, opener=no_model).run()
    # Made again it is what it was, and what follows from it still stands.
    assert [line.split()[0] for line in told if not line.startswith(" ") and "finished before" not in line] == [
        "format"
    ]


def test_an_interrupted_run_goes_on_inside_the_stage(tmp_path: Path) -> None:
    asked: list[str] = []

    def interrupting(question: str, before: int, messages: list) -> Reply:
        asked.append(question)
        return Reply(status=401) if len(asked) > 6 else teacher_and_judge(question, before, messages)

    with serving(interrupting) as server:
        chosen = config(tmp_path / "out", server.url)
        with pytest.raises(CurationError, match="check the key"):
            Pipeline(chosen, tell=lambda line: None).run(until="traces")
    journal = tmp_path / "out" / "journals" / "traces.jsonl"
    answered = sum(json.loads(line)["value"] is not None for line in journal.read_text().splitlines())
    with serving(teacher_and_judge) as server:
        again = replace(chosen, traces=Traces(replace(chosen.traces.teacher, base_url=server.url)))
        rows = Pipeline(again, tell=lambda line: None).run(until="traces")
        assert len(server.seen) == len(rows) - answered
    assert list(Manifest(tmp_path / "out" / "manifest.json").stages) == ["collect", "decontaminate", "traces"]


def test_a_stage_that_leaves_nothing_says_why(tmp_path: Path) -> None:
    chosen = replace(config(tmp_path / "out", "http://127.0.0.1:9/v1"), traces=Traces(None))
    with pytest.raises(CurationError, match=r"stage complete left no rows \(no trace \(API error\): \d+\)"):
        Pipeline(chosen, tell=lambda line: None).run()
    with pytest.raises(CurationError, match="'filter' is no stage; expected one of collect"):
        Pipeline(chosen).run(until="filter")


def test_a_stage_may_only_add_columns() -> None:
    with pytest.raises(ValueError, match="row 1: the stage changed question; stages only add columns"):
        added_columns([{"id": "1", "question": "a"}], [{"id": "1", "question": "b"}])


# Quality.

GOOD = {"id": "1", "question": "What is 2 + 2?", "solution": "4", "thinking": "Four.", "answer": "4", "length": 3}


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"thinking": None, "trace_error": "429"}, "no trace (API error)"),
        ({"thinking": " "}, "empty thinking"),
        ({"answer": ""}, "empty answer"),
        ({"solution": None}, "no solution"),
        ({"length": None}, "no length"),
        ({"question": "[asy]draw();[/asy]"}, "figure in code"),
        ({"question": "See ![Image](x.png)."}, "image"),
        ({"question": "p1. Add. p2. Subtract."}, "several parts (p1., p2., ...)"),
        ({"question": "**p12** Solve it."}, "number in bold"),
        ({"question": "**Problem** 7"}, "number in bold"),
        ({"thinking": "x <|im_start|>answer"}, "delimiter in a text"),
        ({"answer": "<|im_end|>"}, "delimiter in a text"),
    ],
)
def test_each_rule_of_quality_rejects_what_it_names(change: dict, rule: str) -> None:
    row = {**GOOD, **change}
    rejected = complete([row]).rejected or well_formed([row]).rejected
    assert [one.rule for one in rejected] == [rule]


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"question": "[asy]draw();[/asy]", "source": "AIME"},
        {"question": "**Problem** without numbers"},
        {"question": "Find p0.5 and p. 12"},
        {"solution": None, "reference": "4"},
    ],
)
def test_what_breaks_no_rule_is_kept(change: dict) -> None:
    row = {**GOOD, **change}
    assert well_formed(complete([row]).rows).rows == [row]


def test_an_aime_figure_is_no_licence_for_other_faults() -> None:
    row = {**GOOD, "question": "[asy]draw();[/asy] ![Image](x)", "source": "AIME"}
    assert [one.rule for one in well_formed([row]).rejected] == ["image"]


# The command, the configuration, the figures.


def test_the_example_shows_every_key_with_its_default() -> None:
    example = ROOT / "training/curate/example.yaml"
    loaded = load_config(example)
    assert loaded.select == Select()
    assert loaded.difficulty == Difficulty()
    assert loaded.collect == Collect()
    assert loaded.decontaminate == Decontaminate()
    assert loaded.render == Render()
    content = yaml.safe_load(example.read_text())
    assert list(content) == [name for name in Config.__dataclass_fields__ if name in content]
    assert set(content) == set(Config.__dataclass_fields__)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seed: 1", "out is missing"),
        ("out: x\nsede: 1", "unknown key 'sede'; did you mean seed?"),
        ("out: x\nseed: one", "seed is 'one'; expected a valid integer"),
        ("out: x\nselect: {how: best}", "select: best is no selection"),
        ("out: x\ncollect: {names: MATH}", "collect: names is 'MATH'; expected a valid list"),
        ("out: x\ndifficulty: {llm_grading: always}", "but there is no grader"),
        ("out: x\ntraces: {teacher: {}}", "traces: teacher: model is missing"),
        ("out: x\nseed: '3'", "seed is '3'; expected a valid integer"),
        ("out: x\nselect: {count: true}", "select: count is True; expected a valid integer"),
        ("out: x\nselect: {cuont: 3}", "select: unknown key 'cuont'; did you mean count?"),
        ("out: x\ndifficulty: {references: [{nam: a}]}", "difficulty: references: 0: "),
        ("- out", r"got \['out'\]; expected"),
        ("out: [", "is not YAML"),
    ],
)
def test_a_configuration_that_cannot_be_meant_is_a_sentence(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "my.yaml"
    path.write_text(text)
    with pytest.raises(CurationError, match=message.replace("?", r"\?")):
        load_config(path)


def invoke(*arguments: str):
    return CliRunner().invoke(app, list(arguments), env={"COLUMNS": "160"})


def test_the_command_shows_the_funnel_beside_s1s(finished, tmp_path: Path) -> None:
    chosen, _, _ = finished
    path = tmp_path / "my.yaml"
    endpoint = {"model": "scripted", "base_url": chosen.traces.teacher.base_url, "attempts": 2}
    path.write_text(
        yaml.safe_dump(
            {
                "out": str(chosen.out),
                "collect": {"source": chosen.collect.source},
                "decontaminate": {"questions": chosen.decontaminate.questions, "near_duplicates": 0.8},
                "traces": {"teacher": endpoint},
                "domain": {"model": endpoint},
                "difficulty": {"references": [{"name": "small", "max_answer_tokens": 30}]},
                "select": {"count": 5, "baselines": []},
                "render": {"tokenizer": str(NANO)},
            }
        )
    )
    shown = invoke("run", "--config", str(path))
    assert shown.exit_code == 0, shown.output
    for count in S1_COUNTS.values():
        assert f"{count:,}" in shown.output
    assert "finished before" in shown.output
    assert (chosen.out / "funnel.png").stat().st_size > 10_000
    wrong = invoke("run", "--config", str(path), "--until", "filter")
    assert wrong.exit_code == 2
    assert "is no stage" in wrong.output


def test_a_viewed_row_is_its_text_with_trained_tokens_coloured(finished, nano_tokenizer) -> None:
    chosen, _, _ = finished
    row = read_rows(chosen.out / "train.parquet")[0]
    shown = colour(nano_tokenizer, row["input_ids"], row["loss_mask"])
    assert shown.plain == row["text"]
    start = row["text"].index("<|im_start|>think")
    for span in shown.spans:
        trained = start <= span.start < len(row["text"]) - 1
        assert span.style in (TRAINED if trained else (MASKED,))
    output = invoke("view", str(chosen.out / "train.parquet"), "--tokenizer", str(NANO)).output
    assert "\x1b[" in output  # coloured although no terminal reads it: `| less -R`
    view = ["view", str(chosen.out / "train.parquet"), "--tokenizer"]
    plain = CliRunner().invoke(app, [*view, str(NANO)], env={"COLUMNS": "160", "NO_COLOR": "1"}).output
    assert "\x1b[" not in plain
    assert "in the loss" in plain
    assert "<|im_start|>think" in plain
    nowhere = invoke(*view, "/nowhere")
    assert nowhere.exit_code == 2
    assert nowhere.output.startswith("error: the tokenizer '/nowhere' could not be loaded")
    beyond = invoke("view", str(chosen.out / "train.jsonl"), "--tokenizer", "x", "--row", "9")
    assert "expected a row from 0 to 4" in beyond.output


def test_tokens_of_half_a_character_are_shown_with_the_rest_of_it(nano_tokenizer) -> None:
    ids = nano_tokenizer.encode("∫ é", add_special_tokens=False)
    assert len(ids) == 6
    assert colour(nano_tokenizer, ids, [1] * 6).plain == "∫ é"


def test_anybodys_data_can_be_checked(tmp_path: Path) -> None:
    rows = [
        {"question": "A gardener plants tulips in 7 rows of 9 and then goes home."},
        {"question": "Something else altogether."},
    ]
    write_json_lines(tmp_path / "mine.jsonl", rows)
    shown = invoke(
        *("check", str(tmp_path / "mine.jsonl"), "--questions", str(FIXTURES / "benchmarks")),
        *("--benchmark", "math500", "--report", str(tmp_path / "report.json")),
    )
    assert shown.exit_code == 1, shown.output
    assert "math500 made-up-1, run: 'a gardener plants tulips in 7 rows of'" in shown.output
    assert "1 of 2 rows rejected" in shown.output
    assert json.loads((tmp_path / "report.json").read_text())["rows_rejected"] == 1
    write_json_lines(tmp_path / "mine.jsonl", rows[1:])
    where = ("check", str(tmp_path / "mine.jsonl"), "--questions", str(FIXTURES / "benchmarks"))
    clean = invoke(*where, "--benchmark", "math500")
    assert clean.exit_code == 0, clean.output
    # By default every benchmark is looked for, and one that cannot be read is no clean one.
    partly = invoke(*where)
    assert partly.exit_code == 2
    assert "not checked: hmmt_feb_2025: " in partly.output
    assert "nothing found, but" in partly.output


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--rule", "s1", "--near", "80"), "near_duplicates is 80; expected a Jaccard index above 0 and at most 1"),
        (("--rule", "s1", "--near", "0"), "near_duplicates is 0; expected"),
        (("--near", "0"), "near is 0; expected a share above 0"),
        (("--rule", "loose"), "--rule loose: expected strict or s1"),
    ],
)
def test_a_check_that_cannot_be_meant_is_a_sentence(tmp_path: Path, options: tuple[str, ...], says: str) -> None:
    write_json_lines(tmp_path / "mine.jsonl", [{"question": "What is it?"}])
    where = ("--questions", str(FIXTURES / "benchmarks"), "--benchmark", "math500")
    shown = invoke("check", str(tmp_path / "mine.jsonl"), *where, *options)
    assert shown.exit_code == 2
    assert shown.output.startswith(f"error: {says}")


def test_no_words_in_a_row_is_a_sentence(tmp_path: Path) -> None:
    chosen = config(tmp_path / "out", "http://127.0.0.1:9/v1")
    questions = chosen.decontaminate.questions
    with pytest.raises(CurationError, match="words_in_a_row is 0; expected 1 or more"):
        Pipeline(replace(chosen, decontaminate=Decontaminate(questions=questions, words_in_a_row=0))).run()
    with pytest.raises(CurationError, match="no benchmark questions"):
        Pipeline(replace(chosen, decontaminate=Decontaminate((), questions))).run()


def test_the_sources_are_listed() -> None:
    output = invoke("sources").output
    assert "59,029 rows" in output
    assert "Year at most 2021" in output


def test_a_funnel_is_drawn_of_any_run(finished, tmp_path: Path) -> None:
    _, manifest, _ = finished
    draw(manifest.stages, tmp_path / "funnel.svg")
    assert (tmp_path / "funnel.svg").read_text().count("<path") > 20
    assert table(manifest.stages).row_count == len(STAGES)


def test_help_teaches() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "training.curate", "run", "--help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "--source local:/data/s1" in done.stdout
