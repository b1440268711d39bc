"""Votes, and rankings beside them -> a board: ratings, win rates and ranks with intervals, and what to mind.

`rate` is the one entry. It reads lines off what `measured` computed; it knows no database and draws no chart.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from evalkit.errors import InvalidInput
from evalkit.preference.board import Lead, Pair, PreferenceBoard, RatingOptions, Standing, SystemRating
from evalkit.preference.covariance import FEW, Covariance
from evalkit.preference.joint import (
    Ranked,
    compacted,
)
from evalkit.preference.limits import Limits, limits_of
from evalkit.preference.measured import DEFAULT, Measured, measure, measure_jointly
from evalkit.preference.models import bradley_terry as bt
from evalkit.preference.models.fitted import ELO_PER_LOGIT
from evalkit.preference.quasi import quasi_errors
from evalkit.preference.ranks import (
    RankOptions,
    Ranks,
    chances_of_places,
    overlap_ranges,
    quick_ranges,
    rank_ranges,
)
from evalkit.preference.stopping import PairVerdict, StopRule, board_verdicts
from evalkit.preference.tensor import Tensor, win_rates
from evalkit.preference.votes import BOTH_BAD, TIE, Floats, Votes
from evalkit.stats.bounded import Uncertainty, bounded_interval
from evalkit.types import Estimate

NO_FIT = "could not be fitted"
QUICK_DRAWS = 1000
"""Draws behind the chances of a quick board: right to within two points of a hundred."""


def rate(votes: Votes, options: RatingOptions = DEFAULT, ranked: Ranked | None = None) -> PreferenceBoard:
    """Rate every system of `votes`. Systems without a vote are listed with empty estimates.

    With rankings, which name the same systems and number raters and cases as the votes do, both are fitted
    together by Plackett-Luce (pairs: Davidson's model), opponents counting as often as they were met. Win
    rates then count each pair of a ranking. Raises InvalidInput, and UsageError for a bootstrap.
    """
    if ranked is None or not ranked.n:
        shown = votes.compact()
        board = board_of(measure(shown, options))
    else:
        shown, ranked = compacted(votes, ranked)
        board = board_of(measure_jointly(shown, ranked, options))
    unplayed = tuple(_unplayed(system) for system in sorted({*votes.systems} - {*shown.systems}))
    return replace(board, ratings=(*board.ratings, *unplayed))


def board_of(m: Measured) -> PreferenceBoard:
    """The lines of a board, read off what was measured."""
    ratings = tuple(sorted(_lines(m), key=_best_first))
    return PreferenceBoard(
        ratings=ratings,
        pairs=_pairs(m.compared),
        lead=_lead(m, ratings),
        n_votes=m.n,
        n_raters=m.clusters.raters,
        n_cases=m.clusters.cases,
        tie_rate=m.tensor.share(TIE),
        both_bad_rate=m.tensor.share(BOTH_BAD),
        caveats=_caveats(m),
        options=m.options,
        limits=_limits(m),
        verdicts=_verdicts(m),
        n_rankings=m.rankings.n if m.rankings else 0,
        extra=dict(zip(m.fit.names, m.fit.extra.tolist(), strict=True)) if m.fit else {},
    )


def _lines(m: Measured) -> list[SystemRating]:
    if not m.given:
        return []
    shares, bad = win_rates(m.compared.wins), m.tensor.both_bad
    played, named, ties = m.tensor.played, m.named, m.tensor.counts[TIE]
    tied = ties.sum(axis=0) + ties.sum(axis=1)
    standings = _standings(m)
    return [
        SystemRating(
            system=system,
            rating=_rating(m, i, round(named[i])),
            win_rate=_bounded(m, shares[i], (m.known.win_rate, i), round(named[i])),
            both_bad=_bounded(m, bad[i], (m.known.both_bad, i), round(played[i])),
            tie_rate=float(tied[i] / played[i]) if played[i] else None,
            n_votes=round(played[i]),
            n_raters=int(m.raters[i]),
            n_cases=int(m.cases[i]),
            standing=standings[i] if standings else None,
        )
        for i, system in enumerate(m.tensor.systems)
    ]


def _unplayed(system: str) -> SystemRating:
    nothing = Estimate(None, note="no votes")
    return SystemRating(system, nothing, nothing, nothing, None, 0, 0, 0)


def _standings(m: Measured) -> list[Standing] | None:
    """Ranks of every system; None without a scale or an interval."""
    if m.fit is None or m.known.rating is None or m.tensor.size < 2:
        return None
    theta, V = m.fit.theta, m.known.rating.V[: m.tensor.size, : m.tensor.size]
    ranks = _ranks(m, theta, V)
    reach = m.known.rating.reach(m.options.level) * m.known.rating.error[: theta.size]
    overlap = overlap_ranges(theta - reach, theta + reach)
    quasi = None if m.quick else _quasi(V)
    best, top = ranks.best, ranks.top(m.options.top)
    return [
        Standing(
            low=int(ranks.low[i]),
            high=int(ranks.high[i]),
            overlap_low=int(overlap[0][i]),
            overlap_high=int(overlap[1][i]),
            p_best=float(best[i]),
            p_top=float(top[i]),
            quasi=None if quasi is None else float(quasi[i]),
            tied_first=bool(ranks.first[i]),
        )
        for i in range(theta.size)
    ]


def _ranks(m: Measured, theta: Floats, V: Floats) -> Ranks:
    assert m.known.rating is not None
    freedom = m.known.rating.freedom
    options = RankOptions(m.options.level, draws=m.options.draws, seed=m.options.seed)
    if not m.quick:
        return rank_ranges(theta, V, freedom, options)
    low, high = quick_ranges(theta, V, freedom, options)
    places = chances_of_places(theta, V, freedom, replace(options, draws=min(options.draws, QUICK_DRAWS)))
    return Ranks(low, high, places, np.zeros(theta.size))


def _limits(m: Measured) -> Limits | None:
    """What limits the ratings, where votes are taken to share raters and prompts."""
    if m.known.pieces is None or m.options.sharing != "two-way":
        return None
    return limits_of(m.known.pieces, m.given, m.tensor.size)


def _verdicts(m: Measured) -> tuple[PairVerdict, ...]:
    """Which pairs are decided, at whatever look."""
    if m.fit is None or m.known.rating is None or m.options.sharing != "two-way" or m.tensor.size < 2:
        return ()
    k = m.tensor.size
    rule = StopRule(alpha=1.0 - m.options.level)
    return board_verdicts(
        m.tensor.systems, m.fit.theta, m.known.rating.V[:k, :k], m.known.rating.freedom, rule
    )


def _quasi(V: Floats) -> Floats | None:
    """Quasi-standard errors in Elo points; None where a difference has no variance."""
    try:
        return quasi_errors(V).errors * ELO_PER_LOGIT
    except InvalidInput:
        return None


def _rating(m: Measured, i: int, n: int) -> Estimate:
    if m.fit is None:
        return Estimate(None, n=n, note=NO_FIT if _unfitted(m) else "no common scale")
    value = float(m.fit.elo[i])
    if m.known.rating is None:
        return Estimate(value, n=n, n_expected=n, note=_no_interval(m))
    reach = m.known.rating.reach(m.options.level) * float(m.known.rating.error[i]) * ELO_PER_LOGIT
    return Estimate(value, value - reach, value + reach, n, _clusters(m.known.rating), n)


def _bounded(m: Measured, rate: float, known: tuple[Covariance | None, int], n: int) -> Estimate:
    covariance, i = known
    if np.isnan(rate):
        return Estimate(None, note="no votes on pairs")
    value = float(rate)
    if covariance is None:
        return Estimate(value, n=n, n_expected=n, note="one case: no interval")
    doubt = Uncertainty(float(covariance.error[i]), min(covariance.freedom + 1.0, n))
    low, high = bounded_interval(value, doubt, (0.0, 1.0), m.options.level)
    return Estimate(value, low, high, n, _clusters(covariance), n)


def _no_interval(m: Measured) -> str:
    """Why ratings have no interval; a win rate has one unless all votes are on one case."""
    why = "one case" if m.known.win_rate is None else "all votes say the same"
    return f"{why}: no interval"


def _clusters(known: Covariance) -> int:
    return int(known.freedom + 1.0) if np.isfinite(known.freedom) else 0


def _lead(m: Measured, ratings: tuple[SystemRating, ...]) -> Lead | None:
    if m.fit is None or len(ratings) < 2:
        return None
    first, second = (m.tensor.systems.index(line.system) for line in ratings[:2])
    gap = float(m.fit.theta[first] - m.fit.theta[second]) * ELO_PER_LOGIT
    difference = Estimate(gap, n=m.given, note=_no_interval(m))
    if m.known.rating is not None:
        reach = (
            m.known.rating.reach(m.options.level) * m.known.rating.difference(first, second) * ELO_PER_LOGIT
        )
        difference = Estimate(gap, gap - reach, gap + reach, m.given, _clusters(m.known.rating), m.given)
    return Lead(ratings[0].system, ratings[1].system, difference)


def _best_first(line: SystemRating) -> tuple[float, float, str]:
    rating, rate = line.rating.value, line.win_rate.value
    return (-(rating or 0.0), -(rate or 0.0), line.system)


def _pairs(tensor: Tensor) -> tuple[Pair, ...]:
    wins, met = tensor.wins.tolist(), tensor.games.tolist()
    return tuple(
        Pair(a, b, round(met[i][j]), wins[i][j] / met[i][j] if met[i][j] else None)
        for i, a in enumerate(tensor.systems)
        for j, b in enumerate(tensor.systems)
        if i < j
    )


def _caveats(m: Measured) -> tuple[str, ...]:
    raters, cases = m.clusters.raters, m.clusters.cases
    said = [] if m.rankings is None else m.rankings.caveats
    if m.given and m.fit is None and not _unfitted(m):
        why = " ".join(bt.connectivity(m.compared.wins, m.compared.systems).reasons)
        said.append(f"No common scale, so no ratings. {why} Win rates are shown instead.")
    if m.fit is not None and m.known.rating is None and m.known.win_rate is not None:
        said.append("All votes say the same, so how sure the ratings are is not known.")
    asked = m.options.sharing
    if raters == 1 and asked == "two-way":
        said.append("One rater: the intervals know of cases only, not of how people differ.")
    elif asked == "two-way" and (0 < raters < FEW or 0 < cases < FEW):
        said.append(f"Only {raters} raters and {cases} cases: the intervals are rough.")
    return tuple(said)


def _unfitted(m: Measured) -> bool:
    return m.rankings is not None and m.rankings.reason != ""
