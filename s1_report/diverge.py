"""Where two runs of one setting part: the noise that engines, versions and number formats make by themselves.

Two traces of the same question are compared token by token. The files are read line by line; in memory are the places
of the traces in one file, one pair of traces at a time, and one `Parting` for each pair that differs.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import chain
from statistics import median
from typing import Any, BinaryIO

from s1_contract.places import TRACES_FILE
from s1_report.collect import Run
from s1_report.record import ReportError

HEADERS = ("question", "repeat", "tokens in common", "of", "in", "round", "base", "new", "answer")
LONGEST = 40
"""Characters of the differing text that are shown."""

Key = tuple[str, int]
"""Question (the key of its record) and repeat."""


@dataclass(frozen=True, slots=True)
class Parting:
    """Where one pair of transcripts parts. common: tokens before it, of `length` in the base. phase: thinking or
    answering. wait: how many waits came before. into: share of the base's thinking that came before, 0 to 1; None
    outside the thinking. base, new: the word in which the first differing token lies; "" where a side has ended.
    tokens: its ids, None where a side has ended. before, after: 0 to 1, how right the answer is; None when unknown.
    """

    question: str
    repeat: int
    common: int
    length: int
    phase: str
    wait: int
    into: float | None
    base: str
    new: str
    tokens: tuple[int | None, int | None]
    before: float | None
    after: float | None

    @property
    def flips(self) -> bool:
        """Whether the answer turned from right to wrong or back."""
        return _turns(self.before, self.after)


@dataclass(slots=True)
class Divergence:
    """What two runs have in common. pairs: transcripts compared. unpaired: traces of one side only. flips_elsewhere:
    answers that turned although the transcripts are identical, which only another answer check can do.
    """

    task: str
    pairs: int = 0
    unpaired: int = 0
    flips_elsewhere: int = 0
    partings: list[Parting] = field(default_factory=list)

    @property
    def identical(self) -> int:
        """Transcripts that are the same, token by token."""
        return self.pairs - len(self.partings)

    @property
    def flips(self) -> tuple[int, int]:
        """(right to wrong, wrong to right) among the transcripts that part."""
        lost = sum(part.flips and (part.before or 0.0) >= 0.5 for part in self.partings)
        return lost, sum(part.flips for part in self.partings) - lost

    @property
    def noise(self) -> float:
        """Standard deviation of the change of accuracy (0 to 1) that so many flips make when each goes either way."""
        return math.sqrt(sum(self.flips)) / self.pairs if self.pairs else 0.0

    def first(self, most: int) -> list[Parting]:
        """At most so many partings: those that turned an answer, then the earliest."""
        return sorted(self.partings, key=lambda part: (not part.flips, part.common))[:most]

    def sentences(self) -> list[str]:
        """All of it in words."""
        found = [f"{self.identical} of {self.pairs} transcripts are identical, token by token"]
        if self.partings:
            found[0] += f"; the others part after {median(p.common for p in self.partings):.0f} tokens (median)"
            found.append(self._place())
        found += self._turned()
        if self.unpaired:
            found.append(f"{self.unpaired} traces have no counterpart and are left out")
        return found

    def _place(self) -> str:
        thinking = [part.into for part in self.partings if part.into is not None]
        places = {"the thinking": len(thinking), "the answer": len(self.partings) - len(thinking)}
        where = ", ".join(f"{count} in {place}" for place, count in places.items() if count)
        into = f", there {100 * median(thinking):.0f} % into it (median)" if thinking else ""
        return f"the first difference lies {where}{into}"

    def _turned(self) -> list[str]:
        """The answers that turned between right and wrong."""
        lost, gained = self.flips
        turned = lost + gained + self.flips_elsewhere
        if not turned:
            return ["no answer turned between right and wrong"]
        found = [
            f"{lost + gained} of {turned} answers that turned between right and wrong are in transcripts that part "
            f"({lost} lost, {gained} gained): noise of this kind moves the accuracy by about "
            f"{100 * self.noise:.1f} points (one standard deviation)"
        ]
        if self.flips_elsewhere:
            found.append(f"{self.flips_elsewhere} turned in identical transcripts: the answer check is another one")
        return found


def _turns(before: float | None, after: float | None) -> bool:
    return before is not None and after is not None and (before >= 0.5) != (after >= 0.5)


def diverge(base: Run, new: Run) -> Divergence:
    """Compares the traces of two runs of the same questions, all repeats. Raises ReportError without traces."""
    found = Divergence(new.record.task)
    before, after = _Side(base), _Side(new)
    places = dict(after.places())
    paired = 0
    with after.path.open("rb") as file:
        for key, spans in before.traces():
            place = places.get(key)
            if place is None:
                found.unpaired += 1
                continue
            paired += 1
            _compare(found, key, spans, after.at(file, place), before.right(key), after.right(key))
    found.pairs = paired
    found.unpaired += len(places) - paired
    return found


def has_traces(run: Run) -> bool:
    """Whether a traces file lies beside the run's samples."""
    return _Side(run).path.exists()


