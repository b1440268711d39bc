"""What was refused: harmless prompts (over-refusal), borderline ones, by topic, by stage, and which.

Only there where the run asked a suite of the category `refusals`. How rates are counted is in
`evalkit.leaderboard.refusals`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from evalkit.leaderboard import to_records
from evalkit.leaderboard.refusals import NAMES, RefusalRow, refusal_board
from evalkit.report.charts import Panel, forest
from evalkit.report.context import Context
from evalkit.report.sections import Section

MAX_PROMPTS = 60
TITLES = {"harmless": "Harmless prompts", "borderline": "Borderline prompts", "untagged": "Untagged prompts"}
WHOLE = "Share of prompts refused, with 95 % interval, by system. The numbers are in the table."
BY_TOPIC = (
    "Share of {kind} prompts refused, with 95 % interval, by {what} and system. The numbers are in the table."
)


def build(context: Context, options: Mapping[str, Any]) -> Section | None:
    """None without a suite of that category. Option `prompts`: how many refused harmless prompts to list."""
    board = refusal_board(context.db, context.run)
    if not board:
        return None
    most = int(options.get("prompts", MAX_PROMPTS))
    refused = _refused(context)
    whole = [row for row in board if not row.part]
    data = {
        "titles": TITLES,
        "names": NAMES,
        "chart": _whole(context, whole),
        "kinds": [_kind(context, board, kind) for kind in dict.fromkeys(row.kind for row in whole)],
        "whole": whole,
        "refused": refused[:most],
        "more": max(0, len(refused) - most),
        "looked": any(row.blank is not None for row in whole),
    }
    return Section("Refusals", data, {"rows": to_records(board), "refused": refused})


def _whole(context: Context, whole: Sequence[RefusalRow]) -> str:
    """One panel per kind of prompt, one row per system."""
    order = [system.name for system in context.systems if any(row.system == system.name for row in whole)]
    panels = [
        Panel(
            TITLES[kind],
            f"{max(row.prompts for row in whole if row.kind == kind):,} prompts, share refused",
            {row.system: row.rate for row in whole if row.kind == kind},
            percent=True,
            domain=(0.0, 1.0),
        )
        for kind in dict.fromkeys(row.kind for row in whole)
    ]
    return forest(panels, order, context.colours, WHOLE)


def _kind(context: Context, board: Sequence[RefusalRow], kind: str) -> dict[str, Any]:
    """The topics of a kind, or the policies if it has some: chart and table, the most refused first."""
    prefix = (
        "policy:" if any(row.kind == kind and row.part.startswith("policy:") for row in board) else "topic:"
    )
    rows = [row for row in board if row.kind == kind and row.part.startswith(prefix)]
    parts = sorted(dict.fromkeys(row.part for row in rows), key=lambda part: -_share(rows, part))
    systems = list(dict.fromkeys(row.system for row in rows))
    what = prefix.removesuffix(":")
    return {
        "kind": kind,
        "what": what,
        "systems": systems,
        "parts": [(part.removeprefix(prefix), part) for part in parts],
        "cells": {(row.part, row.system): row for row in rows},
        "chart": _by_part(context, rows, parts, BY_TOPIC.format(kind=kind, what=what)) if parts else None,
    }


def _by_part(context: Context, rows: Sequence[RefusalRow], parts: Sequence[str], label: str) -> str:
    """One panel per system in its colour, one row per topic or policy, all on the scale from 0 to 100 %."""
    names = {part: part.partition(":")[2].replace("-", " ") for part in parts}
    panels = [
        Panel(
            system,
            f"{_counted(rows, system)} refused",
            {names[row.part]: row.rate for row in rows if row.system == system},
            percent=True,
            shade=system,
            domain=(0.0, 1.0),
        )
        for system in dict.fromkeys(row.system for row in rows)
    ]
    return forest(panels, list(names.values()), context.colours, label)


def _counted(rows: Sequence[RefusalRow], system: str) -> str:
    own = [row for row in rows if row.system == system]
    return f"{sum(row.refused for row in own):,} of {sum(row.answered for row in own):,}"


def _share(rows: Sequence[RefusalRow], part: str) -> float:
    """Over all systems; what nobody answered comes last."""
    answered = sum(row.answered for row in rows if row.part == part)
    return sum(row.refused for row in rows if row.part == part) / answered if answered else -1.0


def _refused(context: Context) -> list[dict[str, Any]]:
    """Harmless prompts that were refused, each with the systems that did.

    What a licence keeps from being passed on is not quoted, nor is a provider's answer, which may repeat it.
    """
    prompts: dict[tuple[str, str], dict[str, Any]] = {}
    for row in context.rows("refused_prompts", run=context.run):
        withheld = context.withholds(row["suite"])
        head = {"suite": row["suite"], "case": row["case"], "prompt": None if withheld else row["prompt"]}
        prompt = prompts.setdefault((row["suite"], row["case"]), {**head, "by": []})
        answer = {name: row[name] for name in ("system", "refused", "answered", "stage", "code", "words")}
        prompt["by"].append(answer | {"words": ""} if withheld else answer)
    return list(prompts.values())
