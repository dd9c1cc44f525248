"""The files that a run leaves behind, and where in them our own facts stand."""

from __future__ import annotations

from typing import Final

TRACES_FILE: Final = "traces.jsonl"
"""Beside lm_eval's samples: one line per response, with every span, its usage and where its answer begins."""
TEMPLATE_DATES: Final = "template_dates"
"""In the results file, under what our models told: the dates that the chat template wrote into the prompts."""
ANSWER_START: Final = "answer_start"
"""Key of a trace: index of the answer's first character in the response's text; null where it is not known."""
SWEEP_FILE: Final = "sweep.json"
"""What a sweep has finished, in the sweep's folder."""
FACTS: Final = "s1"
"""Key of our facts in a results file: `config.s1` is written by our models, `s1` at the top by the start-up bridge."""


def results_file(date: str) -> str:
    """Name of the results file of the run of this date, as lm_eval spells dates."""
    return f"results_{date}.json"


def samples_file(task: str, date: str) -> str:
    """Name of a task's samples file; with the task left out of it, `date` is what a trace calls its run."""
    return f"samples_{task}_{date}.jsonl"
