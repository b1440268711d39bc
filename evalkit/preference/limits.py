"""What limits a board: votes, raters or prompts, and what it takes to make its intervals shorter.

The variance of a difference between two systems, averaged over all pairs, is taken apart as in `planning`.
This module turns covariances into that pilot and into two sentences; prices and goals are for `planning`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from evalkit.preference.clustering import Clusters
from evalkit.preference.covariance import Pieces
from evalkit.preference.models.fitted import ELO_PER_LOGIT
from evalkit.preference.planning import Components, Part, Pilot, Size, components_of
from evalkit.preference.votes import Floats

MORE = 1.5
"""How much more of something the next purchase is said to be."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What the uncertainty of a difference is made of. `shares` add up to 1.

    `error` is the standard error of a difference, in Elo points, averaged over pairs (as variances).
    `endless` is the part of it that is left with endless votes of these raters on these prompts, `then` the
    part that is left with half as many more of what limits. `notes` say what could not be seen.
    """

    limit: Part
    shares: dict[Part, float]
    error: float
    endless: float
    then: float
    notes: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """What limits the board, and what to buy next."""
        share = f"What limits you: {self.limit} ({100 * self.shares[self.limit]:.0f} % of the variance)."
        more, endless = (f"{100 * (1 - left):.0f} %" for left in (self.then, self.endless))
        if self.limit == "votes":
            return f"{share} Half as many more would shorten intervals by {more}."
        return (
            f"{share} Endless votes by these raters on these prompts would shorten intervals by {endless}, "
            f"half as many more {self.limit} by {more}."
        )


def pilot_of(pieces: Pieces, votes: float, systems: int) -> Pilot:
    """Variances of a difference in Elo points squared, averaged over all pairs of the first K numbers.

    With fewer than two raters (prompts), theirs is that of single votes: it adds nothing.
    """
    clusters: Clusters = pieces.clusters
    size = Size(votes, max(clusters.effective_raters, 1.0), max(clusters.effective_cases, 1.0))
    iid, cell = (typical(V, systems) for V in (pieces.votes, pieces.both))
    rater, prompt = (cell if V is None else typical(V, systems) for V in (pieces.rater, pieces.case))
    return Pilot(iid, rater, prompt, cell, size)


def typical(V: Floats, systems: int) -> float:
    """The variance of a difference, in Elo points squared, averaged over all pairs."""
    k, W = systems, V[:systems, :systems]
    return float((k * W.trace() - W.sum()) * 2.0 / (k * (k - 1)) * ELO_PER_LOGIT**2)


def limits_of(pieces: Pieces, votes: float, systems: int) -> Limits | None:
    """What limits a board; None where nothing varies, or where one rater or prompt is all there is."""
    if systems < 2 or pieces.case is None or pieces.rater is None:
        return None
    pilot = pilot_of(pieces, votes, systems)
    parts = components_of(pilot)
    now, whole = pilot.size, parts.variance(pilot.size)
    if whole <= 0.0:
        return None
    limit = parts.limit(now)
    return Limits(
        limit=limit,
        shares=parts.shares(now),
        error=float(np.sqrt(whole)),
        endless=float(np.sqrt(parts.floor(now) / whole)),
        then=float(np.sqrt(_after(parts, now, limit) / whole)),
        notes=parts.notes,
    )


def _after(parts: Components, now: Size, limit: Part) -> float:
    """The variance with half as many more of what limits, each with as many votes as now."""
    votes = now.votes * MORE
    grown = {
        "votes": replace(now, votes=votes),
        "raters": replace(now, votes=votes, raters=now.raters * MORE),
        "prompts": replace(now, votes=votes, prompts=now.prompts * MORE),
    }
    return parts.variance(grown[limit])
