"""An engine that remembers: what was generated once, in this run or in one that was killed, is not generated again.

`Memo` is an Engine around an Engine. For every (model, sampling, stop ids, prefix) it keeps the longest continuation
seen (docs/decisions/0006), and answers a request with as much of it as there is:

| memory holds | the reply |
| --- | --- |
| `max_tokens` or more | the first `max_tokens`: LENGTH; the inner engine is not asked |
| fewer, and a stop id came | all of them: STOP; the inner engine is not asked |
| fewer, not ended | the inner engine is asked for the tail: prefix + what is known, the tokens still allowed |
| fewer, not ended, ids dropped among them | the inner engine is asked for all of it; if it says something else this time, for the tail |
| nothing | what the inner engine says, which is remembered |

Ids are remembered as they were sampled. Of those that the tokenizer does not know it is noted that they were left out
of the reply, so that it can be cut as any other.

A reply is stored before it is handed on, and what is in flight every few seconds, so a killed run continues where it
was. A smaller budget is the beginning of a larger one's trace, so whoever runs the larger one first has both.
"""  # noqa: E501  (the table's rows are one line each)

from __future__ import annotations

import json
import logging
import sqlite3
import time
from array import array
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any

from s1_models.driver import Engine
from s1_models.forcing import Finish, Reply, Request, Tokens
from s1_models.memo.store import DROPPED, Known, Mark, Store, difference

logger = logging.getLogger(__name__)

FLUSH_SECONDS = 5.0
# What is in flight is stored a little earlier than promised: an engine's `partial` may lag by a few tokens.
_EARLY = 0.8

_END_TOKENS = 16
_KEY_BYTES = 12  # of which a table and its index hold a copy each; 10^9 entries collide once in 10^11 files

# Sampling whose next token depends on the tokens before it, wherever the prompt ends. Under any other option
# (presence_penalty looks at the output only) a continuation is stored and cut, but a tail is never asked for.
_RESUMABLE = frozenset(
    {
        *("temperature", "seed", "top_p", "top_k", "min_p", "logit_bias", "allowed_token_ids", "repetition_penalty"),
        *("typical_p", "epsilon_cutoff", "eta_cutoff", "no_repeat_ngram_size"),
    }
)


@dataclass(slots=True)
class _Asked:
    """A request of ours in the inner engine, and how much of its continuation is stored.

    known: ids as stored, before the inner engine's own. mark: None where only the finished reply is stored. end: the
    last tokens stored, by which an engine that began again (a server's retry) is recognised. again: ids as stored that
    the inner engine is asked for once more, because it cannot go on behind an id that was dropped.
    """

    entry: bytes
    request: Request
    known: Tokens
    mark: Mark | None
    end: Tokens = ()
    again: Tokens = ()

    def follows(self, whole: Tokens) -> bool:
        """Whether a continuation goes on where the stored one ends."""
        return self.mark is not None and whole[self.mark.length - len(self.end) : self.mark.length] == self.end


