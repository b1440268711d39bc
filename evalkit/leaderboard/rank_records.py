"""Rankings as plain dictionaries, for JSON and for data frames."""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import Any

import numpy as np

from evalkit.leaderboard.assisted import AssistedBoard
from evalkit.leaderboard.frames import to_records
from evalkit.leaderboard.rankings import Asked, Ranking, SliceReport
from evalkit.leaderboard.raters import RaterReport
from evalkit.preference import PreferenceBoard, Standing
from evalkit.preference.slices import Slices


def ranking_record(ranking: Ranking) -> dict[str, Any]:
    """One board with everything that is said of it."""
    board = ranking.board
    return {
        **asdict(ranking.asked),
        "method": board.method,
        "options": asdict(board.options),
        "votes": board.n_votes,
        "raters": board.n_raters,
        "cases": board.n_cases,
        "tie_rate": board.tie_rate,
        "both_bad_rate": board.both_bad_rate,
        "parameters": board.extra,
        "ratings": rating_records(board),
        "pairs": to_records(board.pairs),
        "lead": to_records([board.lead])[0] if board.lead else None,
        "verdicts": to_records(board.verdicts),
        "trust": {"level": ranking.panel.level, "findings": [asdict(f) for f in ranking.panel.findings]},
        "limits": {**asdict(board.limits), "sentence": board.limits.sentence} if board.limits else None,
        "caveats": list(board.caveats),
    }


def rating_records(board: PreferenceBoard) -> list[dict[str, Any]]:
    """One row per system: ratings and rates with their intervals, ranks and chances (None without any)."""
    return [
        {**record, **_ranks(line.standing)}
        for record, line in zip(to_records(board.ratings), board.ratings, strict=True)
    ]


def _ranks(standing: Standing | None) -> dict[str, Any]:
    known = {} if standing is None else asdict(standing)
    names = {"low": "rank_low", "high": "rank_high"}
    return {names.get(f.name, f.name): known.get(f.name) for f in fields(Standing)}


def slices_record(report: SliceReport) -> dict[str, Any]:
    """Ratings of every system within every slice, and whether slices differ."""
    slices, difference = report.slices, report.difference
    return {
        **asdict(report.asked),
        "by": report.by,
        "slices": [
            {"slice": name, "votes": int(slices.n[s]), "ratings": _slice_lines(slices, s)}
            for s, name in enumerate(slices.names)
        ],
        "shrunk": _shrunk_lines(report),
        "differ": None
        if difference is None
        else {
            "statistic": difference.statistic,
            "df": difference.df,
            "p_value": difference.p_value,
            "spread_elo": difference.spread_elo,
            "reason": difference.reason,
        },
    }


def _shrunk_lines(report: SliceReport) -> list[dict[str, Any]] | None:
    """Each slice's board held to everybody's: ratings, and how much of them is the slice's own (0 to 1)."""
    boards = report.shrunk
    if boards is None:
        return None
    low, high = boards.interval()
    return [
        {
            "slice": name,
            "own": float(boards.own[g]),
            "enough_votes": bool(boards.shown[g]),
            "ratings": [
                {"system": system, "rating": float(value), "rating_low": float(a), "rating_high": float(b)}
                for system, value, a, b in zip(
                    report.slices.systems, boards.elo[g], low[g], high[g], strict=True
                )
            ],
        }
        for g, name in enumerate(report.slices.names)
    ]


def raters_record(asked: Asked, report: RaterReport | None) -> dict[str, Any]:
    """Raters and their agreement, and the ratings with and without suspects."""
    if report is None:
        return {**asdict(asked), "raters": [], "note": "no vote says whose it is"}
    trusted = rating_records(report.trusted) if report.trusted else None
    agreement = {"alpha": report.alpha, "kappa": report.kappa, "ac1": report.ac1, "left": report.left}
    return {
        **asdict(asked),
        "raters": to_records(report.raters),
        "agreement": {name: asdict(estimate) for name, estimate in agreement.items()},
        "repeats": asdict(report.repeats) if report.repeats else None,
        "ratings": rating_records(report.everyone),
        "ratings_trusted": trusted,
        "notes": list(report.notes),
    }


def assisted_record(asked: Asked, board: AssistedBoard) -> dict[str, Any]:
    """Win rates and shares of pairs, by votes alone and with the help of metrics."""
    return {
        **asdict(asked),
        **to_records([board])[0],
        "systems": to_records(board.systems),
        "pairs": to_records(board.pairs),
    }


def slice_rows(slices: Slices) -> list[dict[str, Any]]:
    """One row per slice and system that has votes in it."""
    return [
        {"slice": name, **line} for s, name in enumerate(slices.names) for line in _slice_lines(slices, s)
    ]


def _slice_lines(slices: Slices, s: int) -> list[dict[str, Any]]:
    return [
        {
            "system": system,
            "rating": _number(slices.rating[s, i]),
            "rating_low": _number(slices.low[s, i]),
            "rating_high": _number(slices.high[s, i]),
            "win_rate": _number(slices.win_rate[s, i]),
            "n_votes": int(slices.votes[s, i]),
        }
        for i, system in enumerate(slices.systems)
        if slices.votes[s, i]
    ]


def _number(value: np.floating[Any]) -> float | None:
    return None if np.isnan(value) else float(value)
