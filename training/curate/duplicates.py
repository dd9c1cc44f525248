"""An optional rule: near-duplicates of a benchmark question or of an earlier row, by MinHash (datasketch).

Two texts are near-duplicates when their sets of three words in a row overlap by at least `threshold` (Jaccard index).
MinHash only proposes pairs; the index itself is computed before anything is rejected, so a rejection is never a matter
of hashing luck. A pair far above the threshold is found almost always; one just at it may be missed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from datasketch import MinHash, MinHashLSH

from training.curate.benchmark_questions import BenchmarkQuestion
from training.curate.decontaminate import Gram, grams, summarize, words_of
from training.curate.stage import CurationError, Rejection, Result, Row, reject

SHINGLE_WORDS = 3
PERMUTATIONS = 64
_CHUNK = 2_000  # rows hashed at a time


def near_duplicates(rows: Sequence[Row], questions: Sequence[BenchmarkQuestion], threshold: float = 0.8) -> Result:
    """Rejects rows that are nearly a benchmark question, and of rows that are nearly the same all but the first.

    threshold: Jaccard index above 0 and at most 1. Raises CurationError outside of it.
    """
    if not 0 < threshold <= 1:
        raise CurationError(
            f"near_duplicates is {threshold:g}; expected a Jaccard index above 0 and at most 1, such as 0.8"
        )
    index = MinHashLSH(threshold=threshold, num_perm=PERMUTATIONS)
    texts: dict[str, set[Gram]] = {}
    names: dict[str, tuple[str, str]] = {}

    def closest(shingles: set[Gram], sketch: MinHash) -> tuple[str, float] | None:
        close = ((key, _jaccard(shingles, texts[key])) for key in sorted(index.query(sketch)))
        best = max(close, key=lambda pair: pair[1], default=None)
        return best if best and best[1] >= threshold else None

    for number, (question, (shingles, sketch)) in enumerate(
        zip(questions, _sketched([question.text for question in questions]), strict=True)
    ):
        key = f"question {number}"
        texts[key], names[key] = shingles, (question.benchmark, f"{question.benchmark} {question.id}")
        index.insert(key, sketch)

    kept: list[Row] = []
    rejected: list[Rejection] = []
    for start in range(0, len(rows), _CHUNK):
        part = rows[start : start + _CHUNK]
        for row, (shingles, sketch) in zip(part, _sketched([row["question"] for row in part]), strict=True):
            found = closest(shingles, sketch)
            if found:
                group, name = names[found[0]]
                rejected.append(reject(row, f"nearly the same as {group}", f"{name}: Jaccard index {found[1]:.2f}"))
                continue
            kept.append(row)
            key = f"row {row['id']}"
            texts[key], names[key] = shingles, ("an earlier row", f"row {row['id']} of {row.get('source', '')}")
            index.insert(key, sketch)
    return Result(kept, rejected, {"threshold": threshold})


def without_near_duplicates(clean: Result, questions: Sequence[BenchmarkQuestion], threshold: float) -> Result:
    """What `decontaminate` left, less its near-duplicates, which join its rejections and its report."""
    closer = near_duplicates(clean.rows, questions, threshold)
    hits = [asdict(one) for one in closer.rejected]
    report = {
        **clean.figures["report"],
        "near_duplicates": {"threshold": threshold, "rows_rejected": len(hits), "hits": hits},
    }
    return Result(closer.rows, clean.rejected + closer.rejected, {"contamination": summarize(report), "report": report})


def _sketched(texts: Sequence[str]) -> list[tuple[set[Gram], MinHash]]:
    """Shingles and sketch of each text; a text of fewer than three words is one shingle."""
    shingles = []
    for text in texts:
        words = words_of(text)
        shingles.append(set(grams(words, SHINGLE_WORDS)) or {tuple(words)})
    sketches = MinHash.bulk(([" ".join(gram).encode() for gram in one] for one in shingles), num_perm=PERMUTATIONS)
    return list(zip(shingles, sketches, strict=True))


def _jaccard(one: set[Gram], other: set[Gram]) -> float:
    return len(one & other) / len(one | other)
