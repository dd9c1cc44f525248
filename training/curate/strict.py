"""The stricter rule of `check`: is anything of a benchmark in these rows that a reader would call the same question?

s1's rule (`decontaminate.py`) compares eight white-space words as they are written. It cannot see a short question, a
script without spaces, or a copy with other characters. Here texts are first brought to one form, and then four rules
look at them; each rejection names the rule and what it saw.

| rule | what it finds |
| --- | --- |
| same question | equal texts, at any length |
| whole question | all of a question inside a longer text |
| run | eight words in a row, or sixteen characters of a script without spaces |
| near | most of a question's runs of three tokens, wherever they stand: a copy with changed numbers or words |

What it cannot see, by its nature: a paraphrase in other words, and a translation. docs/decisions/0032 has the shares of
made-up rewrites that it misses.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from training.curate.benchmark_questions import BenchmarkQuestion, describe
from training.curate.decontaminate import WORDS_IN_A_ROW, grams, summarize, words_of
from training.curate.stage import CurationError, Rejection, Result, Row, reject

CHARACTERS_IN_A_ROW = 16  # of a script without spaces: about as much as eight words
LEAST_WHOLE = 4  # tokens of a question that is looked for inside a longer text; a shorter one must be equal
LEAST_WHOLE_WIDE = 8  # the same, counted in characters of a script without spaces
NEAR = 0.6  # share of a question's runs of three tokens that a row must hold
LEAST_NEAR = 6  # runs of three tokens of a question for which a share means something
RULES = ("same question", "whole question", "run", "near")

# Scripts that are written without spaces between words: Chinese, Japanese, Thai, Lao, Khmer, Burmese, Tibetan.
_WIDE = "\u0e00-\u0eff\u0f00-\u0fff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
_WIDE += "\uf900-\ufaff\U00020000-\U0003ffff"
_OPERATORS = "-+*/=<>^|%!"
_TOKEN = re.compile(rf"[{_WIDE}]|[^\W_{_WIDE}]+|[{re.escape(_OPERATORS)}]")
_WIDE_TOKEN = re.compile(rf"[{_WIDE}]")
_MARKUP = re.compile(r"\\(?:left|right|displaystyle|text|mathrm|mathbf|operatorname|[,;:! ])|\\[dt]frac")
_SPELT = {"\\dfrac": "\\frac", "\\tfrac": "\\frac"}
_DASHES = str.maketrans(dict.fromkeys("‐‑‒–—−﹣－", "-") | {"×": "*", "·": "*", "÷": "/"})


def normal(text: str) -> str:
    """One form of a text: letters without case, diacritics and compatibility forms, no invisible characters."""
    if not text.isascii():
        text = unicodedata.normalize("NFKD", text.translate(_DASHES))
        text = "".join(one for one in text if one.isspace() or unicodedata.category(one) not in ("Mn", "Cf", "Cc"))
    return _MARKUP.sub(lambda found: _SPELT.get(found[0], " "), text).casefold()


def tokens_of(text: str) -> list[str]:
    """Words, numbers and operators in order; each character of a script without spaces is one. No punctuation."""
    return _TOKEN.findall(normal(text))


@dataclass(frozen=True)
class _Text:
    """A text as the rules see it. words: what white space separates, without punctuation. wide: characters."""

    tokens: list[str]
    words: list[str]
    wide: str
    raw: str

    @classmethod
    def of(cls, text: str) -> _Text:
        plain = normal(text)
        tokens = _TOKEN.findall(plain)
        words = ["".join(_TOKEN.findall(one)) or one for one in plain.split()]
        return cls(tokens, words, "".join(one for one in tokens if one >= "\u0e00" and _WIDE_TOKEN.match(one)), text)

    def runs(self) -> Iterator[tuple[str, ...] | str]:
        """Runs of words and of characters that must not be shared; s1's, as they are written, are among them."""
        yield from grams(words_of(self.raw), WORDS_IN_A_ROW)
        yield from grams(self.words, WORDS_IN_A_ROW)
        for start in range(len(self.wide) - CHARACTERS_IN_A_ROW + 1):
            yield self.wide[start : start + CHARACTERS_IN_A_ROW]

    def shingles(self) -> dict[tuple[str, ...], None]:
        """Runs of three tokens, each once, with any number in place of a number."""
        return dict.fromkeys(grams(["0" if one.isdecimal() else one for one in self.tokens], 3))


