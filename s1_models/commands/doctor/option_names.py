"""Does the chosen model know every model arg and generation option by its name?"""

from __future__ import annotations

import importlib
from collections.abc import Iterator

from s1_models.commands.doctor.findings import Asked, Finding, Status, one_line
from s1_models.forcing import S1Error
from s1_models.harness.plugin import MODELS
from s1_models.options import split_generation_options, split_model_arguments


def check(asked: Asked) -> Iterator[Finding]:
    if asked.model not in MODELS:
        yield Finding("options", Status.SKIP, f"{asked.model} is not ours: lm_eval checks its options")
        return
    try:
        engine = importlib.import_module(MODELS[asked.model].partition(":")[0])
    except Exception as error:  # of many types; the checks of packages and builds say how to mend it
        yield Finding(
            "options", Status.SKIP, f"{asked.model} does not import, so nothing knows its options: {one_line(error)}"
        )
        return
    try:
        split_model_arguments(asked.model_args, engine.SAMPLING_NAMES, engine.MODEL_ARGUMENTS)
        split_generation_options(asked.gen_kwargs, engine.SAMPLING_NAMES)
    except S1Error as error:
        yield Finding("options", Status.FIX, str(error), (asked.without_options_in(str(error)).command(),))
        return
    count = len(asked.model_args) + len(asked.gen_kwargs)
    yield Finding(
        "options", Status.OK, f"{asked.model} knows {'the one option' if count == 1 else f'all {count} options'}"
    )
