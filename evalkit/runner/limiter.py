"""How many requests of a lane are in flight, learned from what the provider lets through.

Slow start: the limit doubles whenever a whole round went well; after the first 429 it grows by a twentieth
per round. It grows only if it was really used. A 429 cuts it once per episode and pauses the whole lane.
The shape is that of TCP's congestion control; it knows no provider and no money.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Callable
from dataclasses import dataclass

from evalkit.providers.base import Limits

CUT = 0.7
GROWTH = 0.05
SATURATED = 0.8
COOLDOWN_S = 15.0
BACKOFF_S = 1.0
BACKOFF_MOST_S = 30.0
RETRY_AFTER_MOST_S = 120.0


@dataclass(frozen=True, slots=True)
class Change:
    """The limit became `limit`, and why."""

    at: float
    limit: int
    why: str


class Limiter:
    """The slots of one lane. `clock` and `nap` are replaced in tests; `chance` draws the jitter."""

    def __init__(
        self,
        limits: Limits,
        *,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.limit = min(limits.start, limits.most)
        self.most = limits.most
        self.in_flight = 0
        self.changes: list[Change] = []
        self.stopped = asyncio.Event()
        self._clock, self._chance = clock, chance
        self._resting_until = self._cooling_until = 0.0
        self._slow_start = True
        self._held = False
        self._good = self._peak = self._episodes = 0
        self._freed = asyncio.Event()

    async def acquire(self) -> bool:
        """Wait for a slot and for the end of a pause; False once the lane has been stopped."""
        while not self.stopped.is_set():
            rest = self._resting_until - self._clock()
            if rest > 0:
                await self.nap(rest)
            elif self.in_flight < self.limit:
                self.in_flight += 1
                self._peak = max(self._peak, self.in_flight)
                return True
            else:
                self._freed.clear()
                await self._freed.wait()
        return False

    def release(self) -> None:
        """Give a slot back."""
        self.in_flight -= 1
        self._freed.set()

    def stop(self) -> None:
        """Let nobody in any more, and wake those who wait."""
        self.stopped.set()
        self._freed.set()

    async def rested(self) -> None:
        """Wait for the end of a pause."""
        while not self.stopped.is_set() and (rest := self._resting_until - self._clock()) > 0:
            await self.nap(rest)

    async def nap(self, seconds: float) -> None:
        """Sleep, but not through the end of the lane."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.stopped.wait()

    def succeeded(self) -> None:
        """A request was taken; after a whole round of them the limit may grow."""
        if self._held or self._clock() < self._cooling_until:
            return
        self._episodes = 0
        self._good += 1
        if self._good < self.limit:
            return
        used, self._good, self._peak = self._peak >= SATURATED * self.limit, 0, self.in_flight
        if used and self.limit < self.most:
            step = self.limit if self._slow_start else max(1, round(self.limit * GROWTH))
            self._set(min(self.most, self.limit + step), "a round went well")

    def limited(self, retry_after: float | None) -> None:
        """A request was turned away: pause everybody, and cut the limit once per episode."""
        now = self._clock()
        if retry_after is None:
            most = min(BACKOFF_MOST_S, BACKOFF_S * 2.0**self._episodes)
            retry_after = most * self._chance()
        pause = min(retry_after, RETRY_AFTER_MOST_S)
        self._resting_until = max(self._resting_until, now + pause)
        if now < self._cooling_until:
            return
        self._episodes += 1
        self._slow_start, self._good = False, 0
        self._cooling_until = now + max(COOLDOWN_S, pause)
        self._set(max(1, int(self.limit * CUT)), f"asked too often, {pause:.0f} s pause")

    def hold(self) -> None:
        """One at a time from now on: the balance counts what is in flight."""
        self._held = True
        self._set(1, "the balance counts what is in flight")

    def _set(self, limit: int, why: str) -> None:
        if limit != self.limit:
            self.changes.append(Change(self._clock(), limit, why))
        self.limit = limit
        self._freed.set()
