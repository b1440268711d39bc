"""How well the numbers of a board are known, when votes share cases and raters.

The covariance is that of resampling cases, plus that of resampling raters, minus that of resampling single
votes, which both contain (Cameron, Gelbach & Miller 2011); its diagonal is never below either one-way
variance. This module knows no names and builds no board.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import t

from evalkit.preference import bradley_terry as bt
from evalkit.preference.tally import Tally, resampled, resampled_votes, win_rates
from evalkit.preference.votes import Floats, Integers, Votes
from evalkit.stats.bootstrap import Resampling

PRIOR = 0.1
"""Votes added to each compared pair of a resample, half each way, so that every resample has an answer."""


@dataclass(frozen=True, slots=True)
class Spread:
    """`theta` is a K x K covariance in logits, None without a common scale; the rest are standard errors (K).

    `clusters` is the smaller effective number of raters or cases.
    """

    theta: Floats | None
    win_rate: Floats
    both_bad: Floats
    clusters: float

    def reach(self, level: float) -> float:
        """Standard errors from the middle to the end of an interval: Student's t."""
        return float(t.ppf(0.5 + level / 2.0, max(self.clusters - 1.0, 1.0)))


def spread_of(votes: Votes, cells: Tally, theta: Floats | None, resampling: Resampling) -> Spread | None:
    """The spread of a board's numbers; None where all votes are on one case, so that nothing can be said.

    A single rater cannot be resampled: then only cases are, and the board has to say so.
    """
    clusterings = [labels for labels in (votes.case, votes.rater) if np.unique(labels).size > 1]
    if votes.n == 0 or np.unique(votes.case).size < 2:
        return None
    rng = np.random.default_rng(resampling.seed)
    one_way = [_clustered(cells, labels, theta, resampling.resamples, rng) for labels in clusterings]
    if len(one_way) == 1:
        total = one_way[0]
    else:
        single = _covariances(resampled_votes(cells, resampling.resamples, rng), cells, theta)
        total = [_two_way(a, b, both) for a, b, both in zip(one_way[0], one_way[1], single, strict=True)]
    clusters = min(_effective(labels) for labels in clusterings)
    win_rate, both_bad = (np.sqrt(np.diag(V)) for V in total[:2])
    return Spread(total[2] if theta is not None else None, win_rate, both_bad, clusters)


def _clustered(
    cells: Tally, labels: Integers, theta: Floats | None, resamples: int, rng: np.random.Generator
) -> list[Floats]:
    groups = np.unique(labels).size
    counts = resampled(cells, labels, resamples, rng)
    return [V * groups / (groups - 1.0) for V in _covariances(counts, cells, theta)]


def _covariances(counts: Floats, cells: Tally, theta: Floats | None) -> list[Floats]:
    """Covariances over resamples (rows of `counts`): win rates, both-bad shares and, if asked, abilities."""
    wins = cells.wins(counts)
    seen = cells.wins(cells.counts)
    columns = [
        _filled(win_rates(wins), win_rates(seen)),
        _filled(cells.both_bad(counts), cells.both_bad(cells.counts)),
    ]
    if theta is not None:
        columns.append(bt.fit(wins + _prior(seen), start=theta).theta)
    return [np.atleast_2d(np.cov(column, rowvar=False)) for column in columns]


def _filled(values: Floats, fallback: Floats) -> Floats:
    """A resample that lacks a system says nothing about it: it repeats what was seen."""
    filled = np.where(np.isnan(values), fallback, values)
    return np.where(np.isnan(filled), 0.0, filled)


def _prior(seen: Floats) -> Floats:
    """Half of `PRIOR` each way on compared pairs only: pairs that never met stay unconnected."""
    return np.where(seen + seen.T > 0, PRIOR / 2.0, 0.0)


def _two_way(cases: Floats, raters: Floats, single: Floats) -> Floats:
    V = cases + raters - single
    values, vectors = np.linalg.eigh(V)
    V = (vectors * np.maximum(values, 0.0)) @ vectors.T
    short = np.maximum(np.maximum(np.diag(cases), np.diag(raters)) - np.diag(V), 0.0)
    return np.asarray(V + np.diag(short))


def _effective(labels: Integers) -> float:
    _, counts = np.unique(labels, return_counts=True)
    return float(counts.sum() ** 2 / (counts.astype(np.float64) ** 2).sum())
