"""The errors that users are meant to read: one sentence that says what came, what was expected and what to do."""

from __future__ import annotations

from collections.abc import Hashable


class S1Error(Exception):
    """Something the user can mend; the message says what came, what was expected and what to do.

    key: of the request that failed, where it is known which.

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


class DataError(S1Error, ValueError):
    """Rows or files that cannot be found, reached or read; the message names the place."""
