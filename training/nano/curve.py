"""What is asked of a nano model in one measurement: the curve, the cut budgets, the wait texts, the controls."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from s1_contract.options import MAX_THINKING_TOKENS, NUM_WAITS, WAIT_TEXT
from s1_tasks.nano_problems import held_out, unseen_steps
from training.nano.measure import Setting

CURVE_WAITS = (0, 1, 2, 4, 8)
CUT_SHARES = (0.25, 0.5, 0.75)
WAIT_TEXTS = {"Hmm": "Hmm", "Alternatively": "Alternatively", "a newline": "\n", "nothing": ""}
VOTES = (3, 5)  # three or five short attempts cost about what one attempt with 4 or 8 waits costs


def curve_settings(num_problems: int, usual_thinking: float, seed: int = 0) -> list[Setting]:
    """Waits 0 to 8, and budgets cut to a quarter, a half and three quarters of ``usual_thinking`` (tokens)."""
    rows = held_out(num_problems, seed)
    waits = [Setting(f"{waits} x Wait", rows, {NUM_WAITS: waits}) for waits in CURVE_WAITS]
    limits = [max(1, round(share * usual_thinking)) for share in CUT_SHARES]
    cuts = [Setting(f"at most {limit} thinking tokens", rows, {MAX_THINKING_TOKENS: limit}) for limit in limits]
    return [*cuts, *waits]


def control_settings(num_problems: int, seed: int = 0) -> list[Setting]:
    """Other wait texts, votes over sampled answers, and problems of which no single step was trained on."""
    rows, unseen = held_out(num_problems, seed), unseen_steps(num_problems, seed)
    settings = [
        Setting(f"{waits} x {name}", rows, {NUM_WAITS: waits, WAIT_TEXT: text})
        for name, text in WAIT_TEXTS.items()
        for waits in (1, 2, 4)
    ]
    settings += [Setting(f"vote of {n}", rows, {NUM_WAITS: 0, "temperature": 1.0}, samples=n) for n in VOTES]
    settings += [Setting(f"unseen steps, {waits} x Wait", unseen, {NUM_WAITS: waits}) for waits in (0, 1, 2, 4)]
    return settings


def paired(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    """Two settings on the same problems: the gain in points, who won how often, and McNemar's exact p (two-sided)."""
    pairs = list(zip(first["correct"], second["correct"], strict=True))
    lost, won = pairs.count(("1", "0")), pairs.count(("0", "1"))
    total = lost + won
    tail = sum(math.comb(total, k) for k in range(min(lost, won) + 1)) / 2**total
    return {
        "from": first["setting"],
        "to": second["setting"],
        "gain_points": round(100 * (won - lost) / len(pairs), 2),
        "won": won,
        "lost": lost,
        "p": min(1.0, 2 * tail),
    }


def comparisons(summaries: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The steps of the curve, each against no wait and against the step before."""
    by_name = {summary["setting"]: summary for summary in summaries}
    names = [f"{waits} x Wait" for waits in CURVE_WAITS if f"{waits} x Wait" in by_name]
    pairs = [(names[0], name) for name in names[1:]] + list(pairwise(names[1:]))
    return [paired(by_name[first], by_name[second]) for first, second in pairs]
