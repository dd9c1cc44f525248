"""What do the two contamination rules miss? Rewrites of benchmark questions, made by rules and by hand.

Each question of a benchmark (MATH500 and AIME24 of a directory, or made-up ones) is rewritten in ways that people and
models use; a rule misses a rewrite when it calls it clean. Paraphrases and translations cannot be made by rules, so
eight made-up questions have them by hand. False alarms: each question of every fifth is looked for in all the others.
The last line of the output is one JSON document.

    python -m benchmarks.bench_contamination [--questions DIR] [--rows 59000] [--report NAME]
"""

from __future__ import annotations

import argparse
import json
import random
import re
import resource
import time
from collections.abc import Callable
from typing import Any

from benchmarks.bench_curate import questions_of, synthetic_questions
from benchmarks.report import write_report
from training.curate.benchmark_questions import BenchmarkQuestion
from training.curate.decontaminate import decontaminate
from training.curate.strict import Index, check_strictly

Rewrite = Callable[[str, random.Random], str]


def _words(share: float) -> Rewrite:
    def rewrite(text: str, rng: random.Random) -> str:
        return " ".join("something" if rng.random() < share and word.isalpha() else word for word in text.split(" "))

    return rewrite


def _numbers(text: str, rng: random.Random) -> str:
    return re.sub(r"\d+", lambda found: str(int(found[0]) + rng.randint(1, 9)), text)


def _shuffled(text: str, rng: random.Random) -> str:
    sentences = re.split(r"(?<=[.?!])\s+", text)
    return " ".join(rng.sample(sentences, len(sentences)))


