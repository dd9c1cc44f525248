"""What we lean on in other packages is there; the failure says what to do when it is not."""

import importlib.util
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.installation.private_names import PRIVATE_NAMES, missing, reader


@pytest.mark.parametrize("package", sorted({private.file.split("/")[0] for private in PRIVATE_NAMES}))
def test_the_installed_version_has_every_private_name(package: str) -> None:
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        pytest.skip(f"{package} is not installed")
    assert not missing(reader(Path(spec.origin).parents[1]), package)


def test_a_name_that_is_gone_or_changed_is_said_with_what_to_do() -> None:
    texts = {
        "lm_eval/tasks/manager.py": "class TaskManager:\n    def __init__(self, include_path): ...\n",
        "lm_eval/_cli/run.py": "class Run: ...\n",
    }
    told = missing(texts.get, "lm_eval")
    assert any("TaskManager.__init__ no longer holds include_defaults" in sentence for sentence in told)
    assert any("Run._add_args is gone" in sentence and "build them from" in sentence for sentence in told)


def test_every_file_of_ours_that_is_named_exists() -> None:
    assert all((ROOT / private.used_in).exists() for private in PRIVATE_NAMES)
