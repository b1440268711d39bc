"""A board that takes one vote at a time: after each, everything is exact but what other votes pull.

Counts, ratings and the sums of the vote's own rater and case are brought up to date; how hard each other vote
pulls is left as it was when the board was last measured as a whole. That is done again before a thousandth of
the votes is new. So a vote costs milliseconds however many there are, and the ends of intervals are off by
less than they are rounded.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evalkit.errors import UsageError
from evalkit.preference.board import PreferenceBoard, RatingOptions
from evalkit.preference.clustering import Clusters, PackedVotes, Sums, gather
from evalkit.preference.measured import Measured, behind, fit_of, known_of, pulls_of
from evalkit.preference.models import bradley_terry as bt
from evalkit.preference.rating import board_of
from evalkit.preference.tensor import tensor_of
from evalkit.preference.votes import Floats, Ints, Votes
from evalkit.stats.clusters import kish

STALE = 1e-3
"""Share of new votes after which the whole board is measured again."""


@dataclass(frozen=True, slots=True)
class OneVote:
    """A vote in the numbers of the votes of a board; a new rater or case has the next free number."""

    left: int
    right: int
    answer: int
    case: int
    rater: int


@dataclass(slots=True)
class _Label:
    """What is kept by rater, or by case: votes of each (G), and which systems each is behind (G, K)."""

    sizes: Floats
    seen: NDArray[np.bool_]

    def count(self, label: int, left: int, right: int) -> None:
        if label == self.sizes.size:
            self.sizes = np.append(self.sizes, 0.0)
            self.seen = np.vstack([self.seen, np.zeros((1, self.seen.shape[1]), dtype=np.bool_)])
        self.sizes[label] += 1.0
        self.seen[label, [left, right]] = True


class LiveBoard:
    """A board of `votes` (without weights, every system with a vote) that grows by single votes.

    Its rank ranges are made without draws and may be a little wider; it has no quasi-standard errors.
    """

    def __init__(self, votes: Votes, options: RatingOptions = RatingOptions()) -> None:
        if votes.weight is not None:
            raise UsageError("a live board takes votes without weights", "Rate them as a whole instead.")
        self.options = options
        self._measure(votes)

    def add(self, vote: OneVote) -> None:
        """Take one more vote."""
        self._new.append(vote)
        if len(self._new) > STALE * self._votes.n:
            self._measure(self._all())
            return
        self._tensor.counts[vote.answer, vote.left, vote.right] += 1.0
        self._raters.count(vote.rater, vote.left, vote.right)
        self._cases.count(vote.case, vote.left, vote.right)
        cell = (vote.answer * self._tensor.size + vote.left) * self._tensor.size + vote.right
        together = self._pending[vote.rater, vote.case]
        cells = np.concatenate(
            [self._packed.cells_of(vote.rater, vote.case), np.array(together, dtype=np.int64)]
        )
        for sums in self._sums:
            sums.add_vote(cell, vote.rater, vote.case, cells)
        together.append(cell)

    def board(self) -> PreferenceBoard:
        """The board as of the last vote."""
        fit = fit_of(self._tensor, self.options) if self._one_scale() else None
        if (fit is None) == self._rated:
            self._measure(self._all())
            return self.board()
        raters, cases = self._raters, self._cases
        clusters = Clusters(raters.sizes.size, cases.sizes.size, kish(raters.sizes), kish(cases.sizes))
        known = known_of([sums.meat() for sums in self._sums], fit, clusters, self.options)
        shown = [np.asarray(label.seen.sum(axis=0), dtype=np.int64) for label in (raters, cases)]
        n = self._votes.n + len(self._new)
        return board_of(
            Measured(n, self._tensor, clusters, fit, known, shown[0], shown[1], self.options, quick=True)
        )

    def _measure(self, votes: Votes) -> None:
        self._votes, self._new = votes, list[OneVote]()
        self._pending: defaultdict[tuple[int, int], list[int]] = defaultdict(list)
        self._tensor = tensor_of(votes)
        self._rated = self._one_scale()
        fit = fit_of(self._tensor, self.options) if self._rated else None
        self._packed = PackedVotes.of(votes)
        self._sums: list[Sums] = gather(votes, pulls_of(self._tensor, fit), self._packed)
        self._raters, self._cases = (
            _Label(np.bincount(labels).astype(np.float64), behind(votes, labels))
            for labels in (votes.rater, votes.case)
        )

    def _one_scale(self) -> bool:
        return bool(bt.one_scale(self._tensor.wins))

    def _all(self) -> Votes:
        """The votes measured last and those since."""
        old, new = self._votes, self._new

        def column(name: str) -> Ints:
            return np.concatenate([getattr(old, name), [getattr(vote, name) for vote in new]]).astype(
                np.int64
            )

        left, right, answer, case, rater = map(column, ("left", "right", "answer", "case", "rater"))
        return Votes(old.systems, left, right, answer, case, rater)
