"""Stage 8, select: which 1,000 rows. The paper's Algorithm 1, the released code's variant, and the four baselines.

| how | who | what |
| --- | --- | --- |
| s1 | paper, Algorithm 1 | inclusion rules; then a domain, uniformly, and one of its rows, weighted 2^-rank by length |
| s1_code | released code | the same until 70 % are chosen, then domains weighted by how often benchmarks ask them |
| diverse | 1K-diverse | a domain, uniformly, and one of its rows, uniformly |
| random | 1K-random | any row, uniformly |
| longest | 1K-longest | the longest traces |
| full | 59K-full | every row |

*Rank by length*: the longest remaining trace of the domain has rank 0, so it is drawn half of the time. *Inclusion*:
rows that the teacher got right, all of GPQA and AIME, of MATH those longer than 5,600 tokens. An included row stays in
its domain's pool, and drawing it again changes nothing, as in the algorithm. Everything is drawn from one seed, from
rows sorted by id: the same rows in any order give the same choice (the released code was not seeded).
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from training.curate.stage import CurationError, Result, Row, question_id, reject

MIN_MATH_LENGTH = 5_600
"""Tokens; rows of MATH with longer traces are included."""
UNIFORM_SHARE = 0.7
"""Of the rows of `s1_code`, the share that is chosen before benchmarks weigh in (700 of 1,000)."""
HOWS = ("s1", "s1_code", "diverse", "random", "longest", "full")


def select(rows: Sequence[Mapping[str, Any]], how: str = "s1", count: int = 1000, seed: int = 0) -> list[Row]:
    """`count` of the rows, in the order in which they were chosen.

    rows: with `question`, and as `how` needs them `domain` (str), `length` (tokens), `source` and `teacher_correct`.
    Raises CurationError for an unknown `how`, a missing column, and fewer rows than `count` ("full" ignores `count`).
    """
    if how not in HOWS:
        raise CurationError(f"select how is {how!r}; expected one of {', '.join(HOWS)}")
    pool = sorted(({"id": question_id(row["question"]), **row} for row in rows), key=lambda row: str(row["id"]))
    if how == "full":
        return pool
    if len(pool) < count:
        raise CurationError(f"{len(pool)} rows are left to choose {count} from: lower the count or loosen a stage")
    for column in {"random": (), "longest": ("length",), "diverse": ("domain",)}.get(how, ("domain", "length")):
        lacking = sum(row.get(column) is None for row in pool)
        if lacking:
            raise CurationError(f"{lacking} of {len(pool)} rows have no {column}, which select how={how} needs")
    rng = random.Random(f"select-{how}-{seed}")
    if how == "random":
        return rng.sample(pool, count)
    if how == "longest":
        return sorted(pool, key=lambda row: -row["length"])[:count]
    if how == "diverse":
        return _by_domain(pool, [], count, rng, _any_row, lambda chosen: None)
    start = [row for row in pool if is_included(row)][:count]
    weights = benchmark_weights(pool) if how == "s1_code" else None
    uniform = math.ceil(UNIFORM_SHARE * count)
    return _by_domain(pool, start, count, rng, _long_row, lambda chosen: weights if chosen >= uniform else None)


def is_included(row: Mapping[str, Any]) -> bool:
    """Whether a row is in the selection before anything is drawn (paper, Algorithm 1, lines 4 to 12)."""
    if not row.get("teacher_correct"):
        return False
    return row.get("source") in ("GPQA", "AIME") or (row.get("source") == "MATH" and row["length"] > MIN_MATH_LENGTH)


def benchmark_weights(rows: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """How often benchmarks ask each domain, summing to 1: its rows of AIME, and of GPQA scaled to half of AIME's sum.

    Source: s1 code, `filter.ipynb`; the scaled counts are cut to integers there and here. Raises CurationError when
    the rows hold no AIME.
    """
    aime, gpqa = (
        Counter(str(row["domain"]) for row in rows if row.get("source") == source) for source in ("AIME", "GPQA")
    )
    if not aime:
        raise CurationError("select how=s1_code weighs domains by their AIME rows, but there are none: use how=s1")
    scale = 0.5 * aime.total() / gpqa.total() if gpqa else 0.0
    counts = aime + Counter({domain: int(scale * number) for domain, number in gpqa.items()})
    return {domain: number / counts.total() for domain, number in sorted(counts.items())}


def _by_domain(
    pool: Sequence[Row],
    start: Sequence[Row],
    count: int,
    rng: random.Random,
    draw: Callable[[int, random.Random], int],
    weights_after: Callable[[int], Mapping[str, float] | None],
) -> list[Row]:
    """Draws a domain and then one of its rows, longest first, until `count` rows are chosen.

    draw: of how many rows a domain has left -> the rank of one. weights_after: of how many rows are chosen -> the
    weights of the domains, None for all alike.
    """
    domains: dict[str, list[Row]] = {}
    for row in sorted(pool, key=lambda row: -(row.get("length") or 0)):
        domains.setdefault(str(row["domain"]), []).append(row)
    chosen = {row["id"]: row for row in start}
    while len(chosen) < count:
        open_domains = sorted(domains)
        weights = weights_after(len(chosen))
        shares = [weights.get(domain, 0.0) for domain in open_domains] if weights else []
        # Uniform also when every domain that benchmarks ask is empty.
        domain = rng.choices(open_domains, shares)[0] if any(shares) else rng.choice(open_domains)
        row = domains[domain].pop(draw(len(domains[domain]), rng))
        if not domains[domain]:
            del domains[domain]
        chosen[row["id"]] = row
    return list(chosen.values())


def _any_row(left: int, rng: random.Random) -> int:
    return rng.randrange(left)


def _long_row(left: int, rng: random.Random) -> int:
    """A rank below `left` with probability proportional to 2^-rank: the distribution's inverse at a uniform draw."""
    drawn = rng.random() * -math.expm1(-left * math.log(2))
    return min(left - 1, int(-math.log2(1.0 - drawn)))


def select_stage(rows: Sequence[Row], how: str = "s1", count: int = 1000, seed: int = 0) -> Result:
    """`select` as a stage, with what the choice looks like: domains, lengths and included rows."""
    chosen = select(rows, how, count, seed)
    ids = {row["id"] for row in chosen}
    rejected = [reject(row, "not chosen") for row in rows if row["id"] not in ids]
    domains = Counter(str(row.get("domain")) for row in chosen)
    lengths = [row["length"] for row in chosen if row.get("length") is not None]
    figures = {
        "how": how,
        "seed": seed,
        "included": sum(is_included(row) for row in chosen) if how.startswith("s1") else 0,
        "domains": dict(domains.most_common()),
        "thinking_tokens": sum(lengths),
    }
    return Result(chosen, rejected, figures)
