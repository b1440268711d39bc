"""Append-only records in a text file: one JSON object per line.

A journal knows how to append durably, how to mend a torn end and how to be read back. What the records
mean is for others (`evalkit.runner`, `evalkit.study`, `evalkit.metrics`).

The promises: a record is one `write`, so records of several processes never mix; a line that a crash cut
short is closed with a newline when the journal is next opened, reported, and never joined to the next
record; a full disk raises `StorageError` and leaves everything before it valid.
"""

from __future__ import annotations

import errno
import fcntl
import os
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import orjson

from evalkit.errors import Locked
from evalkit.store.disk import storage_errors, sync_data

GROUP_SECONDS = 0.05
"""Records are fsynced together at most this long after they were written."""

Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Dropped:
    """A line that is not a record: where it starts, how long it is, and how it begins."""

    path: str
    offset: int
    length: int
    start: str

    def __str__(self) -> str:
        return f"{self.path}: {self.length} bytes at offset {self.offset} are not a record: {self.start!r}"


def read_records(path: Path, dropped: list[Dropped] | None = None, offset: int = 0) -> Iterator[Record]:
    """Every record from byte `offset` on; what cannot be read is appended to `dropped`.

    A last line without a newline is read if it is a whole record, as its newline may just be on its way.
    """
    if not path.exists():
        return
    with path.open("rb") as file:
        file.seek(offset)
        for line in file:
            record = _parse(line)
            if record is not None:
                yield record
            elif dropped is not None and line.strip():
                start = line[:60].decode("utf-8", "replace").rstrip("\n")
                dropped.append(Dropped(str(path), offset, len(line), start))
            offset += len(line)


def _parse(line: bytes) -> Record | None:
    try:
        record = orjson.loads(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) else None


class Journal:
    """An open journal; one process at a time.

    `append(record)` returns when the record is written (it then survives `kill -9`) and within
    `GROUP_SECONDS` it is on the disk; `append(record, durable=True)` returns when it is on the disk.
    `repaired` is the torn end that was closed on opening, if there was one.
    """

    def __init__(self, path: Path, *, what: str = "journal") -> None:
        self.path = path
        with storage_errors(f"open {path.name}"):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._fd = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        self._lock(what)
        self.repaired = self._close_torn_end()
        self._torn = False
        self._dirty = threading.Event()
        self._closing = threading.Event()
        self._write_lock = threading.Lock()
        self._syncer = threading.Thread(target=self._sync_in_groups, name=f"sync {path.name}", daemon=True)
        self._syncer.start()

    def append(self, record: Mapping[str, Any], *, durable: bool = False) -> None:
        """Write one record. Raises `StorageError` if it could not be written whole."""
        line = orjson.dumps(record, option=orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE)
        with self._write_lock, storage_errors(f"write to {self.path.name}"):
            if self._torn:
                os.write(self._fd, b"\n")
                self._torn = False
            written = os.write(self._fd, line)
            if written != len(line):
                self._torn = True
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if durable:
            self.sync()
        else:
            self._dirty.set()

    def sync(self) -> None:
        """Return when every record written so far is on the disk."""
        with storage_errors(f"sync {self.path.name}"):
            sync_data(self._fd)

    def close(self) -> None:
        """Sync and give the journal back."""
        if self._closing.is_set():
            return
        self._closing.set()
        self._dirty.set()
        self._syncer.join()
        try:
            self.sync()
        finally:
            os.close(self._fd)

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _lock(self, what: str) -> None:
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._fd)
            raise Locked(
                f"another process is writing this {what} ({self.path})",
                "Wait for it to finish, or stop it; then run the same command again.",
            ) from error

    def _close_torn_end(self) -> Dropped | None:
        size = os.fstat(self._fd).st_size
        if size == 0 or os.pread(self._fd, 1, size - 1) == b"\n":
            return None
        with storage_errors(f"repair {self.path.name}"):
            os.write(self._fd, b"\n")
        start, tail = _last_line(self._fd, size)
        if _parse(tail) is not None:
            return None
        return Dropped(str(self.path), start, len(tail), tail[:60].decode("utf-8", "replace"))

    def _sync_in_groups(self) -> None:
        while not self._closing.is_set():
            self._dirty.wait()
            self._closing.wait(GROUP_SECONDS)
            self._dirty.clear()
            try:
                sync_data(self._fd)
            except OSError:
                self._dirty.set()


def _last_line(fd: int, size: int) -> tuple[int, bytes]:
    """Where the last line of the first `size` bytes starts, and that line."""
    tail = b""
    position = size
    while position > 0:
        step = min(65536, position)
        position -= step
        tail = os.pread(fd, step, position) + tail
        cut = tail.rfind(b"\n")
        if cut >= 0:
            return position + cut + 1, tail[cut + 1 :]
    return 0, tail
