"""The `s1-eval` command: what it loads, whom it asks, and where it puts the memo."""

import argparse
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from s1_contract import __version__
from s1_models.commands.cli import COMMANDS, memo_beside, remember

SCRIPT = "import sys; from s1_models.commands.cli import main; sys.argv[0] = 's1-eval'; main(); print(*sys.modules)"


def test_help_lists_every_command_and_loads_no_harness() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT, "--help"], capture_output=True, text=True, check=True)
    for name, command in COMMANDS.items():
        assert f"s1-eval {name}" in done.stdout
        assert command.help in done.stdout
    assert not {"lm_eval", "torch", "transformers", "vllm", "rich"} & set(done.stdout.splitlines()[-1].split())


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        importlib.import_module(COMMANDS[name].module).main(["--help"])
    assert stop.value.code == 0
    assert f"s1-eval {name}" in capsys.readouterr().out


@pytest.mark.parametrize(("output", "memo"), [("runs", "runs/memo.sqlite"), ("runs/mine.json", "runs/memo.sqlite")])
def test_a_run_is_remembered_beside_its_output(output: str, memo: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert memo_beside(Path(output)) == Path(memo)
    monkeypatch.delenv("S1_MEMO", raising=False)
    environment: dict[str, str] = {}
    monkeypatch.setattr("os.environ", environment)
    remember(argparse.Namespace(config=None, output_path=output))
    assert environment == {"S1_MEMO": memo}


def test_an_output_path_in_a_configuration_file_counts_and_a_users_memo_wins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "run.yaml").write_text("output_path: there\n")
    environment: dict[str, str] = {}
    monkeypatch.setattr("os.environ", environment)
    remember(argparse.Namespace(config=str(tmp_path / "run.yaml"), output_path=None))
    assert environment == {"S1_MEMO": "there/memo.sqlite"}
    remember(argparse.Namespace(config=None, output_path="elsewhere"))
    assert environment == {"S1_MEMO": "there/memo.sqlite"}
    environment.clear()
    remember(argparse.Namespace(config=None, output_path=None))
    assert environment == {}, "without an output there is no memo"


@pytest.mark.parametrize("module", ["s1_models", "s1_models.commands.cli"])
def test_the_command_runs_as_a_module_too(module: str, tmp_path: Path) -> None:
    shown = subprocess.run([sys.executable, "-m", module, "--help"], capture_output=True, text=True, check=True)
    assert shown.stdout.startswith("s1-eval: lm_eval with the s1 models and tasks")
    wrong = [sys.executable, "-m", module, "run", "--model", "s1_nobody", "--tasks", "s1_nano"]
    refused = subprocess.run(wrong, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert refused.returncode != 0, "it must run what it was asked to, and say so when it cannot"
    assert "s1_nobody" in refused.stderr


def test_a_task_that_is_not_there_is_one_sentence_that_says_where_to_look(tmp_path: Path) -> None:
    wrong = [sys.executable, "-m", "s1_models", "--model", "s1_hf", "--model_args", "pretrained=nano"]
    refused = subprocess.run([*wrong, "--tasks", "s1_nono"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert refused.returncode == 1
    assert "Traceback" not in refused.stderr
    assert "error: Tasks not found: s1_nono: `s1-eval ls tasks` lists all" in refused.stderr.splitlines()[-1]


def test_the_version_is_printed() -> None:
    done = subprocess.run([sys.executable, "-m", "s1_models", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"lm-eval-s1 {__version__}\n"