class Memo(Engine):
    """Remembers in the SQLite file `path` what `inner` generates. A context manager; closing it flushes.

    identity: everything that changes the model's tokens; another identity is served nothing of this one's.
    flush_seconds: what a killed process loses at most of what it was decoding. read_only: nothing new is remembered.

    Greedy requests and sampled ones with a seed are remembered; others pass through. A continuation that was sampled
    in part is continued with a seed of its own, so that it does not repeat the draws it began with. What was returned
    once is returned ever after, also to other processes. An unusable file raises MemoError here; an error while
    running (a full disk) is a warning, and writing is tried again at every flush: the run is worth more than its memo.
    """

    def __init__(
        self,
        inner: Engine,
        path: str | Path,
        identity: Mapping[str, str],
        *,
        flush_seconds: float = FLUSH_SECONDS,
        read_only: bool = False,
    ) -> None:
        self.context_window = inner.context_window
        self.reused: Counter[Hashable] = Counter()  # tokens returned without asking the inner engine, by request key
        self.generated: Counter[Hashable] = Counter()  # tokens by the inner engine, by the key that asked for them
        self._inner = inner
        self._store = Store(path, read_only=read_only)
        self._read_only = read_only
        self._model = blake2b(json.dumps(dict(identity), sort_keys=True).encode()).digest()
        self._last_how: tuple[tuple[Any, ...], bytes | None] = (), None
        self._ready: list[tuple[Hashable, Reply]] = []
        self._asked: dict[Hashable, _Asked | None] = {}  # None: not remembered
        self._leaders: dict[bytes, list[tuple[Hashable, Request]]] = {}  # requests that wait for an equal one
        self._unwritten: list[tuple[_Asked, Reply]] = []
        self._failing = self._gone = False
        self._flush_seconds = flush_seconds * _EARLY
        self._next_flush = time.monotonic() + self._flush_seconds
        try:
            before = self._store.identities()
            if not read_only:
                self._store.note(identity)
        except sqlite3.Error as error:
            self._warn(error)
        else:
            changes = difference(identity, before)
            if changes:
                logger.info("the memo %s holds another model's tokens, which are not used (%s)", path, changes)

    @property
    def reused_tokens(self) -> int:
        return self.reused.total()

    @property
    def generated_tokens(self) -> int:
        return self.generated.total()

    # The Engine protocol.

    def submit(self, key: Hashable, request: Request) -> None:
        entry = self._entry(request)
        if entry is None:
            self._asked[key] = None
            self._inner.submit(key, request)
        elif entry in self._leaders:
            self._leaders[entry].append((key, request))
        else:
            self._submit(key, request, entry)

    def poll(self, timeout_seconds: float | None = None) -> Sequence[tuple[Hashable, Reply]]:
        deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        while True:
            now = time.monotonic()
            if now >= self._next_flush:
                self._flush()
            if self._ready:
                replies, self._ready = self._ready, []
                return replies
            if not self._asked or (deadline is not None and now > deadline):
                return []
            wait = max(0.0, self._next_flush - now)
            came = self._inner.poll(wait if deadline is None else min(wait, max(0.0, deadline - now)))
            if not came and deadline is None and time.monotonic() - now < wait / 2:
                came = self._inner.poll()  # it gave up early: it says that nothing is in flight
                if not came:
                    return []
            if came and (replies := self._receive(came)):
                return replies

    def partial(self) -> Sequence[tuple[Hashable, Tokens]]:
        parts = []
        for key, tokens in self._inner.partial():
            asked = self._asked[key]
            parts.append((key, _visible(asked.known) + tokens if asked else tokens))
        return parts

    def cancel(self) -> None:
        self._flush()
        self._ready, self._asked, self._leaders = [], {}, {}
        self._inner.cancel()

    def close(self) -> None:
        """Stores what is in flight and closes the file. What could not be stored is said."""
        self._flush()
        if self._unwritten:
            logger.warning("%d replies of this run are not in the memo %s", len(self._unwritten), self._store.path)
        self._store.close()

    def __enter__(self) -> Memo:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # What memory holds, and what has to be asked.

    def _submit(self, key: Hashable, request: Request, entry: bytes) -> None:
        known = self._find(entry)
        reply = _answer(request, known)
        if reply is not None:
            self.reused[key] += len(reply.tokens) + reply.dropped
            self._ready.append((key, reply))
            return
        if known.dropped or not _RESUMABLE.issuperset(name for name, _ in request.sampling):
            asked = _Asked(entry, request, (), None)
        elif len(_visible(known.tokens)) < len(known.tokens):
            asked = _Asked(entry, request, (), None, again=known.tokens)
        else:
            asked = _Asked(entry, request, known.tokens, known.mark)
        self.reused[key] += len(asked.known)
        self._asked[key] = asked
        self._leaders[entry] = []
        self._inner.submit(key, _tail(request, asked.known))

    def _receive(self, came: Sequence[tuple[Hashable, Reply]]) -> list[tuple[Hashable, Reply]]:
        """The inner engine's replies, joined to what was known, stored, and taken up by who waited for an equal one."""
        replies, waiting = [], []
        for key, tail in came:
            self.generated[key] += len(tail.tokens) + tail.dropped
            asked = self._asked.pop(key, None)
            if asked is None:
                replies.append((key, tail))
            elif asked.again and _sampled(tail)[: len(asked.again)] != asked.again:
                self._ask_for_the_tail(key, asked)
            else:
                self._unwritten.append((asked, tail))
                waiting += self._leaders.pop(asked.entry)
                replies.append((key, _reply(asked.known + _sampled(tail), tail.finish, _lost(tail))))
        if not self._failing:
            self._write()
        for key, request in waiting:
            self.submit(key, request)
        return replies

    def _ask_for_the_tail(self, key: Hashable, asked: _Asked) -> None:
        """What was returned once stays: the inner engine, which says something else now, goes on behind it."""
        known = self._find(asked.entry)
        asked.known, asked.mark, asked.again = known.tokens, known.mark, ()
        self.reused[key] += len(asked.known)
        self._asked[key] = asked
        self._inner.submit(key, _tail(asked.request, asked.known))

    def _entry(self, request: Request) -> bytes | None:
        """The key of a request's continuation; None when it must not be remembered."""
        how = (request.sampling, request.stop, request.min_tokens)
        if how != self._last_how[0]:  # the same for many requests in a row, or told apart by their seeds only
            self._last_how = how, self._describe(request)
        described = self._last_how[1]
        if described is None:
            return None
        digest = blake2b(described, digest_size=_KEY_BYTES)
        digest.update(array("I", request.prefix))
        return digest.digest()

    def _describe(self, request: Request) -> bytes | None:
        """Model, sampling and stops of a request as bytes; None when every repeat must draw anew."""
        sampling = dict(request.sampling)
        if sampling.get("temperature") == 0:
            sampling.pop("seed", None)  # greedy: no draws
        elif sampling.get("seed") is None:
            return None
        values = [(name, _spell(value)) for name, value in sorted(sampling.items())]
        how = [values, sorted(request.stop), request.min_tokens]
        return self._model + json.dumps(how, default=repr).encode()

    # The file: an error there never ends a run.

    def _find(self, entry: bytes) -> Known:
        try:
            return self._store.find(entry)
        except sqlite3.Error as error:
            self._warn(error)
            return Known()

    def _flush(self) -> None:
        """Stores what is in flight, and what could not be stored before."""
        parts = []
        for key, tokens in self._inner.partial():
            asked = self._asked.get(key)
            if asked is not None and asked.follows(whole := asked.known + tokens):
                parts.append((asked, whole))
        self._write(parts)
        self._say_if_gone()
        self._next_flush = time.monotonic() + self._flush_seconds

    def _say_if_gone(self) -> None:
        if not self._gone and not self._store.is_in_place():
            self._gone = True
            logger.warning(
                "the memo %s was deleted or replaced while this run uses it. The run goes on, but nothing that it "
                "generates will be remembered when it ends: stop it and start it again for a memo",
                self._store.path,
            )

    def _write(self, parts: Iterable[tuple[_Asked, Tokens]] = ()) -> None:
        if self._read_only:
            self._unwritten.clear()
            return
        marks = []
        try:
            with self._store.transaction():
                for asked, reply in self._unwritten:
                    stopped = reply.finish is Finish.STOP
                    base = len(asked.known)
                    whole = asked.known + _sampled(reply)
                    self._store.extend(asked.entry, asked.mark, whole, stopped, _lost(reply), base)
                for asked, tokens in parts:
                    marks.append((asked, tokens, self._store.extend(asked.entry, asked.mark, tokens, False, 0)))
        except sqlite3.Error as error:
            self._warn(error)
            return
        self._unwritten.clear()
        for asked, tokens, mark in marks:
            asked.mark, asked.end = mark, tokens[-_END_TOKENS:]
        if self._failing:
            self._failing = False
            logger.warning("the memo %s is written again; nothing of this run is missing in it", self._store.path)

    def _warn(self, error: sqlite3.Error) -> None:
        if not self._failing:
            logger.warning(
                "the memo %s cannot be used (%s). The run goes on, but what it generates from here on is lost if it is "
                "interrupted. Mend it if you can (free the disk, for example): it is tried again every few seconds",
                self._store.path,
                error,
            )
        self._failing = True


