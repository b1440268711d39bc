"""The bootstrap of a board: votes, raters or cases are drawn anew and everything is fitted again.

Slower than the sandwich of `covariance` and a check on it; it also gives the shape of an uncertainty, not its
size only. Clusters are drawn whole; the two-way covariance is put together as everywhere (raters, plus cases,
minus votes on their own). A resample in which a system never wins still has an answer, because each compared
pair gets `PRIOR` votes more.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.sparse import csr_matrix

from evalkit.preference.clustering import Clusters
from evalkit.preference.covariance import Pieces
from evalkit.preference.models import bradley_terry as bt
from evalkit.preference.tensor import Tensor, tensor_of
from evalkit.preference.votes import Floats, Integers, Votes
from evalkit.stats.bootstrap import Resampling

MAX_WEIGHTS = 2_000_000
"""Resamples x clusters held at once (16 MB)."""
PRIOR = 0.1
"""Votes added to each compared pair of a resample, half each way."""


def bootstrap_pieces(
    votes: Votes, theta: Floats, weights: Floats, clusters: Clusters, resampling: Resampling
) -> Pieces:
    """Covariances (K, K) of Bradley-Terry abilities under each way of sharing, by resampling.

    `theta` (K) is where Newton starts, `weights` (K, K) what votes on each pair count.
    """
    rng = np.random.default_rng(resampling.seed)
    seen = tensor_of(votes)

    def spread(labels: Integers, groups: int) -> Floats | None:
        if groups < 2:
            return None
        counts = drawn_clusters(votes, labels, resampling.resamples, rng)
        return _covariance(seen, counts, theta, weights) * groups / (groups - 1.0)

    alone = _covariance(seen, drawn_votes(seen, resampling.resamples, rng), theta, weights)
    rater = spread(votes.rater, clusters.raters)
    return Pieces(alone, rater, spread(votes.case, clusters.cases), alone, clusters)


def drawn_clusters(votes: Votes, labels: Integers, resamples: int, rng: np.random.Generator) -> Floats:
    """Counts (resamples, 4, K, K) when the clusters named by `labels` (N) are drawn whole."""
    k = len(votes.systems)
    _, cluster = np.unique(labels, return_inverse=True)
    groups = int(cluster.max()) + 1
    cells = np.concatenate([part.cells for part in votes.chunks()])
    ones = np.ones(votes.n) if votes.weight is None else votes.weight
    table = csr_matrix((ones, (cluster, cells)), (groups, 4 * k * k))
    drawn = np.concatenate([np.asarray(weights @ table) for weights in _draws(groups, resamples, rng)])
    return drawn.reshape(resamples, 4, k, k)


def drawn_votes(tensor: Tensor, resamples: int, rng: np.random.Generator) -> Floats:
    """Counts (resamples, 4, K, K) when single votes are drawn."""
    counts = tensor.counts.ravel()
    drawn = rng.multinomial(round(counts.sum()), counts / counts.sum(), size=resamples)
    return drawn.reshape(resamples, *tensor.counts.shape).astype(np.float64)


def _covariance(seen: Tensor, counts: Floats, theta: Floats, weights: Floats) -> Floats:
    prior = np.where(seen.games > 0, PRIOR / 2.0, 0.0)
    wins = (Tensor(seen.systems, counts).wins + prior) * weights
    return np.atleast_2d(np.cov(bt.fit(wins, start=theta).theta, rowvar=False))


def _draws(groups: int, resamples: int, rng: np.random.Generator) -> Iterator[Floats]:
    block = max(1, MAX_WEIGHTS // groups)
    even = np.full(groups, 1.0 / groups)
    for first in range(0, resamples, block):
        yield rng.multinomial(groups, even, size=min(block, resamples - first)).astype(np.float64)
