"""How each model family writes thinking, and the way from those texts to token ids.

Inference forces the delimiters, and training renders them, from here; the contract spells them (`s1_contract.thinking`).

| name | thinking starts | thinking ends | what the model stops with |
| --- | --- | --- | --- |
| s1 | `<|im_start|>think` | `<|im_start|>answer` | `<|im_start|>` or `<|im_end|>` |
| think | `<think>` | `</think>` | `</think>` |
| harmony | `<|channel|>analysis<|message|>` | `<|end|><|start|>assistant<|channel|>final<|message|>` | `<|end|>`, `<|return|>` or `<|call|>` |
| prompted | `<thinking>` | `</thinking>` | `</thinking>` |

s1 (s1-32B and what is trained on s1K), think (DeepSeek-R1 and its distillations, QwQ, Qwen3, ...), harmony (gpt-oss).
prompted is for instruction models that were never tuned to think: the question gets an instruction and the delimiters
are plain text. s1's delimiters carry no newline: the model writes it (s1 code, `thinking_start`, `thinking_end`).

An end that is one added token of the vocabulary stops the engine by its id. Any other end is several ordinary tokens,
which may merge with their neighbours in many ways: it is looked for in the text (`s1_models.policies.stop_texts`).
"""  # noqa: E501  (the table's rows are one line each)

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from s1_contract import thinking
from s1_contract.options import THINKING_FORMAT
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

    stops: texts with which the model ends its thinking. answer_stops: those that end its answer, beside the model's
    end-of-text ids. after_end: what the model writes between the end and its answer, put before "Final Answer:".
    instruction: put after the question, for models that would not think otherwise.
    """

    name: str
    start: str
    end: str
    stops: tuple[str, ...]
    answer_stops: tuple[str, ...] = ()
    after_end: str = "\n"
    instruction: str = ""

    @property
    def closing(self) -> str:
        """The end, without the request that s1's `thinking_end` may put behind it ("Final Answer:")."""
        return next((known.end for known in thinking.FAMILIES if self.end.startswith(known.end)), self.end)


class Opening(Enum):
    """What a prompt has done about thinking already: nothing, opened it, or opened and closed it."""

    NONE = "none"
    OPENED = "opened"
    CLOSED = "closed"


S1 = Format("s1", *thinking.S1, stops=("<|im_start|>", "<|im_end|>"), answer_stops=("<|im_end|>",))
THINK = Format("think", *thinking.THINK, stops=(thinking.THINK.end,), after_end="\n\n")
HARMONY = Format(
    "harmony",
    *thinking.HARMONY,
    ("<|end|>", "<|return|>", "<|call|>"),
    ("<|return|>", "<|end|>"),
    after_end="",
)
PROMPTED = Format(
    "prompted",
    *thinking.PROMPTED,
    stops=(thinking.PROMPTED.end,),
    instruction="Think step by step between {0} and {1}, and give the final answer after {1}.".format(
        *thinking.PROMPTED
    ),
)
# Nothing is opened, forced or counted as thinking: the baseline, and models that do not think.
NO_THINKING = Format("none", "", "", ())
FORMATS = {known.name: known for known in (S1, THINK, HARMONY, PROMPTED)}
_CHOICES = ("auto", *FORMATS, NO_THINKING.name)


def parse_format(value: object) -> Format | None:
    """The format named by the `thinking_format` option; None means "auto".

    value: "auto", a known name, "START...END" (for instance "<think>...</think>"), or a mapping with `start`,
    `end` and, when the model stops with something else than the end, `stops`. Raises FormatError.
    """
    expected = f"expected {', '.join(_CHOICES)}, START...END, or a mapping with start and end"
    if isinstance(value, Format):
        return value
    if isinstance(value, Mapping):
        unknown = set(value) - {"start", "end", "stops"}
        start, end, stops = value.get("start"), value.get("end"), value.get("stops", ())
        stops = (stops,) if isinstance(stops, str) else stops
        if unknown or not (isinstance(start, str) and isinstance(end, str) and end and _are_texts(stops)):
            raise FormatError(f"thinking_format={dict(value)!r}: {expected}")
        return custom(start, end, stops)
    if value in (None, "auto"):
        return None
    if isinstance(value, str):
        if value in FORMATS:
            return FORMATS[value]
        if value == NO_THINKING.name:
            return NO_THINKING
        start, dots, end = value.partition("...")
        if dots and end:
            return custom(start, end)
    raise FormatError(f"thinking_format={value!r}: {expected}")


def _are_texts(values: object) -> bool:
    return isinstance(values, (list, tuple)) and all(isinstance(value, str) and value for value in values)


def custom(start: str, end: str, stops: Iterable[str] = ()) -> Format:
    """A format spelt out by the user. The end always stops the thinking, unless a stop comes within it anyway."""
    chosen = tuple(dict.fromkeys(stops))
    return Format("custom", start, end, chosen if any(stop in end for stop in chosen) else (*chosen, end))


