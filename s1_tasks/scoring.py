"""The responses to one question -> the metrics of that question.

lm_eval averages what `process_results` returns over the questions, so every number here is about one question, over
its k repeats. The harness's standard error of those means is then the one clustered by question: k answers to one
question are never counted as k independent ones.

    exact_match             1 when the first repeat is right (what one run would have scored)
    avg@k                   share of repeats that are right
    pass@j                  probability that j repeats drawn from the k hold a right one
    maj@k                   1 when the most frequent answer is right; n answers that tie for most count 1/n each
    no_answer               share of repeats without a final answer
    cut_off                 share of repeats whose thinking hit its token limit
    thinking_tokens, answer_tokens, waits
                            means over the repeats; these three and cut_off only for models that report their usage
    tries, rejected_tokens  the same, for rejection sampling: thinkings drawn, and tokens of those that were rejected
    verdicts                per repeat: outcome, answer, reason; the result table counts the outcomes

With k = 1 avg@1, pass@1 and maj@1 would repeat exact_match and are left out.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from s1_tasks.answers import Outcome, Verdict, judge_many, vote_key

USAGE_KEYS = {
    "cut_off": "cut_off",
    "thinking_tokens": "thinking_tokens",
    "answer_tokens": "answer_tokens",
    "waits": "waits_used",
}
"""Metric -> key of a response's `usage`, the mapping that s1 models attach to the text they return."""
REJECTION_KEYS = ("tries", "rejected_tokens")


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
    metrics: dict[str, Any] = {"exact_match": float(verdicts[0].correct), **_over_repeats(verdicts)}
    metrics["no_answer"] = _mean([verdict.outcome is Outcome.NO_ANSWER for verdict in verdicts])
    usages = [usage for text in responses if (usage := getattr(text, "usage", None))]
    if len(usages) == len(responses):
        metrics |= {name: _mean([usage[key] for usage in usages]) for name, key in USAGE_KEYS.items()}
        rejection = (name for name in REJECTION_KEYS if all(name in usage for usage in usages))
        metrics |= {name: _mean([usage[name] for usage in usages]) for name in rejection}
    metrics["verdicts"] = [_record(verdict) for verdict in verdicts]
    return metrics


def _over_repeats(verdicts: Sequence[Verdict]) -> dict[str, float]:
    count = len(verdicts)
    if count == 1:
        return {}
    correct = sum(verdict.correct for verdict in verdicts)
    powers = (2**exponent for exponent in range(count.bit_length()))
    return {
        f"avg@{count}": correct / count,
        **{f"pass@{drawn}": pass_at(drawn, count, correct) for drawn in sorted({*powers, count})},
        f"maj@{count}": majority(verdicts),
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


def count_outcomes(verdicts_by_question: Sequence[Sequence[Mapping[str, Any]]]) -> str:
    """How often each outcome occurred over all questions and repeats, as one line: "41 correct, 19 incorrect"."""
    counts = Counter(record["outcome"] for records in verdicts_by_question for record in records)
    return ", ".join(f"{count} {outcome}" for outcome, count in counts.most_common())


def _record(verdict: Verdict) -> dict[str, str | None]:
    return {
        "outcome": verdict.outcome.value,
        "answer": verdict.answer,
        "reason": verdict.reason,
        "rule": verdict.rule,
        "checker_version": verdict.checker_version,
    }


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
