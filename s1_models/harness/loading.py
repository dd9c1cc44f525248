"""What goes wrong while a model is loaded, in one sentence that names the model and the cure."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from s1_models.driver import EngineError
from s1_models.forcing import S1Error
from s1_models.memo.fingerprint import hub_folder
from s1_models.options import OptionError

Cures = Sequence[tuple[str, str]]
"""Pattern in the error's text -> what to do. The pattern's named groups may stand in the cure."""

_LONGEST = 300  # characters of an error of others that are repeated

EVERYWHERE: Cures = (
    (r"trust_remote_code", "give trust_remote_code=True if you trust the code that comes with the model"),
    (r"[Oo]ut of memory", "give dtype=bfloat16, a quantized model, a shorter max_length, or more or larger devices"),
    (r"couldn't connect|[Cc]onnection|resolve host|MaxRetryError", "check the network, or give a local folder"),
    (r"gated repo|401 Client|403 Client|restricted", "accept the model's terms on the Hub and log in (hf auth login)"),
    (
        r"No module named '(?P<name>[\w.]+)'|requires? `?(?P<name2>bitsandbytes|accelerate|peft)",
        "install what is missing",
    ),
    (r"has no attribute|[Uu]nknown dtype", "check dtype and the other model args"),
)


def check_places(places: Mapping[str, object]) -> None:
    """Checks that what is to be loaded is there. places: model arg -> its value; None and objects are passed over.

    Raises OptionError for a folder that does not exist or holds none of what is needed, and, where downloads are
    forbidden, for a name on the Hub that was not downloaded before.
    """
    for name, place in places.items():
        if not isinstance(place, str) or not place or "://" in place:
            continue
        needed = "adapter_config.json" if name in ("peft", "lora_local_path") else "config.json"
        path = Path(place).expanduser()
        if path.is_dir():
            if name != "tokenizer" and not (path / needed).is_file() and not list(path.glob("*.gguf")):
                raise OptionError(f"{name}={place}: this folder has no {needed}: give the folder that has it")
        elif not path.is_file() and (place.startswith(("/", ".", "~")) or place.count("/") > 1):
            raise OptionError(f"{name}={place}: there is no such folder: check the path, or give a name on the Hub")
        elif not path.is_file() and _offline() and not hub_folder(place).is_dir():
            raise OptionError(
                f"{name}={place}: it was not downloaded before, and HF_HUB_OFFLINE forbids it: unset HF_HUB_OFFLINE, "
                f"or give a local folder ({name}=PATH)"
            )


def _offline() -> bool:
    return any(
        os.environ.get(name, "").lower() in ("1", "true", "yes", "on")
        for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
    )


@contextmanager
def errors_as_sentences(engine: str, model: object, cures: Cures = ()) -> Iterator[None]:
    """Around the loading of a model: what others raise becomes one EngineError. Its cause is kept for the log."""
    try:
        yield
    except (S1Error, KeyboardInterrupt, SystemExit):
        raise
    except Exception as error:  # whatever a library raises
        name = model if isinstance(model, str) else type(model).__name__
        raise EngineError(f"{engine} could not load {name}: {explain(said(error), cures)}") from error


def said(error: BaseException) -> str:
    """The text of an error; of one of pydantic's what was wrong, without its frame."""
    text = re.sub(r"\s+", " ", str(error)).strip() or type(error).__name__
    return re.sub(r"^\d+ validation errors? for \w+ (Value error|Assertion failed), | \[type=.*$", "", text)


def explain(text: str, cures: Cures = ()) -> str:
    """What was said and what to do, as one sentence."""
    for pattern, cure in (*cures, *EVERYWHERE):
        if found := re.search(pattern, text):
            known = {name: value for name, value in found.groupdict().items() if value is not None}
            return f"{_shortened(text)}: {cure.format_map(known)}"
    return f"{_shortened(text)}: check the model args (s1-eval doctor --model_args ... finds most mistakes)"


def _shortened(text: str) -> str:
    text = text.rstrip(" .")
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST].rstrip()} ..."
