"""What came of the requests: refusals, failures, unknowns, money and time, per category x system."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from evalkit.leaderboard.query import newest_run, rows
from evalkit.stats.bounded import clustered_proportion
from evalkit.types import Estimate

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


@dataclass(frozen=True, slots=True)
class ReliabilityRow:
    """Counts are trials; rates are of the trials that came to an end (`planned` - `open`).

    `cost_per_image` is the total over delivered trials; both are None where nothing has a price.
    `cost_basis` lists how prices are known; latencies are seconds of delivered trials, queue included.
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
    n_refused: int
    n_failed: int
    n_unknown: int
    cost_total: Decimal | None
    cost_per_image: Decimal | None
    cost_basis: tuple[str, ...]
    latency_p50: float | None
    latency_p95: float | None


def reliability_board(
    db: DuckDBPyConnection, run: str | None = None, category: str | None = None, *, whole: bool = False
) -> tuple[ReliabilityRow, ...]:
    """Every category x system of a run (default: the newest), by name.

    `whole` counts all categories together; their rows are of the category "all".
    """
    found = rows(db, "reliability", run=newest_run(db, run), category=category, whole=whole)
    return tuple(_row(values) for values in found)


def _row(values: tuple[Any, ...]) -> ReliabilityRow:
    category, system, planned, delivered, partial, open_, finished, refused, failed, unknown = values[:10]
    cost, priced, bases, p50, p95 = values[10:]
    total = cost if priced else None
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
        n_refused=sum(refused),
        n_failed=sum(failed),
        n_unknown=sum(unknown),
        cost_total=total,
        cost_per_image=total / delivered if total is not None and delivered else None,
        cost_basis=tuple(bases),
        latency_p50=p50,
        latency_p95=p95,
    )
