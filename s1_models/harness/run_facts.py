"""What a results file has to say about a run of ours so that it can be replayed without its engine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from s1_models.formats import as_option
from s1_models.memo.store import MemoError
from s1_models.options import memo_path


def run_facts(lm: Any) -> dict[str, Any]:
    """Facts of a `BudgetForcingLM` that has run. special_tokens: whether the host adds any to a prompt.

    contamination_report: hash of the report on what the model was fine-tuned on, where its checkpoint names one.
    template_dates: the dates that the chat template wrote into the prompts. detected_format: by thinking_format=auto.
    Without a memo nothing can be replayed, and only this and the budget options are told.
    """
    report = contamination_report(getattr(lm, "_given", {}).get("pretrained") or lm.tokenizer.name_or_path)
    about: dict[str, Any] = {"contamination_report": report} if report else {}
    if dates := lm.prompts.template.dates():
        about["template_dates"] = list(dates)
    budget = dict(lm.budget_defaults)
    path = memo_path(budget)
    try:
        identity = lm.model_identity() if path else {}
    except MemoError:  # the run went without a memo, and said so
        identity = {}
    if not identity:
        return {"budget": budget, "memo": None, **about}
    probe = "a question"
    return {
        "budget": budget,
        "memo": str(path),
        "identity": identity,
        "context_window": lm.engine.context_window,
        "eos_ids": sorted(lm.eos_ids),
        "default_seed": lm.default_seed,
        "sampling_names": sorted(lm.sampling_names),
        "tokenizer": lm.tokenizer.name_or_path,
        "special_tokens": list(lm.tok_encode(probe)) != lm.tokenizer.encode(probe, add_special_tokens=False),
        "chat_template_args": dict(getattr(lm, "chat_template_args", None) or {}),
        "template_thinks": lm.template_thinks,
        "add_bos_token": getattr(lm, "add_bos_token", None),
        **({"detected_format": as_option(lm.detected)} if lm.detected else {}),
        **about,
    }


def contamination_report(place: object) -> str | None:
    """The hash in `sft.json`, which fine-tuning leaves beside the weights; None for anything but a folder with one."""
    try:
        record = json.loads((Path(str(place)).expanduser() / "sft.json").read_text(encoding="utf-8"))
        return str(record["contamination"]["report_sha256"])
    except (OSError, ValueError, KeyError, TypeError):  # no record, not ours, or nobody looked
        return None
