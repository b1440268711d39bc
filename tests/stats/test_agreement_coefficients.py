from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.errors import InvalidInput, UsageError
from evalkit.stats.agreement import (
    Agreement,
    Ratings,
    conger_kappa,
    fleiss_kappa,
    gwet_ac1,
    krippendorff_alpha,
    ratings_of_table,
)
from evalkit.stats.bootstrap import Resampling

NAN = np.nan
FOUR_RATERS = np.array(
    [
        [1, 1, NAN, 1],
        [2, 2, 3, 2],
        [3, 3, 3, 3],
        [3, 3, 3, 3],
        [2, 2, 2, 2],
        [1, 2, 3, 4],
        [4, 4, 4, 4],
        [1, 1, 2, 1],
        [2, 2, 2, 2],
        [NAN, 5, 5, 5],
        [NAN, NAN, 1, 1],
        [NAN, NAN, 3, NAN],
    ]
)
"""Krippendorff (2011), "Computing Krippendorff's alpha-reliability", example C; Gwet's "raw 4 raters"."""
SCALES = ("nominal", "ordinal", "interval", "ratio")


def table(seed: int, units: int, raters: int, values: int, missing: float = 0.25) -> np.ndarray:
    rng = np.random.default_rng(seed)
    truth = rng.integers(1, values + 1, units)[:, None]
    noise = rng.integers(1, values + 1, (units, raters))
    found = np.where(rng.random((units, raters)) < 0.6, truth, noise).astype(float)
    found[rng.random((units, raters)) < missing] = NAN
    return found


def naive_alpha(ratings: np.ndarray, scale: str) -> float:
    """Krippendorff's definition, pair of ratings by pair of ratings."""
    rows = [row[~np.isnan(row)] for row in ratings]
    rows = [row for row in rows if len(row) >= 2]
    every = np.concatenate(rows)

    def weight(a: float, b: float) -> float:
        low, high = min(a, b), max(a, b)
        if scale == "nominal":
            return float(a != b)
        if scale == "interval":
            return (a - b) ** 2
        if scale == "ratio":
            return ((a - b) / (a + b)) ** 2
        between = np.sum((every >= low) & (every <= high))
        return float(between - (np.sum(every == low) + np.sum(every == high)) / 2) ** 2 if a != b else 0.0

    observed = sum(
        weight(a, b) / (len(row) - 1)
        for row in rows
        for i, a in enumerate(row)
        for j, b in enumerate(row)
        if i != j
    )
    expected = sum(weight(a, b) for i, a in enumerate(every) for j, b in enumerate(every) if i != j)
    return 1.0 - observed / len(every) / (expected / (len(every) * (len(every) - 1)))


def naive_chance(ratings: np.ndarray, name: str) -> float:
    values = np.unique(ratings[~np.isnan(ratings)])
    rows = [row[~np.isnan(row)] for row in ratings if not np.isnan(row).all()]
    share = [np.mean([np.mean(row == v) for row in rows]) for v in values]
    if name == "fleiss":
        return float(sum(p * p for p in share))
    if name == "gwet":
        return float(sum(p * (1 - p) for p in share) / (len(values) - 1))
    own = [
        [np.mean(col[~np.isnan(col)] == v) for v in values] for col in ratings.T if not np.isnan(col).all()
    ]
    return float(np.mean([sum(p * q for p, q in zip(a, b, strict=True)) for a, b in combinations(own, 2)]))


def naive_observed(ratings: np.ndarray) -> float:
    shares = []
    for row in ratings:
        pairs = list(combinations(row[~np.isnan(row)], 2))
        if pairs:
            shares.append(np.mean([a == b for a, b in pairs]))
    return float(np.mean(shares))


def numbers(found: Agreement) -> list[float]:
    return [found.estimate.value, found.error, found.estimate.low, found.estimate.high]  # type: ignore[list-item]


