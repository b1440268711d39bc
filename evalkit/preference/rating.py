"""Votes -> a board: ratings, win rates and ranks with intervals, and what to be careful about.

`rate` is the one entry. It knows no database and draws no chart. Votes themselves are gone through once
(`clustering`); the rest is done on a tensor and does not grow with their number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from evalkit.preference import bradley_terry as bt
from evalkit.preference.board import Lead, Pair, PreferenceBoard, RatingOptions, SystemRating
from evalkit.preference.clustering import Clusters, Meat, Pull, count_clusters, meats
from evalkit.preference.covariance import FEW, Covariance, pieces_of
from evalkit.preference.fitted import ELO_PER_LOGIT, Fitted
from evalkit.preference.resampling import bootstrap_pieces
from evalkit.preference.shares import both_bad_pull, win_rate_pull
from evalkit.preference.tensor import Tensor, tensor_of, win_rates
from evalkit.preference.votes import BOTH_BAD, TIE, Floats, Integers, Ints, Votes
from evalkit.stats.bootstrap import Resampling
from evalkit.stats.bounded import Uncertainty, bounded_interval
from evalkit.types import Estimate

DEFAULT = RatingOptions()


@dataclass(frozen=True, slots=True)
class Measured:
    """Everything computed of the votes at once; a board is lines read off it.

    `fit` is None without a common scale. A covariance is None where votes cannot say it.
    """

    n: int
    tensor: Tensor
    clusters: Clusters
    fit: Fitted | None
    rating: Covariance | None
    win_rate: Covariance | None
    both_bad: Covariance | None
    raters: Ints
    cases: Ints
    options: RatingOptions


def rate(votes: Votes, options: RatingOptions = DEFAULT) -> PreferenceBoard:
    """Rate every system of `votes`. Systems without a vote are listed with empty estimates."""
    unplayed = tuple(_unplayed(system) for system in _never_shown(votes))
    board = board_of(measure(votes.compact(), options))
    return replace(board, ratings=(*board.ratings, *unplayed))


def board_of(m: Measured) -> PreferenceBoard:
    """The lines of a board, read off what was measured."""
    ratings = tuple(sorted(_lines(m), key=_best_first))
    return PreferenceBoard(
        ratings=ratings,
        pairs=_pairs(m.tensor),
        lead=_lead(m, ratings),
        n_votes=m.n,
        n_raters=m.clusters.raters,
        n_cases=m.clusters.cases,
        tie_rate=m.tensor.share(TIE),
        both_bad_rate=m.tensor.share(BOTH_BAD),
        caveats=_caveats(m),
        options=m.options,
        extra=dict(zip(m.fit.names, m.fit.extra.tolist(), strict=True)) if m.fit else {},
    )


def measure(votes: Votes, options: RatingOptions = DEFAULT) -> Measured:
    """Count, fit, and find how well everything is known. Every system must have a vote."""
    tensor, clusters = tensor_of(votes), count_clusters(votes)
    fit = fit_of(tensor, options) if votes.n and len(bt.parts(tensor.wins, tensor.systems)) == 1 else None
    rating = win_rate = both_bad = None
    if votes.n:
        found = meats(votes, pulls_of(tensor, fit))
        rating, win_rate, both_bad = covariances_of(found, fit, clusters, options)
        if fit is not None and options.intervals == "bootstrap":
            rating = _resampled(votes, tensor, fit, clusters, options)
    raters, cases = (behind(votes, labels).sum(axis=0) for labels in (votes.rater, votes.case))
    return Measured(votes.n, tensor, clusters, fit, rating, win_rate, both_bad, raters, cases, options)


def fit_of(tensor: Tensor, options: RatingOptions = DEFAULT) -> Fitted:
    """Abilities under the model and the estimand of the options; they must exist (`bradley_terry.parts`)."""
    return bt.fitted(tensor, weights_of(tensor, options))


def weights_of(tensor: Tensor, options: RatingOptions) -> Floats | None:
    """What a vote on each pair counts (K, K), None for 1."""
    return bt.opponent_uniform(tensor.games) if options.opponents == "alike" else None


def pulls_of(tensor: Tensor, fit: Fitted | None) -> list[Pull]:
    """How votes pull on win rates, on "both bad" shares and, if there are any, on ratings."""
    shares = [win_rate_pull(tensor), both_bad_pull(tensor)]
    return shares if fit is None else [*shares, Pull(fit.left, fit.right, fit.others)]


def covariances_of(
    found: Sequence[Meat], fit: Fitted | None, clusters: Clusters, options: RatingOptions
) -> tuple[Covariance | None, Covariance | None, Covariance | None]:
    """Of ratings, win rates and "both bad" shares, from the meats of `pulls_of`."""
    alone = np.eye(len(found[0].both))
    win_rate, both_bad = (pieces_of(alone, meat, clusters).shared(options.sharing) for meat in found[:2])
    rating = pieces_of(fit.bread, found[2], clusters).shared(options.sharing) if fit else None
    return rating, win_rate, both_bad


def _resampled(
    votes: Votes, tensor: Tensor, fit: Fitted, clusters: Clusters, options: RatingOptions
) -> Covariance | None:
    weights = weights_of(tensor, options)
    known = np.ones_like(tensor.wins) if weights is None else weights
    resampling = Resampling(options.level, options.resamples, options.seed)
    return bootstrap_pieces(votes, fit.theta, known, clusters, resampling).shared(options.sharing)


def behind(votes: Votes, labels: Integers) -> NDArray[np.bool_]:
    """Which labels are behind each system (labels, K)."""
    seen = np.zeros((int(labels.max(initial=-1)) + 1, len(votes.systems)), dtype=np.bool_)
    for side in (votes.left, votes.right):
        seen[labels, side] = True
    return seen


def _lines(m: Measured) -> list[SystemRating]:
    if not m.n:
        return []
    shares, bad = win_rates(m.tensor.wins), m.tensor.both_bad
    played, ties = m.tensor.played, m.tensor.counts[TIE]
    tie_rate = (ties.sum(axis=0) + ties.sum(axis=1)) / played
    return [
        SystemRating(
            system=system,
            rating=_rating(m, i),
            win_rate=_bounded(m, i, shares, m.win_rate),
            both_bad=_bounded(m, i, bad, m.both_bad),
            tie_rate=float(tie_rate[i]),
            n_votes=round(played[i]),
            n_raters=int(m.raters[i]),
            n_cases=int(m.cases[i]),
        )
        for i, system in enumerate(m.tensor.systems)
    ]


def _never_shown(votes: Votes) -> list[str]:
    shown = {*votes.compact().systems} if votes.n else set()
    return sorted(system for system in votes.systems if system not in shown)


def _unplayed(system: str) -> SystemRating:
    nothing = Estimate(None, note="no votes")
    return SystemRating(system, nothing, nothing, nothing, None, 0, 0, 0)


def _rating(m: Measured, i: int) -> Estimate:
    n = round(m.tensor.played[i])
    if m.fit is None:
        return Estimate(None, n=n, note="no common scale")
    value = float(m.fit.elo[i])
    if m.rating is None:
        return Estimate(value, n=n, n_expected=n, note="one case: no interval")
    reach = m.rating.reach(m.options.level) * float(m.rating.error[i]) * ELO_PER_LOGIT
    return Estimate(value, value - reach, value + reach, n, _clusters(m.rating), n)


def _bounded(m: Measured, i: int, rates: Floats, known: Covariance | None) -> Estimate:
    value, n = float(rates[i]), round(m.tensor.played[i])
    if known is None:
        return Estimate(value, n=n, n_expected=n, note="one case: no interval")
    doubt = Uncertainty(float(known.error[i]), min(known.freedom + 1.0, n))
    low, high = bounded_interval(value, doubt, (0.0, 1.0), m.options.level)
    return Estimate(value, low, high, n, _clusters(known), n)


def _clusters(known: Covariance) -> int:
    return int(known.freedom + 1.0) if np.isfinite(known.freedom) else 0


def _lead(m: Measured, ratings: tuple[SystemRating, ...]) -> Lead | None:
    if m.fit is None or len(ratings) < 2:
        return None
    first, second = (m.tensor.systems.index(line.system) for line in ratings[:2])
    gap = float(m.fit.theta[first] - m.fit.theta[second]) * ELO_PER_LOGIT
    difference = Estimate(gap, n=m.n, note="one case: no interval")
    if m.rating is not None:
        reach = m.rating.reach(m.options.level) * m.rating.difference(first, second) * ELO_PER_LOGIT
        difference = Estimate(gap, gap - reach, gap + reach, m.n, _clusters(m.rating), m.n)
    return Lead(ratings[0].system, ratings[1].system, difference)


def _best_first(line: SystemRating) -> tuple[float, float, str]:
    rating, rate = line.rating.value, line.win_rate.value
    return (-(rating or 0.0), -(rate or 0.0), line.system)


def _pairs(tensor: Tensor) -> tuple[Pair, ...]:
    wins, met = tensor.wins, tensor.games
    return tuple(
        Pair(a, b, round(met[i, j]), float(wins[i, j] / met[i, j]) if met[i, j] else None)
        for i, a in enumerate(tensor.systems)
        for j, b in enumerate(tensor.systems)
        if i < j
    )


def _caveats(m: Measured) -> tuple[str, ...]:
    raters, cases = m.clusters.raters, m.clusters.cases
    said = []
    if m.n and m.fit is None:
        groups = bt.parts(m.tensor.wins, m.tensor.systems)
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
