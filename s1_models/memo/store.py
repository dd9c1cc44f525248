"""The file behind the memo: continuations in SQLite, packed and sealed, that only ever grow."""

from __future__ import annotations

import json
import logging
import sqlite3
import time
from array import array
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from s1_models.forcing import S1Error, Tokens
from s1_models.memo.packing import pack, unpack

logger = logging.getLogger(__name__)

APPLICATION_ID = int.from_bytes(b"s1mm")  # in the header of every memo
SCHEMA = 2
# Of version 0.1.0: read as it is, and of this schema from the first time it is opened to be written.
_FORMER_SCHEMA = 1
# Set in an id that the tokenizer does not know: it was sampled, and left out of the reply.
DROPPED = 2**31
_BUSY_SECONDS = 10.0  # how long a writer waits for another one; writes take milliseconds
_SEAL_BYTES = 8
_LOOK_SECONDS = 0.1  # how long what another process stores may be overlooked: then it is generated a second time
# A reply of a few tokens touches two pages, and a commit writes whole ones.
_PAGE_BYTES = 1024
# The log is written back into the file, and both are flushed to the disk, whenever it is this long.
_LOG_BYTES = 16 * 2**20

# `dropped` counts ids that were left out where nobody knows: by a server that replies in text, or by version 0.1.0.
# A continuation is the rows of its key in the order of `start` (tokens before the row), each written by one flush; the
# seal is the last bytes of `content`. A table with row ids: without them a row of some hundred tokens takes a page for
# itself, up to 14 bytes a token (benchmarks/bench_memo.py).
_TABLES = """
CREATE TABLE segments (
    key BLOB, start INTEGER, finished INTEGER, dropped INTEGER, content BLOB, PRIMARY KEY (key, start)
);
CREATE TABLE identities (digest BLOB PRIMARY KEY, identity TEXT, used REAL);
"""


class MemoError(S1Error, RuntimeError):
    """A memo that cannot be used: another program's file, another schema, damaged, or not to be opened."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is stored for a key: ids as sampled, whether a stop id ended them, and the seal of the last row.

    tokens: ids that the tokenizer does not know have DROPPED set. dropped: ids that were left out, nobody knows where.
    """

    tokens: Tokens = ()
    finished: bool = False
    dropped: int = 0
    seal: bytes = b""

    @property
    def mark(self) -> Mark:
        return Mark(len(self.tokens), self.seal)


@dataclass(frozen=True, slots=True)
class Mark:
    """How far a continuation is stored, as its writer knows it: tokens, and the seal of the last row."""

    length: int = 0
    seal: bytes = b""


