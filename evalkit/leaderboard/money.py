"""What the pictures cost, how that is known, and what was paid for nothing, per category x system.

Money is counted where it went: to pictures, refusals, failures, or to requests of which nobody knows whether
they were ever billed. That last part is a risk, not a payment, and is in no other number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import groupby
from typing import TYPE_CHECKING, Any

from evalkit.leaderboard.query import newest_run, rows

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

AT_RISK = ("unknown", "in_flight")
BASES = ("reported", "units", "tokens", "list")
"""How a price can be known, the surest first."""


@dataclass(frozen=True, slots=True)
class Share:
    """The part of a sum that is known in one way: how many charges, and how much in US dollars."""

    charges: int
    usd: Decimal


@dataclass(frozen=True, slots=True)
class MoneyRow:
    """US dollars. `pictures` counts delivered trials, `unpriced` those of them that have no price.

    `delivered`, `refused` and `failed` were paid; `at_risk` is the most that requests of unknown outcome may
    have cost. All four are None where nothing has a price. `bases` splits what was paid by how it is known.
    """

    category: str
    system: str
    pictures: int
    unpriced: int
    delivered: Decimal | None
    refused: Decimal | None
    failed: Decimal | None
    at_risk: Decimal | None
    n_at_risk: int
    bases: Mapping[str, Share] = field(default_factory=dict)

    @property
    def paid(self) -> Decimal | None:
        """Everything but what is only at risk."""
        if self.delivered is None or self.refused is None or self.failed is None:
            return None
        return self.delivered + self.refused + self.failed

    @property
    def per_picture(self) -> Decimal | None:
        """All that was paid over the delivered pictures that have a price."""
        priced = self.pictures - self.unpriced
        return self.paid / priced if self.paid is not None and priced else None

    @property
    def picture_alone(self) -> Decimal | None:
        """The same without what refusals and failures have cost."""
        priced = self.pictures - self.unpriced
        return self.delivered / priced if self.delivered is not None and priced else None

    @property
    def mixed(self) -> bool:
        """Whether sums of this row add up amounts that are known in different ways."""
        return len(self.bases) > 1


def money_board(
    db: DuckDBPyConnection, run: str | None = None, category: str | None = None, *, whole: bool = False
) -> tuple[MoneyRow, ...]:
    """Every category x system of a run (default: the newest) that was asked anything, by name.

    `whole` counts all categories together; their rows are of the category "all".
    """
    found = rows(db, "money", run=newest_run(db, run), category=category, whole=whole)
    grouped = groupby(found, key=lambda row: (str(row[0]), str(row[1])))
    return tuple(_row(part, system, [row[2:] for row in lines]) for (part, system), lines in grouped)


def _row(category: str, system: str, lines: Sequence[tuple[Any, ...]]) -> MoneyRow:
    priced = any(basis != "none" or usd for _, basis, _, usd in lines)

    def usd(*kinds: str) -> Decimal | None:
        return sum((usd for what, _, _, usd in lines if what in kinds), Decimal(0)) if priced else None

    return MoneyRow(
        category=category,
        system=system,
        pictures=sum(n for what, _, n, _ in lines if what == "delivered"),
        unpriced=sum(n for what, basis, n, _ in lines if what == "delivered" and basis == "none"),
        delivered=usd("delivered"),
        refused=usd("refused"),
        failed=usd("failed"),
        at_risk=usd(*AT_RISK),
        n_at_risk=sum(n for what, _, n, usd in lines if what in AT_RISK and usd),
        bases=_bases(lines),
    )


def _bases(lines: Sequence[tuple[Any, ...]]) -> dict[str, Share]:
    """What was paid, surest first. A refusal that cost nothing says nothing about how prices are known."""
    found: dict[str, Share] = {}
    for what, basis, n, usd in lines:
        if what in AT_RISK or basis == "none" or (what != "delivered" and not usd):
            continue
        known = found.get(basis, Share(0, Decimal(0)))
        found[basis] = Share(known.charges + n, known.usd + usd)
    return dict(sorted(found.items(), key=lambda pair: BASES.index(pair[0])))
