"""Stage 3, traces: a teacher thinks about every question and answers it.

The teacher is any model behind an OpenAI-compatible endpoint. Its thinking comes apart from the answer
(`reasoning_content`, as from DeepSeek's API or vLLM with a reasoning parser), or in front of it between think tags, of
which the first may be missing where the chat template wrote it. It is asked the bare question, as in s1.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from s1_models.formats import THINK, Format
from training.curate.chat import Answer, Endpoint, Outcome, Unusable, ask_all
from training.curate.stage import Result, Row

_COUNTED_AT_A_TIME = 1_000  # texts


def split_thinking(text: str, form: Format = THINK) -> tuple[str, str] | None:
    """A reply's thinking and answer, both stripped; None when its thinking never ends."""
    before, end, after = text.partition(form.end)
    if not end:
        return None
    return before.strip().removeprefix(form.start).strip(), after.strip()


def read_trace(answer: Answer) -> dict[str, Any]:
    """Thinking and answer of a reply. Raises Unusable when either is missing or the reply was cut off."""
    if answer.finish == "length":
        raise Unusable("the reply was cut off at its token limit")
    if answer.thinking is not None:
        thinking, text = answer.thinking.strip(), answer.text.strip()
        # Some servers give the thinking apart and in the text.
        text = (split_thinking(text) or ("", text))[1]
    else:
        split = split_thinking(answer.text)
        if split is None:
            raise Unusable(f"the reply has neither reasoning_content nor a closing think tag, but {answer.text[:80]!r}")
        thinking, text = split
    if not thinking or not text:
        raise Unusable(f"the reply has no {'thinking' if not thinking else 'answer'}")
    return {"thinking": _storable(thinking), "answer": _storable(text)}


def _storable(text: str) -> str:
    """The text without lone surrogates, which JSON can carry and no UTF-8 file can hold."""
    return text.encode("utf-8", "replace").decode("utf-8")


def write_traces(rows: Sequence[Row], teacher: Endpoint | None, journal: Path, tokenizer: Any) -> Result:
    """Every row with `thinking`, `answer`, `trace_error` and `length`; rows that bring a trace of their own keep it.

    No row is rejected here: one without a trace says why in `trace_error`, and the next stage rejects it by name.
    tokenizer: a transformers tokenizer, which `length` is counted with.
    """
    missing = [row for row in rows if not row.get("thinking")]
    outcomes: dict[str, Outcome] = {}
    figures: dict[str, Any] = {"given": len(rows) - len(missing)}
    if teacher is not None and missing:
        questions = {row["id"]: [{"role": "user", "content": row["question"]}] for row in missing}
        outcomes, usage = ask_all(teacher, questions, read_trace, journal, "Teacher")
        figures |= {"teacher": teacher.model, **vars(usage)}
    made = []
    for row in rows:
        if row.get("thinking"):
            made.append({**row, "trace_error": None})
            continue
        outcome = outcomes.get(row["id"])
        value = (outcome.value if outcome else None) or {"thinking": None, "answer": None}
        error = outcome.error if outcome else "no teacher is configured"
        made.append({**row, **value, "trace_error": error})
    return Result(count_lengths(made, tokenizer), figures=figures)


def count_lengths(rows: Sequence[Row], tokenizer: Any) -> list[Row]:
    """Rows with `length`, the tokens of `thinking`, where they have thinking and no length."""
    lengths: dict[str, int] = {}
    open_rows = [row for row in rows if row.get("thinking") and not row.get("length")]
    for start in range(0, len(open_rows), _COUNTED_AT_A_TIME):
        part = open_rows[start : start + _COUNTED_AT_A_TIME]
        encoded = tokenizer([row["thinking"] for row in part], add_special_tokens=False)["input_ids"]
        lengths |= {row["id"]: len(ids) for row, ids in zip(part, encoded, strict=True)}
    return [{**row, "length": lengths.get(row["id"], row.get("length"))} for row in rows]
