"""Our tasks as data: where the rows are, how many there are, and what other people call the benchmark.

The task files (`s1_tasks/*.yaml`) are tested against this table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from s1_contract.outcomes import Kind


@dataclass(frozen=True, slots=True)
class TaskData:
    """A task's rows. title: the benchmark's name for people. hub, config, split: the place on the Hub. rows: questions.

    answer_kind: how answers are read. revision: commit of the data set; None takes the newest.
    """

    title: str
    hub: str
    rows: int
    answer_kind: Kind
    config: str | None = None
    split: str = "train"
    revision: str | None = None


@dataclass(frozen=True, slots=True)
class Leaderboard:
    """A benchmark that the Hub knows: its data set carries `eval.yaml`.

    task_id: the name of the task in there. perfect: the value of a perfect score, 1 or 100. seen: where that was read.
    """

    dataset: str
    task_id: str
    perfect: float
    seen: str


TASKS: Final = {
    "aime24": TaskData("AIME 2024", "simplescaling/aime24_nofigures", 30, "integer"),
    "aime24_figures": TaskData("AIME 2024", "simplescaling/aime24_figures", 30, "integer"),
    "aime25": TaskData("AIME 2025", "TIGER-Lab/AIME25", 30, "integer"),
    "aime26": TaskData("AIME 2026", "MathArena/aime_2026", 30, "integer"),
    "math500": TaskData("MATH-500", "simplescaling/openaimath", 500, "math", split="test"),
    "gpqa_diamond": TaskData("GPQA Diamond", "Idavidrein/gpqa", 198, "choice", config="gpqa_diamond"),
    "hmmt_feb_2025": TaskData("HMMT February 2025", "MathArena/hmmt_feb_2025", 30, "math"),
    "hmmt_nov_2025": TaskData("HMMT November 2025", "MathArena/hmmt_nov_2025", 30, "math"),
    "hmmt_feb_2026": TaskData("HMMT February 2026", "MathArena/hmmt_feb_2026", 33, "math"),
    "brumo_2025": TaskData("BRUMO 2025", "MathArena/brumo_2025", 30, "math"),
    "smt_2025": TaskData("SMT 2025", "MathArena/smt_2025", 53, "math"),
    "cmimc_2025": TaskData("CMIMC 2025", "MathArena/cmimc_2025", 40, "math"),
    "apex_2025": TaskData("Apex 2025", "MathArena/apex_2025", 12, "math"),
    "apex_shortlist": TaskData("Apex Shortlist", "MathArena/apex-shortlist", 48, "math"),
    "beyond_aime": TaskData("BeyondAIME", "ByteDance-Seed/BeyondAIME", 100, "integer", split="test"),
    "imo_answerbench": TaskData("IMO-AnswerBench", "Hwilner/imo-answerbench", 400, "math"),
    "olymmath_en_easy": TaskData(
        "OlymMATH (English, easy)", "RUC-AIBOX/OlymMATH", 100, "math", config="en-easy", split="test"
    ),
    "olymmath_en_hard": TaskData(
        "OlymMATH (English, hard)", "RUC-AIBOX/OlymMATH", 100, "math", config="en-hard", split="test"
    ),
    "olymmath_zh_easy": TaskData(
        "OlymMATH (Chinese, easy)", "RUC-AIBOX/OlymMATH", 100, "math", config="zh-easy", split="test"
    ),
    "olymmath_zh_hard": TaskData(
        "OlymMATH (Chinese, hard)", "RUC-AIBOX/OlymMATH", 100, "math", config="zh-hard", split="test"
    ),
    "amc23": TaskData("AMC 2023", "math-ai/amc23", 40, "integer", split="test"),
}
"""Task -> its rows."""

SAME_ROWS: Final = {
    "aime24_nofigures": "aime24",
    "aime24_nofigures_agg64": "aime24",
    "aime24_figures_agg64": "aime24_figures",
    "aime25_nofigures": "aime25",
    "openai_math": "math500",
    "openai_math_agg64": "math500",
    "gpqa_diamond_openai": "gpqa_diamond",
    "gpqa_diamond_openai_agg64": "gpqa_diamond",
}
"""s1's own task names -> the task with the same rows."""

LEADERBOARDS: Final = {
    "gpqa_diamond": Leaderboard(
        "Idavidrein/gpqa", "diamond", 100.0, "published files (90.5, 85.7, 76.1); hub-docs' example differs"
    ),
    "aime26": Leaderboard("MathArena/aime_2026", "MathArena/aime_2026", 100.0, "published files"),
    "hmmt_feb_2026": Leaderboard("MathArena/hmmt_feb_2026", "MathArena/hmmt_feb_2026", 100.0, "published files"),
}
"""Task -> the benchmark registered on the Hub (2026)."""


def rows_of(task: str) -> TaskData | None:
    """Where a task of ours has its rows, whichever of its names is given; None for a task of somebody else."""
    return TASKS.get(SAME_ROWS.get(task, task))


def leaderboard_of(task: str) -> Leaderboard | None:
    """The Hub's benchmark of a task, whichever of its names is given; None where none is registered."""
    return LEADERBOARDS.get(SAME_ROWS.get(task, task))
