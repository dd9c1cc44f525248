"""A finished session as text with its accounting, and traces.jsonl beside the harness's samples.

The harness hands responses on as plain strings, so what a session counted travels on the string itself: a
`s1_contract.response.Response` is the full text and carries `usage` (for scoring), `spans` (for traces.jsonl) and where
the answer begins. Whatever turns it into a plain string only loses the extras.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

from s1_contract.places import ANSWER_START, TRACES_FILE
from s1_contract.response import Response
from s1_contract.usage import Usage
from s1_models.forcing import Phase, Session, Tokens

Decode = Callable[[Tokens], str]


def transcribe(session: Session, decode: Decode, until: Iterable[str] = (), closing: str = "") -> Response:
    """The session as text. `until`: texts that end the answer, cut at the first one that occurs in it.
    closing: the text that ends the thinking in this session's format.

    decode turns token ids into text, special tokens kept. The text is decoded once, from all tokens together: what
    is between two spans may be one character. `until` is looked for in what was sampled as the answer, after its
    leading white space: the newline that follows a delimiter must not end an answer before it began.
    """
    text = decode(tuple(chain.from_iterable(span.tokens for span in session.spans)))
    last = session.spans[-1] if session.spans else None
    if last is not None and last.phase is Phase.ANSWERING and not last.forced:
        answer = decode(last.tokens)
        begins = len(answer) - len(answer.lstrip())
        cut = min((at for stop in until if stop and (at := answer.find(stop, begins)) >= 0), default=None)
        if cut is not None:
            before = decode(tuple(chain.from_iterable(span.tokens for span in session.spans[:-1])))
            text = before + answer[:cut]
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
    if session.tries:
        usage |= Usage(tries=session.tries, rejected_tokens=session.rejected_tokens)
    spans = (
        {"phase": span.phase.value, "forced": span.forced, "text": decode(span.tokens), "tokens": span.tokens}
        for span in session.spans
    )
    return Response(text, usage, spans, _answer_start(session, text, decode, closing))


def _answer_start(session: Session, text: str, decode: Decode, closing: str) -> int | None:
    """Index of the answer's first character: behind the end of the thinking; the text's length without an answer.

    None when the end of the thinking is not known.
    """
    before = [span.tokens for span in session.spans if span.phase is not Phase.ANSWERING]
    if not before:
        return 0
    if not closing:
        return None
    thinking = len(decode(tuple(chain.from_iterable(before))))
    # Decoded apart, the last character of the thinking may look like two: it may be one with what follows.
    place = text.find(closing, max(0, thinking - 2))
    return min(len(text), thinking if place < 0 else place + len(closing))


def write_traces(folder: Path, task: str, run_id: str, samples: Iterable[Mapping[str, Any]]) -> int:
    """Appends one line per response that carries a trace to folder/traces.jsonl; returns how many.

    samples: the harness's logged samples (doc_id, doc_hash, resps: one list of repeats per request). run_id: the
    date id of the samples file beside, so that runs into one folder can be told apart.
    """
    lines = []
    seen = set()
    for sample in samples:
        question = sample.get("doc_id"), sample.get("doc_hash")
        if question in seen:
            continue  # the harness logs a sample once per answer filter
        seen.add(question)
        for responses in sample.get("resps", ()):
            for repeat, response in enumerate(responses):
                if isinstance(response, Response):
                    identity = {
                        "run": run_id,
                        "task": task,
                        "doc_id": question[0],
                        "doc_hash": question[1],
                        "repeat": repeat,
                    }
                    told = {**identity, **response.usage, ANSWER_START: response.answer_start, "spans": response.spans}
                    lines.append(json.dumps(told, ensure_ascii=False))
    if lines:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / TRACES_FILE).open("a", encoding="utf-8", errors="backslashreplace") as file:
            file.writelines(f"{line}\n" for line in lines)
    return len(lines)
