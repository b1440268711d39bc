"""What came of the requests: refusals, failures, unknowns, repeats, money and time, per category x system."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from evalkit.leaderboard.money import MoneyRow, money_board
from evalkit.leaderboard.query import newest_run, rows
from evalkit.stats.bounded import clustered_proportion
from evalkit.types import Estimate

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


@dataclass(frozen=True, slots=True)
class ReliabilityRow:
    """Counts are trials; rates are of the trials that came to an end (`planned` - `open`).

    `retried` is the rate of trials that were sent more than once, `most_attempts` the most that one was.
    `cost_total` is what was paid, `cost_per_image` that over the delivered pictures that have a price; both
    are None where nothing has one. `cost_at_risk` is what requests of unknown outcome may have cost besides.
    `cost_basis` lists how prices are known; latencies are seconds of the delivered trials that can be
    compared (see `evalkit.leaderboard.latency`), queue included.
    """

    category: str
    system: str
    planned: int
    delivered: int
    partial: int
    open: int
    refused: Estimate
    failed: Estimate
    unknown: Estimate
    retried: Estimate
    n_refused: int
    n_failed: int
    n_unknown: int
    n_retried: int
    most_attempts: int
    cost_total: Decimal | None
    cost_per_image: Decimal | None
    cost_at_risk: Decimal | None
    cost_basis: tuple[str, ...]
    latency_p50: float | None
    latency_p95: float | None


def reliability_board(
    db: DuckDBPyConnection, run: str | None = None, category: str | None = None, *, whole: bool = False
) -> tuple[ReliabilityRow, ...]:
    """Every category x system of a run (default: the newest), by name.

    `whole` counts all categories together; their rows are of the category "all".
    """
    chosen = newest_run(db, run)
    found = rows(db, "reliability", run=chosen, category=category, whole=whole)
    money = {(row.category, row.system): row for row in money_board(db, chosen, category, whole=whole)}
    return tuple(_row(values, money.get((values[0], values[1]))) for values in found)


def _row(values: Sequence[Any], money: MoneyRow | None) -> ReliabilityRow:
    category, system, planned, delivered, partial, open_, finished = values[:7]
    refused, failed, unknown, retried, most_attempts, p50, p95 = values[7:]
    return ReliabilityRow(
        category=category,
        system=system,
        planned=planned,
        delivered=delivered,
        partial=partial,
        open=open_,
        refused=clustered_proportion(refused, finished),
        failed=clustered_proportion(failed, finished),
        unknown=clustered_proportion(unknown, finished),
        retried=clustered_proportion(retried, finished),
        n_refused=sum(refused),
        n_failed=sum(failed),
        n_unknown=sum(unknown),
        n_retried=sum(retried),
        most_attempts=most_attempts or 0,
        cost_total=money.paid if money else None,
        cost_per_image=money.per_picture if money else None,
        cost_at_risk=money.at_risk if money else None,
        cost_basis=tuple(money.bases) if money else (),
        latency_p50=p50,
        latency_p95=p95,
    )
