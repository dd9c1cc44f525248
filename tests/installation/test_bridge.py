"""Real installs in fresh environments: lm_eval finds us, keeps its own, and an uninstall leaves nothing.

The environments see the packages of the one the tests run in (torch and lm_eval need not be installed again), but not
its start-up files: only what pip installs into them makes the bridge run.
"""

import json
import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]

LISTING = """
import json, sys, logging
logging.basicConfig(level="INFO", stream=sys.stderr)
import lm_eval.models
from lm_eval.api.registry import model_registry
from lm_eval.tasks import TaskManager
manager = TaskManager()
index = manager.task_index
print(json.dumps({
    "models": sorted(model_registry.keys()),
    "tasks": manager.all_subtasks,
    "groups": manager.all_groups,
    "aime24": str(index["aime24"].yaml_path),
    "engines": sorted({"vllm", "transformers", "torch"} & set(sys.modules)),
}))
"""


LOADED = "import sys; print(sorted(name for name in sys.modules if name.split('.')[0].startswith(('s1_', 'lm_eval'))))"


class Environment:
    """A virtual environment with one install of ours; commands run in it from an unrelated directory."""

    def __init__(self, folder: Path) -> None:
        venv.create(folder, with_pip=False, symlinks=True)
        self.python = folder / "bin" / "python"
        self.elsewhere = folder / "elsewhere"
        self.elsewhere.mkdir()
        self.site = Path(self.run("-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip())
        (self.site / "zz_outer.pth").write_text(sysconfig.get_path("purelib") + "\n")

    def run(self, *arguments: str, ok: bool = True, **variables: str) -> str:
        """Standard output; with ok=False standard error of a command that must fail."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("S1_", "PYTHON"))}
        done = subprocess.run(
            [str(self.python), *arguments],
            cwd=self.elsewhere,
            env={**clean, **variables},
            capture_output=True,
            text=True,
            timeout=280,
            check=False,
        )
        assert (done.returncode == 0) is ok, done.stderr[-3000:]
        return done.stdout if ok else done.stderr

    def install(self, *what: str) -> None:
        self.run("-m", "pip", "install", "--quiet", "--ignore-installed", "--no-deps", "--no-build-isolation", *what)

    def listing(self, **variables: str) -> Any:
        """What lm_eval lists; scanning its thousands of task files takes seconds, so each is asked for once."""
        return json.loads(self.run("-c", LISTING, **variables).splitlines()[-1])

    def files(self) -> set[str]:
        found = self.site.rglob("*")
        return {str(path.relative_to(self.site)) for path in found if "__pycache__" not in path.parts}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True, text=True)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    fresh = Environment(tmp_path_factory.mktemp("installed"))
    fresh.install(str(wheel))
    return fresh


@pytest.mark.parametrize("kind", ["wheel", "editable"])
def test_an_install_is_found_by_lm_eval_and_an_uninstall_leaves_nothing(kind: str, wheel: Path, tmp_path: Path) -> None:
    fresh = Environment(tmp_path / "env")
    before = fresh.files()
    fresh.install(*([str(wheel)] if kind == "wheel" else ["--editable", str(ROOT)]))
    assert fresh.run("-c", LOADED).strip() == "[]", "a bare start of Python loads nothing of ours"
    listing = fresh.listing()
    assert {"s1_vllm", "vllm", "hf", "dummy", "local-completions"} <= set(listing["models"])
    assert {"aime24", "aime25", "math500", "gpqa_diamond", "s1_nano", "gsm8k", "hellaswag"} <= set(listing["tasks"])
    assert {"s1", "s1_nano_curve", "mmlu"} <= set(listing["groups"])
    assert "s1_tasks" in listing["aime24"]
    assert "vllm" not in listing["engines"], "listing models must not import an engine"
    fresh.run("-m", "pip", "uninstall", "--quiet", "--yes", "lm-eval-s1")
    assert fresh.files() == before


def test_the_bridge_can_be_switched_off(installed: Environment) -> None:
    listing = installed.listing(S1_BRIDGE="off")
    assert "s1_vllm" not in listing["models"]
    assert "math500" not in listing["tasks"]
    assert "s1_tasks" not in listing["aime24"]


def test_lm_evals_own_aime_tasks_can_be_kept(installed: Environment) -> None:
    listing = installed.listing(S1_BRIDGE="yield")
    assert "s1_vllm" in listing["models"]
    assert "s1_tasks" not in listing["aime24"]
    assert "math500" in listing["tasks"]


def test_s1_eval_works_without_the_bridge(installed: Environment) -> None:
    script = str(installed.python.parent / "s1-eval")
    assert "num_waits=N" in installed.run(script, "--help")
    arguments = ("--model", "s1_vllm", "--model_args", "num_wait=4", "--tasks", "s1_nano")
    error = installed.run(script, *arguments, ok=False, S1_BRIDGE="off")
    assert "error: unknown model argument 'num_wait': did you mean 'num_waits'?" in error
    assert "Traceback" not in error, "an error of ours is one sentence"


def test_the_override_is_logged_once_and_a_users_include_path_comes_before_ours(
    installed: Environment, tmp_path: Path
) -> None:
    (tmp_path / "mine.yaml").write_text(
        "task: aime24\ndataset_path: json\noutput_type: generate_until\ndoc_to_text: q\ndoc_to_target: a\n"
    )
    script = (
        "import logging, sys; logging.basicConfig(level='INFO', stream=sys.stdout)\n"
        "from lm_eval.tasks import TaskManager\n"
        "print(TaskManager(include_path=sys.argv[1]).task_index['aime24'].yaml_path)\n"
        "print(TaskManager(include_path=sys.argv[1], include_defaults=False).all_subtasks)\n"
        "TaskManager()"
    )
    printed = installed.run("-c", script, str(tmp_path))
    assert str(tmp_path / "mine.yaml") in printed.splitlines()
    assert "['aime24']" in printed.splitlines(), "without lm_eval's own tasks ours stay away as well"
    assert printed.count("aime24 and aime25 are the s1 versions") == 1


@pytest.mark.parametrize("lost", ["harness/bridge.py", "harness/plugin.py"])
def test_a_half_removed_install_stops_neither_python_nor_lm_eval(lost: str, wheel: Path, tmp_path: Path) -> None:
    fresh = Environment(tmp_path / "env")
    fresh.install(str(wheel))
    (fresh.site / "s1_models" / lost).unlink()
    script = "import lm_eval.models; print('fine')"
    done = subprocess.run([str(fresh.python), "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "fine\n"
    assert "Traceback" not in done.stderr


def test_the_wheel_holds_four_packages_their_tasks_and_the_bridge(wheel: Path) -> None:
    from zipfile import ZipFile

    from s1_contract import __version__

    names = ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names} == {
        "s1_contract",
        "s1_models",
        "s1_report",
        "s1_tasks",
        "lm_eval_s1_bridge.pth",
        f"lm_eval_s1-{__version__}.dist-info",
    }
    packed = {name for name in names if name.endswith("yaml")}
    model = [name for name in names if name.startswith("s1_models/nano/")]
    assert {"s1_models/nano/model.safetensors", "s1_models/nano/tokenizer.json"} <= set(model)
    assert sum(ZipFile(wheel).getinfo(name).compress_size for name in model) < 2_000_000
    assert packed == {str(path.relative_to(ROOT)) for path in (ROOT / "s1_tasks").rglob("*yaml")}


def test_the_entry_points_name_what_is_there() -> None:
    from importlib.metadata import entry_points

    from s1_models.harness.plugin import MODELS

    declared = {
        point.name: point.value for point in entry_points(group="lm_eval.models") if point.name.startswith("s1")
    }
    assert declared == MODELS
