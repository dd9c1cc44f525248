"""`s1-eval sweep` and `s1-eval replay` as users type them, on vLLM: Ctrl-C, again, a figure, a replay."""

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

S1_EVAL = [sys.executable, "-c", "from s1_models.commands.cli import main; main()"]
MODEL = ["--model", "s1_vllm", "--model_args", f"pretrained={NANO},dtype=float32,max_model_len=1024"]
TASKS = ["--tasks", "s1_nano", "--limit", "300", "--num_waits", "0,2,4", "--max_thinking_tokens", "10,auto"]


def finished(output: Path) -> list[dict[str, Any]]:
    path = output / "sweep.json"
    return json.loads(path.read_text())["settings"] if path.exists() else []


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_sweep_survives_ctrl_c_and_its_results_are_drawn_and_replayed(tmp_path: Path) -> None:
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "VLLM_LOGGING_LEVEL": "ERROR"}
    command = [*S1_EVAL, "sweep", *MODEL, *TASKS, "--output_path", "out"]
    with (tmp_path / "log").open("w") as log:
        run = subprocess.Popen(
            command, cwd=tmp_path, env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
        deadline = time.monotonic() + 300
        while not re.search(r"4 settings: .*\| [1-9]\d*/1200 ", (tmp_path / "log").read_text()):
            assert run.poll() is None, (tmp_path / "log").read_text()[-3000:]
            assert time.monotonic() < deadline, "nothing was generated"
            time.sleep(0.05)
        os.killpg(run.pid, signal.SIGINT)  # a terminal sends it to the engine's processes as well
        assert run.wait(timeout=60) == 130, (tmp_path / "log").read_text()[-3000:]
    assert finished(tmp_path / "out") == []
    said = re.sub(r"\s+", " ", (tmp_path / "log").read_text())
    assert "of 1200 questions were finished; 0 of 4 settings are finished: the same command again goes on" in said
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    rows = finished(tmp_path / "out")
    assert len(rows) == 4
    assert rows[0]["tokens_reused"] > 0, "what was generated before the interrupt"
    assert sum(row["tokens_new"] for row in rows) < 1.5 * (rows[0]["tokens_new"] + rows[0]["tokens_reused"])
    curve = [
        sys.executable,
        "-c",
        "from s1_report.cli import main; main()",
        "curve",
        "out",
        "--output",
        "out/curve.svg",
    ]
    drawn = subprocess.run(curve, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert drawn.stdout.count("s1_nano") >= 4
    assert (tmp_path / "out/curve.svg").stat().st_size > 1000
    replay = [*S1_EVAL, "replay", "out", "--tokenizer", "nano", "--output_path", "again"]
    replayed = subprocess.run(replay, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert replayed.returncode == 0, replayed.stderr[-3000:]
    assert replayed.stdout.count("300 questions; 0 with other texts and 0 with other metrics") == 4
    assert "vllm" not in replayed.stderr.lower().replace("s1_vllm", ""), "no engine is started"
