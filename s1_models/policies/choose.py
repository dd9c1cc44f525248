"""Which policy a question gets: from its settings, the model's format, and what its prompt has done already."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace

from s1_contract.options import (
    MAX_THINKING_TOKENS,
    MIN_THINKING_TOKENS,
    NUM_WAITS,
    POLICY,
    REJECTION_TRIES,
    WAIT_TEXT,
)
from s1_models.forcing import Budget, BudgetForcing, Marks, Policy, Tokens
from s1_models.formats import (
    NO_THINKING,
    Format,
    Opening,
    Tokenizer,
    encode,
    how_to_force,
    mark,
    stop_ids,
    stop_texts,
    with_answer_prefix,
)
from s1_models.options import OptionError, Settings
from s1_models.policies.methods import DEFAULT, methods
from s1_models.policies.plain import PlainAnswer
from s1_models.policies.recipe import Recipe
from s1_models.policies.rejection import RejectionSampling
from s1_models.policies.stop_texts import CHUNK_TOKENS, StopAtTexts

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Policies:
    """The policies of one model: made when first needed, then shared by all questions with the same settings.

    eos_ids: the model's end-of-text ids. context_window: tokens. off_by: the setting that switches thinking off in the
    chat template. why_none: why no thinking was found, where none was.
    """

    tokenizer: Tokenizer
    eos_ids: frozenset[int]
    context_window: int
    off_by: str = "enable_thinking=False"
    why_none: str = ""
    _made: dict[object, Policy] = field(init=False, default_factory=dict, repr=False)
    _marked: dict[tuple[Budget, Format], Marks] = field(init=False, default_factory=dict, repr=False)

    def policy(self, settings: Settings, form: Format, opening: Opening, answer_prefix: str = "") -> Policy:
        """The policy for a question. form: the settings' own, or the detected one. opening: by its prompt.

        answer_prefix: what the answer begins with. Raises OptionError where a budget is asked for and there is no
        thinking to control.
        """
        how = (settings.budget, settings.rejection, settings.policy, settings.policy_options)
        key = (*how, settings.plain_answer_tokens, form, opening, answer_prefix)
        if key not in self._made:
            self._made[key] = self._make(settings, form, opening, answer_prefix)
        return self._made[key]

    def _make(self, settings: Settings, form: Format, opening: Opening, answer_prefix: str) -> Policy:
        if form == NO_THINKING or opening is Opening.CLOSED:
            self._refuse_budgets(settings, opening)
            ends = stop_ids(self.tokenizer, form.answer_stops) | self.eos_ids
            return self._watch(PlainAnswer(settings.plain_answer_tokens, ends, self.context_window), form, settings)
        marks = self._marks(settings.budget, form)
        if answer_prefix:
            marks = with_answer_prefix(self.tokenizer, marks, form, answer_prefix)
        if opening is Opening.OPENED:
            marks = replace(marks, open=())
        forcing = BudgetForcing(settings.budget, marks, self.context_window)
        return self._watch(self._spend(forcing, settings), form, settings)

    def _spend(self, forcing: BudgetForcing, settings: Settings) -> Policy:
        """How thinking tokens are spent within the budget."""
        if settings.rejection:
            return RejectionSampling(forcing, settings.rejection)
        if settings.policy == DEFAULT:
            return forcing
        recipe = methods()[settings.policy].recipe
        return Recipe(settings.policy, recipe, settings.policy_options, forcing, self._encode, self._decode)

    def _encode(self, text: str) -> Tokens:
        return encode(self.tokenizer, text)

    def _decode(self, tokens: Tokens) -> str:
        return self.tokenizer.decode(list(tokens), skip_special_tokens=False)

    def _marks(self, budget: Budget, form: Format) -> Marks:
        """Made once for all questions: a vocabulary is looked through for them."""
        if (budget, form) not in self._marked:
            self._marked[budget, form] = mark(self.tokenizer, form, budget, self.eos_ids)
        return self._marked[budget, form]

    def _refuse_budgets(self, settings: Settings, opening: Opening) -> None:
        """Raises OptionError for a budget that could have no effect: its numbers would be labelled wrongly."""
        budget = settings.budget
        asked = {
            NUM_WAITS: budget.num_waits,
            MIN_THINKING_TOKENS: budget.min_thinking_tokens,
            MAX_THINKING_TOKENS: budget.max_thinking_tokens,
            REJECTION_TRIES: settings.rejection and settings.rejection.tries,
            POLICY: settings.policy if settings.policy != DEFAULT else "",
        }
        name, value = next(((name, value) for name, value in asked.items() if value), ("", 0))
        if not name:
            return
        if opening is Opening.CLOSED:
            why = f"the chat template has closed the thinking already ({self.off_by}?); drop the one or the other"
        elif settings.form is None and self.why_none:
            why = (
                f"no sign was found that this model thinks ({self.why_none}): leave {name} out, or force a format with "
                f"thinking_format= one of {how_to_force()}"
            )
        else:
            why = "with thinking_format=none nothing is thinking; drop the one or the other"
        raise OptionError(f"{name}={value} can have no effect: {why}").mended_by("drop", name)

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
            ).mended_by("set", WAIT_TEXT, "Wait")

        logger.info(
            "%s is no single token of this vocabulary: it is looked for in the text, %d tokens at a time",
            " or ".join(map(repr, dict.fromkeys((*thinking, *answer)))),
            CHUNK_TOKENS,
        )

        return StopAtTexts(policy, thinking, answer, self._decode, self._encode)
