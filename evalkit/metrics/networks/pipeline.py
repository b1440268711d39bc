"""Preparing what comes next while the model is busy with what is there.

It knows threads and order, and nothing of pictures: decoding, resizing and the model's own arithmetic all
release Python's lock, so a thread is enough.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def ahead(
    work: Callable[[Item], Result], items: Sequence[Item], threads: int, depth: int
) -> Iterator[Result]:
    """`work(item)` for every item, in order, by `threads` threads that are at most `depth` results ahead.

    An error of `work` is raised where its result would have come; what has not begun is then left undone.
    """
    if threads < 1 or len(items) < 2:
        yield from map(work, items)
        return
    pool = ThreadPoolExecutor(threads, "ahead")
    waiting: deque[Future[Result]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) > depth:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def batches(items: Iterator[Item], size: int) -> Iterator[list[Item]]:
    """Consecutive lists of `size` items; the last may be shorter."""
    batch: list[Item] = []
    for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
