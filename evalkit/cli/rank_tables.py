"""How `evalkit rank` looks in the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from rich.markup import escape
from rich.table import Table

from evalkit.cli.console import out
from evalkit.cli.drawing import bar, interval, number, percent, span_of
from evalkit.errors import UsageError

if TYPE_CHECKING:
    from evalkit.leaderboard import Asked, AssistedBoard, Ranking, RaterReport, SliceReport
    from evalkit.preference import PreferenceBoard, Standing
    from evalkit.preference.slices import Slices
    from evalkit.preference.trust.diagnostics import Panel

MANY = 8
"""Slices shown in one table; more come below it."""
SHOWN_RATERS = 20
COLOURS = {"fine": "green", "look": "yellow", "stop": "red"}
MARKS = {"look": "!", "stop": "✗"}
VERDICTS = {"fine": "Nothing speaks against it.", "look": "With care:", "stop": "Not yet:"}
OPTIONAL = ("logged chances",)
WIDE = 999
"""Intervals wider than this say nothing, and are not spelled out."""


def show_ranking(ranking: Ranking) -> None:
    """A board with its intervals drawn, and in words what it says and on what it rests."""
    board = ranking.board
    _title(ranking.asked, _counts(board))
    if not board.ratings:
        out.print("No votes on this question yet.")
        return
    out.print(_board(board))
    for line in _findings(board):
        out.print(line, soft_wrap=True, markup=False)
    _warn(board.caveats)
    _trust(ranking.panel)
    out.print(board.method_in_words, style="dim", soft_wrap=True, markup=False)


def show_slices(report: SliceReport, *, shrink: bool = False) -> None:
    """Ratings within each slice: systems as rows, slices as columns.

    With `shrink` each slice is held to everybody's, the more so the fewer votes it has.
    """
    slices = report.slices if not shrink else _held(report)
    how = "each held to everybody's" if shrink else "each slice by itself"
    _title(report.asked, f"ratings by {report.by}, {how}")
    names = slices.names
    if not names:
        out.print(f"No vote on a pair says its {report.by}.", markup=False)
        return
    order = np.argsort(-np.nan_to_num(np.nanmean(_known(slices), axis=0), nan=-np.inf), kind="stable")
    for start in range(0, len(names), MANY):
        out.print(_slices(slices, order.tolist(), range(start, min(start + MANY, len(names)))))
    apart = [name for name, one in zip(names, slices.one_scale, strict=True) if not one]
    if apart:
        _warn([f"No common scale, so shares of votes won instead, in: {', '.join(apart)}."])
    if report.difference is not None:
        out.print(_difference(report), soft_wrap=True, markup=False)


def show_raters(asked: Asked, report: RaterReport | None) -> None:
    """Each rater with what speaks for and against, how well they agree, and the board without suspects."""
    _title(asked, "raters")
    if report is None:
        out.print("No vote says whose it is.")
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("rater", "votes", "seems", "honest", "with others", "left", "repeats alike", "why"):
        table.add_column(name, overflow="fold", justify="right" if name in ("votes", "honest") else "left")
    for line in report.raters[:SHOWN_RATERS]:
        agreement = "-" if line.agreement is None else f"{100 * line.agreement:.0f} %"
        mark = "review: " if line.flagged else ""
        known = (line.rater, f"{line.votes:,}", line.kind, _chance(line.honest), agreement)
        cells = (*known, percent(line.left), percent(line.repeats), f"{mark}{line.why}")
        table.add_row(*(escape(cell) for cell in cells))
    out.print(table)
    if len(report.raters) > SHOWN_RATERS:
        out.print(f"... and {len(report.raters) - SHOWN_RATERS:,} more, less doubtful (--json has all).")
    for name, estimate in (
        ("Krippendorff's alpha", report.alpha),
        ("Fleiss' kappa", report.kappa),
        ("Gwet's AC1", report.ac1),
    ):
        why = f" ({estimate.note})" if estimate.note else ""
        shown = "-" if estimate.value is None else f"{estimate.value:.2f} {interval(estimate)}"
        out.print(f"{name}: {shown}{why}", markup=False, soft_wrap=True)
    out.print(f"Left among decisive votes: {percent(report.left)}", markup=False)
    if report.trusted is not None:
        _with_and_without(report.everyone, report.trusted)
    _warn(report.notes)


def show_assisted(asked: Asked, board: AssistedBoard) -> None:
    """Win rates by votes alone and with the help of metrics, and which is used."""
    _title(asked, f"share of votes won over {board.n_comparisons:,} comparisons, {board.n_votes:,} votes")
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("system", "share", "votes alone", "with metrics", "worth", "used"):
        table.add_column(name, overflow="fold")
    for row in board.systems:
        worth = "-" if row.extra_votes is None else f"{100 * row.extra_votes:+.0f} % votes"
        cells = (row.system, percent(row.share), percent(row.plain), percent(row.assisted), worth, row.used)
        table.add_row(*(escape(cell) for cell in cells))
    out.print(table)
    for reason in dict.fromkeys(row.reason for row in board.systems if row.reason and not board.refused):
        out.print(f"plain where {reason}", markup=False, soft_wrap=True)
    if board.refused:
        _warn([f"Metrics do not assist here: {board.refused}."])
    out.print(board.population, style="dim", soft_wrap=True, markup=False)


def _held(report: SliceReport) -> Slices:
    """The slices as shrunk boards, with how much of each is its own behind its name."""
    if report.shrunk is None:
        raise UsageError(
            "all votes together give no common scale, so no slice can be held to it", "Leave out --shrink."
        )
    low, high = report.shrunk.interval()
    own = [
        f"{name}\n{100 * part:.0f} % its own"
        for name, part in zip(report.slices.names, report.shrunk.own, strict=True)
    ]
    return replace(report.slices, names=tuple(own), rating=report.shrunk.elo, low=low, high=high)


def _with_and_without(everyone: PreferenceBoard, trusted: PreferenceBoard) -> None:
    """Ratings by all votes, and with every vote counted by how likely its rater is honest."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("system", "all votes", "", "without suspects", ""):
        table.add_column(name, overflow="fold")
    without = {line.system: line.rating for line in trusted.ratings}
    for line in everyone.ratings:
        other = without[line.system]
        cells = (line.system, number(line.rating.value), interval(line.rating))
        table.add_row(*(escape(cell) for cell in (*cells, number(other.value), interval(other))))
    out.print(table)


