"""Do raters give the same answer when they see the same comparison again, and do they favour a side?

A comparison ("unit") is two pictures; sides may be swapped when it is shown again. This module compares
answers and counts sides. Who is to be trusted is said in `reliability` and `anomalies`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evalkit.errors import InvalidInput, UsageError
from evalkit.preference.votes import BOTH_BAD, LEFT, RIGHT, TIE, Floats, Ints, Votes
from evalkit.stats.agreement import Ratings
from evalkit.stats.bounded import clustered_proportion, proportion_interval
from evalkit.types import Estimate

LOWER, HIGHER = 0, 1
"""Values of `answers_by_unit`, by the number of the system; ties and "both bad" keep their code."""


@dataclass(frozen=True, slots=True)
class Repeats:
    """Comparisons one rater answered twice: `same` is the share answered alike, all four answers told apart.

    `reversed` is the share where one picture was chosen first and the other one then.
    """

    same: Estimate
    reversed: Estimate


@dataclass(frozen=True, slots=True)
class Consistency:
    """Repeats in `all`, with the pictures on the sides they were (`kept`), and on changed sides (`swapped`).

    Reversals that are much more frequent on changed sides mean that a side was clicked, not a picture.
    `by_rater` is the share answered alike for each rater, with the exact interval: a rater's repeats are
    different comparisons, each its own draw.
    """

    all: Repeats
    kept: Repeats
    swapped: Repeats
    by_rater: tuple[Estimate, ...]


@dataclass(frozen=True, slots=True)
class SideBias:
    """Share of left among votes for one of the two pictures: `overall`, and for each rater.

    Half is no bias, provided that sides were drawn at random. `overall` treats raters as clusters, since a
    habit is a rater's own; `by_rater` has exact intervals, of which one in twenty misses its rater.
    """

    overall: Estimate
    by_rater: tuple[Estimate, ...]


@dataclass(frozen=True, slots=True)
class _Pairs:
    """Two answers of one rater to one comparison, in the order of the votes; M of them."""

    rater: Ints
    unit: Ints
    same: NDArray[np.bool_]
    reversed: NDArray[np.bool_]
    swapped: NDArray[np.bool_]


def self_consistency(votes: Votes, unit: Ints, level: float = 0.95) -> Consistency:
    """How often raters repeat themselves. `unit` (N) numbers the comparison each vote is on; votes in order.

    A third answer is compared with the second. Shares over all raters have the wider of two Korn-Graubard
    intervals, with raters and with comparisons as clusters: a careless rater is so on every repeat, and a
    close comparison for every rater. Raises `UsageError` for weighted votes, which are no single answers, and
    `InvalidInput` where a comparison is on more than two systems.
    """
    pairs = _repeated(votes, unit)
    raters = int(votes.rater.max()) + 1 if votes.n else 0
    tried = np.bincount(pairs.rater, minlength=raters)
    same = np.bincount(pairs.rater[pairs.same], minlength=raters)
    return Consistency(
        all=_repeats(pairs, np.ones(pairs.rater.size, dtype=np.bool_), level),
        kept=_repeats(pairs, ~pairs.swapped, level),
        swapped=_repeats(pairs, pairs.swapped, level),
        by_rater=_exact(same, tried, level),
    )


def side_bias(votes: Votes, level: float = 0.95) -> SideBias:
    """How often the left picture is chosen, of the votes for one of the two."""
    raters = int(votes.rater.max()) + 1 if votes.n else 0
    weight = np.ones(votes.n) if votes.weight is None else votes.weight
    left, right = (
        np.bincount(votes.rater, weights=weight * (votes.answer == side), minlength=raters)
        for side in (LEFT, RIGHT)
    )
    return SideBias(clustered_proportion(left, left + right, level), _exact(left, left + right, level))


def answers_by_unit(votes: Votes, unit: Ints) -> Ratings:
    """Votes as ratings of comparisons, for `evalkit.stats.agreement`; `unit` (N) numbers the comparisons.

    Values are 0 and 1 for the system with the lower and the higher number, whichever side it was on, and the
    codes of tie and "both bad". Of repeated answers the first counts. Raises as `self_consistency` does.
    """
    _check(votes, unit)
    value = np.where(_chosen_higher(votes), HIGHER, LOWER)
    value = np.where(np.isin(votes.answer, (TIE, BOTH_BAD)), votes.answer, value)
    first = np.unique(_key(votes, unit), return_index=True)[1]
    return Ratings(
        unit[first].astype(np.int64), votes.rater[first].astype(np.int64), value[first].astype(np.float64)
    )


def _repeated(votes: Votes, unit: Ints) -> _Pairs:
    _check(votes, unit)
    key = _key(votes, unit)
    order = np.argsort(key, kind="stable")
    again = np.flatnonzero(key[order][1:] == key[order][:-1])
    one, two = order[again], order[again + 1]
    chosen = np.where(np.isin(votes.answer, (TIE, BOTH_BAD)), votes.answer, _chosen_higher(votes))
    decisive = np.isin(votes.answer, (LEFT, RIGHT))
    same = chosen[one] == chosen[two]
    return _Pairs(
        rater=votes.rater[one].astype(np.int64),
        unit=unit[one].astype(np.int64),
        same=same,
        reversed=~same & decisive[one] & decisive[two],
        swapped=votes.left[one] != votes.left[two],
    )


def _repeats(pairs: _Pairs, which: NDArray[np.bool_], level: float) -> Repeats:
    clusterings = (pairs.rater[which], pairs.unit[which])
    return Repeats(
        same=_wider(pairs.same[which], clusterings, level),
        reversed=_wider(pairs.reversed[which], clusterings, level),
    )


def _wider(hit: NDArray[np.bool_], clusterings: tuple[Ints, ...], level: float) -> Estimate:
    estimates = []
    for labels in clusterings:
        _, cluster = np.unique(labels, return_inverse=True)
        estimates.append(clustered_proportion(np.bincount(cluster, weights=hit), np.bincount(cluster), level))
    lows, highs = [e.low for e in estimates], [e.high for e in estimates]
    known = [end for end in (*lows, *highs) if end is not None]
    if len(known) < 2 * len(estimates):
        return next(e for e in estimates if e.low is None)
    fewest = min(estimates, key=lambda e: e.n_clusters)
    return Estimate(
        fewest.value, min(known), max(known), n=fewest.n, n_clusters=fewest.n_clusters, n_expected=fewest.n
    )


def _exact(hits: Ints | Floats, tried: Ints | Floats, level: float) -> tuple[Estimate, ...]:
    return tuple(proportion_interval(float(k), float(n), level) for k, n in zip(hits, tried, strict=True))


def _chosen_higher(votes: Votes) -> Ints:
    """1 where the system with the higher number was chosen, else 0."""
    return np.asarray((votes.answer == LEFT) == (votes.left > votes.right), dtype=np.int64)


def _key(votes: Votes, unit: Ints) -> Ints:
    units = int(unit.max(initial=-1)) + 1
    return np.asarray(votes.rater.astype(np.int64) * units + unit)


def _check(votes: Votes, unit: Ints) -> None:
    if votes.weight is not None:
        raise UsageError("weighted votes are not single answers", "Give every vote as a row of its own.")
    if unit.shape != votes.left.shape or unit.min(initial=0) < 0:
        raise UsageError(f"{votes.n} votes and {unit.size} comparisons do not belong together")
    k = len(votes.systems)
    pair = np.minimum(votes.left, votes.right).astype(np.int64) * k + np.maximum(votes.left, votes.right)
    units, first, place = np.unique(unit, return_index=True, return_inverse=True)
    mixed = np.unique(units[place[pair != pair[first][place]]])
    if mixed.size:
        raise InvalidInput(
            f"comparison {int(mixed[0])} is on more than two systems",
            "Number comparisons by their two pictures.",
        )
