"""Covariances of what was fitted, by what votes are taken to share: nothing, a rater, a case, or either.

V = bread @ meat @ bread (Huber 1967; White 1982) with the meat of `clustering`. Two-way: that of raters, plus
that of cases, minus that of both at once, which the two contain (Cameron, Gelbach & Miller 2011). This module
builds no interval; `reach` says how many standard errors go into one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from evalkit.preference.clustering import Clusters, Meat
from evalkit.preference.votes import Floats
from evalkit.stats.bounded import student

Sharing = Literal["two-way", "rater", "case", "votes"]
SHARINGS: tuple[Sharing, ...] = get_args(Sharing)
"""What votes share: raters and cases, one of them, or nothing (every vote on its own)."""
FEW = 20
"""Below so many raters or cases an interval is called rough, and never shorter than that of single votes."""


NOTHING = 1e-7
"""Standard errors, in logits, below which they are rounding."""


@dataclass(frozen=True, slots=True)
class Pieces:
    """Covariances (P, P) of the same numbers under each way of sharing.

    Those of G clusters carry the factor G / (G - 1); `rater` or `case` is None where there are not two.
    """

    votes: Floats
    rater: Floats | None
    case: Floats | None
    both: Floats
    clusters: Clusters

    def shared(self, sharing: Sharing = "two-way") -> Covariance | None:
        """The covariance under one way of sharing; None where there are too few clusters to know it."""
        freedom = self._freedom(sharing)
        V = self._matrix(sharing)
        return None if V is None else Covariance(V, freedom, sharing)

    def _matrix(self, sharing: Sharing) -> Floats | None:
        match sharing:
            case "votes":
                return self.votes
            case "rater":
                return self.rater
            case "case":
                return self.case
            case "two-way":
                return self._two_way()

    def _two_way(self) -> Floats | None:
        """With one rater only, cases are all that can be known of; with one case, nothing can."""
        if self.case is None or self.rater is None:
            return self.case
        V = _clipped(self.rater + self.case - self.both)
        few = min(self.clusters.effective_raters, self.clusters.effective_cases) < FEW
        return _at_least(V, self.rater, self.case, *([self.votes] if few else []))

    def _freedom(self, sharing: Sharing) -> float:
        """Degrees of freedom of Student's t: the smaller effective number of clusters, less one."""
        raters, cases = self.clusters.effective_raters, self.clusters.effective_cases
        many = {
            "votes": np.inf,
            "rater": raters,
            "case": cases,
            "two-way": min(raters, cases) if self.rater is not None else cases,
        }
        return float(max(many[sharing] - 1.0, 1.0))


@dataclass(frozen=True, slots=True)
class Covariance:
    """`V` (P, P) with Student's degrees of freedom, and what votes were taken to share."""

    V: Floats
    freedom: float
    sharing: Sharing

    @property
    def error(self) -> Floats:
        """Standard errors (P)."""
        return np.sqrt(np.maximum(np.diag(self.V), 0.0))

    @property
    def empty(self) -> bool:
        """Nothing varies (all votes are ties, say): then nothing is known of how sure the numbers are."""
        return bool(self.error.max(initial=0.0) <= NOTHING)

    def reach(self, level: float = 0.95) -> float:
        """Standard errors from the middle to the end of an interval."""
        return student(0.5 + level / 2.0, self.freedom)

    def difference(self, i: int, j: int) -> float:
        """Standard error of number i minus number j."""
        V = self.V
        return float(np.sqrt(max(V[i, i] + V[j, j] - 2.0 * V[i, j], 0.0)))


def pieces_of(bread: Floats, meat: Meat, clusters: Clusters) -> Pieces:
    """All covariances of one set of numbers."""

    def spread(M: Floats, groups: int | None = None) -> Floats:
        grown = 1.0 if groups is None else groups / (groups - 1.0)
        return np.asarray(grown * (bread @ M @ bread.T))

    return Pieces(
        votes=spread(meat.single),
        rater=spread(meat.rater, clusters.raters) if clusters.raters > 1 else None,
        case=spread(meat.case, clusters.cases) if clusters.cases > 1 else None,
        both=spread(meat.both),
        clusters=clusters,
    )


def _clipped(V: Floats) -> Floats:
    """The nearest covariance without negative variances in any direction."""
    values, vectors = np.linalg.eigh((V + V.T) / 2.0)
    return np.asarray((vectors * np.maximum(values, 0.0)) @ vectors.T)


def _at_least(V: Floats, *others: Floats) -> Floats:
    """V with variances that are no smaller than those of any of the others."""
    short = np.maximum(np.max([np.diag(other) for other in others], axis=0) - np.diag(V), 0.0)
    return V + np.diag(short)
