"""The nano model's own measurements (`results/raw/nano`, written by `training.nano measure`) as records.

    python -m benchmarks.nano_records          writes results/measured/nano.json

A raw file holds, per setting, one digit a problem: right or wrong. A record here holds the scores that follow from
them, and names the file and the setting; a test computes them again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from s1_contract.files import write_whole
from s1_contract.metrics import EXACT_MATCH, maj_at
from s1_contract.options import BUDGET_OPTIONS, NUM_WAITS
from s1_contract.usage import ANSWER_TOKENS, CUT_OFF, THINKING_TOKENS, WAITS_USED

ROOT = Path(__file__).parents[1]
RAW = ROOT / "results" / "raw" / "nano"
RECORDS = ROOT / "results" / "measured" / "nano.json"
TASK, UNSEEN = "nano held-out problems", "nano problems of unseen steps"
LEAK = "about 4 % of the problems end a training trace (results/LOG.md)"


def records() -> Iterator[dict[str, Any]]:
    """One record a setting of every raw file, in the order of the files."""
    for path in sorted(RAW.glob("*.json")):
        measured = json.loads(path.read_text(encoding="utf-8"))
        for setting in measured["settings"]:
            yield _record(path, measured, setting)


def _record(path: Path, measured: Mapping[str, Any], setting: Mapping[str, Any]) -> dict[str, Any]:
    options = {NUM_WAITS: 0, **setting["options"]}
    sampling = {name: value for name, value in options.items() if name not in BUDGET_OPTIONS}
    correct = setting["correct"]
    scores = {"accuracy": correct.count("1") / len(correct), "questions": len(correct)}
    usage = (THINKING_TOKENS, ANSWER_TOKENS, WAITS_USED, CUT_OFF)
    return {
        "schema": 2,
        "kind": "measured",
        "model": f"nano {measured['what']}",
        "task": UNSEEN if setting["setting"].startswith("unseen") else TASK,
        "metric": maj_at(setting["samples"]) if "samples" in setting else EXACT_MATCH,
        "engine": "s1_vllm",
        "budget": {name: value for name, value in options.items() if name in BUDGET_OPTIONS},
        **({"sampling": sampling} if sampling else {}),
        "asked": len(correct),
        "scores": {**scores, **{name: setting[f"mean_{name}"] for name in usage}},
        "environment": {"date": measured["date"]},
        "source": f"{path.relative_to(ROOT)}, {setting['setting']}",
        "notes": LEAK,
    }


def text() -> str:
    """The file of all records, one a line."""
    return "[\n" + ",\n".join(json.dumps(record) for record in records()) + "\n]\n"


if __name__ == "__main__":
    write_whole(RECORDS, text())
    print(f"wrote {RECORDS.relative_to(ROOT)}")