@dataclass(frozen=True)
class _Found:
    """Which question a row holds, by which rule, and what the rule saw."""

    number: int
    rule: str
    seen: str


class Index:
    """The benchmarks' questions, ready to be looked for. Raises CurationError where there are none."""

    def __init__(self, questions: Sequence[BenchmarkQuestion], near: float = NEAR) -> None:
        if not questions:
            raise CurationError("there are no benchmark questions to check against; name benchmarks and where they are")
        if not 0 < near <= 1:
            raise CurationError(f"near is {near:g}; expected a share above 0 and at most 1, such as {NEAR}")
        self.near = near
        self._equal: dict[str, int] = {}
        self._runs: dict[Any, int] = {}
        self._by_shingle: defaultdict[tuple[str, ...], list[int]] = defaultdict(list)
        self._by_beginning: defaultdict[tuple[str, ...], list[int]] = defaultdict(list)
        self._needed: list[int] = []
        self._whole: list[str] = []
        for number, question in enumerate(questions):
            text = _Text.of(question.text)
            self._equal.setdefault(" ".join(text.tokens), number)
            for run in text.runs():
                self._runs.setdefault(run, number)
            shingles = text.shingles()
            self._needed.append(len(shingles) if len(shingles) >= LEAST_NEAR else 0)
            for shingle in shingles:
                self._by_shingle[shingle].append(number)
            self._whole.append(f" {' '.join(text.tokens)} ")
            wide = sum(1 for one in text.tokens if _WIDE_TOKEN.match(one))
            if len(text.tokens) - wide >= LEAST_WHOLE or len(text.tokens) >= LEAST_WHOLE_WIDE:
                self._by_beginning[tuple(text.tokens[:3])].append(number)

    def look(self, question: str) -> _Found | None:
        """The first thing that a row's question shares with a benchmark's, by the rules in their order."""
        text = _Text.of(question)
        key = " ".join(text.tokens)
        if key in self._equal:
            return _Found(self._equal[key], "same question", key)
        padded = f" {key} "
        for beginning in grams(text.tokens, 3):
            for number in self._by_beginning.get(beginning, ()):
                if _stands_alone(self._whole[number], padded):
                    return _Found(number, "whole question", self._whole[number].strip())
        if not self._runs.keys().isdisjoint(text.runs()):
            run = next(one for one in text.runs() if one in self._runs)
            return _Found(self._runs[run], "run", run if isinstance(run, str) else " ".join(run))
        return self._near(text.shingles())

    def _near(self, shingles: dict[tuple[str, ...], None]) -> _Found | None:
        shared: Counter[int] = Counter()
        for shingle in shingles:
            if shingle in self._by_shingle:
                shared.update(self._by_shingle[shingle])
        for number, count in shared.most_common():
            if self._needed[number] and count >= self.near * self._needed[number]:
                return _Found(number, "near", f"{count} of {self._needed[number]} runs of three")
        return None


def _stands_alone(question: str, text: str) -> bool:
    """Whether a question stands in a text and is not a part of a longer formula there; both padded with spaces."""
    before, found, after = text.partition(question)
    return bool(found) and not {before[-1:], after[:1]} & set(_OPERATORS)


def check_strictly(rows: Sequence[Row], questions: Sequence[BenchmarkQuestion], near: float = NEAR) -> Result:
    """Rejects every row that holds a benchmark question by one of the four rules.

    figures: as of `decontaminate`: {"contamination": the report without its texts, "report": in full}.
    """
    index = Index(questions, near)
    kept: list[Row] = []
    rejected: list[Rejection] = []
    hits: list[dict[str, Any]] = []
    for row in rows:
        found = index.look(row["question"])
        if found is None:
            kept.append(row)
            continue
        question = questions[found.number]
        hits.append(
            {
                "id": row["id"],
                "source": row.get("source", ""),
                "benchmark": question.benchmark,
                "question": question.id,
                "rule": found.rule,
                "words": found.seen,
            }
        )
        detail = f"{question.benchmark} {question.id}, {found.rule}: {found.seen!r}"
        rejected.append(reject(row, f"{found.rule} of {question.benchmark}", detail))
    report = {
        "rule": "strict",
        "words_in_a_row": WORDS_IN_A_ROW,
        "characters_in_a_row": CHARACTERS_IN_A_ROW,
        "near": near,
        "benchmarks": describe(questions),
        "rows_checked": len(rows),
        "rows_rejected": len(rejected),
        "hits": hits,
    }
    return Result(kept, rejected, {"contamination": summarize(report), "report": report})
