"""The errors that users are meant to read: one sentence that says what came, what was expected and what to do."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, Literal, NamedTuple, Self


class Mend(NamedTuple):
    """The one change of a run's options that removes an error.

    how: "rename" an option to `to`, "set" its value to `to`, "move" it to `to` (model_args or gen_kwargs), "drop" it.
    """

    how: Literal["rename", "set", "move", "drop"]
    name: str
    to: Any = None


class S1Error(Exception):
    """Something the user can mend; the message says what came, what was expected and what to do.

    key: of the request that failed, where it is known which. mend: the change that removes it, where one does.

    S1Error
     ├─ BudgetError         an impossible budget: no room, negative, larger than the context  (s1_models.forcing)
     ├─ FormatError         the model cannot write thinking in the chosen format  (s1_models.formats)
     ├─ OptionError         an unknown or malformed option  (s1_models.options)
     ├─ PolicyError         a policy of the user's broke the contract of policies  (s1_models.policies.recipe)
     ├─ PolicyOptionError   an option that a policy does not take  (s1_models.policies.methods)
     ├─ BridgeError         lm_eval did not get our tasks  (s1_models.harness.fail_closed)
     ├─ EngineError         the engine died or broke its contract  (s1_models.driver)
     │   └─ Refused             a server answered that it will not  (s1_models.engines.openai.transport)
     ├─ MemoError           a memo that is not ours, damaged or unreadable  (s1_models.memo.store)
     ├─ OutputError         results that could not be written  (s1_models.harness.written)
     ├─ DataError           rows or files that cannot be found, reached or read  (s1_contract.errors)
     │   ├─ ReportError         logs or records that say nothing  (s1_report.record)
     │   │   └─ NotComparable       runs that answer different questions  (s1_report.compare)
     │   └─ CurationError       a stage of curation that cannot go on  (training.curate.stage)
     ├─ EvaluationError     an evaluation that did not come to its end  (training.sft.evaluate)
     ├─ FamilyError         a model of a family that cannot be fine-tuned here  (training.sft.families)
     ├─ RecipeError         a recipe that cannot be followed  (training.sft.recipes)
     ├─ LossError           a loss that is no number  (training.sft.recipes)
     └─ ArtefactError       files of a training that are not what they should be  (training.sft.recipes)
    """

    key: Hashable | None = None
    mend: Mend | None = None

    def mended_by(self, how: Literal["rename", "set", "move", "drop"], name: str, to: Any = None) -> Self:
        """The error, with the change that removes it."""
        self.mend = Mend(how, name, to)
        return self


class DataError(S1Error, ValueError):
    """Rows or files that cannot be found, reached or read; the message names the place."""
