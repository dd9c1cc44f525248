"""The public functions: judge, judge_many, equivalent, check_reference, vote_key."""

import re
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

from s1_tasks.answers.compare import Undecided, plain_equal, plain_form
from s1_tasks.answers.extract import extract
from s1_tasks.answers.pool import shared_pool
from s1_tasks.answers.verdict import BrokenReference, Kind, Outcome, Verdict

MAX_ANSWER_CHARS = 10_000
"""A longer answer is unreadable: no benchmark asks for one."""

DEFAULT_TIMEOUT_SECONDS = 1.0
"""CPU time that one comparison may take in its worker process."""


def judge(
    text: str, reference: str, *, kind: Kind = "math", timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS
) -> Verdict:
    """Judge a model's whole output against the gold answer.

    `timeout_seconds` is CPU time of the symbolic comparison, so a busy machine changes no verdict. A wrong or
    unreadable answer never raises; an unreadable `reference` raises BrokenReference.
    """
    check_reference(reference, kind)
    found = extract(text, kind)
    if found is None:
        return Verdict(Outcome.NO_ANSWER, None, "no final answer in the text")
    if len(found.answer) > MAX_ANSWER_CHARS:
        reason = f"the answer has {len(found.answer)} characters, at most {MAX_ANSWER_CHARS} are read"
        return Verdict(Outcome.UNREADABLE, found.answer[:200], reason, found.rule)
    outcome, reason = _compare(found.answer, reference, kind, timeout_seconds)
    return Verdict(outcome, found.answer, reason, found.rule)


def judge_many(
    pairs: Iterable[tuple[str, str]],
    *,
    kind: Kind = "math",
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
    workers: int = 2,
) -> list[Verdict]:
    """`judge` for many (text, reference) pairs, in their order; equal pairs are judged once."""
    listed = list(pairs)
    unique = list(dict.fromkeys(listed))
    with ThreadPoolExecutor(max_workers=workers) as threads:
        verdicts = threads.map(lambda pair: judge(*pair, kind=kind, timeout_seconds=timeout_seconds), unique)
        by_pair = dict(zip(unique, verdicts, strict=True))
    return [by_pair[pair] for pair in listed]


def equivalent(prediction: str, reference: str) -> bool:
    """Whether two bare answers (no extraction) are the same; symmetric."""
    if max(len(prediction), len(reference)) > MAX_ANSWER_CHARS:
        return False
    return _compare(prediction, reference, "math", DEFAULT_TIMEOUT_SECONDS)[0] is Outcome.CORRECT


@lru_cache(maxsize=4096)
def check_reference(reference: str, kind: Kind = "math") -> None:
    """Raise BrokenReference unless `reference` can be read as an answer of this kind."""
    bare = reference.strip()
    if not bare:
        raise BrokenReference("the reference answer is empty: give the gold answer as a string")
    if len(bare) > MAX_ANSWER_CHARS:
        raise BrokenReference(
            f"the reference answer has {len(bare)} characters, at most {MAX_ANSWER_CHARS} are read: "
            "give the final answer only"
        )
    if kind == "integer" and not re.fullmatch(r"-?\d+", bare):
        raise BrokenReference(f"the reference answer is {reference!r}, expected an integer such as '204' or '025'")
    if kind == "choice" and _letter(bare) is None:
        raise BrokenReference(f"the reference answer is {reference!r}, expected a choice letter such as 'B' or '(B)'")


def vote_key(verdict: Verdict) -> str | None:
    """A string that equal answers to the same question share; None without an answer.

    Every answer judged correct has the same key; others are grouped by their normalised text.
    """
    if verdict.correct:
        return "correct"
    return None if verdict.answer is None else "other: " + plain_form(verdict.answer)


@lru_cache(maxsize=65536)
def _compare(answer: str, reference: str, kind: Kind, timeout_seconds: float) -> tuple[Outcome, str]:
    if kind == "choice":
        same = _letter(answer) == _letter(reference)
        return _outcome(same), "the letters agree" if same else "the letters differ"
    try:
        same = plain_equal(answer, reference)
    except Undecided:
        return shared_pool().compare(answer, reference, timeout_seconds)
    return _outcome(same), "equal by value" if same else "different by value"


def _outcome(same: bool) -> Outcome:
    return Outcome.CORRECT if same else Outcome.INCORRECT


def _letter(text: str) -> str | None:
    match = re.fullmatch(r"\W*(?:text\w*\W*)?([A-Ja-j])\W*", text.strip())
    return match.group(1).upper() if match else None