# Values of the Python package krippendorff and of Krippendorff (2011): .743, .815, .849, .797.
@pytest.mark.reference
@pytest.mark.parametrize(
    ("scale", "value"), list(zip(SCALES, (0.743421, 0.815388, 0.849107, 0.797403), strict=True))
)
def test_alpha_of_the_four_coders(scale: str, value: float) -> None:
    found = krippendorff_alpha(ratings_of_table(FOUR_RATERS), scale)  # type: ignore[arg-type]
    assert found.estimate.value == pytest.approx(value, abs=1e-6)
    assert (found.estimate.n, found.error) == (11, None)


# Values printed by R's and Python's irrCAC for the same table (cac.raw.4raters).
@pytest.mark.reference
def test_kappas_of_the_four_raters() -> None:
    ratings = ratings_of_table(FOUR_RATERS)
    assert numbers(gwet_ac1(ratings)) == pytest.approx([0.77544, 0.14295, 0.46081, 1.0], abs=1e-5)
    assert numbers(fleiss_kappa(ratings)) == pytest.approx([0.76117, 0.15302, 0.42438, 1.0], abs=1e-5)
    assert numbers(conger_kappa(ratings))[:2] == pytest.approx([0.76282, 0.14917], abs=1e-5)
    ac1, fleiss = gwet_ac1(ratings), fleiss_kappa(ratings)
    assert (ac1.observed, ac1.chance) == pytest.approx((0.81818, 0.19032), abs=1e-5)
    assert fleiss.chance == pytest.approx(0.23872, abs=1e-5)


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 10_000), st.integers(6, 20), st.integers(2, 6), st.integers(2, 5))
def test_agrees_with_naive_twins(seed: int, units: int, raters: int, values: int) -> None:
    drawn = table(seed, units, raters, values)
    ratings = ratings_of_table(drawn)
    if krippendorff_alpha(ratings).estimate.value is None:
        return
    for scale in SCALES:
        found = krippendorff_alpha(ratings, scale, Resampling(resamples=2))  # type: ignore[arg-type]
        assert found.estimate.value == pytest.approx(naive_alpha(drawn, scale), abs=1e-12)
    observed = naive_observed(drawn)
    for name, coefficient in (("fleiss", fleiss_kappa), ("gwet", gwet_ac1), ("conger", conger_kappa)):
        found, chance = coefficient(ratings), naive_chance(drawn, name)
        assert found.chance == pytest.approx(chance, abs=1e-12)
        assert found.estimate.value == pytest.approx((observed - chance) / (1 - chance), abs=1e-12)


@pytest.mark.parametrize("coefficient", [fleiss_kappa, gwet_ac1, conger_kappa])
def test_standard_errors_are_those_of_drawing_units_again(coefficient: object) -> None:
    drawn = table(3, 300, 5, 3)
    rng = np.random.default_rng(0)
    again = [
        coefficient(ratings_of_table(drawn[rng.integers(0, 300, 300)])).estimate.value  # type: ignore[operator]
        for _ in range(300)
    ]
    found = coefficient(ratings_of_table(drawn))  # type: ignore[operator]
    assert found.error == pytest.approx(np.std(again), rel=0.12)


@pytest.mark.parametrize("scale", SCALES)
def test_the_interval_of_alpha_is_that_of_drawing_units_again(scale: str) -> None:
    drawn, few = table(5, 200, 4, 4), Resampling(resamples=2)
    rng = np.random.default_rng(1)
    again = [
        krippendorff_alpha(ratings_of_table(drawn[rng.integers(0, 200, 200)]), scale, few).estimate.value  # type: ignore[arg-type]
        for _ in range(150)
    ]
    found = krippendorff_alpha(ratings_of_table(drawn), scale).estimate  # type: ignore[arg-type]
    low, high = np.quantile(again, [0.025, 0.975])  # type: ignore[arg-type]
    assert found.low == pytest.approx(low, abs=0.2 * (high - low))
    assert found.high == pytest.approx(high, abs=0.2 * (high - low))


