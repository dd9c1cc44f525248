"""Is this answer right? Extraction, comparison and verdicts for mathematical and multiple-choice answers.

    judge(text, reference)            a model's whole output against the gold answer -> Verdict
    judge_many(pairs)                 the same for many pairs, equal pairs judged once
    equivalent(prediction, reference) two bare answers -> bool
    extract(text)                     the final answer in a model's output -> Extraction | None
    check_reference(reference)        raises BrokenReference when a gold answer cannot be read
    vote_key(verdict)                 equal answers share it (majority voting)

Importing this package loads the standard library only. sympy lives in worker processes that have limits on CPU time
and memory, and starts when an answer first needs it.
"""

from s1_tasks.answers.find.extract import Extraction, extract
from s1_tasks.answers.judge import check_reference, equivalent, judge, judge_many, vote_key
from s1_tasks.answers.tree.verdict import CHECKER_VERSION, BrokenReference, Kind, Outcome, Verdict

__all__ = [
    "CHECKER_VERSION",
    "BrokenReference",
    "Extraction",
    "Kind",
    "Outcome",
    "Verdict",
    "check_reference",
    "equivalent",
    "extract",
    "judge",
    "judge_many",
    "vote_key",
]
