"""Which policy a question gets: from its settings, the model's format, and what its prompt has done already."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace

from s1_contract.options import MAX_THINKING_TOKENS, MIN_THINKING_TOKENS, NUM_WAITS, REJECTION_TRIES
from s1_models.forcing import BudgetForcing, Policy
from s1_models.formats import NO_THINKING, Format, Opening, Tokenizer, encode, mark, opening_of, stop_ids, stop_texts
from s1_models.options import OptionError, Settings
from s1_models.policies.plain import PlainAnswer
from s1_models.policies.rejection import RejectionSampling
from s1_models.policies.stop_texts import CHUNK_TOKENS, StopAtTexts

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Policies:
    """The policies of one model: made when first needed, then shared by all questions with the same settings.

    eos_ids: the model's end-of-text ids. context_window: tokens.
    """

    tokenizer: Tokenizer
    eos_ids: frozenset[int]
    context_window: int
    _made: dict[object, Policy] = field(init=False, default_factory=dict, repr=False)

    def policy(self, settings: Settings, form: Format, prompt: str) -> Policy:
        """The policy for a question. form: the settings' own, or the detected one. prompt: text as it is sent.

        Raises OptionError where a budget is asked for and there is no thinking to control.
        """
        opening = opening_of(form, prompt)
        key = (settings.budget, settings.rejection, settings.plain_answer_tokens, form, opening)
        if key not in self._made:
            self._made[key] = self._make(settings, form, opening)
        return self._made[key]

    def _make(self, settings: Settings, form: Format, opening: Opening) -> Policy:
        if form == NO_THINKING or opening is Opening.CLOSED:
            _refuse_budgets(settings, opening)
            ends = stop_ids(self.tokenizer, form.answer_stops) | self.eos_ids
            return self._watch(PlainAnswer(settings.plain_answer_tokens, ends, self.context_window), form, settings)
        marks = mark(self.tokenizer, form, settings.budget, self.eos_ids)
        if opening is Opening.OPENED:
            marks = replace(marks, open=())
        forcing = BudgetForcing(settings.budget, marks, self.context_window)
        return self._watch(
            RejectionSampling(forcing, settings.rejection) if settings.rejection else forcing, form, settings
        )

    def _watch(self, policy: Policy, form: Format, settings: Settings) -> Policy:
        """The policy with the format's stops that only show in the text."""
        thinking = stop_texts(self.tokenizer, form.stops)
        answer = stop_texts(self.tokenizer, form.answer_stops)
        if not (thinking or answer):
            return policy
        waits = settings.budget.num_waits or settings.budget.min_thinking_tokens
        if thinking and waits and not settings.budget.wait_text:
            raise OptionError(
                f"an empty wait_text cannot suppress {thinking[0]!r}, which is no single token of this model's "
                f"vocabulary: give wait_text=Wait, say"
            )

        logger.info(
            "%s is no single token of this vocabulary: it is looked for in the text, %d tokens at a time",
            " or ".join(map(repr, dict.fromkeys((*thinking, *answer)))),
            CHUNK_TOKENS,
        )

        def decode(tokens: tuple[int, ...]) -> str:
            return self.tokenizer.decode(list(tokens), skip_special_tokens=False)

        return StopAtTexts(policy, thinking, answer, decode, lambda text: encode(self.tokenizer, text))


def _refuse_budgets(settings: Settings, opening: Opening) -> None:
    """Raises OptionError for a budget that could have no effect: its numbers would be labelled wrongly."""
    budget = settings.budget
    asked = {
        NUM_WAITS: budget.num_waits,
        MIN_THINKING_TOKENS: budget.min_thinking_tokens,
        MAX_THINKING_TOKENS: budget.max_thinking_tokens,
        REJECTION_TRIES: settings.rejection and settings.rejection.tries,
    }
    for name, value in asked.items():
        if value:
            why = (
                "the chat template has closed the thinking already (enable_thinking=False?)"
                if opening is Opening.CLOSED
                else "with thinking_format=none nothing is thinking"
            )
            raise OptionError(f"{name}={value} can have no effect: {why}; drop the one or the other")
