"""Paired rates: against references, by enumeration of everything that can happen, and by simulation."""

from __future__ import annotations

import itertools
import re
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import beta, binomtest, multinomial, permutation_test

from evalkit.errors import UsageError
from evalkit.stats import proportion_interval
from evalkit.stats.paired import (
    exact_mcnemar_p,
    melded_interval,
    paired_difference,
    reach,
    sign_flip_p,
)


def pairs(rose: int, fell: int, n: int, both: int = 0) -> tuple[list[float], list[float]]:
    """Rates before and after of n prompts, of which `both` were refused each time."""
    same = n - rose - fell
    before = [0.0] * rose + [1.0] * fell + [1.0] * both + [0.0] * (same - both)
    after = [1.0] * rose + [0.0] * fell + [1.0] * both + [0.0] * (same - both)
    return before, after


@pytest.mark.parametrize(("rose", "fell"), [(0, 0), (5, 0), (6, 0), (1, 1), (9, 2), (3, 17), (40, 61)])
def test_mcnemar_is_the_binomial_test_of_scipy(rose: int, fell: int) -> None:
    expected = binomtest(rose, rose + fell).pvalue if rose + fell else 1.0
    assert exact_mcnemar_p(rose, fell) == pytest.approx(expected, rel=1e-9)
    assert sign_flip_p([1] * rose + [-1] * fell + [0] * 7) == pytest.approx(expected, rel=1e-9)


def test_five_against_none_do_not_decide_and_six_do() -> None:
    five, six = (paired_difference(*pairs(k, 0, 60, both=5), range(60)) for k in (5, 6))
    assert (five.before, five.after) == (pytest.approx(5 / 60), pytest.approx(10 / 60))
    assert (five.p_value, five.decided, five.rose, five.fell) == (pytest.approx(0.0625), False, 5, 0)
    assert (six.p_value, six.decided) == (pytest.approx(0.03125), True)


def test_sign_flips_are_the_permutation_test_of_scipy() -> None:
    sums = np.array([1.0, -1 / 3, 2 / 3, 2 / 3, 0.0, 1.5, -0.5, 1 / 4, 2.0, -1.0])
    found = permutation_test(
        (sums,), lambda x, axis: x.sum(axis), permutation_type="samples", vectorized=True, n_resamples=np.inf
    )
    assert sign_flip_p(sums) == pytest.approx(found.pvalue, rel=1e-9)


@pytest.mark.parametrize(("rose", "fell", "n"), [(9, 2, 161), (1, 7, 21), (5, 5, 30), (20, 3, 60)])
def test_the_interval_is_that_of_its_definition(rose: int, fell: int, n: int) -> None:
    """Fay & Lumbard (2021) by drawing from the four beta distributions, as their text defines it."""
    rng, draws, moved = np.random.default_rng(3), 400_000, rose + fell
    shares = [beta.rvs(moved + up, n - moved + 1 - up, size=draws, random_state=rng) for up in (0, 1)]
    low_lean = 2 * beta.rvs(rose, fell + 1, size=draws, random_state=rng) - 1
    high_lean = 2 * beta.rvs(rose + 1, fell, size=draws, random_state=rng) - 1
    low = min(np.quantile(share * low_lean, 0.025) for share in shares)
    high = max(np.quantile(share * high_lean, 0.975) for share in shares)
    assert melded_interval(rose, fell, n) == (pytest.approx(low, abs=2e-3), pytest.approx(high, abs=2e-3))


def test_without_any_change_it_is_clopper_pearson_both_ways() -> None:
    end = proportion_interval(0, 60).high
    assert melded_interval(0, 0, 60) == (pytest.approx(-end), pytest.approx(end))


def test_the_other_way_round_is_the_mirror_image() -> None:
    low, high = melded_interval(7, 2, 40)
    assert melded_interval(2, 7, 40) == (pytest.approx(-high), pytest.approx(-low))


@pytest.mark.parametrize("n", [1, 2, 6])
def test_everything_changed_one_way(n: int) -> None:
    low, high = melded_interval(n, 0, n)
    assert -1 <= low < high == 1.0
    assert (low > 0) == (n >= 6)


