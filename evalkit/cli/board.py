"""Leaderboards in the terminal: the headline of each category, and what raters said."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

from evalkit.cli.console import out
from evalkit.cli.drawing import bar, interval, number, span_of
from evalkit.store import Workspace
from evalkit.types import Estimate

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from evalkit.leaderboard import BoardRow


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
    span = span_of([estimate for _, estimate, _ in lines])
    for name, estimate, n in lines:
        table.add_row(name, number(estimate.value), escape(interval(estimate)), bar(estimate, span), n)
    out.print(table)
