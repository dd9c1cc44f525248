"""The public functions: judge, judge_many, equivalent, check_reference, vote_key."""

import re
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

from s1_tasks.answers.algebra.single_values import decide
from s1_tasks.answers.compare.compare import Comparer
from s1_tasks.answers.find.extract import Extraction, extract_from
from s1_tasks.answers.find.letters import choice_letter, is_choice
from s1_tasks.answers.find.question import asked_value
from s1_tasks.answers.find.thinking import final_part
from s1_tasks.answers.find.values import result_of_series
from s1_tasks.answers.read.clean import words_form
from s1_tasks.answers.read.reading import MAX_ANSWER_CHARS, needs_calculus, readings, unreadable, without_choice_label
from s1_tasks.answers.tree.nodes import Number, Sequence
from s1_tasks.answers.tree.verdict import BrokenReference, Kind, Outcome, Verdict
from s1_tasks.answers.votes import value_key
from s1_tasks.answers.workers.pool import shared_pool

DEFAULT_TIMEOUT_SECONDS = 0.8
"""CPU time that one comparison may take in its worker process: what is decided at all takes a fifth of it, because CPU
time itself doubles when the cores are shared."""


_Pair = tuple[str | None, str]
"""The part of a text that holds its answer, and the reference."""


def judge(
    text: str,
    reference: str,
    *,
    kind: Kind = "math",
    question: str | None = None,
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
) -> Verdict:
    """Judge a model's whole output against the gold answer.

    `timeout_seconds` is CPU time of the symbolic comparison, so a busy machine changes no verdict. A wrong or
    unreadable answer never raises; an unreadable `reference` raises BrokenReference. A text that says where its answer
    begins (`s1_contract.response.Response`) is read from there on; in any other the end of its thinking is looked for.
    `question`, where it is known, breaks a tie: of "x = 2, y = 5" it says which of the two was asked for.
    """
    return _judge_part(final_part(text), reference, kind=kind, question=question, timeout_seconds=timeout_seconds)


def _judge_part(
    part: str | None, reference: str, *, kind: Kind, question: str | None, timeout_seconds: float
) -> Verdict:
    check_reference(reference, kind)
    try:
        found, compared_as = _found(part, reference, kind)
    except Exception as failure:
        return Verdict(Outcome.UNREADABLE, None, _internal(failure))
    if found is None:
        return Verdict(Outcome.NO_ANSWER, None, "no final answer in the text")
    if len(found.answer) > MAX_ANSWER_CHARS:
        reason = f"the answer has {len(found.answer)} characters, at most {MAX_ANSWER_CHARS} are read"
        return Verdict(Outcome.UNREADABLE, found.answer[:200], reason, found.rule)
    answer = found.answer if compared_as == "choice" else _value_of(found.answer, reference, kind, question)
    outcome, reason = _compare(answer, reference, compared_as, timeout_seconds, symmetric=False)
    return Verdict(outcome, found.answer, reason, found.rule, found.stance, found.beat)


def _found(part: str | None, reference: str, kind: Kind) -> tuple[Extraction | None, Kind]:
    """The answer in a text, and how it is compared: a letter that the text chooses gets no second try."""
    if kind != "math" or not is_choice(reference):
        return extract_from(part, kind, items=_count(reference) if kind == "math" else 1), kind
    letter = extract_from(part, "choice")
    if letter is not None:
        return letter, "choice"
    found = extract_from(part, kind, items=_count(reference))
    return (found if found is not None and found.rule in _EXPLICIT else None), kind  # else a letter is a name


def _value_of(answer: str, reference: str, kind: Kind, question: str | None) -> str:
    """What of an answer is compared: the result of a series, the value that was asked for, the end of m + n = 25."""
    if "=" in answer and "=" not in reference:
        answer = result_of_series(answer)
        answer = asked_value(answer, question) if question and _count(reference) == 1 else answer
    if kind == "integer" and "=" in answer and not _SEVERAL.search(answer):
        return answer.rsplit("=", 1)[1]  # but not "m = 10, n = 15"
    return answer


def _internal(failure: Exception) -> str:
    """The reason of a verdict when we are at fault: it must not cost the run whose answers are being scored."""
    return f"internal error: {type(failure).__name__}: {failure}"


def judge_many(
    pairs: Iterable[tuple[str, str]],
    *,
    kind: Kind = "math",
    question: str | None = None,
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
    workers: int = 2,
) -> list[Verdict]:
    """`judge` for many (text, reference) pairs, in their order; equal pairs are judged once.

    `question`: as in `judge`, where all pairs answer the same one.
    """
    listed = [(final_part(text), reference) for text, reference in pairs]
    unique = list(dict.fromkeys(listed))

    def verdict(pair: _Pair) -> Verdict:
        return _judge_part(*pair, kind=kind, question=question, timeout_seconds=timeout_seconds)

    # one pair is the usual call, one question of a run: threads would cost more than the verdict
    verdicts = _on_threads(verdict, unique, workers) if len(unique) > 1 else None
    by_pair = dict(zip(unique, verdicts or map(verdict, unique), strict=True))
    return [by_pair[pair] for pair in listed]


