"""A run of an s1 model never scores somebody else's task under one of our names without being asked to.

lm_eval has tasks called aime24 and aime25 too, with other rows, prompts and scorers. Ours replace them through the
start-up bridge. When the bridge could not do that (another lm_eval, a broken install), the run ends instead.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from s1_contract.errors import S1Error
from s1_contract.tasks import rows_of

FAILURES: dict[str, str] = {}
"""Module of lm_eval -> why our hook into it failed; filled by the bridge."""

_CURE = (
    "install a version of lm_eval that s1-eval doctor calls ok, or set S1_BRIDGE=yield to run lm_eval's own tasks "
    "on purpose"
)


class BridgeError(S1Error, RuntimeError):
    """The start-up bridge did not get our tasks into lm_eval."""


def refuse_a_broken_bridge() -> None:
    """Raises BridgeError when a hook into lm_eval failed; called before a model is loaded."""
    if FAILURES and os.environ.get("S1_BRIDGE") != "yield":
        module, reason = next(iter(FAILURES.items()))
        raise BridgeError(f"the s1 tasks could not be put into this lm_eval ({module}: {reason}): {_CURE}")


def refuse_namesakes(requests: Iterable[Any]) -> None:
    """Raises BridgeError for a question of a task that has one of our names but was loaded from elsewhere.

    requests: lm_eval's instances. A task of the user's own (`--include_path`) may have one of our names: then the
    bridge is in place and has been overruled on purpose.
    """
    if os.environ.get("S1_BRIDGE") == "yield" or _bridge_is_in_place():
        return
    for request in requests:
        if rows_of(str(request.task_name)) and "answer_kind" not in (request.doc or {}):
            raise BridgeError(
                f"the task {request.task_name} of this run is not ours, because the start-up bridge is "
                f"not in place: use s1-eval in place of lm_eval, or {_CURE}"
            )


def _bridge_is_in_place() -> bool:
    from lm_eval.tasks.manager import TaskManager

    return hasattr(TaskManager.__init__, "s1")
