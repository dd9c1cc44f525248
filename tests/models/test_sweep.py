"""`s1-eval sweep` and `s1-eval replay`, on a scripted engine with the embedded model's tokenizer."""

import json
import random
from pathlib import Path
from typing import Any, ClassVar

import pytest
from lm_eval.tasks import TaskManager

from s1_models.commands import replay, sweep_command
from s1_models.commands.sweep import MANIFEST, Setting, choose_settings
from s1_models.driver import EngineError
from s1_models.harness.evaluation import LoadedTasks, evaluate
from s1_models.harness.lm import BudgetForcingLM
from s1_models.harness.stored_lm import StoredLM, TokenizerHost
from s1_models.harness.written import OutputError
from s1_models.memo.store import Store
from s1_models.options import OptionError
from s1_report.collect import collect
from s1_report.curve import curve
from s1_tasks import TASKS_DIR
from tests.conftest import NANO
from tests.scripted_engine import ScriptedEngine

QUESTIONS = 12


class ScriptedLM(BudgetForcingLM, TokenizerHost):
    """The harness model of the tests: a tokenizer and a scripted engine, whose tokens depend on the sampling's seed."""

    made: ClassVar[list["ScriptedLM"]] = []
    sampling_names = frozenset({"temperature", "seed", "top_p"})
    max_in_flight = 5
    name = "one"  # part of the identity
    fail_after: int | None = None

    model_arguments = frozenset({"pretrained", "tokenizer", "batch_size", "max_batch_size", "device"})

    def __init__(self, tokenizer: Any, **arguments: Any) -> None:
        super().__init__(tokenizer=tokenizer, **arguments)

    def load(self, tokenizer: Any, **_: Any) -> None:
        self.load_host(facts={"special_tokens": False, "chat_template_args": {}}, tokenizer=tokenizer)
        self.eos_ids = frozenset({tokenizer.eos_token_id})
        self.default_seed = 7
        self.engine = SeededEngine(tokenizer, self.fail_after)
        type(self).made.append(self)

    def model_identity(self) -> dict[str, str]:
        return {"model": self.name}


class SeededEngine(ScriptedEngine):
    """Writes words of the tokenizer; another seed writes other words."""

    def __init__(self, tokenizer: Any, fail_after: int | None) -> None:
        stops = tokenizer.encode("<|im_end|>", add_special_tokens=False)
        words = tokenizer.encode("0 1 2 3 4 5 6 7 8 9 Final Answer: 12", add_special_tokens=False)
        self.asked_tokens = 0
        self.seed = 0

        def write(prefix: tuple[int, ...]) -> int:
            draw = random.Random(hash((self.seed, prefix)))
            return stops[0] if draw.random() < 0.05 else draw.choice(words)

        super().__init__(write, context_window=400, fail_after=fail_after, failure=KeyboardInterrupt())

    def _generate(self, request: Any) -> Any:
        self.seed = dict(request.sampling).get("seed", 0)
        reply = super()._generate(request)
        self.asked_tokens += len(reply.tokens)
        return reply


