"""Synthetic questions and rows shaped like s1's: how long questions are, and what the 24,517 hard ones look like.

No text of any data set is in here. Shapes come from the paper: Table 7 (rows and mean thinking tokens of each source),
Table 6 (domains of the 1,000 chosen rows) and the counts of its funnel. What the paper does not say is assumed:

- 700 of the 24,517 rows are AIME's, GPQA's, or the MATH rows that inclusion takes, 393 of them included; their domains
  have the distribution that, drawn as the released code draws, gives Table 6 on average;
- all other rows' domains follow a power law over Table 6's order, and no domain has fewer than 20 rows;
- thinking lengths are log-normal around the mean of a row's source, and end at 8,192 tokens (the teacher's limit);
- questions have log-normally many words, median 42, as competition problems do, at most 1,200.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

from training.curate.benchmark_questions import BenchmarkQuestion
from training.curate.sources import SOURCES
from training.curate.stage import Row, question_id

MAX_LENGTH = 8_192  # tokens
TABLE_6 = {
    "Geometry": 109, "Number theory": 98, "Combinatorics": 75, "Real functions": 43, "Biology": 41,
    "Complex functions": 32, "Quantum theory": 32, "Field theory": 28, "Calculus of variations": 28,
    "Difference equations": 24, "Electromagnetic theory": 23, "Group theory": 22, "Linear algebra": 22,
    "Probability theory": 20, "Algebraic systems": 19, "Mechanics": 19, "Thermodynamics": 19,
    "Differential equations": 18, "Computer science": 18, "Numerical analysis": 18, "Calculus": 17,
    "Algebraic structures": 17, "Astronomy": 16,
}  # fmt: skip
"""Rows of each named domain among s1's 1,000; the remaining domains have 242 together."""
REMAINING = 28  # 51 domains in all, as in the table's last line; its own line says 27
DOMAINS = (*TABLE_6, *(f"Remaining domain {number + 1}" for number in range(REMAINING)))
INCLUDED, COUNT, UNIFORM = 393, 1_000, 700
_BENCHMARK_ROWS = {"AIME": 360, "GPQA": 200, "MATH": 140}
_POWER, _SMALLEST = 1.1, 20


def benchmark_distribution() -> dict[str, float]:
    """The domains of the benchmark-like rows: Table 6 less what uniform draws give, as shares."""
    uniform = (UNIFORM - INCLUDED) / len(DOMAINS)
    remaining = (COUNT - sum(TABLE_6.values())) / REMAINING
    counts = {domain: TABLE_6.get(domain, remaining) - uniform for domain in DOMAINS}
    return {domain: count / sum(counts.values()) for domain, count in counts.items()}


def selection_pool(rows: int = 24_517, seed: int = 0) -> list[Row]:
    """Rows as the difficulty stage leaves them: domain, length, source, teacher_correct, without texts to speak of."""
    rng = random.Random(f"pool-{seed}")
    by_name = {source.name: source for source in SOURCES}
    others = [source for source in SOURCES if source.name not in ("AIME", "GPQA", "USACO", "LiveCodeBench")]
    weights = list(accumulate(source.paper_rows for source in others))
    shares = benchmark_distribution()
    likely = list(accumulate(shares.values()))
    popular = list(accumulate(1 / (rank + 1) ** _POWER for rank in range(len(DOMAINS))))
    named = [name for name, count in _BENCHMARK_ROWS.items() for _ in range(count)]
    included = set(rng.sample(range(len(named)), INCLUDED))
    made = []
    for number in range(rows):
        benchmark = number < len(named)
        source = by_name[named[number]] if benchmark else rng.choices(others, cum_weights=weights)[0]
        domain = rng.choices(DOMAINS, cum_weights=likely if benchmark else popular)[0]
        if not benchmark and number < len(named) + _SMALLEST * len(DOMAINS):
            domain = DOMAINS[number % len(DOMAINS)]
        length = thinking_length(source.paper_tokens, rng)
        if source.name == "MATH":
            length = 5_601 + length % (MAX_LENGTH - 5_601) if benchmark else min(length, 5_600)
        question = f"synthetic question {number} of pool {seed}"
        correct = number in included if benchmark else rng.random() < 0.4
        made.append(
            {
                "id": question_id(question),
                "question": question,
                "source": source.name,
                "domain": domain,
                "length": length,
                "teacher_correct": correct,
            }
        )
    return made


def thinking_length(mean: float, rng: random.Random, sigma: float = 0.6) -> int:
    """Tokens of one trace: log-normal with this mean, at least 64, cut at the teacher's limit."""
    return int(min(MAX_LENGTH, max(64, mean * rng.lognormvariate(-sigma * sigma / 2, sigma))))


class Writer:
    """Made-up text: words as unevenly frequent as in a language, questions as long as real ones."""

    def __init__(self, seed: int = 0, vocabulary: int = 12_000) -> None:
        self._rng = random.Random(f"writer-{seed}")
        letters = "etaoinshrdlucmfwypvbgkjqxz"
        self._words = ["".join(self._rng.choices(letters, k=self._rng.randint(1, 9))) for _ in range(vocabulary)]
        self._weights = list(accumulate(1 / (rank + 2) for rank in range(vocabulary)))

    def words(self, count: int) -> list[str]:
        return self._rng.choices(self._words, cum_weights=self._weights, k=count)

    def question(self) -> str:
        """A question of log-normally many words: median 42, mean about 55, at most 1,200."""
        count = int(min(1_200, max(4, self._rng.lognormvariate(3.74, 0.72))))
        return " ".join(self.words(count)).capitalize() + "?"

    def contaminated(self, asked: Sequence[BenchmarkQuestion]) -> str:
        """A question that holds between 6 and 12 words in a row of a benchmark question: some hit, some just miss."""
        words = self._rng.choice(asked).text.split()
        count = min(len(words), self._rng.randint(6, 12))
        start = self._rng.randrange(len(words) - count + 1)
        return " ".join([*self.words(20), *words[start : start + count], *self.words(20)])

    def long_text(self, characters: int) -> str:
        return " ".join(self.words(characters // 5))[:characters]


def full_rows(count: int, asked: Sequence[BenchmarkQuestion], seed: int = 0) -> list[dict[str, Any]]:
    """Rows with everything the model stages would make: trace, length, domain, graded attempts; real sizes of text.

    One in 50 questions comes near a benchmark's; half of the rows are too easy for the reference models.
    """
    writer, rng = Writer(seed), random.Random(f"rows-{seed}")
    thinking = writer.long_text(2_000_000)
    pool = selection_pool(count, seed)
    made = []
    for row in pool:
        characters = int(row["length"] * 3.5)
        start = rng.randrange(len(thinking) - characters)
        easy = rng.random() < 0.5
        made.append(
            {
                **row,
                "question": writer.contaminated(asked) if rng.random() < 0.02 else writer.question(),
                "solution": "By the theorem.",
                "reference": "4",
                "thinking": thinking[start : start + characters],
                "answer": "So the answer is 4.",
                "attempts": {"small": {"correct": False}, "large": {"correct": easy}},
            }
        )
        del made[-1]["id"]
    return made
