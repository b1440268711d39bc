"""What raters preferred: ranks and ratings per criterion, whether to trust them, and what they rest on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from evalkit.leaderboard import AssistedBoard, Ranking, RaterReport, SliceReport
from evalkit.leaderboard.rank_records import assisted_record, ranking_record, raters_record, slices_record
from evalkit.preference import PreferenceBoard
from evalkit.preference.slices import Slices
from evalkit.preference.trust.diagnostics import OPTIONAL, Panel
from evalkit.report import charts
from evalkit.report.context import Context, StudyInfo
from evalkit.report.decided import comparison_bars, decided, tied_for_first
from evalkit.report.sections import Section
from evalkit.types import Estimate

FEW_VOTES = 20
"""Cells of the table of pairs with fewer votes are shown pale."""
NAMED_PAIRS = 6
"""Decided pairs are named in the text up to so many; more are only marked in the table."""
SHOWN_RATERS = 20
LEVELS = {
    "stop": ("✗", "Not yet", "stop"),
    "look": ("!", "With care", "look"),
    None: ("?", "Not known", "unknown"),
}
"""How a finding that is not fine is marked: a sign, the words beside it, and its class in the style."""
VERDICTS = {"fine": "Nothing speaks against it.", "look": "With care.", "stop": "Not yet."}


def build(context: Context, options: Mapping[str, Any]) -> Section | None:
    """None where no study of the run has votes."""
    del options
    studies = [_study(context, study) for study in context.studies]
    if not studies:
        return None
    results = [
        {"study": s["info"].study, "simulated": s["info"].simulated, "criteria": _results(s)} for s in studies
    ]
    shown = {"few": FEW_VOTES, "named_pairs": NAMED_PAIRS, "shown_raters": SHOWN_RATERS}
    return Section("Votes", {"studies": studies, **shown}, results)


def _study(context: Context, study: StudyInfo) -> dict[str, Any]:
    rankings = {criterion: context.ranking(study.study, criterion) for criterion in study.questions}
    voted = {name: r for name, r in rankings.items() if r.board.n_votes or r.board.n_rankings}
    boards = {name: ranking.board for name, ranking in voted.items()}
    first = next(iter(boards.values()), None)
    order = [line.system for line in first.ratings] if first else []
    order += sorted({line.system for board in boards.values() for line in board.ratings} - set(order))
    panels = [_panel(study, name, board) for name, board in boards.items()]
    methods = {board.method_in_words for board in boards.values()}
    return {
        "info": study,
        "chart": _chart(context, study, panels, order) if panels else None,
        "bars": any(panel.bars for panel in panels),
        "ranked": any(tied_for_first(board) for board in boards.values()),
        "method": methods.pop() if len(methods) == 1 else None,
        "unvoted": [name for name in rankings if name not in voted],
        "criteria": [_criterion(context, study, name, ranking) for name, ranking in voted.items()],
    }


def _chart(context: Context, study: StudyInfo, panels: list[charts.Panel], order: list[str]) -> str:
    mark = "simulated votes: " if study.simulated else ""
    named = ", ".join(panel.title for panel in panels)
    label = f"{mark}ratings with 95 % intervals by system for {named}. The numbers are in the tables."
    return charts.forest(panels, order, context.colours, label)


def _panel(study: StudyInfo, criterion: str, board: PreferenceBoard) -> charts.Panel:
    title = criterion.capitalize() + (" (simulated)" if study.simulated else "")
    if all(line.rating.value is None for line in board.ratings):
        rates = {line.system: line.win_rate for line in board.ratings}
        return charts.Panel(title, "share of votes won", rates, 0.5, percent=True)
    ratings = {line.system: line.rating for line in board.ratings}
    bars = comparison_bars(board)
    return charts.Panel(title, "rating, higher is better", ratings, 1000.0, bars=bars or None)


def _criterion(context: Context, study: StudyInfo, name: str, ranking: Ranking) -> dict[str, Any]:
    board, settled = ranking.board, decided(ranking.board)
    done = settled.done if settled else ()
    slices = context.by_category(study.study, name)
    return {
        "name": name,
        "questions": study.questions[name],
        "ranking": ranking,
        "board": board,
        "first": tied_for_first(board),
        "settled": settled,
        "done": {pair for v in done for pair in ((v.a, v.b), (v.b, v.a))},
        "trust": _trust(ranking.panel),
        "met": {(p.a, p.b): p for p in board.pairs},
        "order": [line.system for line in board.ratings],
        "slices": slices,
        "by_category": _by_category(context, slices.slices),
        "differ": _differ(slices),
        "raters": _raters(context.raters(study.study, name)),
        "assisted": _assisted(context.assisted(study.study, name)),
    }


def _trust(panel: Panel) -> dict[str, Any]:
    """The findings that are not fine, the worst first, and those that are no reason to look."""
    doubts = [f for f in panel.findings if f.level != "fine" and f.name not in OPTIONAL]
    order = list(LEVELS)
    return {
        "verdict": VERDICTS[panel.level],
        "doubts": [(LEVELS[f.level], f) for f in sorted(doubts, key=lambda f: order.index(f.level))],
        "fine": [f for f in panel.findings if f.level == "fine"],
        "optional": [f for f in panel.findings if f.level is None and f.name in OPTIONAL],
    }


def _by_category(context: Context, slices: Slices) -> list[dict[str, Any]]:
    """Ratings within each category in the order of the run, where there is more than one with votes."""
    place = {category: i for i, category in enumerate(context.categories)}
    voted = [s for s in range(len(slices.names)) if slices.n[s]]
    if len(voted) < 2:
        return []
    voted.sort(key=lambda s: (place.get(slices.names[s], len(place)), slices.names[s]))
    return [
        {
            "category": slices.names[s],
            "n": int(slices.n[s]),
            "lines": {
                system: _within(slices, s, i) for i, system in enumerate(slices.systems) if slices.votes[s, i]
            },
        }
        for s in voted
    ]


def _within(slices: Slices, s: int, i: int) -> tuple[Estimate, float]:
    """The rating of system i within slice s, and its share of votes won."""
    value, low, high = (float(column[s, i]) for column in (slices.rating, slices.low, slices.high))
    share = float(slices.win_rate[s, i])
    if np.isnan(value):
        return Estimate(None, note="no common scale"), share
    if np.isnan(low) or np.isnan(high):
        return Estimate(value, note="no interval within this category"), share
    return Estimate(value, low, high), share


def _differ(report: SliceReport) -> dict[str, Any]:
    """Whether categories rank differently: yes, no, or why nobody knows."""
    found = report.difference
    if found is None:
        return {"known": False, "reason": "all votes together are not on one scale"}
    if found.p_value is None or found.spread_elo is None:
        return {"known": False, "reason": found.reason}
    names = [report.slices.systems[i] for i in found.differ()]
    return {"known": True, "p": found.p_value, "spread": found.spread_elo, "systems": names}


def _raters(report: RaterReport | None) -> dict[str, Any] | None:
    if report is None:
        return None
    without = {line.system: line.rating for line in report.trusted.ratings} if report.trusted else {}
    agreement = [
        ("Krippendorff’s alpha", "1 is perfect agreement, 0 what chance gives", report.alpha),
        ("Gwet’s AC1", "the same, and less moved by answers that are rare", report.ac1),
    ]
    shares = [("Left side, of votes that chose one", "50 % is even", report.left)]
    if report.repeats is not None and report.repeats.same.value is not None:
        shares.append(("Answered alike when shown again", "100 % is perfect", report.repeats.same))
    return {
        "report": report,
        "agreement": agreement,
        "shares": shares,
        "doubted": [line for line in report.raters if line.why],
        "without": [(line, without[line.system]) for line in report.everyone.ratings if without],
    }


def _assisted(board: AssistedBoard) -> dict[str, Any]:
    """Shares that metrics sharpen, if they do so anywhere; otherwise the reasons why not."""
    pairs = [row for row in board.pairs if row.used == "assisted"]
    used = bool(pairs) or any(row.used == "assisted" for row in board.systems)
    reasons = dict.fromkeys(row.reason for row in board.systems if row.reason)
    return {
        "board": board,
        "rows": [*board.systems, *pairs] if used else [],
        "why_not": board.refused or "; ".join(reasons),
    }


def _results(study: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            **ranking_record(criterion["ranking"]),
            "tied_for_first": criterion["first"],
            "categories": slices_record(criterion["slices"]),
            "rater_report": _rater_results(criterion["ranking"], criterion["raters"]),
            "assisted": assisted_record(criterion["ranking"].asked, criterion["assisted"]["board"]),
        }
        for criterion in study["criteria"]
    ]


def _rater_results(ranking: Ranking, raters: Mapping[str, Any] | None) -> dict[str, Any]:
    """Agreement, and the raters that something speaks against; the others are no business of a report."""
    record = raters_record(ranking.asked, raters["report"] if raters else None)
    record.pop("ratings", None)
    return {**record, "raters": [line for line in record["raters"] if line["why"]]}
