"""Money and time: what a delivered picture costs, how long it takes, and what quality that buys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from evalkit.leaderboard import ReliabilityRow, to_records
from evalkit.report.charts import Panel, Plane, forest, scatter
from evalkit.report.context import Context
from evalkit.report.sections import Section
from evalkit.types import Estimate

PLANES = "Quality with 95 % interval against price per picture, by system. The numbers are in the tables."


def build(context: Context, options: Mapping[str, Any]) -> Section | None:
    """None where nothing has been delivered."""
    del options
    lines = [row for row in context.reliability if row.delivered]
    if not lines:
        return None
    planes = [plane for c in context.categories if (plane := _plane(context, c)) is not None]
    data = {
        "lines": lines,
        "priced": any(row.cost_total is not None for row in lines),
        "planes": scatter(planes, context.colours, PLANES) if planes else None,
        "latency": _latency(context, lines),
    }
    return Section("Cost and latency", data, to_records(lines))


def _plane(context: Context, category: str) -> Plane | None:
    """Quality against price, where at least two systems have both."""
    lead = context.headlines.get(category)
    prices = {
        r.system: float(r.cost_per_image)
        for r in context.reliability
        if r.category == category and r.cost_per_image is not None
    }
    if lead is None:
        return None
    rows = [lead.leader, *(behind.row for behind in lead.others)]
    points = {row.system: (prices[row.system], row.estimate) for row in rows if row.system in prices}
    head = f"{lead.leader.label}, {lead.leader.better} is better"
    return Plane(category.capitalize(), "US dollars per picture", head, points) if len(points) > 1 else None


def _latency(context: Context, lines: Sequence[ReliabilityRow]) -> str | None:
    """Median (dot) to 95th percentile (end of the line) per category."""
    timed = [row for row in lines if row.latency_p50 is not None]
    if not timed:
        return None
    order = list(dict.fromkeys(row.system for row in sorted(timed, key=lambda r: r.latency_p50 or 0.0)))
    categories = [c for c in context.categories if any(row.category == c for row in timed)]
    panels = [
        Panel(
            category.capitalize(),
            "seconds",
            {
                row.system: Estimate(row.latency_p50, row.latency_p50, row.latency_p95)
                for row in timed
                if row.category == category
            },
            zero=True,
        )
        for category in categories
    ]
    return forest(
        panels, order, context.colours, "Median latency and 95th percentile by system and category."
    )
