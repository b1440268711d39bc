"""What comes together is done together, and each gets its own answer."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

import pytest

from evalkit.runner.batches import Batches


def test_items_of_one_turn_share_a_call() -> None:
    calls: list[int] = []

    def work(items: Sequence[int]) -> Sequence[int | Exception]:
        calls.append(len(items))
        return [item * 2 for item in items]

    async def main() -> None:
        batches = Batches(work)
        assert await asyncio.gather(*(batches(n) for n in range(10))) == [2 * n for n in range(10)]
        batches.close()

    asyncio.run(main())
    assert calls == [10]


def test_what_comes_meanwhile_goes_next() -> None:
    calls: list[int] = []
    go_on = threading.Event()

    def work(items: Sequence[int]) -> Sequence[int | Exception]:
        calls.append(len(items))
        go_on.wait(5)
        return items

    async def main() -> None:
        batches = Batches(work)
        first = asyncio.create_task(batches(0))
        await asyncio.sleep(0.05)
        later = [asyncio.create_task(batches(n)) for n in range(5)]
        await asyncio.sleep(0.05)
        assert calls == [1]
        go_on.set()
        await asyncio.gather(first, *later)
        batches.close()

    asyncio.run(main())
    assert calls == [1, 5]


def test_an_error_of_one_is_not_everybodys() -> None:
    async def main() -> None:
        batches: Batches[int, int] = Batches(
            lambda items: [ValueError("two") if n == 2 else n for n in items]
        )
        answers = await asyncio.gather(*(batches(n) for n in range(4)), return_exceptions=True)
        assert [type(answer) for answer in answers] == [int, int, ValueError, int]
        batches.close()

    asyncio.run(main())


def test_an_error_of_all_is_everybodys() -> None:
    def work(items: Sequence[int]) -> Sequence[int | Exception]:
        raise OSError("disk")

    async def main() -> None:
        batches = Batches(work)
        with pytest.raises(OSError, match="disk"):
            await batches(1)
        assert not isinstance(await asyncio.gather(batches(2), return_exceptions=True), int)
        batches.close()

    asyncio.run(main())
