"""A harness model made of a tokenizer and a memo: it says again what was generated, and generates nothing."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lm_eval.api.model import TemplateLM

from s1_models.driver import EngineError
from s1_models.forcing import Reply, Request, Tokens
from s1_models.formats import NO_THINKING, S1, Detection, detect, parse_format
from s1_models.harness.lm import BudgetForcingLM
from s1_models.options import OptionError


class NothingLeft:
    """An engine that can generate nothing: what reaches it is missing in the memo."""

    def __init__(self, context_window: int) -> None:
        self.context_window = context_window

    def submit(self, key: Hashable, request: Request) -> None:
        raise EngineError(
            f"the memo lacks the {request.phase.value} asked for after {len(request.prefix):,} tokens: this run "
            f"did not generate it (other data, template or settings, or an unfinished run); run it with its engine"
        )

    def poll(self, timeout_seconds: float | None = None) -> Sequence[tuple[Hashable, Reply]]:
        return []

    def partial(self) -> Sequence[tuple[Hashable, Tokens]]:
        return []

    def cancel(self) -> None:
        pass


class TokenizerHost(TemplateLM):  # type: ignore[misc]
    """What a harness model can do with a tokenizer alone. facts: what `get_model_info` wrote."""

    def __init__(self, facts: Mapping[str, Any], tokenizer: Any) -> None:
        super().__init__()
        self.facts = facts
        self.tokenizer = tokenizer

    def tok_encode(self, string: str, add_special_tokens: bool | None = None, **_: Any) -> list[int]:
        special = self.facts["special_tokens"] if add_special_tokens is None else add_special_tokens
        begun = bool(self.tokenizer.bos_token) and string.startswith(self.tokenizer.bos_token)
        return self.tokenizer.encode(string, add_special_tokens=special and not begun)  # type: ignore[no-any-return]

    @property
    def tokenizer_name(self) -> str:
        return str(self.tokenizer.name_or_path).replace("/", "__")

    @property
    def eot_token_id(self) -> int:
        return int(self.tokenizer.eos_token_id)

    def loglikelihood(self, requests: list[Any], disable_tqdm: bool = False) -> list[Any]:
        raise OptionError("a memo holds generated text only, and this task asks for likelihoods: leave it out")

    loglikelihood_rolling = _loglikelihood_tokens = loglikelihood


class StoredLM(BudgetForcingLM, TokenizerHost):
    """A harness model made of a tokenizer and a memo (path)."""

    model_arguments = frozenset({"facts", "tokenizer"})
    memo_is_finished = True
    max_in_flight = 1  # so that the question named in an error is the one that is missing

    def __init__(self, facts: Mapping[str, Any], memo: Path, tokenizer: Any) -> None:
        self.sampling_names = frozenset(facts["sampling_names"])
        super().__init__(**{**facts["budget"], "memo": str(memo)}, facts=facts, tokenizer=tokenizer)

    def load(self, facts: Any = None, tokenizer: Any = None, **_: Any) -> None:
        """Takes what the run's engine said of itself for the engine's own word."""
        self.load_host(facts=facts, tokenizer=tokenizer)
        self.engine = NothingLeft(int(facts["context_window"]))
        self.eos_ids = frozenset(facts["eos_ids"])
        self.default_seed = int(facts["default_seed"])
        self.template_thinks = bool(facts["template_thinks"])
        self.chat_template_args = dict(facts.get("chat_template_args") or {})
        self.add_bos_token = facts.get("add_bos_token")
        # Version 0.1.0 did not say what it detected: every ChatML model was s1 then, and its memo says so.
        if (form := parse_format(facts.get("detected_format"))) is not None:
            self._detection = Detection(form, "the run says so")
        else:
            found = detect(tokenizer)
            formerly = next((one for one in found.candidates if one is S1), found.form)
            self._detection = Detection(formerly if found.form == NO_THINKING else found.form, "as in version 0.1.0")

    def model_identity(self) -> dict[str, str]:
        """The run's, not one worked out anew."""
        return dict(self.facts["identity"])

    def get_model_info(self) -> dict[str, Any]:
        """The run's, so that a replay can be replayed."""
        return {"s1": dict(self.facts)}
