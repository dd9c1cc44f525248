"""A real `vllm serve` in processes of its own on loopback, which can be killed and started again"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path


class VllmServe:
    """Serves a model folder; `log` takes what the server prints. Extra options are those of `s1-eval serve`."""

    def __init__(self, model: Path, log: Path, *options: str, start_seconds: float = 240.0) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/v1"
        self._log = log
        self._start_seconds = start_seconds
        self._arguments = ["serve", str(model), "--host", "127.0.0.1", "--port", str(self.port), *options]
        self.start()
        self.wait()

    def start(self) -> None:
        """Starts the processes and does not wait for them."""
        environment = {**os.environ, "VLLM_NO_USAGE_STATS": "1", "HF_HUB_OFFLINE": "1"}
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "s1_models", *self._arguments],
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment,
                start_new_session=True,
            )

    def wait(self) -> None:
        """Returns once the server answers. Raises RuntimeError when it ends or takes too long instead."""
        deadline = time.monotonic() + self._start_seconds
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                with urllib.request.urlopen(f"{self.url}/models", timeout=5):
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.2)
        said = self._log.read_text(errors="replace")[-3000:]
        self.kill()
        raise RuntimeError(f"vllm serve did not start: ...{said}")

    def kill(self) -> None:
        """As an out-of-memory killer or a lost node would: every process at once, no goodbye."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def close(self) -> None:
        """As an operator would."""
        if self._process.poll() is None:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout=30)
        self.kill()
