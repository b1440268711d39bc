"""Votes on pairs and rankings of several systems, taken together: who gave what, and how it pulls.

What one rater (one case, both) pulls over votes and rankings is added up before it is squared, as
`clustering` does for votes alone. Here each vote and each ranking is a row of a sparse matrix, so memory
grows with their number. This module lays out no board.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, diags, vstack

from evalkit.errors import InvalidInput
from evalkit.preference.board import RatingOptions
from evalkit.preference.clustering import Clusters, Meat, Pull, count_clusters
from evalkit.preference.covariance import Pieces, pieces_of
from evalkit.preference.models import bradley_terry as bt
from evalkit.preference.models import plackett_luce
from evalkit.preference.models.fitted import Fitted
from evalkit.preference.models.registry import JOINT
from evalkit.preference.rankings import Rankings
from evalkit.preference.tensor import Tensor, tensor_of
from evalkit.preference.votes import LEFT, RIGHT, TIE, Floats, Integers, Votes


@dataclass(frozen=True, slots=True)
class Ranked:
    """M rankings, and the number of each one's case and rater (M), as the votes beside them count those."""

    rankings: Rankings
    case: Integers
    rater: Integers

    def __post_init__(self) -> None:
        if self.case.shape != (self.n,) or self.rater.shape != (self.n,):
            raise InvalidInput("there is not one case and one rater for each ranking")

    @property
    def n(self) -> int:
        return self.rankings.n


@dataclass(frozen=True, slots=True)
class JointFit:
    """What was fitted and its covariances; both None where there is no common scale, or for the `reason`."""

    fit: Fitted | None = None
    pieces: Pieces | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class WithRankings:
    """What rankings add to the `votes` there are: `n` of them, `by_system` (K) those that name each system.

    `compared` counts the votes and every pair of every ranking. `reason` says why there is no fit although
    there is a common scale. `asked` are the options as they were before rankings changed them.
    """

    n: int
    votes: int
    by_system: Floats
    compared: Tensor
    reason: str
    asked: RatingOptions

    @property
    def caveats(self) -> list[str]:
        """How rankings got into the board, and what of the options could not be done with them."""
        beside = (
            " together with the votes on pairs, where a tie is an answer of its own (Davidson). Win rates "
            "count every pair of a ranking; shares of ties and of both bad are of votes on pairs only."
        )
        alone = ". Win rates count every pair of a ranking."
        said = [f"{self.n:,} rankings are in, fitted by Plackett-Luce{beside if self.votes else alone}"]
        if self.asked.model not in ("bradley-terry", JOINT):
            said.append(f"The model {self.asked.model} knows no rankings, so it was not used.")
        if self.asked.opponents == "alike":
            said.append("With rankings, opponents count as often as they were met, not each alike.")
        if self.reason:
            said.append(f"No ratings: {self.reason} Win rates are shown instead.")
        return said


