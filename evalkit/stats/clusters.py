"""Totals per cluster: what a clustered interval needs to know of the data, however many values there were.

A cluster is what shares its luck: the variants of one prompt, or all replicates of it. This module turns
values into totals and says how far a mean can be trusted on their account (jackknife standard error,
effective number of clusters). It draws nothing at random and builds no interval.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evalkit.errors import UsageError

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ClusterTotals:
    """Sum and number of the values in each of G clusters, and the smallest and largest value of all.

    Clusters without a value are left out, so every count is at least 1.
    """

    sums: Floats
    counts: Floats
    smallest: float
    largest: float

    @property
    def clusters(self) -> int:
        return int(self.counts.size)

    @property
    def n(self) -> int:
        return int(self.counts.sum())

    @property
    def mean(self) -> float:
        return float(self.sums.sum() / self.counts.sum())

    @property
    def constant(self) -> bool:
        """All values equal, up to rounding."""
        return self.largest - self.smallest <= 1e-12 * max(1.0, abs(self.largest))

    @property
    def effective_clusters(self) -> float:
        """Kish's effective number, (sum n)^2 / sum n^2: at most G, and G only for equal sizes."""
        return kish(self.counts)

    def jackknife_error(self) -> float:
        """Standard error of the mean by leaving out one cluster at a time (Tukey 1958). Needs G >= 2."""
        without = (self.sums.sum() - self.sums) / (self.counts.sum() - self.counts)
        share = (self.clusters - 1) / self.clusters
        return float(np.sqrt(share * ((without - self.mean) ** 2).sum()))


def kish(sizes: Floats) -> float:
    """How many clusters of equal size would be worth as much as these: (sum n)^2 / sum n^2 (Kish 1965)."""
    return float(sizes.sum() ** 2 / (sizes**2).sum()) if sizes.size else 0.0


def totals_of(values: ArrayLike, clusters: Sequence[Hashable] | NDArray[np.generic]) -> ClusterTotals:
    """Totals of `values` (length n, NaN = missing) by the n cluster labels. Raises `UsageError`."""
    numbers = np.asarray(values, dtype=np.float64)
    labels = np.asarray(clusters)
    if numbers.ndim != 1 or labels.shape != numbers.shape:
        raise UsageError(
            f"{numbers.shape} values and {labels.shape} cluster labels do not belong together",
            "Give one flat list of values and one label for each.",
        )
    present = ~np.isnan(numbers)
    return _totals(numbers[present], labels[present])


def _totals(numbers: Floats, labels: NDArray[np.generic]) -> ClusterTotals:
    _, codes = np.unique(labels, return_inverse=True)
    sums = np.bincount(codes, weights=numbers).astype(np.float64)
    counts = np.bincount(codes).astype(np.float64)
    smallest = float(numbers.min()) if numbers.size else np.nan
    largest = float(numbers.max()) if numbers.size else np.nan
    return ClusterTotals(sums, counts, smallest, largest)
