"""A finished session as text with its accounting, and traces.jsonl beside the harness's samples.

The harness hands responses on as plain strings, so what a session counted travels on the string itself: a
`s1_contract.response.Response` is the full text and carries `usage` (for scoring), `spans` (for traces.jsonl) and where
the answer begins. Whatever turns it into a plain string only loses the extras.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

from s1_contract.places import ANSWER_START, TRACES_FILE
from s1_contract.response import Response
from s1_contract.usage import Usage
from s1_models.forcing import Phase, Session, Span, Tokens

Decode = Callable[[Tokens], str]


def transcribe(
    session: Session,
    decode: Decode,
    until: Iterable[str] = (),
    *,
    answer_only: bool = False,
    begun: bool = False,
    after: str = "",
) -> Response:
    """The session as text. `until`: texts that end the answer, cut at the first one that occurs in it.

    answer_only: the text is the answer alone, without the white space between the thinking and it; usage and spans stay
    those of the whole. begun: the task wrote the answer's first words, so that white space behind them belongs to it
    (code goes on with its indentation). after: of such a text what follows the last one of these (lm_eval's
    `think_end_token`).

    decode turns token ids into text, special tokens kept. The text is decoded once, from all tokens together: what
    is between two spans may be one character. `until` is looked for in what was sampled as the answer, after its
    leading white space: the newline that follows a delimiter must not end an answer before it began.
    """
    tokens = tuple(chain.from_iterable(span.tokens for span in session.spans))
    text = decode(tokens)
    sampled = answer_tokens(session)
    answer = decode(sampled)
    cut = _cut_at(answer, until)
    if cut is not None:
        text = decode(tokens[: len(tokens) - len(sampled)]) + answer[:cut]
    begins = None if session.answer_at is None else len(decode(tokens[: session.answer_at]))
    if answer_only:
        text, begins = answer[:cut].lstrip() if session.answer_at and not begun else answer[:cut], 0
        text = text.split(after)[-1].lstrip() if after else text
    branches = (
        {"kind": side.kind, "at": side.at, "spans": [_row(span, decode) for span in side.spans]}
        for side in session.side
    )
    spans = (_row(span, decode) for span in session.spans)
    return Response(text, usage_of(session), spans, begins, branches)


def _row(span: Span, decode: Decode) -> dict[str, Any]:
    # Four bytes an id: a run holds those of all its responses until they are written.
    ids = array("I", span.tokens)
    return {"phase": span.phase.value, "forced": span.forced, "text": decode(span.tokens), "tokens": ids}


def answer_tokens(session: Session) -> Tokens:
    """What was sampled as the answer; the delimiter and the request before it are not part of it."""
    last = session.spans[-1] if session.spans else None
    return last.tokens if last is not None and last.phase is Phase.ANSWERING and not last.forced else ()


def usage_of(session: Session) -> Usage:
    """What a session counted, under the names of the contract."""
    usage = Usage(
        thinking_tokens=session.thinking_tokens,
        answer_tokens=session.answer_tokens,
        waits_used=session.waits_used,
        cut_off=int(session.cut_off),
        answer_cut_off=int(session.answer_cut_off),
        answer_asked=int(session.answer_asked),
        thinking_limit=session.thinking_limit,
        dropped_tokens=session.dropped_tokens,
    )
    usage |= Usage(
        forced_tokens=sum(len(span.tokens) for span in session.spans if span.forced),
        wasted_tokens=session.wasted_tokens,
        generated_tokens=session.generated_tokens,
        requests=session.requests,
        read_tokens=session.read_tokens,
    )
    if session.may_probe:  # 0 where there was none: a mean over the questions needs all of them
        probes = [side for side in session.side if side.kind == "probe"]
        usage |= Usage(probes=len(probes), probe_tokens=sum(side.generated_tokens for side in probes))
    if session.tries:
        usage |= Usage(tries=session.tries, rejected_tokens=session.rejected_tokens)
    return usage


def _cut_at(answer: str, until: Iterable[str]) -> int | None:
    """Where the answer ends: before the first of these texts, after white space that it begins with."""
    begins = len(answer) - len(answer.lstrip())
    return min((at for stop in until if stop and (at := answer.find(stop, begins)) >= 0), default=None)


def write_traces(folder: Path, task: str, run_id: str, samples: Iterable[Mapping[str, Any]]) -> int:
    """Appends one line per response that carries a trace to folder/traces.jsonl; returns how many.

    samples: the harness's logged samples (doc_id, doc_hash, resps: one list of repeats per request). run_id: the
    date id of the samples file beside, so that runs into one folder can be told apart.
    """
    told = ({"run": run_id, "task": task, **trace} for trace in _traces(samples))
    lines = (json.dumps(trace, ensure_ascii=False, default=list) for trace in told)
    first = next(lines, None)
    if first is None:
        return 0
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / TRACES_FILE).open("a", encoding="utf-8", errors="backslashreplace") as file:
        return sum(file.write(f"{line}\n") > 0 for line in chain([first], lines))


def _traces(samples: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """One mapping per response that carries a trace, each question once: the harness logs it once per filter."""
    seen = set()
    for sample in samples:
        question = {"doc_id": sample.get("doc_id"), "doc_hash": sample.get("doc_hash")}
        if (key := tuple(question.values())) in seen:
            continue
        seen.add(key)
        for responses in sample.get("resps", ()):
            for repeat, response in enumerate(responses):
                if isinstance(response, Response) and response.usage:
                    yield {
                        **question,
                        "repeat": repeat,
                        **response.usage,
                        ANSWER_START: response.answer_start,
                        "spans": response.spans,
                        **({"branches": response.branches} if response.branches else {}),
                    }
