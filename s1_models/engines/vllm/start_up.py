"""What vLLM's engine process says while it starts: its tracebacks are read for their cause instead of printed."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import threading
from types import TracebackType

from s1_models.harness.loading import Cures

CURES: Cures = (
    (
        r"max_model_len \(\d+\) is greater than .*?(?:max_position_embeddings|model_max_length)=(?P<most>\d+)",
        "give max_model_len={most} or less",
    ),
    (
        r"estimated maximum model length is (?P<most>\d+)",
        "give max_model_len={most} or less, or more memory for the cache (gpu_memory_utilization, or "
        "kv_cache_memory_bytes)",
    ),
    (r"KV cache|No available memory", "give a smaller max_model_len, or more memory (kv_cache_memory_bytes)"),
    (r"[Ff]ree memory on device", "lower gpu_memory_utilization, or end what else uses the device"),
    (r"Unknown quantization method", "give one of those, or leave quantization out: vLLM reads it from the model"),
    (
        r"config file for \w+|[Qq]uantization (method|config)",
        "leave quantization out: this model is not quantized in that way",
    ),
    (r"LoRA rank \d+ is greater|max_lora_rank", "give max_lora_rank= at least the adapter's rank"),
)

_OF_ENGINE = re.compile(rb"^\(?(Process )?(EngineCore|Worker)")
_ERROR = re.compile(rb"\bERROR\b|Traceback|Process (EngineCore|Worker)|^\([^)]*\)\s{2,}|Error: |^\([^)]*\) *$")


class Overheard:
    """While it is entered, what the engine's processes print of errors is kept; everything else is printed.

    What they print later is printed as well. `cause()`: the last error that was kept.
    """

    def __enter__(self) -> Overheard:
        self._kept: list[bytes] = []
        self._listening, self._in_error = True, False
        self._threads: list[threading.Thread] = []
        self._saved: list[tuple[int, int]] = []
        for stream, number in ((sys.stdout, 1), (sys.stderr, 2)):
            with contextlib.suppress(ValueError, OSError):
                stream.flush()
            saved = os.dup(number)
            reader, writer = os.pipe()
            os.dup2(writer, number)
            os.close(writer)
            thread = threading.Thread(target=self._pass_on, args=(reader, os.dup(saved)), daemon=True)
            thread.start()
            self._threads.append(thread)
            self._saved.append((saved, number))
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: BaseException | TracebackType | None) -> None:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(ValueError, OSError):
                stream.flush()
        for saved, number in self._saved:
            os.dup2(saved, number)
            os.close(saved)
        if kind is not None:
            for thread in self._threads:
                thread.join(timeout=5)  # a failed start leaves no process that holds the other end
        self._listening = False

    def cause(self) -> str:
        """The last error's line, without the frame that vLLM puts around it; empty where none was heard."""
        text = b"\n".join(self._kept).decode(errors="replace")
        found = re.findall(r"(?:\w+\.)*\w*(?:Error|Exception): (.+)", text)
        causes = [line for line in found if "See root cause above" not in line]
        return causes[-1].strip() if causes else ""

    def _pass_on(self, reader: int, terminal: int) -> None:
        rest = b""
        with contextlib.suppress(OSError):
            while chunk := os.read(reader, 65_536):
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    self._tell(line + b"\n", terminal)
                if rest and not _OF_ENGINE.match(rest):  # a progress bar does not end its line
                    self._tell(rest, terminal)
                    rest = b""
            if rest:
                self._tell(rest, terminal)
        os.close(reader)
        os.close(terminal)

    def _tell(self, text: bytes, terminal: int) -> None:
        if _OF_ENGINE.match(text):
            self._in_error = _ERROR.search(text) is not None
        elif text.startswith(b"("):
            self._in_error = False
        if self._listening and self._in_error:  # a traceback goes on in lines that say nothing of whose it is
            self._kept.append(text.rstrip())
        else:
            os.write(terminal, text)
