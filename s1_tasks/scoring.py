"""The responses to one question -> the metrics of that question.

lm_eval averages what `process_results` returns over the questions, so every number here is about one question, over
its k repeats. The harness's standard error of those means is then the one clustered by question: k answers to one
question are never counted as k independent ones.

    exact_match             1 when the first repeat is right (what one run would have scored)
    no_answer               share of repeats without a final answer
    unreadable, timed_out   share of repeats whose answer could not be read, or not be compared in time
    verdicts                per repeat: outcome, answer, reason; in the result table the share that is right
    avg@k                   share of repeats that are right
    pass@j                  probability that j repeats drawn from the k hold a right one
    maj@k                   1 when the most frequent answer is right; n answers that tie for most count 1/n each
    the fields of `s1_contract.usage.Usage`
                            means over the repeats, for models that report them for every repeat

The first five are always there. With k = 1 avg@1, pass@1 and maj@1 would repeat exact_match and are left out.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from s1_contract import metrics as names
from s1_contract.outcomes import Outcome, VerdictRow
from s1_contract.usage import USAGE_FIELDS
from s1_tasks.answers import Verdict, judge_many, vote_key


def process_results(doc: Mapping[str, Any], results: Sequence[Any]) -> dict[str, Any]:
    """Metrics and verdicts of one question, named as in this module's docstring.

    Args:
        doc: a document of `s1_tasks.data`: `answer` and `answer_kind` are read.
        results: lm_eval's filtered responses of the question's one request, one text a repeat: `[[text, ...]]` in
            lm_eval 0.4, `[text, ...]` in 0.5 (and in 0.4 when another filter has picked one repeat).
    """
    responses = results if all(isinstance(result, str) for result in results) else results[0]
    question = doc.get("problem") or doc.get("question")
    verdicts = judge_many([(text, doc["answer"]) for text in responses], kind=doc["answer_kind"], question=question)
    usages = [getattr(text, "usage", {}) for text in responses]
    reported = [name for name in USAGE_FIELDS if all(name in usage for usage in usages)]
    return {
        names.EXACT_MATCH: float(verdicts[0].correct),
        **{
            name: _mean([verdict.outcome is outcome for verdict in verdicts])
            for name, outcome in names.OUTCOMES.items()
        },
        **_over_repeats(verdicts),
        **{name: _mean([usage[name] for usage in usages]) for name in reported},
        names.VERDICTS: Verdicts(map(_record, verdicts)),
    }


def _over_repeats(verdicts: Sequence[Verdict]) -> dict[str, float]:
    count = len(verdicts)
    if count == 1:
        return {}
    correct = sum(verdict.correct for verdict in verdicts)
    powers = (2**exponent for exponent in range(count.bit_length()))
    return {
        names.avg_at(count): correct / count,
        **{names.pass_at(drawn): pass_at(drawn, count, correct) for drawn in sorted({*powers, count})},
        names.maj_at(count): majority(verdicts),
    }


def pass_at(drawn: int, count: int, correct: int) -> float:
    """Probability that `drawn` of `count` repeats, drawn without replacement, hold at least one of the `correct` ones.

    The unbiased estimator of pass@drawn (Chen et al. 2021, arXiv 2107.03374, equation 1), in exact integers.
    """
    return 1.0 - math.comb(count - correct, drawn) / math.comb(count, drawn)


def majority(verdicts: Sequence[Verdict]) -> float:
    """Probability that the most frequent answer is right, a tie being broken at random.

    All right answers vote together; wrong ones vote together when their normalised texts agree. A repeat without an
    answer has no vote, and without any vote the question counts 0.
    """
    votes = Counter(key for key in map(vote_key, verdicts) if key is not None)
    most = max(votes.values(), default=0)
    winners = {key for key, count in votes.items() if count == most}
    right = {vote_key(verdict) for verdict in verdicts if verdict.correct}
    return len(winners & right) / len(winners) if winners else 0.0


class Verdicts(tuple[VerdictRow, ...]):
    """The verdicts of one question, one record per repeat, for the samples file.

    lm_eval takes the mean of every value that `process_results` returns, and takes a list for several values of one
    metric. So this is a tuple that can be averaged: as a number it is the share of its repeats that are right.
    """

    __slots__ = ()

    def __float__(self) -> float:
        right = sum(record["outcome"] == Outcome.CORRECT.value for record in self)
        return right / len(self)

    def __add__(self, other: Any) -> Any:
        return float(self) + float(other)

    __radd__ = __add__

    def __sub__(self, other: Any) -> float:
        return float(self) - float(other)


def _record(verdict: Verdict) -> VerdictRow:
    return VerdictRow(
        outcome=verdict.outcome.value,
        answer=verdict.answer,
        reason=verdict.reason,
        rule=verdict.rule,
        checker_version=verdict.checker_version,
    )


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
