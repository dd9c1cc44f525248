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
     ├─ BudgetError   an impossible budget: no room, negative, larger than the context   (s1_models.forcing)
     ├─ FormatError   the model cannot write thinking in the chosen format               (s1_models.formats)
     ├─ OptionError   an unknown or malformed option                                     (s1_models.options)
     ├─ EngineError   the engine died or broke its contract                              (s1_models.driver)
     ├─ MemoError     a memo that is not ours, damaged or unreadable                     (s1_models.memo.store)
     ├─ OutputError   results that could not be written                                  (s1_models.harness.evaluation)
     └─ DataError     rows or files that cannot be found, reached or read                (here)
         └─ ReportError   logs or records that say nothing, or cannot be compared        (s1_report.record)
    """

    key: Hashable | None = None
    mend: Mend | None = None

    def mended_by(self, how: Literal["rename", "set", "move", "drop"], name: str, to: Any = None) -> Self:
        """The error, with the change that removes it."""
        self.mend = Mend(how, name, to)
        return self


class DataError(S1Error, ValueError):
    """Rows or files that cannot be found, reached or read; the message names the place."""
