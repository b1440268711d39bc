"""Votes, and rankings beside them -> a board: ratings, win rates and ranks with intervals, and what to mind.

`rate` is the one entry. It knows no database and draws no chart. Votes themselves are gone through once
(`clustering`); the rest is done on a tensor and does not grow with their number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from evalkit.errors import InvalidInput
from evalkit.preference import bradley_terry as bt
from evalkit.preference.board import Lead, Pair, PreferenceBoard, RatingOptions, Standing, SystemRating
from evalkit.preference.clustering import Clusters, Meat, Pull, count_clusters, meats
from evalkit.preference.covariance import FEW, Covariance, Pieces, pieces_of
from evalkit.preference.fitted import ELO_PER_LOGIT, Fitted
from evalkit.preference.joint import (
    JOINT,
    Ranked,
    Together,
    WithRankings,
    compacted,
    meat_of,
    vote_scores,
)
from evalkit.preference.limits import Limits, limits_of
from evalkit.preference.models import model_named
from evalkit.preference.quasi import quasi_errors
from evalkit.preference.ranks import (
    RankOptions,
    Ranks,
    chances_of_places,
    overlap_ranges,
    quick_ranges,
    rank_ranges,
)
from evalkit.preference.resampling import bootstrap_pieces
from evalkit.preference.shares import both_bad_pull, win_rate_pull
from evalkit.preference.stopping import PairVerdict, StopRule, board_verdicts
from evalkit.preference.tensor import Tensor, tensor_of, win_rates
from evalkit.preference.votes import BOTH_BAD, CHUNK, TIE, Floats, Integers, Ints, Votes
from evalkit.stats.bootstrap import Resampling
from evalkit.stats.bounded import Uncertainty, bounded_interval
from evalkit.types import Estimate

DEFAULT = RatingOptions()
NO_FIT = "could not be fitted"
QUICK_DRAWS = 1000
"""Draws behind the chances of a quick board: right to within two points of a hundred."""


@dataclass(frozen=True, slots=True)
class Known:
    """How well ratings, win rates and "both bad" shares are known; None where votes cannot say it.

    `pieces` are the covariances of the ratings by what votes are taken to share.
    """

    rating: Covariance | None = None
    win_rate: Covariance | None = None
    both_bad: Covariance | None = None
    pieces: Pieces | None = None


@dataclass(frozen=True, slots=True)
class Measured:
    """Everything computed of the votes at once; a board is lines read off it.

    `n` and `tensor` are of votes on pairs only. `fit` is None without a common scale; `raters` and `cases`
    (K) count those behind each system. `quick` boards take rank ranges without draws, which may be a little
    wider.
    """

    n: int
    tensor: Tensor
    clusters: Clusters
    fit: Fitted | None
    known: Known
    raters: Ints
    cases: Ints
    options: RatingOptions
    quick: bool = False
    rankings: WithRankings | None = None

    @property
    def given(self) -> int:
        """Votes and rankings."""
        return self.n if self.rankings is None else self.n + self.rankings.n

    @property
    def compared(self) -> Tensor:
        """Votes, and pairs of rankings."""
        return self.tensor if self.rankings is None else self.rankings.compared

    @property
    def named(self) -> Floats:
        """Votes and rankings that each system is in (K)."""
        return self.tensor.played + (0.0 if self.rankings is None else self.rankings.by_system)


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
        extra=dict(zip(m.fit.names, m.fit.extra.tolist(), strict=True)) if m.fit else {},
    )


def measure(votes: Votes, options: RatingOptions = DEFAULT) -> Measured:
    """Count, fit, and find how well everything is known. Every system must have a vote."""
    tensor, clusters = tensor_of(votes), count_clusters(votes)
    fit = fit_of(tensor, options) if votes.n and len(bt.parts(tensor.wins, tensor.systems)) == 1 else None
    known = Known()
    if votes.n:
        known = known_of(meats(votes, pulls_of(tensor, fit)), fit, clusters, options)
        if fit is not None and options.intervals == "bootstrap":
            known = replace(known, rating=_resampled(votes, tensor, fit, clusters, options))
    raters, cases = (behind(votes, labels).sum(axis=0) for labels in (votes.rater, votes.case))
    return Measured(votes.n, tensor, clusters, fit, known, raters, cases, options)


def measure_jointly(votes: Votes, ranked: Ranked, options: RatingOptions = DEFAULT) -> Measured:
    """`measure` of votes and rankings together. Every system must have one of them; raises as `rate` does."""
    asked, options = options, replace(options, model=JOINT, opponents="as-sampled")
    together, tensor = Together(votes, ranked), tensor_of(votes)
    pairs = together.pairs
    compared, found, clusters = tensor_of(pairs), together.fit(), together.clusters
    pulled = together.meat(together.pulled(win_rate_pull(compared)))
    known = Known(
        rating=found.pieces.shared(options.sharing) if found.pieces else None,
        win_rate=pieces_of(np.eye(tensor.size), pulled, clusters).shared(options.sharing),
        both_bad=_both_bad_known(votes, tensor, options),
        pieces=found.pieces,
    )
    raters, cases = (behind(pairs, labels).sum(axis=0) for labels in (pairs.rater, pairs.case))
    added = WithRankings(ranked.n, votes.n, ranked.rankings.played, compared, found.reason, asked)
    return Measured(votes.n, tensor, clusters, found.fit, known, raters, cases, options, rankings=added)


def _both_bad_known(votes: Votes, tensor: Tensor, options: RatingOptions) -> Covariance | None:
    """Rankings say nothing of "both bad", so only raters and cases of votes on pairs count."""
    if not votes.n:
        return None
    meat = meat_of(vote_scores(votes, both_bad_pull(tensor)), votes.rater, votes.case)
    return pieces_of(np.eye(tensor.size), meat, count_clusters(votes)).shared(options.sharing)


def fit_of(tensor: Tensor, options: RatingOptions = DEFAULT) -> Fitted:
    """Abilities under the model and the estimand of the options; they must exist (`bradley_terry.parts`)."""
    return model_named(options.model)(tensor, weights_of(tensor, options))


def weights_of(tensor: Tensor, options: RatingOptions) -> Floats | None:
    """What a vote on each pair counts (K, K), None for 1."""
    return bt.opponent_uniform(tensor.games) if options.opponents == "alike" else None


def pulls_of(tensor: Tensor, fit: Fitted | None) -> list[Pull]:
    """How votes pull on win rates, on "both bad" shares and, if there are any, on ratings."""
    shares = [win_rate_pull(tensor), both_bad_pull(tensor)]
    return shares if fit is None else [*shares, Pull(fit.left, fit.right, fit.others)]


def known_of(found: Sequence[Meat], fit: Fitted | None, clusters: Clusters, options: RatingOptions) -> Known:
    """How well everything is known, from the meats of `pulls_of`."""
    alone = np.eye(len(found[0].both))
    win_rate, both_bad = (pieces_of(alone, meat, clusters).shared(options.sharing) for meat in found[:2])
    if fit is None:
        return Known(None, win_rate, both_bad)
    pieces = pieces_of(fit.bread, found[2], clusters)
    return Known(pieces.shared(options.sharing), win_rate, both_bad, pieces)


def _resampled(
    votes: Votes, tensor: Tensor, fit: Fitted, clusters: Clusters, options: RatingOptions
) -> Covariance | None:
    weights = weights_of(tensor, options)
    known = np.ones_like(tensor.wins) if weights is None else weights
    resampling = Resampling(options.level, options.resamples, options.seed)
    return bootstrap_pieces(votes, fit.theta, known, clusters, resampling).shared(options.sharing)


def behind(votes: Votes, labels: Integers) -> NDArray[np.bool_]:
    """Which labels are behind each system (labels, K)."""
    k, groups = len(votes.systems), int(labels.max(initial=-1)) + 1
    seen = np.zeros(groups * k, dtype=np.bool_)
    for side in (votes.left, votes.right):
        for start in range(0, votes.n, CHUNK):
            part = slice(start, start + CHUNK)
            seen[labels[part].astype(np.int64) * k + side[part]] = True
    return seen.reshape(groups, k)


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
    quasi = _quasi(V)
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
        return Estimate(value, n=n, n_expected=n, note="one case: no interval")
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


def _clusters(known: Covariance) -> int:
    return int(known.freedom + 1.0) if np.isfinite(known.freedom) else 0


def _lead(m: Measured, ratings: tuple[SystemRating, ...]) -> Lead | None:
    if m.fit is None or len(ratings) < 2:
        return None
    first, second = (m.tensor.systems.index(line.system) for line in ratings[:2])
    gap = float(m.fit.theta[first] - m.fit.theta[second]) * ELO_PER_LOGIT
    difference = Estimate(gap, n=m.given, note="one case: no interval")
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
    wins, met = tensor.wins, tensor.games
    return tuple(
        Pair(a, b, round(met[i, j]), float(wins[i, j] / met[i, j]) if met[i, j] else None)
        for i, a in enumerate(tensor.systems)
        for j, b in enumerate(tensor.systems)
        if i < j
    )


def _caveats(m: Measured) -> tuple[str, ...]:
    raters, cases = m.clusters.raters, m.clusters.cases
    said = [] if m.rankings is None else m.rankings.caveats
    if m.given and m.fit is None and not _unfitted(m):
        groups = bt.parts(m.compared.wins, m.compared.systems)
        named = "; ".join("{" + ", ".join(group) + "}" for group in groups)
        said.append(
            "No common scale, so no ratings: some group never beat, or never met, the others. "
            f"Groups: {named}. Win rates are shown instead."
        )
    asked = m.options.sharing
    if raters == 1 and asked == "two-way":
        said.append("One rater: the intervals know of cases only, not of how people differ.")
    elif asked == "two-way" and (0 < raters < FEW or 0 < cases < FEW):
        said.append(f"Only {raters} raters and {cases} cases: the intervals are rough.")
    return tuple(said)


def _unfitted(m: Measured) -> bool:
    return m.rankings is not None and m.rankings.reason != ""
