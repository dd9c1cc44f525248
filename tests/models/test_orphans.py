"""When a process is killed, the engine processes it started end as well, and nobody else's."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# A parent with a child that ignores its parent's end, as vLLM's engine does, and one that it does not watch.
PARENT = f"""
import subprocess, sys, time
sys.path.insert(0, {str(ROOT)!r})
from s1_models.engines.vllm.processes import end_with_us
program = [sys.executable, "-S", "-c", "import time; time.sleep(60)"]
children = [subprocess.Popen(program, start_new_session=True) for _ in range(2)]
end_with_us([children[0].pid])
print(*(child.pid for child in children), flush=True)
time.sleep(60)
"""


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(sys.platform != "linux", reason="processes are recognised in /proc")
def test_a_killed_process_takes_its_engine_with_it() -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        watched, other = map(int, parent.stdout.readline().split())
        assert is_alive(watched)
        os.kill(parent.pid, signal.SIGKILL)
    try:
        deadline = time.monotonic() + 60
        while is_alive(watched) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert not is_alive(watched)
        assert is_alive(other)
    finally:
        os.kill(other, signal.SIGKILL)
