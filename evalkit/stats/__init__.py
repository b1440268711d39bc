"""Intervals and tests: pure numpy and scipy, no files, no database."""

from evalkit.stats.bootstrap import Resampling, cluster_bootstrap_mean, mean_of_totals
from evalkit.stats.bounded import clustered_proportion, proportion_interval
from evalkit.stats.clusters import ClusterTotals, totals_of

__all__ = [
    "ClusterTotals",
    "Resampling",
    "cluster_bootstrap_mean",
    "clustered_proportion",
    "mean_of_totals",
    "proportion_interval",
    "totals_of",
]
