"""A training row in the terminal: what the loss counts is coloured, what it does not is grey, token by token.

Neighbouring trained tokens alternate between two greens, so that the borders of tokens can be seen; a token that holds
part of a character is shown together with the ones that complete it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.text import Text

from s1_contract.printing import show, show_lines
from training.curate.stage import CurationError

MASKED = "bright_black"
TRAINED = ("green", "bold bright_green")


def colour(tokenizer: Any, input_ids: Sequence[int], loss_mask: Sequence[int]) -> Text:
    """The row's text, styled. Raises CurationError when ids and mask are not equally long."""
    if len(input_ids) != len(loss_mask):
        raise CurationError(f"{len(input_ids)} token ids, but {len(loss_mask)} in the mask; expected as many")
    shown = Text(overflow="fold")
    waiting: list[int] = []
    for place, (token, counted) in enumerate(zip(input_ids, loss_mask, strict=True)):
        waiting.append(token)
        piece = tokenizer.decode(waiting, skip_special_tokens=False, clean_up_tokenization_spaces=False)
        last = place + 1 == len(input_ids) or loss_mask[place + 1] != counted
        if piece.endswith("�") and not last:
            continue
        shown.append(show_lines(piece), style=TRAINED[place % 2] if counted else MASKED)
        waiting = []
    return shown


def title(row: dict[str, Any], number: int) -> str:
    """One line about a row: where it is from and what of it is trained on."""
    trained, total = sum(row["loss_mask"]), len(row["input_ids"])
    about = show(" · ".join(str(row[name]) for name in ("id", "source", "domain") if row.get(name)))
    return f"row {number}: {about} · {total:,} tokens, {trained:,} in the loss ({100 * trained / max(total, 1):.0f} %)"