@pytest.fixture(autouse=True)
def scripted_model(nano_tokenizer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """`s1_scripted` as a model, and a TaskManager that reads our task files only (lm_eval's 10,000 take 10 s)."""

    class Model(ScriptedLM):
        def __init__(self, **arguments: Any) -> None:
            super().__init__(nano_tokenizer, **arguments)

    monkeypatch.setattr(ScriptedLM, "made", [])
    monkeypatch.setattr("lm_eval.api.registry.get_model", lambda name: {"s1_scripted": Model, "dummy": object}[name])
    original = TaskManager.__init__
    monkeypatch.setattr(
        TaskManager,
        "__init__",
        lambda self, verbosity=None, include_path=None, include_defaults=True, metadata=None: original(
            self,
            include_path=[str(TASKS_DIR), *filter(None, [include_path])],
            include_defaults=False,
            metadata=metadata,
        ),
    )
    monkeypatch.setattr("torch.utils.collect_env.get_pretty_env_info", lambda: "a machine")
    monkeypatch.setattr("lm_eval.evaluator.get_git_commit_hash", lambda: "abc")


def run_sweep(output: Path, *more: str) -> None:
    arguments = ["--model", "s1_scripted", "--model_args", f"pretrained={NANO},max_answer_tokens=16"]
    arguments += ["--tasks", "s1_nano", "--limit", str(QUESTIONS), "--output_path", str(output)]
    sweep_command.main([*arguments, *more])


CURVE = ("--num_waits", "0,1,2", "--max_thinking_tokens", "5,15,auto")


def manifest(output: Path) -> dict[str, Any]:
    return json.loads((output / MANIFEST).read_text())


def samples(folder: Path) -> list[dict[str, Any]]:
    """The newest samples file in a folder and below."""
    newest = max(folder.rglob("samples_*.jsonl"), key=lambda path: path.name)
    return [json.loads(line) for line in newest.read_text().splitlines()]


def test_the_two_lines_of_the_paper_are_chosen_longest_first() -> None:
    chosen = choose_settings([0, 4, 1, 4], [500, None, 2000])
    assert chosen == [Setting(4, None), Setting(1, None), Setting(0, None), Setting(0, 2000), Setting(0, 500)]
    assert choose_settings([1, 2], [0, 300]) == [Setting(2, 300), Setting(1, 300), Setting(1, 0)]
    assert len(choose_settings([0, 1, 2], [10, 20, None], cross=True)) == 9


def test_every_setting_is_what_a_run_alone_would_have_written(tmp_path: Path, nano_tokenizer: Any) -> None:
    run_sweep(tmp_path / "sweep", *CURVE)
    (swept,) = ScriptedLM.made  # loaded once
    rows = manifest(tmp_path / "sweep")["settings"]
    assert [(row["num_waits"], row["max_thinking_tokens"]) for row in rows] == [
        (2, "auto"), (1, "auto"), (0, "auto"), (0, 15), (0, 5),
    ]  # fmt: skip
    alone_tokens = 0
    for row in rows:
        options = {name: row[name] for name in ("num_waits", "max_thinking_tokens")}
        model_args = {"pretrained": str(NANO), "max_answer_tokens": 16, **options}
        alone = ScriptedLM(nano_tokenizer, **model_args, memo="off")
        tasks = LoadedTasks(TaskManager(metadata=model_args), ["s1_nano"])
        folder = tmp_path / "alone" / str(options)
        evaluate(alone, tasks, model="s1_scripted", model_args=model_args, output=folder, limit=float(QUESTIONS))
        alone_tokens += alone.engine.asked_tokens
        ours = tmp_path / "sweep" / f"wait{row['num_waits']}_think{row['max_thinking_tokens']}"
        assert samples(ours) == samples(folder)
        assert row["tokens_new"] + row["tokens_reused"] == alone.engine.asked_tokens
        results, theirs = (json.loads(next(place.rglob("results_*.json")).read_text()) for place in (ours, folder))
        for name in ("date", "total_evaluation_time_seconds"):
            results.pop(name), theirs.pop(name)
        for content in (results, theirs):
            del content["config"]["s1"]  # where its memo is
            content["config"].pop("batch_size"), content["config"].pop("device")
            content["config"].pop("gen_kwargs"), content.pop("fewshot_as_multiturn")
        assert results == theirs
        assert (ours / next(ours.iterdir()).name / "traces.jsonl").exists()
    assert swept.engine.asked_tokens == sum(row["tokens_new"] for row in rows) < 0.6 * alone_tokens


def test_the_folder_of_a_sweep_is_a_curve_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_sweep(tmp_path, *CURVE)
    printed = capsys.readouterr().out
    collected = collect(tmp_path)
    assert not collected.problems
    (series,) = curve(collected.records)
    budgets = [(point.record.num_waits, point.record.budget["max_thinking_tokens"]) for point in series.points]
    assert budgets == [(0, 5), (0, 15), (0, "auto"), (1, "auto"), (2, "auto")]
    for row in manifest(tmp_path)["settings"]:
        assert f"{row['tokens_new']:,}" in printed
        told = row["tasks"]["s1_nano"]
        (point,) = [
            point
            for point in series.points
            if (point.record.num_waits, point.record.budget["max_thinking_tokens"])
            == (row["num_waits"], row["max_thinking_tokens"])
        ]
        assert told["accuracy"] == point.record.accuracy
        assert (told["low"], told["high"]) == pytest.approx((point.interval.low, point.interval.high))
        assert told["thinking_tokens"] == pytest.approx(point.record.mean_of("thinking_tokens"))


def test_every_number_of_waits_at_every_budget(tmp_path: Path) -> None:
    run_sweep(tmp_path, *CURVE, "--cross")
    rows = manifest(tmp_path)["settings"]
    assert {(row["num_waits"], row["max_thinking_tokens"]) for row in rows} == {
        (waits, budget) for waits in (0, 1, 2) for budget in (5, 15, "auto")
    }
    assert sum(row["tokens_new"] for row in rows) == ScriptedLM.made[0].engine.asked_tokens


def test_the_memo_of_the_environment_serves_a_sweep_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("S1_MEMO", str(tmp_path / "mine.sqlite"))
    run_sweep(tmp_path / "sweep")
    assert (tmp_path / "mine.sqlite").exists()
    assert not (tmp_path / "sweep/memo.sqlite").exists()


def test_the_same_command_again_loads_no_model_and_more_settings_run_alone(tmp_path: Path) -> None:
    run_sweep(tmp_path, *CURVE)
    before = manifest(tmp_path)
    run_sweep(tmp_path, *CURVE)
    assert len(ScriptedLM.made) == 1
    assert manifest(tmp_path) == before
    run_sweep(tmp_path, "--num_waits", "0,1,2", "--max_thinking_tokens", "5,8,15,auto")
    *same, added = manifest(tmp_path)["settings"]
    assert same == before["settings"]
    assert (added["num_waits"], added["max_thinking_tokens"]) == (0, 8)
    run_sweep(tmp_path, *CURVE, "--limit", "3")
    assert [row["tasks"]["s1_nano"]["questions"] for row in manifest(tmp_path)["settings"]] == [3] * 5
    assert sum(row["tokens_new"] for row in manifest(tmp_path)["settings"]) == 0, "the memo has them all"


def test_a_sweep_interrupted_while_it_generates_goes_on_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(ScriptedLM, "fail_after", 20)
    with pytest.raises(SystemExit) as stop:
        run_sweep(tmp_path, *CURVE)
    assert stop.value.code == 130
    said = " ".join(capsys.readouterr().err.split())
    assert "of 60 questions were finished; 0 of 5 settings are finished: the same command again goes on" in said
    monkeypatch.setattr(ScriptedLM, "fail_after", None)
    run_sweep(tmp_path, *CURVE)
    unbroken = tmp_path / "unbroken"
    run_sweep(unbroken, *CURVE)
    interrupted, resumed, whole = (lm.engine.asked_tokens for lm in ScriptedLM.made)
    assert interrupted + resumed <= whole, "nothing is generated twice (what was in flight is remembered as well)"
    for row in manifest(unbroken)["settings"]:
        folder = f"wait{row['num_waits']}_think{row['max_thinking_tokens']}"
        assert samples(tmp_path / folder) == samples(unbroken / folder)


def test_a_sweep_interrupted_between_two_settings_keeps_what_is_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*arguments: Any, **options: Any) -> Any:
        if len(manifest(tmp_path)["settings"]) == 2:
            raise KeyboardInterrupt
        return evaluate(*arguments, **options)

    monkeypatch.setattr("s1_models.commands.sweep.evaluate", interrupted)
    with pytest.raises(SystemExit) as stop:
        run_sweep(tmp_path, *CURVE)
    assert stop.value.code == 130
    printed = capsys.readouterr()
    assert "interrupted; 2 of 5 settings are finished: the same command again goes on" in " ".join(printed.err.split())
    assert "s1_nano" in printed.out, "the table of what is finished"
    kept = manifest(tmp_path)["settings"]
    monkeypatch.setattr("s1_models.commands.sweep.evaluate", evaluate)
    run_sweep(tmp_path, *CURVE)
    assert manifest(tmp_path)["settings"][:2] == kept
    assert ScriptedLM.made[1].engine.asked_tokens == 0, "the first pass had generated everything"


