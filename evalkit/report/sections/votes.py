"""What raters preferred: ratings per criterion, who met whom, and the categories one by one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evalkit.leaderboard import to_records
from evalkit.preference import PreferenceBoard
from evalkit.report.charts import Panel, forest
from evalkit.report.context import Context, StudyInfo
from evalkit.report.sections import Section

FEW_VOTES = 20
"""Cells of the table of pairs with fewer votes are shown pale."""


def build(context: Context, options: Mapping[str, Any]) -> Section | None:
    """None where no study of the run has votes."""
    del options
    studies = [_study(context, study) for study in context.studies]
    if not studies:
        return None
    results = [
        {"study": s["info"].study, "simulated": s["info"].simulated, "criteria": _results(s)} for s in studies
    ]
    return Section("Votes", {"studies": studies, "few": FEW_VOTES}, results)


def _study(context: Context, study: StudyInfo) -> dict[str, Any]:
    boards = {c: context.votes(study.study, c) for c in study.questions}
    voted = {criterion: board for criterion, board in boards.items() if board.n_votes}
    first = next(iter(voted.values()), None)
    order = [line.system for line in first.ratings] if first else []
    order += sorted({line.system for board in voted.values() for line in board.ratings} - set(order))
    return {
        "info": study,
        "order": order,
        "chart": _chart(context, study, voted, order) if voted else None,
        "criteria": [_criterion(context, study, name, board) for name, board in voted.items()],
    }


def _chart(context: Context, study: StudyInfo, voted: Mapping[str, PreferenceBoard], order: list[str]) -> str:
    panels = [_panel(study, name, board) for name, board in voted.items()]
    mark = "simulated votes: " if study.simulated else ""
    label = (
        f"{mark}ratings with 95 % intervals by system for {', '.join(voted)}. The numbers are in the tables."
    )
    return forest(panels, order, context.colours, label)


def _panel(study: StudyInfo, criterion: str, board: PreferenceBoard) -> Panel:
    mark = " (simulated)" if study.simulated else ""
    if all(line.rating.value is None for line in board.ratings):
        rates = {line.system: line.win_rate for line in board.ratings}
        return Panel(criterion.capitalize() + mark, "share of votes won", rates, 0.5, percent=True)
    ratings = {line.system: line.rating for line in board.ratings}
    return Panel(criterion.capitalize() + mark, "rating, higher is better", ratings, 1000.0)


def _criterion(context: Context, study: StudyInfo, name: str, board: PreferenceBoard) -> dict[str, Any]:
    return {
        "name": name,
        "questions": study.questions[name],
        "board": board,
        "met": {(p.a, p.b): p for p in board.pairs},
        "order": [line.system for line in board.ratings],
        "by_category": _by_category(context, study, name),
    }


def _by_category(context: Context, study: StudyInfo, criterion: str) -> list[dict[str, Any]]:
    """Ratings within each category, where there is more than one with votes."""
    boards = {c: context.votes(study.study, criterion, c) for c in context.categories}
    voted = {category: board for category, board in boards.items() if board.n_votes}
    if len(voted) < 2:
        return []
    return [
        {"category": c, "board": board, "lines": {line.system: line for line in board.ratings}}
        for c, board in voted.items()
    ]


def _results(study: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "criterion": criterion["name"],
            "method": criterion["board"].method,
            "caveats": criterion["board"].caveats,
            "ratings": to_records(criterion["board"].ratings),
            "pairs": to_records(criterion["board"].pairs),
        }
        for criterion in study["criteria"]
    ]