def detect_format(tokenizer: Tokenizer) -> Format:
    """The format a tokenizer is made for, by its chat template and vocabulary. Raises FormatError when none fits.

    A checkpoint may say it itself: "thinking_format" in its tokenizer_config.json, as in the option of that name.
    Harmony and think tags come before s1, whose `<|im_start|>` many families know. A vocabulary may hold think tags
    that its model never writes (a line's instruction models share it with the thinking ones), so a chat template that
    does not write them is believed.
    """
    if (declared := _declared_format(tokenizer)) is not None:
        return declared
    if all(_is_one_token(tokenizer, token) for token in ("<|channel|>", "<|message|>", "<|start|>", "<|end|>")):
        return HARMONY
    template = _chat_template(tokenizer)
    written = THINK.start in template or THINK.end in template
    known = all(_is_one_token(tokenizer, tag) for tag in (THINK.start, THINK.end))
    if written or (known and not template):
        return THINK
    if known:
        raise FormatError(
            f"thinking_format=auto: this model's vocabulary has {THINK.start} and {THINK.end}, but its chat template "
            f"never writes them, as in models that answer without thinking: say which it is with thinking_format= one "
            f"of {_listed()}"
        )
    if all(_is_one_token(tokenizer, stop) for stop in S1.stops):
        return S1
    raise FormatError(
        "thinking_format=auto found no way of thinking in this model's chat template and vocabulary: use a model tuned "
        f"to think, or say how it thinks with thinking_format= one of {_listed()}"
    )


def _declared_format(tokenizer: Tokenizer) -> Format | None:
    # transformers keeps the keys of tokenizer_config.json that it does not know.
    try:
        return parse_format(getattr(tokenizer, "init_kwargs", {}).get(THINKING_FORMAT))
    except FormatError as error:
        raise FormatError(f"this model's tokenizer_config.json says {error}") from None


def _listed() -> str:
    known = (f"{form.name} ({form.start} ... {form.end})" for form in FORMATS.values())
    return f"{', '.join(known)}, none (no thinking), or START...END"


def opening_of(form: Format, prompt: str) -> Opening:
    """What the prompt's text, chat template included, has done about thinking.

    DeepSeek-R1's template ends in "<think>\\n"; Qwen3's with enable_thinking=False in an empty pair of tags.
    """
    ending = prompt.rstrip()
    if form.end and ending.endswith(form.end.strip()):
        return Opening.CLOSED
    return Opening.OPENED if form.start and ending.endswith(form.start.strip()) else Opening.NONE


def encode(tokenizer: Tokenizer, text: str) -> Tokens:
    """Token ids of a text alone, without BOS or other special additions."""
    return tuple(tokenizer.encode(text, add_special_tokens=False)) if text else ()


def mark(tokenizer: Tokenizer, form: Format, budget: Budget, eos_ids: frozenset[int]) -> Marks:
    """The format and the budget's texts as token ids. eos_ids end thinking and answer alike."""
    close = encode(tokenizer, form.end)
    request = budget.final_answer_text
    asked = form.end if not request or form.end.endswith(request) else form.end + form.after_end + request
    return Marks(
        open=encode(tokenizer, form.start),
        close=close,
        cut_off=encode(tokenizer, asked),
        wait=encode(tokenizer, budget.wait_text),
        newline=encode(tokenizer, "\n"),
        ends=stop_ids(tokenizer, form.stops) | eos_ids,
        answer_ends=stop_ids(tokenizer, form.answer_stops) | eos_ids,
        line_ends=_line_ends(tokenizer),
    )


def stop_ids(tokenizer: Tokenizer, stops: Iterable[str]) -> frozenset[int]:
    """The ids of those stops that are one token."""
    return frozenset(encode(tokenizer, stop)[0] for stop in stops if _is_one_token(tokenizer, stop))


def stop_texts(tokenizer: Tokenizer, stops: Iterable[str]) -> tuple[str, ...]:
    """Those stops that no single id stands for: they have to be looked for in the text.

    Only an added token is never split or merged; a word of the vocabulary ("####") is.
    """
    added = {*getattr(tokenizer, "get_added_vocab", dict)(), *getattr(tokenizer, "all_special_tokens", ())}
    return tuple(stop for stop in stops if stop not in added or not _is_one_token(tokenizer, stop))


def _is_one_token(tokenizer: Tokenizer, text: str) -> bool:
    """Whether the text is a token of its own, not one that stands for everything unknown."""
    pieces = encode(tokenizer, text)
    return len(pieces) == 1 and tokenizer.decode(list(pieces), skip_special_tokens=False).strip() == text.strip()


def _chat_template(tokenizer: Tokenizer) -> str:
    template = getattr(tokenizer, "chat_template", None) or ""
    return "\n".join(map(str, template.values())) if isinstance(template, Mapping) else str(template)


def _line_ends(tokenizer: Tokenizer) -> frozenset[int]:
    """Ids of tokens whose text ends in a newline.

    Only pieces that can (byte-level BPE writes a newline as 'Ċ', SentencePiece as '<0x0A>') are decoded: a
    vocabulary has 150,000.
    """
    candidates = [i for piece, i in tokenizer.get_vocab().items() if piece.endswith(("Ċ", "\n", "<0x0A>"))]
    return frozenset(i for i in candidates if tokenizer.decode([i], skip_special_tokens=False).endswith("\n"))
