"""A policy written as a recipe: a generator that asks for tokens through a pen, step by step.

    def graceful(pen, options):
        ended = yield from pen.thinking(pen.room - options.keep)
        if not ended:
            pen.force(options.message)
        pen.end()
        yield from pen.answer()

`forcing.py` stays the reference for what a budget, a wait and a cut are: the pen asks it. `Recipe` turns the generator
into a `Policy` whose `advance` is pure: a session keeps the replies that it was told (its tape) and a generator that
waits for the next one. A session that was advanced before is played again from its tape.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from s1_contract.errors import S1Error
from s1_models.forcing import (
    BudgetError,
    BudgetForcing,
    Finish,
    Phase,
    Policy,
    Reply,
    Request,
    Session,
    Side,
    Span,
    Tokens,
    append,
)

T = TypeVar("T")
Asks = Generator[Request, Reply, T]
"""What a pen's method is: it asks for tokens as often as it needs, and returns a T. Use it with `yield from`."""

_LOOK_EVERY = 32
"""Tokens that `think_until` asks for at a time."""


class PolicyError(S1Error, RuntimeError):
    """A policy broke the rules: it raised, asked for more than its budget, or ended without an answer."""


class Pen:
    """All that a recipe may do with a session: think, probe, force, wait, end, answer, and look at what there is.

    Made by `Recipe`. Every method counts in tokens and keeps within the one budget of the question.
    """

    def __init__(
        self,
        forcing: BudgetForcing,
        prompt: Tokens,
        encode: Callable[[str], Tokens],
        decode: Callable[[Tokens], str],
    ) -> None:
        self.encode = encode
        self.wasted = 0  # sampled and thrown away
        self._forcing, self._decode = forcing, decode
        self._session = replace(forcing.begin(prompt), may_probe=True)
        self._round: tuple[Reply, ...] = ()  # what came of the round under way; the session does not have it yet
        self._ahead: Reply | None = None  # drawn beyond the text that thinking was to stop at; written next
        self._ended: Session | None = None  # the session as it is when thinking ends where the model ended it
        self._sampling: dict[str, object] = {}  # of thinking, over the run's

    # What there is.

    @property
    def room(self) -> int:
        """Thinking tokens that are left."""
        return self._session.thinking_limit - self._session.thinking_tokens - _spent(self._round)

    @property
    def thinking_tokens(self) -> int:
        """Thinking tokens so far, waits and forced texts included."""
        return self._session.thinking_limit - self.room

    @property
    def text(self) -> str:
        """The thinking so far."""
        return self._decode(self._written())

    def read(self, tokens: Tokens) -> str:
        """Tokens as text."""
        return self._decode(tokens)

    def snapshot(self) -> Session:
        """The session as it stands."""
        if not self._round:
            return self._session
        return append(self._session, _joined(self._round).tokens, Phase.THINKING, forced=False)

    # What a recipe does.

    def thinking(self, most: int | None = None) -> Asks[bool]:
        """Lets the model think on, `most` tokens or whatever is left. Returns whether thinking has ended by itself.

        Waits that were asked for (`num_waits`, `min_thinking_tokens`) are put in on the way. False: `most` was reached,
        and it can go on; or the budget was (`room` is 0).
        """
        left = self.room if most is None else min(most, self.room)
        while left > 0 and self._ended is None:
            request = self._next_request()
            asked = replace(request, max_tokens=min(left, request.max_tokens))
            reply = yield from self._draw(asked)
            left -= _spent((reply,))
            self._round = (*self._round, reply)
            if reply.finish is Finish.STOP:
                self._stop()
                left -= 0 if self._ended else len(self._forcing.marks.wait)
            elif not _spent((reply,)):
                break  # text that says nothing would be asked for for ever
        return self._ended is not None

    def think_until(self, texts: list[str]) -> Asks[bool]:
        """Lets the model think until it has written one of these texts. Returns whether thinking has ended instead.

        False: a text was written, or the budget is used up (`room` is 0). What was drawn beyond the text is kept, and
        written next.
        """
        begun = len(self._written())
        while self.room > 0:
            before = len(self._written())
            ended = yield from self.thinking(_LOOK_EVERY)
            if self._written_since(begun, before, texts):
                return False
            if ended:
                return True
        return False

    def probe(self, most: int, ask: str = "") -> Asks[str]:
        """A trial answer: cuts here, asks as a cut would (and with `ask`), and leaves the text as it is. Returns it.

        most: tokens. Drawn greedily. It counts in `probe_tokens`, not as thinking.
        """
        now = self.snapshot()
        cut = self._forcing.cut(now)
        forced = cut.tokens[len(now.tokens) :] + (self.encode(ask) if ask else ())
        room = self._forcing.context_window - len(now.tokens) - len(forced)
        if room < 1:
            return ""
        reply = yield Request(
            now.tokens + forced,
            min(most, room),
            self._forcing.marks.answer_ends,
            Phase.PROBING,
            sampling=(("temperature", 0.0),),
        )
        spans = (Span(forced, Phase.PROBING, True), Span(reply.tokens, Phase.PROBING, False))
        at = len(now.tokens) - len(now.prompt)
        self._session = replace(self._session, side=(*self._session.side, Side("probe", at, spans)))
        return self._decode(reply.tokens).strip()

    def force(self, text: str) -> None:
        """Writes a text into the thinking. It counts as thinking. Raises BudgetError when it does not fit."""
        tokens = self.encode(text)
        if len(tokens) > self.room:
            raise BudgetError(
                f"{text[:40]!r} has {len(tokens)} tokens, and {self.room} may still be thought: raise "
                f"max_thinking_tokens, or give a shorter text"
            )
        self._commit()
        self._session = append(self._session, tokens, Phase.THINKING, forced=True)

    def wait(self) -> bool:
        """Writes `wait_text`. Returns whether it fitted. Raises PolicyError for an empty one."""
        wait = self._forcing.marks.wait
        if not wait:
            raise PolicyError("wait_text is empty, and a wait that adds nothing would be asked for for ever")
        if len(wait) >= self.room:
            return False
        self._commit()
        waiting = append(self._session, wait, Phase.THINKING, forced=True)
        self._session = replace(waiting, waits_used=waiting.waits_used + 1)
        return True

    def end(self) -> None:
        """Ends the thinking: as budget forcing does where the model or the budget ended it, else here and now."""
        if self._session.phase is not Phase.THINKING:
            return
        ended, used_up = self._ended, self.room <= 0
        self._commit()
        if ended is not None:
            self._session = replace(ended, side=self._session.side)
        else:
            self._session = self._forcing.cut(self._session) if used_up else self._forcing.close(self._session)

    def answer(self) -> Asks[str]:
        """Asks for the answer. Returns it. The last thing that a recipe does."""
        self.end()
        while (request := self._forcing.request(self._session)) is not None:
            reply = yield request
            self._session = self._forcing.advance(self._session, reply)
        spans = (span for span in self._session.spans if span.phase is Phase.ANSWERING and not span.forced)
        return self._decode(tuple(token for span in spans for token in span.tokens))

    def sample_thinking(self, **sampling: object) -> None:
        """Sampling options for the thinking from here on, over those of the run."""
        self._sampling |= sampling

    # How.

    def _next_request(self) -> Request:
        request = self._forcing.request(self._session)
        assert request is not None
        spent = _spent(self._round)
        return replace(
            request,
            prefix=request.prefix + _joined(self._round).tokens,
            max_tokens=request.max_tokens - spent,
            min_tokens=0 if spent else request.min_tokens,
            sampling=tuple(sorted(self._sampling.items())),
        )

    def _draw(self, asked: Request) -> Asks[Reply]:
        """What was drawn ahead, else what the engine says."""
        if self._ahead is None:
            return (yield asked)
        ahead, self._ahead = self._ahead, None
        if len(ahead.tokens) <= asked.max_tokens:
            return ahead
        self._ahead = replace(ahead, tokens=ahead.tokens[asked.max_tokens :])
        return Reply(ahead.tokens[: asked.max_tokens], Finish.LENGTH)

    def _stop(self) -> None:
        """The model stopped: a wait, as the budget says, or the end of thinking."""
        told = self._forcing.advance(self._session, _joined(self._round))
        if told.phase is Phase.THINKING:
            self._session, self._round = told, ()
        else:
            self._ended = told

    def _commit(self) -> None:
        """What came of the round is part of the session now; what was drawn ahead is thrown away."""
        dropped = sum(reply.dropped for reply in self._round)
        session = self.snapshot()
        self._session = replace(session, dropped_tokens=session.dropped_tokens + dropped)
        self._round, self._ended = (), None
        if self._ahead is not None:
            self.wasted += len(self._ahead.tokens)
            self._ahead = None

    def _written(self) -> Tokens:
        spans = (span.tokens for span in self.snapshot().spans if span.phase is Phase.THINKING)
        return tuple(token for tokens in spans for token in tokens)

    def _written_since(self, begun: int, before: int, texts: list[str]) -> bool:
        """Whether one of the texts stands in the thinking from token `begun` on; what is behind it is drawn ahead."""
        written = self._written()
        for end in range(before + 1, len(written) + 1):
            tail = self._decode(written[max(begun, end - 24) : end])
            if any(text in tail for text in texts):
                self._take_back(len(written) - end)
                return True
        return False

    def _take_back(self, count: int) -> None:
        """Moves the last tokens of the round, and its end, to what was drawn ahead."""
        if not count and self._ended is None:
            return
        whole = _joined(self._round)
        count = min(count, len(whole.tokens))
        kept, ahead = whole.tokens[: len(whole.tokens) - count], whole.tokens[len(whole.tokens) - count :]
        self._round = (replace(whole, tokens=kept, finish=Finish.LENGTH),)
        self._ahead, self._ended = Reply(ahead, whole.finish), None


