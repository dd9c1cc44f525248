"""The first rows of a run as they are trained, in one HTML page: green is in the loss, grey is not.

A wrong mask, a tag that stands twice or a prompt in the loss is seen here at once, and in no loss curve.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from itertools import groupby
from typing import Any

from training.sft.batches import Encoded

ROWS = 3
MOST_TOKENS = 3000  # of a row; a longer one is shown without its middle
_HEAD = """<!doctype html><html lang="en"><meta charset="utf-8"><title>First rows as trained</title>
<style>body{font:14px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem}
pre{white-space:pre-wrap;overflow-wrap:anywhere;background:#f6f6f6;padding:1rem;border-radius:6px}
.in{color:#116329;background:#dafbe1}.out{color:#6e7781}
@media(prefers-color-scheme:dark){body{background:#0d1117;color:#ddd}pre{background:#161b22}
.in{color:#7ee787;background:#12261e}.out{color:#8b949e}}
</style><h1>First rows as they are trained</h1>
<p><span class="in">Green</span> counts in the loss, <span class="out">grey</span> is only read.</p>
"""


def page(tokenizer: Any, sequences: Sequence[Encoded]) -> str:
    """The page of the first rows."""
    shown = [_row(tokenizer, number, one) for number, one in enumerate(sequences[:ROWS])]
    return _HEAD + "".join(shown) + "</html>\n"


def _row(tokenizer: Any, number: int, row: Encoded) -> str:
    share = row.trained_tokens / max(1, len(row))
    title = f"Row {number}: {len(row):,} tokens, {row.trained_tokens:,} in the loss ({share:.0%})"
    half = MOST_TOKENS // 2
    ids, mask = row.input_ids.tolist(), row.loss_mask.tolist()
    if len(ids) <= MOST_TOKENS:
        body = _spans(tokenizer, ids, mask)
    else:
        left_out = f'<span class="out"> … {len(ids) - 2 * half:,} tokens … </span>'
        body = _spans(tokenizer, ids[:half], mask[:half]) + left_out + _spans(tokenizer, ids[-half:], mask[-half:])
    return f"<h2>{title}</h2><pre>{body}</pre>\n"


def _spans(tokenizer: Any, ids: Sequence[int], mask: Sequence[int]) -> str:
    """Runs of tokens that are in the loss or not, each as a span."""
    spans = []
    for counted, run in groupby(zip(ids, mask, strict=True), key=lambda pair: bool(pair[1])):
        text = tokenizer.decode([token for token, _ in run], skip_special_tokens=False)
        spans.append(f'<span class="{"in" if counted else "out"}">{html.escape(text)}</span>')
    return "".join(spans)