@dataclass(frozen=True)
class Together:
    """N votes and M rankings of the same systems, each of which has one of them. Raises InvalidInput."""

    votes: Votes
    ranked: Ranked

    def __post_init__(self) -> None:
        if self.votes.systems != self.ranked.rankings.systems:
            raise InvalidInput("the rankings and the votes do not name the same systems in the same order")

    @cached_property
    def rater(self) -> Integers:
        """Whose each vote and each ranking is (N+M)."""
        return np.concatenate([self.votes.rater, self.ranked.rater])

    @cached_property
    def case(self) -> Integers:
        """On which case each vote and each ranking is (N+M)."""
        return np.concatenate([self.votes.case, self.ranked.case])

    @cached_property
    def pairs(self) -> Votes:
        """The votes, then every pair of every ranking as a vote. Which side a system is on tells nothing."""
        row, above, below, tied = self.ranked.rankings.pairs
        low, high = np.minimum(above, below), np.maximum(above, below)
        turned = (row + above + below) % 2 == 1
        left, right = np.where(turned, high, low), np.where(turned, low, high)
        answer = np.where(tied, TIE, np.where(left == above, LEFT, RIGHT))
        labels = self.ranked.case[row], self.ranked.rater[row]
        return self._beside_votes((left, right, answer, *labels), self.ranked.rankings.weights[row])

    @cached_property
    def clusters(self) -> Clusters:
        """Raters and cases behind both; a ranking weighs as many votes as tell as much."""
        rankings = self.ranked.rankings
        worth = np.array([plackett_luce.worth_in_pairs(m) for m in range(rankings.order.shape[1] + 1)])
        weight = rankings.weights * worth[rankings.given.sum(axis=1)]
        ends = rankings.order[:, 0], rankings.order[:, 1]
        columns = (*ends, np.zeros(self.ranked.n, dtype=np.int64), self.ranked.case, self.ranked.rater)
        return count_clusters(self._beside_votes(columns, weight))

    def fit(self) -> JointFit:
        """Abilities by Plackett-Luce, where the pairs tie all systems together (`bradley_terry.parts`)."""
        rankings = self.ranked.rankings
        if len(bt.parts(tensor_of(self.pairs).wins, self.pairs.systems)) != 1:
            return JointFit()
        try:
            found = plackett_luce.fitted(rankings, tensor_of(self.votes))
        except InvalidInput as error:
            return JointFit(reason=f"{error.message}. {error.hint}")
        if not found.fitted.converged:
            return JointFit(reason="how often systems are ranked alike cannot be estimated.")
        pull = Pull(found.fitted.left, found.fitted.right, found.fitted.others)
        scores = vstack([vote_scores(self.votes, pull), diags(rankings.weights) @ found.scores])
        pieces = pieces_of(found.fitted.bread, self.meat(csr_matrix(scores)), self.clusters)
        return JointFit(found.fitted, pieces)

    def pulled(self, pull: Pull) -> csr_matrix:
        """How each vote and ranking pulls (N+M, P) where a ranking counts as the pairs it contains."""
        rows = np.concatenate([np.arange(self.votes.n), self.votes.n + self.ranked.rankings.pairs[0]])
        return _summed(rows, self.rater.size) @ vote_scores(self.pairs, pull)

    def meat(self, scores: csr_matrix) -> Meat:
        """Sums of squares of what clusters pull, from what each vote and ranking pulls (N+M, P)."""
        return meat_of(scores, self.rater, self.case)

    def _beside_votes(self, columns: tuple[Integers, ...], weight: Floats) -> Votes:
        """The votes and, after them, others given by left, right, answer, case and rater."""
        votes = self.votes
        own = (votes.left, votes.right, votes.answer, votes.case, votes.rater)
        left, right, answer, case, rater = (
            np.concatenate(both).astype(np.int64) for both in zip(own, columns, strict=True)
        )
        weights = np.concatenate([np.ones(votes.n) if votes.weight is None else votes.weight, weight])
        counted = None if np.all(weights == 1.0) else weights
        return Votes(votes.systems, left, right, answer, case, rater, counted)


def vote_scores(votes: Votes, pull: Pull) -> csr_matrix:
    """How each vote pulls on each number (N, P), its weight included."""
    k, n = pull.systems, votes.n
    cells = (votes.answer.astype(np.int64) * k + votes.left) * k + votes.right
    weight = np.ones(n) if votes.weight is None else votes.weight
    values = [side.ravel()[cells] * weight for side in (pull.left, pull.right, *pull.others)]
    more = [np.full(n, k + q, dtype=np.int64) for q in range(len(pull.others))]
    columns = np.stack([votes.left, votes.right, *more], axis=1)
    ends = np.arange(n + 1) * len(values)
    return csr_matrix((np.stack(values, axis=1).ravel(), columns.ravel(), ends), shape=(n, pull.size))


def meat_of(scores: csr_matrix, rater: Integers, case: Integers) -> Meat:
    """Sums of squares (P, P) of what clusters pull, from what each single one pulls (N, P)."""
    wide = int(case.max(initial=0)) + 1
    _, both = np.unique(rater.astype(np.int64) * wide + case, return_inverse=True)
    single, *shared = (
        _squared(sums) for sums in (scores, *(_summed(labels) @ scores for labels in (rater, case, both)))
    )
    return Meat(single, *shared)


def compacted(votes: Votes, ranked: Ranked) -> tuple[Votes, Ranked]:
    """Both with only the systems that occur in either, in the same order."""
    rankings = ranked.rankings
    seen = np.zeros(len(votes.systems), dtype=np.bool_)
    for places in (votes.left, votes.right, rankings.order[rankings.given]):
        seen[places] = True
    names = tuple(name for name, shown in zip(votes.systems, seen, strict=True) if shown)
    place = np.cumsum(seen) - 1
    order = np.where(rankings.given, place[rankings.order], -1)
    left, right = place[votes.left], place[votes.right]
    return (
        Votes(names, left, right, votes.answer, votes.case, votes.rater, votes.weight),
        Ranked(Rankings(names, order, rankings.rank, rankings.weight), ranked.case, ranked.rater),
    )


def _summed(labels: Integers, groups: int | None = None) -> csr_matrix:
    """Adds up the rows of each label (G, N)."""
    n = labels.size
    size = int(labels.max(initial=-1)) + 1 if groups is None else groups
    return csr_matrix((np.ones(n), (labels, np.arange(n))), shape=(size, n))


def _squared(sums: csr_matrix) -> NDArray[np.float64]:
    return np.asarray((sums.T @ sums).toarray())