class Store:
    """One connection to a memo. Several processes may have one each; every method leaves the file consistent.

    read_only: the file must exist, and may lie where nothing can be written. Raises MemoError on opening (what came,
    what to do), sqlite3.Error afterwards.
    """

    def __init__(self, path: str | Path, *, read_only: bool = False) -> None:
        self.path = Path(path)
        if read_only and not self.path.is_file():
            raise MemoError(f"there is no memo at {path}")
        # The keys of the file, so that most questions for one that is not there need not go to it. A reader asks the
        # file itself: another process may be writing it.
        self._keys: set[bytes] | None = None if read_only else set()
        self._last_row, self._version, self._next_look = 0, -1, 0.0
        try:
            self._db = self._connect_to_read() if read_only else self._connect_to_write()
            self._file = self.path.stat().st_ino
        except (sqlite3.Error, OSError) as error:
            raise MemoError(_explain(self.path, error)) from error

    def is_in_place(self) -> bool:
        """Whether the path still leads to the file that was opened. A deleted one is gone at the end."""
        try:
            return self.path.stat().st_ino == self._file
        except OSError:
            return False

    def _connect_to_write(self) -> sqlite3.Connection:
        deadline = time.monotonic() + _BUSY_SECONDS
        while True:
            try:
                return self._connect()
            except sqlite3.OperationalError as error:
                # Where several processes create one file at once, SQLite refuses to wait for some of its steps.
                if error.sqlite_errorcode & 255 != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                    raise
                time.sleep(0.01)

    def _connect(self) -> sqlite3.Connection:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        db = sqlite3.connect(self.path, timeout=_BUSY_SECONDS, isolation_level=None)
        try:
            _is_memo(db, self.path)  # before anything is written: another program's file stays as it is
            db.execute(f"PRAGMA page_size = {_PAGE_BYTES}")  # of a new file
            db.execute("PRAGMA journal_mode = WAL")
            db.execute(f"PRAGMA wal_autocheckpoint = {_LOG_BYTES // _PAGE_BYTES}")
            db.execute("PRAGMA synchronous = NORMAL")  # a killed process loses nothing; a power cut the last writes
            db.execute("BEGIN IMMEDIATE")
            if not _is_memo(db, self.path):
                for statement in _TABLES.split(";"):
                    db.execute(statement)
                db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            if db.execute("PRAGMA user_version").fetchone() != (SCHEMA,):
                db.execute(f"PRAGMA user_version = {SCHEMA}")
            db.execute("COMMIT")
        except BaseException:
            db.close()  # rolls back
            raise
        return db

    def _connect_to_read(self) -> sqlite3.Connection:
        address = self.path.absolute().as_uri()
        try:
            return self._read(f"{address}?mode=ro")
        except sqlite3.OperationalError:
            # SQLite may have to create the index of a log beside the file, which a read-only file system refuses;
            # `immutable` says that there is no log to look into.
            return self._read(f"{address}?immutable=1")

    def _read(self, address: str) -> sqlite3.Connection:
        db = sqlite3.connect(address, timeout=_BUSY_SECONDS, isolation_level=None, uri=True)
        try:
            if not _is_memo(db, self.path):
                raise MemoError(f"{self.path} is empty: there is no memo in it")
        except BaseException:
            db.close()
            raise
        return db

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything inside is written at once or not at all; other writers wait."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    def find(self, key: bytes) -> Known:
        """What is stored for a key (nothing is an empty `Known`); rows behind a damaged one are not counted."""
        if self._keys is not None and key not in self._keys and not self._came(key):
            return Known()
        return self._stored(key)

    def _stored(self, key: bytes) -> Known:
        known, pieces = Known(), array("I")
        rows = self._db.execute(
            "SELECT start, finished, dropped, content FROM segments WHERE key = ? ORDER BY start", (key,)
        )
        for start, finished, dropped, content in rows:
            if not isinstance(content, bytes):
                break
            packed, seal = content[:-_SEAL_BYTES], content[-_SEAL_BYTES:]
            if start != len(pieces) or seal != _seal(known.seal, key, start, finished, dropped, packed):
                break
            pieces += unpack(packed)
            known = Known((), bool(finished), dropped, seal)
        return Known(tuple(pieces), known.finished, known.dropped, known.seal)

    def _came(self, key: bytes) -> bool:
        """Whether another process has stored this key since we looked, which is not long ago."""
        assert self._keys is not None
        if time.monotonic() >= self._next_look:
            self._next_look = time.monotonic() + _LOOK_SECONDS
            ((version,),) = self._db.execute("PRAGMA data_version")
            if version != self._version:
                rows = self._db.execute("SELECT rowid, key FROM segments WHERE rowid > ?", (self._last_row,)).fetchall()
                self._keys.update(stored for _, stored in rows)
                self._last_row = max((row for row, _ in rows), default=self._last_row)
                self._version = version
        return key in self._keys

    def extend(
        self, key: bytes, mark: Mark | None, tokens: Tokens, finished: bool, dropped: int, base: int | None = None
    ) -> Mark | None:
        """Stores a whole continuation, of which `mark` is stored already (None: look what is). Within a transaction.

        What is stored only grows: when another process stored something else meanwhile, that stays, and None says
        that this continuation is not remembered. base: the caller itself stored what is behind this many tokens, and
        it is corrected where the engine began again and said something else.
        """
        if mark is not None and base is not None and base < mark.length:
            mark = self._corrected(key, mark, tokens, base)
        if mark == Mark():  # the usual case: if another row is there, the insertion says so
            try:
                return self._append(key, mark, tokens, finished, dropped)
            except sqlite3.IntegrityError:
                mark = None
        if mark is not None and len(tokens) >= mark.length and self._ends_at(key, mark):
            return self._append(key, mark, tokens, finished, dropped)
        return self._joined(key, tokens, finished, dropped)

    def _corrected(self, key: bytes, mark: Mark, tokens: Tokens, base: int) -> Mark:
        """The mark to go on from where the caller may have begun again and said something else behind `base`."""
        if not self._ends_at(key, mark) or self._stored(key).tokens == tokens[: mark.length]:
            return mark
        self._db.execute("DELETE FROM segments WHERE key = ? AND start >= ?", (key, base))
        return self._stored(key).mark

    def _joined(self, key: bytes, tokens: Tokens, finished: bool, dropped: int) -> Mark | None:
        """Stores what a continuation says beyond what is there, which may be another process's."""
        stored = self._stored(key)
        there = (len(stored.tokens) + stored.dropped, stored.finished)
        if stored.seal and (len(tokens) + dropped, finished) <= there:
            return stored.mark if stored.tokens[: len(tokens)] == tokens else None
        if stored.finished or tokens[: len(stored.tokens)] != stored.tokens:
            return None
        mark = Mark() if stored.dropped else stored.mark
        self._db.execute("DELETE FROM segments WHERE key = ? AND start >= ?", (key, mark.length))
        return self._append(key, mark, tokens, finished, dropped)

    def _append(self, key: bytes, mark: Mark, tokens: Tokens, finished: bool, dropped: int) -> Mark:
        """Writes what is not stored yet as one row."""
        if len(tokens) == mark.length and not finished and not dropped:
            return mark
        packed = pack(tokens[mark.length :])
        seal = _seal(mark.seal, key, mark.length, int(finished), dropped, packed)
        self._db.execute(
            "INSERT INTO segments VALUES (?, ?, ?, ?, ?)", (key, mark.length, int(finished), dropped, packed + seal)
        )
        if self._keys is not None:
            self._keys.add(key)
        return Mark(len(tokens), seal)

    def _ends_at(self, key: bytes, mark: Mark) -> bool:
        """Whether the last row of this key is the one the mark names."""
        row = self._db.execute(
            f"SELECT substr(content, -{_SEAL_BYTES}) FROM segments WHERE key = ? ORDER BY start DESC LIMIT 1", (key,)
        ).fetchone()
        return bool((row[0] if row else b"") == mark.seal)

    def note(self, identity: Mapping[str, str]) -> None:
        """Records that a model writes here now."""
        text = json.dumps(dict(identity), sort_keys=True)
        with self.transaction():
            self._db.execute(
                "INSERT OR REPLACE INTO identities VALUES (?, ?, ?)",
                (blake2b(text.encode(), digest_size=16).digest(), text, time.time()),
            )

    def identities(self) -> list[dict[str, str]]:
        """The models whose tokens are here, the one used last first."""
        found = []
        for (identity,) in self._db.execute("SELECT identity FROM identities ORDER BY used DESC"):
            try:
                found.append(dict(json.loads(identity)))
            except (TypeError, ValueError):
                logger.warning("a row of %s that describes a model is damaged", self.path)
        return found

    def close(self) -> None:
        self._db.close()


