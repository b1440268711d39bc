"""Work that is cheaper together: what many trials want done at about the same time goes to one thread call.

A hop to a thread costs more than most of what is done there, and one fsync makes everybody's records durable.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")


class Batches(Generic[T, R]):
    """Calls `work` in up to `threads` threads with all items that have come together meanwhile.

    `work` answers each item with a result or the exception it raises for it; if it raises itself, everybody
    in the batch gets that.
    """

    def __init__(self, work: Callable[[Sequence[T]], Sequence[R | Exception]], threads: int = 1) -> None:
        self._work = work
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="batches")
        self._free = threads
        self._waiting: list[tuple[T, asyncio.Future[R]]] = []

    async def __call__(self, item: T) -> R:
        """The result for one item."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[R] = loop.create_future()
        self._waiting.append((item, future))
        if len(self._waiting) == 1 and self._free:
            # Not at once: others of this turn of the loop may join.
            loop.call_soon(self._start, loop)
        return await future

    def close(self) -> None:
        """Give the threads back."""
        self._threads.shutdown(wait=True)

    def _start(self, loop: asyncio.AbstractEventLoop) -> None:
        if not self._waiting or not self._free:
            return
        batch, self._waiting = self._waiting, []
        self._free -= 1
        done = self._threads.submit(self._work, [item for item, _ in batch])
        done.add_done_callback(lambda result: loop.call_soon_threadsafe(self._finish, loop, batch, result))

    def _finish(
        self,
        loop: asyncio.AbstractEventLoop,
        batch: Sequence[tuple[T, asyncio.Future[R]]],
        done: Future[Sequence[R | Exception]],
    ) -> None:
        self._free += 1
        failure = done.exception()
        answers = [failure] * len(batch) if failure is not None else done.result()
        for (_, future), answer in zip(batch, answers, strict=True):
            if future.done():
                continue
            if isinstance(answer, BaseException):
                future.set_exception(answer)
            else:
                future.set_result(answer)
        self._start(loop)