def _on_threads(verdict: Callable[[_Pair], Verdict], pairs: list[_Pair], workers: int) -> list[Verdict] | None:
    """The verdicts in the order of the pairs; None where no thread can be started (the limit of processes)."""
    verdicts: dict[_Pair, Verdict] = {}
    with ThreadPoolExecutor(max_workers=workers) as threads:
        try:
            # one task a thread: a task a pair costs as much as an easy verdict
            shares = [
                (pairs[n::workers], threads.submit(list, map(verdict, pairs[n::workers]))) for n in range(workers)
            ]
        except RuntimeError:
            threads.shutdown(cancel_futures=True)
            return None
        for share, done in shares:
            verdicts |= zip(share, done.result(), strict=True)
    return [verdicts[pair] for pair in pairs]


def equivalent(prediction: str, reference: str) -> bool:
    """Whether two bare answers (no extraction) are the same; symmetric."""
    if max(len(prediction), len(reference)) > MAX_ANSWER_CHARS:
        return False
    return _compare(prediction, reference, "math", DEFAULT_TIMEOUT_SECONDS, symmetric=True)[0] is Outcome.CORRECT


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
    if kind == "choice" and choice_letter(bare) is None:
        raise BrokenReference(f"the reference answer is {reference!r}, expected a choice letter such as 'B' or '(B)'")
    if kind == "math" and unreadable(readings(bare)):
        raise BrokenReference(
            f"the reference answer is {reference!r}, which is neither a formula nor words: correct it"
        )


def vote_key(verdict: Verdict) -> str | None:
    """A string that equal answers to the same question share; None without an answer.

    Every answer judged correct has the same key; others are grouped by value where it can be told cheaply.
    """
    if verdict.correct:
        return "correct"
    return None if verdict.answer is None else f"other: {value_key(verdict.answer)}"


@lru_cache(maxsize=65536)
def _compare(
    answer: str, reference: str, kind: Kind, timeout_seconds: float, *, symmetric: bool
) -> tuple[Outcome, str]:
    if kind == "choice" or is_choice(answer) or is_choice(reference):
        same = choice_letter(answer) == choice_letter(reference)
        if same or kind == "choice":
            return _outcome(same), "the letters agree" if same else "the letters differ"
    try:
        truth = _decided(answer, reference, symmetric=symmetric)
    except Exception as failure:
        return Outcome.UNREADABLE, _internal(failure)
    if truth is True:
        return Outcome.CORRECT, "the same"
    bare = _without_labels(answer, reference, symmetric=symmetric)
    if bare is not None:
        return _compare(*bare, kind, timeout_seconds, symmetric=symmetric)
    if _same_words(answer, reference):
        return Outcome.CORRECT, "the same words"
    if unreadable(readings(answer)):
        return Outcome.UNREADABLE, "the answer is neither a formula nor words"
    if truth is False and not (needs_calculus(answer) or needs_calculus(reference)):
        return Outcome.INCORRECT, "different"
    return shared_pool().compare(answer, reference, timeout_seconds, symmetric=symmetric)


def _without_labels(answer: str, reference: str, *, symmetric: bool) -> tuple[str, str] | None:
    """Both texts, where one of them has a choice letter before its value: (C) 25 for 25; None where none or both do."""
    bare, bare_reference = without_choice_label(answer), without_choice_label(reference)
    if bare is not None and bare_reference is None:
        return bare, reference
    return (answer, bare_reference) if symmetric and bare is None and bare_reference is not None else None


def _decided(answer: str, reference: str, *, symmetric: bool) -> bool | None:
    """Whether two answers are the same, as far as that is seen without computer algebra."""
    given, wanted = readings(answer), readings(reference)
    if given[0] == wanted[0] and isinstance(given[0], Number):
        return True
    if unreadable(given):
        return False
    return Comparer(decide, symmetric=symmetric).same_readings(given, wanted)


def _outcome(same: bool) -> Outcome:
    return Outcome.CORRECT if same else Outcome.INCORRECT


_EXPLICIT = ("boxed", "boxed list", "tag", "final answer", "whole text", "answer:", "heading")
_SEVERAL = re.compile(r"[,;](?!\d{3}(?!\d))|\b(?:and|or)\b|\\(?:lor|land|vee|wedge|quad|qquad)\b|\n")
_WORD = re.compile(r"[a-z]{3,}")


def _same_words(answer: str, reference: str) -> bool:
    """Whether two short texts are the same words, capitals and articles aside ("The Cat", "cat")."""
    if len(answer) > 200 or len(reference) > 200:
        return False
    form = words_form(answer)
    if form != words_form(reference) or not form.replace(" ", "").isalpha() or form in ("nan", "null"):
        return False
    return any(_WORD.fullmatch(word) for word in form.split())


def _count(reference: str) -> int:
    """How many values a reference lists."""
    tree = readings(reference)[0]
    return len(tree.items) if isinstance(tree, Sequence) and tree.opening in ("", "{") else 1
