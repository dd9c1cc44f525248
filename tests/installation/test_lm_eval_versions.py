"""Our models and tasks on several versions of lm_eval, with the bridge on, yielding and off, and as a plug-in of tasks.

The other versions are installed beside the environment, into a folder that the next run finds again.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import NANO, ROOT

pytestmark = pytest.mark.slow

CACHE = ROOT / ".lm_eval_versions"
VERSIONS = ("installed", "0.5.0.dev1", "main")

LISTING = """
import json
import lm_eval.models
from lm_eval.api.registry import model_registry
from lm_eval.tasks import TaskManager
manager = TaskManager()
index = getattr(manager, "task_index", None) or manager._task_index
print(json.dumps({
    "models": [name for name in model_registry.keys() if name.startswith("s1_")],
    "aime24": str(index["aime24"].yaml_path),
    "math500": "math500" in manager.all_subtasks,
    "count": manager.all_subtasks.count("math500"),
}))
"""
TASK_PLUGINS = '''
"""Finds tasks by entry point, as a pull request to lm_eval proposes."""

from importlib.metadata import entry_points
from pathlib import Path

from lm_eval.tasks.manager import TaskManager

original = TaskManager.__init__


def with_plugins(self, verbosity=None, include_path=None, include_defaults=True, *more, **arguments):
    found = [str(Path(point.load().__file__).parent) for point in entry_points(group="lm_eval.tasks")]
    given = [include_path] if isinstance(include_path, (str, Path)) else list(include_path or ())
    original(self, verbosity, [*found, *given], include_defaults, *more, **arguments)


TaskManager.__init__ = with_plugins
'''


@pytest.fixture(scope="module", params=VERSIONS)
def lm_eval_path(request: pytest.FixtureRequest) -> str:
    """What to put on PYTHONPATH for a version; "" for the installed one."""
    version = request.param
    if version == "installed":
        return ""
    if version == "main":
        main = os.environ.get("S1_LM_EVAL_MAIN")
        if not main:
            pytest.skip("lm_eval's main branch is on no package index: set S1_LM_EVAL_MAIN to a checkout to test it")
        return main
    folder = CACHE / version
    if not (folder / "lm_eval").is_dir():
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder)]
        subprocess.run([*command, f"lm-eval=={version}"], check=True, capture_output=True, text=True)
    return str(folder)


def run(
    lm_eval_path: str, *arguments: str, ok: bool = True, extra_path: str = "", **variables: str
) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("S1_", "PYTHON"))}
    path = os.pathsep.join(filter(None, (extra_path, lm_eval_path, str(ROOT))))
    done = subprocess.run(
        [sys.executable, *arguments],
        env={**clean, "HF_HUB_OFFLINE": "1", "PYTHONPATH": path, **variables},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert (done.returncode == 0) is ok, done.stderr[-3000:]
    return done


def listing(lm_eval_path: str, prelude: str = "", **variables: str) -> dict[str, object]:
    printed = run(lm_eval_path, "-c", prelude + LISTING, **variables).stdout.splitlines()[-1]
    found = json.loads(printed)
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize(("mode", "ours", "models"), [("on", True, 3), ("yield", False, 3), ("off", False, 0)], ids=str)
def test_the_bridge_gives_what_its_mode_says(lm_eval_path: str, mode: str, ours: bool, models: int) -> None:
    found = listing(lm_eval_path, **({} if mode == "on" else {"S1_BRIDGE": mode}))
    assert ("s1_tasks" in str(found["aime24"])) is ours
    assert found["math500"] is (mode != "off")
    names = found["models"]
    assert isinstance(names, list)
    assert (len(names) >= models) is True
    assert bool(names) is (mode != "off")


@pytest.mark.parametrize("mode", ["on", "off"])
def test_tasks_found_by_entry_point_are_ours_too(lm_eval_path: str, tmp_path: Path, mode: str) -> None:
    (tmp_path / "task_plugins.py").write_text(TASK_PLUGINS, encoding="utf-8")
    variables = {} if mode == "on" else {"S1_BRIDGE": mode}
    found = listing(lm_eval_path, "import task_plugins\n", extra_path=str(tmp_path), **variables)
    assert "s1_tasks" in str(found["aime24"])
    assert found["count"] == 1


@pytest.mark.parametrize("repeats", [1, 4])
def test_a_run_is_scored_written_and_read_back(lm_eval_path: str, tmp_path: Path, repeats: int) -> None:
    given = ["-m", "lm_eval", "run", "--model", "s1_hf", "--tasks", "s1_nano", "--limit", "5", "--log_samples"]
    given += ["--model_args", f"pretrained={NANO},dtype=float32,num_waits=2", "--output_path", str(tmp_path)]
    if repeats > 1:
        given += ["--gen_kwargs", f"n={repeats},temperature=1"]
    run(lm_eval_path, *given)
    (samples,) = tmp_path.glob("*/samples_s1_nano_*.jsonl")
    rows = [json.loads(line) for line in samples.read_text(encoding="utf-8").splitlines()]
    assert [len(row["verdicts"]) for row in rows] == [repeats] * 5
    (traces,) = tmp_path.glob("*/traces.jsonl")
    assert len(traces.read_text(encoding="utf-8").splitlines()) == 5 * repeats
    table = run(lm_eval_path, "-m", "s1_report.cli", "stats", str(tmp_path)).stdout
    assert "s1_nano" in table


def test_a_task_of_lm_evals_own_runs_with_our_models(lm_eval_path: str, tmp_path: Path) -> None:
    """An exact_match task with a take_first filter, on rows of its own: nothing of ours but the model."""
    (tmp_path / "rows.jsonl").write_text('{"q": "1 2 3", "a": "6"}\n' * 3, encoding="utf-8")
    (tmp_path / "foreign.yaml").write_text(
        "task: foreign_sum\ndataset_path: json\noutput_type: generate_until\ntest_split: train\n"
        f"dataset_kwargs: {{data_files: {{train: {tmp_path / 'rows.jsonl'}}}}}\n"
        'doc_to_text: "{{q}}"\ndoc_to_target: "{{a}}"\n'
        "metric_list:\n  - {metric: exact_match, aggregation: mean, higher_is_better: true}\n"
        "filter_list:\n  - {name: get_response, filter: [{function: take_first}]}\n",
        encoding="utf-8",
    )
    given = ["-m", "lm_eval", "run", "--model", "s1_hf", "--tasks", "foreign_sum", "--include_path", str(tmp_path)]
    given += ["--model_args", f"pretrained={NANO},dtype=float32,num_waits=1", "--output_path", str(tmp_path / "out")]
    run(lm_eval_path, *given, "--log_samples")
    (results,) = (tmp_path / "out").glob("*/results_*.json")
    scores = json.loads(results.read_text(encoding="utf-8"))["results"]["foreign_sum"]
    assert "exact_match,get_response" in scores


def test_a_broken_hook_ends_the_run_before_the_model_is_loaded(lm_eval_path: str, tmp_path: Path) -> None:
    """The task manager without `__init__` stands for any lm_eval into which our hook no longer fits."""
    broken = (
        "import sys, s1_models.harness.plugin as plugin\n"
        "def fail(): raise AttributeError('no TaskManager here')\n"
        "plugin.add_tasks = fail\n"
        "from lm_eval.__main__ import cli_evaluate\n"
        "cli_evaluate()\n"
    )
    given = ["run", "--model", "s1_hf", "--tasks", "aime24", "--model_args", f"pretrained={NANO}"]
    told = run(lm_eval_path, "-c", broken, *given, ok=False).stderr
    assert "error: the s1 tasks could not be put into this lm_eval" in told
    assert "Traceback" not in told
