"""Two runs of the same questions: are they comparable, and what changed?

Runs that differ in more than the model are refused, field by field, unless the caller allows it; what was allowed is
kept in the comparison.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from s1_report import paired
from s1_report.dates import only_dates_around_differ, only_dates_differ
from s1_report.record import Question, ReportError, RunRecord, shown
from s1_report.stats import Interval, bootstrap_interval

FIELDS = {
    "task": "the task",
    "metric": "what counts as right",
    "filter": "which answer filter picked the answers",
    "dataset": "the questions",
    "prompt": "how they were asked",
    "checker": "the version of the answer check",
    "sampling": "temperature and the like",
    "budget": "how long the model may think",
}
"""What has to be equal, by the name `--allow` takes."""


Outcomes = Sequence[tuple[float, ...]]
"""Per question the outcome of each repeat, 0 to 1; all of the same length."""


class NotComparable(ReportError):
    """The runs differ in more than the model; the message says in what."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What changed from base to new; accuracies are 0 to 1, a drop is a negative change.

    interval: of the change, for such questions; bootstrap: its percentile interval, for comparison only. lowest: the
    lowest change that is not ruled out, one-sided, whatever the losses look like (`paired.lowest_change`). p_drop:
    chance of so large a drop if nothing changed (sign-flip test, one-sided); p_change: two-sided. lost, gained:
    questions, at one repeat; None otherwise. detectable_drop: what this comparison finds with power 0.8. identical:
    whether both runs gave the same answers, with the same number of tokens where that is known. differences: per
    question. allowed: differences the caller accepted.
    """

    base: RunRecord
    new: RunRecord
    questions: int
    repeats: int
    base_accuracy: float
    new_accuracy: float
    change: float
    interval: Interval
    lowest: float
    bootstrap: Interval
    p_drop: float
    p_change: float
    lost: int | None
    gained: int | None
    detectable_drop: float
    identical: bool
    differences: tuple[float, ...]
    allowed: tuple[str, ...]


def compare(base: RunRecord, new: RunRecord, allow: Collection[str] = (), level: float = 0.95) -> Comparison:
    """Pairs the questions of two runs. Raises NotComparable unless they agree in all FIELDS outside `allow`."""
    allowed = check_comparable(base, new, allow)
    pairs = _pairs(base, new)
    if not pairs:
        raise NotComparable(f"{base.label()} and {new.label()} have no question in common: nothing can be paired")
    repeats = min(len(question.correct) for pair in pairs for question in pair)
    # Equal numbers of repeats keep the sign-flip test exact; the surplus of the longer run is not used.
    before = [old.correct[:repeats] for old, _ in pairs]
    after = [now.correct[:repeats] for _, now in pairs]
    differences = [(sum(b) - sum(a)) / repeats for a, b in zip(before, after, strict=True)]
    change = sum(differences) / len(differences)
    error = float(paired.standard_error(differences, repeats)[0])
    half = float(paired.margin_of_error(differences, repeats, level)[0])
    lost, gained = _flips(before, after)
    return Comparison(
        base=base,
        new=new,
        questions=len(pairs),
        repeats=repeats,
        base_accuracy=_mean(before),
        new_accuracy=_mean(after),
        change=change,
        interval=Interval(max(-1.0, change - half), min(1.0, change + half)),
        lowest=paired.lowest_change(differences, level),
        bootstrap=bootstrap_interval(differences, level),
        p_drop=float(paired.sign_flip(differences, repeats)[0]),
        p_change=paired.sign_flip_two_sided(differences, repeats),
        lost=lost,
        gained=gained,
        detectable_drop=min(1.0, paired.detectable(error, len(pairs), level)),
        identical=all(_same_answers(old, now) for old, now in pairs),
        differences=tuple(differences),
        allowed=allowed,
    )


def _flips(before: Outcomes, after: Outcomes) -> tuple[int, int] | tuple[None, None]:
    """(lost, gained) questions at one repeat; nothing when there are several, or scores between 0 and 1."""
    if any(len(values) > 1 or values[0] not in (0, 1) for values in (*before, *after)):
        return None, None
    lost, gained, _ = paired.mcnemar([values[0] for values in before], [values[0] for values in after])
    return lost, gained


def _mean(outcomes: Outcomes) -> float:
    return sum(map(sum, outcomes)) / len(outcomes[0]) / len(outcomes)


def _same_answers(old: Question, now: Question) -> bool:
    return bool(old.answers) and _given(old) == _given(now)


def _given(question: Question) -> tuple[object, ...]:
    return question.correct, question.outcomes, question.answers, question.thinking_tokens, question.answer_tokens


def check_comparable(base: RunRecord, new: RunRecord, allow: Collection[str] = ()) -> tuple[str, ...]:
    """The differences that the caller accepts, in words. Raises NotComparable for any other, with what to allow."""
    check_allowed(allow)
    found = disagreements(base, new)
    refused = [sentence for name, sentence in found if name not in allow]
    if refused:
        names = ", ".join(f"--allow {name}" for name, _ in found if name not in allow)
        raise NotComparable(
            f"{base.label()} and {new.label()} are not comparable: {'; '.join(refused)}. "
            f"Run both the same way, or accept the difference with {names}"
        )
    return tuple(sentence for name, sentence in found if name in allow)


def check_allowed(allow: Collection[str]) -> None:
    """Raises ReportError for a name that is not in FIELDS."""
    for name in allow:
        if name not in FIELDS:
            nearest = get_close_matches(name, list(FIELDS), n=1, cutoff=0)[0]
            raise ReportError(f"--allow {name}: not one of {', '.join(FIELDS)}: did you mean {nearest}?")


def disagreements(base: RunRecord, new: RunRecord) -> list[tuple[str, str]]:
    """(field, sentence) for everything in FIELDS that is not equal."""
    differing = {
        "task": _against(_task(base), _task(new)),
        "metric": _against(base.metric, new.metric),
        # Records of version 0.1.0 do not say their filter.
        "filter": _against(base.filter, new.filter) if base.filter and new.filter else "",
        "dataset": _changed_questions(base, new),
        "prompt": _changed_prompt(base, new),
        "checker": _against(f"version {base.checker or 'unknown'}", f"version {new.checker or 'unknown'}"),
        "sampling": _changed(dict(base.sampling), dict(new.sampling)),
        "budget": _changed(dict(base.budget), dict(new.budget)),
    }
    return [(name, f"{name}: {what}") for name, what in differing.items() if what]


def _against(old: str, new: str) -> str:
    return "" if old == new else f"{old} against {new}"


def _changed_questions(base: RunRecord, new: RunRecord) -> str:
    old, now = ({question.key for question in record.questions} for record in (base, new))
    if old == now:
        return ""
    return f"{len(old)} questions against {len(now)}, {len(old & now)} of them the same"


def _task(record: RunRecord) -> str:
    return f"{record.task} version {record.task_version}" if record.task_version else record.task


def _changed_prompt(base: RunRecord, new: RunRecord) -> str:
    """How the questions were asked in another way; "" where nothing says that they were."""
    around = [dict(record.resolved.get("around") or {}) for record in (base, new)]
    if all(around) and around[0] != around[1]:
        return (
            only_dates_around_differ(around)
            or "another text before or after the question (`s1-report show` prints both)"
        )
    if base.template != new.template:
        options = _changed(dict(base.prompting), dict(new.prompting))
        return options or "another chat template, system instruction or thinking format"
    return _changed_words(base, new)


def _changed_words(base: RunRecord, new: RunRecord) -> str:
    pairs = _pairs(base, new)
    changed = sum(old.prompt != now.prompt for old, now in pairs)
    if not changed:
        return ""
    return only_dates_differ(base, new) or f"{changed} of {len(pairs)} questions were asked in other words"


def _plain(mapping: dict[str, Any]) -> str:
    return json.dumps(mapping, sort_keys=True, default=str)


def _changed(old: dict[str, Any], new: dict[str, Any]) -> str:
    names = [name for name in sorted({*old, *new}) if _plain({"": old.get(name)}) != _plain({"": new.get(name)})]
    values = [(name, shown(old.get(name, "not set")), shown(new.get(name, "not set"))) for name in names]
    return ", ".join(f"{name} {before} against {after}" for name, before, after in values)


def _pairs(base: RunRecord, new: RunRecord) -> list[tuple[Question, Question]]:
    before = {question.key: question for question in base.questions}
    return [(before[question.key], question) for question in new.questions if question.key in before]


def match(base: Sequence[RunRecord], new: Sequence[RunRecord]) -> list[tuple[RunRecord, RunRecord]]:
    """Which record is compared with which: the same task and budget, else the only candidate of that task.

    One record on each side are always a pair. Records without a counterpart are in no pair. Raises NotComparable when
    a base record has several candidates, or when nothing at all can be paired.
    """
    if len(base) == len(new) == 1:
        return [(base[0], new[0])]
    pairs = [(old, record) for old in base for record in _candidates(old, base, new)]
    if not pairs:
        tasks = [", ".join(sorted({record.task for record in records})) for records in (base, new)]
        raise NotComparable(
            f"no new run of this task: the base has {tasks[0]}, the new run {tasks[1]}: run one of those"
        )
    return pairs


def _candidates(old: RunRecord, base: Sequence[RunRecord], new: Sequence[RunRecord]) -> list[RunRecord]:
    """The one new record to compare with, or none. Raises NotComparable when there are several."""
    found = _with_filter(old, _with_setting(new, _setting(old)) or _unclaimed(old, base, new))
    if len(found) > 1:
        labels = "; ".join(record.label() for record in found)
        raise NotComparable(
            f"{old.label()}: {len(found)} new runs fit, namely {labels}: name one folder or record file"
        )
    return found


def _with_setting(records: Sequence[RunRecord], setting: tuple[str, str]) -> list[RunRecord]:
    return [record for record in records if _setting(record) == setting]


def _unclaimed(old: RunRecord, base: Sequence[RunRecord], new: Sequence[RunRecord]) -> list[RunRecord]:
    """New runs of the task; without those whose setting another base record has, which are left for that one."""
    settings = set(map(_setting, base))
    return [record for record in new if record.task == old.task and _setting(record) not in settings]


def _with_filter(old: RunRecord, records: list[RunRecord]) -> list[RunRecord]:
    return [record for record in records if record.filter in (old.filter, "")] or records


def left_out(records: Sequence[RunRecord], pairs: Sequence[tuple[RunRecord, RunRecord]]) -> list[RunRecord]:
    """The records that are in no pair."""
    used = {id(record) for pair in pairs for record in pair}
    return [record for record in records if id(record) not in used]


def _setting(record: RunRecord) -> tuple[str, str]:
    return record.task, _plain(dict(record.budget))
