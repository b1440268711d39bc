"""Pictures of an object store, decoded when somebody looks at them, the latest ones kept.

What a scoring worker holds in memory is bounded here: a metric may ask for a picture as often as it likes,
from any thread, and two threads that want the same one wait for one decoding.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from itertools import islice
from typing import Any

from evalkit.errors import StorageError
from evalkit.images import Header, ImageProblem, decode, read_header
from evalkit.metrics.base import RGB
from evalkit.store import ObjectStore

BUDGET = 128_000_000
"""Bytes of pictures that are kept; the latest one is, whatever its size."""

_LOOK = 64
"""How many of the oldest are looked at when room is needed; some may still be on their way."""


class Pictures:
    """Pictures by digest."""

    def __init__(self, objects: ObjectStore, budget: int = BUDGET) -> None:
        self._objects, self._budget = objects, budget
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[str, str], Future[Any]] = OrderedDict()
        self._sizes: dict[tuple[str, str], int] = {}
        self._total = 0

    def pixels(self, sha: str) -> tuple[RGB | None, str | None]:
        """H x W x 3 uint8 by the canonical rules, or None and the reason."""
        found: tuple[RGB | None, str | None] = self._once(("pixels", sha), lambda: self._decoded(sha))
        return found

    def header(self, sha: str) -> Header | None:
        """What the file says of itself, if it can be read at all."""
        header: Header | None = self._once(("header", sha), lambda: self._headed(sha))
        return header

    def _decoded(self, sha: str) -> tuple[RGB | None, str | None]:
        try:
            return decode(self._bytes(sha)), None
        except ImageProblem as problem:
            return None, problem.reason
        except StorageError:
            return None, "object_missing"

    def _headed(self, sha: str) -> Header | None:
        try:
            return read_header(self._bytes(sha))
        except (ImageProblem, StorageError):
            return None

    def _bytes(self, sha: str) -> bytes:
        """Kept for a moment: whoever reads a header will often decode the picture next."""
        data: bytes = self._once(("bytes", sha), lambda: self._objects.get(sha))
        return data

    def _once(self, key: tuple[str, str], work: Callable[[], Any]) -> Any:
        with self._lock:
            mine = key not in self._kept
            future = self._kept.setdefault(key, Future())
            self._kept.move_to_end(key)
        if mine:
            try:
                future.set_result(work())
            except BaseException as error:
                future.set_exception(error)
            self._weigh(key, future)
        return future.result()

    def _weigh(self, key: tuple[str, str], future: Future[Any]) -> None:
        """Count what has come, and let go of the oldest until the rest is within the budget."""
        size = 0 if future.exception() else _size(future.result())
        with self._lock:
            self._sizes[key] = size
            self._total += size
            for old in list(islice(self._kept, _LOOK)):
                if self._total <= self._budget:
                    return
                if old != key and old in self._sizes:
                    del self._kept[old]
                    self._total -= self._sizes.pop(old)


def _size(value: Any) -> int:
    """Bytes; small things count a little, so that they are forgotten as well."""
    array = value[0] if isinstance(value, tuple) else value
    return 500 + int(getattr(array, "nbytes", 0) or (len(array) if isinstance(array, bytes) else 0))
