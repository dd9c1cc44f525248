"""A run as users type it, killed with kill -9 and typed again: the results of a run that was never killed."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import NANO

MODEL = f"pretrained={NANO},dtype=float32,max_model_len=1024,max_num_seqs=4,num_waits=4"


def start(folder: Path, output: str, model_args: str = MODEL) -> "subprocess.Popen[bytes]":
    """`s1-eval` in a process of its own; what it prints is in OUTPUT.log."""
    command = [str(Path(sys.executable).with_name("s1-eval")), "--model", "s1_vllm", "--model_args", model_args]
    command += ["--tasks", "s1_nano", "--limit", "150", "--log_samples", "--output_path", output]
    with (folder / f"{output}.log").open("wb") as log:
        return subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, env={**os.environ, "HF_HUB_OFFLINE": "1"})


def read_results(folder: Path) -> tuple[list[Any], Any]:
    """Responses in the order of the questions, and the metrics."""
    (samples,) = folder.rglob("samples_s1_nano_*.jsonl")
    (results,) = folder.rglob("results_*.json")
    rows = sorted(map(json.loads, samples.read_text().splitlines()), key=lambda row: row["doc_id"])
    return [row["resps"] for row in rows], json.loads(results.read_text())["results"]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_killed_run_typed_again_gives_the_results_of_an_unbroken_one(tmp_path: Path) -> None:
    unbroken = start(tmp_path, "unbroken", f"{MODEL},memo=off")
    assert unbroken.wait(timeout=300) == 0, (tmp_path / "unbroken.log").read_text()[-2000:]
    assert not (tmp_path / "unbroken/memo.sqlite").exists()

    killed = start(tmp_path, "killed")
    log = tmp_path / "killed.log"
    deadline = time.monotonic() + 200
    while not re.search(r"Thinking \(s1\): .*\| [3-9]\d/150", log.read_text()):
        assert killed.poll() is None, log.read_text()[-2000:]
        assert time.monotonic() < deadline, log.read_text()[-2000:]
        time.sleep(0.1)
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait()
    assert not list((tmp_path / "killed").rglob("results_*.json"))

    again = start(tmp_path, "killed")
    assert again.wait(timeout=300) == 0, log.read_text()[-2000:]
    said = re.search(r"memo killed/memo.sqlite: ([\d,]+) tokens reused, ([\d,]+) generated", log.read_text())
    assert said is not None, log.read_text()[-2000:]
    reused, generated = (int(number.replace(",", "")) for number in said.groups())
    assert reused > 30 * 50
    assert generated > 0
    assert read_results(tmp_path / "killed") == read_results(tmp_path / "unbroken")
