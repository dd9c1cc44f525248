"""Budget forcing: a state machine over token ids that decides when a model stops thinking.

Rules of this file: it imports the contract (standard library only), does no I/O, and knows no text. It *asks* for
tokens (`Request`) and is *told* what came (`Reply`); whoever calls it owns the engine. Values are frozen,
`advance` is pure, and this table is the behaviour (a test parses it and drives every row):

| phase | reply | when | append (forced) | next |
| --- | --- | --- | --- | --- |
| THINKING | STOP | (waits left or below the minimum) and room and progress | wait | THINKING |
| THINKING | STOP | otherwise | close | ANSWERING |
| THINKING | LENGTH | thinking does not end a line | newline + cut_off | ANSWERING |
| THINKING | LENGTH | thinking ends a line | cut_off | ANSWERING |
| ANSWERING | STOP | the answer is empty and was not asked for | ask | ANSWERING |
| ANSWERING | STOP | otherwise | nothing | DONE |
| ANSWERING | LENGTH | always | nothing | DONE |

- *waits left*: fewer waits used than `Budget.num_waits`; *below the minimum*: fewer thinking tokens than
  `Budget.min_thinking_tokens` (such waits are used even when none are left).
- *room*: after the wait at least one more thinking token fits under the limit.
- *progress*: the reply or the wait holds a token. Without it an empty wait and a model that stops at once
  would ask the same question for ever.
- After an empty wait, and after one that only the minimum asked for, the first token must not be a stop
  (`Request.min_tokens`): a model that stops at once would otherwise think "WaitWaitWait".
- *close* is the end-of-thinking delimiter. *cut_off* is the delimiter and the request for the answer
  ("Final Answer:"): the budget ended the thinking in the middle of something, so the answer is asked for.
- *ask* is the request alone. A model that ends its turn while it thinks has nothing to say after *close*: it is asked
  for its answer, once. An answer of white space is empty.
- A limit of 0 thinking tokens starts in ANSWERING with the cut-off already appended.

**One thinking budget per question**, all rounds and all waits together: thinking tokens = sampled thinking +
forced waits; the delimiters belong to neither thinking nor answer. `max_thinking_tokens=None` ("auto") is what
the context window leaves after the prompt, the delimiters and the answer reserve (`max_answer_tokens`); a number
is an upper bound beside that one. A session depends on its own prompt and replies only, never on batch-mates.

Source: s1, "Simple test-time scaling" (arXiv 2501.19393), section 3.1; docs/decisions/0001 lists where this
differs from the original code, and why.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from enum import Enum
from itertools import chain
from operator import attrgetter
from typing import Any, Protocol

from s1_contract.errors import S1Error as S1Error  # part of this module's public names
from s1_contract.options import MAX_ANSWER_TOKENS, MAX_THINKING_TOKENS, MIN_THINKING_TOKENS, NUM_WAITS

Tokens = tuple[int, ...]


class BudgetError(S1Error, ValueError):
    """The budget asks for the impossible."""


class Phase(Enum):
    """Where a session is. OPENING and DONE hold no requests; OPENING marks the span of the opening delimiter.

    PROBING is a request beside the text: a trial answer that leaves the session where it was (`policies.recipe`).
    """

    OPENING = "opening"
    THINKING = "thinking"
    ANSWERING = "answering"
    PROBING = "probing"
    DONE = "done"


class Finish(Enum):
    """Why a reply ended: a stop id came, or `max_tokens` did."""

    STOP = "stop"
    LENGTH = "length"


@dataclass(frozen=True, slots=True)
class Request:
    """What the policy asks an engine for.

    prefix: prompt and everything so far, token ids. max_tokens: >= 1, tokens still allowed. stop: ids that end the
    reply. min_tokens: tokens before which no stop may come (0 or 1).
    sampling: (name, value) pairs for the engine, opaque here: the run's, set by the driver, under the policy's own.
    """

    prefix: Tokens
    max_tokens: int
    stop: frozenset[int]
    phase: Phase
    min_tokens: int = 0
    sampling: tuple[tuple[str, object], ...] = ()


@dataclass(frozen=True, slots=True)
class Reply:
    """What an engine says came: the tokens without the stop id, and why they ended.

    dropped: how many sampled ids the engine left out because the tokenizer does not know them. sampled: all that was
    sampled, those ids included, where any was left out and the engine can say which.
    """

    tokens: Tokens
    finish: Finish
    dropped: int = 0
    sampled: Tokens = field(default=(), compare=False)


@dataclass(frozen=True, slots=True)
class Span:
    """A run of tokens with its provenance: sampled by the model, or forced by the policy."""

    tokens: Tokens
    phase: Phase
    forced: bool


@dataclass(frozen=True, slots=True)
class Side:
    """What was generated beside the text and paid for.

    kind: "probe". at: tokens after the prompt where it branches off.

    spans: what was forced and sampled there.
    """

    kind: str
    at: int
    spans: tuple[Span, ...]

    @property
    def generated_tokens(self) -> int:
        """Sampled tokens."""
        return sum(len(span.tokens) for span in self.spans if not span.forced)


@dataclass(frozen=True, slots=True)
class Session:
    """One question's generation so far; immutable.

    prompt: token ids before thinking opens. thinking_limit: tokens, resolved for this prompt and context window.
    cut_off: the budget ended the thinking, not the model. answer_cut_off: the answer hit `max_answer_tokens`.
    answer_asked: the answer was empty and was asked for.
    dropped_tokens: sampled ids outside the vocabulary, left out of the spans. replies: how many were told, whatever
    became of them. tries, rejected_tokens: of rejection sampling, 0 elsewhere (`s1_models.policies.rejection`).
    pending: replies to one request that is still being put together (`s1_models.policies.stop_texts`).
    answer_at: tokens after the prompt before the answer begins, behind the end-of-thinking delimiter; None: not yet.
    side: generated beside the text. may_probe: whether its policy can ask for trial answers. wasted_tokens: sampled
    beyond a stop that is a text, and thrown away.
    requests, read_tokens, generated_tokens: what the whole session asked of an engine, filled in by the driver at its
    end: requests, the tokens of their prefixes, and all sampled tokens. state: the policy's own.
    """

    prompt: Tokens
    spans: tuple[Span, ...]
    phase: Phase
    thinking_limit: int
    waits_used: int = 0
    cut_off: bool = False
    answer_cut_off: bool = False
    answer_asked: bool = False
    dropped_tokens: int = 0
    replies: int = 0
    tries: int = 0
    rejected_tokens: int = 0
    pending: tuple[Reply, ...] = ()
    answer_at: int | None = None
    side: tuple[Side, ...] = ()
    may_probe: bool = field(default=False, compare=False)
    wasted_tokens: int = 0
    requests: int = field(default=0, compare=False)
    read_tokens: int = field(default=0, compare=False)
    generated_tokens: int = field(default=0, compare=False)
    state: object = field(default=None, repr=False, compare=False)
    # Kept by `append`, so that a session of many waits is not put together anew at each of them.
    _tokens: Tokens | None = field(default=None, repr=False, compare=False)
    _thinking: int | None = field(default=None, repr=False, compare=False)

    @property
    def tokens(self) -> Tokens:
        """Prompt and everything after it, token ids."""
        if self._tokens is not None:
            return self._tokens
        return tuple(chain(self.prompt, *(span.tokens for span in self.spans)))

    @property
    def thinking_tokens(self) -> int:
        """Sampled thinking plus forced waits, in tokens; the delimiters are not thinking."""
        if self._thinking is not None:
            return self._thinking
        return sum(len(span.tokens) for span in self.spans if span.phase is Phase.THINKING)

    @property
    def answer_tokens(self) -> int:
        """Sampled answer tokens; the forced delimiter and "Final Answer:" are not counted."""
        return sum(len(span.tokens) for span in self.spans if span.phase is Phase.ANSWERING and not span.forced)


class Policy(Protocol):
    """Decides what to ask next. `request` returns None when the session is done."""

    def begin(self, prompt: Tokens) -> Session: ...
    def request(self, session: Session) -> Request | None: ...
    def advance(self, session: Session, reply: Reply) -> Session: ...


@dataclass(frozen=True, slots=True)
class Budget:
    """How long a model may, and must, think; validated on construction (raises BudgetError).

    num_waits: how often the end of thinking is suppressed and `wait_text` appended.
    wait_text: may be empty: the end is suppressed and nothing is appended.
    max_thinking_tokens: all rounds together, waits included; None: what the context window leaves; 0: no thinking.
    min_thinking_tokens: below it the end of thinking is suppressed even when no waits are left.
    max_answer_tokens: limit of the answer, and what "auto" keeps free for it.
    final_answer_text: asked after a cut-off; may be empty.
    """

    num_waits: int = 0
    wait_text: str = "Wait"
    max_thinking_tokens: int | None = None
    min_thinking_tokens: int = 0
    max_answer_tokens: int = 1024
    final_answer_text: str = "Final Answer:"

    def __post_init__(self) -> None:
        for name, least in ((NUM_WAITS, 0), (MIN_THINKING_TOKENS, 0), (MAX_ANSWER_TOKENS, 1)):
            _check_count(name, getattr(self, name), least)
        if self.max_thinking_tokens is not None:
            _check_count(MAX_THINKING_TOKENS, self.max_thinking_tokens, 0, "or 'auto'")
            if self.min_thinking_tokens > self.max_thinking_tokens:
                raise BudgetError(
                    f"min_thinking_tokens={self.min_thinking_tokens} is above "
                    f"max_thinking_tokens={self.max_thinking_tokens}: lower the one or raise the other"
                ).mended_by("set", MIN_THINKING_TOKENS, self.max_thinking_tokens)


def _check_count(name: str, value: object, least: int, alternative: str = "") -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        expected = " ".join(filter(None, (f"a whole number of at least {least}", alternative)))
        raise BudgetError(f"{name}={value!r}: expected {expected}").mended_by("set", name, least)


@dataclass(frozen=True, slots=True)
class Marks:
    """A thinking format and a budget's texts as token ids of one tokenizer (made by `formats.mark`).

    open / close: the delimiters around thinking. cut_off: close and the request for the answer. closing: how many of
    its first tokens are the delimiter (None: all of them).
    wait: appended instead of an end. newline: put before a cut-off that comes in the middle of a line.
    line_ends: ids whose text ends in a newline. ends: ids that end thinking. answer_ends: ids that end the answer.
    ask: the request for the answer. blank: ids that say nothing (white space).
    """

    open: Tokens
    close: Tokens
    cut_off: Tokens
    wait: Tokens
    newline: Tokens
    ends: frozenset[int]
    answer_ends: frozenset[int]
    line_ends: frozenset[int] = frozenset()
    ask: Tokens = ()
    blank: frozenset[int] = frozenset()
    closing: int | None = None


@dataclass(frozen=True, slots=True)
class BudgetForcing(Policy):
    """The policy of the module's table, for one budget, one format and one context window (tokens)."""

    budget: Budget
    marks: Marks
    context_window: int
    _overhead: int = field(init=False, repr=False, default=0)  # delimiter tokens a session can need at most

    def __post_init__(self) -> None:
        for name in (MAX_THINKING_TOKENS, MIN_THINKING_TOKENS):
            limit = getattr(self.budget, name)
            if limit is not None and limit >= self.context_window:
                raise BudgetError(
                    f"{name}={limit} does not fit a context of {self.context_window} tokens, which must also hold the "
                    f"prompt and the answer: lower it" + (", or use auto for all there is" if name[1] == "a" else "")
                )
        marks = self.marks
        longest_end = max(len(marks.close) + len(marks.ask), len(marks.newline) + len(marks.cut_off))
        object.__setattr__(self, "_overhead", len(marks.open) + longest_end)

    def begin(self, prompt: Tokens) -> Session:
        """A session for this prompt (token ids). Raises BudgetError when the context leaves no room."""
        room = self.context_window - len(prompt) - self._overhead - self.budget.max_answer_tokens
        wanted = self.budget.max_thinking_tokens
        if room < (1 if wanted is None else min(1, wanted)):
            raise BudgetError(
                f"prompt has {len(prompt):,} tokens; with max_answer_tokens={self.budget.max_answer_tokens}, "
                f"{self._overhead} tokens of delimiters and a {self.context_window:,}-token context nothing is left "
                f"for thinking: lower max_answer_tokens or raise max_model_len"
            )
        limit = room if wanted is None else min(wanted, room)
        session = append(Session(prompt, (), Phase.THINKING, limit), self.marks.open, Phase.OPENING, forced=True)
        return session if limit else self.cut(session)

    def request(self, session: Session) -> Request | None:
        """What to ask next, or None when the session is done."""
        prefix = session.tokens
        if session.phase is Phase.THINKING:
            left = session.thinking_limit - session.thinking_tokens
            # After an empty wait the prefix is what it was when the model stopped: it would only stop again.
            allowed = self.budget.num_waits if self.marks.wait else 0
            forbid_stop = session.waits_used > allowed
            return Request(prefix, left, self.marks.ends, Phase.THINKING, min_tokens=int(forbid_stop))
        if session.phase is Phase.ANSWERING:
            left = self.budget.max_answer_tokens - session.answer_tokens
            return Request(prefix, left, self.marks.answer_ends, Phase.ANSWERING)
        return None

    def advance(self, session: Session, reply: Reply) -> Session:
        """The session after this reply: one row of the table."""
        if session.phase not in (Phase.THINKING, Phase.ANSWERING):
            raise ValueError(f"a session in phase {session.phase.name} takes no reply")
        told = append(
            session,
            reply.tokens,
            session.phase,
            forced=False,
            dropped_tokens=session.dropped_tokens + reply.dropped,
            replies=session.replies + 1,
        )
        if session.phase is Phase.ANSWERING:
            if self._must_ask(told, reply):
                return append(told, self.marks.ask, Phase.ANSWERING, forced=True, answer_asked=True)
            return changed(told, phase=Phase.DONE, answer_cut_off=reply.finish is Finish.LENGTH)
        if reply.finish is Finish.LENGTH:
            return self.cut(told)
        if self._may_wait(told, reply):
            return append(told, self.marks.wait, Phase.THINKING, forced=True, waits_used=told.waits_used + 1)
        return self.close(told)

    def close(self, session: Session) -> Session:
        """The session with its thinking ended here, in its answer."""
        return self._ended(session, self.marks.close, self.marks.close, cut_off=False)

    def _may_wait(self, session: Session, reply: Reply) -> bool:
        used, wait = session.thinking_tokens, len(self.marks.wait)
        wanted = session.waits_used < self.budget.num_waits or used < self.budget.min_thinking_tokens
        room = used + wait < session.thinking_limit
        progress = bool(reply.tokens) or wait > 0
        return wanted and room and progress

    def _must_ask(self, session: Session, reply: Reply) -> bool:
        asked = session.cut_off or session.answer_asked
        room = session.answer_tokens < self.budget.max_answer_tokens
        return (
            reply.finish is Finish.STOP and bool(self.marks.ask) and not asked and room and self.is_empty(reply.tokens)
        )

    def is_empty(self, answer: Tokens) -> bool:
        """Whether an answer says nothing."""
        return set(answer) <= self.marks.blank

    def cut(self, session: Session) -> Session:
        """The session with its thinking cut off here, and the answer asked for."""
        before = session.spans[-1].tokens if session.spans else session.prompt
        newline = () if before and before[-1] in self.marks.line_ends else self.marks.newline
        return self._ended(session, newline + self.marks.cut_off, self.marks.cut_off, cut_off=True)

    def _ended(self, session: Session, tokens: Tokens, end: Tokens, *, cut_off: bool) -> Session:
        """The session in its answer, of which the request for it, behind the delimiter in `end`, is part."""
        request = 0 if self.marks.closing is None else len(end) - self.marks.closing
        answer_at = len(session.tokens) + len(tokens) - len(session.prompt) - request
        answering = Phase.ANSWERING
        return append(session, tokens, answering, forced=True, phase=answering, cut_off=cut_off, answer_at=answer_at)


def append(session: Session, tokens: Tokens, phase: Phase, /, *, forced: bool, **changes: Any) -> Session:
    """The session with one more span (an empty one is not recorded) and other fields changed with it."""
    if tokens:
        thinking = session.thinking_tokens + (len(tokens) if phase is Phase.THINKING else 0)
        spans = (*session.spans, Span(tokens, phase, forced))
        changes |= {"spans": spans, "_tokens": session.tokens + tokens, "_thinking": thinking}
    return changed(session, **changes) if changes else session


_FIELDS = {one.name: place for place, one in enumerate(fields(Session))}
_values_of = attrgetter(*_FIELDS)


def changed(session: Session, **changes: Any) -> Session:
    """As `dataclasses.replace`, in half the time: it is what a reply costs most."""
    values = list(_values_of(session))
    for name, value in changes.items():
        values[_FIELDS[name]] = value
    return Session(*values)
