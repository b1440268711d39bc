"""Money: what may be spent, what is reserved, what is gone.

Before a request is sent its worst case is reserved; afterwards the reservation is replaced by what it
cost. The sum of both never passes the cap, so overspending is not something that can happen late.
"""

from __future__ import annotations

import threading
from decimal import Decimal

from evalkit.errors import BudgetReached


class Budget:
    """A cap in US dollars; None means only what is free may run."""

    def __init__(self, cap: Decimal | None, spent: Decimal = Decimal(0)) -> None:
        self.cap = cap if cap is not None else Decimal(0)
        self.spent = spent
        self.reserved = Decimal(0)
        self._lock = threading.Lock()

    def reserve(self, worst: Decimal) -> None:
        """Set `worst` aside. Raises `BudgetReached`, reserving nothing, if the cap could be passed."""
        with self._lock:
            if worst > 0 and self.spent + self.reserved + worst > self.cap:
                raise BudgetReached(
                    f"the budget of ${self.cap} is reached: ${self.spent} spent, ${self.reserved} in flight, "
                    f"the next request may cost ${worst}",
                    "Run the same command with a larger --budget; what is finished is not paid again.",
                )
            self.reserved += worst

    def settle(self, worst: Decimal, actual: Decimal) -> None:
        """Replace a reservation by what the request cost."""
        with self._lock:
            self.reserved -= worst
            self.spent += actual
