"""Stage 2, decontaminate: no training question shares eight words in a row with a benchmark question.

Words are what white space separates, lower-cased, punctuation kept; a question of fewer than eight words can share none
(s1 code, `decontaminate_util.py`). Every rejection names the words and the benchmark question. A second rule, off
unless asked for, rejects near-duplicates that share no eight words in a row (`duplicates.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

from training.curate.benchmark_questions import BenchmarkQuestion, describe
from training.curate.stage import CurationError, Rejection, Result, Row, reject
from training.curate.tables import canonical_hash

WORDS_IN_A_ROW = 8
Gram = tuple[str, ...]


def words_of(text: str) -> list[str]:
    """The words of a text, lower-cased; any run of white space separates."""
    return text.lower().split()


def grams(words: Sequence[str], size: int) -> Iterable[Gram]:
    """All runs of `size` words, in order; none when there are fewer words."""
    return zip(*(islice(words, start, None) for start in range(size)), strict=False)


def decontaminate(rows: Sequence[Row], questions: Sequence[BenchmarkQuestion], size: int = WORDS_IN_A_ROW) -> Result:
    """Rejects every row that shares a run of `size` words with a benchmark question.

    figures: {"contamination": the report without its texts}; `report` gives it in full. Raises CurationError for a
    size below 1 and for no questions at all: a check against nothing must not look like a clean one.
    """
    if size < 1:
        raise CurationError(f"words_in_a_row is {size}; expected 1 or more, such as {WORDS_IN_A_ROW}")
    if not questions:
        raise CurationError("there are no benchmark questions to check against; name benchmarks and where they are")
    asked: dict[Gram, list[int]] = {}
    for number, question in enumerate(questions):
        for gram in dict.fromkeys(grams(words_of(question.text), size)):
            asked.setdefault(gram, []).append(number)
    known = asked.keys()

    kept: list[Row] = []
    rejected: list[Rejection] = []
    hits: list[dict[str, Any]] = []
    for row in rows:
        words = words_of(row["question"])
        # The common case, no gram in common, is decided in C without making a list.
        if known.isdisjoint(grams(words, size)):
            kept.append(row)
            continue
        found = _hits(row, words, asked, questions, size)
        hits += found
        first = found[0]
        detail = f"{first['benchmark']} {first['question']}: {first['words']!r}"
        rejected.append(reject(row, f"{size} words in a row with {first['benchmark']}", detail))
    report = {
        "words_in_a_row": size,
        "benchmarks": describe(questions),
        "rows_checked": len(rows),
        "rows_rejected": len(rejected),
        "hits": hits,
    }
    return Result(kept, rejected, {"contamination": summarize(report), "report": report})


def summarize(report: Mapping[str, Any]) -> dict[str, Any]:
    """A report without the texts of the benchmarks, and with the hash it is known by: of the whole, as a JSON value."""
    near = report.get("near_duplicates")
    summary = {name: value for name, value in report.items() if name not in ("hits", "near_duplicates")}
    if near is not None:
        summary["near_duplicates"] = {name: value for name, value in near.items() if name != "hits"}
    return {**summary, "report_sha256": canonical_hash(report)}


def _hits(
    row: Row, words: Sequence[str], asked: dict[Gram, list[int]], questions: Sequence[BenchmarkQuestion], size: int
) -> list[dict[str, Any]]:
    """One hit for every benchmark question that the row touches: the first words in common, and how many runs."""
    found: dict[int, dict[str, Any]] = {}
    for gram in dict.fromkeys(grams(words, size)):
        for number in asked.get(gram, ()):
            if number in found:
                found[number]["shared"] += 1
                continue
            question = questions[number]
            found[number] = {
                "id": row["id"],
                "source": row.get("source", ""),
                "benchmark": question.benchmark,
                "question": question.id,
                "words": " ".join(gram),
                "shared": 1,
            }
    return list(found.values())
