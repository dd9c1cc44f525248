"""What a release says about itself: one version, metadata that leads somewhere, documents that build."""

import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import metadata
from pathlib import Path

import pytest
import yaml

from s1_contract import __version__
from tests.conftest import ROOT


def test_the_version_stands_in_one_place() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert "version" in project["dynamic"]
    assert metadata("lm-eval-s1")["Version"] == __version__
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))["version"] == __version__


def test_the_metadata_names_authors_urls_and_what_the_extras_are() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["authors"]
    assert {"Homepage", "Documentation", "Changelog", "Issues"} <= project["urls"].keys()
    extras = project["optional-dependencies"]
    assert {"vllm", "cpu", "hf", "openai", "report", "ray"} <= extras.keys()
    documents = "\n".join((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "docs/quickstart.md"))
    named = {extra for extras in re.findall(r"lm-eval-s1\[([\w,]+)\]", documents) for extra in extras.split(",")}
    assert named <= extras.keys()


def test_the_site_builds_strictly(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path)]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    errors = (tmp_path / "troubleshooting" / "index.html").read_text(encoding="utf-8")
    assert len(re.findall("<li>", errors)) > 100, "the page lists the sentences of the code"
    assert "did you mean" in errors


def python_blocks(page: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), flags=re.DOTALL)


@pytest.mark.parametrize("number", range(len(python_blocks("docs/python-api.md"))))
def test_the_examples_of_the_python_api_run(number: int) -> None:
    code = python_blocks("docs/python-api.md")[number]
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True, timeout=240)


def steps_of(document: str) -> list[dict[str, str]]:
    return list(yaml.safe_load((ROOT / document).read_text(encoding="utf-8"))["runs"]["steps"])


def test_the_steps_of_the_action_run_in_a_shell(tmp_path: Path) -> None:
    """The action's own shell lines, on the embedded model; only pip, the comment and the upload are left out."""
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "MODEL": "s1_hf",
        "MODEL_ARGS": "pretrained=nano,num_waits=2,dtype=float32",
        "TASKS": "s1_nano",
        "EXTRA": "--limit 20",
        "BASELINE": "s1-gate/records",
        "MARGIN": "5",
        "GITHUB_OUTPUT": str(tmp_path / "output"),
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"),
    }
    steps = {step["name"]: step["run"] for step in steps_of("action.yml") if "run" in step}
    codes = {}
    for name in ("Evaluate", "Collect", "Gate"):
        done = subprocess.run(
            ["bash", "-eo", "pipefail", "-c", steps[name]],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=240,
        )
        codes[name] = done.returncode
        assert name == "Gate" or done.returncode == 0, done.stderr[-2000:]
    verdict = re.search(r"verdict=(\w+)", (tmp_path / "output").read_text(encoding="utf-8"))
    assert verdict is not None
    assert codes["Gate"] == {"PASS": 0, "REGRESSION": 1, "INCONCLUSIVE": 2}[verdict[1]]
    assert verdict[1] in (tmp_path / "summary.md").read_text(encoding="utf-8")
    assert (tmp_path / "s1-gate" / "audit.html").stat().st_size > 10_000


@pytest.mark.parametrize("script", ["examples/gate.sh", "examples/evaluate.slurm", "training/configs/s1_32b.slurm"])
def test_shell_examples_parse(script: str) -> None:
    subprocess.run(["bash", "-n", str(ROOT / script)], check=True, capture_output=True)


@pytest.mark.parametrize(
    "document",
    [".github/workflows/ci.yml", ".github/workflows/release.yml", "examples/gate.gitlab-ci.yml", "action.yml"],
)
def test_workflows_are_yaml_and_call_targets_that_exist(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    assert isinstance(yaml.safe_load(text), dict)
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))
    assert set(re.findall(r"\bmake ([a-z-]+)", text)) <= targets
