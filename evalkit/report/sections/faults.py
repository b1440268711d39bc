"""What the providers did wrong behind a status of 200: how often, which fault, and pictures that show it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any

from evalkit.leaderboard.faults import LABELS, FaultRow, Pictured, fault_board
from evalkit.leaderboard.frames import to_records
from evalkit.report.charts import Panel, forest
from evalkit.report.context import Context
from evalkit.report.pictures import thumbnail
from evalkit.report.sections import Section

CHART = "Share of pictures with a fault, with 95 % interval, by system and category."


def build(context: Context, options: Mapping[str, Any]) -> Section | None:
    """None where no picture was looked at. Option `examples`: pictures to show, 0 for none."""
    board = fault_board(context.db, context.run)
    if not board:
        return None
    most = int(options.get("examples", 8))
    categories = [c for c in context.categories if any(row.category == c for row in board)]
    data = {
        "chart": _chart(context, board, categories),
        "groups": [group for c in categories if (group := _group(context, board, c))],
        "clean": [c for c in categories if not any(row.count for row in board if row.category == c)],
        "examples": _examples(context, board, most),
        "labels": LABELS,
    }
    return Section("Provider faults", data, to_records(board))


def _chart(context: Context, board: Sequence[FaultRow], categories: Sequence[str]) -> Any:
    order = [system.name for system in context.systems]
    panels = [
        Panel(
            category,
            "pictures with any fault, lower is better",
            {r.system: r.rate for r in board if r.category == category and r.fault == "any"},
            percent=True,
            zero=True,
        )
        for category in categories
    ]
    return forest(panels, order, context.colours, CHART)


def _group(context: Context, board: Sequence[FaultRow], category: str) -> dict[str, Any] | None:
    """The classes that occur, most frequent first, by system; None where there are none."""
    rows = [row for row in board if row.category == category]
    cells = {(row.fault, row.system): row for row in rows}
    totals = {fault: sum(row.count for row in rows if row.fault == fault) for fault in LABELS}
    found = sorted((fault for fault, n in totals.items() if n), key=lambda fault: -totals[fault])
    if not found:
        return None
    systems = [system.name for system in context.systems if ("any", system.name) in cells]
    return {"name": category, "faults": ["any", *found], "systems": systems, "cells": cells}


def _examples(context: Context, board: Sequence[FaultRow], most: int) -> list[dict[str, Any]]:
    """One picture per class of fault, then a second of each while there is room; with its source, if any."""
    shown = [one for one in _chosen(board) if not context.withholds(one.suite)][:most]
    sources = _sources(context, shown)
    return [_example(context, one, *sources[one.suite, one.case]) for one in shown]


def _chosen(board: Sequence[FaultRow]) -> list[Pictured]:
    by_fault = {
        fault: [one for row in board if row.fault == fault for one in row.examples[:1]] for fault in LABELS
    }
    rounds = zip_longest(*(pictures[:2] for pictures in by_fault.values()))
    return [one for one_round in rounds for one in one_round if one is not None]


def _example(context: Context, one: Pictured, source: str | None, mask: str | None) -> dict[str, Any]:
    return {
        "picture": one,
        "label": LABELS[one.fault],
        "image": thumbnail(context.read_object, one.image),
        "source": thumbnail(context.read_object, source, mask) if source else None,
    }


def _sources(
    context: Context, shown: Sequence[Pictured]
) -> dict[tuple[str, str], tuple[str | None, str | None]]:
    names = [f"{one.suite}/{one.case}" for one in shown]
    texts = context.rows("gallery_texts", run=context.run, cases=names)
    return {(row["suite"], row["case"]): (row["source_sha"], row["mask_sha"]) for row in texts}