def _trust(panel: Panel) -> None:
    """Can you trust this? What is fine in one line, what is not in one each."""
    fine = [finding.name for finding in panel.findings if finding.level == "fine"]
    out.print(f"[bold]Can you trust this?[/bold] [{COLOURS[panel.level]}]{VERDICTS[panel.level]}[/]")
    for finding in panel.findings:
        if finding.level in ("look", "stop"):
            out.print(
                f"  {MARKS[finding.level]} {finding.sentence}",
                style=COLOURS[finding.level],
                markup=False,
                soft_wrap=True,
            )
        elif finding.level is None and finding.name not in OPTIONAL:
            out.print(f"  ? {finding.name}: {finding.reason}", style="dim", markup=False, soft_wrap=True)
    if fine:
        out.print(f"  ✓ fine: {', '.join(fine)}", style="dim", markup=False, soft_wrap=True)


def _difference(report: SliceReport) -> str:
    found = report.difference
    assert found is not None
    if found.p_value is None or found.spread_elo is None:
        return f"Whether slices rank differently is not known: {found.reason}."
    if found.p_value < 0.05:
        names = ", ".join(report.slices.systems[i] for i in found.differ())
        which = f" Most clearly: {names}." if names else ""
        return (
            f"Slices rank differently (p {_p(found.p_value)}): a rating differs between them by about "
            f"{found.spread_elo:.0f} Elo points.{which}"
        )
    return f"No sign that slices rank differently (p {_p(found.p_value)})."


