"""How each model family writes thinking, and the way from those texts to token ids.

Inference forces the delimiters from here and training renders them; `s1_contract.thinking` spells them.

| name | thinking starts | thinking ends | what the model stops with |
| --- | --- | --- | --- |
| s1 | `<|im_start|>think` | `<|im_start|>answer` | `<|im_start|>` or `<|im_end|>` |
| think | `<think>` | `</think>` | `</think>` |
| harmony | `<|channel|>analysis<|message|>` | `<|end|><|start|>assistant<|channel|>final<|message|>` | `<|end|>`, `<|return|>` or `<|call|>` |
| gemma | `<|channel>thought` | `<channel|>` | `<channel|>` |
| mistral | `[THINK]` | `[/THINK]` | `[/THINK]` |
| seed | `<seed:think>` | `</seed:think>` | `</seed:think>` |
| minimax | `<mm:think>` | `</mm:think>` | `</mm:think>` |
| command | `<|START_THINKING|>` | `<|END_THINKING|>` | `<|END_THINKING|>` |
| kimi | `◁think▷` | `◁/think▷` | `◁/think▷` |
| open_thoughts | `<|begin_of_thought|>` | `<|end_of_thought|>` | `<|end_of_thought|>` |
| thought | `<thought>` | `</thought>` | `</thought>` |
| granite | `Here is my thought process:` | `Here is my response:` | `Here is my response:` or `Here's my response:` |
| prompted | `<thinking>` | `</thinking>` | `</thinking>` |

s1: s1-32B and what is trained on s1K. think: DeepSeek-R1 and its distillations, QwQ, Qwen3, GLM, ... harmony: gpt-oss.
gemma: Gemma 4. mistral: Magistral. seed: Seed-OSS. minimax: MiniMax M3. command: Command A Reasoning. kimi:
Kimi-VL-Thinking. open_thoughts: OpenThinker, Sky-T1. thought: EXAONE Deep. granite: Granite 3.2.
prompted is for instruction models that were never tuned to think: the question gets an instruction and the delimiters
are plain text. s1's delimiters carry no newline: the model writes it (s1 code, `thinking_start`, `thinking_end`).

An end that is one added token of the vocabulary stops the engine by its id. Any other end is several ordinary tokens,
which may merge with their neighbours in many ways: it is looked for in the text (`s1_models.policies.stop_texts`).
"""  # noqa: E501  (the table's rows are one line each)

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, Protocol

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


S1 = Format("s1", *thinking.S1, ("<|im_start|>", "<|im_end|>"), ("<|im_end|>",))
THINK = Format("think", *thinking.THINK, (thinking.THINK.end,), after_end="\n\n")
HARMONY = Format(
    "harmony", *thinking.HARMONY, ("<|end|>", "<|return|>", "<|call|>"), ("<|return|>", "<|end|>"), after_end=""
)
GEMMA = Format("gemma", *thinking.GEMMA, (thinking.GEMMA.end,), ("<turn|>",), after_end="")
MISTRAL = Format("mistral", *thinking.MISTRAL, (thinking.MISTRAL.end,), after_end="")
SEED = Format("seed", *thinking.SEED, (thinking.SEED.end,))
MINIMAX = Format("minimax", *thinking.MINIMAX, (thinking.MINIMAX.end,))
COMMAND = Format(
    "command",
    *thinking.COMMAND,
    (thinking.COMMAND.end,),
    (thinking.COMMAND_ANSWER.end, "<|END_OF_TURN_TOKEN|>"),
    after_end=thinking.COMMAND_ANSWER.start,
)
KIMI = Format("kimi", *thinking.KIMI, (thinking.KIMI.end,))
OPEN_THOUGHTS = Format(
    "open_thoughts",
    *thinking.OPEN_THOUGHTS,
    (thinking.OPEN_THOUGHTS.end,),
    (thinking.OPEN_THOUGHTS_ANSWER.end,),
    after_end=f"\n\n{thinking.OPEN_THOUGHTS_ANSWER.start}\n\n",
)
THOUGHT = Format("thought", *thinking.THOUGHT, (thinking.THOUGHT.end,))
GRANITE = Format("granite", *thinking.GRANITE, (thinking.GRANITE.end, "Here's my response:"))
PROMPTED = Format(
    "prompted",
    *thinking.PROMPTED,
    (thinking.PROMPTED.end,),
    instruction="Think step by step between {0} and {1}, and give the final answer after {1}.".format(
        *thinking.PROMPTED
    ),
)
# Nothing is opened, forced or counted as thinking: the baseline, and models that do not think.
NO_THINKING = Format("none", "", "", ())
# Those that a chat template or a vocabulary can show, in the order in which they are looked for. What many families
# share comes last.
_SHOWN = (GEMMA, MISTRAL, SEED, MINIMAX, COMMAND, KIMI, OPEN_THOUGHTS, THOUGHT, GRANITE, THINK, S1)
FORMATS = {known.name: known for known in (S1, THINK, HARMONY, *_SHOWN[:-2], PROMPTED)}
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
        return _spelt_out(value, expected)
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
    choice = (difflib.get_close_matches(str(value).strip().lower(), _CHOICES, n=1, cutoff=0.5) or ("auto",))[0]
    raise FormatError(f"thinking_format={value!r}: {expected}").mended_by("set", THINKING_FORMAT, choice)


