"""The errors that users are meant to read: one sentence that says what came, what was expected and what to do."""

from __future__ import annotations

from collections.abc import Hashable


class S1Error(Exception):
    """Something the user can mend. Every package's own errors derive from it.

    key: of the request that failed, where it is known which.
    """

    key: Hashable | None = None


class DataError(S1Error, ValueError):
    """Rows or files that cannot be found, reached or read; the message names the place."""
