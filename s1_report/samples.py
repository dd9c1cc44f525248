"""One logged sample of lm_eval -> what a record keeps of the question."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from s1_contract.metrics import EXACT_MATCH, VERDICTS
from s1_contract.outcomes import Outcome, outcome_of
from s1_contract.usage import ANSWER_TOKENS, THINKING_TOKENS, USAGE_FIELDS, WAITS_USED, with_todays_names
from s1_report.dates import dates_of
from s1_report.logs import Row
from s1_report.record import HALF_PAIR, Question, ReportError, digest

METRICS = (EXACT_MATCH, "acc", "math_verify", "acc_norm", "em")
"""What counts as right when a sample has no verdicts: the first of these it has, else its first number."""
TEXTS = ("doc", "arguments", "resps", "filtered_resps")
"""Keys of a sample that hold text; what a record keeps is elsewhere."""
DATED = "s1_report dates"
"""Key of a slim sample: `dates_of` its prompt."""
NO_FILTER = "none"
"""lm_eval's name for no answer filter."""


def without_texts(rows: Iterable[Row]) -> list[Row]:
    """The samples without their long texts, so that those of many repeats fit into memory together."""
    return [(number, _slim(row)) for number, row in rows]


def _slim(row: Mapping[str, Any]) -> dict[str, Any]:
    slim = {name: value for name, value in with_todays_names(row).items() if name not in TEXTS}
    slim[DATED] = dates_of(_prompt(row))
    slim.setdefault("doc_hash", digest([json.dumps(row.get("doc"), sort_keys=True, default=str)]))
    return slim


def _prompt(row: Mapping[str, Any]) -> str:
    try:
        return prompt_of(row)
    except (KeyError, IndexError, TypeError):  # another tool's log, or damage that the reader of samples names
        return ""


def by_filter(rows: list[Row], wanted: str | None, path: Path) -> dict[str, list[Row]]:
    """The samples of every answer filter, or of the wanted one. Raises ReportError when there are none."""
    if not rows:
        raise ReportError(f"{path}: holds no samples: run the evaluation again")
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(filter_of(row[1]), []).append(row)
    if wanted is None:
        return found
    if wanted not in found:
        raise ReportError(f"{path}: no filter {wanted!r} in it, it has {', '.join(found)}: choose one with --filter")
    return {wanted: found[wanted]}


def filter_of(sample: Mapping[str, Any]) -> str:
    """The answer filter a sample was made with; a task with several logs every document several times."""
    return str(sample.get("filter", NO_FILTER))


def metric_of(rows: list[Row], path: Path) -> str:
    """The key that says how right an answer is. Raises ReportError when no metric is a number."""
    row = rows[0][1]
    if VERDICTS in row:
        return EXACT_MATCH
    named = _numeric(row, row.get("metrics"))
    if not named:
        raise ReportError(f"{path}: its samples have no numeric metric (no `metrics`): name the key with --metric")
    return next((name for name in METRICS if name in named), named[0])


def _numeric(row: Mapping[str, Any], listed: Any) -> list[str]:
    """The listed metrics whose value is a number."""
    names = filter(lambda name: isinstance(name, str), listed if isinstance(listed, list) else ())
    return [name for name in names if isinstance(row.get(name), int | float)]


def prompt_of(sample: Mapping[str, Any]) -> str:
    """The text that lm_eval asked. Harnesses before 0.4.3 log a list of [prompt, options] instead of a mapping."""
    asked = sample["arguments"]
    return str(asked[0][0] if isinstance(asked, list) else asked["gen_args_0"]["arg_0"])


def responses_of(sample: Mapping[str, Any]) -> list[str]:
    """The texts of the repeats."""
    return [str(response) for response in sample["resps"][0]]


def verdicts_of(sample: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The verdicts of the repeats; none for a sample that is not of our tasks."""
    return [dict(verdict) for verdict in sample.get(VERDICTS) or ()]


def is_right(verdict: Mapping[str, Any]) -> bool:
    """Whether a verdict says correct."""
    return outcome_of(verdict["outcome"]) is Outcome.CORRECT


def question_of(row: Row, metric: str, traces: Mapping[Any, list[dict[str, Any]]], path: Path) -> Question:
    """What one sample says, per repeat. traces: by doc_id. Raises ReportError with the line when it is no sample."""
    number, sample = row
    try:
        return _question(sample, metric, traces.get(sample.get("doc_id"), []))
    except (KeyError, TypeError, ValueError) as error:
        what = f"{type(error).__name__} {error}" if isinstance(error, KeyError | TypeError) else str(error)
        raise ReportError(
            f"{path}, line {number}: not a sample as lm_eval writes it ({what}): choose another metric with --metric, "
            "or run the evaluation again"
        ) from None


def _question(sample: Mapping[str, Any], metric: str, traces: list[dict[str, Any]]) -> Question:
    verdicts = verdicts_of(sample) if metric == EXACT_MATCH else []
    correct = tuple(map(float, map(is_right, verdicts))) or (_score(sample, metric),)
    usage = {name: _counts(sample, traces, len(correct), name) for name in USAGE_FIELDS}
    return Question(
        key=str(sample["doc_hash"])[:16],
        correct=correct,
        prompt=str(sample.get("prompt_hash") or "")[:16],
        outcomes=tuple(_outcome(verdict["outcome"]) for verdict in verdicts),
        answers=tuple(_vote(verdict.get("answer")) for verdict in verdicts),
        **usage,
    )


def _outcome(word: Any) -> str:
    known = outcome_of(word)
    if known is None:
        raise ValueError(f"the outcome {word!r}, expected one of {', '.join(each.value for each in Outcome)}")
    return known.value


def _score(sample: Mapping[str, Any], metric: str) -> float:
    value = sample.get(metric)
    if not isinstance(value, int | float) or math.isnan(value):
        raise ValueError(f"its {metric} is {value!r}, expected a number")
    return float(value)


def _counts(sample: Mapping[str, Any], traces: list[dict[str, Any]], repeats: int, usage: str) -> tuple[float, ...]:
    """Per repeat from the traces, else the mean from the sample; a count that all repeats share is kept once.

    A task of somebody else scores its repeats as one: then the count is their mean.
    """
    traced = [trace[usage] for trace in traces if _is_number(trace.get(usage))]
    told = len(traced) == len(traces) > 0
    if told and repeats == 1 < len(traced):
        return (sum(traced) / len(traced),)
    values = traced if told and len(traced) == repeats else list(filter(_is_number, [sample.get(usage)]))
    same = len(set(values)) == 1 and usage not in _LENGTHS
    return tuple(values[:1] if same else values)


_LENGTHS = (THINKING_TOKENS, ANSWER_TOKENS, WAITS_USED)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _vote(answer: str | None) -> str | None:
    if answer is None:
        return None
    answer = HALF_PAIR.sub(lambda half: rf"\u{ord(half[0]):04x}", answer)
    # Long answers only have to be told apart, so that a record stays small.
    if len(answer) <= 80:
        return answer
    return f"{answer[:40]}...{digest([answer])}"


def checker_of(rows: list[Row]) -> str:
    """The versions of the answer check that gave the verdicts; "" when the log does not say."""
    versions = {str(verdict.get("checker_version", "")) for _, row in rows for verdict in row.get(VERDICTS) or ()}
    return ", ".join(sorted(versions))
