"""Votes counted by cell (left, right, answer), and what can be read off such counts.

Counts may have leading axes: one row per resample. So the numbers of a board and of each of its resamples
come from the same few lines.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix

from evalkit.preference.votes import BOTH_BAD, LEFT, RIGHT, Floats, Integers, Ints, Votes

MAX_WEIGHTS = 2_000_000
"""Resamples x clusters held at once (16 MB)."""


@dataclass(frozen=True, slots=True)
class Tally:
    """C distinct cells (left, right, answer) of votes on K systems; `cell` (N) says which each vote is in."""

    size: int
    left: Integers
    right: Integers
    answer: Integers
    cell: Ints

    @property
    def counts(self) -> Floats:
        """Votes per cell (C)."""
        return np.bincount(self.cell, minlength=self.left.size).astype(np.float64)

    def wins(self, counts: Floats) -> Floats:
        """Win matrices (..., K, K) of counts (..., C): a tie or a "both bad" is half a win each way."""
        rows = np.concatenate([np.arange(self.left.size)] * 2)
        winner = np.concatenate([self.left, self.right])
        loser = np.concatenate([self.right, self.left])
        share = np.concatenate([_won(self.answer, LEFT), _won(self.answer, RIGHT)])
        spread = csr_matrix((share, (rows, winner * self.size + loser)), (self.left.size, self.size**2))
        return np.asarray(counts @ spread).reshape(*counts.shape[:-1], self.size, self.size)

    def played(self, counts: Floats) -> Floats:
        """Votes per system (..., K)."""
        return np.asarray(counts @ self._takes_part())

    def both_bad(self, counts: Floats) -> Floats:
        """Share of each system's votes that say "both bad" (..., K); NaN for a system without votes."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return self.played(counts * (self.answer == BOTH_BAD)) / self.played(counts)

    def _takes_part(self) -> Floats:
        part = np.zeros((self.left.size, self.size))
        part[np.arange(self.left.size), self.left] = 1.0
        part[np.arange(self.right.size), self.right] = 1.0
        return part


def tally(votes: Votes) -> Tally:
    """Count equal votes together."""
    k = max(len(votes.systems), 1)
    code = (votes.left * k + votes.right) * 4 + votes.answer
    cells, cell = np.unique(code, return_inverse=True)
    pair, answer = np.divmod(cells, 4)
    left, right = np.divmod(pair, k)
    return Tally(len(votes.systems), left, right, answer, cell)


def win_rates(wins: Floats) -> Floats:
    """Share of votes won against each opponent, averaged over the opponents met (..., K).

    Each opponent counts alike, however often it was met; ties are half. NaN for a system without votes.
    """
    games = wins + np.swapaxes(wins, -1, -2)
    met = games > 0
    share = np.divide(wins, games, out=np.zeros_like(wins), where=met)
    opponents = met.sum(axis=-1)
    empty = np.full(opponents.shape, np.nan)
    return np.asarray(np.divide(share.sum(axis=-1), opponents, out=empty, where=opponents > 0))


def resampled(tally: Tally, labels: Integers, resamples: int, rng: np.random.Generator) -> Floats:
    """Cell counts (resamples, C) when the clusters named by `labels` (N) are drawn whole."""
    _, cluster = np.unique(labels, return_inverse=True)
    groups = int(cluster.max()) + 1
    ones = np.ones(cluster.size)
    table = csr_matrix((ones, (cluster, tally.cell)), (groups, tally.left.size))
    return np.concatenate([np.asarray(weights @ table) for weights in _draws(groups, resamples, rng)])


def resampled_votes(tally: Tally, resamples: int, rng: np.random.Generator) -> Floats:
    """Cell counts (resamples, C) when single votes are drawn."""
    counts = tally.counts
    return rng.multinomial(int(counts.sum()), counts / counts.sum(), size=resamples).astype(np.float64)


def _draws(groups: int, resamples: int, rng: np.random.Generator) -> Iterator[Floats]:
    block = max(1, MAX_WEIGHTS // groups)
    even = np.full(groups, 1.0 / groups)
    for first in range(0, resamples, block):
        yield rng.multinomial(groups, even, size=min(block, resamples - first)).astype(np.float64)


def _won(answer: Integers, side: int) -> Floats:
    other = RIGHT if side == LEFT else LEFT
    return np.where(answer == side, 1.0, np.where(answer == other, 0.0, 0.5))
