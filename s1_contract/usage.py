"""What a response says about its own cost. The same names in options, traces, samples, result tables and records."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypedDict

THINKING_TOKENS: Final = "thinking_tokens"
ANSWER_TOKENS: Final = "answer_tokens"
WAITS_USED: Final = "waits_used"
CUT_OFF: Final = "cut_off"
ANSWER_CUT_OFF: Final = "answer_cut_off"
ANSWER_ASKED: Final = "answer_asked"
THINKING_LIMIT: Final = "thinking_limit"
DROPPED_TOKENS: Final = "dropped_tokens"
TRIES: Final = "tries"
REJECTED_TOKENS: Final = "rejected_tokens"
FORCED_TOKENS: Final = "forced_tokens"
WASTED_TOKENS: Final = "wasted_tokens"
PROBES: Final = "probes"
PROBE_TOKENS: Final = "probe_tokens"
GENERATED_TOKENS: Final = "generated_tokens"
REQUESTS: Final = "requests"
READ_TOKENS: Final = "read_tokens"


class Usage(TypedDict, total=False):
    """The accounting of one response. Counts are tokens unless the name says otherwise.

    thinking_tokens: sampled thinking plus forced waits. answer_tokens: sampled answer. waits_used: how often the end of
    thinking was suppressed. cut_off, answer_cut_off: 1 when the limit ended the thinking or the answer, else 0.
    answer_asked: 1 when the answer was empty and was asked for, else 0.
    thinking_limit: what the thinking was allowed, after the prompt took its room. dropped_tokens: sampled ids that the
    tokenizer does not know. tries, rejected_tokens: rejection sampling only; thinkings drawn, and tokens thrown away.
    The ledger. forced_tokens: written by us, delimiters and waits included. wasted_tokens: sampled beyond a stop that
    is a text, and thrown away. probes, probe_tokens: trial answers beside the text, with every policy that can ask
    for any; 0 where none was asked for.
    generated_tokens: all that an engine sampled for the response: thinking, answers, probes, waste, rejected tries.
    requests, read_tokens: how often an engine was asked, and the tokens before the continuation each time.
    """

    thinking_tokens: int
    answer_tokens: int
    waits_used: int
    cut_off: int
    answer_cut_off: int
    answer_asked: int
    thinking_limit: int
    dropped_tokens: int
    tries: int
    rejected_tokens: int
    forced_tokens: int
    wasted_tokens: int
    probes: int
    probe_tokens: int
    generated_tokens: int
    requests: int
    read_tokens: int


USAGE_FIELDS: Final = tuple(Usage.__annotations__)
"""All names, in the order in which files list them. Each is also a metric: its mean over the repeats of a question."""

FORMER_NAMES: Final[Mapping[str, str]] = {"waits": WAITS_USED}
"""Names in files of version 0.1.0 -> the name of today."""


def with_todays_names(row: Mapping[str, Any]) -> dict[str, Any]:
    """A sample or trace with every former name replaced; a name of today that is there already wins."""
    return {FORMER_NAMES.get(name, name): value for name, value in row.items() if FORMER_NAMES.get(name) not in row}


def usage_in(row: Mapping[str, Any]) -> dict[str, Any]:
    """The usage fields of a sample or trace, under the names of today; fields without a value are left out."""
    named = with_todays_names(row)
    return {name: named[name] for name in USAGE_FIELDS if named.get(name) is not None}
