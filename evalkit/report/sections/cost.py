"""Money and time: what a delivered picture costs, how long it takes, and what quality that buys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from evalkit.leaderboard import LatencyRow, MoneyRow, to_records
from evalkit.report.charts import Panel, Plane, forest, scatter
from evalkit.report.context import Context
from evalkit.report.formats import count, money
from evalkit.report.sections import Section
from evalkit.types import Estimate

PLANES = "Quality with 95 % interval against price per picture, by system. The numbers are in the tables."
TIMES = "Median time to a picture and 95th percentile by system and category."


def build(context: Context, options: Mapping[str, Any]) -> Section | None:
    """None where nothing has been delivered and nothing paid."""
    del options
    paid = [row for row in context.money_overall if row.paid is not None]
    timed = [row for row in context.latency_overall if row.n or row.left_out]
    if not paid and not timed:
        return None
    planes = [plane for c in context.categories if (plane := _plane(context, c)) is not None]
    caveats = money_caveats(context.money_overall)
    data = {
        "money": paid,
        "money_by_category": [row for row in context.money if row.paid is not None],
        "caveats": caveats,
        "planes": scatter(planes, context.colours, PLANES) if planes else None,
        "chart": _chart(context, [row for row in context.latency if row.n]),
        "latency": timed,
        "latency_by_category": [row for row in context.latency if row.n or row.left_out],
        "phases": [name for name in COLUMNS if any(name in row.phases for row in timed)],
        "columns": COLUMNS,
        "left_out": [row for row in timed if row.left_out],
        "polled": [row for row in timed if row.polled],
        "in_answer": [row.system for row in timed if row.in_answer],
        "waited": [row.system for row in timed if "wait" in row.phases],
        "throttled": any(row.throttled for row in timed),
    }
    return Section("Cost and latency", data, _results(context, caveats))


COLUMNS = {
    "submit": "Sending",
    "queue": "Queue",
    "run": "At work",
    "wait": "Queue and work",
    "download": "Download",
    "provider": "Reported work",
    "provider_queue": "Reported queue",
}
"""Phases as the table calls them; the last two are the provider's own figures."""


def money_caveats(rows: Sequence[MoneyRow]) -> tuple[str, ...]:
    """What must be known before prices are compared or sums are used."""
    priced = [row for row in rows if row.paid is not None]
    found = [_different(priced), *(_mixed(row) for row in priced)]
    found += [
        f"{row.system}: {count(row.unpriced, 'delivered picture has', 'delivered pictures have')} no price; "
        f"the price per picture is over the other {row.pictures - row.unpriced:,}."
        for row in priced
        if row.unpriced
    ]
    risky = [row for row in priced if row.at_risk]
    if risky:
        parts = ", ".join(f"{money(row.at_risk)} with {row.system} ({row.n_at_risk:,})" for row in risky)
        found.append(
            f"At risk: {parts}. Nobody knows whether these requests were billed; the most they can have cost "
            "is in no other number."
        )
    return tuple(text for text in found if text)


def _different(rows: Sequence[MoneyRow]) -> str:
    """Systems whose prices are known in different ways."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for row in rows:
        if row.bases:
            groups.setdefault(tuple(row.bases), []).append(row.system)
    if len(groups) < 2:
        return ""
    parts = "; ".join(f"{' and '.join(basis)} for {', '.join(names)}" for basis, names in groups.items())
    return (
        f"Prices are not known in the same way for all systems: {parts}. What a provider reports is what it "
        "charged; a list price leaves out discounts, rounding and extras, so a small difference between such "
        "systems may come from that alone."
    )


def _mixed(row: MoneyRow) -> str:
    if not row.mixed:
        return ""
    parts = ", ".join(
        f"{money(share.usd)} {basis} ({count(share.charges, 'request')})"
        for basis, share in row.bases.items()
    )
    return f"{row.system}: the sums add up amounts that are known in different ways: {parts}."


def _plane(context: Context, category: str) -> Plane | None:
    """Quality against price, where at least two systems have both."""
    lead = context.headlines.get(category)
    prices = {
        row.system: float(row.per_picture)
        for row in context.money
        if row.category == category and row.per_picture is not None
    }
    if lead is None:
        return None
    rows = [lead.leader, *(behind.row for behind in lead.others)]
    points = {row.system: (prices[row.system], row.estimate) for row in rows if row.system in prices}
    head = f"{lead.leader.label}, {lead.leader.better} is better"
    return Plane(category.capitalize(), "US dollars per picture", head, points) if len(points) > 1 else None


def _chart(context: Context, timed: Sequence[LatencyRow]) -> str | None:
    """Median (dot) to 95th percentile (end of the line) per category."""
    if not timed:
        return None
    order = list(dict.fromkeys(row.system for row in sorted(timed, key=lambda r: r.p50.value or 0.0)))
    categories = [c for c in context.categories if any(row.category == c for row in timed)]
    panels = [
        Panel(
            category.capitalize(),
            "seconds",
            {
                row.system: Estimate(row.p50.value, row.p50.value, row.p95.value)
                for row in timed
                if row.category == category
            },
            zero=True,
        )
        for category in categories
    ]
    return forest(panels, order, context.colours, TIMES)


def _results(context: Context, caveats: Sequence[str]) -> dict[str, Any]:
    sums = [*context.money_overall, *context.money]
    times = [*context.latency_overall, *context.latency]
    return {
        "money": [record | _money(row) for row, record in zip(sums, to_records(sums), strict=True)],
        "latency": [record | _phases(row) for row, record in zip(times, to_records(times), strict=True)],
        "caveats": list(caveats),
    }


def _money(row: MoneyRow) -> dict[str, Any]:
    bases = {basis: asdict(share) for basis, share in row.bases.items()}
    return {"paid": row.paid, "per_picture": row.per_picture, "bases": bases}


def _phases(row: LatencyRow) -> dict[str, Any]:
    return {"phases": {name: asdict(phase) for name, phase in row.phases.items()}}
