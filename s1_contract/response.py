"""A response as text that carries its own accounting and says where its answer begins."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from s1_contract.usage import Usage


class Response(str):
    """The full text of a response, delimiters included; a `str` in every other way (construct, copy, pickle, join).

    usage: empty for a text of another tool. spans: one mapping per span: phase, forced, text, tokens (ids).
    answer_start: index of the first character of the answer; None when it is not known. branches: what was generated
    beside the text (trial answers): kind, at (tokens of the response before it), spans.
    """

    __slots__ = ("answer_start", "branches", "spans", "usage")
    usage: Usage
    spans: tuple[Mapping[str, Any], ...]
    answer_start: int | None
    branches: tuple[Mapping[str, Any], ...]

    def __new__(
        cls,
        text: object = "",
        usage: Usage | None = None,
        spans: Iterable[Mapping[str, Any]] = (),
        answer_start: int | None = None,
        branches: Iterable[Mapping[str, Any]] = (),
    ) -> Response:
        response = super().__new__(cls, text)
        response.usage = Usage(**(usage or {}))
        response.spans = tuple(spans)
        response.answer_start = answer_start
        response.branches = tuple(branches)
        return response

    @property
    def answer(self) -> str:
        """The text after the thinking; all of it when it is not known where the answer begins."""
        return str(self)[self.answer_start or 0 :]

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (str(self), self.usage, self.spans, self.answer_start, self.branches)
