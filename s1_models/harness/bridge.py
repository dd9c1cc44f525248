"""The start-up bridge: lets lm_eval 0.4.13, which discovers no plugins, find ours.

`lm_eval_s1_bridge.pth` (installed with the package) puts a finder of a few lines into every start of Python; it imports
this file when `lm_eval` is imported, and not before, and swallows whatever goes wrong: a half-removed install must stop
neither Python nor lm_eval. Switch it off with S1_BRIDGE=off; with S1_BRIDGE=yield
lm_eval's own tasks win where names clash (aime24 and aime25).
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence
from importlib.abc import Loader
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

# module of lm_eval -> function of s1_models.harness.plugin to call once it is imported
HOOKS = {
    "lm_eval.models": "register_models",
    "lm_eval.tasks.manager": "add_tasks",
    "lm_eval.api.task": "prepare_tasks",
    "lm_eval.evaluator": "check_options_first",
    "lm_eval.loggers.evaluation_tracker": "write_traces_beside_samples",
    "lm_eval._cli.run": "report_errors_as_sentences",
}


class _Loader(Loader):
    """Runs a module with its own loader, then our function for it."""

    def __init__(self, loader: Any, name: str) -> None:
        self._loader = loader
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        return getattr(self._loader, attribute)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)  # type: ignore[no-any-return]

    def exec_module(self, module: ModuleType) -> None:
        # From here on the module is as if we had never been there (it can be copied, pickled, inspected).
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        call_hook(self._name)


class _Finder:
    """Finds nothing itself: lets the other finders find a hooked module and wraps its loader."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name not in HOOKS:
            return None
        for finder in sys.meta_path:
            find_spec = getattr(finder, "find_spec", None)
            spec = None if finder is _Finder or find_spec is None else find_spec(name, path, target)
            if spec is not None:
                if spec.loader is not None:
                    spec.loader = _Loader(spec.loader, name)
                return spec  # type: ignore[no-any-return]
        return None


def call_hook(name: str) -> None:
    """Calls our function for a module of lm_eval that is loaded.

    A failure must not take lm_eval down with it. It is kept, and ends a run of an s1 model (`fail_closed`).
    """
    try:
        from s1_models.harness import plugin

        getattr(plugin, HOOKS[name])()
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        logging.getLogger("s1").warning("s1: no bridge into %s: %s", name, reason)
        from s1_models.harness.fail_closed import FAILURES

        FAILURES[name] = reason


def install() -> None:
    """Installs the hooks, and calls at once those whose module is loaded already. Safe to call twice."""
    if _Finder not in sys.meta_path:
        sys.meta_path.insert(0, _Finder)
        for name in HOOKS:
            if name in sys.modules:
                call_hook(name)


if os.environ.get("S1_BRIDGE") != "off":
    install()
