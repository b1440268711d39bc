"""Edits: what was kept against what was done. Two numbers side by side, never one of both.

An edit that does nothing keeps everything, one that draws everything again does what it is told; only the
plane of the two tells them from a good one. Which outputs stand for the axes is an option.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from evalkit.leaderboard import BoardRow
from evalkit.report.charts import Tradeoff, tradeoffs
from evalkit.report.context import Context
from evalkit.report.formats import decimals_for
from evalkit.report.sections import Section
from evalkit.types import Estimate

KEPT = ("ssim_out_registered", "ssim_auto", "ssim_out")
DONE = ("judge_followed", "clip_edit", "clip_dir")
"""In order of preference. An edit that changed nothing has no direction, and it is one to see."""

LABEL = "Systems by how much of the source they kept and how well they did the edit, with 95 % intervals."


def build(context: Context, options: Mapping[str, Any]) -> Section | None:
    """None where no category has both kinds of numbers. Options: `kept`, `done` (names of outputs)."""
    kept = (str(options["kept"]),) if "kept" in options else KEPT
    done = (str(options["done"]),) if "done" in options else DONE
    groups = [group for c in context.categories if (group := _group(context, c, kept, done)) is not None]
    if not groups:
        return None
    chart = tradeoffs([group["plane"] for group in groups], context.colours, LABEL)
    results = [
        {key: group[key] for key in ("category", "kept", "done", "front")}
        | {"systems": [line["system"] for line in group["lines"]]}
        for group in groups
    ]
    return Section("Edits: kept and done", {"groups": groups, "chart": chart}, results)


def _group(
    context: Context, category: str, kept: Sequence[str], done: Sequence[str]
) -> dict[str, Any] | None:
    board = [row for row in context.board if row.category == category]
    x, y = _first(board, kept), _first(board, done)
    both = {system: (x[system], y[system]) for system in x if system in y}
    if not both:
        return None
    noop = {row.system: row for row in board if row.output == "noop"}
    points = {system: (a.estimate, b.estimate) for system, (a, b) in both.items()}
    front = pareto_front(points)
    left, up = next(iter(both.values()))
    order = sorted(both, key=lambda system: (system not in front, -_value(points[system][1])))
    return {
        "category": category,
        "kept": left.output,
        "done": up.output,
        "front": list(front),
        "plane": Tradeoff(category, f"{left.label} →", f"{up.label} ↑", points, front),
        "titles": (left.label, up.label),
        "decimals": tuple(decimals_for([pair[i] for pair in points.values()]) for i in (0, 1)),
        "lines": [
            {"system": s, "x": points[s][0], "y": points[s][1], "noop": noop.get(s), "front": s in front}
            for s in order
        ],
        "absent": sorted({row.system for row in board} - set(both)),
        "caveats": list(dict.fromkeys(row.caveat for row in (left, up) if row.caveat)),
    }


def _first(board: Sequence[BoardRow], outputs: Sequence[str]) -> dict[str, BoardRow]:
    """The rows of the first of `outputs` that has values, by system; with two models, of the first metric."""
    for output in outputs:
        rows = [row for row in board if row.output == output and row.estimate.value is not None]
        if rows:
            metric = min(row.metric for row in rows)
            return {row.system: row for row in rows if row.metric == metric}
    return {}


def pareto_front(points: Mapping[str, tuple[Estimate, Estimate]]) -> tuple[str, ...]:
    """Systems that no other equals or beats on both numbers; by name. It compares means, not intervals."""
    means = {system: (_value(x), _value(y)) for system, (x, y) in points.items()}

    def beaten(system: str) -> bool:
        x, y = means[system]
        return any(a >= x and b >= y and (a, b) != (x, y) for a, b in means.values())

    return tuple(sorted(system for system in means if not beaten(system)))


def _value(estimate: Estimate) -> float:
    return float("-inf") if estimate.value is None else estimate.value
