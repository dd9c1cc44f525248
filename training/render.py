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
"""

from __future__ import annotations

from collections.abc import Sequence
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
    messages = [{"role": "user", "content": question}]
    text: str = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    return list(encode(tokenizer, text))


def render(
    tokenizer: Any,
    question: str,
    thinking: str | Sequence[Piece],
    answer: str,
    *,
    cut_off: bool = False,
    form: Format = S1,
) -> Rendered:
    """One training sequence.

    Args:
        tokenizer: a transformers tokenizer with a chat template.
        question: the user's turn, bare.
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
    rendered.add(prompt_ids(tokenizer, question), counts=False)
    rendered.add(encode(tokenizer, form.start), counts=True)
    written = "\n"
    rendered.add(encode(tokenizer, written), counts=True)
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