def difference(identity: Mapping[str, str], before: Sequence[Mapping[str, str]]) -> str:
    """What sets a model apart from the nearest one of a memo; empty when it is among them, or none is there."""
    changes = [
        [name for name in sorted({*known, *identity}) if known.get(name) != identity.get(name)] for known in before
    ]
    nearest = min(range(len(before)), key=lambda n: len(changes[n]), default=None)
    if nearest is None:
        return ""
    known = before[nearest]
    return "; ".join(f"{n}: {known.get(n, 'none')}, now {identity.get(n, 'none')}" for n in changes[nearest])


def _seal(before: bytes, key: bytes, start: object, finished: object, dropped: object, packed: bytes) -> bytes:
    """A digest over a row and, through the seal before it, over all rows of its key: a torn row is never believed."""
    digest = blake2b(before + key, digest_size=_SEAL_BYTES)
    digest.update(f"{start} {finished} {dropped} ".encode() + packed)
    return digest.digest()


def _is_memo(db: sqlite3.Connection, path: Path) -> bool:
    """Whether the file is a memo already (False: it is empty). Raises MemoError when it is something else."""
    if not db.in_transaction:  # one look at the file, not three: another process may be creating it
        db.execute("BEGIN")
        try:
            return _is_memo(db, path)
        finally:
            db.execute("COMMIT")
    ((owner,),) = db.execute("PRAGMA application_id")
    ((schema,),) = db.execute("PRAGMA user_version")
    ((tables,),) = db.execute("SELECT count(*) FROM sqlite_master")
    if not (owner or schema or tables):
        return False
    if owner != APPLICATION_ID:
        raise MemoError(f"{path} is the SQLite file of another program, not a memo: give another path")
    if schema not in (SCHEMA, _FORMER_SCHEMA):
        raise MemoError(
            f"{path} is a memo of schema {schema}, this version reads schema {SCHEMA}: give another path, or use the "
            f"version of lm-eval-s1 that wrote it"
        )
    return True


def _explain(path: Path, error: sqlite3.Error | OSError) -> str:
    name = getattr(error, "sqlite_errorname", "") or ""
    if name.startswith("SQLITE_NOTADB"):
        return f"{path} is not a memo (not an SQLite file): give another path"
    if name.startswith("SQLITE_CORRUPT"):
        return f"the memo {path} is damaged ({error}): delete it or give another path; its tokens are generated again"
    return f"the memo {path} cannot be used ({error}): mend that, give another path, or memo=off"
