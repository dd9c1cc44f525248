"""Stage 9, render: the chosen rows as what training reads, text and token ids with a loss mask.

Columns: those of simplescaling/s1K (question, solution, cot_type, source_type, metadata, cot, thinking_trajectories,
attempt), ours, `text` as in simplescaling/s1K_tokenized, and `input_ids` with `loss_mask`, built together.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from s1_models.formats import S1, Format
from training.curate.stage import CurationError, Rejection, Result, Row, reject
from training.render import render_row, row_text

_OURS = ("id", "source", "kind", "reference", "domain", "length", "teacher_correct", "thinking", "answer")


def load_tokenizer(name: str) -> Any:
    """A tokenizer by Hub name or directory. Raises CurationError."""
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(name)
    except (OSError, ValueError) as error:
        said = " ".join(str(error).split())[:300]
        raise CurationError(
            f"the tokenizer {name!r} could not be loaded ({said}): name a directory that holds one, or its Hub name "
            "where the Hub can be reached"
        ) from error


def render_rows(rows: Sequence[Row], tokenizer: Any, form: Format = S1) -> Result:
    """Training rows; one whose texts cannot be rendered is rejected with the reason."""
    made: list[Row] = []
    rejected: list[Rejection] = []
    for row in rows:
        try:
            rendered = render_row(tokenizer, row, form=form)
        except ValueError as error:
            rejected.append(reject(row, "cannot be rendered", str(error)))
            continue
        made.append(
            {
                **{name: row.get(name) for name in ("question", "solution", "cot_type", "source_type", "metadata")},
                "cot": None,
                "thinking_trajectories": [row["thinking"]],
                "attempt": row["answer"],
                **{name: row.get(name) for name in _OURS},
                "text": row_text(tokenizer, row, form=form),
                "input_ids": rendered.input_ids,
                "loss_mask": rendered.loss_mask,
            }
        )
    tokens = sum(len(row["input_ids"]) for row in made)
    trained = sum(sum(row["loss_mask"]) for row in made)
    longest = max((len(row["input_ids"]) for row in made), default=0)
    return Result(made, rejected, {"tokens": tokens, "trained_tokens": trained, "longest_row_tokens": longest})
