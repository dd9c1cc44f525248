"""Puts the start-up bridge's .pth at the top of site-packages, in wheels and in editable installs alike."""

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PTH = {"s1_models/lm_eval_s1_bridge.pth": "lm_eval_s1_bridge.pth"}


class BridgeHook(BuildHookInterface):
    """Adds the file to what hatchling installs; pip records it and removes it on uninstall."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        build_data["force_include_editable" if version == "editable" else "force_include"].update(PTH)
