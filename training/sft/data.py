"""Training data -> token ids and loss masks, from the Hub or a file, in any of the shapes that it comes in.

| columns of a row | what it is |
| --- | --- |
| `question`, `thinking_trajectories`, `attempt` | simplescaling/s1K, and what `training.curate` writes |
| `question`, `deepseek_thinking_trajectory`, `deepseek_attempt` | simplescaling/s1K-1.1 |
| `question`, `thinking`, `answer` | anybody's; `thinking` may be a list of texts and {"text", "forced"} pieces |
| `messages`; `conversations`; `prompt`, `completion` | chats (`training.sft.conversations`) |
| `text` | the `_tokenized` forms: the whole chat as one text |

Texts are tokenized again for the model that is trained; ids and masks that a file may hold belong to another one.
The `_tokenized` sets hold `text` beside the columns it was made from; it is what s1 trained on, so it is taken, unless
it is another family's chat. Rows with a `loss_mask` are ours, whose columns say more than their `text`.

Thinking that brings its own tags would be trained with two pairs of them. A pair around all of it is removed, and the
count is said; a tag in the middle is an error that names the row.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from s1_contract.errors import DataError
from s1_contract.files import read_json_lines
from s1_models.formats import S1, Format, encode
from training.render import Piece, Rendered, render, render_row, texts_of
from training.sft import conversations
from training.sft.batches import Encoded
from training.sft.recipes import Recipe

Row = Mapping[str, Any]
SHAPES = (
    ("question", "thinking_trajectories", "attempt"),
    ("question", "deepseek_thinking_trajectory", "deepseek_attempt"),
    ("question", "thinking", "answer"),
    *conversations.SHAPES,
    ("text",),
)
_READERS = {".jsonl": "json", ".json": "json", ".parquet": "parquet"}


@dataclass(frozen=True)
class TrainingSet:
    """The sequences of a run and what became of the rows.

    source: where they came from. sha256: of all ids and masks, in order. over_long: rows longer than the block.
    lost_tokens: tokens of `all_tokens` that dropping or truncating them costs. untagged: rows whose thinking came in
    tags, which were removed.
    """

    sequences: list[Encoded]
    source: str
    sha256: str
    rows: int
    over_long: int = 0
    lost_tokens: int = 0
    all_tokens: int = 0
    manifest: dict[str, Any] = field(default_factory=dict)
    untagged: int = 0

    @property
    def trained_tokens(self) -> int:
        return sum(one.trained_tokens for one in self.sequences)

    def __str__(self) -> str:
        kept = f"{len(self.sequences):,} of {self.rows:,} rows from {self.source}, "
        lengths = sorted(len(one) for one in self.sequences)
        kept += f"{sum(lengths):,} tokens ({self.trained_tokens:,} trained), median {lengths[len(lengths) // 2]:,}"
        if self.untagged:
            kept += f"; tags around the thinking of {self.untagged:,} rows removed"
        if not self.over_long:
            return kept
        share = f"{self.over_long} over-long rows ({self.over_long / self.rows:.1%}), "
        return f"{kept}; {share}{self.lost_tokens / self.all_tokens:.1%} of all tokens lost"


def load_rows(source: str) -> tuple[list[Row], dict[str, Any]]:
    """The rows of a Hub data set (split `train`), a .jsonl, .json or .parquet file, or a folder with `train.*`.

    Also the manifest of the `training.curate` run that wrote the file; empty when there is none. Raises DataError.
    """
    path = Path(source)
    if path.is_dir():
        path = next((path / f"train{end}" for end in _READERS if (path / f"train{end}").exists()), path / "train.jsonl")
    return (_of_file(path), _manifest(path)) if path.suffix in _READERS else (_of_hub(source), {})


def _of_file(path: Path) -> list[Row]:
    """The rows of a file. JSON Lines are read by us: columns may hold texts in one row and lists in another."""
    import datasets

    if not path.is_file():
        raise DataError(f"no data file {path}: expected a .jsonl, .json or .parquet file, or a Hub name")
    if path.suffix == ".jsonl":
        return [row for _, row in read_json_lines(path)]
    try:
        return list(datasets.load_dataset(_READERS[path.suffix], data_files=str(path), split="train"))
    except (OSError, ValueError, datasets.exceptions.DatasetsError) as error:
        raise DataError(
            f"{path} cannot be read ({error.__cause__ or error}): is it whole, and what its name says?"
        ) from error


def _of_hub(source: str) -> list[Row]:
    import datasets

    try:
        return list(datasets.load_dataset(source, split="train"))
    except Exception as error:  # the Hub client raises many kinds; each says that the data is not to be had
        raise DataError(
            f"data {source!r} is neither a file here nor a data set that can be loaded ({type(error).__name__}: "
            f"{str(error).splitlines()[0] if str(error) else 'no message'}): give a path with --data, or the Hub name "
            "where the Hub can be reached"
        ) from error


def _manifest(path: Path) -> dict[str, Any]:
    """The manifest of the run that a file is of: beside it, or above `baselines/`."""
    run = path.absolute().parent
    place = (run.parent if run.name == "baselines" else run) / "manifest.json"
    found: dict[str, Any] = json.loads(place.read_text(encoding="utf-8")) if place.exists() else {}
    return found


def build(
    rows: Sequence[Row],
    tokenizer: Any,
    recipe: Recipe,
    form: Format = S1,
    source: str = "",
    manifest: Mapping[str, Any] | None = None,
    progress: Callable[[Iterable[Row]], Iterable[Row]] = iter,
) -> TrainingSet:
    """Encode every row and deal with the over-long ones as the recipe says. Raises DataError naming the row."""
    if not rows:
        raise DataError(f"{source or 'the data'} has no rows")
    encoded, untagged = _encoded(rows, tokenizer, form, source or "data", progress)
    sequences, over_long, lost = _within(encoded, recipe)
    if over_long and recipe.over_long == "error":
        number, longest = max(over_long, key=lambda pair: pair[1])
        raise DataError(
            f"{len(over_long)} of {len(rows)} rows are longer than block_size={recipe.block_size} (row {number} has "
            f"{longest} tokens): choose --over-long drop or truncate, or a larger block_size"
        )
    if not any(one.trained_tokens for one in sequences):
        raise DataError(f"no row is left with a token to train on ({len(rows)} rows, block_size={recipe.block_size})")
    digest = hashlib.sha256()
    for one in sequences:
        digest.update(len(one).to_bytes(8, "little") + one.input_ids.tobytes() + one.loss_mask.tobytes())
    everything, about = sum(len(one) for one in encoded), dict(manifest or {})
    return TrainingSet(
        sequences, source, digest.hexdigest(), len(rows), len(over_long), lost, everything, about, untagged
    )


def _encoded(
    rows: Sequence[Row],
    tokenizer: Any,
    form: Format,
    source: str,
    progress: Callable[[Iterable[Row]], Iterable[Row]],
) -> tuple[list[Encoded], int]:
    """Every row as a sequence, and how many came with tags around their thinking. Raises DataError."""
    encoded, untagged, inside = [], 0, []
    for number, row in enumerate(progress(rows)):
        try:
            bare, changed = untagged_row(tokenizer, row, form)
            encoded.append(encode_row(tokenizer, bare, form))
        except TagError as error:
            inside.append((number, error))
        except ValueError as error:
            raise DataError(f"{source}, row {number}: {error}") from error
        else:
            untagged += changed
    if inside:
        number, first = inside[0]
        raise DataError(
            f"{len(inside)} of {len(rows)} rows of {source} hold a delimiter of thinking where none may be trained "
            f"(row {number}: {first}): remove it from these rows, or the rows"
        )
    return encoded, untagged


def _within(encoded: Sequence[Encoded], recipe: Recipe) -> tuple[list[Encoded], list[tuple[int, int]], int]:
    """Sequences of at most a block, (row, length) of the over-long ones, and the tokens that they lose."""
    sequences, over_long, lost = [], [], 0
    for number, one in enumerate(encoded):
        if len(one) > recipe.block_size:
            over_long.append((number, len(one)))
            lost += len(one) - (recipe.block_size if recipe.over_long == "truncate" else 0)
            if recipe.over_long == "drop":
                continue
            one = Encoded(one.input_ids[: recipe.block_size], one.loss_mask[: recipe.block_size])
        sequences.append(one)
    return sequences, over_long, lost


class TagError(ValueError):
    """A row whose texts hold a delimiter of thinking."""


def untagged_row(tokenizer: Any, row: Row, form: Format = S1) -> tuple[Row, bool]:
    """A row without tags around its thinking, and whether there were any. Raises TagError for one in the middle."""
    shape = _shape_of(tokenizer, row, form)
    if shape is None or shape == ("text",):
        return row, False
    if shape in conversations.SHAPES:
        turn = conversations.turn_of(row, shape)
        found: Row = {"question": turn.before, "thinking": turn.thinking, "answer": turn.answer}
        changed, texts = turn.untagged, [turn.thinking, turn.answer]
    elif shape == ("question", "thinking", "answer") and not isinstance(row["thinking"], str):
        pieces = [_piece(one).text for one in row["thinking"]]
        found, changed, texts = row, False, [*pieces, row["answer"]]
    else:
        question, thinking, answer = texts_of({name: row[name] for name in shape})
        bare, changed = conversations.without_tags(thinking)
        texts = [bare, answer]
        found = {"question": question, "thinking": bare, "answer": answer} if changed else row
    tag = next(filter(None, map(conversations.tag_inside, texts)), None)
    if tag is not None:
        raise TagError(f"{tag!r} stands in its thinking or answer")
    return found, changed


def encode_row(tokenizer: Any, row: Row, form: Format = S1) -> Encoded:
    """One row as ids and mask. Raises ValueError that says what the row lacks."""
    shape = _shape_of(tokenizer, row, form)
    if shape is None:
        expected = "; ".join(", ".join(shape) for shape in SHAPES)
        raise ValueError(f"its columns are {', '.join(sorted(row))}; expected one of: {expected}")
    if shape == ("text",):
        rendered = _whole_chat(tokenizer, row["text"])
    elif shape in conversations.SHAPES:
        rendered = _chat(tokenizer, conversations.turn_of(row, shape), form)
    elif shape == ("question", "thinking", "answer") and not isinstance(row["question"], str):
        rendered = _chat(tokenizer, conversations.Turn(row["question"], row["thinking"], row["answer"]), form)
    elif shape == ("question", "thinking", "answer") and not isinstance(row["thinking"], str):
        rendered = render(
            tokenizer,
            row["question"],
            [_piece(one) for one in row["thinking"]],
            row["answer"],
            cut_off=bool(row.get("cut_off", False)),
            form=form,
        )
    else:
        rendered = render_row(tokenizer, {name: row[name] for name in shape}, form=form)
    return Encoded(np.array(rendered.input_ids, dtype=np.int32), np.array(rendered.loss_mask, dtype=np.int32))


def _chat(tokenizer: Any, turn: conversations.Turn, form: Format) -> Rendered:
    """A chat's last turn, rendered as a row's question, thinking and answer are."""
    return render_row(tokenizer, {"question": turn.before, "thinking": turn.thinking, "answer": turn.answer}, form=form)


def _shape_of(tokenizer: Any, row: Row, form: Format) -> tuple[str, ...] | None:
    """The shape that a row is read in: a chat that this model can be trained on as it is goes before its columns."""
    found = [shape for shape in SHAPES if all(row.get(name) is not None for name in shape)]
    if ("text",) in found and row.get("loss_mask") is None:
        opening = _assistant_opening(tokenizer)
        if opening and opening in row["text"] and form.end in row["text"]:
            return ("text",)
    return found[0] if found else None


def _piece(one: str | Mapping[str, Any]) -> Piece:
    if isinstance(one, str):
        return Piece(one)
    if set(one) - {"text", "forced"} or not isinstance(one.get("text"), str):
        raise ValueError(f"a piece of thinking is {dict(one)!r}; expected a text, or {{'text': ..., 'forced': bool}}")
    return Piece(one["text"], bool(one.get("forced", False)))


def _whole_chat(tokenizer: Any, text: str) -> Rendered:
    """A rendered chat: what stands before the assistant's turn is not in the loss, all the rest is (as in s1)."""
    opening = _assistant_opening(tokenizer)
    prompt, found, response = text.partition(opening)
    if not found or not response.strip():
        raise ValueError(
            f"its text holds no {opening!r} with a response after it, as this model's chat template writes the "
            "assistant's turn: it was made for another model family; give question, thinking and answer instead"
        )
    rendered = Rendered()
    rendered.add(encode(tokenizer, prompt + opening), counts=False)
    rendered.add(encode(tokenizer, response), counts=True)
    return rendered


def _assistant_opening(tokenizer: Any) -> str:
    """What the chat template writes where the assistant's turn begins, for example ``<|im_start|>assistant\\n``.

    Some templates (Mistral's) write nothing for it of their own: then it is what closes the user's turn.
    """
    message = [{"role": "user", "content": "question"}]
    bare: str = tokenizer.apply_chat_template(message, tokenize=False, add_generation_prompt=False)
    asked: str = tokenizer.apply_chat_template(message, tokenize=False, add_generation_prompt=True)
    if asked != bare:
        return asked[len(bare) :]
    return bare.rpartition("question")[2].strip()
