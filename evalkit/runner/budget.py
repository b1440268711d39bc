"""Money: what may be spent, what is reserved, what is gone.

Before a request is sent its worst case is reserved; afterwards the reservation is replaced by what it
cost. The sum of both never passes the cap, so overspending is not something that can happen late.
"""

from __future__ import annotations

import asyncio
from decimal import Decimal

from evalkit.errors import BudgetReached


class Budget:
    """A cap in US dollars; None means only what is free may run. For one event loop."""

    def __init__(self, cap: Decimal | None, spent: Decimal = Decimal(0)) -> None:
        self.cap = cap if cap is not None else Decimal(0)
        self.spent = spent
        self.reserved = Decimal(0)
        self._settled = asyncio.Event()

    async def reserve(self, worst: Decimal) -> None:
        """Set `worst` aside, waiting for requests in flight if what they give back could make room.

        Raises `BudgetReached`, reserving nothing, if there will be no room.
        """
        while worst > 0 and self.spent + self.reserved + worst > self.cap:
            if self.spent + worst > self.cap or self.reserved <= 0:
                raise BudgetReached(
                    f"the budget of ${self.cap} is reached: ${self.spent} spent, ${self.reserved} in flight, "
                    f"the next request may cost ${worst}",
                    "Run the same command with a larger --budget; what is finished is not paid again.",
                )
            self._settled.clear()
            await self._settled.wait()
        self.reserved += worst

    def adopt(self, worst: Decimal) -> None:
        """Take up an open job of an earlier run, which has been counted as spent at its worst so far."""
        self.spent -= worst
        self.reserved += worst

    def settle(self, worst: Decimal, actual: Decimal) -> None:
        """Replace a reservation by what the request cost."""
        self.reserved -= worst
        self.spent += actual
        self._settled.set()
