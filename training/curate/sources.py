"""The 16 sources of s1's 59K questions as data: where each is, which rows count, which columns hold what.

Source: s1 (arXiv 2501.19393) section 2.2 and appendix C (Table 7: rows and mean thinking tokens), and the released
code for ids, splits and columns. Where this differs from the code on purpose, docs/decisions/0030 says so.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from s1_contract.tasks import TASKS
from s1_tasks.answers import Kind
from training.curate.stage import CurationError

LAST_AIME_YEAR = 2021
"""The paper's text; 2022 to 2023 were its development set. The released code takes 2022 as well (`aime_until`)."""


@dataclass(frozen=True, slots=True)
class Part:
    """A configuration and a split of a dataset on the Hub.

    files: JSON Lines of the dataset that are read instead, where it is a script, which `datasets` 4 and later refuse.
    """

    config: str | None
    split: str
    files: tuple[str, ...] = ()


def _same(found: Any, wanted: Any) -> bool:
    """Whether a column holds a value; where columns have gaps, whole numbers come back as 5.0."""
    return str(found).removesuffix(".0") == str(wanted)


@dataclass(frozen=True, slots=True)
class Keep:
    """A condition on a column; a row that fails one is not collected."""

    column: str
    test: Literal["is", "at most", "absent", "present", "absent or is"]
    value: Any = None

    def holds(self, row: Mapping[str, Any]) -> bool:
        found = row.get(self.column)
        if self.test == "absent":
            return found in (None, "")
        if self.test == "present":
            return found not in (None, "", [])
        if self.test == "absent or is":
            return found in (None, "") or _same(found, self.value)
        if self.test == "is":
            return _same(found, self.value)
        return found is not None and int(found) <= int(self.value)


@dataclass(frozen=True, slots=True)
class Take:
    """A seeded draw of `count` rows, spread evenly over the groups that the columns make."""

    count: int
    spread: tuple[str, ...] = ()
    seed: int = 42


@dataclass(frozen=True, slots=True)
class Source:
    """One source.

    question: columns joined by line breaks, empty ones left out. solution, reference: the first column that is filled;
    `reference` is the gold final answer alone. choices: the right one first (shown in an order that depends on their
    texts only). tags: columns that go into s1's `source_type`. clean: what is done to the question's text.
    minus: rows whose question also occurs there are not collected. paper_rows and paper_tokens: Table 7.
    """

    name: str
    hub: str
    parts: tuple[Part, ...]
    question: tuple[str, ...]
    solution: tuple[str, ...]
    paper_rows: int
    paper_tokens: int
    cot_type: str = "math"
    reference: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    keep: tuple[Keep, ...] = ()
    take: Take | None = None
    clean: Callable[[str], str] | None = None
    minus: Part | None = None
    kind: Kind = "math"


def _clean_scieval(text: str) -> str:
    """The question without its trailing "Answer:", and with what is asked for as a question."""
    asked = text.split("\n\nAnswer:", maxsplit=1)[0]
    return re.sub(r"\nOptimal (solvent|ligand|reactant):?\s*$", r"\nWhat is the optimal \1?", asked)


def _clean_crossword(text: str) -> str:
    clue = text.rsplit("### Clue:", maxsplit=1)[-1].strip()
    return f"Solve this crossword clue. The number in brackets is the length of the answer.\n\n{clue}"


_ARENA = ("Math", "Physics", "Chemistry", "Biology", "Geography", "Astronomy", "CS")
_OLYMPIAD = ("OE_TO_maths_en_COMP", "OE_TO_physics_en_COMP", "TP_TO_maths_en_COMP", "TP_TO_physics_en_COMP")
_AGIEVAL = ("sat_en", "sat_math", "lsat_ar", "lsat_lr", "lsat_rc", "logiqa", "aqua_rat", "math_agieval")