def _spell(value: Any) -> Any:
    """Values that are equal are written alike, 1 and 1.0 and True: they are one key wherever they are compared."""
    whole = isinstance(value, bool) or (isinstance(value, float) and value.is_integer())
    return int(value) if whole else value


def _answer(request: Request, known: Known) -> Reply | None:
    """The reply, if memory holds all of it. A stop needs a token of its own, as in every engine."""
    sampled, most = len(known.tokens) + known.dropped, request.max_tokens
    if known.finished and sampled < most:
        return _reply(known.tokens, Finish.STOP, known.dropped)
    if known.dropped:  # where they were left out is not known, so it cannot be cut
        return _reply(known.tokens, Finish.LENGTH, known.dropped) if sampled == most else None
    return _reply(known.tokens[:most], Finish.LENGTH) if sampled >= most else None


def _reply(sampled: Tokens, finish: Finish, lost: int = 0) -> Reply:
    """The reply with these ids as stored. lost: ids that were left out, nobody knows where."""
    tokens = _visible(sampled)
    raw = () if len(tokens) == len(sampled) else tuple(token % DROPPED for token in sampled)
    return Reply(tokens, finish, lost + len(sampled) - len(tokens), raw)


def _sampled(reply: Reply) -> Tokens:
    """The ids of a reply as they are stored: those that were left out are marked."""
    if not reply.sampled:
        return reply.tokens
    known = set(reply.tokens)
    return tuple(token if token in known else token % DROPPED + DROPPED for token in reply.sampled)


def _lost(reply: Reply) -> int:
    """How many ids were left out of a reply, nobody knows where."""
    return 0 if reply.sampled else reply.dropped


def _visible(sampled: Tokens) -> Tokens:
    """Without the ids that were left out."""
    return tuple(token for token in sampled if token < DROPPED) if sampled and max(sampled) >= DROPPED else sampled


def _tail(request: Request, known: Tokens) -> Request:
    """The request for what comes after the known ids, as they are stored."""
    if not known:
        return request
    sampling = dict(request.sampling)
    if sampling.get("seed") is not None:
        sampling["seed"] = _seed_of_tail(sampling["seed"], len(known))
    return replace(
        request,
        prefix=request.prefix + _visible(known),
        max_tokens=request.max_tokens - len(known),
        min_tokens=max(0, request.min_tokens - len(known)),
        sampling=tuple(sampling.items()),
    )


def _seed_of_tail(seed: object, known: int) -> int:
    return int.from_bytes(blake2b(f"{seed} after {known}".encode(), digest_size=4).digest()) % 2**31
