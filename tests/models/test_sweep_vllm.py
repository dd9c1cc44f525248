"""A sweep, and its replay, on the real vLLM engine and the embedded model."""

import json
from pathlib import Path
from typing import Any

from lm_eval.tasks import TaskManager

from s1_models.commands import replay
from s1_models.commands.sweep import Setting, Sweep, choose_settings, run_sweep
from s1_models.harness.evaluation import LoadedTasks
from s1_tasks import TASKS_DIR
from tests.conftest import NANO

MODEL_ARGS = {"pretrained": str(NANO), "dtype": "float32", "max_model_len": 1024, "max_answer_tokens": 32}


def test_a_sweep_on_vllm_is_token_identical_to_its_settings_alone_and_replays(
    s1_lm: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setattr("torch.utils.collect_env.get_pretty_env_info", lambda: "a machine")
    manager = TaskManager(include_path=str(TASKS_DIR), include_defaults=False, metadata=dict(MODEL_ARGS))
    tasks = LoadedTasks(manager, ["s1_nano"])

    def sweep(settings: list[Setting], folder: Path) -> list[dict[str, Any]]:
        asked = Sweep("s1_vllm", MODEL_ARGS, ["s1_nano"], settings, {"limit": 25})
        memo = str(folder / "memo.sqlite")
        return run_sweep(asked, lambda: s1_lm, lambda: tasks, folder, memo=memo, versions={}).rows

    settings = choose_settings([0, 1, 4], [10, None])
    rows = sweep(settings, tmp_path / "sweep")
    apart = [sweep([setting], tmp_path / "apart" / setting.folder)[0] for setting in settings]
    for setting in settings:
        ours, theirs = (read_traces(tmp_path / way / setting.folder) for way in ("sweep", "apart"))
        assert len(ours) == 25
        assert ours == theirs
    assert sum(row["tokens_new"] for row in rows) < 0.6 * sum(row["tokens_new"] for row in apart)
    for row, alone in zip(rows, apart, strict=True):
        assert row["tokens_new"] + row["tokens_reused"] == alone["tokens_new"]
        assert row["tasks"] == alone["tasks"]

    for results, content in replay.find_runs(tmp_path / "sweep"):
        folder = tmp_path / "replayed" / results.parent.parent.name
        finished = replay.replay(results, content, tmp_path / "sweep" / "memo.sqlite", folder, tasks, s1_lm.tokenizer)
        assert replay.compare(replay.read_samples(results, "s1_nano"), finished.samples["s1_nano"]) == (0, 0)


def read_traces(folder: Path) -> list[Any]:
    """Question and token spans of every transcript in a setting's folder, in the order of the questions."""
    (file,) = folder.rglob("traces.jsonl")
    traces = [json.loads(line) for line in file.read_text().splitlines()]
    return sorted(
        (trace["doc_id"], [(span["phase"], span["forced"], span["tokens"]) for span in trace["spans"]])
        for trace in traces
    )
