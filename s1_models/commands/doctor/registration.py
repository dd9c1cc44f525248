"""Does lm_eval find our models and tasks: the start-up file, the bridge's hooks, the entry points?

Runs in a fresh interpreter with the flags of the one that asked, so that what Python did at its start is still there.
"""

from __future__ import annotations

import os
import shutil
import site
import sys
from collections.abc import Iterator
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path

from s1_models.commands.doctor.findings import Asked, Finding, Status
from s1_models.commands.doctor.versions import DISTRIBUTION, install_again
from s1_models.harness import plugin

START_FILE = "lm_eval_s1_bridge.pth"
INSTEAD = "s1-eval --model s1_vllm …  # takes all of lm_eval's arguments and needs no .pth"


def check(asked: Asked) -> Iterator[Finding]:
    yield _start_file()
    yield _hooks()
    yield _entry_points()
    yield from _command()


def _start_file() -> Finding:
    """Whether Python ran our .pth at its start, and if not, why."""
    setting = os.environ.get("S1_BRIDGE")
    if setting == "off":
        return Finding(
            "registration",
            Status.WARN,
            "S1_BRIDGE=off: lm_eval finds neither our models nor our tasks (s1-eval does)",
            ("unset S1_BRIDGE",),
        )
    if any(getattr(finder, "__name__", "") == "S1Bridge" for finder in sys.meta_path):
        how = "; S1_BRIDGE=yield: lm_eval's own aime24 and aime25 win" if setting == "yield" else ""
        return Finding("registration", Status.OK, f"the start-up bridge runs{how}")
    places = [Path(folder) for folder in sys.path if (Path(folder) / START_FILE).is_file()]
    if not places:
        why = f"{START_FILE} is in no folder of sys.path, so that lm_eval cannot find us"
        return Finding("registration", Status.FIX, why, (install_again(),))
    why, mend = _why_not_run(places[0])
    return Finding("registration", Status.WARN, f"lm_eval does not find us: {why}", (*mend, INSTEAD))


def _why_not_run(folder: Path) -> tuple[str, tuple[str, ...]]:
    """Why Python did not run the .pth in this folder, and the command that changes it where there is one."""
    if sys.flags.no_site:
        return "this Python was started with -S and so runs no .pth file", ()
    user = Path(site.getusersitepackages())
    if folder == user and not site.ENABLE_USER_SITE:
        if os.environ.get("PYTHONNOUSERSITE"):
            return f"it is installed for this user only ({folder}), and PYTHONNOUSERSITE is set", (
                "unset PYTHONNOUSERSITE",
            )
        return f"it is installed for this user only ({folder}), and this Python runs without the user's folder", ()
    if folder not in (user, *map(Path, site.getsitepackages())):
        return f"{folder} is on the path (PYTHONPATH, --target), but Python runs .pth files in site folders only", ()
    customized = getattr(sys.modules.get("sitecustomize"), "__file__", None)
    by = f", probably by {customized}" if customized else ""
    return f"{folder / START_FILE} is in its place, but its finder is gone from sys.meta_path{by}", ()


def _hooks() -> Finding:
    """Whether lm_eval, once imported, knows our names; without the start-up file, whether `s1-eval` makes it so."""
    from s1_models.harness import bridge

    bridge.install()
    import lm_eval.models  # noqa: F401
    from lm_eval.api.registry import model_registry
    from lm_eval.tasks.manager import TaskManager

    lost = [name for name in plugin.MODELS if name not in model_registry]
    absent = [target for target in plugin.MODELS.values() if find_spec(target.partition(":")[0]) is None]
    if lost or absent or not hasattr(TaskManager.__init__, "s1"):
        what = ", ".join([*lost, *absent]) or "our tasks"
        return Finding(
            "registration", Status.FIX, f"lm_eval was imported, but does not know {what}", (install_again(),)
        )
    return Finding("registration", Status.OK, f"lm_eval knows {', '.join(plugin.MODELS)} and our tasks")


def _entry_points() -> Finding:
    """Whether the installed entry points are those of this code (an editable install keeps the old ones)."""
    declared = {point.name: point.value for point in entry_points(group="lm_eval.models")}
    stale = [name for name, target in plugin.MODELS.items() if declared.get(name) != target]
    if stale:
        return Finding(
            "registration",
            Status.WARN,
            f"the entry points of the installed {DISTRIBUTION} lack {', '.join(stale)}: it was installed before these "
            f"came; releases of lm_eval that read entry points will not find them",
            (install_again(),),
        )
    return Finding("registration", Status.OK, f"entry points: {', '.join(plugin.MODELS)}")


def _command() -> Iterator[Finding]:
    """Whether `lm_eval` on the PATH is this Python's."""
    script = shutil.which("lm_eval")
    if script is None:
        return
    with Path(script).open("rb") as lines:
        first = lines.readline(500).decode(errors="replace").removeprefix("#!").strip()
    interpreter = Path(first.split(" ")[0])
    # Only a plain path to a Python says whose it is; /usr/bin/env and sh wrappers do not.
    if not interpreter.name.startswith("python") or not interpreter.exists():
        return
    if interpreter.parent.resolve() != Path(sys.executable).parent.resolve():
        yield Finding(
            "registration",
            Status.WARN,
            f"`lm_eval` on the PATH is {script}, which belongs to another Python ({interpreter})",
            (f"{sys.executable} -m lm_eval …  # the one that was checked here",),
        )