class _Side:
    """The traces of one run in its `traces.jsonl`."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.path = run.samples.parent / TRACES_FILE
        self.name = run.date, run.record.task
        self.correct = {question.key: question.correct for question in run.record.questions}
        self.keys: dict[Any, str] = {}

    def places(self) -> Iterator[tuple[Key, int]]:
        """(key, byte at which its line begins) of every trace of this run."""
        return ((key, place) for key, place, _ in self._lines())

    def traces(self) -> Iterator[tuple[Key, list[Mapping[str, Any]]]]:
        """(key, spans) of every trace of this run, in the order of the file."""
        return ((key, self._spans(row, place)) for key, place, row in self._lines())

    def at(self, file: BinaryIO, place: int) -> list[Mapping[str, Any]]:
        """The spans of the trace that begins at a byte."""
        file.seek(place, os.SEEK_SET)
        return self._spans(json.loads(file.readline()), place)

    def right(self, key: Key) -> float | None:
        """How right the answer is, 0 to 1; None when the log does not say it of this repeat."""
        values = self.correct.get(key[0], ())
        return values[key[1]] if key[1] < len(values) else None

    def _lines(self) -> Iterator[tuple[Key, int, dict[str, Any]]]:
        """Every line of this run. A question that the record lacks is passed over: its samples were left out too."""
        if not self.path.exists():
            raise ReportError(f"{self.path}: missing; diverge needs the traces of s1 models, with --log_samples")
        self.keys = self.keys or _keys(self.run)
        found = False
        with self.path.open("rb") as file:
            place = 0
            for line in file:
                row = self._row(line, place)
                if row and (row.get("run"), row.get("task")) == self.name and row.get("doc_id") in self.keys:
                    found = True
                    yield (self.keys[row["doc_id"]], _repeat(row)), place, row
                place += len(line)
        if not found:
            raise ReportError(
                f"{self.path}: no trace of {self.name[1]} at {self.name[0]} in it: it belongs to another run, or it "
                "was cut short; keep it beside the samples it was written with"
            )

    def _row(self, line: bytes, place: int) -> dict[str, Any] | None:
        if not line.strip():
            return None
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise ReportError(f"{self.path}, byte {place}: damaged JSON ({error}): remove the line") from None
        if not isinstance(row, dict):
            raise ReportError(f"{self.path}, byte {place}: a JSON {type(row).__name__}, expected a trace: remove it")
        return row

    def _spans(self, row: Mapping[str, Any], place: int) -> list[Mapping[str, Any]]:
        spans = row.get("spans")
        whole = isinstance(spans, list) and all(
            isinstance(span, dict) and isinstance(span.get("tokens"), list) and isinstance(span.get("text"), str)
            for span in spans
        )
        if not whole:
            raise ReportError(f"{self.path}, byte {place}: a trace whose spans lack text or tokens: remove the line")
        return spans  # type: ignore[return-value]


def _repeat(row: Mapping[str, Any]) -> int:
    repeat = row.get("repeat")
    return repeat if isinstance(repeat, int) else 0


def _keys(run: Run) -> dict[Any, str]:
    """doc_id -> the question's key in the record."""
    known = {question.key for question in run.record.questions}
    hashes = ((row.get("doc_id"), str(row.get("doc_hash", ""))[:16]) for _, row in run.rows())
    return {number: key for number, key in hashes if key in known}


