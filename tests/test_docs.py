"""What the documents say is true: commands run, links lead somewhere, options and tasks are those of the code."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"


def tracked() -> list[str]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [name for name in listed.splitlines() if (ROOT / name).exists()]


def first_line(name: str) -> str:
    """What a file says about itself: the first sentence of its docstring, or its first comment."""
    path = ROOT / name
    if path.suffix == ".py":
        docstring = (ast.get_docstring(ast.parse(path.read_text())) or "").split("\n\n")[0]
        text = " ".join(docstring.split())
    else:
        lines = path.read_text().splitlines()
        text = next((line.lstrip("# ") for line in lines if line.startswith("#") and not line.startswith("#!")), "")
    sentence = re.split(r"(?<=[a-z0-9)`\"])[.](?= |$)", text)[0]
    return sentence if len(sentence) <= 110 else sentence[:107].rsplit(" ", 1)[0] + " …"


def test_every_python_file_says_what_it_is() -> None:
    silent = [
        name
        for name in tracked()
        if name.endswith(".py") and (ROOT / name).read_text().strip() and not first_line(name)
    ]
    assert not silent


def test_the_two_set_up_commands_are_the_readmes_first_block() -> None:
    block = re.search(r"```sh\n(.*?)```", README.read_text(), flags=re.DOTALL)
    assert block is not None
    commands = [line.split("#")[0].strip() for line in block[1].splitlines()]
    assert commands == ["make demo", "make test"]


@pytest.mark.parametrize("document", [name for name in tracked() if name.endswith(".md")])
def test_links_lead_to_files_that_are_there(document: str) -> None:
    text = (ROOT / document).read_text()
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text):
        if not target.startswith(("http://", "https://")):
            assert (ROOT / document).parent.joinpath(target).exists(), f"{document} links to {target}"


def test_make_targets_named_in_documents_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    for document in ("README.md", "training/README.md"):
        named = set(re.findall(r"(?:^|`)make ([a-z]+)", (ROOT / document).read_text(), flags=re.MULTILINE))
        assert named <= targets, f"{document} names targets that the Makefile lacks"


def test_options_in_the_documents_are_the_options_of_the_code() -> None:
    from s1_models.forcing import Budget
    from s1_models.options import OPTIONS
    from s1_models.policies.methods import DEFAULT
    from s1_models.policies.rejection import Rejection

    others = {
        "rejection_tries": "0",
        "rejection_fallback": Rejection().fallback,
        "think_for": "",
        "memo": "off",
        "policy": DEFAULT,
    }
    others["prompt_style"] = "bare"
    page = (ROOT / "docs" / "options.md").read_text()
    rows = dict(re.findall(r"^\| `(\w+)` \| (\S.*?) \|", page, flags=re.MULTILINE))
    documented = {name: default for name, default in rows.items() if name in OPTIONS}
    assert set(documented) == set(OPTIONS)
    for name, default in documented.items():
        value = getattr(Budget(), name, others.get(name, "auto"))
        assert default.strip("`") == ("auto" if value is None else str(value)), name


def test_the_readme_is_short_and_its_links_lead_somewhere_from_a_package_index() -> None:
    text = README.read_text()
    assert len(text.splitlines()) <= 130
    here = re.findall(r"\((https://[^)\s]*/lm-eval-s1/(?:blob/)?main/([^)\s#]+))", text)
    assert len(here) > 15
    assert all((ROOT / path).exists() for _, path in here)
    assert not re.search(r"\]\((?!https://)", text), "a relative link is dead on a package index"


@pytest.mark.parametrize(
    "module", ["benchmarks.bench_forcing", "benchmarks.bench_bridge", "benchmarks.run_smollm2", "training.nano"]
)
def test_help_teaches(module: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", module, "--help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert len(done.stdout.splitlines()) > 5
