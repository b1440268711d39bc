"""Votes -> a board: ratings and win rates with intervals, and what to be careful about.

`rate` is the one entry; another way of rating can stand behind it as long as it returns a
`PreferenceBoard`. This module knows no database and draws no chart.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evalkit.preference import bradley_terry as bt
from evalkit.preference.fitted import ELO_PER_LOGIT
from evalkit.preference.intervals import Spread, spread_of
from evalkit.preference.tally import Tally, tally, win_rates
from evalkit.preference.votes import BOTH_BAD, TIE, Floats, Votes
from evalkit.stats.bootstrap import Resampling
from evalkit.stats.bounded import Uncertainty, bounded_interval
from evalkit.types import Estimate

METHOD = "bradley-terry, bootstrap (v0)"
FEW = 10
"""Below so many raters or cases, a board says that its intervals are rough."""
DEFAULT = Resampling(resamples=400)


@dataclass(frozen=True, slots=True)
class SystemRating:
    """One line of a board. `rating` is on the Elo scale (mean of the board 1000); rates are 0 to 1."""

    system: str
    rating: Estimate
    win_rate: Estimate
    both_bad: Estimate
    tie_rate: float | None
    n_votes: int
    n_raters: int
    n_cases: int


@dataclass(frozen=True, slots=True)
class Pair:
    """Two systems met in `votes` votes; `won` is the share for `a`, ties half, None where they never met."""

    a: str
    b: str
    votes: int
    won: float | None


@dataclass(frozen=True, slots=True)
class Lead:
    """How far the first is ahead of the second, in Elo points."""

    leader: str
    runner_up: str
    difference: Estimate


@dataclass(frozen=True, slots=True)
class PreferenceBoard:
    """Ratings, best first. Without a common scale `rating.value` is None and the order is by win rate."""

    ratings: tuple[SystemRating, ...]
    pairs: tuple[Pair, ...]
    lead: Lead | None
    n_votes: int
    n_raters: int
    n_cases: int
    tie_rate: float | None
    both_bad_rate: float | None
    caveats: tuple[str, ...]
    resampling: Resampling
    method: str = METHOD


@dataclass(frozen=True, slots=True)
class _Measured:
    """Everything computed of the votes at once; a board is lines read off it."""

    votes: Votes
    cells: Tally
    wins: Floats
    theta: Floats | None
    spread: Spread | None
    level: float


def rate(votes: Votes, resampling: Resampling = DEFAULT) -> PreferenceBoard:
    """Rate every system of `votes`. Systems without a vote are listed with empty estimates."""
    unplayed = tuple(_unplayed(system) for system in _never_shown(votes))
    votes = votes.compact()
    cells = tally(votes)
    wins = cells.wins(cells.counts)
    groups = bt.parts(wins, votes.systems)
    theta = bt.fit(wins).theta if votes.n and len(groups) == 1 else None
    spread = spread_of(votes, cells, theta, resampling)
    measured = _Measured(votes, cells, wins, theta, spread, resampling.level)
    ratings = tuple(sorted(_lines(measured), key=_best_first))
    return PreferenceBoard(
        ratings=(*ratings, *unplayed),
        pairs=_pairs(votes.systems, wins),
        lead=_lead(measured, ratings),
        n_votes=votes.n,
        n_raters=int(np.unique(votes.rater).size),
        n_cases=int(np.unique(votes.case).size),
        tie_rate=_share(votes, TIE),
        both_bad_rate=_share(votes, BOTH_BAD),
        caveats=_caveats(votes, groups),
        resampling=resampling,
    )


def _lines(m: _Measured) -> list[SystemRating]:
    shares = win_rates(m.wins)
    both_bad = m.cells.both_bad(m.cells.counts)
    errors = (m.spread.win_rate, m.spread.both_bad) if m.spread else (None, None)
    return [
        _line(m, i, _bounded(m, i, shares, errors[0]), _bounded(m, i, both_bad, errors[1]))
        for i in range(len(m.votes.systems))
    ]


def _line(m: _Measured, i: int, win_rate: Estimate, both_bad: Estimate) -> SystemRating:
    mine = (m.votes.left == i) | (m.votes.right == i)
    return SystemRating(
        system=m.votes.systems[i],
        rating=_rating(m, i, int(mine.sum())),
        win_rate=win_rate,
        both_bad=both_bad,
        tie_rate=float((m.votes.answer[mine] == TIE).mean()),
        n_votes=int(mine.sum()),
        n_raters=int(np.unique(m.votes.rater[mine]).size),
        n_cases=int(np.unique(m.votes.case[mine]).size),
    )


def _never_shown(votes: Votes) -> list[str]:
    shown = {*votes.left.tolist(), *votes.right.tolist()}
    return sorted(system for i, system in enumerate(votes.systems) if i not in shown)


def _unplayed(system: str) -> SystemRating:
    nothing = Estimate(None, note="no votes")
    return SystemRating(system, nothing, nothing, nothing, None, 0, 0, 0)


def _rating(m: _Measured, i: int, n: int) -> Estimate:
    if m.theta is None:
        return Estimate(None, n=n, note="no common scale")
    value = float(bt.elo(m.theta)[i])
    if m.spread is None or m.spread.theta is None:
        return Estimate(value, n=n, n_expected=n, note="one case: no interval")
    reach = m.spread.reach(m.level) * float(np.sqrt(m.spread.theta[i, i])) * ELO_PER_LOGIT
    return Estimate(value, value - reach, value + reach, n, int(m.spread.clusters), n)


def _bounded(m: _Measured, i: int, rates: Floats, errors: Floats | None) -> Estimate:
    value, n = float(rates[i]), int(m.cells.played(m.cells.counts)[i])
    if m.spread is None or errors is None:
        return Estimate(value, n=n, n_expected=n, note="one case: no interval")
    known = Uncertainty(float(errors[i]), m.spread.clusters)
    low, high = bounded_interval(value, known, (0.0, 1.0), m.level)
    return Estimate(value, low, high, n, int(m.spread.clusters), n)


def _lead(m: _Measured, ratings: tuple[SystemRating, ...]) -> Lead | None:
    if m.theta is None or len(ratings) < 2:
        return None
    first, second = (m.votes.systems.index(line.system) for line in ratings[:2])
    gap = float(m.theta[first] - m.theta[second]) * ELO_PER_LOGIT
    difference = Estimate(gap, n=m.votes.n, note="one case: no interval")
    if m.spread is not None and m.spread.theta is not None:
        V = m.spread.theta
        error = float(np.sqrt(max(V[first, first] + V[second, second] - 2 * V[first, second], 0.0)))
        reach = m.spread.reach(m.level) * error * ELO_PER_LOGIT
        difference = Estimate(gap, gap - reach, gap + reach, m.votes.n, int(m.spread.clusters), m.votes.n)
    return Lead(ratings[0].system, ratings[1].system, difference)


def _best_first(line: SystemRating) -> tuple[float, float, str]:
    rating, rate = line.rating.value, line.win_rate.value
    return (-(rating or 0.0), -(rate or 0.0), line.system)


def _pairs(systems: tuple[str, ...], wins: Floats) -> tuple[Pair, ...]:
    met = wins + wins.T
    return tuple(
        Pair(a, b, round(met[i, j]), float(wins[i, j] / met[i, j]) if met[i, j] else None)
        for i, a in enumerate(systems)
        for j, b in enumerate(systems)
        if i < j
    )


def _share(votes: Votes, answer: int) -> float | None:
    return float((votes.answer == answer).mean()) if votes.n else None


def _caveats(votes: Votes, groups: tuple[tuple[str, ...], ...]) -> tuple[str, ...]:
    raters, cases = np.unique(votes.rater).size, np.unique(votes.case).size
    said = []
    if votes.n and len(groups) > 1:
        named = "; ".join("{" + ", ".join(group) + "}" for group in groups)
        said.append(
            "No common scale, so no ratings: some group never beat, or never met, the others. "
            f"Groups: {named}. Win rates are shown instead."
        )
    if raters == 1:
        said.append("One rater: the intervals know of cases only, not of how people differ.")
    elif 0 < raters < FEW or 0 < cases < FEW:
        said.append(f"Only {raters} raters and {cases} cases: the intervals are rough.")
    return tuple(said)