def _p(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def _warn(lines: Sequence[str]) -> None:
    for line in lines:
        out.print(line, style="yellow", soft_wrap=True, markup=False)


def _title(asked: Asked, what: str) -> None:
    mark = " (simulated)" if asked.simulated else ""
    criterion = f", {asked.criterion}" if asked.criterion else ""
    out.print(f"\n[bold]{escape(', '.join(asked.studies))}{escape(criterion)}{mark}[/bold]: {escape(what)}")
    for question in asked.questions:
        out.print(f"“{question}”", style="dim", markup=False, soft_wrap=True)


def _counts(board: PreferenceBoard) -> str:
    raters = f" by {board.n_raters:,} raters" if board.n_raters else ""
    cases = f" on {board.n_cases:,} prompts" if board.n_cases else ""
    votes = [f"{board.n_votes:,} votes"] if board.n_votes or not board.n_rankings else []
    rankings = [f"{board.n_rankings:,} rankings"] if board.n_rankings else []
    said = f"{' and '.join(votes + rankings)}{raters}{cases}"
    if board.tie_rate is None or board.both_bad_rate is None:
        return said
    return f"{said}; {100 * board.tie_rate:.0f} % ties, {100 * board.both_bad_rate:.0f} % both bad"


def _board(board: PreferenceBoard) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    level = f"{100 * board.options.level:g} % interval"
    columns = (
        "rank",
        "system",
        "rating",
        level,
        "",
        "wins",
        "P(best)",
        f"P(top {board.options.top})",
        "votes",
    )
    for name in columns:
        left = name in ("rank", "system", level, "", "wins")
        table.add_column(name, justify="left" if left else "right", no_wrap=name != "system", overflow="fold")
    rated = any(line.rating.value is not None for line in board.ratings)
    span = span_of([line.rating if rated else line.win_rate for line in board.ratings])
    for line in board.ratings:
        shown = line.rating if rated else line.win_rate
        table.add_row(
            _rank(line.standing),
            escape(line.system),
            number(line.rating.value),
            escape(interval(line.rating)) if rated else "",
            bar(shown, span),
            escape(percent(line.win_rate)),
            _chance(line.standing.p_best if line.standing else None),
            _chance(line.standing.p_top if line.standing else None),
            f"{line.n_votes:,}",
        )
    return table


def _rank(standing: Standing | None) -> str:
    if standing is None:
        return "-"
    return str(standing.low) if standing.low == standing.high else f"{standing.low}-{standing.high}"


def _chance(chance: float | None) -> str:
    """A chance that is drawn is never said to be certain."""
    if chance is None:
        return "-"
    return "<1 %" if chance < 0.01 else ">99 %" if chance > 0.99 else f"{100 * chance:.0f} %"


def _findings(board: PreferenceBoard) -> Sequence[str]:
    first = [line.system for line in board.ratings if line.standing and line.standing.tied_first]
    said = []
    if len(first) == 1:
        said.append(f"First: {first[0]}.")
    elif first:
        said.append(f"Tied for first: {', '.join(first)}.")
    if board.lead is not None and board.lead.difference.low is not None:
        lead = board.lead
        gap = lead.difference
        said.append(
            f"{lead.leader} against {lead.runner_up}: "
            f"{gap.value:+.0f} [{gap.low:+.0f}, {gap.high:+.0f}] Elo points."
        )
    if board.verdicts:
        done = sum(verdict.decided for verdict in board.verdicts)
        few = all(verdict.outcome == "too few" for verdict in board.verdicts)
        why = ": too few raters or prompts to stop on" if few else ""
        said.append(f"Pairs decided, however often one looks: {done} of {len(board.verdicts)}{why}.")
    if board.limits is not None:
        said.append(board.limits.sentence)
    return said


def _slices(slices: Slices, order: Sequence[int], which: Sequence[int]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("system", overflow="fold")
    for s in which:
        table.add_column(f"{escape(slices.names[s])}\n{slices.n[s]:,} votes", justify="right", no_wrap=True)
    for i in order:
        table.add_row(escape(slices.systems[i]), *(_cell(slices, s, i) for s in which))
    return table


def _cell(slices: Slices, s: int, i: int) -> str:
    if np.isnan(slices.rating[s, i]):
        share = slices.win_rate[s, i]
        return "-" if np.isnan(share) else f"{100 * share:.0f} %"
    half = slices.high[s, i] - slices.rating[s, i]
    wide = "" if np.isnan(half) else f" ±{half:.0f}" if half < WIDE else f" ±>{WIDE}"
    return f"{slices.rating[s, i]:.0f}{wide}"


def _known(slices: Slices) -> np.ndarray:
    """Ratings (S, K), with the mean of a board where a slice has none, so that every system has an order."""
    return np.where(np.isnan(slices.rating), 1000.0, slices.rating)