def _spelt_out(value: Mapping[str, Any], expected: str) -> Format:
    unknown = set(value) - {"start", "end", "stops"}
    start, end, stops = value.get("start"), value.get("end"), value.get("stops", ())
    stops = (stops,) if isinstance(stops, str) else stops
    if unknown or not (isinstance(start, str) and isinstance(end, str) and end and _are_texts(stops)):
        raise FormatError(f"thinking_format={dict(value)!r}: {expected}").mended_by("set", THINKING_FORMAT, "auto")
    return custom(start, end, stops)


def as_option(form: Format) -> str | dict[str, Any]:
    """The format as the `thinking_format` option, in a file: its name, or what it is made of."""
    if form == NO_THINKING or FORMATS.get(form.name) == form:
        return form.name
    return {"start": form.start, "end": form.end, "stops": list(form.stops)}


def _are_texts(values: object) -> bool:
    return isinstance(values, (list, tuple)) and all(isinstance(value, str) and value for value in values)


def custom(start: str, end: str, stops: Iterable[str] = ()) -> Format:
    """A format spelt out by the user. The end always stops the thinking, unless a stop comes within it anyway."""
    chosen = tuple(dict.fromkeys(stops))
    return Format("custom", start, end, chosen if any(stop in end for stop in chosen) else (*chosen, end))


@dataclass(frozen=True, slots=True)
class Detection:
    """What a tokenizer says about its model's thinking: the format, and why, as part of a sentence.

    candidates: formats that the vocabulary could write and that nothing speaks for; only the model itself can tell.
    """

    form: Format
    why: str
    candidates: tuple[Format, ...] = ()


def detect(tokenizer: Tokenizer, name: str = "") -> Detection:
    """The format that a model is made for, from evidence. name: the model's name or path.

    Evidence is, in this order: "thinking_format" in tokenizer_config.json (as in the option of that name); harmony's
    channel tokens; delimiters that the chat template writes; delimiters in the vocabulary of a model without a
    template; the name of a model that s1 published. Many families share `<|im_start|>`, and instruction models share a
    vocabulary with the thinking models of their line, so these alone are no evidence. Raises FormatError.
    """
    if (declared := _declared_format(tokenizer)) is not None:
        return Detection(declared, "tokenizer_config.json says so")
    if all(_is_one_token(tokenizer, token) for token in ("<|channel|>", "<|message|>", "<|start|>", "<|end|>")):
        return Detection(HARMONY, "its vocabulary has the channel tokens")
    template = template_text(tokenizer)
    shown = next((found for form in _SHOWN if (found := _written_by(template, form))), None)
    known = tuple(form for form in _SHOWN if _can_write(tokenizer, form))
    if shown is not None:
        return shown
    if known and not template and known[0] is not S1:
        return Detection(known[0], f"its vocabulary has {known[0].end}, and there is no chat template to ask")
    published = _published_by_s1(name) or _published_by_s1(getattr(tokenizer, "name_or_path", ""))
    if S1 in known and published:
        return Detection(S1, f"{published} is a model of s1")
    return Detection(
        NO_THINKING,
        "neither tokenizer_config.json nor the chat template nor the name says that this model thinks",
        known,
    )


def _written_by(template: str, form: Format) -> Detection | None:
    """The format, where a chat template writes one of its delimiters."""
    written = next((text for text in (form.start, form.end) if text in template), None)
    return None if written is None else Detection(form, f"its chat template writes {written}")


def detect_format(tokenizer: Tokenizer, name: str = "") -> Format:
    """The format of `detect`, without the reason. Raises FormatError."""
    return detect(tokenizer, name).form


def format_begun_with(candidates: Iterable[Format], text: str) -> Format | None:
    """The candidate whose opening a text begins with; None when it begins with none of them.

    text: what a model wrote by itself. A longer word is no opening ("<|im_start|>thinker").
    """
    begun = text.lstrip()
    for form in candidates:
        if begun.startswith(form.start) and not begun[len(form.start) :][:1].isalnum():
            return form
    return None


