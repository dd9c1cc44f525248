"""Stage 1, collect: the rows of every source in one shape, exact duplicates once.

Rows come from the Hub through `datasets`, or from a directory (`local:DIR`) that holds `<source>.jsonl`, `.parquet` or
`.csv` with the columns of the Hub's dataset, or a folder `<source>/` with one such file per configuration.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from s1_tasks.answers import extract
from s1_tasks.prompts import LETTERS, choice_order
from training.curate.sources import Part, Source, Take
from training.curate.stage import CurationError, Rejection, Result, Row, question_id, reject
from training.curate.tables import ENDINGS, read_rows

MAX_METADATA_CHARS = 500
"""Longer values (test cases, images) stay where they came from."""

Loaded = tuple[list[Row], list[Row]]
"""The rows of a source, and those of its `minus` part."""


def load(source: Source, where: str = "hub") -> Loaded:
    """The rows of a source as they are, from "hub" or "local:DIR". Raises CurationError naming the source."""
    if where == "hub":
        rows = [row for part in source.parts for row in _from_hub(source, part)]
        return rows, _from_hub(source, source.minus) if source.minus else []
    scheme, _, folder = where.partition(":")
    if scheme != "local" or not folder:
        raise CurationError(f"source is {where!r}; expected hub or local:DIR")
    directory = Path(folder).expanduser()
    if not directory.is_dir():
        raise CurationError(f"source is {where!r}, but {directory} is not a directory of this machine")
    rows = _from_directory(directory, source.name, f"the rows of {source.hub}")
    if not source.minus:
        return rows, []
    wanted = f"the rows of {source.hub}, {source.minus.config}, which must not be collected"
    return rows, _from_directory(directory, f"{source.name}.minus", wanted)


def _from_hub(source: Source, part: Part) -> list[Row]:
    import datasets

    try:
        if part.files:
            places = [f"hf://datasets/{source.hub}/{file}" for file in part.files]
            found = datasets.load_dataset("json", data_files=places, split="train")
        else:
            found = datasets.load_dataset(source.hub, part.config, split=part.split)
        return [dict(row) for row in found]
    except Exception as error:  # the Hub's client has many error types; the user gets one sentence
        said = " ".join(str(error).split())[:300]
        place = " ".join(str(word) for word in (source.hub, part.config, part.split) if word)
        raise CurationError(
            f"{source.name}: {place} could not be loaded ({type(error).__name__}: {said}); log in with `hf auth login` "
            f"where it is gated, or put its rows into a directory as {source.name}.jsonl and use --source local:DIR"
        ) from error


def _from_directory(directory: Path, name: str, what: str) -> list[Row]:
    single = [directory / f"{name}{ending}" for ending in ENDINGS]
    found = [path for path in single if path.is_file()]
    if not found and (directory / name).is_dir():
        found = sorted(path for path in (directory / name).iterdir() if path.suffix in ENDINGS)
    if not found:
        raise CurationError(f"{name.split('.', maxsplit=1)[0]}: {directory} has no {single[0].name}: put {what} there")
    return [row for path in found for row in read_rows(path)]


def collect(sources: Sequence[Source], loader: Callable[[Source], Loaded], before: Result | None = None) -> Result:
    """All rows of all sources that could be loaded; `figures["missing"]` says which could not, and why.

    before: what an earlier try collected; only the sources that it misses are loaded. Raises CurationError when no
    source could be loaded.
    """
    rows: list[Row] = []
    rejected: list[Rejection] = list(before.rejected) if before else []
    missing: dict[str, str] = {}
    known: Mapping[str, dict[str, int]] = before.figures["sources"] if before else {}
    counts: dict[str, dict[str, int]] = {}
    for source in sources:
        if before and source.name in known:
            rows += [row for row in before.rows if row["source"] == source.name]
            counts[source.name] = known[source.name]
            continue
        try:
            raw, minus = loader(source)
            made = convert(source, raw, minus)
        except CurationError as error:
            missing[source.name] = str(error)
            continue
        rows += made
        counts[source.name] = {"read": len(raw), "collected": len(made), "paper": source.paper_rows}
    if not rows:
        raise CurationError("no source could be collected:\n" + "\n".join(missing.values()))
    first: dict[str, Row] = {}
    for row in rows:
        if row["id"] in first:
            rejected.append(reject(row, "the same question again", f"first in {first[row['id']]['source']}"))
        else:
            first[row["id"]] = row
    return Result(list(first.values()), rejected, {"sources": counts, "missing": missing})


def convert(source: Source, raw: Iterable[Mapping[str, Any]], minus: Iterable[Mapping[str, Any]] = ()) -> list[Row]:
    """A source's rows in our shape: those that its conditions keep, drawn as it says. Raises CurationError."""
    held_out = {_joined(row, source.question) for row in minus}
    kept: list[tuple[Row, Mapping[str, Any]]] = []
    for number, row in enumerate(raw):
        absent = [name for name in source.question[-1:] if name not in row]
        if absent:
            raise CurationError(
                f"{source.name}, row {number}: no column {absent[0]!r} among {sorted(map(str, row))}; the dataset has "
                f"changed, or the file holds something else"
            )
        question = _joined(row, source.question)
        if not question or question in held_out or not all(one.holds(row) for one in source.keep):
            continue
        kept.append((_shape(source, question, row), row))
    return [row for row, _ in kept] if source.take is None else draw(kept, source.take)


