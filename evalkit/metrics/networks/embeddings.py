"""Where embeddings are kept: a while in memory, and on the disk for the next process.

It knows keys and float32 values, which come back exactly as they were, and not what they mean. The file
`embeddings-<n>.sqlite` of the cache folder may be deleted at any time. One that turns out to be broken is
left for a new one: losing it costs time, never a score.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import time
import warnings
import zlib
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float32]
T = TypeVar("T")

_READ = "SELECT key, vector, sum FROM embeddings WHERE space = ? AND key IN (SELECT value FROM json_each(?))"
_WRITE = "INSERT OR REPLACE INTO embeddings (space, key, vector, sum) VALUES (?, ?, ?, ?)"
_PATIENCE = 20.0
"""Seconds to wait for another process that is writing."""

_NOT_NOW = frozenset(
    (
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PERM,
    )
)
"""Errors that say nothing against the file: this once it goes without."""


class Memory:
    """Embeddings by key, the least recently used ones forgotten."""

    def __init__(self, size: int = 8192) -> None:
        self._size = size
        self._kept: OrderedDict[str, Vector] = OrderedDict()

    def get(self, keys: Sequence[str]) -> dict[str, Vector]:
        """Those that are kept."""
        return {key: self._kept[key] for key in keys if key in self._kept}

    def put(self, vectors: Mapping[str, Vector]) -> None:
        """Keep them, as the ones used last."""
        for key, vector in vectors.items():
            self._kept[key] = vector
            self._kept.move_to_end(key)
        while len(self._kept) > self._size:
            self._kept.popitem(last=False)


class EmbeddingCache:
    """Vectors on the disk, for any number of processes at once.

    A `space` names everything that decides the numbers. No method raises for what the disk does: what cannot
    be read is missing, and what cannot be written is not kept.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._db: sqlite3.Connection | None = None
        self._path = _newest(folder)

    def read(self, space: str, keys: Sequence[str]) -> dict[str, Vector]:
        """Those of `keys` that are kept in `space` and are what they were."""
        asked = (space, json.dumps(list(keys)))
        rows: list[Any] = self._try(lambda db: db.execute(_READ, asked).fetchall(), [])
        return {key: np.frombuffer(blob, "<f4") for key, blob, total in rows if total == _sum(key, blob)}

    def write(self, space: str, vectors: Mapping[str, Vector]) -> None:
        """Keep vectors; all of them or, if the disk will not have them now, none."""
        blobs = ((key, np.asarray(vector, "<f4").tobytes()) for key, vector in vectors.items())
        rows = [(space, key, blob, _sum(key, blob)) for key, blob in blobs]

        def insert(db: sqlite3.Connection) -> None:
            with db:
                db.executemany(_WRITE, rows)

        self._try(insert, None)

    def close(self) -> None:
        """Give the file back."""
        if self._db is not None:
            self._db.close()
            self._db = None

    def _try(self, action: Callable[[sqlite3.Connection], T], otherwise: T) -> T:
        with self._lock:
            try:
                self._db = self._db or _open(self._path)
                return action(self._db)
            except sqlite3.Error as error:
                if getattr(error, "sqlite_errorcode", 0) & 0xFF not in _NOT_NOW:
                    self._abandon(error)
            except OSError:
                pass
            return otherwise

    def _abandon(self, error: sqlite3.Error) -> None:
        """Go on with the next file: others may still have this one open, so it is not written anew."""
        self.close()
        broken, self._path = self._path, _numbered(self._folder, _number(self._path) + 1)
        for end in ("", "-wal", "-shm"):
            broken.with_name(broken.name + end).unlink(missing_ok=True)
        warnings.warn(f"{broken} is broken ({error}): what it held is worked out again", stacklevel=4)


def _open(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    while True:
        db = sqlite3.connect(path, timeout=_PATIENCE, check_same_thread=False)
        try:
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = NORMAL")
            db.executescript(Path(__file__).with_name("embeddings.sql").read_text(encoding="utf-8"))
        except sqlite3.OperationalError as error:
            db.close()
            # switching to WAL does not wait for others who are doing the same
            busy = error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
            if not busy or time.monotonic() - started > _PATIENCE:
                raise
            time.sleep(0.05)
        except sqlite3.Error:
            db.close()
            raise
        else:
            return db


def _newest(folder: Path) -> Path:
    """The file with the highest number: those before it were broken."""
    return max(folder.glob("embeddings-*.sqlite"), key=_number, default=_numbered(folder, 1))


def _numbered(folder: Path, number: int) -> Path:
    return folder / f"embeddings-{number}.sqlite"


def _number(path: Path) -> int:
    number = path.stem.rpartition("-")[2]
    return int(number) if number.isdecimal() else 0


def _sum(key: str, blob: bytes) -> int:
    return zlib.crc32(blob, zlib.crc32(key.encode()))