def _compare(
    found: Divergence,
    key: Key,
    base: list[Mapping[str, Any]],
    new: list[Mapping[str, Any]],
    before: float | None,
    after: float | None,
) -> None:
    old_tokens, new_tokens = (list(chain.from_iterable(span["tokens"] for span in spans)) for spans in (base, new))
    if old_tokens == new_tokens:
        found.flips_elsewhere += _turns(before, after)
        return
    common = _common(old_tokens, new_tokens)
    phase, wait, into = _where(base if common < len(old_tokens) else new, common, base)
    ids = (_at(old_tokens, common), _at(new_tokens, common))
    words = _words(_text(base), _text(new))
    found.partings.append(Parting(*key, common, len(old_tokens), phase, wait, into, *words, ids, before, after))


def _common(old: Sequence[Any], new: Sequence[Any]) -> int:
    """How many items two sequences begin with alike."""
    return next((i for i, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new)))


def _at(tokens: list[int], place: int) -> int | None:
    return tokens[place] if place < len(tokens) else None


def _where(spans: list[Mapping[str, Any]], common: int, base: list[Mapping[str, Any]]) -> tuple[str, int, float | None]:
    """(phase, waits before, share of the base's thinking before) of token number `common`."""
    start = waits = 0
    thought = 0
    phase = ""
    for span in spans:
        length, phase = len(span["tokens"]), str(span.get("phase", ""))
        if phase == "thinking":
            waits += bool(span.get("forced"))
            thought += min(length, common - start)
        if start + length > common:
            break
        start += length
    whole = sum(len(span["tokens"]) for span in base if span.get("phase") == "thinking")
    return phase, waits, min(1.0, thought / whole) if phase == "thinking" and whole else None


def _text(spans: list[Mapping[str, Any]]) -> str:
    return "".join(span["text"] for span in spans)


WORD = re.compile(r"\s*\S*")


def _words(base: str, new: str) -> tuple[str, str]:
    """The words, and the space before them, in which two texts begin to differ; "" for a text that has ended."""
    common = _common(base, new)
    word = re.search(r"\s*\S*\Z", base[max(0, common - LONGEST) : common])  # bounded: some texts have no spaces
    start = common - len(word[0] if word else "")
    return _word(base, start, common), _word(new, start, common)


def _word(text: str, start: int, common: int) -> str:
    if common >= len(text):
        return ""
    match = WORD.match(text, common)
    word = text[start : match.end() if match else None]
    return word if len(word) <= LONGEST else f"{word[: LONGEST // 2]}...{word[-LONGEST // 2 :]}"


def as_json(found: Sequence[Divergence]) -> str:
    """Everything, one object per task."""
    rows = [
        {
            "task": one.task,
            "pairs": one.pairs,
            "identical": one.identical,
            "unpaired": one.unpaired,
            "lost": one.flips[0],
            "gained": one.flips[1],
            "flips_in_identical_transcripts": one.flips_elsewhere,
            "noise": one.noise,
            "partings": [asdict(part) for part in one.partings],
        }
        for one in found
    ]
    return json.dumps(rows, indent=1, ensure_ascii=False) + "\n"


def row(part: Parting) -> tuple[str, ...]:
    """The columns of HEADERS."""
    counts = (part.repeat, part.common, part.length, part.phase, part.wait)
    texts = (_shown(text, token) for text, token in zip((part.base, part.new), part.tokens, strict=True))
    return (part.question, *map(str, counts), *texts, _answer(part))


def _shown(text: str, token: int | None) -> str:
    return "(end)" if token is None else f"{json.dumps(text, ensure_ascii=False)} {token}"


def _answer(part: Parting) -> str:
    if part.before is None or part.after is None:
        return "?"
    words = ["right" if value >= 0.5 else "wrong" for value in (part.before, part.after)]
    return f"{words[0]} to {words[1]}" if part.flips else words[0]
