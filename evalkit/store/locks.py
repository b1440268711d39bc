"""Locks between processes: held by an open file, given back by the operating system after any death."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from evalkit.errors import Locked
from evalkit.store.disk import storage_errors


@contextlib.contextmanager
def exclusive(path: Path, what: str, *, wait: float = 0.0) -> Iterator[None]:
    """Hold the lock file `path`; raises `Locked`, naming the holder, after `wait` seconds.

    `what` completes the sentence "another process is ...".
    """
    with storage_errors(f"lock {path.name}"):
        path.parent.mkdir(parents=True, exist_ok=True)
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        _take(fd, what, wait)
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(fd)


def _take(fd: int, what: str, wait: float) -> None:
    deadline = time.monotonic() + wait
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() < deadline:
                time.sleep(0.05)
                continue
            holder = os.pread(fd, 20, 0).decode("ascii", "replace").strip() or "unknown"
            raise Locked(
                f"another process is {what} (process {holder})",
                "Wait for it to finish, or stop it; then run the same command again.",
            ) from None
        return
