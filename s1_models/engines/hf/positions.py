"""Rotary positions that depend on the length of a text, fixed by the context instead.

Two kinds of scaled positions (longrope, dynamic NTK) take their frequencies from the longest text of a batch: a reply
would depend on what else is decoded, and on when it crossed a length. Here they are those of a text as long as the
context window, for every text, as vLLM does it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import Any

from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

from s1_models.driver import EngineError

logger = logging.getLogger(__name__)


def depend_on_length(config: Any) -> bool:
    """Whether a model's positions depend on the length of the text. config: the model's."""
    return any(_is_length_dependent(kind) for kind in _kinds(_text_config(config)))


def fix_positions(model: Any, context_window: int) -> None:
    """Fixes the model's positions for texts of up to `context_window` tokens. Does nothing for all other kinds.

    Raises EngineError for a model whose own code makes such positions.
    """
    if not depend_on_length(model.config):
        return
    found = [(module, layer) for module in model.modules() for layer in _layers(module)]
    for module, layer in found:
        _fix(module, layer, context_window)
    if not found and not any(hasattr(module, "s1_positions") for module in model.modules()):
        raise EngineError(
            f"{type(model).__name__} scales its positions with the length of the longest text in a batch, in code of "
            f"its own, so replies would depend on what runs beside them: use s1_vllm"
        )
    if found:
        logger.info(
            "positions of this model depend on the length of the text: they are those of %d tokens for every text "
            "(max_length=N for N)",
            context_window,
        )


def _fix(module: Any, layer: str | None, context_window: int) -> None:
    kind = module.rope_type if layer is None else module.rope_type[layer]
    prefix, more = ("", {}) if layer is None else (f"{layer}_", {"layer_type": layer})
    current = getattr(module, f"{prefix}inv_freq")
    make = ROPE_INIT_FUNCTIONS[kind]
    frequencies, scaling = make(module.config, current.device, seq_len=context_window, **more)
    module.register_buffer(f"{prefix}inv_freq", frequencies, persistent=False)
    setattr(module, f"{prefix}attention_scaling", scaling)
    # transformers' own update looks at this name in every forward pass.
    if layer is None:
        module.rope_type = "default"
    else:
        module.rope_type = {**module.rope_type, layer: "default"}
    module.s1_positions = context_window


def _layers(module: Any) -> Iterator[str | None]:
    """The kinds of layers for which a module makes length-dependent positions; None: it knows one kind only."""
    kind = getattr(module, "rope_type", None)
    if isinstance(kind, str) and _is_length_dependent(kind):
        yield None
    if isinstance(kind, Mapping):
        yield from [layer for layer, one in kind.items() if _is_length_dependent(one)]


def _is_length_dependent(kind: object) -> bool:
    return isinstance(kind, str) and (kind == "longrope" or "dynamic" in kind)


def _kinds(config: Any) -> Iterator[object]:
    scaling = getattr(config, "rope_parameters", None) or getattr(config, "rope_scaling", None) or {}
    for one in (scaling, *scaling.values()) if isinstance(scaling, Mapping) else ():
        if isinstance(one, Mapping):
            yield one.get("rope_type", one.get("type"))


def _text_config(config: Any) -> Any:
    return config.get_text_config() if hasattr(config, "get_text_config") else config