def test_the_same_seed_gives_the_same_interval() -> None:
    ratings = ratings_of_table(table(8, 40, 4, 3))
    one, two = (krippendorff_alpha(ratings, resampling=Resampling(seed=3)) for _ in range(2))
    assert one == two
    assert one != krippendorff_alpha(ratings, resampling=Resampling(seed=4))


def test_order_and_names_of_units_and_raters_do_not_matter() -> None:
    drawn = table(4, 25, 5, 4)
    rows = ratings_of_table(drawn)
    shuffle = np.random.default_rng(0).permutation(rows.value.size)
    other = Ratings(7 * rows.unit[shuffle] + 3, 40 - 3 * rows.rater[shuffle], rows.value[shuffle])
    for coefficient in (fleiss_kappa, gwet_ac1, conger_kappa):
        assert numbers(coefficient(other)) == pytest.approx(numbers(coefficient(rows)), abs=1e-12)
    assert krippendorff_alpha(other).estimate.value == pytest.approx(naive_alpha(drawn, "nominal"))


@pytest.mark.parametrize(
    ("drawn", "says"),
    [
        (np.zeros((0, 0)), "fewer than two raters"),
        (np.array([[1.0], [2.0], [1.0]]), "fewer than two raters"),
        (np.array([[1.0, NAN], [NAN, 2.0], [3.0, NAN]]), "no unit was rated by two"),
        (np.full((6, 3), 2.0), "all ratings are equal"),
    ],
)
def test_where_nothing_can_be_said_there_is_no_number(drawn: np.ndarray, says: str) -> None:
    ratings = ratings_of_table(drawn)
    for found in (f(ratings) for f in (krippendorff_alpha, fleiss_kappa, gwet_ac1, conger_kappa)):
        assert (found.estimate.value, found.estimate.low, found.error) == (None, None, None)
        assert says in (found.estimate.note or "")


def test_alpha_needs_values_that_differ_where_units_were_rated_twice() -> None:
    found = krippendorff_alpha(ratings_of_table(np.array([[1.0, 1.0], [1.0, 1.0], [2.0, NAN]])))
    assert found.estimate.value is None
    assert "rated twice" in (found.estimate.note or "")


def test_perfect_agreement_has_no_interval_of_width_zero() -> None:
    ratings = ratings_of_table(np.repeat([[1.0], [2.0], [3.0], [1.0]], 3, axis=1))
    for found in (f(ratings) for f in (krippendorff_alpha, fleiss_kappa, gwet_ac1, conger_kappa)):
        assert found.estimate.value == pytest.approx(1.0)
        assert (found.estimate.low, found.estimate.high, found.error) == (None, None, None)


def test_a_resample_without_alpha_does_not_narrow_the_interval() -> None:
    drawn = np.ones((12, 2))
    drawn[0] = 2.0, 1.0
    found = krippendorff_alpha(ratings_of_table(drawn)).estimate
    assert found.value is not None
    assert found.low is None


@pytest.mark.parametrize(
    ("unit", "rater", "value"), [([0, 0], [1, 1], [1.0, 2.0]), ([0], [0, 1], [1.0]), ([0], [0], [np.inf])]
)
def test_impossible_ratings_are_refused(unit: list[int], rater: list[int], value: list[float]) -> None:
    with pytest.raises(InvalidInput):
        Ratings(np.array(unit), np.array(rater), np.array(value))


def test_impossible_scales_are_refused() -> None:
    ratings = ratings_of_table(np.array([[-1.0, 1.0], [2.0, 2.0]]))
    with pytest.raises(UsageError):
        krippendorff_alpha(ratings, "ratio")
    with pytest.raises(UsageError):
        krippendorff_alpha(ratings, "guessed")  # type: ignore[arg-type]
    with pytest.raises(UsageError):
        ratings_of_table(np.ones(3))