def _half(text: str, rng: random.Random) -> str:
    words = text.split()
    return " ".join(words[: max(1, len(words) // 2)])


def _wide(text: str, rng: random.Random) -> str:
    return "".join(chr(ord(one) + 0xFEE0) if "!" <= one <= "~" and one not in "\\{}$" else one for one in text)


def _accents(text: str, rng: random.Random) -> str:
    return re.sub(r"(?<!\\)\b([a-z])([aeo])", lambda found: f"{found[1]}{found[2]}\u0301", text)


REWRITES: dict[str, Rewrite] = {
    "as it is": lambda text, rng: text,
    "in a longer text": lambda text, rng: f"Dear tutor, here is my homework. {text} Please explain each step.",
    "spaces and capitals": lambda text, rng: "  ".join(text.split(" ")).replace("Find", "FIND").replace("What", "WHAT"),
    "zero-width spaces": lambda text, rng: text.replace(" ", "\u200b "),
    "full-width characters": _wide,
    "accents added": _accents,
    "no dollar signs": lambda text, rng: text.replace("$", ""),
    "other fractions and brackets": lambda text, rng: (
        text.replace("\\frac", "\\dfrac").replace("(", "\\left(").replace(")", "\\right)")
    ),
    "numbers changed": _numbers,
    "a word in ten changed": _words(0.1),
    "a word in five changed": _words(0.2),
    "sentences in another order": _shuffled,
    "the first half": _half,
}

# question, paraphrase in other words, German
BY_HAND = [
    (
        "A train leaves the station at noon and travels north at 60 miles per hour. How far has it gone by 3 p.m.?",
        "Heading north at 60 mph from twelve o'clock on, what distance does a locomotive cover in three hours?",
        "Ein Zug verlässt mittags den Bahnhof und fährt mit 60 Meilen pro Stunde. Wie weit ist er um 15 Uhr?",
    ),
    (
        "How many ways are there to arrange the letters of the word BANANA in a row?",
        "Count the distinct permutations of the multiset consisting of one B, two N and three A.",
        "Auf wie viele Arten lassen sich die Buchstaben des Wortes BANANA in einer Reihe anordnen?",
    ),
    (
        "Find the sum of all positive divisors of 360 that are not divisible by 3.",
        "Add up every natural number dividing 360 which three does not divide. What is the total?",
        "Bestimme die Summe aller positiven Teiler von 360, die nicht durch 3 teilbar sind.",
    ),
    (
        "A circle of radius 5 is inscribed in a square. What is the area inside the square but outside the circle?",
        "Take a square whose incircle has radius 5. Determine how much of its surface that disk leaves uncovered.",
        "Einem Quadrat ist ein Kreis mit Radius 5 einbeschrieben. Wie groß ist die Fläche außerhalb davon?",
    ),
    (
        "If x + y = 10 and xy = 21, what is the value of x^2 + y^2?",
        "Two numbers have sum 10 and product 21. Compute the sum of their squares.",
        "Wenn x + y = 10 und xy = 21 gilt, welchen Wert hat x^2 + y^2?",
    ),
    (
        "Three fair six-sided dice are rolled. What is the probability that all three show different numbers?",
        "When you throw a trio of ordinary dice, how likely is it that no value comes up twice?",
        "Drei faire Würfel werden geworfen. Wie groß ist die Wahrscheinlichkeit für drei verschiedene Zahlen?",
    ),
    (
        "The sequence begins 2, 5, 11, 23; each term is one more than twice the previous. What is the tenth term?",
        "Starting from 2, repeatedly double and add one. Which number stands in place ten?",
        "Die Folge beginnt mit 2, 5, 11, 23; jedes Glied ist das Doppelte des vorigen plus eins. Nenne das zehnte.",
    ),
    (
        "What is the remainder when 7^100 is divided by 13?",
        "Reduce the hundredth power of seven modulo thirteen.",
        "Welchen Rest lässt 7^100 bei der Division durch 13?",
    ),
]


def missed(index: Index, questions: list[BenchmarkQuestion], rewrite: Rewrite) -> tuple[float, float]:
    """Shares of rewritten questions that the strict rule and s1's rule call clean."""
    rng = random.Random(0)
    rows = [{"id": str(n), "question": rewrite(one.text, rng)} for n, one in enumerate(questions)]
    loose = {one.id for one in decontaminate(rows, questions).rejected}
    strict = sum(index.look(row["question"]) is not None for row in rows)
    return 1 - strict / len(rows), 1 - len(loose) / len(rows)


def by_hand() -> dict[str, tuple[float, float]]:
    questions = [BenchmarkQuestion("by hand", str(n), one[0]) for n, one in enumerate(BY_HAND)]
    index, found = Index(questions), {}
    for name, place in (("paraphrased by hand", 1), ("translated by hand", 2)):
        rows = [{"id": str(n), "question": one[place]} for n, one in enumerate(BY_HAND)]
        strict = sum(index.look(row["question"]) is not None for row in rows)
        found[name] = (1 - strict / len(rows), 1 - len(decontaminate(rows, questions).rejected) / len(rows))
    return found


def false_alarms(questions: list[BenchmarkQuestion]) -> tuple[float, float]:
    """Shares of questions that the rules find among all the others: what they share is a turn of phrase, or a twin."""
    strict = loose = 0
    chosen = range(0, len(questions), 5)
    for place in chosen:
        others = questions[:place] + questions[place + 1 :]
        strict += Index(others).look(questions[place].text) is not None
        loose += len(decontaminate([{"id": "0", "question": questions[place].text}], others).rejected)
    return strict / len(chosen), loose / len(chosen)


def cost(count: int, directory: str | None) -> dict[str, Any]:
    asked, which = questions_of(directory)
    rows = synthetic_questions(count, asked)
    started, cpu = time.perf_counter(), time.process_time()
    result = check_strictly(rows, asked)
    return {
        "rows": count,
        "questions": f"{len(asked)} ({which})",
        "seconds": round(time.perf_counter() - started, 1),
        "cpu_seconds": round(time.process_time() - cpu, 1),
        "peak_gb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2),
        "rejected": len(result.rejected),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--questions", help="directory with math500 and aime24 (default: made-up questions)")
    parser.add_argument("--rows", type=int, default=59_000)
    parser.add_argument("--report", help="write benchmarks/reports/NAME.md")
    options = parser.parse_args()
    asked, which = questions_of(options.questions)
    real = [one for one in asked if one.benchmark != "made up"] or asked
    index = Index(real)
    shares = {name: missed(index, real, rewrite) for name, rewrite in REWRITES.items()} | by_hand()
    alarms, costs = false_alarms(real), cost(options.rows, options.questions)
    results = {"questions": len(real), "missed": shares, "false_alarms": alarms, "cost": costs}
    lines = [
        f"{len(real)} questions ({which}). A rule misses a rewrite that it calls clean; the last two rows are eight "
        "made-up questions, rewritten by hand.",
        "",
        "| rewrite | missed by `strict` | missed by `s1` |",
        "| --- | --- | --- |",
        *(f"| {name} | {strict:.1%} | {loose:.1%} |" for name, (strict, loose) in shares.items()),
        "",
        f"False alarms, one question against all others: {alarms[0]:.1%} (`strict`), {alarms[1]:.1%} (`s1`).",
        "",
        f"{costs['rows']:,} rows against {costs['questions']}: {costs['cpu_seconds']} s of one CPU, "
        f"{costs['peak_gb']} GB.",
    ]
    print("\n".join(lines))
    if options.report:
        write_report(options.report, "Contamination: what the two rules miss", lines)
    print(json.dumps(results))


if __name__ == "__main__":
    main()
