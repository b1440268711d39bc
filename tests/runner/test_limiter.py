"""Slow start, one cut per episode, growth only when it was used; on a clock of our own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from hypothesis import given
from hypothesis import strategies as st

from evalkit.providers.base import Limits
from evalkit.runner.limiter import COOLDOWN_S, Limiter


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def limiter(start: int = 2, most: int = 16, clock: Clock | None = None) -> Limiter:
    return Limiter(Limits(start, most), clock=clock or Clock(), chance=lambda: 1.0)


def run(work: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(work(), 5))


async def round_of(limited: Limiter, used: int | None = None) -> None:
    """A whole round of successes with `used` slots in use at once."""
    used = limited.limit if used is None else used
    for _ in range(used):
        await limited.acquire()
    for _ in range(limited.limit):
        limited.succeeded()
    for _ in range(used):
        limited.release()


def test_it_doubles_while_all_goes_well() -> None:
    async def work() -> None:
        limited = limiter()
        seen = []
        for _ in range(5):
            await round_of(limited)
            seen.append(limited.limit)
        assert seen == [4, 8, 16, 16, 16]

    run(work)


def test_it_does_not_grow_unused() -> None:
    async def work() -> None:
        limited = limiter(start=8)
        await round_of(limited, used=6)
        assert limited.limit == 8
        await round_of(limited, used=7)
        assert limited.limit == 16

    run(work)


def test_one_cut_per_episode_then_growth_by_one() -> None:
    async def work() -> None:
        clock = Clock()
        limited = limiter(start=10, most=40, clock=clock)
        limited.limited(None)
        limited.limited(None)
        assert limited.limit == 7
        await_end = clock.now + COOLDOWN_S
        clock.now = await_end - 1
        await round_of(limited)
        assert limited.limit == 7, "a success in the cooldown says nothing"
        clock.now = await_end + 1
        await round_of(limited)
        assert limited.limit == 8, "no second slow start"
        limited.limited(2.0)
        assert limited.limit == 5
        assert [change.limit for change in limited.changes] == [7, 8, 5]
        assert "asked too often" in limited.changes[-1].why

    run(work)


def test_a_429_pauses_everybody_as_long_as_the_provider_says() -> None:
    async def work() -> None:
        limited = Limiter(Limits(2, 2))
        limited.limited(0.2)
        started = asyncio.get_running_loop().time()
        assert await limited.acquire()
        assert asyncio.get_running_loop().time() - started >= 0.19

    run(work)


def test_a_pause_is_never_longer_than_two_minutes() -> None:
    clock = Clock()
    limited = limiter(clock=clock)
    limited.limited(86_400.0)
    assert limited._resting_until == clock.now + 120


def test_pauses_without_advice_double_up_to_half_a_minute() -> None:
    clock, pauses = Clock(), []
    limited = limiter(clock=clock)
    for _ in range(7):
        limited.limited(None)
        pauses.append(limited._resting_until - clock.now)
        clock.now = limited._cooling_until + 1
    assert pauses == [1, 2, 4, 8, 16, 30, 30]


def test_stopping_wakes_who_waits_and_lets_nobody_in() -> None:
    async def work() -> None:
        limited = limiter(start=1, most=1)
        assert await limited.acquire()
        waiting = asyncio.create_task(limited.acquire())
        resting = asyncio.create_task(limited.nap(60))
        await asyncio.sleep(0)
        limited.stop()
        assert await waiting is False
        await resting
        assert await limited.acquire() is False

    run(work)


def test_held_means_one_at_a_time_for_good() -> None:
    async def work() -> None:
        limited = limiter(start=4)
        limited.hold()
        for _ in range(8):
            limited.succeeded()
        assert limited.limit == 1

    run(work)


@given(st.lists(st.sampled_from(["acquire", "release", "good", "limited"]), max_size=80))
def test_never_more_in_flight_than_the_limit_at_entry(events: list[str]) -> None:
    async def work() -> None:
        clock = Clock()
        limited = limiter(start=3, most=9, clock=clock)
        held = 0
        for event in events:
            clock.now += 40
            if event == "acquire" and limited.in_flight < limited.limit:
                assert await limited.acquire()
                held += 1
                assert limited.in_flight == held <= limited.limit
            elif event == "release" and held:
                limited.release()
                held -= 1
            elif event == "good":
                limited.succeeded()
            elif event == "limited":
                limited.limited(0.0)
            assert 1 <= limited.limit <= 9

    run(work)
