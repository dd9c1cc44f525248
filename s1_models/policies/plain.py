"""The policy that forces nothing: the model answers, and no thinking is opened, cut or counted.

For `thinking_format=none` (the baseline without budget forcing, models that do not think) and for prompts whose chat
template has closed the thinking already (Qwen3 with enable_thinking=False).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from s1_models.forcing import BudgetError, Finish, Phase, Policy, Reply, Request, Session, Span, Tokens


@dataclass(frozen=True, slots=True)
class PlainAnswer(Policy):
    """One reply of at most `max_tokens` tokens, less where the context window (tokens) leaves less; ends: stop ids."""

    max_tokens: int
    ends: frozenset[int]
    context_window: int

    def begin(self, prompt: Tokens) -> Session:
        """A session for this prompt (token ids). Raises BudgetError when the context leaves no room."""
        if len(prompt) >= self.context_window:
            raise BudgetError(
                f"prompt has {len(prompt):,} tokens; in a {self.context_window:,}-token context nothing is left for an "
                f"answer: shorten the prompt or raise max_model_len"
            )
        return Session(prompt, (), Phase.ANSWERING, thinking_limit=0, answer_at=0)

    def request(self, session: Session) -> Request | None:
        """What to ask next, or None when the session is done."""
        if session.phase is not Phase.ANSWERING:
            return None
        limit = min(self.max_tokens, self.context_window - len(session.prompt))
        return Request(session.prompt, limit, self.ends, Phase.ANSWERING)

    def advance(self, session: Session, reply: Reply) -> Session:
        """The finished session."""
        if session.phase is not Phase.ANSWERING:
            raise ValueError(f"a session in phase {session.phase.name} takes no reply")
        spans = (Span(reply.tokens, Phase.ANSWERING, forced=False),) if reply.tokens else ()
        return replace(
            session,
            spans=spans,
            phase=Phase.DONE,
            answer_cut_off=reply.finish is Finish.LENGTH,
            dropped_tokens=reply.dropped,
            replies=session.replies + 1,
        )
