"""The memo of replies: what a chat endpoint said is on file as soon as it came, so a killed run goes on where it was

An SQLite file of one table. A reply is known by everything that was asked (address, model, body) and by the number of
the repeat, so that two samples of one question are two replies. Keys and headers are no part of it.
"""

from __future__ import annotations

import hashlib
import json
import logging
import sqlite3
import threading
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from s1_models.engines.chat.shapes import ChatReply
from s1_models.options import OptionError

logger = logging.getLogger(__name__)

_TABLE = "CREATE TABLE IF NOT EXISTS replies (key TEXT PRIMARY KEY, reply TEXT NOT NULL) WITHOUT ROWID"


def key_of(url: str, body: Mapping[str, Any], repeat: int) -> str:
    """What one reply is known by."""
    text = json.dumps([url, body, repeat], sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


class Replies:
    """Replies by key in a file; None for a path keeps nothing. Safe from several threads and processes."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._file: sqlite3.Connection | None = None
        if path is None:
            return
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = sqlite3.connect(path, timeout=60.0, check_same_thread=False, isolation_level=None)
            self._file.execute("PRAGMA journal_mode=WAL")
            self._file.execute(_TABLE)
        except (OSError, sqlite3.Error) as error:
            self.close()
            raise OptionError(f"memo={path}: replies cannot be kept there ({error}): name another file") from None

    def find(self, key: str) -> ChatReply | None:
        """The reply that was kept, if there is one that can be read."""
        if self._file is None:
            return None
        with self._lock:
            row = self._file.execute("SELECT reply FROM replies WHERE key = ?", (key,)).fetchone()
        try:
            return ChatReply(**json.loads(row[0])) if row else None
        except (ValueError, TypeError):
            return None  # of another version: it is asked for again

    def keep(self, key: str, reply: ChatReply) -> None:
        """Puts a reply on file. A full disk costs a warning, not the run."""
        if self._file is None:
            return
        try:
            with self._lock:
                text = json.dumps(asdict(reply))
                self._file.execute("INSERT OR IGNORE INTO replies VALUES (?, ?)", (key, text))
        except sqlite3.Error as error:
            logger.warning("%s: replies are not kept any more: %s", self.path, error)
            self.close()

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def replies_beside(memo: Path) -> Path:
    """The file of replies that belongs to a memo of tokens, which is of another kind."""
    return memo.with_name(f"{memo.stem}.replies.sqlite")
