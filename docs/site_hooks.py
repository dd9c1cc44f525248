"""What `mkdocs build` does beyond mkdocs: documents from elsewhere, their links, and the list of errors."""

from __future__ import annotations

import ast
import builtins
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
LINK = re.compile(r"(\]\()([^)#\s]+)(#[^)\s]*)?(\))")
ERRORS = "<!-- errors -->"
AREAS = {
    "OptionError": "Options",
    "BudgetError": "Budgets",
    "FormatError": "Thinking formats and templates",
    "BridgeError": "lm_eval and the start-up bridge",
    "EngineError": "Engines and servers",
    "MemoError": "Memo",
    "OutputError": "Writing results",
    "DataError": "Data",
    "ReportError": "Reports",
}
"""Error class -> heading of its section; other classes of ours follow under their own names."""


def on_page_markdown(markdown: str, page: Any, config: Any, **_: Any) -> str:
    """Shows the document named by `source:` at the head of a page, and points links out of docs/ at the repository."""
    place = ROOT / "docs" / page.file.src_path
    if source := page.meta.get("source"):
        place = ROOT / str(source)
        markdown = place.read_text(encoding="utf-8")
    if ERRORS in markdown:
        markdown = markdown.replace(ERRORS, list_errors())
    return LINK.sub(lambda match: _point(match, place, page.file.src_path, config["repo_url"]), markdown)


def _point(match: re.Match[str], place: Path, page: str, repository: str) -> str:
    opening, target, anchor, closing = match[1], match[2], match[3] or "", match[4]
    file = (place.parent / target).resolve()
    if re.match(r"[a-z]+:", target) or not file.exists():
        return match[0]  # mkdocs says so where it is wrong
    if file.is_relative_to(ROOT / "docs") and not file.is_dir():
        up = "../" * (len(Path(page).parts) - 1)
        return f"{opening}{up}{file.relative_to(ROOT / 'docs').as_posix()}{anchor}{closing}"
    kind = "tree" if file.is_dir() else "blob"
    return f"{opening}{repository}/{kind}/main/{file.relative_to(ROOT).as_posix()}{anchor}{closing}"


def list_errors() -> str:
    """Every error sentence of the packages, by kind; what a run fills in stands as `…`."""
    found: dict[str, set[str]] = defaultdict(set)
    for package in ("s1_contract", "s1_models", "s1_tasks", "s1_report", "training"):
        for path in sorted((ROOT / package).rglob("*.py")):
            for kind, sentence in error_sentences(path.read_text(encoding="utf-8")):
                found[kind].add(sentence)
    parts = []
    for kind in [*AREAS, *sorted(found.keys() - AREAS.keys())]:
        if kind in found:
            sentences = "".join(f"- {sentence}\n" for sentence in sorted(found[kind]))
            parts.append(f"## {AREAS.get(kind, kind)}\n\n{sentences}")
    return "\n".join(parts)


def error_sentences(source: str) -> Iterator[tuple[str, str]]:
    """(error class, sentence) of every `raise SomethingError("...")` of a module that has a sentence to say."""
    for node in ast.walk(ast.parse(source)):
        if not (isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and node.exc.args):
            continue
        called = node.exc.func
        kind = called.id if isinstance(called, ast.Name) else called.attr if isinstance(called, ast.Attribute) else ""
        sentence = " ".join(_text(node.exc.args[0]).split())
        if kind.endswith("Error") and not hasattr(builtins, kind) and len(sentence.replace("…", "").split()) > 3:
            yield kind, re.sub(r"([<>{}`*_|])", r"\\\1", sentence)


def _text(node: ast.expr) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part) if isinstance(part, ast.Constant) else "…" for part in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _text(node.left) + _text(node.right)
    return "…"
