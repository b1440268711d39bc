"""Many boards at once: the votes of each slice (a category, a language, a group of raters) by themselves.

All slices are fitted together by one batched Newton and get the same intervals as a whole board. What comes
back are arrays, not boards: two hundred slices of twenty systems are four thousand lines.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evalkit.preference.board import RatingOptions
from evalkit.preference.clustering import Pull, count_clusters, meats
from evalkit.preference.covariance import Covariance, pieces_of
from evalkit.preference.models import bradley_terry as bt
from evalkit.preference.models.fitted import ELO_PER_LOGIT
from evalkit.preference.tensor import Tensor, win_rates
from evalkit.preference.votes import Floats, Integers, Ints, Votes


@dataclass(frozen=True, slots=True)
class Slices:
    """Boards of S slices of the same K systems; NaN where a slice has no rating or no interval for a system.

    `rating`, `low`, `high` (S, K) are on the Elo scale, the mean of each slice's systems being 1000;
    `win_rate` (S, K) is 0 to 1; `votes` (S, K) counts votes by system, `n` (S) by slice. `one_scale` (S) says
    whether ratings exist at all. `wins` (S, K, K) are what was fitted.
    """

    names: tuple[str, ...]
    systems: tuple[str, ...]
    rating: Floats
    low: Floats
    high: Floats
    win_rate: Floats
    votes: Ints
    n: Ints
    one_scale: NDArray[np.bool_]
    wins: Floats


def refit(
    votes: Votes, labels: Integers, names: Sequence[str], options: RatingOptions = RatingOptions()
) -> Slices:
    """Rate every slice: vote v belongs to the slice `names[labels[v]]`. The model is Bradley-Terry."""
    k, count = len(votes.systems), len(names)
    labels = labels.astype(np.int16 if count < 2**15 else np.int64)
    order = np.argsort(labels, kind="stable")
    votes = votes.where(order)
    edges = np.searchsorted(labels[order], np.arange(count + 1))
    counts = np.zeros(count * 4 * k * k)
    for part in votes.chunks():
        slice_of = (
            np.searchsorted(edges, np.arange(part.start, part.start + part.cells.size), side="right") - 1
        )
        cell = slice_of * (4 * k * k) + part.cells
        counts += np.bincount(cell, weights=part.weight, minlength=counts.size)
    tensor = Tensor(votes.systems, counts.reshape(count, 4, k, k))
    theta = fit_all(tensor, options)
    reach = np.full((count, k), np.nan)
    for i in np.flatnonzero(~np.isnan(theta).all(axis=1)):
        reach[i] = _reach(_part(votes, int(edges[i]), int(edges[i + 1])), tensor, int(i), theta[i], options)
    rating = 1000.0 + ELO_PER_LOGIT * theta
    return Slices(
        names=tuple(names),
        systems=votes.systems,
        rating=rating,
        low=rating - reach,
        high=rating + reach,
        win_rate=win_rates(tensor.wins),
        votes=np.rint(tensor.played).astype(np.int64),
        n=np.diff(edges),
        one_scale=np.asarray(~np.isnan(theta).all(axis=1)),
        wins=tensor.wins,
    )


def fit_all(tensor: Tensor, options: RatingOptions = RatingOptions()) -> Floats:
    """Abilities (S, K) of every slice of `tensor` (S, 4, K, K); NaN for systems without votes in a slice.

    A slice whose systems are not on one scale is NaN throughout.
    """
    wins = tensor.wins
    if options.opponents == "alike":
        wins = wins * bt.opponent_uniform(tensor.games)
    present = tensor.played > 0
    theta = np.full(present.shape, np.nan)
    patterns, which = np.unique(present, axis=0, return_inverse=True)
    for number, pattern in enumerate(patterns):
        keep = np.flatnonzero(pattern)
        rows = np.flatnonzero(which.ravel() == number)
        part = wins[np.ix_(rows, keep, keep)]
        scaled = bt.one_scale(part) if keep.size > 1 else np.zeros(rows.size, dtype=np.bool_)
        if scaled.any():
            theta[np.ix_(rows[scaled], keep)] = bt.fit(part[scaled]).theta
    return theta


def _reach(votes: Votes, tensor: Tensor, i: int, theta: Floats, options: RatingOptions) -> Floats:
    """Half widths (K) of one slice's intervals in Elo points, NaN where there is none."""
    keep = np.flatnonzero(~np.isnan(theta))
    half = np.full(theta.size, np.nan)
    here = Tensor(tensor.systems, tensor.counts[i]).only(keep)
    weights = bt.opponent_uniform(here.games) if options.opponents == "alike" else None
    fit = bt.fitted(here, weights, start=theta[keep])
    local = votes.compact()
    meat = meats(local, [Pull(fit.left, fit.right, fit.others)])[0]
    known: Covariance | None = pieces_of(fit.bread, meat, count_clusters(local)).shared(options.sharing)
    if known is not None and not known.empty:
        half[keep] = known.reach(options.level) * known.error * ELO_PER_LOGIT
    return half


def _part(votes: Votes, start: int, end: int) -> Votes:
    """A stretch of the votes, with raters and cases numbered anew so that nothing grows with the whole."""
    part = slice(start, end)
    weight = None if votes.weight is None else votes.weight[part]
    case, rater = _renumbered(votes.case[part]), _renumbered(votes.rater[part])
    return Votes(votes.systems, votes.left[part], votes.right[part], votes.answer[part], case, rater, weight)


def _renumbered(labels: Integers) -> Ints:
    """The same labels, numbered from 0 without gaps."""
    seen = np.zeros(int(labels.max(initial=-1)) + 1, dtype=np.bool_)
    seen[labels] = True
    return np.asarray(np.cumsum(seen)[labels] - 1)
