"""The tasks inside lm_eval's own evaluation loop: table, samples, repeats, sampling settings."""

import json
import math
from pathlib import Path
from statistics import stdev
from typing import Any

import lm_eval
import pytest
from lm_eval.loggers import EvaluationTracker
from lm_eval.tasks import TaskManager
from lm_eval.utils import handle_non_serializable, make_table

TRANSCRIPT = "<|im_start|>think\nLet me see.\nWait\nYes.\n<|im_start|>answer\nFinal Answer: {}"


def evaluate(
    lm: object, task_manager: TaskManager, names: list[str], repeats: int = 1, **settings: Any
) -> dict[str, Any]:
    tasks = task_manager.load(names)["tasks"]
    for task in tasks.values():
        task.set_config("repeats", repeats)
    results = lm_eval.simple_evaluate(lm, tasks=list(tasks.values()), task_manager=task_manager, **settings)
    assert results is not None
    return dict(results)


def test_right_answers_score_one_on_every_task(task_manager: TaskManager, rows_dir: Path, telling_lm: Any) -> None:
    lm = telling_lm(lambda doc, repeat: TRANSCRIPT.format(doc["answer"]))
    results = evaluate(lm, task_manager, ["s1", "aime25", "aime26"])["results"]
    for name in ("aime24", "aime25", "aime26", "math500", "gpqa_diamond"):
        assert results[name]["exact_match,none"] == 1.0
        assert results[name]["no_answer,none"] == 0.0


def test_the_model_is_asked_the_prompt_of_each_task(task_manager: TaskManager, rows_dir: Path, telling_lm: Any) -> None:
    lm = telling_lm(lambda doc, repeat: "")
    evaluate(lm, task_manager, ["gpqa_diamond", "math500"])
    prompts = [request.args[0] for request in lm.requests]
    assert "Add one third and one sixth." in prompts
    (barks,) = [prompt for prompt in prompts if "barks" in prompt]
    assert barks.startswith("Which animal barks?\n\nA) ")
    assert sorted(line[3:] for line in barks.splitlines()[2:]) == ["a dog", "a fish", "a fish", "a snail"]


def test_all_repeats_reach_scoring_and_samples(
    task_manager: TaskManager, rows_dir: Path, telling_lm: Any, response_with_usage: Any, tmp_path: Path
) -> None:
    def tell(doc: dict[str, str], repeat: int) -> str:
        said = int(doc["answer"]) + (repeat % 2 if doc["id"] != "made-up-3" else 1)
        return response_with_usage(
            TRANSCRIPT.format(said), thinking_tokens=100 * repeat, answer_tokens=4, waits_used=1, cut_off=repeat % 2
        )

    tracker = EvaluationTracker(output_path=str(tmp_path / "out"))
    results = evaluate(telling_lm(tell), task_manager, ["aime24"], repeats=4, evaluation_tracker=tracker)
    scores = results["results"]["aime24"]
    # Two questions are right at repeats 0 and 2, the third never.
    per_question = [0.5, 0.5, 0.0]
    assert scores["exact_match,none"] == pytest.approx(2 / 3)
    assert scores["avg@4,none"] == pytest.approx(1 / 3)
    assert scores["avg@4_stderr,none"] == pytest.approx(stdev(per_question) / math.sqrt(3)), "clustered by question"
    assert scores["pass@2,none"] == pytest.approx((2 * (1 - 1 / 6)) / 3)
    assert scores["maj@4,none"] == pytest.approx(2 * 0.5 / 3)
    assert scores["thinking_tokens,none"] == pytest.approx(150)
    assert (scores["waits_used,none"], scores["cut_off,none"], scores["answer_tokens,none"]) == (1.0, 0.5, 4.0)
    assert scores["verdicts,none"] == pytest.approx(1 / 3)
    assert (scores["unreadable,none"], scores["timed_out,none"]) == (0.0, 0.0)

    samples = results.pop("samples")
    tracker.save_results_aggregated(results=results, samples=samples)
    tracker.save_results_samples(task_name="aime24", samples=samples["aime24"])
    (path,) = (tmp_path / "out").glob("**/samples_aime24_*.jsonl")
    written = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    assert [len(sample["resps"][0]) for sample in written] == [4, 4, 4]
    assert written[0]["resps"][0][0] == TRANSCRIPT.format(7), "the full transcript is kept"
    assert [verdict["outcome"] for verdict in written[0]["verdicts"]] == ["correct", "incorrect"] * 2
    assert [verdict["answer"] for verdict in written[0]["verdicts"]] == ["7", "8", "7", "8"]
    json.dumps(results, default=handle_non_serializable, allow_nan=False)
    assert "unreadable" in make_table(results)


