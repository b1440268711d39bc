"""sha256 of large files, each computed once per version of the file.

Scoring asks for the digest of gigabytes on every start; a file whose size and modification time are as
they were is not read again. `verify` of the store does not use this and reads every byte.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from evalkit.errors import StorageError
from evalkit.ids import digest
from evalkit.store.disk import write_atomically
from evalkit.weights.places import weights_dir

_WORTH_KEEPING = 64_000_000
"""Bytes from which a digest is also kept on disk; below, reading the file again costs less than 0.1 s."""

_seen: dict[str, list[int | str]] = {}


def digest_of_file(path: Path) -> str:
    """sha256 of the file, hex; remembered by size and modification time."""
    key, size, changed = _version(path)
    known = _seen.get(key) or (_kept().get(key) if size >= _WORTH_KEEPING else None)
    if known and known[:2] == [size, changed]:
        return str(known[2])
    fresh: list[int | str] = [size, changed, hash_file(path)]
    _seen[key] = fresh
    if size >= _WORTH_KEEPING:
        _keep(key, fresh)
    return str(fresh[2])


def digest_of_files(paths: Sequence[Path]) -> str:
    """One digest over several files, by name and content."""
    return digest([[path.name, digest_of_file(path)] for path in paths])


def hash_file(path: Path) -> str:
    """sha256 of the file, hex, read in full."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _version(path: Path) -> tuple[str, int, int]:
    facts = path.stat()
    return str(path.resolve()), facts.st_size, facts.st_mtime_ns


def _kept() -> dict[str, list[int | str]]:
    try:
        kept = json.loads(_file().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return kept if isinstance(kept, dict) else {}


def _keep(key: str, value: list[int | str]) -> None:
    """A cache that cannot be written is only slower, so failure is not an error."""
    with contextlib.suppress(OSError, StorageError):
        write_atomically(_file(), json.dumps({**_kept(), key: value}, indent=0).encode())


def _file() -> Path:
    return weights_dir() / "digests.json"