@cache
def every_interval(n: int) -> dict[tuple[int, int], tuple[float, float]]:
    return {
        (rose, fell): melded_interval(rose, fell, n)
        for rose, fell in itertools.product(range(n + 1), repeat=2)
        if rose + fell <= n
    }


def test_interval_and_test_never_disagree() -> None:
    for (rose, fell), (low, high) in every_interval(14).items():
        assert (low > 0 or high < 0) == (exact_mcnemar_p(rose, fell) < 0.05), (rose, fell)


@pytest.mark.parametrize("up", [0.001, 0.02, 0.1, 0.3, 0.5, 0.8])
@pytest.mark.parametrize("down", [0.001, 0.02, 0.1, 0.15])
def test_coverage_by_enumeration(up: float, down: float) -> None:
    """The exact chance, over everything fourteen pairs can do, that the interval holds the truth."""
    covered = sum(
        multinomial.pmf((rose, fell, 14 - rose - fell), 14, (up, down, 1 - up - down))
        for (rose, fell), (low, high) in every_interval(14).items()
        if low - 1e-6 <= up - down <= high + 1e-6
    )
    assert covered >= 0.95


def test_coverage_where_prompts_share_a_cluster_and_are_asked_twice() -> None:
    """Twelve clusters of three prompts that change together; 95 % of 120 are 114, two fewer is chance."""
    rng, held = np.random.default_rng(5), 0
    truth = 0.15 * 0.9 - 0.05 * 0.1
    for _ in range(120):
        fate = rng.random(12).repeat(3)
        before = np.full(36, 0.1)
        after = np.select([fate < 0.15, fate < 0.2], [1.0, 0.0], before)
        seen = [rng.binomial(2, rates) / 2 for rates in (before, after)]
        found = paired_difference(*seen, list(np.arange(12).repeat(3))).difference
        assert found.low is not None
        assert found.high is not None
        held += found.low <= truth <= found.high
    assert held >= 112


def test_pairs_of_one_cluster_are_one_piece_of_evidence() -> None:
    before, after = pairs(6, 0, 24)
    alone = paired_difference(before, after, range(24))
    together = paired_difference(before, after, [i // 6 for i in range(24)])
    assert alone.decided
    assert (together.p_value, together.decided, together.clusters) == (1.0, False, 4)


def test_nothing_to_pair() -> None:
    found = paired_difference([], [], [])
    assert (found.before, found.after, found.p_value, found.difference.value) == (None, None, None, None)
    assert (found.decided, found.difference.note) == (None, "no pair")


def test_one_cluster_gives_no_interval() -> None:
    found = paired_difference([0.0, 0.0], [1.0, 1.0], ["a", "a"])
    assert (found.difference.value, found.decided) == (1.0, None)
    assert found.difference.note == "one cluster: no interval"


def test_lists_must_belong_together() -> None:
    with pytest.raises(UsageError, match="do not belong together"):
        paired_difference([0.0], [1.0, 1.0], ["a", "b"])


def test_what_so_many_prompts_can_show() -> None:
    few, sixty = reach(5), reach(60)
    assert (few.least, few.detectable) == (None, None)
    assert sixty.least == 6
    assert exact_mcnemar_p(5, 0) >= 0.05 > exact_mcnemar_p(6, 0)
    assert sixty.detectable is not None
    drawn = np.random.default_rng(1).binomial(60, sixty.detectable, 40_000)
    assert (drawn >= 6).mean() == pytest.approx(0.8, abs=0.01)


def test_more_prompts_show_smaller_differences() -> None:
    found = [reach(n).detectable for n in (20, 60, 90, 300)]
    assert found == sorted(found, reverse=True)


def test_the_documented_reach_is_true() -> None:
    page = (Path(__file__).parents[2] / "docs" / "refusals.md").read_text("utf-8")
    rows = re.findall(r"^\| (\d+) \| (\d+) \(([\d.]+) points?\) \| ([\d.]+) points \|$", page, re.MULTILINE)
    assert len(rows) == 4
    for n, fewest, points, detectable in rows:
        found = reach(int(n))
        assert (found.least, 100 * int(fewest) / int(n)) == (
            int(fewest),
            pytest.approx(float(points), abs=0.05),
        )
        assert found.detectable is not None
        assert 100 * found.detectable == pytest.approx(float(detectable), abs=0.051)
