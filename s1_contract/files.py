"""Reading JSON Lines and writing files whole: one reader and one writer for all rooms."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from s1_contract.errors import DataError


def read_json_lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """(line number, object) of every line that is not blank. A byte-order mark is skipped; NaN and Infinity are text.

    Raises DataError, with file and line, for what cannot be read or is not a JSON object.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="\n") as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    yield number, _object(line, f"{path}, line {number}")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: byte {error.start} is not UTF-8; expected UTF-8 text: convert the file") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}): check the path") from None


def read_text(path: Path) -> str:
    """The text of a file, without a byte-order mark. Raises DataError when it cannot be read."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}): check the path") from None
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: byte {error.start} is not UTF-8; expected UTF-8 text: restore the file") from None


def encoded(text: str) -> bytes:
    """The bytes that `write_whole` writes. Half a surrogate pair, which UTF-8 cannot hold, becomes a JSON escape."""
    return text.encode("utf-8", errors="backslashreplace")


def _object(line: str, place: str) -> dict[str, Any]:
    try:
        row = json.loads(line, parse_constant=str)
    except (ValueError, RecursionError) as error:
        what = (
            f"{error.msg.removesuffix(' at')} at column {error.colno}"
            if isinstance(error, json.JSONDecodeError)
            else str(error)
        )
        raise DataError(
            f"{place}: not JSON ({what}); expected one JSON object a line: mend or remove the line"
        ) from None
    if not isinstance(row, dict):
        raise DataError(f"{place}: a JSON {type(row).__name__}; expected an object: mend or remove the line")
    return row


def write_whole(path: Path, content: str | bytes | Iterable[bytes]) -> None:
    """Writes a file whole or not at all, with the modes of an ordinary new file; makes its folder. Raises DataError.

    Pieces are written as they come, and are on the disk before the file has its name.
    """
    pieces = [encoded(content)] if isinstance(content, str) else [content] if isinstance(content, bytes) else content
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.writelines(pieces)
                if not isinstance(content, (str, bytes)):
                    file.flush()
                    os.fsync(file.fileno())
            _give_ordinary_mode(Path(name))
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise DataError(f"{path}: cannot be written ({error.strerror}): name another file") from None


def give_ordinary_modes(folder: Path) -> None:
    """Gives every file in a folder the mode of an ordinary new file; some libraries write for their user only."""
    for path in folder.rglob("*"):
        if path.is_file():
            _give_ordinary_mode(path)


def _give_ordinary_mode(path: Path) -> None:
    path.chmod(0o666 & ~_umask())


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
