"""The main job as users type it, in processes of its own: the command line, Ctrl-C, an engine that dies."""

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

from tests.conftest import NANO, ROOT

DATA = "../shared/data"


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "lm_eval", "--model", "s1_vllm", *arguments]


def read_samples(folder: Path, task: str) -> list[dict[str, Any]]:
    (file,) = folder.rglob(f"samples_{task}_*.jsonl")
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_the_command_of_the_title_on_the_embedded_model(tmp_path: Path) -> None:
    rows = [
        {"problem": "016 59738", "answer": "604"},
        {"problem": "What is $1+1$?", "answer": "002"},
        {"problem": "Find the number of positive divisors of $24$.", "answer": "008"},
    ]
    (tmp_path / "aime24.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    arguments = ("--model_args", f"pretrained={NANO},num_waits=4", "--tasks", "s1_nano,aime24", "--limit", "20")
    done = subprocess.run(
        [*command(*arguments), "--log_samples", "--output_path", "out"],
        cwd=tmp_path,
        env={**os.environ, "S1_DATA_DIR": str(tmp_path), "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stderr.count("thinking format") == 1, "what was detected is said once"
    for metric in ("exact_match", "thinking_tokens", "answer_tokens", "waits_used", "cut_off", "no_answer"):
        assert re.search(rf"\|{metric} *\|", done.stdout), f"{metric} is missing in the table:\n{done.stdout}"
    samples = read_samples(tmp_path / "out", "s1_nano")
    assert len(samples) == 20
    (traces_file,) = (tmp_path / "out").rglob("traces.jsonl")
    traces = [json.loads(line) for line in traces_file.read_text().splitlines()]
    assert {trace["task"] for trace in traces} == {"s1_nano", "aime24"}
    by_question = {(trace["task"], trace["doc_id"]): trace for trace in traces}
    for sample in samples:
        trace = by_question["s1_nano", sample["doc_id"]]
        assert sample["resps"] == [["".join(span["text"] for span in trace["spans"])]]
        assert (sample["thinking_tokens"], sample["waits_used"]) == (trace["thinking_tokens"], trace["waits_used"])
        assert sample["waits_used"] == 4
    assert sum(sample["exact_match"] for sample in samples) >= 15, "with four waits the model solves nearly all"


@pytest.mark.slow
def test_ctrl_c_in_a_terminal_ends_the_run_with_a_sentence(tmp_path: Path) -> None:
    arguments = ("--model_args", f"pretrained={NANO},min_thinking_tokens=2500", "--tasks", "s1_nano", "--limit", "300")
    with (tmp_path / "log").open("w+") as log:
        run = subprocess.Popen(
            command(*arguments),
            cwd=tmp_path,
            stdout=log,
            stderr=log,
            start_new_session=True,
            # A test run in the background may have inherited an ignored interrupt, which a terminal's child has not.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        wait_for(lambda: "Thinking (s1)" in (tmp_path / "log").read_text(), run)
        time.sleep(2)
        os.killpg(run.pid, signal.SIGINT)  # a terminal sends it to the engine's processes as well
        run.wait(timeout=60)
    printed = (tmp_path / "log").read_text()
    assert run.returncode != 0
    assert re.search(r"interrupted: \d+ of 300 questions were finished", printed), printed[-3000:]
    with pytest.raises(ProcessLookupError):
        wait_for(lambda: os.killpg(run.pid, 0), None)


KILLED = """
import os, sys, threading
from lm_eval.api.instance import Instance
from s1_models.engines.vllm.lm import S1VLLM
import psutil

if __name__ == "__main__":
    lm = S1VLLM(pretrained=sys.argv[1])
    asked = [
        Instance("generate_until", {}, (f"{n:03d} 12345", {"min_thinking_tokens": 2000}), 0, ("s1_nano", n, 1))
        for n in range(200)
    ]
    engine = psutil.Process().children(recursive=True)
    threading.Timer(2.0, lambda: [child.kill() for child in engine]).start()
    lm.generate_until(asked, disable_tqdm=True)
"""


@pytest.mark.slow
def test_an_engine_that_dies_is_an_error_that_names_questions(tmp_path: Path) -> None:
    (tmp_path / "killed.py").write_text(KILLED)
    done = subprocess.run(
        [sys.executable, "killed.py", str(NANO)], cwd=tmp_path, capture_output=True, text=True, timeout=200, check=False
    )
    assert done.returncode != 0
    last = next(line for line in reversed(done.stderr.splitlines()) if "EngineError" in line)
    assert re.search(
        r"EngineError: vLLM died: .*in flight, \d+ of them thinking: s1_nano question \d+, .*and \d+ more", last
    )


HELD = """
import sys, tempfile

folder = tempfile.TemporaryDirectory()  # its finalizer is registered before multiprocessing is imported
from s1_models.engines.vllm.lm import S1VLLM

if __name__ == "__main__":
    lm = S1VLLM(pretrained=sys.argv[1])
    raise SystemExit("a mistake of the program's own")
"""


@pytest.mark.slow
def test_a_program_ends_though_it_still_holds_its_model(tmp_path: Path) -> None:
    (tmp_path / "held.py").write_text(HELD)
    arguments = [sys.executable, "held.py", str(NANO)]
    done = subprocess.run(arguments, cwd=tmp_path, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 1
    assert "a mistake of the program's own" in done.stderr


def test_real_rows_run_on_the_embedded_model(tmp_path: Path, s1_lm: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    data = ROOT / DATA
    if not data.exists():
        pytest.skip("needs shared/data beside the checkout, which is absent")
    import lm_eval

    from s1_models.harness import bridge

    bridge.install()
    monkeypatch.setenv("S1_DATA_DIR", str(data.resolve()))
    results = lm_eval.simple_evaluate(
        model=s1_lm,
        tasks=["aime24", "math500"],
        limit=5,
        gen_kwargs={"max_thinking_tokens": 40, "num_waits": 2, "max_answer_tokens": 16},
        bootstrap_iters=0,
    )
    for task in ("aime24", "math500"):
        rows = results["samples"][task]
        assert len(rows) == 5
        assert all(row["thinking_tokens"] <= 40 and row["answer_tokens"] <= 16 for row in rows)
        assert 0 <= results["results"][task]["exact_match,none"] <= 1


def wait_for(condition: Any, run: subprocess.Popen[bytes] | None, seconds: float = 200) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        assert run is None or run.poll() is None, "the run ended early"
        time.sleep(0.2)
