"""Leaderboards in the terminal: the headline of each category, and what raters said."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from typing import TYPE_CHECKING

from rich.table import Table

from evalkit.cli.console import out
from evalkit.store import Workspace
from evalkit.types import Estimate

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from evalkit.leaderboard import BoardRow

WIDTH = 24


def show_boards(workspace: Workspace, run: str, study: str | None = None) -> None:
    """One table per category, ordered by its headline output, with the intervals drawn."""
    from evalkit.leaderboard import metric_board, vote_board
    from evalkit.warehouse import connect

    with closing(connect(workspace)) as db:
        rows = [row for row in metric_board(db, run) if row.headline]
        for category in dict.fromkeys(row.category for row in rows):
            _show_category(category, [row for row in rows if row.category == category])
        if study is not None:
            board = vote_board(db, study, "alignment")
            names = [(rating.system, rating.rating) for rating in board.ratings]
            _show(_votes_title(db, study), [(n, e, f"{e.n} votes") for n, e in names])


def _votes_title(db: DuckDBPyConnection, study: str) -> str:
    row = db.execute("SELECT simulated FROM studies WHERE study = ?", [study]).fetchone()
    return f"Raters on alignment{' (simulated)' if row and row[0] else ''}, Elo scale"


def _show_category(category: str, rows: Sequence[BoardRow]) -> None:
    first = rows[0]
    arrow = {"higher": "higher is better", "lower": "lower is better"}.get(first.better, "")
    lines = [(row.system, row.estimate, f"{row.n_scored}/{row.n_expected}") for row in rows]
    _show(f"{category}: {first.label} ({arrow})", lines)
    if any(row.coverage_gap for row in rows):
        out.print("Coverage differs: these means are not over the same cases.", style="dim", soft_wrap=True)


def _show(title: str, lines: Sequence[tuple[str, Estimate, str]]) -> None:
    out.print(f"\n[bold]{title.replace('[', chr(92) + '[')}[/bold]", soft_wrap=True)
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name, justify in (
        ("system", "left"),
        ("mean", "right"),
        ("95 % interval", "left"),
        ("", "left"),
        ("n", "right"),
    ):
        table.add_column(name, justify="right" if justify == "right" else "left", no_wrap=True)
    ends = [v for _, e, _ in lines for v in (e.low, e.high, e.value) if v is not None]
    span = (min(ends), max(ends)) if ends else (0.0, 1.0)
    for name, estimate, n in lines:
        table.add_row(name, _number(estimate.value), _interval(estimate), _bar(estimate, span), n)
    out.print(table)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f}" if abs(value) >= 100 else f"{value:.3f}"


def _interval(estimate: Estimate) -> str:
    if estimate.low is None or estimate.high is None:
        return "no interval"
    return rf"\[{_number(estimate.low)}, {_number(estimate.high)}]"


def _bar(estimate: Estimate, span: tuple[float, float]) -> str:
    """The interval as a line and the estimate as a dot, on the scale of the table."""
    if estimate.value is None:
        return ""
    low = estimate.low if estimate.low is not None else estimate.value
    high = estimate.high if estimate.high is not None else estimate.value
    at = [_column(value, span) for value in (low, estimate.value, high)]
    marks = [" "] * WIDTH
    marks[at[0] : at[2] + 1] = "─" * (at[2] - at[0] + 1)
    marks[at[1]] = "●"
    return "".join(marks)


def _column(value: float, span: tuple[float, float]) -> int:
    width = span[1] - span[0] or 1.0
    return round((value - span[0]) / width * (WIDTH - 1))
