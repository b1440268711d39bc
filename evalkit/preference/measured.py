"""Votes -> everything computed of them at once: counts, a fit, and how well each number is known.

Votes themselves are gone through once (`clustering`); the rest is done on a tensor and does not grow with
their number. What a board says of it is for `rating`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from evalkit.preference.board import RatingOptions
from evalkit.preference.clustering import Clusters, Meat, Pull, count_clusters, meats
from evalkit.preference.covariance import Covariance, Pieces, pieces_of
from evalkit.preference.joint import Ranked, Together, WithRankings, meat_of, vote_scores
from evalkit.preference.models import bradley_terry as bt
from evalkit.preference.models.fitted import Fitted
from evalkit.preference.models.registry import JOINT, model_named
from evalkit.preference.resampling import bootstrap_pieces
from evalkit.preference.shares import both_bad_pull, win_rate_pull
from evalkit.preference.tensor import Tensor, tensor_of
from evalkit.preference.votes import CHUNK, Floats, Integers, Ints, Votes
from evalkit.stats.bootstrap import Resampling

DEFAULT = RatingOptions()


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
    wider, and have no quasi-standard errors.
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


def measure(votes: Votes, options: RatingOptions = DEFAULT) -> Measured:
    """Count, fit, and find how well everything is known. Every system must have a vote."""
    tensor, clusters = tensor_of(votes), count_clusters(votes)
    fit = fit_of(tensor, options) if votes.n and bt.one_scale(tensor.wins) else None
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
        rating=_varied(found.pieces.shared(options.sharing)) if found.pieces else None,
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
    return Known(_varied(pieces.shared(options.sharing)), win_rate, both_bad, pieces)


def _varied(known: Covariance | None) -> Covariance | None:
    """None where nothing varies: an interval of no length would be the worst answer."""
    return None if known is None or known.empty else known


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
