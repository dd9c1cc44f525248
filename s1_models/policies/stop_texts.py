"""Stops that are texts, not tokens: a policy around another one, so that no engine has to know of them.

Engines stop at token ids. A delimiter of several ordinary tokens can come in many tokenizations, merged with what
stands before and after it, so no list of ids catches it. This policy asks for a few tokens at a time, reads them as
text, and tells the inner policy STOP with what came before the delimiter. To the engine each chunk is a request that
continues an earlier one, which prefix caches, memo and driver treat as they treat every continuation.

The price: at each stop the tokens of the last chunk that come after the delimiter are thrown away, and each chunk is a
request of its own (measured in `benchmarks/bench_stop_texts.py`). A request repeats all of its prefix, so chunks grow
with the text, or a long one would cost the square of its length: by then a chunk is a sixteenth of what is there.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, replace

from s1_models.forcing import Finish, Phase, Policy, Reply, Request, Session, Tokens

CHUNK_TOKENS = 64
_SHARE = 16


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
        if whole is None or not self._stops(whole.phase):
            return whole
        pending = _joined(session.pending)
        left = whole.max_tokens - _spent(pending)
        return replace(
            whole,
            prefix=whole.prefix + pending.tokens,
            max_tokens=min(left, max(self.chunk_tokens, len(pending.tokens) // _SHARE)),
            min_tokens=0 if session.pending else whole.min_tokens,
        )

    def advance(self, session: Session, reply: Reply) -> Session:
        whole = self.inner.request(session)
        stops = self._stops(whole.phase) if whole else ()
        if whole is None or not stops:
            return self.inner.advance(session, reply)
        pending = _joined((*session.pending, reply))
        kept = self._before_a_stop(pending.tokens, len(pending.tokens) - len(reply.tokens), stops)
        if kept is not None:
            wasted = session.wasted_tokens + len(pending.tokens) - len(kept)
            session = replace(session, wasted_tokens=wasted)
            pending = replace(pending, tokens=kept, finish=Finish.STOP)
        # A reply of nothing (text that says nothing) would be asked for ever.
        elif reply.finish is not Finish.STOP and _spent(pending) < whole.max_tokens and _spent(reply):
            return replace(session, pending=(pending,), replies=session.replies + 1)
        return self.inner.advance(replace(session, pending=()), pending)

    def _stops(self, phase: Phase) -> tuple[str, ...]:
        return self.thinking_stops if phase is Phase.THINKING else self.answer_stops

    def _before_a_stop(self, tokens: Tokens, checked: int, stops: tuple[str, ...]) -> Tokens | None:
        """What stands before the first stop; None when there is none. The first `checked` tokens held none."""
        for end in range(checked + self.chunk_tokens, len(tokens) + self.chunk_tokens, self.chunk_tokens):
            # A token is at least one byte, so a stop that ends in the new tokens begins at most this far back.
            first = max(0, checked - max(len(stop.encode()) for stop in stops))
            # A window that begins within a character would be read differently from its own beginnings.
            while first > 0 and self.decode(tokens[first:end]).startswith("\N{REPLACEMENT CHARACTER}"):
                first -= 1
            window = tokens[first:end]
            text = self.decode(window)
            found = [at for stop in stops if (at := text.find(stop)) >= 0]
            if found:
                return tokens[:first] + self._cut(window, text[: min(found)])
            checked = end
        return None

    def _cut(self, window: Tokens, before: str) -> Tokens:
        """The tokens of a text that these tokens begin with: whole ones, then what is left of one that ends later."""

        def length(count: int) -> int:
            return len(self.decode(window[:count]))

        near = bisect_right(range(len(window) + 1), len(before), key=length)
        # Half a character may be read as several: a beginning can be longer than the next one.
        most = min(near + 4, len(window))
        whole = next(n for n in range(most, -1, -1) if before.startswith(self.decode(window[:n])))
        rest = self.encode(before[length(whole) :])
        return window[:whole] + rest[: len(window) - whole]


def _joined(replies: tuple[Reply, ...]) -> Reply:
    """The replies to one request as one, which ends as the last one does."""
    if len(replies) < 2:
        return replies[0] if replies else Reply((), Finish.LENGTH)
    first, last = replies
    sampled = (first.sampled or first.tokens) + (last.sampled or last.tokens) if first.sampled or last.sampled else ()
    return Reply(first.tokens + last.tokens, last.finish, first.dropped + last.dropped, sampled)


def _spent(reply: Reply) -> int:
    return len(reply.tokens) + reply.dropped
