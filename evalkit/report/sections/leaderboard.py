"""Each category: its systems in order of the headline output, every other number beside it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from evalkit.leaderboard import BoardRow, Headline, ValidityRow, to_records
from evalkit.leaderboard.validity import VALIDATED
from evalkit.report.charts import Panel, forest
from evalkit.report.context import Context
from evalkit.report.formats import decimals_for, number, percent, percent_span
from evalkit.report.sections import Section

MAX_PANELS = 6


def build(context: Context, options: Mapping[str, Any]) -> Section | None:
    """None where the run has no scores and no metric is expected."""
    panels = int(options.get("panels", MAX_PANELS))
    if not context.board:
        return None
    categories = [_category(context, category, panels) for category in context.categories]
    found = [category for category in categories if category is not None]
    data = {"categories": found, "voted": context.validity.n_votes > 0}
    return Section("Leaderboard", data, _results(context))


def _results(context: Context) -> list[dict[str, Any]]:
    """The board, each number with what votes say of its output, by criterion."""
    told = [
        {row.criterion: row.status for row in context.validity.of(row.category, row.metric, row.output)}
        for row in context.board
    ]
    records = to_records(context.board)
    return [record | {"validity": status} for record, status in zip(records, told, strict=True)]


def _category(context: Context, category: str, panels: int) -> dict[str, Any] | None:
    board = [row for row in context.board if row.category == category]
    if not board:
        return None
    lead = context.headlines.get(category)
    order = _order(board, lead)
    outputs = _outputs(board)
    shown = _varied([group for group in outputs if group[0].headline or _has_interval(group)])[:panels]
    labels = Counter(group[0].label for group in shown)
    return {
        "name": category,
        "lead": lead,
        "order": order,
        "lines": [_line(context, category, system, board, lead) for system in order],
        "decimals": decimals_for([row.estimate for row in outputs[0]]),
        "gap_decimals": decimals_for([b.difference for b in lead.others]) if lead else 2,
        "headline": outputs[0][0],
        "refused": lead is not None and lead.refused,
        "validity": _validity(context, outputs[0][0]),
        "voted": any(row.n_votes for row in context.validity.rows if row.category == category),
        "outputs": [_output(context, group) for group in outputs],
        "chart": forest([_panel(g, labels) for g in shown], order, context.colours, _label(category, shown))
        if shown
        else None,
        "caveats": list(dict.fromkeys(row.caveat for row in board if row.caveat and row.n_scored)),
        "mapped": {row["system"]: row for row in context.degraded if row["category"] == category},
        "gaps": sorted({row.label for row in board if row.coverage_gap}),
        "unranked": sorted({row.label for row in board if row.coverage_gap and row.rank is None}),
        "cases": max(row.estimate.n_expected for row in board),
        "clusters": max(row.estimate.n_clusters for row in board),
    }


def _order(board: Sequence[BoardRow], lead: Headline | None) -> list[str]:
    """Systems by the headline output; those without a value last."""
    ranked = [lead.leader.system, *(b.row.system for b in lead.others)] if lead else []
    return ranked + sorted({row.system for row in board} - set(ranked))


def _outputs(board: Sequence[BoardRow]) -> list[list[BoardRow]]:
    """Rows by output: the category's headline first, then other headlines, then each metric in its order."""
    groups: dict[tuple[str, str], list[BoardRow]] = {}
    for row in board:
        groups.setdefault(row.key, []).append(row)
    return sorted(groups.values(), key=lambda g: _place(g[0]))


def _place(row: BoardRow) -> tuple[bool, bool, str, int]:
    return (not row.headline, not row.notable, row.metric, row.position)


def _varied(groups: Sequence[list[BoardRow]]) -> list[list[BoardRow]]:
    """What is worth a chart: every headline, and of each metric one number more."""
    more: Counter[str] = Counter()
    chosen = []
    for group in groups:
        first = group[0]
        if not (first.headline or first.notable):
            more[first.metric] += 1
        if first.headline or first.notable or more[first.metric] == 1:
            chosen.append(group)
    return chosen


def _has_interval(group: Sequence[BoardRow]) -> bool:
    return group[0].better != "neither" and any(row.estimate.low is not None for row in group)


def _line(
    context: Context, category: str, system: str, board: Sequence[BoardRow], lead: Headline | None
) -> dict[str, Any]:
    behind = {b.row.system: b for b in lead.others} if lead else {}
    return {
        "system": system,
        "head": next((row for row in board if row.headline and row.system == system), None),
        "leads": lead is not None and lead.leader.system == system,
        "behind": behind.get(system),
        "reliability": next(
            (r for r in context.reliability if (r.category, r.system) == (category, system)), None
        ),
    }


def _validity(context: Context, row: BoardRow) -> dict[str, Any] | None:
    """The tag of an output: one word and, for who asks, what it rests on; None where nobody voted."""
    found = context.validity.of(row.category, row.metric, row.output)
    if not any(line.n_votes for line in found):
        return None
    good = found[0].status == VALIDATED
    simulated = found[0].simulated
    text = f"{found[0].status} (simulated)" if good and simulated else found[0].status
    title = "; ".join(map(_said, found)) + ("; simulated votes" if simulated else "")
    return {"good": good, "text": text, "title": title}


def _said(row: ValidityRow) -> str:
    if row.accuracy.value is None:
        return f"{row.criterion}: {row.reason}"
    agrees = (
        f"{row.criterion}: {percent(row.accuracy.value)} ({percent_span(row.accuracy)}) of {row.n_decided}"
    )
    return f"{agrees} decided pairs" + (f", {row.reason}" if row.reason else "")


def _output(context: Context, group: Sequence[BoardRow]) -> dict[str, Any]:
    """One line of the table of everything. `best` are all that print as the best value."""
    first = group[0]
    decimals = decimals_for([row.estimate for row in group])
    shown = {row.system: number(row.estimate.value, decimals) for row in group}
    scored = first.rank is not None
    return {
        "row": first,
        "validity": _validity(context, first),
        "cells": {row.system: row for row in group},
        "decimals": decimals,
        "best": [system for system, text in shown.items() if scored and text == shown[first.system]],
    }


def _panel(group: Sequence[BoardRow], labels: Mapping[str, int]) -> Panel:
    """Two settings of one metric have the same label: then the title says which."""
    first = group[0]
    title = first.label if labels[first.label] == 1 else f"{first.label}, {first.metric}"
    unit = f", {first.unit}" if first.unit else ""
    estimates = {row.system: row.estimate for row in group}
    return Panel(title, f"{first.better} is better{unit}", estimates)


def _label(category: str, shown: Sequence[Sequence[BoardRow]]) -> str:
    names = ", ".join(group[0].label for group in shown)
    return f"{category}: means with 95 % intervals by system for {names}. The numbers are in the tables."
