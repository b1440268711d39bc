"""Writing files so that a crash leaves either the old one or the new one.

Also turns the operating system's "no space" and "read-only" into errors that say what to do.
"""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from evalkit.errors import StorageError

_HINTS = {
    errno.ENOSPC: "The disk is full. Free some space, then run the same command again.",
    errno.EDQUOT: "Your disk quota is used up. Free some space, then run the same command again.",
    errno.EROFS: "The disk is read-only. Choose another folder with --workspace.",
    errno.EACCES: "You may not write there. Choose another folder with --workspace.",
    errno.EPERM: "You may not write there. Choose another folder with --workspace.",
}


def sync_data(fd: int) -> None:
    """Return when what was written to a file is on the disk; its times may follow later."""
    if hasattr(os, "fdatasync"):
        os.fdatasync(fd)
    else:
        os.fsync(fd)


def write_all(fd: int, data: bytes) -> None:
    """Write all of `data`, in as many pieces as the system takes it."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(fd, rest) :]


@contextlib.contextmanager
def storage_errors(action: str) -> Iterator[None]:
    """Turn the OSErrors of a disk that will not take more into `StorageError`."""
    try:
        yield
    except OSError as error:
        hint = _HINTS.get(error.errno or 0)
        if hint is None:
            raise
        raise StorageError(f"cannot {action}: {error.strerror}", hint) from error


def write_atomically(path: Path, data: bytes | Iterable[bytes]) -> None:
    """Replace `path` by `data` (or by its pieces): written aside, synced, renamed. Raises `StorageError`."""
    with storage_errors(f"write {path.name}"):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
        try:
            with os.fdopen(handle, "wb") as file:
                file.writelines([data] if isinstance(data, bytes) else data)
                file.flush()
                os.fsync(file.fileno())
            Path(name).chmod(0o644)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