SOURCES: tuple[Source, ...] = (
    Source(
        "MATH", TASKS["math500"].hub, (Part(None, "train"),), ("problem",), ("solution",), 11_999, 2_900,
        reference=("answer",), tags=("subject",),
    ),
    Source(
        "OlympicArena", "GAIR/OlympicArena", tuple(Part(name, split) for name in _ARENA for split in ("test", "val")),
        ("problem",), ("solution",), 4_250, 3_200, cot_type="science", reference=("answer",), tags=("subject",),
        keep=(Keep("language", "is", "EN"), Keep("modality", "is", "text-only")),
    ),
    Source(
        "TheoremQA", "TIGER-Lab/TheoremQA", (Part(None, "test"),), ("Question",), ("Answer",), 747, 2_100,
        reference=("Answer",), tags=("Answer_type",), keep=(Keep("Picture", "absent"),),
    ),
    Source(
        "NuminaMath", "AI-MO/NuminaMath-CoT", (Part(None, "train"),), ("problem",), ("solution",), 30_660, 4_100,
        tags=("source",), keep=(Keep("source", "is", "aops_forum"),),
    ),
    Source(
        "Omni-MATH", "KbsdJames/Omni-MATH", (Part(None, "test"),), ("problem",), ("solution",), 4_238, 4_400,
        reference=("answer",),
    ),
    Source(
        "SciEval", "OpenDFM/SciEval", (Part(None, "test"), Part(None, "validation")), ("question",), ("answer",), 227,
        700, cot_type="science", reference=("answer",), tags=("category", "type", "task_name"),
        keep=(Keep("answer", "present"),), take=Take(250, spread=("task_name", "topic")), clean=_clean_scieval,
    ),
    Source(
        "OlympiadBench", "Hothan/OlympiadBench", tuple(Part(name, "train") for name in _OLYMPIAD),
        ("context", "question"), ("solution",), 896, 3_900, reference=("final_answer",),
        tags=("question_type", "subject"),
    ),
    Source(
        "JEEBench", "daman1209arora/jeebench", (Part(None, "test"),), ("question",), ("gold",), 515, 2_900,
        reference=("gold",), tags=("subject",),
    ),
    Source(
        "AGIEval", "baber/agieval", tuple(Part(name, split) for name in _AGIEVAL for split in ("test", "few_shot")),
        ("passage", "question", "options"), ("solution", "label", "answer"), 2_385, 1_200,
        reference=("label", "answer"), keep=(Keep("level", "absent or is", 5),),
    ),
    Source(
        "StatsQual", "simplescaling/s1-prob", (Part(None, "train"),), ("question",), ("solution",), 182, 4_000,
    ),
    Source(
        "GPQA", TASKS["gpqa_diamond"].hub, (Part("gpqa_extended", "train"),), ("Question",), ("Explanation",), 348,
        2_900,
        cot_type="science", kind="choice", minus=Part("gpqa_diamond", "train"), tags=("High-level domain",),
        choices=("Correct Answer", "Incorrect Answer 1", "Incorrect Answer 2", "Incorrect Answer 3"),
    ),
    Source(
        "XWord", "0xharib/xword1", (Part(None, "train"),), ("input",), ("output",), 999, 700, cot_type="crossword",
        take=Take(1_000), clean=_clean_crossword,
    ),
    Source(
        "USACO", "codegenning/usacobench_formatted", (Part(None, "test"),), ("question",), (), 519, 3_600,
        cot_type="coding",
    ),
    Source(
        "Quant", "simplescaling/s1-teasers", (Part(None, "train"),), ("Question",), ("Answer",), 23, 4_100,
        reference=("Answer",),
    ),
    Source(
        "LiveCodeBench", "livecodebench/code_generation_lite",
        # What its script calls release_v3: versions 1 and 2 and what came since.
        (Part("release_v3", "test", ("test.jsonl", "test2.jsonl", "test3.jsonl")),), ("question_content",), (), 151,
        3_500, cot_type="coding", keep=(Keep("difficulty", "is", "hard"),),
    ),
    Source(
        "AIME", "qq8933/AIME_1983_2024", (Part(None, "train"),), ("Question",), ("Answer",), 890, 4_700,
        reference=("Answer",), keep=(Keep("Year", "at most", LAST_AIME_YEAR),), kind="integer",
    ),
)  # fmt: skip
"""In the paper's order of loading; 59,029 rows in all."""


def choose(names: Sequence[str] = (), *, aime_until: int = LAST_AIME_YEAR) -> tuple[Source, ...]:
    """The named sources (all when none is named), with AIME up to and including a year.

    Raises CurationError for a name that is no source, and for AIME years that belong to the benchmarks.
    """
    if not 1983 <= aime_until <= 2023:
        raise CurationError(f"aime_until is {aime_until}; expected 1983 to 2023: AIME 2024 is a benchmark")
    known = {source.name: source for source in SOURCES}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise CurationError(f"unknown sources {', '.join(unknown)}; expected some of {', '.join(known)}")
    chosen = [known[name] for name in names] if names else list(SOURCES)
    return tuple(
        replace(source, keep=(Keep("Year", "at most", aime_until),)) if source.name == "AIME" else source
        for source in chosen
    )
