"""Question + thinking + answer -> token ids and loss mask, built together so that they cannot drift apart.

A training sequence is token for token what budget forcing leaves behind at inference, because it is put together
from the same pieces, each tokenized alone, in the same order:

| piece | text | who writes it at inference | in the loss |
| --- | --- | --- | --- |
| prompt | the chat template with generation prompt | the user | no |
| start | `<|im_start|>think` | forced (a plain chat: the model) | yes |
| thinking | newline, lines, ... | the model | yes |
| forced piece of thinking | `Wait` | forced | no |
| natural end | `<|im_start|>answer` | the model stops, the delimiter is forced | yes |
| cut-off end | newline if missing, `<|im_start|>answer`, newline, `Final Answer:` | forced | no |
| answer | newline, text, `<|im_end|>` | the model | yes |

The start and the natural end are in the loss, as in s1 (code, `train/sft.py`: everything after
`<|im_start|>assistant`), so that the model also works as a plain chat model; what interrupts the model never is.
The delimiters are spelt in `s1_models.formats` only.

`render_row` and `row_text` take a row of a data set instead, and write what simplescaling/s1K_tokenized holds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from s1_models.formats import S1, Format, encode

FINAL_ANSWER = "Final Answer:"


@dataclass(frozen=True)
class Piece:
    """A stretch of thinking text; `forced` when something other than the model puts it there at inference."""

    text: str
    forced: bool = False


@dataclass
class Rendered:
    """Token ids and loss mask of one sequence, equally long. mask: 1 where the loss counts the token."""

    input_ids: list[int] = field(default_factory=list)
    loss_mask: list[int] = field(default_factory=list)

    def add(self, tokens: Sequence[int], *, counts: bool) -> None:
        self.input_ids.extend(tokens)
        self.loss_mask.extend([int(counts)] * len(tokens))


def prompt_ids(tokenizer: Any, question: str) -> list[int]:
    """The chat prompt of a question as token ids, ending where the assistant's turn begins."""
    return list(encode(tokenizer, _prompt(tokenizer, question)))


Question = str | Sequence[Mapping[str, str]]
"""The user's turn, bare, or all messages up to the model's turn."""


def _prompt(tokenizer: Any, question: Question) -> str:
    messages = [{"role": "user", "content": question}] if isinstance(question, str) else [dict(one) for one in question]
    text: str = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    return text


def _opening(prompt: str, form: Format) -> tuple[str, str]:
    """What follows the prompt before thinking: delimiter and newline, less what the chat template wrote itself."""
    if form.start and prompt.rstrip().endswith(form.start.strip()):
        return "", "" if prompt.endswith("\n") else "\n"
    return form.start, "\n"


def render(
    tokenizer: Any,
    question: Question,
    thinking: str | Sequence[Piece],
    answer: str,
    *,
    cut_off: bool = False,
    form: Format = S1,
) -> Rendered:
    """One training sequence.

    Args:
        tokenizer: a transformers tokenizer with a chat template.
        question: the user's turn, bare, or all messages up to the model's turn.
        thinking: what is thought, without the newline after the start delimiter. Natural thinking ends with a
            newline (it is added when missing); cut-off thinking may end anywhere.
        answer: what follows the end delimiter and a newline, for example ``Final Answer: 604``. With ``cut_off``,
            what follows the forced ``Final Answer:``, for example ``604``.
        cut_off: render the end of a thinking budget that ran out instead of a natural end.
        form: how this model family writes thinking.

    Raises:
        ValueError: if thinking or answer is empty where it may not be.
    """
    pieces = [Piece(thinking)] if isinstance(thinking, str) else list(thinking)
    if not answer.strip():
        raise ValueError("the answer is empty; a training sequence needs one, for example 'Final Answer: 604'")
    if not cut_off and not any(piece.text.strip() for piece in pieces):
        raise ValueError("the thinking is empty; give the reasoning text, or cut_off=True for a budget that ran out")

    rendered = Rendered()
    prompt = _prompt(tokenizer, question)
    rendered.add(encode(tokenizer, prompt), counts=False)
    start, newline = _opening(prompt, form)
    rendered.add(encode(tokenizer, start), counts=True)
    rendered.add(encode(tokenizer, newline), counts=True)
    written = "\n"
    for piece in pieces:
        rendered.add(encode(tokenizer, piece.text), counts=not piece.forced)
        written = piece.text or written
    missing_newline = "" if written.endswith("\n") else "\n"
    if cut_off:
        rendered.add(encode(tokenizer, missing_newline), counts=False)
        rendered.add(encode(tokenizer, f"{form.end}\n{FINAL_ANSWER}"), counts=False)
        rendered.add(encode(tokenizer, f" {answer}"), counts=True)
    else:
        rendered.add(encode(tokenizer, missing_newline), counts=True)
        rendered.add(encode(tokenizer, form.end), counts=True)
        rendered.add(encode(tokenizer, f"\n{answer}"), counts=True)
    rendered.add([tokenizer.eos_token_id], counts=True)
    return rendered


