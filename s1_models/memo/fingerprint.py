"""Which weights a model has, as a short text: so that a memo never serves another model's tokens."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from hashlib import blake2b
from pathlib import Path

from s1_models.memo.store import MemoError

# What an engine reads in a model's folder: weights, configuration, tokenizer, code. Not its logs or its README.
_READ = frozenset(
    {*(".safetensors", ".bin", ".pt", ".pth", ".gguf", ".json", ".txt", ".model", ".jinja", ".tiktoken", ".py")}
)
# Larger files are recognised by size, time of change and samples: reading 60 GB would take minutes.
_READ_WHOLE_BYTES = 64 * 2**20
_SAMPLES, _SAMPLE_BYTES = 16, 2**16


def fingerprint_model(path_or_name: str, revision: str | None = None) -> str:
    """What a model's weights, configuration and tokenizer are, wherever they lie.

    A local folder or file: a digest of its files (those above 64 MiB by size, time of change and samples). A name on
    the Hub: the commit that the local cache holds for the revision, so ask after the model was loaded.
    Raises MemoError where neither can be found out.
    """
    path = Path(path_or_name).expanduser()
    if path.is_dir():
        files = [file for file in sorted(path.iterdir()) if file.suffix in _READ and file.is_file()]
        if not files:
            raise MemoError(f"{path} holds no model files, so it cannot be told what they are: memo=off runs without")
        return f"files {_digest(files)}"
    if path.is_file():
        return f"file {_digest([path])}"
    return f"{path_or_name}@{_hub_commit(path_or_name, revision or 'main')}"


def _digest(files: Iterable[Path]) -> str:
    digest = blake2b(digest_size=16)
    for file in files:
        digest.update(f"{file.name}\0".encode() + _content(file) + b"\0")
    return digest.hexdigest()


def _content(file: Path) -> bytes:
    """A file's content in 16 to 64 bytes."""
    real = file.resolve()
    if real.parent.name == "blobs" and re.fullmatch(r"[0-9a-f]{64}", real.name):
        return real.name.encode()  # the Hub's cache names large files by their SHA-256
    facts = real.stat()
    digest = blake2b(str(facts.st_size).encode(), digest_size=16)
    with real.open("rb") as content:
        if facts.st_size <= _READ_WHOLE_BYTES:
            digest.update(content.read())
        else:
            digest.update(str(facts.st_mtime_ns).encode())
            for sample in range(_SAMPLES):
                content.seek(sample * (facts.st_size - _SAMPLE_BYTES) // (_SAMPLES - 1))
                digest.update(content.read(_SAMPLE_BYTES))
    return digest.digest()


def _hub_commit(name: str, revision: str) -> str:
    """The commit of the snapshot that the Hub's local cache holds for a revision (branch, tag or commit)."""
    if re.fullmatch(r"[0-9a-f]{40}", revision):
        return revision
    reference = hub_folder(name) / "refs" / revision
    try:
        return reference.read_text().strip()
    except OSError as error:
        raise MemoError(
            f"it cannot be told which weights {name} has ({reference} is not there), so nothing may be remembered: "
            f"give revision=COMMIT or a local folder, or memo=off"
        ) from error


def hub_folder(name: str) -> Path:
    """Where the Hub's local cache keeps a model of this name, whether it is there or not."""
    home = os.environ.get("HF_HOME") or str(Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "huggingface")
    cache = os.environ.get("HF_HUB_CACHE") or os.environ.get("HUGGINGFACE_HUB_CACHE") or str(Path(home) / "hub")
    return Path(cache).expanduser() / f"models--{name.replace('/', '--')}"
