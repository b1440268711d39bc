from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from evalkit.errors import UsageError
from evalkit.stats import clustered_proportion, proportion_interval
from evalkit.stats.bounded import Uncertainty, bounded_interval


@pytest.mark.parametrize(
    ("k", "n", "low", "high"),
    [
        (0, 8, 0.0, 0.369417),
        (8, 8, 0.630583, 1.0),
        (1, 10, 0.002529, 0.445016),
    ],
)
def test_clopper_pearson_values(k: int, n: int, low: float, high: float) -> None:
    """The ends by their definition: the tail of the binomial distribution is 2.5 % there."""
    estimate = proportion_interval(k, n)
    assert (estimate.low, estimate.high) == (pytest.approx(low, abs=2e-6), pytest.approx(high, abs=2e-6))
    if k > 0:
        assert binom.sf(k - 1, n, estimate.low) == pytest.approx(0.025)
    if k < n:
        assert binom.cdf(k, n, estimate.high) == pytest.approx(0.025)


def test_no_trials_no_rate() -> None:
    estimate = proportion_interval(0, 0)
    assert (estimate.value, estimate.low, estimate.note) == (None, None, "nothing was tried")


def test_nonsense_is_refused() -> None:
    with pytest.raises(UsageError):
        proportion_interval(5, 3)


def test_one_trial_per_cluster_is_clopper_pearson() -> None:
    assert clustered_proportion([1, 0, 0, 1, 0, 0], [1, 1, 1, 1, 0, 1]) == proportion_interval(2, 5)


def test_replicates_that_always_agree_count_once() -> None:
    """Ten prompts, each refused or not in all 20 replicates, know no more than ten trials."""
    refused = np.array([20, 20, 20, 0, 0, 0, 0, 0, 0, 0])
    clustered = clustered_proportion(refused, np.full(10, 20))
    once, pooled = proportion_interval(3, 10), proportion_interval(60, 200)
    width = clustered.high - clustered.low
    assert width == pytest.approx(once.high - once.low, rel=0.25)
    assert width > 2 * (pooled.high - pooled.low)


def test_replicates_that_never_agree_count_each() -> None:
    estimate = clustered_proportion(np.full(50, 2), np.full(50, 4) + np.arange(50) % 2)
    pooled = proportion_interval(100, 225)
    assert estimate.high - estimate.low < pooled.high - pooled.low


def test_zero_of_many_replicates_is_bounded_by_clusters_and_one_is_not_surer() -> None:
    nothing = clustered_proportion([0] * 6, [2] * 6)
    assert (nothing.low, nothing.high) == (0.0, pytest.approx(1 - 0.025 ** (1 / 6)))
    one = clustered_proportion([1, 0, 0, 0, 0, 0], [2] * 6)
    assert one.high >= nothing.high


def test_one_cluster_has_no_interval() -> None:
    estimate = clustered_proportion([3], [7])
    assert (estimate.value, estimate.low, estimate.high) == (pytest.approx(3 / 7), None, None)


def test_bounded_interval_follows_its_range() -> None:
    low, high = bounded_interval(0.3, Uncertainty(0.05, 20), (0.0, 1.0))
    wide = bounded_interval(2 * 0.3 - 1, Uncertainty(0.1, 20), (-1.0, 1.0))
    assert wide == (pytest.approx(2 * low - 1), pytest.approx(2 * high - 1))
    assert low < 0.3 < high


def test_bounded_interval_never_leaves_its_range() -> None:
    for mean in (0.001, 0.5, 0.999):
        low, high = bounded_interval(mean, Uncertainty(0.4, 3), (0.0, 1.0))
        assert 0.0 <= low <= mean <= high <= 1.0