ANSWER_PREFIX = "Answer:"
"""s1 puts it in front of an answer that does not hold it."""


def texts_of(row: Mapping[str, Any]) -> tuple[str, str, str]:
    """Question, thinking and answer of a row with our columns, or with those of simplescaling/s1K or s1K-1.1.

    Thinking and answer are empty where the row has none.
    """
    thinking = row.get("thinking")
    if thinking is None:
        thinking = row.get("deepseek_thinking_trajectory") or "\n".join(row.get("thinking_trajectories") or ())
    answer = row.get("answer")
    if answer is None:
        answer = row.get("deepseek_attempt") or row.get("attempt") or ""
    return row["question"], thinking, answer


def render_row(tokenizer: Any, row: Mapping[str, Any], *, form: Format = S1) -> Rendered:
    """One training sequence of a row (`texts_of`), token for token what `row_text` says.

    What the chat template writes after the end-of-text token (a newline, in ChatML) is there and not in the loss: no
    engine ever asks the model for it. Raises ValueError where thinking or answer is empty.
    """
    question, thinking, answer = _trimmed(row)
    # The thinking's newline goes with it: tokenizers join it with the full stop before, and so will the model.
    rendered = render(tokenizer, question, f"{thinking}\n" if thinking else "", answer, form=form)
    rendered.add(encode(tokenizer, turn_end(tokenizer)), counts=False)
    return rendered


def row_text(tokenizer: Any, row: Mapping[str, Any], *, form: Format = S1) -> str:
    """The `text` column of simplescaling/s1K_tokenized for a row: the whole conversation in the chat template."""
    question, thinking, answer = _trimmed(row)
    prompt = _prompt(tokenizer, question)
    turn = f"{''.join(_opening(prompt, form))}{thinking}\n{form.end}\n{answer}"
    return f"{prompt}{turn}{tokenizer.eos_token}{turn_end(tokenizer)}"


def turn_end(tokenizer: Any) -> str:
    """What the chat template writes after the end-of-text token of an assistant's turn; often a newline."""
    probe = "s1-probe"
    messages = [{"role": "user", "content": "q"}, {"role": "assistant", "content": probe}]
    text: str = tokenizer.apply_chat_template(messages, tokenize=False)
    _, ended, after = text.rpartition(probe)[2].partition(tokenizer.eos_token)
    return after if ended else ""


def _trimmed(row: Mapping[str, Any]) -> tuple[str, str, str]:
    """Texts as s1 trims them: the prefix goes in front of what the attempt begins with, line breaks included."""
    question, thinking, answer = texts_of(row)
    if answer.strip() and ANSWER_PREFIX not in answer:
        answer = f"{ANSWER_PREFIX} {answer}"
    return question, thinking.strip(), answer.strip()
