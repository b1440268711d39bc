"""The interval of a mean over cases that come in clusters.

Clusters are resampled whole. A plain percentile interval is too narrow when there are few clusters, so two
corrections are made and on each side the wider one counts:

* the expanded percentile interval (Hesterberg 2015, section 4.3): percentiles further out, as Student's t
  and the factor sqrt(G/(G-1)) ask, with G the effective number of clusters;
* the bootstrap's shape at the jackknife's scale: the distance from the mean to each percentile is stretched
  so that a symmetric distribution would give the t interval with the jackknife standard error.

Where a metric is bounded on both sides, the Korn-Graubard interval is the third (see `bounded`). Coverage by
simulation is in docs/statistics.md; `benchmarks/coverage.py` repeats it.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm, t

from evalkit.stats.bounded import Uncertainty, bounded_interval
from evalkit.stats.clusters import ClusterTotals, Floats, totals_of
from evalkit.types import Estimate

MAX_WEIGHTS = 2_000_000
"""Resamples x clusters at most (16 MB). With thousands of clusters the shape is normal anyway."""

Bounds = tuple[float | None, float | None]
UNBOUNDED: Bounds = (None, None)


@dataclass(frozen=True, slots=True)
class Resampling:
    """How an interval is made: its level, how many resamples, and the seed of the draw."""

    level: float = 0.95
    resamples: int = 2000
    seed: int = 0


def cluster_bootstrap_mean(
    values: ArrayLike,
    clusters: Sequence[Hashable] | NDArray[np.generic],
    *,
    level: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
    bounds: Bounds = UNBOUNDED,
) -> Estimate:
    """The mean of `values` (length n, NaN = missing) with an interval that resamples whole clusters.

    `bounds` are what no value can pass, None where there is no such limit. Fewer than two clusters, or
    equal values of an unbounded metric, give no interval and a note saying why. `n_expected` counts every
    value, missing ones included.
    """
    estimate = mean_of_totals(totals_of(values, clusters), Resampling(level, resamples, seed), bounds)
    expected = int(np.asarray(values).size)
    return Estimate(
        estimate.value, estimate.low, estimate.high, estimate.n, estimate.n_clusters, expected, estimate.note
    )


def mean_of_totals(
    totals: ClusterTotals, resampling: Resampling = Resampling(), bounds: Bounds = UNBOUNDED
) -> Estimate:
    """As `cluster_bootstrap_mean`, from totals per cluster, which a database can add up."""
    if totals.clusters == 0:
        return Estimate(None, note="no values")
    n, groups, mean = totals.n, totals.clusters, totals.mean
    if groups < 2:
        return Estimate(mean, n=n, n_clusters=groups, n_expected=n, note="one cluster: no interval")
    if totals.constant and None in bounds:
        return Estimate(
            mean, n=n, n_clusters=groups, n_expected=n, note=f"all {n} values are equal: no interval"
        )
    low, high = _interval(totals, resampling, bounds)
    return Estimate(mean, low, high, n=n, n_clusters=groups, n_expected=n)


def _interval(totals: ClusterTotals, resampling: Resampling, bounds: Bounds) -> tuple[float, float]:
    floor, ceiling = bounds
    known = Uncertainty(totals.jackknife_error(), totals.effective_clusters)
    ends = [] if totals.constant else _resampled(totals, known, resampling)
    if floor is not None and ceiling is not None:
        ends.append(bounded_interval(totals.mean, known, (floor, ceiling), resampling.level))
    low, high = min(end[0] for end in ends), max(end[1] for end in ends)
    return (
        low if floor is None else max(low, floor),
        high if ceiling is None else min(high, ceiling),
    )


def _resampled(
    totals: ClusterTotals, known: Uncertainty, resampling: Resampling
) -> list[tuple[float, float]]:
    weights = _weights(totals.clusters, resampling.resamples, resampling.seed)
    drawn = weights @ np.column_stack([totals.sums, totals.counts])
    means = drawn[:, 0] / drawn[:, 1]
    return [
        _expanded(means, known, resampling.level),
        _stretched(means, totals.mean, known, resampling.level),
    ]


def _expanded(means: Floats, known: Uncertainty, level: float) -> tuple[float, float]:
    groups = max(known.clusters, 1.0 + 1e-9)
    reach = t.ppf(0.5 + level / 2.0, known.freedom) * np.sqrt(groups / (groups - 1.0))
    tail = float(norm.cdf(-reach))
    low, high = np.quantile(means, [tail, 1.0 - tail])
    return float(low), float(high)


def _stretched(means: Floats, mean: float, known: Uncertainty, level: float) -> tuple[float, float]:
    spread = float(means.std())
    if spread == 0.0:
        return mean, mean
    upper = 0.5 + level / 2.0
    factor = t.ppf(upper, known.freedom) * known.error / (norm.ppf(upper) * spread)
    low, high = np.quantile(means, [1.0 - upper, upper])
    return float(mean - (mean - low) * factor), float(mean + (high - mean) * factor)


@lru_cache(maxsize=4)
def _weights(groups: int, resamples: int, seed: int) -> Floats:
    """How often each cluster is drawn in each resample (resamples x groups); the same for every metric."""
    rows = min(resamples, max(400, MAX_WEIGHTS // groups))
    draws = np.random.default_rng(seed).multinomial(groups, np.full(groups, 1.0 / groups), size=rows)
    weights = draws.astype(np.float64)
    weights.flags.writeable = False
    return weights