def writable_format(tokenizer: Tokenizer) -> Format:
    """The format to train a model in: the detected one, or else the only one that the vocabulary could write.

    Raises FormatError when there is none, or more than one.
    """
    found = detect(tokenizer)
    if found.form != NO_THINKING:
        return found.form
    if len(found.candidates) == 1:
        return found.candidates[0]
    what = "found no way of thinking in" if not found.candidates else "found more than one way of thinking in"
    raise FormatError(
        f"thinking_format=auto {what} this model's chat template and vocabulary: say which with thinking_format= one "
        f"of {how_to_force()}"
    )


def how_to_force() -> str:
    """The values of `thinking_format`, with what they mean, for messages."""
    known = (f"{form.name} ({form.start} ... {form.end})" for form in (S1, THINK, HARMONY, PROMPTED))
    others = ", ".join(name for name, form in FORMATS.items() if form not in (S1, THINK, HARMONY, PROMPTED))
    return f"{', '.join(known)}, {others}, none (no thinking), or START...END"


def _declared_format(tokenizer: Tokenizer) -> Format | None:
    # transformers keeps the keys of tokenizer_config.json that it does not know.
    try:
        return parse_format(getattr(tokenizer, "init_kwargs", {}).get(THINKING_FORMAT))
    except FormatError as error:
        raise FormatError(f"this model's tokenizer_config.json says {error}") from None


def _can_write(tokenizer: Tokenizer, form: Format) -> bool:
    """Whether the vocabulary has what ends the format's thinking as tokens of their own."""
    return all(_is_one_token(tokenizer, stop) for stop in form.stops)


# s1-32B, s1.1-32B and the smaller ones of the same name, also as a folder, in the Hub's cache, or quantized.
_S1_NAME = re.compile(r"(?<![A-Za-z0-9.])s1(?:\.1)?-\d+(?:\.\d+)?B(?![A-Za-z0-9])", re.IGNORECASE)


def _published_by_s1(name: object) -> str | None:
    found = _S1_NAME.search(str(name or ""))
    return found[0] if found else None


def opening_of(form: Format, prompt: str) -> Opening:
    """What the prompt's text, chat template included, has done about thinking.

    DeepSeek-R1's template ends in "<think>\\n"; Qwen3's with enable_thinking=False in an empty pair of tags.
    """
    ending = prompt.rstrip()
    if form.end and ending.endswith(form.end.strip()):
        return Opening.CLOSED
    return Opening.OPENED if form.start and ending.endswith(form.start.strip()) else Opening.NONE


# What a text may follow: which of these stays apart from it depends on the vocabulary's merges.
_BEFORE = ("=", "a", ".", "\n", ")")


def encode(tokenizer: Tokenizer, text: str) -> Tokens:
    """Token ids of a text as they continue another one: nothing added, and no space that it does not begin with.

    A SentencePiece vocabulary puts a space before a text that stands alone, so it is encoded behind another one there.
    Where a vocabulary cannot write the text at all, its ids alone (`spell` refuses instead).
    """
    return _continuing(tokenizer, text) or without_additions(tokenizer, text)


def spell(tokenizer: Tokenizer, text: str) -> Tokens:
    """As `encode`, for a text that must come back exactly. Raises FormatError where the vocabulary cannot write it."""
    tokens = _continuing(tokenizer, text)
    if text and not tokens:
        came_back = _text_of(tokenizer, without_additions(tokenizer, text))
        raise FormatError(
            f"this tokenizer cannot write {text!r}, which comes back as {came_back!r}: choose another text or "
            f"thinking_format, or a tokenizer that keeps every character"
        )
    return tokens


def _continuing(tokenizer: Tokenizer, text: str) -> Tokens:
    """The ids that say exactly this text behind another one; none where no ids do."""
    if not text:
        return ()
    alone = without_additions(tokenizer, text)
    for before in _BEFORE:
        start = without_additions(tokenizer, before)
        said = _text_of(tokenizer, start)
        if _text_of(tokenizer, start + alone) == said + text:
            return alone
        whole = without_additions(tokenizer, before + text)
        if whole[: len(start)] == start and _text_of(tokenizer, whole) == said + text:
            return whole[len(start) :]
    return ()


