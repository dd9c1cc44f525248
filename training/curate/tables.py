"""Rows on disk: JSON Lines, Parquet and CSV in, JSON Lines and Parquet out, each written whole or not at all."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from s1_contract.errors import DataError
from s1_contract.files import read_json_lines, write_whole
from training.curate.stage import CurationError, Row

ENDINGS = (".jsonl", ".parquet", ".csv")


def read_rows(path: Path) -> list[Row]:
    """All rows of a .jsonl, .parquet or .csv file. Raises CurationError with file and line."""
    if not path.is_file():
        raise CurationError(f"{path} is not there: expected a file of rows ending in {', '.join(ENDINGS)}")
    try:
        if path.suffix == ".jsonl":
            return [row for _, row in read_json_lines(path)]
        if path.suffix == ".parquet":
            import pyarrow.parquet

            rows: list[Row] = pyarrow.parquet.read_table(path).to_pylist()
            return rows
        if path.suffix == ".csv":
            csv.field_size_limit(2**31 - 1)
            with path.open(encoding="utf-8-sig", newline="") as lines:
                return list(csv.DictReader(lines))
    except DataError as error:
        raise CurationError(str(error)) from None
    except (OSError, UnicodeDecodeError, csv.Error, ValueError) as error:
        raise CurationError(f"{path} cannot be read: {error}") from error
    raise CurationError(f"{path}: expected a name ending in {', '.join(ENDINGS)}")


def write_json_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> str:
    """Writes rows as JSON Lines, whole or not at all; returns the SHA-256 of the content."""
    digest = hashlib.sha256()

    def lines() -> Iterator[bytes]:
        for row in rows:
            line = json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace") + b"\n"
            digest.update(line)
            yield line

    write_whole(path, lines())
    return digest.hexdigest()


def write_parquet(path: Path, rows: list[Row]) -> None:
    """Writes rows as Parquet; every row needs the same columns."""
    import pyarrow
    import pyarrow.parquet

    names = list(dict.fromkeys(name for row in rows for name in row))
    columns = {name: [row.get(name) for row in rows] for name in names}
    content = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table(columns), content, compression="zstd")
    write_whole(path, content.getvalue())


def write_json(path: Path, value: Any) -> None:
    """Writes one JSON document, indented, whole or not at all."""
    write_whole(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def canonical_hash(value: Any) -> str:
    """SHA-256 of a JSON value that does not depend on the order of its keys."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def file_hash(path: Path) -> str:
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
