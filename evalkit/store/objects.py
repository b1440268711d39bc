"""Bytes by their sha256: written once, shared by all runs, never rewritten."""

from __future__ import annotations

import os
import uuid
from pathlib import Path

from evalkit.errors import StorageError
from evalkit.ids import sha256
from evalkit.store.disk import storage_errors, sync_data, write_all


class ObjectStore:
    """The folder `objects/`: `ab/abcdef...` holds the bytes whose sha256 is `abcdef...`."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, digest: str) -> Path:
        """Where an object is or would be."""
        return self.root / digest[:2] / digest

    def __contains__(self, digest: str) -> bool:
        return self.path(digest).exists()

    def put(self, data: bytes) -> str:
        """Store bytes and return their digest; a no-op if they are there already."""
        digest = sha256(data)
        target = self.path(digest)
        if not target.exists():
            with storage_errors("store an image"):
                try:
                    self._write(target, data)
                except FileNotFoundError:
                    target.parent.mkdir(parents=True, exist_ok=True)
                    self._write(target, data)
        return digest

    def get(self, digest: str) -> bytes:
        """The bytes of an object. Raises `StorageError` if they are gone or not what they were."""
        try:
            data = self.path(digest).read_bytes()
        except FileNotFoundError as error:
            raise StorageError(
                f"object {digest[:12]} is missing from {self.root}",
                "Restore the objects/ folder from a backup.",
            ) from error
        if sha256(data) != digest:
            raise StorageError(
                f"object {digest[:12]} is damaged", f"Restore {self.path(digest)} from a backup."
            )
        return data

    def sweep(self) -> int:
        """Remove what a crash left half-written; returns how many files that were."""
        leftovers = list(self.root.glob("??/*.tmp"))
        for leftover in leftovers:
            leftover.unlink(missing_ok=True)
        return len(leftovers)

    def _write(self, target: Path, data: bytes) -> None:
        aside = target.parent / f"{uuid.uuid4().hex}.tmp"
        fd = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        try:
            write_all(fd, data)
            sync_data(fd)
            aside.replace(target)
        except BaseException:
            aside.unlink(missing_ok=True)
            raise
        finally:
            os.close(fd)
