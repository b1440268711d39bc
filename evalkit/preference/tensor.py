"""Votes counted by answer and by who was shown where: all that a model of votes needs to know of them.

However many votes there were, this is 4 x K x K numbers. Counts may have leading axes: one tensor for each
slice of a study, or for each resample. Who voted and on what is not in here; see `clustering`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evalkit.preference.votes import BOTH_BAD, LEFT, RIGHT, TIE, Floats, Votes


@dataclass(frozen=True, slots=True)
class Tensor:
    """`counts[..., o, i, j]` votes with answer o (LEFT, RIGHT, TIE, BOTH_BAD), system i left, j right.

    Counts are 0 or more and may be fractions, where votes carry weights. The diagonal is empty.
    """

    systems: tuple[str, ...]
    counts: Floats

    @property
    def size(self) -> int:
        return len(self.systems)

    @property
    def total(self) -> float:
        return float(self.counts.sum())

    @property
    def beaten(self) -> Floats:
        """How often i was chosen over j (..., K, K), whichever side it was on; ties count for nothing."""
        return np.asarray(self._answered(LEFT) + _turned(self._answered(RIGHT)))

    @property
    def tied(self) -> Floats:
        """How often neither of i and j was chosen (..., K, K), symmetric: ties and "both bad"."""
        neither = self._answered(TIE) + self._answered(BOTH_BAD)
        return np.asarray(neither + _turned(neither))

    @property
    def wins(self) -> Floats:
        """Wins of i over j (..., K, K): `beaten`, and half of `tied`."""
        return self.beaten + 0.5 * self.tied

    @property
    def games(self) -> Floats:
        """How often i and j met (..., K, K), symmetric."""
        met = self.counts.sum(axis=-3)
        return np.asarray(met + _turned(met))

    @property
    def both_bad(self) -> Floats:
        """Share of each system's votes that say "both bad" (..., K); NaN for a system without votes."""
        bad = self._answered(BOTH_BAD)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray((bad + _turned(bad)).sum(axis=-1) / self.games.sum(axis=-1))

    @property
    def played(self) -> Floats:
        """Votes each system was shown in (..., K)."""
        return np.asarray(self.games.sum(axis=-1))

    def share(self, answer: int) -> float | None:
        """Share of all votes with this answer; None without votes."""
        return float(self._answered(answer).sum() / self.total) if self.total else None

    def only(self, keep: np.ndarray) -> Tensor:
        """The same counts for the systems at these places only."""
        names = tuple(self.systems[i] for i in keep)
        return Tensor(names, self.counts[..., keep[:, None], keep[None, :]])

    def _answered(self, answer: int) -> Floats:
        return np.asarray(self.counts[..., answer, :, :])


def tensor_of(votes: Votes) -> Tensor:
    """Count votes, with their weights where they carry any."""
    k = len(votes.systems)
    counts = np.zeros(4 * k * k)
    for part in votes.chunks():
        counts += np.bincount(part.cells, weights=part.weight, minlength=counts.size)
    return Tensor(votes.systems, counts.reshape(4, k, k))


def win_rates(wins: Floats) -> Floats:
    """Share of votes won against each opponent, averaged over the opponents met (..., K).

    Each opponent counts alike, however often it was met; ties are half. NaN for a system without votes.
    """
    games = wins + _turned(wins)
    met = games > 0
    share = np.divide(wins, games, out=np.zeros_like(wins), where=met)
    opponents = met.sum(axis=-1)
    empty = np.full(opponents.shape, np.nan)
    return np.asarray(np.divide(share.sum(axis=-1), opponents, out=empty, where=opponents > 0))


def _turned(matrix: Floats) -> Floats:
    return np.asarray(np.swapaxes(matrix, -1, -2))