def test_without_a_memo_every_setting_of_a_sweep_generates_for_itself(tmp_path: Path) -> None:
    run_sweep(tmp_path / "memo", *CURVE)
    run_sweep(tmp_path / "none", *CURVE, "--model_args", f"pretrained={NANO},max_answer_tokens=16,memo=off")
    with_memo, without = (lm.engine.asked_tokens for lm in ScriptedLM.made)
    rows = manifest(tmp_path / "memo")["settings"]
    assert without == sum(row["tokens_new"] + row["tokens_reused"] for row in rows) > with_memo


def test_a_sampled_sweep_gives_each_repeat_its_own_text_and_reuses_it(tmp_path: Path) -> None:
    run_sweep(
        tmp_path, "--num_waits", "0,1", "--repeats", "3", "--temperature", "1.0", "--max_thinking_tokens", "9,auto"
    )
    longest, middle, cut = manifest(tmp_path)["settings"]
    assert longest["tasks"]["s1_nano"]["metric"] == "avg@3"
    assert middle["tokens_reused"] > 0
    assert cut["tokens_reused"] > 0
    texts = [sample["resps"][0] for sample in samples(tmp_path / "wait1_thinkauto")]
    assert all(len(set(repeats)) == 3 for repeats in texts)
    first = [
        text.partition("<|im_start|>answer")[0]
        for sample in samples(tmp_path / "wait0_think9")
        for text in sample["resps"][0]
    ]
    second = [text for repeats in texts for text in repeats]
    assert all(long.startswith(short.rstrip("\n")) for short, long in zip(first, second, strict=True))


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (
            ("--gen_kwargs", "num_waits=2"),
            "--gen_kwargs sets num_waits, which a sweep varies: leave it out and use --num",
        ),
        (
            ("--model_args", "max_tokens_thinking=9"),
            "--model_args sets max_tokens_thinking.* use --max_thinking_tokens",
        ),
        (("--repeats", "4"), "--repeats 4 at temperature 0 would give the same text every time"),
        (("--use_cache", "x"), "--use_cache cannot be used with sweep"),
        (("--tasks", "s1_nano_wait2"), "the task s1_nano_wait2 sets num_waits, which a sweep varies"),
        (("--tasks", "s1_nanu"), "Tasks not found: s1_nanu.*s1-eval ls tasks"),
        (("--model", "dummy"), "--model dummy has no thinking to vary"),
        (("--max_thinking_tokens", "399,400"), "max_thinking_tokens=400 does not fit a context of 400 tokens"),
        (("--limit", "2", "--samples", '{"s1_nano": [1]}'), "--limit must be None"),
    ],
)
def test_what_a_sweep_cannot_mean_is_a_sentence(tmp_path: Path, more: tuple[str, ...], sentence: str) -> None:
    with pytest.raises((OptionError, ValueError), match=sentence):
        run_sweep(tmp_path, *more)