class _Run:
    """A recipe under way: its pen, its generator, and what it asks now (None: done)."""

    def __init__(self, policy: Recipe, prompt: Tokens) -> None:
        self._policy = policy
        self.pen = Pen(policy.forcing, prompt, policy.encode, policy.decode)
        self._steps = policy.recipe(self.pen, policy.options)
        self.request: Request | None = None
        self._go(None)

    def tell(self, reply: Reply) -> None:
        self._go(reply)

    def _go(self, reply: Reply | None) -> None:
        name = self._policy.name
        try:
            self.request = next(self._steps) if reply is None else self._steps.send(reply)
        except StopIteration:
            self.request = None
            if self.pen.snapshot().phase is not Phase.DONE:
                raise PolicyError(
                    f"policy={name} ended without an answer: a recipe's last step is `yield from pen.answer()`"
                ) from None
            return
        except S1Error as error:
            raise type(error)(f"policy={name}: {error}") from error
        except Exception as error:  # whatever a recipe of another package raises
            raise PolicyError(f"policy={name} raised {type(error).__name__}: {error}") from error
        self._check(self.request)

    def _check(self, request: Request) -> None:
        window, now = self._policy.forcing.context_window, self.pen.snapshot()
        if not isinstance(request, Request):
            raise PolicyError(
                f"policy={self._policy.name} yielded {request!r}: use `yield from` with the pen's methods"
            )
        if request.max_tokens < 1 or len(request.prefix) + request.max_tokens > window:
            raise PolicyError(
                f"policy={self._policy.name} asked for {request.max_tokens} tokens behind {len(request.prefix)}, in a "
                f"context of {window}"
            )
        if now.thinking_tokens > now.thinking_limit:
            raise PolicyError(
                f"policy={self._policy.name} has {now.thinking_tokens} thinking tokens where {now.thinking_limit} are "
                f"allowed"
            )


