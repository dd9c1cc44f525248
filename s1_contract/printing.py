"""One way out for every name and text that somebody else wrote: to a terminal, into Markdown, a CSV cell or a path

Task names, model names, answers and messages of servers come from files and networks that nobody vouches for. `show`
keeps them what they are, text: no terminal commands, no Markdown lines of their own, no spreadsheet formulas, no other
folders.
"""

from __future__ import annotations

import hashlib
import re
from typing import Literal

Where = Literal["terminal", "markdown", "csv", "path"]

LONGEST_PATH_PART = 120
"""Characters of a name in a path; longer ones are cut and told apart by a hash."""

# Emphasis, code, links, tables, HTML, mentions of people; an underscore inside a word means nothing to Markdown.
_MARKDOWN = re.compile(r"[\\|`*\[\]<>]|(?<!\w)@(?=\w)|(?<![^\W_])_|_(?![^\W_])|~(?=~)|&(?=#?\w+;)|^(?:#|=|[-+](?=\s))")
_ENTITIES = {"<": "&lt;", ">": "&gt;", "&": "&amp;", "@": "&#64;"}
# What spreadsheets take for the beginning of a formula; the wide forms count where they are typed.
_FORMULA = "=+-@\uff1d\uff0b\uff0d\uff20"
_NUMBER = re.compile(r"[-+]?\d[\d,]*(?:\.\d+)?(?:[eE][-+]?\d+)?%?")


def show(text: object, where: Where = "terminal") -> str:
    """The text in one line that does nothing where it is put.

    Characters that do not print (control characters, line breaks, directions of writing, half surrogate pairs) are
    spelt out as Python escapes; in Markdown a line break is a blank.
    path: one part of a path, of letters, digits and .@=+-_ only, never empty.
    """
    given = " ".join(str(text).split()) if where == "markdown" else str(text)  # as Markdown itself reads blanks
    line = "".join(character if character.isprintable() else _spelt(character) for character in given)
    if where == "markdown":
        return _MARKDOWN.sub(lambda found: _ENTITIES.get(found[0], f"\\{found[0]}"), line)
    if where == "csv":
        return f"'{line}" if line.lstrip()[:1] in tuple(_FORMULA) and not _NUMBER.fullmatch(line) else line
    return _path_part(str(text)) if where == "path" else line


def show_lines(text: str) -> str:
    """`show` for a text of several lines of our own: its line breaks stay. Names in it must be shown by themselves."""
    return "\n".join(show(line) for line in text.split("\n"))


def _spelt(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def _path_part(text: str) -> str:
    part = re.sub(r"[^A-Za-z0-9.@=+-]+", "_", text).strip("._").lstrip("-")
    digest = hashlib.sha256(text.encode(errors="backslashreplace")).hexdigest()[:8]
    if len(part) > LONGEST_PATH_PART:
        part = f"{part[: LONGEST_PATH_PART - 9]}-{digest}"
    return part or ("unnamed" if not text.strip() else f"unnamed-{digest}")