def without_additions(tokenizer: Tokenizer, text: str) -> Tokens:
    """Token ids of a text and nothing else: no BOS, EOS, [gMASK] or other special token that the text does not write.

    Some tokenizers add theirs even when they are told not to.
    """
    tokens = tuple(tokenizer.encode(text, add_special_tokens=False))
    special = {*getattr(tokenizer, "all_special_ids", ())} - {getattr(tokenizer, "unk_token_id", None)}
    first = next((place for place, token in enumerate(tokens) if token not in special), len(tokens))
    tokens = tokens[_added_before(tokenizer, tokens[:first], text) :]
    last = next((place for place, token in enumerate(reversed(tokens)) if token not in special), len(tokens))
    return tokens[: len(tokens) - _added_behind(tokenizer, tokens[len(tokens) - last :], text)]


def _added_before(tokenizer: Tokenizer, run: Tokens, text: str) -> int:
    """How many of the special tokens that a prompt begins with its text does not write."""
    begun = _squeezed(text[:1000])
    return next(
        (count for count in range(len(run)) if begun.startswith(_squeezed(_text_of(tokenizer, run[count:])))), len(run)
    )


def _added_behind(tokenizer: Tokenizer, run: Tokens, text: str) -> int:
    """How many of the special tokens that a prompt ends with its text does not write."""
    ending = _squeezed(text[-1000:])
    left = range(len(run), 0, -1)
    return next(
        (len(run) - count for count in left if ending.endswith(_squeezed(_text_of(tokenizer, run[:count])))), len(run)
    )


def _squeezed(text: str) -> str:
    return "".join(text.split())


def _text_of(tokenizer: Tokenizer, tokens: Tokens) -> str:
    return tokenizer.decode(list(tokens), skip_special_tokens=False)


def mark(tokenizer: Tokenizer, form: Format, budget: Budget, eos_ids: frozenset[int]) -> Marks:
    """The format and the budget's texts as token ids. eos_ids end thinking and answer alike.

    Raises FormatError where the tokenizer cannot write one of the texts.
    """
    request = "" if form.end.endswith(budget.final_answer_text) else budget.final_answer_text
    ask = form.after_end + request if request else ""
    blank = _blank_ids(tokenizer) | frozenset(encode(tokenizer, form.after_end))
    cut_off = spell(tokenizer, form.end + ask)
    return Marks(
        open=spell(tokenizer, form.start),
        close=spell(tokenizer, form.end),
        cut_off=cut_off,
        wait=spell(tokenizer, budget.wait_text),
        newline=encode(tokenizer, "\n"),
        ends=stop_ids(tokenizer, form.stops) | eos_ids,
        answer_ends=stop_ids(tokenizer, form.answer_stops) | eos_ids,
        line_ends=_line_ends(tokenizer),
        ask=encode(tokenizer, ask),
        blank=blank,
        closing=_tokens_until(tokenizer, cut_off, form.closing),
    )


def _tokens_until(tokenizer: Tokenizer, tokens: Tokens, text: str) -> int:
    """How many of the first tokens it takes until the text stands there whole."""
    counts = range(len(tokens) + 1)
    return next(
        n for n in counts if n == len(tokens) or text in tokenizer.decode(list(tokens[:n]), skip_special_tokens=False)
    )


def with_answer_prefix(tokenizer: Tokenizer, marks: Marks, form: Format, prefix: str) -> Marks:
    """Marks for an answer that begins with a text of the task (lm_eval's gen_prefix), which asks for it by itself."""
    asked = spell(tokenizer, form.end + form.after_end + prefix)
    return replace(marks, close=asked, cut_off=asked, ask=(), closing=None)


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


def template_text(tokenizer: Tokenizer) -> str:
    """The chat template's source; of several templates, all of them. Empty when there is none."""
    template = getattr(tokenizer, "chat_template", None) or ""
    return "\n".join(map(str, template.values())) if isinstance(template, Mapping) else str(template)


def _line_ends(tokenizer: Tokenizer) -> frozenset[int]:
    """Ids of tokens whose text ends in a newline.

    Only pieces that can (byte-level BPE writes a newline as 'Ċ', SentencePiece as '<0x0A>') are decoded: a
    vocabulary has 150,000.
    """
    candidates = [i for piece, i in tokenizer.get_vocab().items() if piece.endswith(("Ċ", "\n", "<0x0A>"))]
    return frozenset(i for i in candidates if tokenizer.decode([i], skip_special_tokens=False).endswith("\n"))


# A space, newline or tab, as byte-level BPE and SentencePiece write them.
_BLANK_PIECE = re.compile(r"(?:[ĠĊĉč▁\s]|<0x(?:0[9AD]|20)>)+")


def _blank_ids(tokenizer: Tokenizer) -> frozenset[int]:
    """Ids of tokens that are white space only."""
    candidates = [i for piece, i in tokenizer.get_vocab().items() if _BLANK_PIECE.fullmatch(piece)]
    return frozenset(i for i in candidates if not tokenizer.decode([i], skip_special_tokens=False).strip())