class _Live:
    """A run that waits for its next reply; whoever advances the session first takes it."""

    __slots__ = ("_run",)

    def __init__(self, run: _Run) -> None:
        self._run: _Run | None = run

    def take(self) -> _Run | None:
        run, self._run = self._run, None
        return run


@dataclass(frozen=True, slots=True)
class _State:
    """What a session of a recipe keeps. tape: (the tape before, the last reply), None at the beginning."""

    request: Request | None
    tape: tuple[Any, Reply] | None
    live: _Live

    def replies(self) -> list[Reply]:
        """All replies, the first one first."""
        found, tape = [], self.tape
        while tape is not None:
            tape, reply = tape
            found.append(reply)
        return found[::-1]


@dataclass(frozen=True, slots=True)
class Recipe(Policy):
    """A recipe as a policy. options: of the recipe's own dataclass. forcing: what a budget means, and how it is marked.

    encode, decode: between text and token ids. A recipe that breaks a rule raises PolicyError with the policy's name.
    """

    name: str
    recipe: Callable[[Pen, Any], Asks[None]]
    options: Any
    forcing: BudgetForcing
    encode: Callable[[str], Tokens]
    decode: Callable[[Tokens], str]

    def begin(self, prompt: Tokens) -> Session:
        """A session for this prompt (token ids). Raises BudgetError when the context leaves no room."""
        run = _Run(self, prompt)
        return replace(run.pen.snapshot(), state=_State(run.request, None, _Live(run)))

    def request(self, session: Session) -> Request | None:
        """What to ask next, or None when the session is done."""
        return _state_of(session).request

    def advance(self, session: Session, reply: Reply) -> Session:
        """The session after this reply."""
        state = _state_of(session)
        run = state.live.take() or self._replay(session.prompt, state)
        wasted = run.pen.wasted
        run.tell(reply)
        return replace(
            run.pen.snapshot(),
            replies=session.replies + 1,
            wasted_tokens=session.wasted_tokens + run.pen.wasted - wasted,
            state=_State(run.request, (state.tape, reply), _Live(run)),
        )

    def _replay(self, prompt: Tokens, state: _State) -> _Run:
        run = _Run(self, prompt)
        for reply in state.replies():
            run.tell(reply)
        return run


def _state_of(session: Session) -> _State:
    if not isinstance(session.state, _State):
        raise ValueError("this session was not begun by a recipe")
    return session.state


def _joined(replies: tuple[Reply, ...]) -> Reply:
    """One reply for several of one round."""
    if len(replies) == 1:
        return replies[0]
    tokens = tuple(token for reply in replies for token in reply.tokens)
    finish = replies[-1].finish if replies else Finish.LENGTH
    return Reply(tokens, finish, sum(reply.dropped for reply in replies))


def _spent(replies: tuple[Reply, ...]) -> int:
    return sum(len(reply.tokens) + reply.dropped for reply in replies)
