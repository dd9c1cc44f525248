"""The responses to one question -> the metrics of that question.

lm_eval averages what `process_results` returns over the questions, so every number here is about one question, over
its k repeats. The harness's standard error of those means is then the one clustered by question: k answers to one
question are never counted as k independent ones.

    exact_match             1 when the first repeat is right (what one run would have scored)
    no_answer               share of repeats without a final answer
    verdicts                per repeat: outcome, answer, reason; the result table counts the outcomes
    avg@k                   share of repeats that are right
    pass@j                  probability that j repeats drawn from the k hold a right one
    maj@k                   1 when the most frequent answer is right; n answers that tie for most count 1/n each
    the fields of `s1_contract.usage.Usage`
                            means over the repeats, for models that report them for every repeat

The first three are always there. With k = 1 avg@1, pass@1 and maj@1 would repeat exact_match and are left out.
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
        results: lm_eval's filtered responses of the question's one request, `[[text, ...]]`, one text a repeat
            (`[text]` when another filter has picked one repeat).
    """
    (responses,) = results
    if isinstance(responses, str):
        responses = [responses]
    verdicts = judge_many([(text, doc["answer"]) for text in responses], kind=doc["answer_kind"])
    usages = [getattr(text, "usage", {}) for text in responses]
    reported = [name for name in USAGE_FIELDS if all(name in usage for usage in usages)]
    return {
        names.EXACT_MATCH: float(verdicts[0].correct),
        names.NO_ANSWER: _mean([verdict.outcome is Outcome.NO_ANSWER for verdict in verdicts]),
        **_over_repeats(verdicts),
        **{name: _mean([usage[name] for usage in usages]) for name in reported},
        names.VERDICTS: [_record(verdict) for verdict in verdicts],
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


def count_outcomes(verdicts_by_question: Sequence[Sequence[VerdictRow]]) -> str:
    """How often each outcome occurred over all questions and repeats, as one line: "41 correct, 19 incorrect"."""
    counts = Counter(record["outcome"] for records in verdicts_by_question for record in records)
    return ", ".join(f"{count} {outcome}" for outcome, count in counts.most_common())


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
