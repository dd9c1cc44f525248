"""The progress bar of a run: questions, tokens per second, waits, and what the memo spared."""

from __future__ import annotations

import time

from tqdm import tqdm

from s1_models.driver import Engine
from s1_models.forcing import Reply, Session
from s1_models.memo.memo import Memo


class Bar:
    """Told of every reply by the driver. A context manager."""

    def __init__(self, questions: int, engine: Engine, label: str, *, hidden: bool) -> None:
        self._bar = tqdm(total=questions, desc=label, unit="question", disable=hidden, smoothing=0.05)
        self._memo = engine if isinstance(engine, Memo) else None
        self._started = self._shown = time.monotonic()
        self._tokens = self._waits = 0

    def update(self, session: Session, reply: Reply, *, done: bool) -> None:
        self._tokens += len(reply.tokens)
        self._waits += session.waits_used if done else 0
        self._bar.update(int(done))
        now = time.monotonic()
        if now - self._shown > 0.5:
            self._bar.set_postfix_str(self._figures(now - self._started))
            self._shown = now

    def _figures(self, seconds: float) -> str:
        reused = self._memo.reused_tokens if self._memo else 0
        rate = max(0, self._tokens - reused) / max(seconds, 1e-9)
        figures = f"{rate:,.0f} tokens/s, {self._waits} waits"
        return f"{figures}, {reused:,} tokens reused" if reused else figures

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.set_postfix_str(self._figures(time.monotonic() - self._started))
        self._bar.close()
