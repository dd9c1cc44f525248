"""How each model family writes thinking, and the way from those texts to token ids.

This is the one place where delimiters are spelt: inference forces them and training renders them from here.

| name | thinking starts | thinking ends | what the model stops with |
| --- | --- | --- | --- |
| s1 | `<|im_start|>think` | `<|im_start|>answer` | `<|im_start|>` or `<|im_end|>` |
| think | `<think>` | `</think>` | `</think>` |

s1's delimiters carry no newline: the model writes it (s1 code, `thinking_start`, `thinking_end`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from s1_models.forcing import Budget, Marks, S1Error, Tokens


class FormatError(S1Error, ValueError):
    """The tokenizer cannot write thinking in the chosen format."""


class Tokenizer(Protocol):
    """What this module needs of a transformers tokenizer."""

    def encode(self, text: str, *, add_special_tokens: bool) -> list[int]: ...
    def decode(self, token_ids: list[int], *, skip_special_tokens: bool) -> str: ...
    def get_vocab(self) -> dict[str, int]: ...


@dataclass(frozen=True, slots=True)
class Format:
    """How a family writes thinking.

    stops: texts, one token each, with which the model ends its thinking. answer_stops: those that end its answer,
    beside the model's end-of-text ids.
    """

    name: str
    start: str
    end: str
    stops: tuple[str, ...]
    answer_stops: tuple[str, ...] = ()


S1 = Format("s1", "<|im_start|>think", "<|im_start|>answer", ("<|im_start|>", "<|im_end|>"), ("<|im_end|>",))
THINK = Format("think", "<think>", "</think>", ("</think>",))
FORMATS = {known.name: known for known in (S1, THINK)}


def parse_format(value: object) -> Format | None:
    """The format named by the `thinking_format` option; None means "auto".

    value: "auto", a known name, "START...END" (for instance "<think>...</think>"), or a mapping with `start`,
    `end` and, when the model stops with something else than the end's first token, `stops`. Raises FormatError.
    """
    expected = f"expected auto, {', '.join(FORMATS)}, START...END, or a mapping with start and end"
    if isinstance(value, Format):
        return value
    if isinstance(value, Mapping):
        unknown = set(value) - {"start", "end", "stops"}
        start, end, stops = value.get("start"), value.get("end"), value.get("stops", ())
        if unknown or not (isinstance(start, str) and isinstance(end, str) and end):
            raise FormatError(f"thinking_format={dict(value)!r}: {expected}")
        return Format("custom", start, end, (stops,) if isinstance(stops, str) else tuple(stops))
    if value in (None, "auto"):
        return None
    if isinstance(value, str):
        if value in FORMATS:
            return FORMATS[value]
        start, dots, end = value.partition("...")
        if dots and end:
            return Format("custom", start, end, ())
    raise FormatError(f"thinking_format={value!r}: {expected}")


def detect_format(tokenizer: Tokenizer) -> Format:
    """The format whose delimiters this tokenizer knows as single tokens. Raises FormatError when none fits.

    Think tags come first: families that have them (Qwen3, QwQ, DeepSeek-R1) may know `<|im_start|>` as well.
    """
    if all(_is_one_token(tokenizer, tag) for tag in (THINK.start, THINK.end)):
        return THINK
    if all(_is_one_token(tokenizer, stop) for stop in S1.stops):
        return S1
    raise FormatError(
        "thinking_format=auto found neither <think>, </think> nor <|im_start|>, <|im_end|> as single tokens in this "
        "model's vocabulary: use a model tuned to think, or spell its delimiters out with thinking_format=START...END"
    )


def encode(tokenizer: Tokenizer, text: str) -> Tokens:
    """Token ids of a text alone, without BOS or other special additions."""
    return tuple(tokenizer.encode(text, add_special_tokens=False)) if text else ()


def mark(tokenizer: Tokenizer, form: Format, budget: Budget, eos_ids: frozenset[int]) -> Marks:
    """The format and the budget's texts as token ids. eos_ids end thinking and answer alike. Raises FormatError."""
    close = encode(tokenizer, form.end)
    answer_request = f"\n{budget.final_answer_text}" if budget.final_answer_text else ""
    return Marks(
        open=encode(tokenizer, form.start),
        close=close,
        cut_off=encode(tokenizer, form.end + answer_request),
        wait=encode(tokenizer, budget.wait_text),
        newline=encode(tokenizer, "\n"),
        ends=_stop_ids(tokenizer, form, form.stops or (form.end,)) | eos_ids,
        answer_ends=_stop_ids(tokenizer, form, form.answer_stops) | eos_ids,
        line_ends=_line_ends(tokenizer),
    )


def _stop_ids(tokenizer: Tokenizer, form: Format, stops: tuple[str, ...]) -> frozenset[int]:
    """The ids of texts that must be one token each."""
    ids = set()
    for stop in stops:
        pieces = encode(tokenizer, stop)
        if not _is_one_token(tokenizer, stop):
            raise FormatError(
                f"this model's tokenizer has no token for {stop!r} (it takes {len(pieces)}), but thinking can only "
                f"be stopped at one (thinking_format {form.name!r}: {form.start!r} ... {form.end!r}): choose a format "
                f"whose end this vocabulary knows, name the token with stops, or use a model tuned to think"
            )
        ids.add(pieces[0])
    return frozenset(ids)


def _is_one_token(tokenizer: Tokenizer, text: str) -> bool:
    """Whether the text is a token of its own, not one that stands for everything unknown."""
    pieces = encode(tokenizer, text)
    return len(pieces) == 1 and tokenizer.decode(list(pieces), skip_special_tokens=False).strip() == text.strip()


def _line_ends(tokenizer: Tokenizer) -> frozenset[int]:
    """Ids of tokens whose text ends in a newline.

    Only pieces that can (byte-level BPE writes a newline as 'Ċ', SentencePiece as '<0x0A>') are decoded: a
    vocabulary has 150,000.
    """
    candidates = [i for piece, i in tokenizer.get_vocab().items() if piece.endswith(("Ċ", "\n", "<0x0A>"))]
    return frozenset(i for i in candidates if tokenizer.decode([i], skip_special_tokens=False).endswith("\n"))
