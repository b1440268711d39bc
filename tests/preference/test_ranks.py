from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.stats import multivariate_normal, norm
from scipy.stats import t as student

from evalkit.errors import InvalidInput, UsageError
from evalkit.preference.models import bradley_terry as bt
from evalkit.preference.ranks import (
    KINDS,
    Kind,
    RankOptions,
    overlap_ranges,
    quick_ranges,
    rank_ranges,
)

QUICK = RankOptions(draws=2000)


def world(seed: int, size: int, spread: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Ratings and a covariance of about the same size as their differences."""
    rng = np.random.default_rng(seed)
    A = rng.normal(size=(size, size + 3)) * 0.3
    return rng.normal(0.0, spread, size), A @ A.T / size + 0.01 * np.eye(size)


def naive_critical(theta: np.ndarray, V: np.ndarray, kind: Kind) -> list[tuple[float, float]]:
    """For each system the critical value by sums and by draws, from lists of pairs and draws of its own."""
    size, allowed = theta.size, 0.98 * 0.05
    Z = np.random.default_rng(99).multivariate_normal(np.zeros(size), V, 20_000, method="eigh")
    pairs = list(itertools.combinations(range(size), 2))
    error = {(i, j): np.sqrt(V[i, i] + V[j, j] - 2 * V[i, j]) for i, j in pairs}
    seen = {(i, j): (theta[i] - theta[j]) / error[i, j] for i, j in pairs}
    found = []
    for i in range(size):
        family = pairs if kind == "simultaneous" else [pair for pair in pairs if i in pair]
        reach = norm.isf(0.02 * 0.05 / (2 * len(family)))
        slack = {p: max(abs(seen[p]) - reach, 0.0) for p in family}

        def wrong(c: float, decided: set[tuple[int, int]], slack: dict[tuple[int, int], float]) -> float:
            return sum((1 if p in decided else 2) * norm.sf(c + slack[p]) for p in slack) - allowed

        decided = {p for p in family if slack[p] > 0}
        summed = np.inf
        for _ in range(len(family)):
            if wrong(0.5, decided, slack) < 0:
                summed = 0.5
                break
            summed = brentq(wrong, 0.5, 9.0, args=(decided, slack))
            decided = decided | {p for p in family if abs(seen[p]) > summed}
        drawn = summed
        for _ in range(len(family)):
            worst = np.zeros(len(Z))
            for p in family:
                z = (Z[:, p[0]] - Z[:, p[1]]) / error[p]
                worst = np.maximum(
                    worst, abs(z) if abs(seen[p]) <= drawn else -np.sign(seen[p]) * z - slack[p]
                )
            drawn = min(drawn, np.quantile(worst, 1.0 - allowed))
        found.append((summed, drawn))
    return found


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 6), st.sampled_from(KINDS))
def test_agrees_with_stepping_down_pair_by_pair(seed: int, size: int, kind: Kind) -> None:
    """Both draw at random, so a statistic within the noise of a critical value may fall either way."""
    theta, V = world(seed, size)
    options = RankOptions(kind=kind, draws=20_000)
    statistics = (theta[:, None] - theta) / np.sqrt(np.diag(V)[:, None] + np.diag(V) - 2 * V + np.eye(size))
    summed, drawn = np.array(naive_critical(theta, V, kind)).T
    for critical, (low, high) in (
        (summed, quick_ranges(theta, V, options=options)),
        (drawn, _ends(theta, V, options)),
    ):
        if np.abs(np.abs(statistics) - critical[:, None]).min() > 0.06:
            assert low.tolist() == (1 + (-statistics > critical[:, None]).sum(axis=1)).tolist()
            assert high.tolist() == (size - (statistics > critical[:, None]).sum(axis=1)).tolist()


def _ends(theta: np.ndarray, V: np.ndarray, options: RankOptions) -> tuple[np.ndarray, np.ndarray]:
    found = rank_ranges(theta, V, options=options)
    return found.low, found.high


ALLOWED = 0.98 * 0.05
"""The error that is left where nothing is far from undecided."""


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("freedom", [4.0, 30.0, np.inf])
def test_two_systems_are_a_two_sided_t_test(kind: Kind, freedom: float) -> None:
    critical = rank_ranges(np.zeros(2), np.eye(2), freedom, RankOptions(kind=kind)).critical
    assert critical == pytest.approx(student.isf(ALLOWED / 2, freedom), rel=0.02)


def test_three_alike_systems_need_the_exact_critical_value() -> None:
    """For one of three independent alike ratings: P(|Z_12| <= c, |Z_13| <= c), with correlation 1/2."""
    c = rank_ranges(np.zeros(3), np.eye(3), options=RankOptions(draws=200_000)).critical[0]
    pair = multivariate_normal([0, 0], [[1, 0.5], [0.5, 1]])
    inside = pair.cdf([c, c], lower_limit=[-c, -c])
    assert inside == pytest.approx(1.0 - ALLOWED, abs=0.003)


def test_what_is_decided_counts_one_way_only_and_what_is_far_not_at_all() -> None:
    """One near system and n others: at 3.2 standard errors (decided), and at 50 (far beyond any doubt)."""
    V = 0.5 * np.eye(4)
    decided = rank_ranges(np.array([0.0, 0.1, 3.2, 3.2]), V, 199.0).critical[0]
    assert 2 * student.sf(decided, 199) + 2 * student.sf(decided, 199) == pytest.approx(ALLOWED, rel=1e-6)
    far = rank_ranges(np.array([0.0, 0.1, 50.0, 50.0]), V, 199.0).critical[0]
    assert 2 * student.sf(far, 199) == pytest.approx(ALLOWED, rel=1e-6)


def test_few_clusters_widen_by_student() -> None:
    theta, V = world(1, 8)
    normal, few = rank_ranges(theta, V, options=QUICK), rank_ranges(theta, V, 3.0, QUICK)
    assert (few.low <= normal.low).all()
    assert (few.high >= normal.high).all()
    assert (few.high - few.low).sum() > (normal.high - normal.low).sum()


def test_far_apart_systems_have_their_rank_and_equal_ones_share_all() -> None:
    far = rank_ranges(np.array([3.0, 9.0, 6.0]), 0.01 * np.eye(3), options=QUICK)
    assert far.low.tolist() == far.high.tolist() == [3, 1, 2]
    assert far.first.tolist() == [False, True, False]
    equal = rank_ranges(np.zeros(4), np.eye(4), options=QUICK)
    assert equal.low.tolist() == [1] * 4
    assert equal.high.tolist() == [4] * 4
    assert equal.first.all()


@pytest.mark.parametrize("kind", KINDS)
def test_drawing_never_tells_less_apart_than_sums(kind: Kind) -> None:
    tighter = 0
    for seed in range(10):
        theta, V = world(seed, 12)
        options = RankOptions(kind=kind, draws=2000)
        found, (low, high) = rank_ranges(theta, V, options=options), quick_ranges(theta, V, options=options)
        assert (found.low >= low).all()
        assert (found.high <= high).all()
        tighter += (high - low).sum() - (found.high - found.low).sum()
    assert tighter > 0


@pytest.mark.parametrize("seed", range(5))
def test_all_at_once_is_never_narrower_than_one_by_one(seed: int) -> None:
    theta, V = world(seed, 10)
    one = rank_ranges(theta, V, options=RankOptions(kind="marginal"))
    together = rank_ranges(theta, V, options=RankOptions(kind="simultaneous"))
    assert (together.low <= one.low).all()
    assert (together.high >= one.high).all()


def test_neither_scale_nor_anchor_nor_order_matters() -> None:
    theta, V = world(4, 7)
    plain = rank_ranges(theta, V, options=QUICK)
    order = np.random.default_rng(0).permutation(7)
    other = rank_ranges(173.7 * theta[order] + 1000.0, 173.7**2 * V[np.ix_(order, order)], options=QUICK)
    assert other.low.tolist() == plain.low[order].tolist()
    assert other.high.tolist() == plain.high[order].tolist()
    assert other.places == pytest.approx(plain.places[order], abs=0.04)
    shared = rank_ranges(theta, V + 0.5, options=QUICK)
    assert shared.low.tolist() == plain.low.tolist()


def test_places_are_chances() -> None:
    theta = np.array([0.4, 0.0, -0.3])
    V = np.diag([0.04, 0.09, 0.01])
    found = rank_ranges(theta, V, options=RankOptions(draws=100_000))
    assert found.places.sum(axis=0) == pytest.approx(np.ones(3))
    assert found.places.sum(axis=1) == pytest.approx(np.ones(3))
    above = norm.cdf((theta[0] - theta) / np.sqrt(V[0, 0] + np.diag(V)))
    expected = 1.0 + (1.0 - above[1:]).sum()
    assert found.expected[0] == pytest.approx(expected, abs=0.01)
    grid = np.linspace(-2, 3, 4001)
    density = norm.pdf(grid, theta[0], 0.2) * norm.cdf(grid, theta[1], 0.3) * norm.cdf(grid, theta[2], 0.1)
    assert found.best[0] == pytest.approx(np.trapezoid(density, grid), abs=0.005)
    assert found.top(2) == pytest.approx(1.0 - found.places[:, 2])
    assert found.top(3) == pytest.approx(np.ones(3))


def test_equals_share_their_places() -> None:
    """Two systems that are the same in every draw are first as often as each other."""
    V = np.array([[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    found = rank_ranges(np.zeros(3), V, options=RankOptions(draws=40_000))
    assert found.best[0] == pytest.approx(found.best[1], abs=0.02)
    assert found.best[2] == pytest.approx(0.5, abs=0.02)


def test_a_difference_without_a_variance_is_never_told_apart() -> None:
    V = np.array([[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 1.0]]) * 1e-4
    found = rank_ranges(np.array([2.0, 1.0, 0.0]), V, options=QUICK)
    assert found.low.tolist() == [1, 1, 3]
    assert found.high.tolist() == [2, 2, 3]
    nothing = rank_ranges(np.array([2.0, 1.0, 0.0]), np.zeros((3, 3)), options=RankOptions(draws=40_000))
    assert nothing.low.tolist() == [1, 1, 1]
    assert nothing.high.tolist() == [3, 3, 3]


def test_one_system_is_first() -> None:
    found = rank_ranges(np.zeros(1), np.ones((1, 1)), options=QUICK)
    assert (found.low.tolist(), found.high.tolist(), found.best.tolist()) == ([1], [1], [1.0])


def test_overlapping_intervals_as_lmarena_counts_them() -> None:
    lower, upper = np.array([10.0, 8.0, 1.0, 0.0]), np.array([12.0, 11.0, 3.0, 0.5])
    low, high = overlap_ranges(lower, upper)
    assert low.tolist() == [1, 1, 3, 4]
    assert high.tolist() == [2, 2, 3, 4]


def simulated(seed: int, size: int, votes: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """True ranks, ratings and covariance of decided votes on systems whose abilities differ by little."""
    rng = np.random.default_rng(seed)
    theta = rng.normal(0.0, 0.35, size)
    i, j = np.triu_indices(size, 1)
    games = rng.multinomial(votes, np.full(i.size, 1.0 / i.size))
    wins = np.zeros((size, size))
    wins[i, j] = rng.binomial(games, 1.0 / (1.0 + np.exp(theta[j] - theta[i])))
    wins[j, i] = games - wins[i, j]
    rating = bt.fit(wins).theta
    return 1 + (theta[None, :] > theta[:, None]).sum(axis=1), rating, bt.inverse_information(rating, wins)


def test_ranges_cover_the_true_ranks() -> None:
    """Coverage of each rank, of all at once, and a width no larger than that of overlapping intervals."""
    boards, size = 120, 10
    inside, together, ours, overlap = 0, 0, 0.0, 0.0
    for seed in range(boards):
        true, theta, V = simulated(seed, size, 3000)
        one = rank_ranges(theta, V, options=QUICK)
        every = rank_ranges(theta, V, options=RankOptions(kind="simultaneous", draws=2000))
        inside += ((one.low <= true) & (true <= one.high)).sum()
        together += ((every.low <= true) & (true <= every.high)).all()
        reach = norm.isf(0.025) * np.sqrt(np.diag(V))
        low, high = overlap_ranges(theta - reach, theta + reach)
        ours += (one.high - one.low).mean()
        overlap += (high - low).mean()
    assert inside / (boards * size) >= 0.95
    assert together / boards >= 0.95
    assert ours <= overlap


@pytest.mark.parametrize("clusters", [0, 10])
def test_equal_systems_are_told_apart_at_most_as_often_as_promised(clusters: int) -> None:
    """The hardest case: any decision is wrong. Known variances, and those of a few clusters."""
    boards, size = 400, 6
    rng = np.random.default_rng(0)
    wrong = np.zeros(size)
    for _ in range(boards):
        theta, V, freedom = rng.normal(0.0, 0.1, size), 0.01 * np.eye(size), np.inf
        if clusters:
            ratings = rng.normal(size=(clusters, size))
            theta, V, freedom = ratings.mean(axis=0), np.cov(ratings.T) / clusters, clusters - 1.0
        found = rank_ranges(theta, V, freedom, QUICK)
        wrong += (found.low > 1) | (found.high < size)
    share, noise = wrong.mean() / boards, np.sqrt(0.05 * 0.95 / boards)
    assert share < 0.05 + 2.5 * noise
    assert share > 0.02, "ranges are wider than they need to be"


@pytest.mark.parametrize(
    ("theta", "V", "freedom"),
    [
        (np.zeros(0), np.zeros((0, 0)), np.inf),
        (np.zeros(3), np.eye(2), np.inf),
        (np.array([0.0, np.nan]), np.eye(2), np.inf),
        (np.zeros(2), np.array([[1.0, 0.5], [0.0, 1.0]]), np.inf),
        (np.zeros(2), -np.eye(2), np.inf),
        (np.zeros(2), np.eye(2), 0.5),
    ],
    ids=["nothing", "shapes", "not a number", "not symmetric", "negative", "no freedom"],
)
def test_what_cannot_be_ranked_is_refused(theta: np.ndarray, V: np.ndarray, freedom: float) -> None:
    with pytest.raises(InvalidInput):
        rank_ranges(theta, V, freedom, QUICK)


@pytest.mark.parametrize("wrong", [{"level": 1.0}, {"level": 95.0}, {"kind": "both"}, {"draws": 100}])
def test_options_that_mean_nothing_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(UsageError) as error:
        RankOptions(**wrong)  # type: ignore[arg-type]
    assert error.value.hint
