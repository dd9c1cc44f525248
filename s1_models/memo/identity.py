"""What identifies the tokens of a loaded model, found out once: while it is loaded."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from s1_models.memo.fingerprint import fingerprint_model
from s1_models.memo.store import MemoError


class Identified:
    """Mixin for a model class whose tokens a memo remembers."""

    _identity: dict[str, str] | MemoError = MemoError("nobody has said what identifies this model's tokens: memo=off")

    def model_identity(self) -> dict[str, str]:
        """Everything that changes this model's tokens, by name, as it was when the model was loaded.

        Raises MemoError where that could not be told.
        """
        if isinstance(self._identity, MemoError):
            raise self._identity
        return dict(self._identity)

    def identify(self) -> dict[str, str]:
        """Works the identity out, from the files as they are now. Raises MemoError."""
        raise NotImplementedError(f"{type(self).__name__} does not say what identifies its tokens")

    @contextmanager
    def identified_while_loading(self, *places: object) -> Iterator[None]:
        """Around the loading of the model; afterwards `model_identity` answers.

        places: names or paths that are loaded from. A run that trains into a folder while it is loaded from would
        have its new files' fingerprint on old tokens, so a local one that changes meanwhile identifies nothing.
        """
        before = _fingerprint_local(places)
        yield
        try:
            identity = self.identify()
            if _fingerprint_local(places) != before:
                raise MemoError(
                    f"the files of {' or '.join(map(str, filter(None, places)))} changed while they were loaded, so "
                    f"it cannot be told which ones the model has: load it again, or memo=off"
                )
            self._identity = identity
        except MemoError as error:
            self._identity = error


def _fingerprint_local(places: tuple[object, ...]) -> list[str]:
    local = [place for place in places if isinstance(place, str) and Path(place).expanduser().exists()]
    try:
        return [fingerprint_model(place) for place in local]
    except MemoError:
        return []  # `identify` says why
