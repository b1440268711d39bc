"""Intervals for means that cannot leave a range, and for rates.

A mean of numbers between two bounds is treated as the rate it would be at worst: the Clopper-Pearson
interval for an effective sample size that reproduces the standard error seen (Korn & Graubard 1998). It
never leaves the range, and never shrinks to a point when every value happens to be the same.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import betaincinv, ndtri, stdtrit

from evalkit.errors import UsageError
from evalkit.stats.clusters import ClusterTotals
from evalkit.types import Estimate


@dataclass(frozen=True, slots=True)
class Uncertainty:
    """How well a mean is known: its standard error and the number of independent pieces behind it."""

    error: float
    clusters: float

    @property
    def freedom(self) -> float:
        return max(self.clusters - 1.0, 1.0)


def proportion_interval(k: float, n: float, level: float = 0.95) -> Estimate:
    """The exact interval of Clopper & Pearson (1934) for `k` of `n`; neither need be whole.

    0 of 8 gives 0 to 0.37. Without trials there is no rate. Raises `UsageError` unless 0 <= k <= n.
    """
    if not 0 <= k <= n:
        raise UsageError(f"{k} of {n} is not a rate", "The first number counts some of the second.")
    if n == 0:
        return Estimate(None, note="nothing was tried")
    low, high = clopper_pearson(k, n, level)
    return Estimate(k / n, low, high, n=round(n), n_clusters=round(n), n_expected=round(n))


def clustered_proportion(successes: ArrayLike, trials: ArrayLike, level: float = 0.95) -> Estimate:
    """A rate when trials come in clusters: `successes[g]` of `trials[g]` for each cluster g.

    With one trial per cluster this is Clopper-Pearson; otherwise Korn-Graubard, and never less wary than for
    no success at all (one success tells nothing about how alike a cluster is). Empty clusters are ignored.
    """
    hits = np.asarray(successes, dtype=np.float64)
    tried = np.asarray(trials, dtype=np.float64)
    hits, tried = hits[tried > 0], tried[tried > 0]
    if tried.size == 0 or tried.max() == 1:
        return proportion_interval(float(hits.sum()), float(tried.sum()), level)
    rate = float(hits.sum() / tried.sum())
    n = int(tried.sum())
    if tried.size < 2:
        return Estimate(rate, n=n, n_clusters=1, n_expected=n, note="one cluster: no interval")
    totals = ClusterTotals(hits, tried, 0.0 if rate < 1 else 1.0, 1.0 if rate > 0 else 0.0)
    known = Uncertainty(totals.jackknife_error(), totals.effective_clusters)
    low, high = bounded_interval(rate, known, (0.0, 1.0), level)
    none = _without_spread(0.0, known.clusters, level, (0.0, 1.0))[1]
    ends = min(low, 1.0 - none), max(high, none)
    return Estimate(rate, *ends, n=n, n_clusters=totals.clusters, n_expected=n)


def bounded_interval(
    mean: float, known: Uncertainty, bounds: tuple[float, float], level: float = 0.95
) -> tuple[float, float]:
    """Korn-Graubard interval for a mean of values within `bounds`.

    The effective sample size is p(1-p)/error^2, times (z/t)^2 for having few clusters. Where the values
    show no spread at all, it is the number of clusters, as if each had been one trial that went the same way.
    """
    floor, ceiling = bounds
    width = ceiling - floor
    p = min(max((mean - floor) / width, 0.0), 1.0)
    error = known.error / width
    if error <= 1e-12 or p in (0.0, 1.0):
        return _without_spread(p, known.clusters, level, bounds)
    size = p * (1.0 - p) / error**2 * few_clusters(known.freedom, level)
    low, high = clopper_pearson(p * size, size, level)
    return floor + width * low, floor + width * high


def few_clusters(freedom: float, level: float) -> float:
    """What is left of a sample size when its variance is known from few clusters: (z/t)^2."""
    upper = 0.5 + level / 2.0
    return float((ndtri(upper) / student(upper, freedom)) ** 2)


def student(p: float, freedom: float) -> float:
    """Quantile of Student's t; `freedom` may be infinite."""
    return float(stdtrit(freedom, p))


def clopper_pearson(k: float, n: float, level: float = 0.95) -> tuple[float, float]:
    """Low and high end for k of n > 0, by quantiles of the beta distribution; k and n may be fractions."""
    tail = (1.0 - level) / 2.0
    low = float(betaincinv(k, n - k + 1.0, tail)) if k > 0 else 0.0
    high = float(betaincinv(k + 1.0, n - k, 1.0 - tail)) if k < n else 1.0
    return low, high


def _without_spread(
    p: float, clusters: float, level: float, bounds: tuple[float, float]
) -> tuple[float, float]:
    """All values are p. A share of clusters up to `unseen` may differ, and by as much as the bounds allow."""
    unseen = 1.0 - ((1.0 - level) / 2.0) ** (1.0 / clusters)
    floor, width = bounds[0], bounds[1] - bounds[0]
    return floor + width * p * (1.0 - unseen), floor + width * (p + (1.0 - p) * unseen)
