from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import t

from evalkit.stats import Resampling, cluster_bootstrap_mean, mean_of_totals, totals_of
from evalkit.stats.bootstrap import MAX_WEIGHTS, _weights


def unequal_clusters(rng: np.random.Generator, groups: int) -> np.ndarray:
    return np.repeat(np.arange(groups), np.minimum(rng.geometric(0.35, size=groups), 12))


def skewed(rng: np.random.Generator, label: np.ndarray, groups: int) -> np.ndarray:
    return rng.gamma(2.0, size=groups)[label] + rng.exponential(size=label.size)


@pytest.mark.parametrize("groups", [8, 12, 30])
def test_intervals_of_skewed_clustered_data_cover_and_naive_ones_do_not(groups: int) -> None:
    rng = np.random.default_rng(groups)
    ours = naive = 0
    for _ in range(500):
        label = unequal_clusters(rng, groups)
        values = skewed(rng, label, groups)
        estimate = cluster_bootstrap_mean(values, label, resamples=600)
        assert estimate.low is not None
        assert estimate.high is not None
        ours += estimate.low <= 3.0 <= estimate.high
        reach = t.ppf(0.975, values.size - 1) * values.std(ddof=1) / np.sqrt(values.size)
        naive += abs(values.mean() - 3.0) <= reach
    assert ours / 500 >= 0.93
    assert naive / 500 <= 0.80


@pytest.mark.parametrize(("groups", "rate"), [(8, 0.9), (12, 0.6), (30, 0.9)])
def test_intervals_of_right_or_wrong_metrics_cover(groups: int, rate: float) -> None:
    rng = np.random.default_rng(groups)
    covered = 0
    for _ in range(400):
        label = unequal_clusters(rng, groups)
        chance = rng.beta(2 * rate, 2 * (1 - rate), size=groups)[label]
        values = (rng.random(label.size) < chance).astype(float)
        estimate = cluster_bootstrap_mean(values, label, resamples=400, bounds=(0.0, 1.0))
        assert estimate.low is not None
        assert estimate.high is not None
        covered += estimate.low <= rate <= estimate.high
    assert covered / 400 >= 0.93


def test_all_right_is_not_certainty() -> None:
    estimate = cluster_bootstrap_mean([1.0] * 8, range(8), bounds=(0.0, 1.0))
    assert (estimate.value, estimate.high) == (1.0, 1.0)
    assert estimate.low == pytest.approx(0.025 ** (1 / 8))


def test_equal_values_without_bounds_give_no_interval() -> None:
    for bounds in [(None, None), (0.0, None)]:
        estimate = cluster_bootstrap_mean([0.3] * 8, range(8), bounds=bounds)
        assert (estimate.value, estimate.low, estimate.high) == (pytest.approx(0.3), None, None)
        assert estimate.note == "all 8 values are equal: no interval"


def test_one_cluster_and_no_values_give_no_interval() -> None:
    one = cluster_bootstrap_mean([1.0, 2.0], ["a", "a"])
    assert (one.value, one.low, one.note) == (1.5, None, "one cluster: no interval")
    none = cluster_bootstrap_mean([np.nan, np.nan], ["a", "b"])
    assert (none.value, none.low, none.n, none.n_expected) == (None, None, 0, 2)


def test_missing_values_are_left_out_and_counted() -> None:
    values = [1.0, np.nan, 3.0, 5.0, np.nan]
    estimate = cluster_bootstrap_mean(values, ["a", "a", "b", "c", "d"])
    alone = cluster_bootstrap_mean([1.0, 3.0, 5.0], ["a", "b", "c"])
    assert (estimate.value, estimate.n, estimate.n_clusters, estimate.n_expected) == (3.0, 3, 3, 5)
    assert (estimate.low, estimate.high) == (alone.low, alone.high)


def test_same_seed_same_interval_other_seed_other_interval() -> None:
    rng = np.random.default_rng(0)
    values, label = rng.gamma(2.0, size=40), np.repeat(np.arange(20), 2)
    first = cluster_bootstrap_mean(values, label)
    assert first == cluster_bootstrap_mean(values, label)
    assert first.low != cluster_bootstrap_mean(values, label, seed=1).low


def test_shift_and_scale_move_the_interval_with_the_data() -> None:
    rng = np.random.default_rng(3)
    values, label = rng.gamma(2.0, size=60), np.repeat(np.arange(20), 3)
    plain = cluster_bootstrap_mean(values, label)
    moved = cluster_bootstrap_mean(10.0 * values - 4.0, label)
    assert moved.low == pytest.approx(10.0 * plain.low - 4.0)
    assert moved.high == pytest.approx(10.0 * plain.high - 4.0)


def test_interval_stays_within_bounds() -> None:
    estimate = cluster_bootstrap_mean([0.0, 0.0, 0.0, 0.02, 0.9], range(5), bounds=(0.0, None))
    assert estimate.low == 0.0
    assert estimate.high > 0.4


def test_totals_give_the_same_as_values() -> None:
    rng = np.random.default_rng(5)
    values, label = rng.normal(size=50), rng.integers(12, size=50)
    assert mean_of_totals(totals_of(values, label)) == cluster_bootstrap_mean(values, label)


def test_thousands_of_clusters_take_fewer_resamples() -> None:
    assert _weights(20_000, 2000, 0).shape == (400, 20_000)
    assert _weights(10, 2000, 0).shape == (2000, 10)
    assert MAX_WEIGHTS >= 2000 * 1000
    rng = np.random.default_rng(0)
    estimate = cluster_bootstrap_mean(rng.normal(size=5000), np.arange(5000))
    assert estimate.high - estimate.low == pytest.approx(2 * 1.96 / np.sqrt(5000), rel=0.1)


def test_wider_level_is_wider() -> None:
    values = np.random.default_rng(1).gamma(2.0, size=30)
    totals = totals_of(values, np.arange(30))
    narrow, wide = (mean_of_totals(totals, Resampling(level=level)) for level in (0.8, 0.99))
    assert wide.low < narrow.low < narrow.high < wide.high