@pytest.mark.parametrize(
    ("option", "value"), [("--num_waits", "0,-1"), ("--num_waits", "two"), ("--max_thinking_tokens", "5,all")]
)
def test_malformed_lists_are_named(tmp_path: Path, option: str, value: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run_sweep(tmp_path, option, value)
    assert f"argument {option}: '{value}': expected" in capsys.readouterr().err


def test_several_tasks_share_a_setting_and_the_table_says_its_costs_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.yaml").write_text(f"include: {TASKS_DIR}/s1_nano.yaml\ntask: mine\n")
    run_sweep(tmp_path / "out", "--tasks", "mine", "--include_path", str(tmp_path))
    (row,) = manifest(tmp_path / "out")["settings"]
    assert list(row["tasks"]) == ["s1_nano", "mine"]
    assert row["tokens_new"] == row["tokens_reused"] > 0, "the same questions twice"
    lines = [line for line in capsys.readouterr().out.splitlines() if f" {QUESTIONS} " in line]
    assert [f"{row['tokens_new']:,}" in line for line in lines] == [True, False]


def test_a_file_that_is_no_manifest_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / MANIFEST).write_text("mine")
    with pytest.raises(OptionError, match=r"sweep\.json is no manifest of a sweep .*move it away"):
        run_sweep(tmp_path)
    assert (tmp_path / MANIFEST).read_text() == "mine"


