"""The layout and the import rules are tests, so they stay true."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("s1_models", "s1_tasks", "s1_report", "training")

# Files that are longer than 600 lines, each with the reason why it is one file.
LONG_FILES: dict[str, str] = {}

# Where a delimiter may be spelt: the formats, and what reads any model's text and may not import them.
DELIMITER_HOMES = ("s1_contract/", "s1_models/formats.py", "s1_tasks/answers/", "s1_report/failures.py")


def tracked(*patterns: str) -> list[Path]:
    listed = subprocess.run(["git", "ls-files", *patterns], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [ROOT / line for line in listed.splitlines() if (ROOT / line).exists()]


def import_table() -> list[tuple[str, list[str]]]:
    """ARCHITECTURE.md's table: (room, modules it may import), in order; the first matching room counts."""
    rows = re.findall(r"^\| `([\w/.]+)` \| (.*) \|$", (ROOT / "ARCHITECTURE.md").read_text(), flags=re.MULTILINE)
    return [(room, re.findall(r"`([\w.]+)`", allowed)) for room, allowed in rows]


def imports(path: Path) -> set[str]:
    """Every module a file imports, also inside functions; `from a import b` is a.b where that is a module of ours."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute here"
            for alias in node.names:
                module = f"{node.module}.{alias.name}"
                is_module = (ROOT / (module.replace(".", "/") + ".py")).exists() or (
                    ROOT / module.replace(".", "/")
                ).is_dir()
                found.add(module if is_module else str(node.module))
    return {name for name in found if name.split(".")[0] not in sys.stdlib_module_names}


# Tests, benchmarks and the build hook may import everything public.
@pytest.mark.parametrize(
    "path", tracked(*(f"{p}/**.py" for p in PACKAGES)), ids=lambda path: str(path.relative_to(ROOT))
)
def test_a_room_imports_only_what_the_table_allows(path: Path) -> None:
    name = str(path.relative_to(ROOT))
    room, allowed = next(row for row in import_table() if name.startswith(row[0]))
    for module in imports(path):
        assert any(module == may or module.startswith(f"{may}.") for may in allowed), (
            f"{name} imports {module}, but ARCHITECTURE.md allows {room} only: {', '.join(allowed) or 'nothing'}"
        )


def test_every_row_of_the_import_table_is_a_room() -> None:
    table = import_table()
    assert len(table) >= 15
    assert all((ROOT / room).exists() for room, _ in table)


def test_importing_the_packages_loads_nothing_heavy() -> None:
    script = "import sys, s1_models, s1_tasks, s1_report; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    heavy = {"torch", "vllm", "transformers", "lm_eval", "matplotlib", "sympy", "datasets", "scipy", "numpy"}
    assert not heavy & set(loaded.split())


def test_no_file_is_called_utils_common_or_helpers() -> None:
    assert not [path for path in tracked() if path.stem in ("utils", "common", "helpers", "misc")]


def test_files_stay_short_enough_to_be_read() -> None:
    long = {str(path.relative_to(ROOT)) for path in tracked("*.py") if len(path.read_text().splitlines()) > 600}
    unexplained = {name for name in long if not name.startswith("tests/")} - set(LONG_FILES)
    assert not unexplained, f"over 600 lines: {unexplained}; make two files, or say in LONG_FILES why not"


def test_delimiters_are_spelt_in_one_place() -> None:
    delimiter = re.compile(r"<\|im_start\|>(think|answer)|</think>")
    for path in tracked("s1_models/*.py", "s1_tasks/*.py", "s1_report/*.py", "training/*.py"):
        name = str(path.relative_to(ROOT))
        if name.startswith(DELIMITER_HOMES):
            continue
        spelt = [
            node.value
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and delimiter.search(node.value)
        ]
        docstrings = [text for text in spelt if "\n" in text or text.endswith(".")]
        assert spelt == docstrings, f"{name} spells a delimiter: take it from s1_models.formats"


def test_nothing_reachable_from_model_text_evaluates_strings() -> None:
    forbidden = {"eval", "exec", "sympify", "parse_expr", "compile"}
    for path in tracked("s1_tasks/**/*.py", "s1_tasks/*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                called = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
                is_regex = isinstance(node.func, ast.Attribute) and getattr(node.func.value, "id", "") == "re"
                assert called not in forbidden or is_regex, f"{path.name}:{node.lineno} calls {called}"


def test_the_repository_speaks_of_the_project_alone() -> None:
    other = re.compile(r"/work/|/tmp/bash|pypi-more|\.library|helper[- ]session")
    for path in tracked("*.py", "*.md", "*.toml", "*.yaml", "Makefile", ".ci/run"):
        if path.name != "test_architecture.py":
            found = other.search(path.read_text())
            assert not found, f"{path.relative_to(ROOT)} names {found}"
