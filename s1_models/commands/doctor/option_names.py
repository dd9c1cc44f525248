"""Does the chosen model exist, and does it know every model arg and generation option, by name and by value?"""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from s1_models.commands.doctor.findings import Asked, Finding, Status, mend_all, one_line
from s1_models.harness.plugin import MODELS
from s1_models.options import memo_path, resolve, split_generation_options, split_model_arguments


def check(asked: Asked) -> Iterator[Finding]:
    if asked.model not in MODELS:
        yield _not_ours(asked)
        return
    try:
        engine = importlib.import_module(MODELS[asked.model].partition(":")[0])
    except Exception as error:  # of many types; the checks of packages and builds say how to mend it
        yield Finding(
            "options", Status.SKIP, f"{asked.model} does not import, so nothing knows its options: {one_line(error)}"
        )
        return
    errors, mended = mend_all(asked, lambda run: _read(run, engine))
    for wrong in errors:
        yield Finding(
            "options", Status.FIX, str(wrong), (mended.command(),) if mended.options() != asked.options() else ()
        )
    if errors:
        return
    count = len(asked.model_args) + len(asked.gen_kwargs)
    yield Finding(
        "options", Status.OK, f"{asked.model} knows {'the one option' if count == 1 else f'all {count} options'}"
    )


def _read(asked: Asked, engine: Any) -> None:
    """Reads the options as a run would. Raises S1Error for the first that is wrong."""
    if hasattr(engine, "check_options"):  # a hosted model, whose options are its own
        engine.check_options(asked.model_args, asked.gen_kwargs)
        return
    ours, _ = split_model_arguments(asked.model_args, engine.SAMPLING_NAMES, engine.MODEL_ARGUMENTS)
    split_generation_options(asked.gen_kwargs, engine.SAMPLING_NAMES)
    memo_path(ours)
    resolve(ours, asked.gen_kwargs, engine.SAMPLING_NAMES)


def _not_ours(asked: Asked) -> Finding:
    import lm_eval.models  # noqa: F401  (fills the registry)
    from lm_eval.api.registry import model_registry

    known = [str(name) for name in model_registry]
    if asked.model in known:
        return Finding("options", Status.SKIP, f"{asked.model} is not ours: lm_eval checks its options")
    near = difflib.get_close_matches(asked.model, MODELS, n=1, cutoff=0.5) or difflib.get_close_matches(
        asked.model, known, n=1, cutoff=0
    )
    message = f"there is no model {asked.model!r}: did you mean {near[0]!r}? (lm_eval ls models lists all)"
    return Finding("options", Status.FIX, message, (replace(asked, model=near[0]).command(),))
