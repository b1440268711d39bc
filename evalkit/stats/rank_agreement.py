"""Do a metric and people put the systems in the same order? Kendall's tau-b over prompts that are resampled.

Both sides are averages over the same pairs of pictures: of a metric the mean lead over the opponents met, of
people the share of votes won, ties half. So how hard the prompts were cancels out on both.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evalkit.stats.bootstrap import Resampling
from evalkit.stats.clusters import Floats
from evalkit.stats.twoway import Ints, drawn_counts
from evalkit.stats.validity import Judgements
from evalkit.types import Estimate

FEWEST_SYSTEMS = 3
RESAMPLING = Resampling(resamples=400)
"""A rank correlation of a few systems is too coarse for more resamples to show."""


@dataclass(frozen=True, slots=True)
class Met:
    """Per pair of pictures: the numbers of the first's and the second's system, from 0 to `systems` - 1."""

    first: Ints
    second: Ints
    systems: int


def kendall_tau_b(x: Floats, y: Floats) -> Floats:
    """Kendall's tau-b of every row of `x` and `y` (R x S), NaN where one side has no order (Kendall 1945)."""
    i, j = np.triu_indices(x.shape[1], 1)
    a, b = _signs(x, i, j), _signs(y, i, j)
    together = (a * b).sum(axis=1, dtype=np.float64)
    free = np.abs(a).sum(axis=1, dtype=np.float64) * np.abs(b).sum(axis=1, dtype=np.float64)
    return np.asarray(np.divide(together, np.sqrt(free), out=np.full(free.size, np.nan), where=free > 0))


def rank_agreement(
    votes: Judgements, gaps: Floats, met: Met, resampling: Resampling = RESAMPLING
) -> tuple[Estimate, ...]:
    """Tau-b of every column of `gaps` (P x O, see `validity.agreement`) with a bootstrap interval.

    None with fewer than three systems, where an order can only be right or wrong. `Estimate.n` counts
    systems.
    """
    if not votes.pair.size:
        return tuple(Estimate(None, note="no votes") for _ in range(gaps.shape[1]))
    won, prompt = _by_pair(votes, gaps.shape[0])
    voted = ~np.isnan(won)
    return tuple(
        _tau(gaps[:, i], won, voted & ~np.isnan(gaps[:, i]), prompt, met, resampling)
        for i in range(gaps.shape[1])
    )


def _by_pair(votes: Judgements, pairs: int) -> tuple[Floats, Ints]:
    """Per pair: the share won by the first picture less a half, NaN without votes; and its prompt."""
    cast = np.bincount(votes.pair, minlength=pairs)
    net = np.bincount(votes.pair, weights=votes.answer, minlength=pairs)
    prompt = np.zeros(pairs, dtype=np.int64)
    prompt[votes.pair] = votes.prompt
    return np.divide(net, cast, out=np.full(pairs, np.nan), where=cast > 0), prompt


def _tau(
    gap: Floats, won: Floats, used: NDArray[np.bool_], prompt: Ints, met: Met, resampling: Resampling
) -> Estimate:
    first, second = met.first[used], met.second[used]
    shown = np.unique(np.concatenate([first, second]))
    n = int(shown.size)
    if n < FEWEST_SYSTEMS:
        return Estimate(None, n=n, note=f"{n} systems: no ranking to compare")
    groups, code = np.unique(prompt[used], return_inverse=True)
    cells = (groups.size, met.systems)
    sides = [_totals(side[used], code, (first, second), cells)[:, shown] for side in (gap, won)]
    counts = _totals(np.ones(int(used.sum())), code, (first, second), cells, sign=1.0)[:, shown]
    value = float(kendall_tau_b(*(_means(s.sum(axis=0)[None], counts.sum(axis=0)[None]) for s in sides))[0])
    if np.isnan(value):
        return Estimate(None, n=n, note="one side sees no difference between any two systems")
    if groups.size < 2:
        return Estimate(value, n=n, n_clusters=1, n_expected=n, note="one prompt: no interval")
    draws = np.concatenate(
        [
            kendall_tau_b(*(_means(rows @ side, rows @ counts) for side in sides))
            for rows in drawn_counts(groups.size, resampling)
        ]
    )
    low, high = _ends(draws, value, resampling.level)
    return Estimate(value, low, high, n, int(groups.size), n)


def _ends(draws: Floats, value: float, level: float) -> tuple[float, float]:
    """The wider of percentiles and reflected percentiles: resampling makes two orders agree less."""
    tail = (1.0 - level) / 2.0
    low, high = (float(end) for end in np.nanquantile(draws, [tail, 1.0 - tail]))
    ends = min(low, 2.0 * value - high), max(high, 2.0 * value - low)
    return max(ends[0], -1.0), min(ends[1], 1.0)


def _totals(
    values: Floats, code: Ints, sides: tuple[Ints, Ints], cells: tuple[int, int], sign: float = -1.0
) -> Floats:
    """Sums by prompt and system: `values` for the first system, `sign` times it for the second."""
    groups, systems = cells
    size = groups * systems
    first, second = (
        np.bincount(code * systems + side, weights=weighted, minlength=size)
        for side, weighted in zip(sides, (values, sign * values), strict=True)
    )
    return np.asarray((first + second).reshape(groups, systems))


def _means(sums: Floats, counts: Floats) -> Floats:
    """A system that a resample lacks is level with everybody there."""
    return np.divide(sums, counts, out=np.zeros_like(sums), where=counts > 0)


def _signs(x: Floats, i: Ints, j: Ints) -> NDArray[np.int8]:
    """Signs of differences; what rounding alone makes different is equal."""
    gap = x[:, i] - x[:, j]
    scale = np.abs(x).max(axis=1, keepdims=True, initial=0.0)
    return np.where(np.abs(gap) <= 1e-12 * scale, 0, np.sign(gap)).astype(np.int8)
