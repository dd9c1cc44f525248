"""A policy from another package: the worked example of docs/policies.md, installed and run by the real lm_eval."""

import json
import os
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from s1_models.options import OptionError, resolve
from s1_models.policies.methods import OURS, PolicyOptionError, methods
from tests.conftest import NANO, ROOT

PAGE = ROOT / "docs" / "policies.md"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds the example as pip would have installed it."""
    example = re.search(r"<!-- example:.*?```python\n(.*?)```\n<!-- /example -->", PAGE.read_text(), flags=re.DOTALL)
    declared = re.search(r"```toml\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)
    assert example is not None
    assert declared is not None
    assert len(example[1].splitlines()) <= 40
    folder = tmp_path_factory.mktemp("site")
    (folder / "my_package.py").write_text(example[1], encoding="utf-8")
    points = declared[1].replace('[project.entry-points."s1.policies"]', "[s1.policies]").replace('"', "")
    info = folder / "my_package-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-package\nVersion: 1.0\n", encoding="utf-8")
    (info / "entry_points.txt").write_text(points, encoding="utf-8")
    return folder


def run(site: Path, *arguments: str, ok: bool = True) -> str:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(site), str(ROOT)))}
    done = subprocess.run(
        [sys.executable, *arguments], env=environment, capture_output=True, text=True, timeout=280, check=False
    )
    assert (done.returncode == 0) is ok, done.stderr[-3000:]
    return done.stdout if ok else done.stderr


def test_the_worked_example_runs_and_is_counted(site: Path, tmp_path: Path) -> None:
    given = ["-m", "lm_eval", "run", "--model", "s1_hf", "--tasks", "s1_nano", "--limit", "20", "--log_samples"]
    model = f"pretrained={NANO},dtype=float32,policy=ask_once,question=Wait,after=5"
    run(site, *given, "--model_args", model, "--output_path", str(tmp_path))
    (traces,) = tmp_path.glob("*/traces.jsonl")
    rows = [json.loads(line) for line in traces.read_text(encoding="utf-8").splitlines()]
    forced = [[span["text"] for span in row["spans"] if span["forced"] and span["phase"] == "thinking"] for row in rows]
    assert forced.count(["Wait"]) >= 15
    for row in rows:
        sampled = sum(len(span["tokens"]) for span in row["spans"] if not span["forced"])
        assert row["generated_tokens"] == sampled + row["wasted_tokens"]
        assert row["requests"] == 3


def test_the_list_shows_it_beside_ours(site: Path) -> None:
    listed = run(site, "-m", "s1_models", "policies")
    assert "ask_once" in listed
    assert all(name in listed for name in OURS)
    shown = run(site, "-m", "s1_models", "policies", "ask_once")
    assert "what the model is asked before it may stop" in shown


def test_a_wrong_policy_or_option_ends_before_a_model_is_loaded(site: Path) -> None:
    for given, says in (
        ("policy=ask_onse", "did you mean"),
        ("policy=converge,question=x", "question is an option of policy=ask_once, not of policy=converge"),
    ):
        command = ["-m", "lm_eval", "run", "--model", "s1_hf", "--tasks", "s1_nano"]
        told = run(site, *command, "--model_args", f"pretrained=nowhere/at-all,{given}", ok=False)
        assert "Traceback" not in told
        assert says in told or "expected one of" in told


def test_every_option_of_ours_is_described_and_its_policy_names_what_it_does() -> None:
    for name, method in OURS.items():
        assert method.summary.endswith("."), name
        assert all(one.metadata.get("help") for one in fields(method.options)), name
    assert set(re.findall(r"^\| `(\w+)` \| \w", PAGE.read_text(), flags=re.MULTILINE)) >= set(OURS)


def test_options_are_read_from_model_args_and_overridden_by_a_task() -> None:
    settings = resolve({"policy": "converge", "agree": 2}, {"agree": "4"}, frozenset())
    assert settings.policy_options.agree == 4
    with pytest.raises(OptionError, match="policy=nothing: expected one of"):
        resolve({"policy": "nothing"}, {}, frozenset())
    with pytest.raises(PolicyOptionError, match="agree is an option of policy=converge, not of policy=budget_forcing"):
        resolve({"agree": 2}, {}, frozenset())
    with pytest.raises(OptionError, match="both say how thinking is drawn"):
        resolve(
            {"policy": "record", "rejection_tries": 3, "max_thinking_tokens": 9}, {"temperature": 1}, {"temperature"}
        )


def test_methods_are_found_once() -> None:
    assert set(OURS) <= set(methods())