def draw(rows: Sequence[tuple[Row, Mapping[str, Any]]], take: Take) -> list[Row]:
    """`take.count` rows, one after another from each group in turn; independent of the rows' order."""
    groups: dict[str, list[Row]] = {}
    for row, raw in sorted(rows, key=lambda pair: str(pair[0]["id"])):
        groups.setdefault(json.dumps([raw.get(name) for name in take.spread], default=str), []).append(row)
    rng = random.Random(take.seed)
    pools = [groups[key] for key in sorted(groups)]
    for pool in pools:
        rng.shuffle(pool)
    chosen: list[Row] = []
    while len(chosen) < take.count and (pools := [pool for pool in pools if pool]):
        chosen += [pool.pop() for pool in pools][: take.count - len(chosen)]
    return chosen


def _shape(source: Source, question: str, row: Mapping[str, Any]) -> Row:
    solution = next((text for name in source.solution if (text := _text(_first(row.get(name))))), None)
    reference = next((text for name in source.reference if (text := _text(row.get(name), ", "))), None)
    if source.clean:
        question = source.clean(question)
    if source.choices:
        question, reference = _with_choices(source, question, row)
        solution = f"{solution or ''}\n\nAnswer: {reference}".strip()
    elif reference is None and solution is not None:
        reference = _marked_answer(source, solution)
    used = {*source.question, *source.solution, *source.reference, *source.choices}
    rest = {name: value for name, value in row.items() if name not in used and len(str(value)) <= MAX_METADATA_CHARS}
    return {
        "id": question_id(question),
        "question": question,
        "solution": solution,
        "reference": reference,
        "kind": source.kind,
        "source": source.name,
        "source_type": "/".join([source.hub, *(_text(row.get(tag)) for tag in source.tags)]),
        "cot_type": source.cot_type,
        "metadata": json.dumps(rest, ensure_ascii=False, default=str, sort_keys=True),
    }


def _with_choices(source: Source, question: str, row: Mapping[str, Any]) -> tuple[str, str]:
    """The question with its choices, in an order that the texts decide, and the letter of the right one."""
    choices = [" ".join(_text(row.get(name)).split()) for name in source.choices]
    order = choice_order(question, choices)
    shown = "\n".join(f"({LETTERS[place]}) {choices[index]}" for place, index in enumerate(order))
    return f"{question}\nAnswer Choices:\n{shown}", LETTERS[order.index(0)]


def _marked_answer(source: Source, solution: str) -> str | None:
    """The final answer that a solution marks; the last line of a proof is none."""
    found = extract(solution, source.kind)
    return found.answer if found and found.rule in ("boxed", "final answer", "answer:") else None


def _joined(row: Mapping[str, Any], columns: Sequence[str]) -> str:
    return "\n".join(text for name in columns if (text := _text(row.get(name))))


def _first(value: Any) -> Any:
    """The first of several solutions."""
    return (value[0] if value else None) if isinstance(value, list | tuple) else value


def _text(value: Any, between: str = "\n") -> str:
    """A column as text; of a list, its texts joined. Lone surrogates become "?": no file can hold them."""
    if isinstance(value, list | tuple):
        value = between.join(_text(one) for one in value)
    return "" if value is None else str(value).strip().encode("utf-8", "replace").decode("utf-8")