def test_one_repeat_without_usage_leaves_a_table_of_five_rows(
    task_manager: TaskManager, rows_dir: Path, telling_lm: Any
) -> None:
    results = evaluate(telling_lm(lambda doc, repeat: ""), task_manager, ["aime24"])
    rows = make_table(results).strip().splitlines()[2:]
    assert [row.split("|")[5].strip() for row in rows] == [
        "exact_match",
        "no_answer",
        "timed_out",
        "unreadable",
        "verdicts",
    ]
    assert results["results"]["aime24"]["no_answer,none"] == 1.0
    assert results["results"]["aime24"]["verdicts,none"] == 0.0


def test_a_temperature_on_the_command_line_reaches_the_model_and_survives_normalisation(
    task_manager: TaskManager, rows_dir: Path, telling_lm: Any
) -> None:
    from lm_eval.models.utils import normalize_gen_kwargs

    lm = telling_lm(lambda doc, repeat: "")
    evaluate(lm, task_manager, ["aime24"], gen_kwargs="temperature=0.6,top_p=0.95")
    asked = lm.requests[0].args[1]
    assert asked == {"until": [], "temperature": 0.6, "top_p": 0.95, "max_gen_toks": 32768}
    normal = normalize_gen_kwargs(asked)
    assert (normal["temperature"], normal["do_sample"]) == (0.6, True)
    greedy = normalize_gen_kwargs({"until": [], "temperature": 0.0, "max_gen_toks": 32768})
    assert (greedy["temperature"], greedy["do_sample"]) == (0.0, False)


def test_an_unusual_number_of_repeats_is_scored_too(task_manager: TaskManager, rows_dir: Path, telling_lm: Any) -> None:
    lm = telling_lm(lambda doc, repeat: TRANSCRIPT.format(int(doc["answer"]) + (repeat >= 6)))
    scores = evaluate(lm, task_manager, ["aime24"], repeats=7)["results"]["aime24"]
    assert scores["avg@7,none"] == pytest.approx(6 / 7)
    assert scores["pass@7,none"] == 1.0
    assert scores["maj@7,none"] == 1.0


def test_predict_only_keeps_the_transcripts_and_scores_nothing(
    task_manager: TaskManager, rows_dir: Path, telling_lm: Any
) -> None:
    lm = telling_lm(lambda doc, repeat: TRANSCRIPT.format(1))
    results = evaluate(lm, task_manager, ["aime24"], repeats=2, predict_only=True)
    assert results["samples"]["aime24"][0]["resps"] == [[TRANSCRIPT.format(1)] * 2]
    assert "exact_match,none" not in results["results"]["aime24"]


def test_a_chosen_directory_arrives_through_the_harness_metadata(
    rows_dir: Path, monkeypatch: pytest.MonkeyPatch, telling_lm: Any
) -> None:
    from s1_tasks import TASKS_DIR

    monkeypatch.delenv("S1_DATA_DIR")
    metadata = {"pretrained": "some/model", "num_waits": 4, "s1_data_dir": str(rows_dir)}
    manager = TaskManager(include_path=str(TASKS_DIR), include_defaults=False, metadata=metadata)
    results = evaluate(telling_lm(lambda doc, repeat: TRANSCRIPT.format(7)), manager, ["aime24"], limit=1)
    assert results["results"]["aime24"]["exact_match,none"] == 1.0
    assert results["n-samples"]["aime24"] == {"original": 3, "effective": 1}
