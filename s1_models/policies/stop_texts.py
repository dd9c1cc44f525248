"""Stops that are texts, not tokens: a policy around another one, so that no engine has to know of them.

Engines stop at token ids. A delimiter of several ordinary tokens can come in many tokenizations, merged with what
stands before and after it, so no list of ids catches it. This policy asks for a few tokens at a time, reads them as
text, and tells the inner policy STOP with what came before the delimiter. To the engine each chunk is a request that
continues an earlier one, which prefix caches, memo and driver treat as they treat every continuation.

The price: at each stop the tokens of the last chunk that come after the delimiter are thrown away, and each chunk is a
request of its own (measured in `benchmarks/bench_stop_texts.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from s1_models.forcing import Finish, Phase, Policy, Reply, Request, Session, Tokens

CHUNK_TOKENS = 64


@dataclass(frozen=True, slots=True)
class StopAtTexts(Policy):
    """`inner`, with texts that end its thinking and its answer beside the ids it names itself.

    decode, encode: between token ids and text, special tokens kept. A stop that comes in the middle of a token takes
    the token with it; what stood before it there is encoded again. A stop counts towards `max_tokens` with the tokens
    it is spelt in, as a stop id does.
    """

    inner: Policy
    thinking_stops: tuple[str, ...]
    answer_stops: tuple[str, ...]
    decode: Callable[[Tokens], str]
    encode: Callable[[str], Tokens]
    chunk_tokens: int = CHUNK_TOKENS

    def begin(self, prompt: Tokens) -> Session:
        return self.inner.begin(prompt)

    def request(self, session: Session) -> Request | None:
        whole = self.inner.request(session)
        if whole is None or not self._stops(session.phase):
            return whole
        left = whole.max_tokens - _spent(session.pending)
        return replace(
            whole,
            prefix=whole.prefix + _joined(session.pending),
            max_tokens=min(left, self.chunk_tokens),
            min_tokens=0 if session.pending else whole.min_tokens,
        )

    def advance(self, session: Session, reply: Reply) -> Session:
        whole = self.inner.request(session)
        stops = self._stops(session.phase)
        if whole is None or not stops:
            return self.inner.advance(session, reply)
        replies = (*session.pending, reply)
        tokens, checked = _joined(replies), len(_joined(session.pending))
        kept = self._before_a_stop(tokens, checked, stops)
        if kept is not None:
            tokens, finish = kept, Finish.STOP
        elif reply.finish is Finish.STOP:
            finish = Finish.STOP
        elif _spent(replies) >= whole.max_tokens or not _spent((reply,)):
            finish = Finish.LENGTH  # a reply of nothing (text that says nothing) would be asked for ever
        else:
            return replace(session, pending=replies, replies=session.replies + 1)
        dropped = sum(one.dropped for one in replies)
        return self.inner.advance(replace(session, pending=()), Reply(tokens, finish, dropped))

    def _stops(self, phase: Phase) -> tuple[str, ...]:
        return self.thinking_stops if phase is Phase.THINKING else self.answer_stops

    def _before_a_stop(self, tokens: Tokens, checked: int, stops: tuple[str, ...]) -> Tokens | None:
        """What stands before the first stop; None when there is none. The first `checked` tokens held none."""
        # A token is at least one byte, so a stop that ends in the new tokens begins at most this far back.
        first = max(0, checked - max(len(stop.encode()) for stop in stops))
        # A window that begins within a character would be read differently from its own beginnings.
        while first > 0 and self.decode(tokens[first:]).startswith("\N{REPLACEMENT CHARACTER}"):
            first -= 1
        window = tokens[first:]
        text = self.decode(window)
        found = [at for stop in stops if (at := text.find(stop)) >= 0]
        if not found:
            return None
        before = text[: min(found)]
        # Whole tokens of text before the stop, then what is left of a token that it shares with the stop.
        whole = max(count for count in range(len(window) + 1) if before.startswith(self.decode(window[:count])))
        rest = self.encode(before[len(self.decode(window[:whole])) :])
        return tokens[: first + whole] + rest[: len(window) - whole]


def _joined(replies: tuple[Reply, ...]) -> Tokens:
    return tuple(token for reply in replies for token in reply.tokens)


def _spent(replies: tuple[Reply, ...]) -> int:
    return sum(len(reply.tokens) + reply.dropped for reply in replies)
