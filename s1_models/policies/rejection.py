"""Rejection sampling: thinking is drawn again until it ends by itself within the budget (s1, section 5.3 and figure 6).

| phase | reply | when | append (forced) | next |
| --- | --- | --- | --- | --- |
| THINKING | STOP | always | close | ANSWERING |
| THINKING | LENGTH | tries left | nothing; the try is forgotten | THINKING |
| THINKING | LENGTH | no tries left | as in budget forcing: newline if needed + cut_off; or an error | ANSWERING |
| ANSWERING | any | always | nothing | DONE |

A second policy beside `forcing`, whose table it leaves to it for everything but a try that is too long. The original
code never ends where no try can fit; here tries are bounded, and a question whose last try is cut off is counted as
`cut_off` like any other. A question's tries follow one another and stop at the first that fits, so the accepted one is
drawn from the model's thinking under the condition that it fits, and other questions have no part in it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from s1_contract.options import MIN_THINKING_TOKENS, NUM_WAITS, REJECTION_FALLBACK, REJECTION_TRIES
from s1_models.forcing import BudgetError, BudgetForcing, Finish, Phase, Policy, Reply, Request, Session, Tokens

DEFAULT_TRIES = 100
FALLBACKS = ("cut_off", "error")


@dataclass(frozen=True, slots=True)
class Rejection:
    """How thinking is rejected; validated on construction (raises BudgetError).

    tries: thinkings drawn per question at most. fallback: what follows when all were too long: "cut_off" ends the last
    one as budget forcing would, "error" raises.
    """

    tries: int = DEFAULT_TRIES
    fallback: Literal["cut_off", "error"] = "cut_off"

    def __post_init__(self) -> None:
        if isinstance(self.tries, bool) or not isinstance(self.tries, int) or self.tries < 1:
            wrong = BudgetError(f"rejection_tries={self.tries!r}: expected a whole number of at least 1")
            raise wrong.mended_by("set", REJECTION_TRIES, DEFAULT_TRIES)
        if self.fallback not in FALLBACKS:
            wrong = BudgetError(f"rejection_fallback={self.fallback!r}: expected one of {', '.join(FALLBACKS)}")
            raise wrong.mended_by("set", REJECTION_FALLBACK, FALLBACKS[0])


@dataclass(frozen=True, slots=True)
class RejectionSampling(Policy):
    """Rejection sampling of the thinking. `forcing`: the policy that opens, closes and cuts it.

    Raises BudgetError for budgets that mean nothing here: no limit to fit into, or waits.
    """

    forcing: BudgetForcing
    rejection: Rejection

    def __post_init__(self) -> None:
        budget = self.forcing.budget
        if not budget.max_thinking_tokens:
            raise BudgetError(
                f"rejection sampling needs max_thinking_tokens as a number of at least 1 (it is "
                f"{'auto' if budget.max_thinking_tokens is None else 0}): it is the length that a try has to fit into"
            )
        for name in (NUM_WAITS, MIN_THINKING_TOKENS):
            if getattr(budget, name):
                raise BudgetError(
                    f"{name}={getattr(budget, name)} with rejection sampling, which takes the model's thinking as it "
                    f"comes: drop one of the two"
                )

    def begin(self, prompt: Tokens) -> Session:
        """A session for this prompt (token ids). Raises BudgetError when the context leaves no room."""
        return self.forcing.begin(prompt)

    def request(self, session: Session) -> Request | None:
        """What to ask next: the same thinking again after a rejected try. The driver gives each its own seed."""
        return self.forcing.request(session)

    def advance(self, session: Session, reply: Reply) -> Session:
        """The session after this reply: one row of the table."""
        if session.phase is not Phase.THINKING:
            return self.forcing.advance(session, reply)
        tried = replace(session, tries=session.tries + 1)
        if reply.finish is Finish.STOP:
            return self.forcing.advance(tried, reply)
        if tried.tries < self.rejection.tries:
            return replace(
                tried,
                rejected_tokens=session.rejected_tokens + len(reply.tokens),
                dropped_tokens=session.dropped_tokens + reply.dropped,
                replies=session.replies + 1,
            )
        if self.rejection.fallback == "error":
            raise BudgetError(
                f"none of {tried.tries} tries ended within max_thinking_tokens={session.thinking_limit}: raise it or "
                f"rejection_tries, or take the last try cut off with rejection_fallback=cut_off"
            )
        return self.forcing.advance(tried, reply)
