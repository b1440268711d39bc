from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import kendalltau

from evalkit.stats.rank_agreement import Met, kendall_tau_b, rank_agreement
from evalkit.stats.validity import Judgements


def test_tau_b_is_scipys() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.integers(4, size=(50, 6)).astype(float), rng.integers(4, size=(50, 6)).astype(float)
    expected = [kendalltau(a, b).statistic for a, b in zip(x, y, strict=True)]
    assert kendall_tau_b(x, y) == pytest.approx(expected, nan_ok=True)


def league(systems: int, noise: float, seed: int = 1) -> tuple[Judgements, np.ndarray, Met]:
    """Every pair of systems on 30 prompts; people and the metric agree but for noise."""
    rng = np.random.default_rng(seed)
    first, second = (np.tile(side, 30) for side in np.triu_indices(systems, 1))
    prompt = np.repeat(np.arange(30), first.size // 30)
    gap = (second - first).astype(float)
    answer = np.sign(gap + noise * rng.normal(size=gap.size)).astype(np.int64)
    votes = Judgements(np.arange(gap.size), prompt, rng.integers(9, size=gap.size), answer)
    return votes, gap, Met(first, second, systems)


def test_the_same_order_is_1_and_the_opposite_is_minus_1() -> None:
    votes, gap, met = league(5, 0.1)
    same, opposite = rank_agreement(votes, np.column_stack([gap, -gap]), met)
    assert (same.value, same.high, opposite.value, opposite.low) == (1.0, 1.0, -1.0, -1.0)
    assert (same.n, same.n_clusters) == (5, 30)


def test_an_interval_holds_its_estimate_and_widens_with_noise() -> None:
    votes, _, met = league(6, 8.0)
    gap = np.random.default_rng(2).normal(size=votes.pair.size)
    (loose,) = rank_agreement(votes, gap[:, None], met)
    assert loose.low is not None
    assert loose.high is not None
    assert loose.value is not None
    assert loose.low <= loose.value <= loose.high
    assert loose.high - loose.low > 0.3


@pytest.mark.parametrize(("systems", "note"), [(2, "2 systems: no ranking to compare"), (3, None)])
def test_two_systems_are_no_ranking(systems: int, note: str | None) -> None:
    votes, gap, met = league(systems, 0.1)
    assert rank_agreement(votes, gap[:, None], met)[0].note == note


def test_a_metric_that_sees_no_difference_has_no_order() -> None:
    votes, gap, met = league(4, 0.1)
    (found,) = rank_agreement(votes, 0.0 * gap[:, None], met)
    assert (found.value, found.note) == (None, "one side sees no difference between any two systems")


def test_pairs_without_a_score_count_on_neither_side() -> None:
    """Where the metric is silent, people's votes must not count: here they would turn the order."""
    votes, gap, met = league(4, 0.0)
    silent = votes.prompt >= 15
    turned = Judgements(votes.pair, votes.prompt, votes.rater, np.where(silent, -votes.answer, votes.answer))
    gaps = np.where(silent, np.nan, gap)[:, None]
    assert rank_agreement(turned, gaps, met)[0].value == 1.0