def test_results_that_cannot_be_written_are_an_error_not_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lm_eval.loggers import EvaluationTracker

    monkeypatch.setattr(EvaluationTracker, "save_results_samples", lambda *_, **__: None)
    with pytest.raises(OutputError, match="make room, and run the same command again"):
        run_sweep(tmp_path)
    assert manifest(tmp_path)["settings"] == []


# Replay.


def test_a_replay_gives_the_same_texts_and_metrics_without_an_engine(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_sweep(tmp_path, *CURVE)
    before = {path.parent: samples(path.parent) for path in tmp_path.rglob("samples_*.jsonl")}
    replay.main([str(tmp_path), "--tokenizer", str(NANO)])
    assert len(ScriptedLM.made) == 1, "no engine was made"
    assert {folder: samples(folder) for folder in before} == before
    assert all(len(list(folder.glob("samples_*.jsonl"))) == 2 for folder in before)
    printed = " ".join(capsys.readouterr().out.split())
    assert printed.count(f"{QUESTIONS} questions; 0 with other texts and 0 with other metrics than in results_") == 5
    replay.main([str(tmp_path), "--output_path", str(tmp_path / "new"), "--tokenizer", str(NANO)])
    assert len(list((tmp_path / "new").rglob("results_*.json"))) == 5, "only the newest of each run"
    assert len(collect(tmp_path / "new").records) == 5


def test_thinking_that_was_sampled_in_its_own_way_is_replayed(tmp_path: Path) -> None:
    run_sweep(tmp_path, "--temperature", "1.0", "--gen_kwargs", "temperature_thinking=0.5")
    before = samples(tmp_path)
    replay.main([str(tmp_path), "--tokenizer", str(NANO)])
    assert samples(tmp_path) == before


def test_a_replay_writes_nothing_into_the_memo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_sweep(tmp_path)
    monkeypatch.setattr(Store, "_connect_to_write", lambda self: pytest.fail("opened to write"))
    replay.main([str(tmp_path), "--output_path", str(tmp_path / "new"), "--tokenizer", str(NANO)])
    assert list((tmp_path / "new").rglob("results_*.json"))


def test_a_question_the_memo_lacks_is_named(tmp_path: Path, nano_tokenizer: Any) -> None:
    run_sweep(tmp_path)
    ((results, content),) = replay.find_runs(tmp_path)
    content["config"]["limit"] = None  # as if all 500 had been asked
    for counts in content["n-samples"].values():
        counts["effective"] = counts["original"]
    with pytest.raises(EngineError, match=rf"the memo lacks the thinking .*s1_nano question {QUESTIONS}\)"):
        replay.replay(
            results,
            content,
            tmp_path / "memo.sqlite",
            tmp_path / "new",
            replay.TaskCache().load(content),
            nano_tokenizer,
        )
    assert not (tmp_path / "new").exists()


def test_another_models_tokens_are_not_replayed(tmp_path: Path, nano_tokenizer: Any) -> None:
    run_sweep(tmp_path)
    ((results, content),) = replay.find_runs(tmp_path)
    content["config"]["s1"]["identity"] = {"model": "another"}
    with pytest.raises(EngineError, match="s1_nano question 0"):
        replay.replay(
            results,
            content,
            tmp_path / "memo.sqlite",
            tmp_path / "new",
            replay.TaskCache().load(content),
            nano_tokenizer,
        )


def test_picked_questions_repeats_and_chat_templates_are_replayed(tmp_path: Path) -> None:
    arguments = ["--model", "s1_scripted", "--model_args", f"pretrained={NANO},max_answer_tokens=16", "--tasks"]
    arguments += ["s1_nano", "--output_path", str(tmp_path), "--samples", '{"s1_nano": [3, 141, 59]}']
    sweep_command.main([*arguments, "--apply_chat_template", "--repeats", "2", "--temperature", "0.8"])
    before = samples(tmp_path)
    assert [sample["doc_id"] for sample in before] == [3, 141, 59]
    replay.main([str(tmp_path), "--tokenizer", str(NANO)])
    assert samples(tmp_path) == before


def test_a_group_a_run_without_samples_and_one_of_the_python_interface_are_replayed(
    tmp_path: Path, nano_tokenizer: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    import lm_eval
    from lm_eval.loggers import EvaluationTracker

    lm = ScriptedLM(nano_tokenizer, memo=str(tmp_path / "mine.sqlite"), max_answer_tokens=16)
    tracker = EvaluationTracker(output_path=str(tmp_path / "run"))
    results = lm_eval.simple_evaluate(
        lm, tasks=["s1_nano_curve"], limit=3, evaluation_tracker=tracker, task_manager=TaskManager(metadata={})
    )
    samples_before = results.pop("samples")
    tracker.save_results_aggregated(results, samples_before)
    replay.main([str(tmp_path / "run"), "--output_path", str(tmp_path / "new"), "--tokenizer", str(NANO)])
    assert "nothing to compare with; the samples of the run cannot be read" in capsys.readouterr().out
    for task, rows in samples_before.items():
        (path,) = (tmp_path / "new").rglob(f"samples_{task}_*.jsonl")
        again = [json.loads(line) for line in path.read_text().splitlines()]
        assert [row["resps"] for row in again] == [row["resps"] for row in rows]
        assert [row["exact_match"] for row in again] == [row["exact_match"] for row in rows]
    (path,) = (tmp_path / "new").rglob("results_*.json")
    assert json.loads(path.read_text())["group_subtasks"] == json.loads(json.dumps(results["group_subtasks"]))


def test_places_without_a_replayable_run_are_sentences(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="none of its 0 results files is of an s1 model with a memo"):
        replay.main([str(tmp_path), "--tokenizer", str(NANO)])
    (tmp_path / "results_x.json").write_text("{}")
    with pytest.raises(OptionError, match="is no results file of lm_eval"):
        replay.main([str(tmp_path), "--tokenizer", str(NANO)])
    with pytest.raises(OptionError, match=r"its memo gone\.sqlite is gone: name it with --memo"):
        replay.find_memo(tmp_path / "results_x.json", "gone.sqlite")


def test_a_stored_model_refuses_likelihoods(nano_tokenizer: Any, tmp_path: Path) -> None:
    facts = {"context_window": 10, "eos_ids": [0], "default_seed": 1, "budget": {}, "template_thinks": True}
    with pytest.raises(OptionError, match="generated text only"):
        StoredLM({**facts, "sampling_names": []}, tmp_path / "m", nano_tokenizer).loglikelihood([])


def test_a_results_file_names_no_code_and_no_place_to_load_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder of results may come from anybody: what a replay loads is named on the command line."""
    run_sweep(tmp_path)
    trap = tmp_path / "trap"
    trap.mkdir()
    (trap / "tokenizer_config.json").write_text('{"auto_map": {"AutoTokenizer": ["evil.Evil", null]}}')
    (trap / "evil.py").write_text(f"open({str(tmp_path / 'sprung')!r}, 'w')\nclass Evil: pass\n")
    (results,) = tmp_path.rglob("results_*.json")
    content = json.loads(results.read_text())
    content["config"]["s1"]["tokenizer"] = str(trap)
    content["config"]["model_args"] = {**content["config"]["model_args"], "trust_remote_code": True}
    results.write_text(json.dumps(content))
    with pytest.raises(OptionError, match=r"from the command line only. The results file says .*trap'"):
        replay.main([str(tmp_path)])
    with pytest.raises(OptionError, match=r"there is no tokenizer at .*trap that can be used .*custom code"):
        replay.main([str(tmp_path), "--tokenizer", str(trap)])
    assert not (tmp_path / "sprung").exists()
    replay.main([str(tmp_path), "--tokenizer", str(NANO), "--output_path", str(tmp_path / "new")])
    assert list((tmp_path / "new").rglob("results_*.json"))
