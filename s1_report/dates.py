"""Dates in prompts: some chat templates write today's date, so that runs of two days are asked in other words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from s1_report.record import RunRecord, digest

_MONTH = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*\.?"
DATES = re.compile(
    rf"\b(?:\d{{4}}-\d\d?-\d\d?|\d{{4}}/\d\d?/\d\d?|\d\d?[./]\d\d?[./]\d{{4}}|\d{{4}}年\d\d?月\d\d?日"
    rf"|\d\d?(?:st|nd|rd|th)? {_MONTH},? \d{{4}}|{_MONTH} \d\d?(?:st|nd|rd|th)?,? \d{{4}})"
)
"""A day as people and templates write it, with its year."""
FOUND, REST = "prompt_dates", "undated_prompts"
"""Keys of a record's environment: the dates that every prompt has, and a hash of all prompts without any date."""


def undated(text: str) -> str:
    """The text with every date replaced."""
    return DATES.sub("DATE", text)


def dates_of(prompt: str) -> tuple[list[str], str]:
    """(the dates in a prompt, a hash of the prompt without them)."""
    return DATES.findall(prompt), digest([undated(prompt)])


def dates_in_all(prompts: Iterable[tuple[list[str], str]]) -> dict[str, Any]:
    """What an environment keeps of the dates in a run's prompts (`dates_of`); empty unless all prompts share one."""
    found = list(prompts)
    common = set.intersection(*(set(dates) for dates, _ in found)) if found else set()
    return {FOUND: sorted(common), REST: digest(sorted(rest for _, rest in found))} if common else {}


def only_dates_differ(base: RunRecord, new: RunRecord) -> str | None:
    """Both dates in words, when the prompts of two runs are equal but for the date that a template wrote into all."""
    old, now = (record.environment for record in (base, new))
    if not old.get(REST) or old.get(REST) != now.get(REST) or old.get(FOUND) == now.get(FOUND):
        return None
    first, second = (_texts(mine, other) for mine, other in ((old, now), (now, old)))
    return f"only the date that the chat template writes differs, {first} against {second}"


def only_dates_around_differ(around: Sequence[Mapping[str, str]]) -> str | None:
    """As `only_dates_differ`, for the texts that our models put before and after the questions of two runs."""
    if len({tuple(DATES.sub("", text) for text in texts.values()) for texts in around}) > 1:
        return None
    first, second = (", ".join(DATES.findall(" ".join(texts.values()))) for texts in around)
    return f"only the date that the chat template writes differs, {first} against {second}"


def _texts(environment: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    """The dates of one run that the other lacks."""
    return ", ".join(date for date in environment[FOUND] if date not in other[FOUND]) or "none"
